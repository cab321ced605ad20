"""An observer's own patterns: an ECSV table.

Columns ``pattern`` (name), ``x`` and ``y`` (both in pix, or both in arcsec) and, if wanted,
``point`` (1, 2, ... or 0, 1, ...: the order within a pattern; without it the order of the rows) and
``source``. The texts of a :class:`~aptdither.dither.pattern.Pattern` may stand in the file's ``meta``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from aptdither.dither.pattern import NAME_PATTERN, TEXT_FIELDS, OffsetFrame, Pattern
from aptdither.errors import AptDitherError, CatalogError, Location, raise_all
from aptdither.optics.detector import supported_configs
from aptdither.optics.ecsv import parse_ecsv, read_ecsv_bytes

#: Patterns of a file at most: each of a wanted size is evaluated, some in a tenth of a second.
MAX_PATTERNS = 500
#: After so many mistakes in one file the rest is likely the same one.
MAX_REPORTED = 20

_UNITS: dict[str, OffsetFrame] = {"pix": "pix", "pixel": "pix", "arcsec": "postarg"}


def write_ecsv(pattern: Pattern, file: IO[str]) -> None:
    """Write one pattern as ECSV that :func:`read_ecsv` and astropy read back, every digit of it."""
    from astropy.table import Table

    points = np.array(pattern.points, dtype=float)
    table = Table(
        {
            "pattern": [pattern.name] * pattern.n,
            "point": np.arange(1, pattern.n + 1),
            "x": points[:, 0],
            "y": points[:, 1],
        },
        meta={key: getattr(pattern, key) for key in TEXT_FIELDS if getattr(pattern, key)},
    )
    table["x"].unit = table["y"].unit = "pix" if pattern.frame == "pix" else "arcsec"
    table.write(file, format="ascii.ecsv")


def read_ecsv_file(path: Path) -> tuple[Pattern, ...]:
    """Read an observer's own patterns from a file; see :func:`read_ecsv`."""
    try:
        source = read_ecsv_bytes(path)
    except ValueError as error:
        location = Location(path=str(path))
        raise CatalogError(f"the catalog file {error}", location=location) from error
    return read_ecsv(source, path=str(path))


def read_ecsv(source: bytes, *, path: str = "") -> tuple[Pattern, ...]:
    """Read an observer's own patterns, in the order of their first rows.

    Errors (CatalogError) name row and column, rows counted from 1 below the line of column names; several
    mistakes are listed together.
    """
    try:
        try:
            table = parse_ecsv(source)
        except ValueError as error:
            hint = "`aptdither optimize -o pattern.ecsv` writes an example"
            raise CatalogError(f"the catalog file {error}; {hint}") from error
        return _patterns_of({name: table[name] for name in table.colnames}, dict(table.meta))
    except AptDitherError as error:
        raise error.located(Location(path=path or None)) from None


def _patterns_of(table: dict[str, Any], meta: dict[str, Any]) -> tuple[Pattern, ...]:
    raise_all(
        CatalogError(f"column {name} is missing; a catalog has pattern, x, y and, if wanted, point")
        for name in ("pattern", "x", "y")
        if name not in table
    )
    frame = _frame(table)
    rows = len(table["pattern"])
    if not rows:
        raise CatalogError("the catalog file has no rows")
    names, points = _text_column(table["pattern"], "pattern"), {}
    mistakes = [CatalogError(message) for message in _bad_names(names)]
    for column in ("x", "y"):
        points[column], more = _number_column(table[column], column)
        mistakes += more
    numbers = None
    if "point" in table or "order" in table:
        key = "point" if "point" in table else "order"
        numbers, more = _number_column(table[key], key)
        mistakes += more
    raise_all(mistakes[:MAX_REPORTED])
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    if len(members) > MAX_PATTERNS:
        raise CatalogError(
            f"the catalog file has {len(members)} patterns; at most {MAX_PATTERNS} are read"
        )
    sources = _text_column(table["source"], "source") if "source" in table else None
    texts = {key: str(meta[key]) for key in TEXT_FIELDS if isinstance(meta.get(key), str)}
    for key in ("config", "parallel"):
        if texts.get(key, "") not in ("", *supported_configs()):
            raise CatalogError(
                f"{key} {texts[key][:60]!r} in the file's meta is not supported; allowed: "
                f"{', '.join(supported_configs())}"
            )
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
                    **{"source": "a catalog file of the observer's own", **texts, **own},
                )
            )
        except CatalogError as error:
            mistakes.append(error)
    raise_all(mistakes[:MAX_REPORTED])
    return tuple(result)


def _frame(table: dict[str, Any]) -> OffsetFrame:
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
        content = "text" if values.dtype.kind in "US" else "other things"
        return [], [
            CatalogError(f"column {name} holds {content}: one number in each row is needed")
        ]
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
        if not NAME_PATTERN.fullmatch(name):
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
