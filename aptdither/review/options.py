"""How to review: what the command line asks for, and what goes to every worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aptdither.findings import Selection
from aptdither.types import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """How to review.

    Attributes
    ----------
    size : Region or None
        The region, for sets whose tag does not say; None for the whole readout.
    selection : Selection
        Which codes are wanted.
    catalog : pathlib.Path or None
        Patterns of the user's own beside the built-in ones.
    distortion : pathlib.Path or None
        A distortion file in place of the SIAF's polynomials.
    seed : int
        For the pointing errors.
    """

    size: Region | None = None
    selection: Selection = field(default_factory=Selection)
    catalog: Path | None = None
    distortion: Path | None = None
    seed: int = 0
