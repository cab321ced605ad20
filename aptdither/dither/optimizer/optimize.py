"""Design a dither pattern for an aperture, a spectral element, a region and a spacing.

The rule
--------
Of two patterns that keep the spacing, the one with the better de-aliasing efficiency at the worst
place of the region wins; efficiencies within `EQUAL_EFFICIENCY` (of two detectors at once,
`JOINT_TOLERANCE`) count as equal, and then the packing distance at its worst place (the margin for
pointing errors) decides; distances within `EQUAL_PACKING` of the limit count as equal, and then the
span. Of several views the worst place of all decides. What is returned is never worse by this rule than a pattern of the catalog.

Why not one objective
---------------------
The expected worst-case `E` when every step errs by 5 mas in each axis (32 antithetic draws) looks
like one number that holds both. It does not hold the packing distance: with 8 points of aperture IR
in F125W it leads to 0.03 of the limit, where this rule has 0.82 and the same expectation to 0.003.
Two of eight may fall on one phase, since seven and a few aliases are enough.

Designs are made at a signal to noise of 10 per exposure. Judged at 100 they lack 0.003 of worst `E`
at most (0.006 with four points) to what is designed there, with the same packing distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, log2
from typing import TypedDict, Unpack

import numpy as np

from aptdither.dither.bounds import possible_efficiency
from aptdither.dither.catalog import load_catalog
from aptdither.dither.coverage import Coverage, evaluate
from aptdither.dither.optimizer.problem import (
    EQUAL_EFFICIENCY,
    EQUAL_PACKING,
    Budget,
    DesignProblem,
    Finished,
    Wanted,
    decisive,
    equal_efficiency,
)
from aptdither.dither.optimizer.strategy import NORMAL, QUICK, Effort, candidate_phases, search
from aptdither.dither.pattern import Pattern, rounded
from aptdither.dither.phases import packing_limit, slew_seconds
from aptdither.dither.views import Views
from aptdither.errors import UsageError
from aptdither.types import Progress

__all__ = [
    "EQUAL_EFFICIENCY",
    "EQUAL_PACKING",
    "MAX_POINTS",
    "WIDE_TOLERANCE",
    "OptimizeResult",
    "equal_efficiency",
    "optimize",
    "possible_efficiency",
    "tradeoff",
    "widest_spacing",
]

MAX_POINTS = 16
"""Most points that are designed as one pattern. Beyond 9 the scene is fully sampled (ISR WFC3
2016-14, section 7) and more exposures are better spent on clusters."""

WIDE_TOLERANCE = 0.01
"""Worst-case `E` that a wide spacing may cost against the tightest. It is no more than what steps
that repeat to 5 mas cost in any case (0.012 with 9 exposures, 0.03 with 4)."""

MIN_PACKING_OF_LIMIT = 0.5
"""Packing distance over its limit that a wide pattern keeps everywhere: with seven exposures and
more two may fall on one phase at little cost in `E`, and then one of them is spent for nothing."""

TRADEOFF_SPACINGS_PIX = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0)

_SPACING_STEP_PIX = 0.25

_WIDE_DRIFTS_PIX = (0.7, 2.0)
"""Change of a phase over the field that patterns with the widest spacing have, about, and one that
none has: where a search for that spacing begins, and where it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeResult:
    """A designed pattern, and how it was found.

    Attributes
    ----------
    postargs : tuple of (float, float)
        From the first point, (0, 0), arcsec with three decimals; ordered for the shortest path.
    coverage : Coverage
        Over the views that can have the worst place: of several spectral elements the bluest.
    best_efficiency : float
        Best worst-case `E` that was found, at the detector's tight spacing where the widest was
        asked for; `loss` of it was given for packing distance or spacing.
    possible_efficiency : float
        Bound: the best `E` that any phases reach at the region's most undersampled place alone.
    asked_spacing_pix, separation_pix, span_pix : float
        Spacing that was asked for, smallest and largest distance of two points.
    """

    postargs: tuple[tuple[float, float], ...]
    coverage: Coverage = field(compare=False)
    best_efficiency: float
    possible_efficiency: float
    asked_spacing_pix: float
    separation_pix: float
    span_pix: float
    seed: int

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.postargs)

    @property
    def efficiency_worst(self) -> float:
        """`E` at the worst place."""
        return self.coverage.worst.efficiency

    @property
    def loss(self) -> float:
        """What `E` at the worst place lacks to the best."""
        return self.best_efficiency - self.efficiency_worst

    @property
    def slew_seconds(self) -> float:
        """Overhead of the moves between the points."""
        return slew_seconds(self.postargs)

    def sentence(self) -> str:
        """Say in one sentence how far from the limit the result is."""
        return (
            f"worst-case efficiency {self.efficiency_worst:.3f}, "
            f"{self.possible_efficiency - self.efficiency_worst:.3f} below what any {self.n} exposures "
            f"reach at one place; packing {self.coverage.worst.packing_of_limit:.0%} of the limit"
        )


