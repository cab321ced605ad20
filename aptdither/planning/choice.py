"""Which pattern a set of exposures gets: one from the catalogue, or one that is designed for it.

The rule for candidates is the optimizer's (:mod:`aptdither.dither.optimizer.optimize`): efficiency at the
worst place of the region, then packing distance, then span. ``method=auto`` takes a catalogue
pattern that lies within `AUTO_MARGIN` of what any pattern could have, without a search, or within
`AUTO_MARGIN` of what a search finds; else the search's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import offset_clusters
from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.optimize import (
    EQUAL_EFFICIENCY,
    EQUAL_PACKING,
    WIDE_TOLERANCE,
    OptimizeResult,
    TradeoffPoint,
    bluest,
    optimize,
    possible_efficiency,
    tradeoff,
    widest_spacing,
)
from aptdither.dither.pattern import Pattern
from aptdither.dither.phases import min_separation, span
from aptdither.dither.views import View
from aptdither.errors import RefusalError
from aptdither.optics.aperture import Aperture
from aptdither.optics.filters import SpectralElement
from aptdither.types import (
    TIGHT,
    WIDE,
    LengthUnit,
    Progress,
    Region,
    RegionKind,
    Spacing,
    SpacingKind,
)
from aptdither.version import __version__

#: Worst-case efficiency that a catalogue pattern may lack to be taken all the same: a pattern that
#: others know and have used is worth more than a difference that no observation can show. Steps
#: that repeat to 5 mas cost more (see :mod:`aptdither.dither.optimizer.optimize`).
AUTO_MARGIN = 0.005

#: Spacing that a catalogue pattern may lack, pixels, to be taken for ``spacing=wide``.
AUTO_SPACING_MARGIN_PIX = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternChoice:
    """A pattern and why it was taken.

    Attributes
    ----------
    name : str
        Its name in the catalogue, or ``optimized-N``.
    method : str
        ``catalog`` or ``optimize``: where it comes from.
    source : str
        Who says so.
    why : str
        One sentence.
    offsets_arcsec : tuple of (float, float)
        POS TARG offsets from the base, three decimals, in the order of the exposures.
    """

    name: str
    method: str
    source: str
    why: str
    offsets_arcsec: tuple[tuple[float, float], ...]

    @property
    def offsets(self) -> NDArray[np.float64]:
        """The offsets as an array (N, 2), arcsec."""
        return np.array(self.offsets_arcsec, dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A catalogue pattern, measured."""

    pattern: Pattern
    postargs: NDArray[np.float64]
    efficiency: float
    packing_of_limit: float
    separation_pix: float
    span_pix: float


def spacing_of(asked: Spacing | None, size: Region) -> Spacing:
    """Return the spacing: as asked, or tight for the whole readout and wide for a target."""
    return asked or (TIGHT if size.kind is RegionKind.FULL else WIDE)


def spacing_pix(spacing: Spacing, aperture: Aperture) -> float:
    """Return the least distance of two points, pixels; for ``wide`` that of ``tight``."""
    if spacing.distance is None:
        return aperture.detector.tight_spacing_pix
    if spacing.unit is LengthUnit.PIX:
        return spacing.distance
    x_scale, y_scale = aperture.scale_at(aperture.x_ref_pix, aperture.y_ref_pix)
    return float(spacing.distance / np.sqrt(x_scale * y_scale))


def design(
    n: int,
    aperture: Aperture,
    element: SpectralElement,
    size: Region,
    spacing: Spacing,
    *,
    base: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    progress: Progress | None = None,
) -> PatternChoice:
    """Design a pattern, whatever the catalogue has.

    Parameters
    ----------
    n : int
        Number of points.
    aperture, element, size, spacing, base, seed, progress
        As for :func:`choose_pattern`.

    Raises
    ------
    UsageError
        If `n` or the spacing cannot be.
    """
    result, found = _search(
        n, aperture, element, size, spacing, base=base, seed=seed, progress=progress
    )
    return _from_search(result, found, seed)


