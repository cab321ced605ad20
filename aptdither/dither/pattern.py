"""Patterns and the catalogue of them: the built-in one, and files of an observer's own.

The built-in catalogue is two data files: ``patterns-known.json`` holds what others designed or
observed, each with its source; ``patterns-designed.json`` holds this project's own ``tight-N`` and
``wide-N`` and is written by a command. An observer's own file is ECSV: columns ``pattern``, ``x``,
``y`` and optionally ``point`` and ``source``, with ``x`` and ``y`` both in pix or both in arcsec.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from aptdither.errors import AptDitherError, CatalogError, Location, raise_all
from aptdither.io.ecsv import find_ecsv_problem
from aptdither.types import FloatArray

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture

Frame = Literal["pix", "postarg"]

#: A pattern with more points than this is a mistake: a visit holds some dozens of exposures.
MAX_POINTS = 1000
#: Farthest coordinate of a point, pixels or arcsec: beyond is no sky and no detector.
FARTHEST = 1e6
#: A catalogue file is a table for people; a larger one is not read.
MAX_CATALOG_BYTES = 5_000_000
#: Each pattern of a wanted size is judged before one is taken, some in a tenth of a second.
MAX_PATTERNS = 500
#: After so many mistakes in one file the rest is likely the same one.
MAX_REPORTED = 20

KNOWN_FILE = "patterns-known.json"
DESIGNED_FILE = "patterns-designed.json"

# A tag and a receipt hold the name: what they read must be what can be called so.
_NAME = re.compile(r"[A-Za-z0-9._+-]{1,100}", re.ASCII)
_TEXTS = ("designed_for", "source", "version", "rebuild", "meaning", "note")
_UNITS: dict[str, Frame] = {"pix": "pix", "pixel": "pix", "arcsec": "postarg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Offsets of a set of exposures.

    Attributes
    ----------
    name : str
        Letters, digits and ``. _ + -``; looked up without regard to case.
    points : tuple of (float, float)
        Offsets x, y in the order of the exposures, in the unit of `frame`.
    frame : {"pix", "postarg"}
        ``pix``: pixels at the aperture's fiducial point, +x along columns. ``postarg``: POS TARGs,
        arcsec, the same through every aperture.
    designed_for : str
        For how many exposures, of what.
    source : str
        Who says so: a document and its section, a program, a command.
    version : str
        Of the source, or the date of what was observed.
    rebuild : str
        How to get the same numbers again.
    meaning : str
        What the numbers are, with their unit.
    note : str
        What an observer should know before using it.

    Raises
    ------
    CatalogError
        If the name or the points cannot be: the message says which.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    frame: Frame
    designed_for: str = ""
    source: str = ""
    version: str = ""
    rebuild: str = ""
    meaning: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.frame not in ("pix", "postarg"):
            raise CatalogError(f"{self.name}: the frame is pix or postarg, not {self.frame!r}")
        if not 1 <= len(self.points) <= MAX_POINTS:
            raise CatalogError(
                f"{self.name}: a pattern has 1 to {MAX_POINTS} points, not {len(self.points)}"
            )
        for number, point in enumerate(self.points, start=1):
            if not all(abs(value) <= FARTHEST for value in point):
                raise CatalogError(
                    f"{self.name}: point {number} is not two finite numbers of at most "
                    f"{FARTHEST:.0f}: {point}"
                )

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.points)

    def postargs(self, aperture: Aperture) -> FloatArray:
        """Return the POS TARGs (N, 2), arcsec, rounded to the three decimals that are written.

        Pixel patterns go through the aperture's distortion polynomial at its fiducial point.
        """
        points = np.array(self.points, dtype=float)
        if self.frame == "pix":
            points = np.stack(aperture.postarg_from_offset(points[:, 0], points[:, 1]), axis=-1)
        return rounded(points)

    def offsets_pix(self, aperture: Aperture) -> FloatArray:
        """Return the offsets (N, 2), pixels at the aperture's fiducial point, unrounded."""
        points = np.array(self.points, dtype=float)
        if self.frame == "pix":
            return points
        return np.stack(aperture.offset_from_postarg(points[:, 0], points[:, 1]), axis=-1)


def check_name(name: str) -> None:
    """Refuse a name that no pattern can have.

    Raises
    ------
    CatalogError
        Saying what is allowed.
    """
    if not _NAME.fullmatch(name):
        raise CatalogError(
            f"a pattern cannot be called {name[:110]!r}: letters, digits and . _ + - are allowed, "
            "at most 100 of them"
        )