def optimize(
    n: int,
    views: Views,
    spacing_pix: float | None = None,
    *,
    seed: int = 0,
    base: tuple[float, float] = (0.0, 0.0),
    effort: Effort = NORMAL,
    equal: float | None = None,
    known: Iterable[Pattern] | None = None,
    progress: Progress | None = None,
) -> OptimizeResult:
    """Return the best pattern that a bounded search finds.

    Parameters
    ----------
    n : int
        Number of points, 1 to `MAX_POINTS`.
    views : View or sequence of View
        What sees the dither, the prime first: the worst place of all views counts.
    spacing_pix : float, optional
        Smallest distance between two points, pixels at the reference point of the first view's
        aperture. The detector's tight spacing when left out.
    seed : int
        The same seed gives the same pattern.
    base : (float, float)
        POS TARG that the pattern is added to, arcsec.
    effort : Effort
        How much is tried.
    equal : float, optional
        Differences of worst-case `E` that count as equal; those of the rule when left out.
    known : iterable of Pattern, optional
        Patterns of `n` points that the result must not be worse than; the catalog's when left out.
    progress : callable, optional
        Called with the fraction done and what is being done.

    Raises
    ------
    UsageError
        If `n` or the spacing cannot be.

    Examples
    --------
    >>> from aptdither import Region, get_aperture, get_element
    >>> from aptdither.dither.views import View
    >>> view = View(get_aperture("IR"), get_element("F160W", "WFC3/IR"), Region.point())
    >>> optimize(1, view).postargs
    ((0.0, 0.0),)
    """
    designs = _Designs(n, views, 1, effort, seed=seed, base=base, known=known, progress=progress)
    if spacing_pix is None:
        spacing_pix = designs.site.detector.tight_spacing_pix
    wanted = Wanted(spacing_pix, designs.equal if equal is None else equal)
    return designs.result(*designs.at(wanted), spacing_pix)


class _Options(TypedDict, total=False):
    """Options of every search, as :func:`optimize` has them."""

    seed: int
    base: tuple[float, float]
    known: Iterable[Pattern] | None
    progress: Progress | None


def widest_spacing(
    n: int, views: Views, *, effort: Effort = QUICK, **options: Unpack[_Options]
) -> OptimizeResult:
    """Find the largest spacing that costs no more than `WIDE_TOLERANCE` of the worst-case `E`.

    The loss is against the detector's tight spacing; the packing distance stays above
    `MIN_PACKING_OF_LIMIT` of its limit everywhere, where that is possible. Spacings go up to the
    detector's widest in steps of 0.25 px. This is the trade between artifacts and sampling (ISR
    WFC3 2016-14, sections 5 and 6) as one number.
    """
    designs = _Designs(n, views, 8, effort, **options)
    detector = designs.site.detector
    tight, widest = detector.tight_spacing_pix, detector.widest_spacing_pix
    best, tightest = designs.at(Wanted(tight, designs.equal), left=7)
    least, least_packing = tightest - WIDE_TOLERANCE, MIN_PACKING_OF_LIMIT * packing_limit(n)

    def found(spacing_pix: float, left: int, equal: float = WIDE_TOLERANCE) -> Finished | None:
        wanted = Wanted(spacing_pix, equal, least, least_packing)
        one, _ = designs.at(wanted, left=left)
        is_good = one.separation_pix >= spacing_pix and one.efficiency >= least
        return one if is_good and one.packing >= least_packing else None

    def steps_to(spacing_pix: float) -> int:
        return int((spacing_pix - tight) / _SPACING_STEP_PIX + 1e-9)

    top = steps_to(widest)
    likely, bad = (
        max(1, steps_to(designs.site.coherent_spacing_pix(drift))) for drift in _WIDE_DRIFTS_PIX
    )
    good, steps, bad = 0, min(likely, top), min(bad, top) + 1
    while bad - good > 1 and n > 1 and designs.site.budget.left:
        better = found(tight + steps * _SPACING_STEP_PIX, 1 + ceil(log2(bad - good)))
        if better is None:
            bad = steps
        else:
            # It may be wider than it was asked for.
            good, best = min(steps_to(better.separation_pix), top), better
        # A pattern that is wider than asked for is one at the tighter spacing too: quality falls.
        steps = (good + bad) // 2
    spacing = tight + good * _SPACING_STEP_PIX
    if good in (0, top) and n > 1:
        # At the tightest more may be given than counts as equal, and at the widest it need not be.
        best = found(spacing, 1, designs.equal if good else WIDE_TOLERANCE) or best
    return designs.result(best, tightest, spacing)