def tradeoff_of(
    n: int,
    aperture: Aperture,
    element: SpectralElement,
    size: Region,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[TradeoffPoint, ...]:
    """Return what each spacing costs, the tightest first; parameters as for :func:`design`."""
    return tradeoff(n, View(aperture, element, size), seed=seed, progress=progress)


def as_pattern(choice: PatternChoice, name: str) -> Pattern:
    """Return a choice pattern as an entry for a catalogue.

    Raises
    ------
    CatalogError
        If the name cannot be that of a pattern.
    """
    return Pattern(
        name=name,
        points=choice.offsets_arcsec,
        frame="postarg",
        designed_for=choice.why,
        source=choice.source,
        version=__version__,
        meaning="POS TARG offsets from the first point, arcsec",
    )


def choice_from_catalog(pattern: Pattern, aperture: Aperture, why: str) -> PatternChoice:
    """Return a catalogue pattern as what was choice, for one aperture."""
    return PatternChoice(
        name=pattern.name,
        method="catalog",
        source=pattern.source,
        why=why,
        offsets_arcsec=_tuples(pattern.postargs(aperture)),
    )


def choose_pattern(
    sizes: Sequence[int],
    *,
    request: DitherRequest,
    size: Region,
    aperture: Aperture,
    elements: Sequence[SpectralElement],
    base: tuple[float, float],
    catalog: Catalog,
    seed: int,
    progress: Progress | None = None,
) -> PatternChoice:
    """Choose the pattern of each cluster and put the clusters together.

    Parameters
    ----------
    sizes : sequence of int
        Number of points of each cluster.
    request : DitherRequest
        Pattern, method and spacing that are asked for.
    size : Region
        The region.
    aperture : Aperture
        Where the offsets are converted.
    elements : sequence of SpectralElement
        The exposures' elements; the bluest decides.
    base : (float, float)
        POS TARG that the offsets are added to, arcsec: where the target lands.
    catalog : Catalog
        The patterns to choose from.
    seed : int
        For the search.
    progress : callable, optional
        Called while searching.

    Raises
    ------
    CatalogError
        If the pattern that is asked for is not in the catalogue.
    RefusalError
        If ``method=catalog`` finds none that keeps the spacing, or the clusters leave the field in
        which the guide stars are kept.
    """
    chooser = _Chooser(request, size, aperture, elements, base, catalog, seed, progress)
    choice = {n: chooser.one(n) for n in dict.fromkeys(sizes)}
    if len(sizes) == 1:
        return choice[sizes[0]]
    names = list(dict.fromkeys(choice[n].name for n in sizes))
    offsets = offset_clusters([choice[n].offsets for n in sizes], aperture, base=base)
    return PatternChoice(
        name="+".join(names),
        method=choice[sizes[0]].method,
        source=choice[sizes[0]].source,
        why=f"{len(sizes)} clusters of {' and '.join(str(n) for n in dict.fromkeys(sizes))} points,"
        f" stepped apart so that a blob hides one cluster at most; {choice[sizes[0]].why}",
        offsets_arcsec=_tuples(offsets),
    )


def choice_as_given(offsets_arcsec: Iterable[tuple[float, float]]) -> PatternChoice:
    """Return POS TARGs that somebody gave as what was choice."""
    return PatternChoice(
        name="postargs",
        method="given",
        source="the command line",
        why="they were given",
        offsets_arcsec=_tuples(offsets_arcsec),
    )


class _Chooser:
    """Chooses one pattern of `n` points."""

    def __init__(
        self,
        request: DitherRequest,
        size: Region,
        aperture: Aperture,
        elements: Sequence[SpectralElement],
        base: tuple[float, float],
        catalog: Catalog,
        seed: int,
        progress: Progress | None,
    ) -> None:
        self.request = request
        self.region = size
        self.spacing = spacing_of(request.spacing, size)
        self.aperture = aperture
        self.least_pix = spacing_pix(self.spacing, aperture)
        self.widest_pix = aperture.detector.widest_spacing_pix
        self.element = bluest(elements)
        self.view = View(aperture, self.element, size)
        self.base = base
        self.catalog = catalog
        self.seed = seed
        self.progress = progress

    def one(self, n: int) -> PatternChoice:
        """Return the pattern for one cluster of `n` points."""
        if self.request.pattern is not None:
            pattern = self.catalog.get(self.request.pattern)
            return choice_from_catalog(pattern, self.aperture, "it was asked for")
        if n == 1:
            return PatternChoice(
                name="single",
                method="catalog",
                source="one point",
                why="one exposure has one place",
                offsets_arcsec=((0.0, 0.0),),
            )
        method = self.request.method or "auto"
        candidate = None if method == "optimize" else self._best_candidate(n)
        if method == "catalog":
            if candidate is None:
                raise RefusalError(
                    f"no catalogue pattern of {n} points keeps its points {_words(self.spacing, self.aperture)} "
                    "apart; ask for a smaller spacing, or for method=optimize"
                )
            return self._take(candidate, "it is the catalogue's best for this region")
        if candidate is not None and self._cannot_be_beaten(candidate):
            bound = self._bound(n)
            return self._take(
                candidate,
                f"its worst-place efficiency {candidate.efficiency:.3f} is within {AUTO_MARGIN:g} "
                f"of {bound:.3f}, the most that {n} exposures reach anywhere",
            )
        result, found = _search(
            n,
            self.aperture,
            self.element,
            self.region,
            self.spacing,
            base=self.base,
            seed=self.seed,
            progress=self.progress,
        )
        if candidate is not None and self._is_near(candidate, result):
            return self._take(
                candidate,
                f"its worst-place efficiency {candidate.efficiency:.3f} is within {AUTO_MARGIN:g} "
                f"of the {result.efficiency_worst:.3f} that a search finds",
            )
        if candidate is not None:
            found += (
                f"; {candidate.pattern.name} has {candidate.efficiency:.3f} "
                f"with points {candidate.separation_pix:.1f} pixels apart"
            )
        return _from_search(result, found, self.seed)

    # Candidates of the catalogue ----------------------------------------------------------------

    def _best_candidate(self, n: int) -> _Candidate | None:
        candidates = [
            candidate
            for candidate in map(self._measured, self.catalog.of_size(n))
            # Three decimals of arcsec are 0.004 pixel: a spacing is kept to that.
            if candidate.separation_pix >= self.least_pix - 0.01
        ]
        if not candidates:
            return None
        best = max(candidate.efficiency for candidate in candidates)
        if self.spacing.kind is SpacingKind.WIDE:
            good = [c for c in candidates if c.efficiency >= best - WIDE_TOLERANCE]
            return max(good, key=lambda c: min(c.separation_pix, self.widest_pix))
        good = [c for c in candidates if c.efficiency >= best - EQUAL_EFFICIENCY]
        packing = max(candidate.packing_of_limit for candidate in good)
        good = [c for c in good if c.packing_of_limit >= packing - EQUAL_PACKING]
        return min(good, key=lambda candidate: candidate.span_pix)

    def _measured(self, pattern: Pattern) -> _Candidate:
        postargs = pattern.postargs(self.aperture)
        worst = evaluate(postargs, self.view, base=self.base).worst
        pixels = pattern.offsets_pix(self.aperture)
        return _Candidate(
            pattern=pattern,
            postargs=postargs,
            efficiency=worst.efficiency,
            packing_of_limit=worst.packing_of_limit,
            separation_pix=min_separation(pixels),
            span_pix=span(pixels),
        )

    def _bound(self, n: int) -> float:
        return possible_efficiency(n, self.view, base=self.base)

    def _cannot_be_beaten(self, candidate: _Candidate) -> bool:
        """Tell whether no search could find what is better by more than the margin."""
        if (
            self.spacing.kind is SpacingKind.WIDE
            and candidate.separation_pix < self.widest_pix - AUTO_SPACING_MARGIN_PIX
        ):
            return False
        return candidate.efficiency >= self._bound(candidate.pattern.n) - AUTO_MARGIN

    def _is_near(self, candidate: _Candidate, result: OptimizeResult) -> bool:
        """Tell whether a catalogue pattern is as good as what a search found, but for the margin."""
        if (
            self.spacing.kind is SpacingKind.WIDE
            and candidate.separation_pix < result.separation_pix - AUTO_SPACING_MARGIN_PIX
        ):
            return False
        return candidate.efficiency >= result.efficiency_worst - AUTO_MARGIN

    def _take(self, candidate: _Candidate, why: str) -> PatternChoice:
        return choice_from_catalog(candidate.pattern, self.aperture, why)


def _search(
    n: int,
    aperture: Aperture,
    element: SpectralElement,
    region: Region,
    spacing: Spacing,
    *,
    base: tuple[float, float],
    seed: int,
    progress: Progress | None,
) -> tuple[OptimizeResult, str]:
    """Return what a search finds, and a few words about it."""
    view = View(aperture, element, region)
    if spacing.kind is SpacingKind.WIDE:
        widest = widest_spacing(n, view, seed=seed, base=base, progress=progress)
        result = widest.result
        return result, (
            f"designed for this region: points {result.separation_pix:.1f} pixels apart, the "
            f"widest that cost at most {WIDE_TOLERANCE:g} of efficiency against the tightest"
        )
    least = spacing_pix(spacing, aperture)
    result = optimize(n, view, least, seed=seed, base=base, progress=progress)
    return result, (
        f"designed for this region: worst-place efficiency {result.efficiency_worst:.3f} with "
        f"points at least {_words(spacing, aperture)} apart"
    )


def _from_search(result: OptimizeResult, why: str, seed: int) -> PatternChoice:
    return PatternChoice(
        name=f"optimized-{result.n}",
        method="optimize",
        source=f"aptdither {__version__}, seed {seed}: {result.sentence()}",
        why=why,
        offsets_arcsec=result.postargs,
    )


def _words(spacing: Spacing, aperture: Aperture) -> str:
    return f"{spacing_pix(spacing, aperture):.3g} pixels"


def _tuples(offsets: Iterable[Iterable[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in offsets)
