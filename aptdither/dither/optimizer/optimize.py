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
The expected worst-case `E` when every step errs by 5 mas in each axis looks like one number that
holds both, and was tried (32 antithetic draws, climbed like `E` itself; aperture IR, full field,
F160W for N = 2, 3 and F125W beyond). It does not hold the packing distance. Columns: worst `E`,
worst packing distance over its limit, expected worst `E` with other draws.

=== =========================== =========================== ===========================
N   this module's rule          best `E` alone              best expected `E`
=== =========================== =========================== ===========================
2   0.973  0.91  0.952          0.975  0.89  0.951          0.974  0.90  0.952
5   0.992  0.87  0.969          0.994  0.77  0.968          0.993  0.74  0.968
7   0.996  0.76  0.977          0.998  0.47  0.981          0.997  0.43  0.981
8   0.998  0.82  0.982          1.000  0.03  0.985          0.999  0.03  0.985
9   0.998  0.81  0.984          1.000  0.57  0.987          0.999  0.41  0.986
=== =========================== =========================== ===========================

With 8 exposures two of them may fall on one phase and neither `E` nor its expectation minds, for
seven and a few aliases are enough; errors of 5 mas cost every pattern of that `N` nearly the same.
So the two are kept apart, in this order.

Why at a signal to noise of 10
------------------------------
The catalog is designed at 10 per exposure, and judged at 100 it lacks little to what is designed
there, which is no better at 10 (tight patterns of aperture IR; worst `E` at 100, and packing
distance over its limit). Two and three points recover no scene at 100, whatever their phases.

=== ==================== ====================
N   designed at 10       designed at 100
=== ==================== ====================
4   0.971  0.91          0.977  0.91
5   0.985  0.88          0.987  0.87
6   0.992  0.89          0.994  0.88
7   0.989  0.85          0.992  0.83
8   0.994  0.84          0.996  0.86
9   0.995  0.85          0.997  0.84
=== ==================== ====================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from aptdither.dither.bounds import possible_efficiency
from aptdither.dither.catalog import load_catalog
from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.results import OptimizeResult, TradeoffPoint, WidestResult
from aptdither.dither.optimizer.strategy import (
    EQUAL_EFFICIENCY,
    EQUAL_PACKING,
    NORMAL,
    QUICK,
    DesignProblem,
    Effort,
    Found,
    candidate_phases,
    decisive,
    equal_efficiency,
    search,
)
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
    "TradeoffPoint",
    "WidestResult",
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


