"""How to review: the options of the command line, and what rules look up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aptdither.dither.catalog import Catalog
from aptdither.findings import Selection
from aptdither.planning.evaluation import Evaluator
from aptdither.review.reference import CatalogReference
from aptdither.types import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """How to review.

    Attributes
    ----------
    size : Region or None
        The region, for sets whose tag does not give one; None for the full aperture.
    snr : float or None
        Signal to noise of one exposure, for sets whose tag does not give it; None for 10.
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
    snr: float | None = None
    selection: Selection = field(default_factory=Selection)
    catalog: Path | None = None
    distortion: Path | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewContext:
    """What rules look up beyond the visit or the group that they look at.

    Attributes
    ----------
    visit_numbers : Counter of str
        How many visits of the proposal have each number.
    catalog : Catalog
        The patterns.
    evaluator : Evaluator
        What evaluates sets.
    reference : CatalogReference
        What the catalog has for as many exposures.
    """

    visit_numbers: Counter[str]
    catalog: Catalog
    evaluator: Evaluator
    reference: CatalogReference