def tradeoff(
    n: int,
    views: Views,
    spacings_pix: Sequence[float] = TRADEOFF_SPACINGS_PIX,
    *,
    effort: Effort = QUICK,
    **options: Unpack[_Options],
) -> tuple[OptimizeResult, ...]:
    """Return the best pattern at each spacing, the tightest first.

    What is found at a wide spacing counts at the tighter ones too, so the best worst-case `E` does
    not rise with the spacing.
    """
    designs = _Designs(n, views, len(spacings_pix), effort, **options)
    results = [
        designs.result(*designs.at(Wanted(spacing, designs.equal), left=left), spacing)
        for left, spacing in reversed(list(enumerate(sorted(spacings_pix), 1)))
    ]
    return tuple(reversed(results))


class _Designs:
    """Searches of one problem at several spacings, each from what those before it found."""

    def __init__(
        self,
        n: int,
        views: Views,
        searches: int,
        effort: Effort,
        *,
        seed: int = 0,
        base: tuple[float, float] = (0.0, 0.0),
        known: Iterable[Pattern] | None = None,
        progress: Progress | None = None,
    ) -> None:
        if not 1 <= n <= MAX_POINTS:
            raise UsageError(
                f"a pattern of {n} points cannot be designed: 1 to {MAX_POINTS} are allowed; "
                f"spend more exposures on clusters of at most 9"
            )
        budget = Budget(limit=searches * effort.rounds * effort.work, progress=progress)
        self.site = DesignProblem(n=n, views=decisive(views), base=base, budget=budget)
        self.seed, self.effort = seed, effort
        self.equal = equal_efficiency(self.site.views)
        self._rng = np.random.default_rng(seed)
        self._sets = [candidate_phases(self.site, self._rng) for _ in range(effort.rounds)]
        aperture = self.site.views[0].aperture
        if known is None:
            configs = [view.aperture.config for view in self.site.views]
            parallel = next((config for config in configs if config != configs[0]), "")
            known = load_catalog().of_size(n, configs[0], parallel)
        postargs = [pattern.postargs(aperture) for pattern in known]
        self._known = [self.site.finished(rounded(points - points[0])) for points in postargs]
        budget.limit += budget.spent

    def at(self, wanted: Wanted, *, left: int = 1) -> tuple[Finished, float]:
        """Return the best pattern, and the best `E` of all that keep the spacing.

        The search takes a share of the budget, for so many searches that are left.
        """
        spacing_pix, budget = wanted.spacing_pix, self.site.budget
        if not 0.0 <= spacing_pix <= 100.0:
            raise UsageError(
                f"a spacing of {spacing_pix:g} pixels cannot be: it must lie between 0 and 100"
            )
        budget.doing = f"spacing {spacing_pix:g} pixels"
        for done, sets in enumerate(self._sets):
            work = budget.left / (left * len(self._sets) - done)
            self._known = search(
                self.site,
                wanted,
                sets,
                self._rng,
                effort=self.effort,
                known=self._known,
                work=work,
            )
        return wanted.best_of(self._known), wanted.keeping(self._known)[0].efficiency

    def result(
        self, chosen: Finished, best_efficiency: float, asked_spacing_pix: float
    ) -> OptimizeResult:
        """Return a pattern with its figures, as the evaluation of a plan gives them."""
        site = self.site
        coverage = evaluate(chosen.postargs, site.views, base=site.base)
        efficiency = coverage.worst.efficiency
        possible = possible_efficiency(site.n, site.views, base=site.base)
        if site.budget.progress:
            site.budget.progress(1.0, "done")
        return OptimizeResult(
            postargs=tuple((float(x), float(y)) for x, y in chosen.postargs),
            coverage=coverage,
            best_efficiency=max(best_efficiency, efficiency),
            possible_efficiency=max(possible, efficiency),
            asked_spacing_pix=asked_spacing_pix,
            separation_pix=chosen.separation_pix,
            span_pix=chosen.span_pix,
            seed=self.seed,
        )