def optimize(
    n: int,
    views: Views,
    spacing_pix: float | None = None,
    *,
    seed: int = 0,
    base: tuple[float, float] = (0.0, 0.0),
    effort: Effort = NORMAL,
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
    site = _problem(n, views, base)
    if spacing_pix is None:
        spacing_pix = site.detector.tight_spacing_pix
    _check_spacing(spacing_pix)
    searching = _Searches(site, seed, effort, known, progress)
    return searching.result(searching.at(spacing_pix), spacing_pix)


def widest_spacing(
    n: int,
    views: Views,
    *,
    seed: int = 0,
    base: tuple[float, float] = (0.0, 0.0),
    tolerance: float = WIDE_TOLERANCE,
    effort: Effort = QUICK,
    known: Iterable[Pattern] | None = None,
    progress: Progress | None = None,
) -> WidestResult:
    """Find the largest spacing whose loss of worst-case `E` stays under a tolerance.

    The loss is against the detector's tight spacing; the packing distance must stay above
    `MIN_PACKING_OF_LIMIT` of its limit everywhere, where that is possible. Spacings go up to the
    detector's widest in steps of 0.25 px. This is the trade between artifacts and sampling (ISR
    WFC3 2016-14, sections 5 and 6) as one number.

    Parameters
    ----------
    tolerance : float
        Worst-case `E` that may be lost.
    n, views, seed, base, effort, known, progress
        As for :func:`optimize`.
    """
    site = _problem(n, views, base)
    tight, widest = site.detector.tight_spacing_pix, site.detector.widest_spacing_pix
    searching = _Searches(site, seed, effort, known, progress, expected=8)
    tightest = searching.at(tight)
    least = tightest.best_efficiency - tolerance

    def is_good(found: Found) -> bool:
        return (
            found.chosen.separation_pix >= found.spacing_pix
            and found.chosen.efficiency >= least
            and found.chosen.packing >= MIN_PACKING_OF_LIMIT * packing_limit(n)
        )

    good, bad = 0, round((widest - tight) / _SPACING_STEP_PIX) + 1
    steps, spacing, best = bad - 1, tight, tightest
    while bad - good > 1 and n > 1:
        asked = tight + steps * _SPACING_STEP_PIX
        found = searching.at(asked, equal=tolerance, least_efficiency=least)
        if is_good(found):
            good, spacing, best = steps, asked, found
        else:
            bad = steps
        # A pattern that is wider than asked for is one at the tighter spacing too: quality falls.
        steps = (good + bad) // 2
    if spacing == widest:  # then no more of the tolerance is given than counts as equal
        frugal = searching.at(spacing, least_efficiency=least)
        best = frugal if is_good(frugal) else best
    return WidestResult(
        result=searching.result(best, spacing),
        tightest_efficiency=tightest.best_efficiency,
        tolerance=tolerance,
    )


def tradeoff(
    n: int,
    views: Views,
    spacings_pix: Sequence[float] = TRADEOFF_SPACINGS_PIX,
    *,
    seed: int = 0,
    base: tuple[float, float] = (0.0, 0.0),
    effort: Effort = QUICK,
    known: Iterable[Pattern] | None = None,
    progress: Progress | None = None,
) -> tuple[TradeoffPoint, ...]:
    """Return the best pattern at each spacing, the tightest first.

    What is found at a wide spacing counts at the tighter ones too, so the best worst-case `E` does
    not rise with the spacing.

    Parameters
    ----------
    spacings_pix : sequence of float
    n, views, seed, base, effort, known, progress
        As for :func:`optimize`.
    """
    site = _problem(n, views, base)
    for spacing in spacings_pix:
        _check_spacing(spacing)
    searching = _Searches(site, seed, effort, known, progress, expected=len(spacings_pix))
    points = [
        TradeoffPoint(spacing_pix=spacing, result=searching.result(searching.at(spacing), spacing))
        for spacing in sorted(spacings_pix, reverse=True)
    ]
    return tuple(reversed(points))


class _Searches:
    """Searches of one problem at several spacings, each from what those before it found."""

    def __init__(
        self,
        site: DesignProblem,
        seed: int,
        effort: Effort,
        known: Iterable[Pattern] | None,
        progress: Progress | None,
        *,
        expected: int = 1,
    ) -> None:
        self.site, self.seed, self.effort = site, seed, effort
        self._rng = np.random.default_rng(seed)
        self._progress = progress or (lambda fraction, doing: None)
        self._done, self._expected = 0, expected * effort.rounds
        self._progress(0.0, "phases")
        self._sets = [candidate_phases(site, self._rng) for _ in range(effort.rounds)]
        if known is None:
            configs = [view.aperture.config for view in site.views]
            parallel = next((config for config in configs if config != configs[0]), "")
            known = load_catalog().of_size(site.n, configs[0], parallel)
        aperture = site.views[0].aperture
        postargs = [pattern.postargs(aperture) for pattern in known]
        self._known = [site.finished(rounded(points - points[0])) for points in postargs]

    def at(
        self,
        spacing_pix: float,
        *,
        equal: float | None = None,
        least_efficiency: float = 0.0,
    ) -> Found:
        """Search at one spacing."""

        def report(fraction: float) -> None:
            done = min(1.0, (self._done + fraction) / self._expected)
            self._progress(done, f"spacing {spacing_pix:g} pixels")

        if equal is None:
            equal = equal_efficiency(self.site.views)
        for sets in self._sets:
            found = search(
                self.site,
                spacing_pix,
                sets,
                self._rng,
                effort=self.effort,
                known=self._known,
                equal=equal,
                least_efficiency=least_efficiency,
                report=report,
            )
            self._known = list(found.finished)
            self._done += 1
        return found

    def result(self, found: Found, spacing_pix: float) -> OptimizeResult:
        """Return what was found with its figures, as the evaluation of a plan gives them."""
        self._progress(1.0, "done")
        chosen, site = found.chosen, self.site
        coverage = evaluate(chosen.postargs, site.views, base=site.base)
        efficiency = coverage.worst.efficiency
        return OptimizeResult(
            postargs=tuple((float(x), float(y)) for x, y in chosen.postargs),
            element=site.views[coverage.worst_place.view].element.name,
            efficiency_center=coverage.center.efficiency,
            efficiency_worst=efficiency,
            packing_center=coverage.center.packing,
            packing_worst=coverage.worst.packing,
            best_efficiency=max(found.best_efficiency, efficiency),
            possible_efficiency=max(
                possible_efficiency(site.n, site.views, base=site.base), efficiency
            ),
            asked_spacing_pix=spacing_pix,
            separation_pix=chosen.separation_pix,
            span_pix=chosen.span_pix,
            slew_seconds=slew_seconds(chosen.postargs),
            seed=self.seed,
        )


def _problem(n: int, views: Views, base: tuple[float, float]) -> DesignProblem:
    if not 1 <= n <= MAX_POINTS:
        raise UsageError(
            f"a pattern of {n} points cannot be designed: 1 to {MAX_POINTS} are allowed; "
            f"spend more exposures on clusters of at most 9"
        )
    return DesignProblem(n=n, views=decisive(views), base=base)


def _check_spacing(spacing_pix: float) -> None:
    if not 0.0 <= spacing_pix <= 100.0:
        raise UsageError(
            f"a spacing of {spacing_pix:g} pixels cannot be: it must lie between 0 and 100"
        )
