"""The search for a pattern, in the order it goes.

1. At one place: sets of phases climb to their own best `E`, and again to the best packing that
   costs little `E`. Only good and different ones go on.
2. Over the region: each set is laid out in many compact ways, all are scored, the best climb.
3. Single points of the best are moved by whole pixels, and what improves climbs again.
4. The finish: the best `E` is known now; everything that can hold it within `EQUAL_EFFICIENCY`
   climbs in packing distance, is rounded to what is written, and the best is taken.

All of it is deterministic for a seed and bounded by counts, not by the clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from aptdither.dither.optimizer.objective import FieldMap, Objective, ascend
from aptdither.dither.optimizer.starts import lay_out, move_one_point, phase_sets
from aptdither.dither.pattern import rounded
from aptdither.dither.phases import (
    order_points,
    packing_distance,
    packing_limit,
    span,
)
from aptdither.dither.region import FieldPoints
from aptdither.dither.views import View, band_at, field_points, offsets_at
from aptdither.errors import UsageError
from aptdither.optics.detector import Detector
from aptdither.optics.filters import SpectralElement
from aptdither.types import FloatArray

EQUAL_EFFICIENCY = 0.002
"""Worst-case efficiencies closer than this count as equal: packing distance decides. It is a fifth
or less of what steps that repeat to 5 mas cost at any `N` (0.010 to 0.035)."""

EQUAL_PACKING = 0.01
"""Packing distances that differ by less, as a share of the limit, count as equal: span decides."""

# Sharpness of a soft minimum, per unit of `E` or per pixel: low values see all places, so that a
# climb does not stop where two places pull apart; high ones are close to the true minimum.
_SHARPEST = 6000.0
_PACKING_SCHEDULE = ((100.0, 30), (300.0, 25), (500.0, 25))
"""Sharpness and steps of the last climbs in packing distance, blunt to sharp."""
_ROUNDING_RESERVE = 0.0002
"""`E` kept above the floor: rounding to 0.001 arcsec moves it by 1e-4."""

_COARSE_CELLS = 6
_FINE_CELLS = 8
_SETS = 96
_KEPT_SETS = 32
_LAYOUTS = 960
_CLIMBERS = 24
_CLIMB_COST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried.

    Attributes
    ----------
    rounds : int
        Independent searches whose results are pooled.
    layouts, climbers : int
        Layouts scored and patterns that climb, per round.
    moves : int
        Times that single points of the best patterns are moved, per round.
    """

    rounds: int = 1
    layouts: int = _LAYOUTS
    climbers: int = _CLIMBERS
    moves: int = 1


