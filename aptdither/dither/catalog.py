"""The catalog of patterns: the built-in one, and an observer's own patterns after it.

The built-in catalog is two data files: ``patterns-known.json`` holds what others designed or
observed, each with its source; ``patterns-designed.json`` holds this project's own, for each
detector and for two at once, and is written by ``tests/tools/build_catalog.py``. An observer's own file
is ECSV, see :mod:`aptdither.dither.catalog_ecsv`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path

from aptdither.dither.pattern import TEXT_FIELDS, Pattern
from aptdither.errors import CatalogError, Location, raise_all

KNOWN_FILE = "patterns-known.json"
DESIGNED_FILE = "patterns-designed.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Patterns by name, in the order they are listed; no two names are equal without regard to case."""

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

    def of_config(self, config: str, parallel: str = "") -> tuple[Pattern, ...]:
        """Return the patterns for a detector, or for a prime and its parallel, as APT writes them.

        Patterns for any detector belong to every one, and those for a prime alone also to it with a parallel.
        """
        return tuple(
            pattern
            for pattern in self.patterns
            if pattern.config in ("", config) and pattern.parallel in ("", parallel)
        )

    def of_size(self, n: int, config: str, parallel: str = "") -> tuple[Pattern, ...]:
        """Return the patterns of `n` points that :meth:`of_config` returns."""
        return tuple(pattern for pattern in self.of_config(config, parallel) if pattern.n == n)

    def get(self, name: str) -> Pattern:
        """Return the pattern of that name; an error (CatalogError) names those that look like it."""
        pattern = self._by_name.get(name.casefold())
        if pattern is not None:
            return pattern
        asked = name.casefold()
        keys = [key for key in self._by_name if key.endswith(f"-{asked}")]  # BOX-MIN
        near = [self._by_name[key].name for key in keys or get_close_matches(asked, self._by_name)]
        hint = (
            f"did you mean {' or '.join(near[:4])}?" if near else "`aptdither patterns` lists them"
        )
        raise CatalogError(f"there is no pattern {name!r} in the catalog; {hint}")


def load_catalog(user_file: str | PathLike[str] | None = None) -> Catalog:
    """Return the built-in catalog, with an observer's own patterns after it.

    Parameters
    ----------
    user_file : path, optional
        An ECSV file, see :mod:`aptdither.dither.catalog_ecsv`.

    Raises
    ------
    CatalogError
        If the file cannot be used, or has a pattern of a built-in's name.

    Examples
    --------
    >>> catalog = load_catalog()
    >>> catalog.get("WFC3-IR-DITHER-LINE").points
    ((0.0, 0.0), (0.474, 0.424))
    >>> [pattern.name for pattern in catalog.of_size(9, "WFC3/IR")]
    ['tight-9', 'wide-9']
    """
    built_in = _built_in()
    if user_file is None:
        return built_in
    from aptdither.dither.catalog_ecsv import read_ecsv_file

    path = Path(user_file)
    own = read_ecsv_file(path)
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
    data = files("aptdither").joinpath("data")
    texts = (data.joinpath(name).read_text("utf-8") for name in (KNOWN_FILE, DESIGNED_FILE))
    return Catalog(
        patterns=tuple(pattern for text in texts for pattern in patterns_from_json(text))
    )


def patterns_from_json(text: str) -> tuple[Pattern, ...]:
    """Return the patterns of a data file in the form of ``schemas/patterns.schema.json``."""
    return tuple(
        Pattern(
            name=entry["name"],
            points=tuple((float(x), float(y)) for x, y in entry["points"]),
            frame=entry["frame"],
            **{key: entry.get(key, "") for key in TEXT_FIELDS},
        )
        for entry in json.loads(text)["patterns"]
    )
