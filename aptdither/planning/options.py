"""What a run is given beside the tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOptions:
    """What an observer allows beyond the careful default.

    Attributes
    ----------
    replace : bool
        Start all exposures of a set from the first one's POS TARG.
    replace_patterns : bool
        Dither in place of an APT pattern.
    split_iterations : bool
        Make iterations exposures of their own.
    all_visits : bool
        Dither completed visits too.
    rebase : bool
        Dither about the POS TARGs that the file has now, not those that receipts tell.
    parallels : bool
        Dither prime and parallel containers: no real file with one has been seen.
    """

    replace: bool = False
    replace_patterns: bool = False
    split_iterations: bool = False
    all_visits: bool = False
    rebase: bool = False
    parallels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is given beside the tags.

    Attributes
    ----------
    defaults : DitherRequest
        Values for tags that do not set them.
    sets : SetOptions
        What is allowed beyond the careful default.
    catalog : Catalog or None
        The patterns to choose from; None for the built-in catalog.
    distortion : pathlib.Path or None
        A distortion file (IDCTAB) in place of the SIAF's polynomials.
    seed : int
        Where all randomness comes from.
    """

    defaults: DitherRequest = field(default_factory=DitherRequest)
    sets: SetOptions = field(default_factory=SetOptions)
    catalog: Catalog | None = None
    distortion: Path | None = None
    seed: int = 0
