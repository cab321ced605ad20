"""What the catalog has for as many exposures: what a dither is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from aptdither.apt.tags import DitherRequest, Method
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import split_counts
from aptdither.dither.coverage import Coverage
from aptdither.dither.phases import span
from aptdither.errors import AptDitherError
from aptdither.planning.choice import PatternChoice, PatternChooser
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.types import TIGHT, WIDE, Spacing

#: Above this number of points no catalog pattern is compared: the pixel is fully sampled.
MAX_COMPARED_POINTS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePattern:
    """The best pattern of the catalog for as many points over the same region.

    Attributes
    ----------
    choice : PatternChoice
        The pattern.
    coverage : Coverage
        Its coverage of the same region, for the same element.
    span_pix : float
        Largest distance of two of its points, pixels.
    """

    choice: PatternChoice
    coverage: Coverage
    span_pix: float


class CatalogReference:
    """Finds the best pattern of the catalog for a group; each question is answered once.

    Parameters
    ----------
    catalog : Catalog
        The patterns.
    evaluator : Evaluator
        What evaluates them.
    """

    def __init__(self, catalog: Catalog, evaluator: Evaluator) -> None:
        self.catalog = catalog
        self.evaluator = evaluator
        self._patterns: dict[object, ReferencePattern | None] = {}

    def tight(self, group: DitherGroup, n: int | None = None) -> ReferencePattern | None:
        """Return the best pattern of `n` points (the group's own number); None if there is none."""
        return self._best(group, n or group.n, TIGHT)

    def wide(self, group: DitherGroup) -> ReferencePattern | None:
        """Return the widest good pattern of as many points; None if there is none."""
        return self._best(group, group.n, WIDE)

    def _best(self, group: DitherGroup, n: int, spacing: Spacing) -> ReferencePattern | None:
        key = (n, group.evaluation.view, spacing)
        if key not in self._patterns:
            self._patterns[key] = self._find(group, n, spacing)
        return self._patterns[key]

    def _find(self, group: DitherGroup, n: int, spacing: Spacing) -> ReferencePattern | None:
        if not 2 <= n <= MAX_COMPARED_POINTS:
            return None
        chooser = PatternChooser(
            views=(group.evaluation.view,),
            spacing=spacing,
            catalog=self.catalog,
        )
        try:
            choice = chooser.choose(split_counts(n), DitherRequest(method=Method.CATALOG))
        except AptDitherError:  # the catalog has nothing of that size
            return None
        reference = self.evaluator.evaluation(choice.offsets, group.evaluation.view)
        return ReferencePattern(
            choice=choice, coverage=reference.coverage, span_pix=span(reference.pixels)
        )