def rounded(postargs_arcsec: FloatArray) -> FloatArray:
    """Return POS TARGs at the three decimals that are written, never -0."""
    return np.asarray(np.round(postargs_arcsec, 3) + 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Patterns by name.

    Attributes
    ----------
    patterns : tuple of Pattern
        In the order they are listed; no two names are equal without regard to case.
    """

    patterns: tuple[Pattern, ...]
    _by_name: dict[str, Pattern] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Pattern] = {}
        for pattern in self.patterns:
            if pattern.name.casefold() in by_name:
                raise CatalogError(
                    f"two patterns are called {pattern.name} (case does not matter): rename one"
                )
            by_name[pattern.name.casefold()] = pattern
        object.__setattr__(self, "_by_name", by_name)

    def __len__(self) -> int:
        return len(self.patterns)

    def __iter__(self) -> Iterator[Pattern]:
        return iter(self.patterns)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order they are listed."""
        return tuple(pattern.name for pattern in self.patterns)

    def of_size(self, n: int) -> tuple[Pattern, ...]:
        """Return the patterns of `n` points."""
        return tuple(pattern for pattern in self.patterns if pattern.n == n)

    def get(self, name: str) -> Pattern:
        """Return the pattern of that name, without regard to case.

        Raises
        ------
        CatalogError
            If there is none; the message names those that look like it.
        """
        found = self._by_name.get(name.casefold())
        if found is not None:
            return found
        near = [
            self._by_name[key].name for key in get_close_matches(name.casefold(), self._by_name)
        ]
        hint = f"did you mean {' or '.join(near)}?" if near else "`aptdither patterns` lists them"
        raise CatalogError(f"there is no pattern {name!r} in the catalogue; {hint}")


def load_catalog(user_file: str | PathLike[str] | None = None) -> Catalog:
    """Return the built-in catalogue, with an observer's own patterns after it.

    Parameters
    ----------
    user_file : path, optional
        An ECSV file, see :func:`read_ecsv`.

    Raises
    ------
    CatalogError
        If the file cannot be used, or has a pattern of a built-in's name.
    """
    built_in = _built_in()
    if user_file is None:
        return built_in
    path = Path(user_file)
    own = read_ecsv(_read_bytes(path), path=str(path))
    raise_all(
        CatalogError(
            f"{pattern.name} is the name of a built-in pattern: rename yours",
            location=Location(path=str(path)),
        )
        for pattern in own
        if pattern.name in built_in
    )
    return Catalog(patterns=(*built_in.patterns, *own))


@cache
def _built_in() -> Catalog:
    found: list[Pattern] = []
    for name in (KNOWN_FILE, DESIGNED_FILE):
        text = files("aptdither").joinpath("data", name).read_text(encoding="utf-8")
        found.extend(patterns_from_json(text))
    return Catalog(patterns=tuple(found))


def patterns_from_json(text: str) -> tuple[Pattern, ...]:
    """Return the patterns of a data file in the form of ``schemas/patterns.schema.json``."""
    return tuple(
        Pattern(
            name=entry["name"],
            points=tuple((float(x), float(y)) for x, y in entry["points"]),
            frame=entry["frame"],
            **{key: entry.get(key, "") for key in _TEXTS},
        )
        for entry in json.loads(text)["patterns"]
    )


def patterns_as_json(
    patterns: Iterable[Pattern], *, description: str, generated: dict[str, Any] | None = None
) -> str:
    """Return the text of a data file of patterns; the same patterns give the same text.

    Parameters
    ----------
    patterns : iterable of Pattern
    description : str
        What the file holds, one sentence.
    generated : dict, optional
        How it was made, for files that a command writes: ``command``, ``seed`` and the like.
    """
    head: dict[str, Any] = {"catalog_version": 1, "description": description}
    if generated is not None:
        head["generated"] = generated
    entries = [json.dumps(_as_entry(pattern), ensure_ascii=False, indent=2) for pattern in patterns]
    # Points stand one pair a line: a changed point is one changed line.
    pair = re.compile(r"\[\s+([-+.\deE]+),\s+([-+.\deE]+)\s+\]")
    listed = ",\n".join(pair.sub(r"[\1, \2]", entry) for entry in entries)
    opening = json.dumps(head, ensure_ascii=False, indent=2)[: -len("\n}")]
    indented = "\n".join(f"    {line}" for line in listed.splitlines())
    return f'{opening},\n  "patterns": [\n{indented}\n  ]\n}}\n'


def _as_entry(pattern: Pattern) -> dict[str, Any]:
    entry = asdict(pattern)
    return {key: entry[key] for key in ("name", "frame", "points", *_TEXTS)}


# --- an observer's own patterns ----------------------------------------------------------------


def write_ecsv(pattern: Pattern, file: IO[str]) -> None:
    """Write one pattern as ECSV that :func:`read_ecsv` and astropy read back, every digit of it.

    Parameters
    ----------
    pattern : Pattern
    file : text file
        Open for writing.
    """
    from astropy.table import Table

    unit = "pix" if pattern.frame == "pix" else "arcsec"
    points = np.array(pattern.points, dtype=float)
    table = Table(
        {
            "pattern": [pattern.name] * pattern.n,
            "point": np.arange(1, pattern.n + 1),
            "x": points[:, 0],
            "y": points[:, 1],
        },
        meta={key: getattr(pattern, key) for key in _TEXTS if getattr(pattern, key)},
    )
    table["x"].unit = table["y"].unit = unit
    table.write(file, format="ascii.ecsv")


def read_ecsv(source: bytes, *, path: str = "") -> tuple[Pattern, ...]:
    """Read an observer's own patterns.

    Parameters
    ----------
    source : bytes
        ECSV with the columns ``pattern`` (name), ``x`` and ``y`` (both in pix, or both in arcsec)
        and, if wanted, ``point`` (1, 2, ... or 0, 1, ...: the order within a pattern; without it
        the order of the rows) and ``source``. The texts of a :class:`Pattern` may stand in the
        file's ``meta``.
    path : str
        For messages.

    Returns
    -------
    tuple of Pattern
        In the order of their first rows.

    Raises
    ------
    CatalogError
        Naming row and column; several mistakes are listed together. Rows are counted from 1 below
        the line of column names.
    """
    location = Location(path=path or None)
    try:
        return _patterns_of(_read_table(source))
    except AptDitherError as error:
        raise error.located(location) from None


def _read_bytes(path: Path) -> bytes:
    location = Location(path=str(path))
    try:
        if not path.is_file():
            what = "is a directory or a device" if path.exists() else "does not exist"
            raise CatalogError(f"the catalogue file {what}", location=location)
        with path.open("rb") as file:
            source = file.read(MAX_CATALOG_BYTES + 1)
    except OSError as error:
        raise CatalogError(
            f"the catalogue file cannot be read: {error.strerror}", location=location
        ) from error
    if len(source) > MAX_CATALOG_BYTES:
        raise CatalogError(
            f"the catalogue file is larger than {MAX_CATALOG_BYTES} bytes", location=location
        )
    return source


def _read_table(source: bytes) -> dict[str, Any]:
    """Return the columns by name, and "meta"."""
    from astropy.table import Table

    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError("the catalogue file is not UTF-8 text") from error
    if not text.startswith("# %ECSV"):
        raise CatalogError(
            "the catalogue file is not ECSV: its first line is `# %ECSV 1.0`; "
            "`aptdither optimize -o pattern.ecsv` writes an example"
        )
    trouble = find_ecsv_problem(text)
    if trouble is not None:
        raise CatalogError(f"the catalogue file {trouble}")
    try:
        table = Table.read(text.splitlines(), format="ascii.ecsv")
    # The parser and the YAML reader below it raise whatever their code trips over.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise CatalogError(f"the catalogue file is not readable as ECSV: {reason}") from error
    return {**{name: table[name] for name in table.colnames}, "meta": dict(table.meta)}


def _patterns_of(table: dict[str, Any]) -> tuple[Pattern, ...]:
    meta = table.pop("meta")
    raise_all(
        CatalogError(
            f"column {name} is missing; a catalogue has pattern, x, y and, if wanted, point"
        )
        for name in ("pattern", "x", "y")
        if name not in table
    )
    frame = _frame(table)
    rows = len(table["pattern"])
    if not rows:
        raise CatalogError("the catalogue file has no rows")
    names, points = _text_column(table["pattern"], "pattern"), {}
    mistakes = [CatalogError(message) for message in _bad_names(names)]
    for column in ("x", "y"):
        points[column], found = _number_column(table[column], column)
        mistakes += found
    numbers = None
    if "point" in table or "order" in table:
        key = "point" if "point" in table else "order"
        numbers, found = _number_column(table[key], key)
        mistakes += found
    raise_all(mistakes[:MAX_REPORTED])
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    if len(members) > MAX_PATTERNS:
        raise CatalogError(
            f"the catalogue file has {len(members)} patterns; at most {MAX_PATTERNS} are read"
        )
    sources = _text_column(table["source"], "source") if "source" in table else None
    texts = {key: str(meta[key]) for key in _TEXTS if isinstance(meta.get(key), str)}
    result, mistakes = [], []
    for name, owned in members.items():
        try:
            ordered = _in_order(name, owned, numbers)
            own = {"source": sources[owned[0]]} if sources else {}
            result.append(
                Pattern(
                    name=name,
                    points=tuple((points["x"][row], points["y"][row]) for row in ordered),
                    frame=frame,
                    **{"source": "a catalogue file of the observer's own", **texts, **own},
                )
            )
        except CatalogError as error:
            mistakes.append(error)
    raise_all(mistakes[:MAX_REPORTED])
    return Catalog(patterns=tuple(result)).patterns


def _frame(table: dict[str, Any]) -> Frame:
    units = {}
    for column in ("x", "y"):
        unit = getattr(table[column], "unit", None)
        if unit is None:
            raise CatalogError(f"column {column} has no unit: pix or arcsec is needed")
        if str(unit) not in _UNITS:
            raise CatalogError(f"column {column} is in {unit}: pix or arcsec is needed")
        units[column] = _UNITS[str(unit)]
    if units["x"] != units["y"]:
        raise CatalogError("column x and column y have different units: both pix or both arcsec")
    return units["x"]


def _text_column(column: Any, name: str) -> list[str]:
    masked = np.ma.getmaskarray(np.ma.asarray(column))
    for row in np.flatnonzero(masked.reshape(len(column), -1).any(axis=1)):
        raise CatalogError(f"row {row + 1}, column {name} is empty")
    return [str(value) for value in column]


def _number_column(column: Any, name: str) -> tuple[list[float], list[CatalogError]]:
    values = np.ma.asarray(column)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        held = "text" if values.dtype.kind in "US" else "other things"
        return [], [CatalogError(f"column {name} holds {held}: one number in each row is needed")]
    mistakes = []
    for row, (value, masked) in enumerate(
        zip(values.data.tolist(), np.ma.getmaskarray(values).tolist(), strict=True), start=1
    ):
        if masked:
            mistakes.append(CatalogError(f"row {row}, column {name} is empty"))
        elif not math.isfinite(value):
            mistakes.append(CatalogError(f"row {row}, column {name} is {value}: no finite number"))
    return [float(value) for value in values.data.tolist()], mistakes


def _bad_names(names: list[str]) -> Iterator[str]:
    spelled: dict[str, str] = {}
    for row, name in enumerate(names, start=1):
        if not _NAME.fullmatch(name):
            yield (
                f"row {row}, column pattern: a pattern cannot be called {name[:60]!r}: "
                "letters, digits and . _ + - are allowed, at most 100 of them"
            )
        elif spelled.setdefault(name.casefold(), name) != name:
            yield (
                f"row {row}, column pattern: {name} and {spelled[name.casefold()]} are one name, "
                "since case does not matter: spell it in one way, or rename one"
            )


def _in_order(name: str, rows: list[int], numbers: list[float] | None) -> list[int]:
    """Return the rows of one pattern in the order of its points."""
    if numbers is None:
        if rows != list(range(rows[0], rows[0] + len(rows))):
            raise CatalogError(
                f"the rows of pattern {name} do not stand together (rows {rows[0] + 1} and "
                f"{rows[-1] + 1}): is it there twice? A column `point` says the order"
            )
        return rows
    ordered = sorted(rows, key=lambda row: numbers[row])
    first = numbers[ordered[0]]
    for expected, row in enumerate(ordered):
        if first not in (0.0, 1.0) or numbers[row] != first + expected:
            raise CatalogError(
                f"row {row + 1}, column point: the points of pattern {name} are not numbered "
                f"1 to {len(rows)}, each once: found {numbers[row]:g}"
            )
    return ordered