QUICK = Effort(layouts=_LAYOUTS // 2, climbers=_CLIMBERS // 2, moves=0)
NORMAL = Effort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Patterns that were found, the best first, and what they came from.

    Attributes
    ----------
    pattern : (C, N, 2) array
        Offsets at the reference point, pixels.
    score : (C,) array
        What they are ordered by: worst-case `E`, or packing distance.
    kinds : tuple of str
    tried : int
        How many were scored to find them.
    """

    pattern: FloatArray
    score: FloatArray
    kinds: tuple[str, ...]
    tried: int

    def join(self, other: Pool) -> Pool:
        """Return both pools as one."""
        score = np.concatenate([self.score, other.score])
        pattern = np.concatenate([self.pattern, other.pattern])
        kinds = self.kinds + other.kinds
        order = np.argsort(-score, kind="stable")
        return Pool(
            pattern=pattern[order],
            score=score[order],
            kinds=tuple(kinds[i] for i in order),
            tried=self.tried + other.tried,
        )

    def best(self, count: int) -> Pool:
        """Return the first `count` patterns."""
        return Pool(
            pattern=self.pattern[:count],
            score=self.score[:count],
            kinds=self.kinds[:count],
            tried=self.tried,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A pattern as it is written, and its worst values over the fine grid."""

    postargs: FloatArray
    efficiency: float
    packing: float
    span_pix: float
    kind: str


@dataclass(frozen=True, kw_only=True)
class DesignProblem:
    """Where a pattern has to be good: the places of some views, and a base POS TARG.

    Attributes
    ----------
    n : int
        Number of points.
    views : tuple of View
        The worst place of all of them counts; offsets count at the reference point of the first
        one's aperture.
    base : (float, float)
        POS TARG that the pattern is added to, arcsec.
    """

    n: int
    views: tuple[View, ...]
    base: tuple[float, float] = (0.0, 0.0)

    @property
    def detector(self) -> Detector:
        """The detector of the first view."""
        return self.views[0].aperture.detector

    def objective(self, spacing_pix: float, *, fine: bool) -> Objective:
        """Return the objective over 3 x 3 (coarse) or 5 x 5 (fine) field points."""
        field = field_points(self.views, base=self.base, grid=5 if fine else 3)
        reach = spacing_pix * (np.sqrt(self.n) + 1.0) + 2.0
        return Objective(
            field=FieldMap.fit(self.views, field, reach_pix=reach),
            band=band_at(self.views, field, cells=_FINE_CELLS if fine else _COARSE_CELLS),
            spacing_pix=spacing_pix + self.detector.design_rounding_pix,
        )

    @cached_property
    def at_center(self) -> Objective:
        """The objective at the center of the first view alone, where only phases count.

        Of several elements through the same aperture the bluest counts, whose band has the most
        aliases.
        """
        first = self.views[0]
        element = bluest(view.element for view in self.views if view.aperture == first.aperture)
        field = field_points(first, base=self.base, grid=3).center
        band = band_at(replace(first, element=element), field, cells=_COARSE_CELLS)
        return Objective(field=FieldMap.identity(), band=band)

    def to_postargs(self, pattern: FloatArray) -> FloatArray:
        """Return POS TARGs (N, 2), rounded to what APT is given."""
        return rounded(self.views[0].postargs_of(pattern))

    def to_pixels(self, postargs: FloatArray) -> FloatArray:
        """Return the offsets at the reference point (..., N, 2) of POS TARGs."""
        return self.views[0].offsets_of(postargs)

    def measure(
        self, postargs: FloatArray, grid: int
    ) -> tuple[FloatArray, FloatArray, FieldPoints]:
        """Return `E` and the packing distance (F,) through the full model, and the places."""
        field = field_points(self.views, base=self.base, grid=grid)
        offsets = offsets_at(postargs, self.views, field)
        return band_at(self.views, field).efficiency(offsets), packing_distance(offsets), field


def candidate_phases(site: DesignProblem, rng: np.random.Generator) -> tuple[FloatArray, list[str]]:
    """Return different sets of phases (S, N, 2) that are good at one place, and their kinds.

    Half of them are chosen for `E` and half for the packing distance.
    """
    here = site.at_center
    phases, kinds = phase_sets(site.n, _SETS, rng)
    climbed, _ = ascend(here.worst_efficiency(1.0), phases, steps=40)
    floor = here.efficiency(climbed)[:, 0] - 1.5 * EQUAL_EFFICIENCY
    packed, _ = ascend(here.worst_packing(100.0, floor), climbed, steps=40)
    phases, kinds = np.concatenate([climbed, packed]), kinds + kinds
    efficiency, packing = here.efficiency(phases)[:, 0], here.packing(phases)[:, 0]
    different: dict[tuple[float, float], int] = {}
    for i in np.argsort(-efficiency, kind="stable"):
        if efficiency[i] > efficiency.max() - 5 * EQUAL_EFFICIENCY:
            different.setdefault((round(efficiency[i], 3), round(packing[i], 2)), int(i))
    by_efficiency = list(different.values())
    by_packing = sorted(by_efficiency, key=lambda i: -packing[i])
    half = _KEPT_SETS // 2
    chosen = by_packing[:half] + by_efficiency[:half]
    return phases[chosen], [kinds[i] for i in chosen]


def explore(
    site: DesignProblem,
    spacing_pix: float,
    sets: tuple[FloatArray, list[str]],
    rng: np.random.Generator,
    *,
    effort: Effort = NORMAL,
    start: Pool | None = None,
) -> Pool:
    """Return patterns of good worst-case `E`, whatever their packing distance.

    Parameters
    ----------
    site : DesignProblem
    spacing_pix : float
        Smallest distance between two points.
    sets : (S, N, 2) array, list of str
        Phases to lay out, and their kinds: from :func:`candidate_phases`.
    rng : numpy.random.Generator
    effort : Effort
    start : Pool, optional
        Patterns to climb beside those that are found.
    """
    coarse = site.objective(spacing_pix, fine=False)
    climbers = climber_budget(effort.climbers, coarse)
    layouts, kinds = _layouts(sets, coarse, effort.layouts, rng, site.detector.y_cost)
    score = coarse.efficiency(layouts).min(axis=-1)
    first = np.argsort(-score, kind="stable")[:climbers]
    pool = _climbed(coarse, layouts[first], tuple(kinds[i] for i in first), len(layouts))
    if start is not None:
        pool = pool.join(_climbed(coarse, start.pattern, start.kinds, 0))
    for _ in range(effort.moves):
        near, kinds = _neighbors(pool.best(max(4, climbers // 4)), coarse)
        score = coarse.efficiency(near).min(axis=-1)
        first = np.argsort(-score, kind="stable")[:climbers]
        pool = pool.join(_climbed(coarse, near[first], tuple(kinds[i] for i in first), len(near)))
    return pool


def finish(
    site: DesignProblem,
    spacing_pix: float,
    pool: Pool,
    sets: tuple[FloatArray, list[str]],
    rng: np.random.Generator,
    *,
    effort: Effort = NORMAL,
    equal: float = EQUAL_EFFICIENCY,
    least_efficiency: float = 0.0,
) -> tuple[Finished, float]:
    """Trade what counts as equal in `E` for packing distance, round, and choose.

    Parameters
    ----------
    site : DesignProblem
    spacing_pix : float
    pool : Pool
        From :func:`explore`.
    sets : (S, N, 2) array, list of str
        Phases to lay out for their packing distance.
    rng : numpy.random.Generator
    effort : Effort
    equal : float
        Differences of worst-case `E` that do not count.
    least_efficiency : float
        Worst-case `E` that must not be given away, even where it would count as equal.

    Returns
    -------
    Finished
        The pattern that the rule chooses.
    float
        The best worst-case `E` of all.
    """
    coarse = site.objective(spacing_pix, fine=False)
    fine = site.objective(spacing_pix, fine=True)
    top = pool.best(3)
    sharpest, _ = ascend(fine.worst_efficiency(_SHARPEST), top.pattern, steps=30)
    finished = [
        _rounded(site, fine, pattern, kind, -np.inf)
        for pattern, kind in zip(sharpest, top.kinds, strict=True)
    ]
    best = max((f.efficiency for f in finished if _keeps(site, f, spacing_pix)), default=0.0)
    floor = max(best - equal, least_efficiency)
    packed = _best_packed(site, coarse, pool, sets, rng, effort, floor).best(4)
    finished += [
        _rounded(site, fine, pattern, kind, floor)
        for pattern, kind in zip(_raise_packing(fine, packed, floor), packed.kinds, strict=True)
    ]
    kept = [f for f in finished if _keeps(site, f, spacing_pix)] or finished
    return _choose(kept, site.n, equal, least_efficiency), max(f.efficiency for f in kept)


def _best_packed(
    site: DesignProblem,
    coarse: Objective,
    pool: Pool,
    sets: tuple[FloatArray, list[str]],
    rng: np.random.Generator,
    effort: Effort,
    floor: float,
) -> Pool:
    """Search for packing distance among patterns of the pool, new layouts and their neighbors."""
    climbers = climber_budget(effort.climbers, coarse)
    able = pool.best(max(1, min(climbers, int(np.sum(pool.score > floor - EQUAL_EFFICIENCY)))))
    packed = _packed(coarse, able.pattern, able.kinds, floor)
    for _ in range(effort.rounds):
        layouts, kinds = _layouts(sets, coarse, effort.layouts, rng, site.detector.y_cost)
        packed = _improve_packing(coarse, packed, layouts, kinds, floor, climbers)
        for _ in range(effort.moves):
            near, kinds = _neighbors(packed.best(4), coarse)
            packed = _improve_packing(coarse, packed, near, kinds, floor, climbers)
    return packed


def _raise_packing(fine: Objective, packed: Pool, floor: float) -> FloatArray:
    """Climb in packing distance over the fine grid, the floor kept with a reserve for rounding."""
    pattern, missing = packed.pattern, np.zeros(len(packed.pattern))
    reserved = floor + _ROUNDING_RESERVE
    for sharpness, steps in _PACKING_SCHEDULE:
        pattern, _ = ascend(fine.worst_packing(sharpness, reserved + missing), pattern, steps=steps)
        missing += _missing(fine, pattern, reserved)
    return pattern


def _choose(finished: list[Finished], n: int, equal: float, least_efficiency: float) -> Finished:
    """Apply the rule: efficiency, then packing distance, then span; each where equals are left."""
    best = max(f.efficiency for f in finished)
    floor = min(best, max(best - equal, least_efficiency))
    efficient = [f for f in finished if f.efficiency >= floor]
    packing = max(f.packing for f in efficient) - EQUAL_PACKING * packing_limit(n)
    packed = [f for f in efficient if f.packing >= packing]
    return min(packed, key=lambda f: (round(f.span_pix, 1), -f.packing))


def best_packing(
    site: DesignProblem,
    spacing_pix: float,
    pool: Pool,
    sets: tuple[FloatArray, list[str]],
    rng: np.random.Generator,
    *,
    effort: Effort,
    floor: float,
) -> float:
    """Return about the best worst-case packing distance, pixels, that holds a floor of `E`.

    Zero where no pattern of the pool comes near the floor.
    """
    if pool.score[0] < floor:
        return 0.0
    coarse = site.objective(spacing_pix, fine=False)
    climbers = climber_budget(effort.climbers, coarse)
    able = pool.best(min(climbers, int(np.sum(pool.score > floor - EQUAL_EFFICIENCY))))
    packed = _packed(coarse, able.pattern, able.kinds, floor)
    layouts, kinds = _layouts(sets, coarse, effort.layouts, rng, site.detector.y_cost)
    packed = _improve_packing(coarse, packed, layouts, kinds, floor, climbers)
    return float(packed.score[0])


def _layouts(
    sets: tuple[FloatArray, list[str]],
    objective: Objective,
    count: int,
    rng: np.random.Generator,
    y_cost: float,
) -> tuple[FloatArray, list[str]]:
    """Return `count` compact layouts (C, N, 2) of sets of phases, and their kinds."""
    phases, kinds = sets
    member = np.arange(count) % len(phases)
    chosen = phases[member]
    # The band does not tell a pattern from its mirror image; the distortion does.
    mirror = np.where(rng.random((count, 1)) < 0.5, -1.0, 1.0)
    chosen = np.stack([chosen[..., 0] * mirror, chosen[..., 1]], axis=-1)
    return lay_out(chosen, objective.spacing_pix, rng, y_cost=y_cost), [kinds[i] for i in member]


def _neighbors(pool: Pool, objective: Objective) -> tuple[FloatArray, list[str]]:
    """Return the patterns that differ from those of a pool by whole pixels in one point."""
    groups = [move_one_point(pattern, objective.spacing_pix - 0.1) for pattern in pool.pattern]
    kinds = [kind for kind, group in zip(pool.kinds, groups, strict=True) for _ in group]
    return np.concatenate(groups), kinds


def _packed(
    objective: Objective, pattern: FloatArray, kinds: tuple[str, ...], floor: float
) -> Pool:
    """Climb in packing distance with `E` above a floor; the pool's best is the best packed."""
    missing = np.zeros(len(pattern))
    for sharpness, keep in ((60.0, 8), (300.0, 4)):
        pattern, _ = ascend(objective.worst_packing(sharpness, floor + missing), pattern, steps=40)
        missing += _missing(objective, pattern, floor)
        holds = objective.efficiency(pattern).min(axis=-1) > floor - EQUAL_EFFICIENCY / 2
        holds &= objective.separation(pattern) > objective.spacing_pix - 0.02
        packing = np.where(holds, objective.packing(pattern).min(axis=-1), 0.0)
        first = np.argsort(-packing, kind="stable")[:keep]
        pattern, missing = pattern[first], missing[first]
        kinds = tuple(kinds[i] for i in first)
    return Pool(pattern=pattern, score=packing[first], kinds=kinds, tried=0)


def _missing(objective: Objective, pattern: FloatArray, floor: float) -> FloatArray:
    """Return what `E` lacks to a floor that only a penalty holds: the next climb asks for more."""
    missing: FloatArray = np.maximum(floor - objective.efficiency(pattern).min(axis=-1), -0.0001)
    return missing


def _improve_packing(
    objective: Objective,
    packed: Pool,
    candidates: FloatArray,
    kinds: list[str],
    floor: float,
    climbers: int,
) -> Pool:
    """Climb also from the best packed of the candidates that may come to hold the floor."""
    holds = objective.efficiency(candidates).min(axis=-1) > floor - 6 * EQUAL_EFFICIENCY
    packing = np.where(holds, objective.packing(candidates).min(axis=-1), 0.0)
    first = np.argsort(-packing, kind="stable")[: min(climbers, int(holds.sum()))]
    if not len(first):
        return packed
    return packed.join(_packed(objective, candidates[first], tuple(kinds[i] for i in first), floor))


def climber_budget(count: int, objective: Objective) -> int:
    """Return how many of `count` may climb: fewer where the band has many aliases."""
    return int(np.clip(count * _CLIMB_COST / objective.band.cost, 4, count))


def _climbed(objective: Objective, pattern: FloatArray, kinds: tuple[str, ...], tried: int) -> Pool:
    pattern, _ = ascend(objective.worst_efficiency(300.0), pattern, steps=30)
    better = np.argsort(-objective.efficiency(pattern).min(axis=-1), kind="stable")
    better = better[: max(4, len(better) // 2)]
    pattern, _ = ascend(objective.worst_efficiency(2000.0), pattern[better], steps=40)
    kinds = tuple(kinds[i] for i in better)
    efficiency = objective.efficiency(pattern).min(axis=-1)
    # What the penalty could not push apart is no pattern.
    efficiency = np.where(
        objective.separation(pattern) > objective.spacing_pix - 0.02, efficiency, 0.0
    )
    order = np.argsort(-efficiency, kind="stable")
    return Pool(
        pattern=pattern[order],
        score=efficiency[order],
        kinds=tuple(kinds[i] for i in order),
        tried=tried,
    )


def _rounded(
    site: DesignProblem, fine: Objective, pattern: FloatArray, kind: str, floor: float
) -> Finished:
    """Round a pattern, then move single numbers by 0.001 arcsec while that improves it.

    What improves: first the spacing, if rounding broke it, then `E` up to `floor`, then packing.
    """
    n = len(pattern)
    steps = np.zeros((4 * (n - 1), n, 2))
    steps.reshape(n - 1, 4, n, 2)[np.arange(n - 1), :, np.arange(1, n)] = 0.001 * np.array(
        [[1, 0], [-1, 0], [0, 1], [0, -1]]
    )
    least = fine.spacing_pix - site.detector.design_rounding_pix
    current = site.to_postargs(_in_order(pattern))
    for _ in range(15):
        trials = rounded(np.concatenate([current[None], current + steps]))
        pixels = site.to_pixels(trials)
        apart = np.minimum(fine.separation(pixels), least)
        efficiency = fine.efficiency(pixels).min(axis=-1)
        packing = fine.packing(pixels).min(axis=-1)
        goal = packing if np.isfinite(floor) else efficiency
        order = np.lexsort((-goal, -np.minimum(efficiency, floor), -apart))
        if order[0] == 0 or n == 1:
            break
        current = trials[order[0]]
    efficiency, packing, _ = site.measure(current, 9)
    return Finished(
        postargs=current,
        efficiency=float(efficiency.min()),
        packing=float(packing.min()),
        span_pix=span(site.to_pixels(current)),
        kind=kind,
    )


def _in_order(pattern: FloatArray) -> FloatArray:
    """Order points for the shortest path, from the end that makes it so; the first is (0, 0)."""
    paths = []
    for first in range(len(pattern)):
        rolled = np.roll(pattern, -first, axis=0)
        path = rolled[list(order_points(rolled))]
        steps = np.diff(path, axis=0)
        paths.append((round(float(np.hypot(steps[:, 0], steps[:, 1]).sum()), 6), first, path))
    shortest = min(paths, key=lambda path: path[:2])[2]
    ordered: FloatArray = shortest - shortest[0]
    return ordered


def _keeps(site: DesignProblem, finished: Finished, spacing_pix: float) -> bool:
    pixels = site.to_pixels(finished.postargs)
    here = site.at_center
    return bool(here.separation(pixels[None])[0] >= spacing_pix)


def bluest(elements: SpectralElement | Iterable[SpectralElement]) -> SpectralElement:
    """Return the spectral element of the shortest wavelength, whose band has the most aliases.

    Raises
    ------
    UsageError
        If there is none.
    """
    several = [elements] if isinstance(elements, SpectralElement) else list(elements)
    if not several:
        raise UsageError("a pattern is designed for a spectral element, and none was given")
    return min(several, key=lambda element: (element.wavelength_nm, element.name))
