"""Design a dither pattern for an aperture, a spectral element, a region and a spacing.

The rule
--------
Of two patterns that keep the spacing, the one with the better de-aliasing efficiency at the worst
place of the region wins; efficiencies within `EQUAL_EFFICIENCY` count as equal, and then the packing
distance at its worst place (the margin for pointing errors) decides; distances within
`EQUAL_PACKING` of the limit count as equal, and then the span. Of several spectral elements the
bluest decides, since its band has the most aliases.

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
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from aptdither.dither.bounds import possible_efficiency
from aptdither.dither.optimizer.results import OptimizeResult, TradeoffPoint, WidestResult
from aptdither.dither.optimizer.strategy import (
    EQUAL_EFFICIENCY,
    EQUAL_PACKING,
    NORMAL,
    QUICK,
    DesignProblem,
    Effort,
    Finished,
    Pool,
    best_packing,
    bluest,
    candidate_phases,
    explore,
    finish,
)
from aptdither.dither.phases import min_separation, packing_limit, slew_seconds, span
from aptdither.dither.views import Views, as_views
from aptdither.errors import UsageError
from aptdither.types import FloatArray, Progress

__all__ = [
    "EQUAL_EFFICIENCY",
    "EQUAL_PACKING",
    "MAX_POINTS",
    "WIDE_TOLERANCE",
    "OptimizeResult",
    "TradeoffPoint",
    "WidestResult",
    "bluest",
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

_FINISH_ATTEMPTS = ((0, False), (0, True), (2, True), (4, True))
"""How the finish of a wide pattern gets its packing distance: how much narrower it is, pixels, and
whether all that is left of the tolerance is spent and not only what counts as equal. The bisection
saw few places; where the finer grid finds the packing distance too small, the spacing gives way."""


def optimize(
    n: int,
    views: Views,
    spacing_pix: float | None = None,
    *,
    seed: int = 0,
    base: tuple[float, float] = (0.0, 0.0),
    effort: Effort = NORMAL,
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
    if n == 1:
        return _trivial(site, spacing_pix, seed)
    rng = np.random.default_rng(seed)
    report = progress or _silent
    pool: Pool | None = None
    phases, kinds = np.empty((0, n, 2)), list[str]()
    for turn in range(effort.rounds):
        report(0.9 * turn / effort.rounds, f"round {turn + 1} of {effort.rounds}: phases")
        sets = candidate_phases(site, rng)
        report(0.9 * (turn + 0.2) / effort.rounds, f"round {turn + 1}: layouts")
        found = explore(site, spacing_pix, sets, rng, effort=effort)
        pool = found if pool is None else pool.join(found)
        phases, kinds = np.concatenate([phases, sets[0]]), kinds + sets[1]
    assert pool is not None, "an effort has at least one round"
    report(0.9, "finish")
    finished, best = finish(site, spacing_pix, pool, (phases, kinds), rng, effort=effort)
    report(1.0, "done")
    return _result(site, finished, best, spacing_pix, seed, pool.tried)


def widest_spacing(
    n: int,
    views: Views,
    *,
    seed: int = 0,
    base: tuple[float, float] = (0.0, 0.0),
    tolerance: float = WIDE_TOLERANCE,
    effort: Effort = QUICK,
    progress: Progress | None = None,
) -> WidestResult:
    """Find the largest spacing whose loss of worst-case `E` stays under a tolerance.

    The loss is against the detector's tight spacing; the packing distance must stay
    above `MIN_PACKING_OF_LIMIT` of its limit everywhere, where that is possible. Spacings go up to its widest in steps
    of 0.25 px. This is the trade between artifacts and sampling (ISR
    WFC3 2016-14, sections 5 and 6) as one number.

    Parameters
    ----------
    tolerance : float
        Worst-case `E` that may be lost.
    n, views, seed, base, effort, progress
        As for :func:`optimize`.
    """
    site = _problem(n, views, base)
    if n == 1:
        alone = _trivial(site, site.detector.widest_spacing_pix, seed)
        return WidestResult(
            result=alone, tightest_efficiency=alone.efficiency_worst, tolerance=tolerance
        )
    tight, widest = site.detector.tight_spacing_pix, site.detector.widest_spacing_pix
    rng = np.random.default_rng(seed)
    report = progress or _silent
    report(0.0, "phases")
    sets = candidate_phases(site, rng)
    found: dict[int, Pool] = {}

    def search(steps: int) -> Pool:
        spacing = tight + steps * _SPACING_STEP_PIX
        report(min(0.9, 0.1 + 0.1 * len(found)), f"spacing {spacing:g} px")
        pools = [explore(site, spacing, sets, rng, effort=effort) for _ in range(effort.rounds)]
        found[steps] = reduce(Pool.join, pools)
        return found[steps]

    def good_at(steps: int) -> bool:
        packing = best_packing(
            site,
            tight + steps * _SPACING_STEP_PIX,
            search(steps),
            sets,
            rng,
            effort=effort,
            floor=least,
        )
        return packing >= MIN_PACKING_OF_LIMIT * packing_limit(n)

    tightest = float(search(0).score[0])
    least = tightest - tolerance
    good, bad = 0, round((widest - tight) / _SPACING_STEP_PIX)
    # A pattern that is wider than asked for is one at the tighter spacing too: quality falls.
    if good_at(bad):
        good = bad
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if good_at(middle) else (good, middle)
    report(0.9, "finish")
    attempts: list[tuple[Finished, float, float]] = []
    for narrower_pix, gives_all in _FINISH_ATTEMPTS:
        equal = tolerance if gives_all else EQUAL_EFFICIENCY
        steps = max(0, good - round(narrower_pix / _SPACING_STEP_PIX))
        spacing = tight + steps * _SPACING_STEP_PIX
        pool = found.get(steps) or search(steps)
        finished, best = finish(
            site, spacing, pool, sets, rng, effort=effort, equal=equal, least_efficiency=least
        )
        attempts.append((finished, best, spacing))
        if finished.packing >= MIN_PACKING_OF_LIMIT * packing_limit(n):
            break
    finished, best, spacing = max(attempts, key=lambda attempt: attempt[0].packing)
    tried = sum(pool.tried for pool in found.values())
    result = _result(site, finished, best, spacing, seed, tried)
    report(1.0, "done")
    return WidestResult(result=result, tightest_efficiency=tightest, tolerance=tolerance)


def tradeoff(
    n: int,
    views: Views,
    spacings_pix: Sequence[float] = TRADEOFF_SPACINGS_PIX,
    *,
    seed: int = 0,
    base: tuple[float, float] = (0.0, 0.0),
    effort: Effort = QUICK,
    progress: Progress | None = None,
) -> tuple[TradeoffPoint, ...]:
    """Return the best pattern at each spacing, the tightest first.

    What is found at a wide spacing is also tried at the tighter ones, so the best worst-case `E`
    does not rise with the spacing (but for what counts as equal).

    Parameters
    ----------
    spacings_pix : sequence of float
    n, views, seed, base, effort, progress
        As for :func:`optimize`.
    """
    site = _problem(n, views, base)
    for spacing in spacings_pix:
        _check_spacing(spacing)
    if n == 1:
        return tuple(
            TradeoffPoint(spacing_pix=s, result=_trivial(site, s, seed))
            for s in sorted(spacings_pix)
        )
    rng = np.random.default_rng(seed)
    report = progress or _silent
    sets = candidate_phases(site, rng)
    points: list[TradeoffPoint] = []
    wider: Pool | None = None
    for turn, spacing in enumerate(sorted(spacings_pix, reverse=True)):
        report(turn / len(spacings_pix), f"spacing {spacing:g} px")
        pool = explore(site, spacing, sets, rng, effort=effort, start=wider)
        finished, best = finish(site, spacing, pool, sets, rng, effort=effort)
        result = _result(site, finished, best, spacing, seed, pool.tried)
        points.append(TradeoffPoint(spacing_pix=spacing, result=result))
        wider = pool.best(4)
    report(1.0, "done")
    return tuple(reversed(points))


def _problem(n: int, views: Views, base: tuple[float, float]) -> DesignProblem:
    if not 1 <= n <= MAX_POINTS:
        raise UsageError(
            f"a pattern of {n} points cannot be designed: 1 to {MAX_POINTS} are allowed; "
            f"spend more exposures on clusters of at most 9"
        )
    return DesignProblem(n=n, views=as_views(views), base=base)


def _check_spacing(spacing_pix: float) -> None:
    if not 0.0 <= spacing_pix <= 100.0:
        raise UsageError(
            f"a spacing of {spacing_pix:g} pixels cannot be: it must lie between 0 and 100"
        )


def _trivial(site: DesignProblem, spacing_pix: float, seed: int) -> OptimizeResult:
    alone = Finished(
        postargs=np.zeros((1, 2)), efficiency=0.0, packing=1.0, span_pix=0.0, kind="single point"
    )
    efficiency, _, _ = site.measure(alone.postargs, 5)
    return _result(site, alone, float(efficiency.min()), spacing_pix, seed, 1)


def _result(
    site: DesignProblem,
    finished: Finished,
    best: float,
    spacing_pix: float,
    seed: int,
    tried: int,
) -> OptimizeResult:
    postargs = finished.postargs
    efficiency, packing, field = site.measure(postargs, 9)
    center, worst = field.index_of_center, int(np.argmin(efficiency))
    points = site.to_pixels(postargs)
    return OptimizeResult(
        postargs=_as_tuples(postargs),
        points_pix=_as_tuples(points),
        element=site.views[field.view[worst]].element.name,
        efficiency_center=float(efficiency[center]),
        efficiency_worst=float(efficiency.min()),
        packing_center=float(packing[center]),
        packing_worst=float(packing.min()),
        best_efficiency=best,
        possible_efficiency=max(
            possible_efficiency(site.n, site.views, base=site.base), float(efficiency.min())
        ),
        asked_spacing_pix=spacing_pix,
        separation_pix=min_separation(points),
        span_pix=span(points),
        slew_seconds=slew_seconds(postargs),
        seed=seed,
        seed_kind=finished.kind,
        tried=tried,
    )


def _as_tuples(points: FloatArray) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)


def _silent(fraction: float, doing: str) -> None:
    """Report nothing."""
