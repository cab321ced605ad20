"""The search for a pattern, in the order it goes.

1. At one place: sets of phases climb to their own best `E`, and again to the best packing that
   costs little `E`. Only good and different ones go on.
2. Over the region: each set is laid out in many compact ways, all are scored, the best climb in the
   worst `E`; single points of the best are moved by whole pixels, and what improves climbs again.
3. What `E` can be is known now; everything that can hold it within `EQUAL_EFFICIENCY` climbs in
   packing distance, in the same two ways.
4. The best of both are polished: they climb on, each time also at the places of a fine grid where
   they turned out worst; then they are rounded to what is written, and the rule chooses.

All of it is deterministic for a seed and bounded by counts, not by the clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from aptdither.dither.optimizer.objective import FieldMap, Objective, ascend
from aptdither.dither.optimizer.starts import lay_out, move_one_point, phase_sets
from aptdither.dither.pattern import rounded
from aptdither.dither.phases import min_separation, order_points, packing_limit, span
from aptdither.dither.region import FieldPoints
from aptdither.dither.sampling import AliasingModel
from aptdither.dither.views import View, Views, as_views, band_at, field_points, offsets_at
from aptdither.optics.detector import Detector
from aptdither.types import FloatArray

EQUAL_EFFICIENCY = 0.002
"""Worst-case efficiencies closer than this count as equal: packing distance decides. It is a fifth
or less of what steps that repeat to 5 mas cost at any `N` (0.010 to 0.035)."""

JOINT_TOLERANCE = 0.02
"""Worst-case `E` that counts as equal for two detectors at once, whose phases are hard to keep apart
in both: what steps that repeat to 5 mas cost few points."""

EQUAL_PACKING = 0.01
"""Packing distances that differ by less, as a share of the limit, count as equal: span decides."""

_SETS = 96
"""Sets of phases that climb at the center, and how many of them go on."""
_KEPT_SETS = 32

_COARSE_STEP_PIX, _FINE_STEP_PIX = 0.25, 0.08
"""By how much phases may change between neighboring places of the grid that patterns climb on, and
of the one that they are judged on."""
_MOST_COARSE, _MOST_FINE = 5, 25
"""Places on a side of those grids, at most."""

_POLISH = ((0.15, 30), (0.5, 25), (1.0, 25))
"""Sharpness, as a share of the sharpest, and steps of the last climbs, blunt to sharp."""
_SHARPEST, _SHARPEST_PACKING = 6000.0, 500.0
"""Sharpness of a soft minimum, per unit of `E` and per pixel: low values see all places, so that a
climb does not stop where two places pull apart; high ones are close to the true minimum."""
_ROUNDING_RESERVE = 0.0002
"""`E` kept above the floor: rounding to 0.001 arcsec and places between those of a grid move it by
1e-4."""

_WORK = 100_000
"""Elements of all matrices of one evaluation of all climbers, at most: more aliases and more places
mean fewer climbers."""

_LEAST_CLIMBERS = 3
"""As few climb even then; the places become fewer instead."""
_MANY_ALIASES = 1500
"""Elements of all matrices at one place beyond which fewer frequencies are taken."""
_ROUNDING_REPEATS = 3
"""Times that a pattern is polished while rounding takes it below the floor."""
_ROUNDING_TRIALS = 24
"""Best packed of the neighbors of a rounded pattern whose `E` is looked at."""

Report = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried.

    Attributes
    ----------
    rounds : int
        Independent searches; each takes over the best of those before.
    layouts, climbers : int
        Layouts scored and patterns that climb, per round.
    moves : int
        Times that single points of the best patterns are moved, per round.
    polished : int
        Best packed patterns that are polished, and half as many of the best in `E`.
    """

    rounds: int = 1
    layouts: int = 960
    climbers: int = 24
    moves: int = 1
    polished: int = 4


QUICK = Effort(layouts=400, climbers=10, moves=0, polished=1)
NORMAL = Effort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Patterns that were found, the best first.

    Attributes
    ----------
    pattern : (C, N, 2) array
        Offsets at the reference point, pixels.
    score : (C,) array
        What they are ordered by: worst-case `E`, or packing distance.
    """

    pattern: FloatArray
    score: FloatArray

    @classmethod
    def of(cls, pattern: FloatArray, score: FloatArray, most: int | None = None) -> Pool:
        """Return patterns in the order of their score, `most` of them."""
        order = np.argsort(-score, kind="stable")[:most]
        return cls(pattern=pattern[order], score=score[order])

    def join(self, other: Pool) -> Pool:
        """Return both pools as one."""
        return self.of(
            np.concatenate([self.pattern, other.pattern]), np.concatenate([self.score, other.score])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A pattern as it is written, and its worst values over the fine grid."""

    postargs: FloatArray
    efficiency: float
    packing: float
    separation_pix: float
    span_pix: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found.

    Attributes
    ----------
    finished : tuple of Finished
        All that is known now, whatever spacing it keeps.
    spacing_pix, equal, least_efficiency : float
        See :func:`search`.
    """

    finished: tuple[Finished, ...]
    spacing_pix: float
    equal: float
    least_efficiency: float

    @property
    def best_efficiency(self) -> float:
        """The best worst-case `E` at this spacing."""
        return max(f.efficiency for f in _keeping(self.finished, self.spacing_pix))

    @property
    def chosen(self) -> Finished:
        """What the rule chooses: efficiency, then packing distance, then span; each among equals."""
        kept, best = _keeping(self.finished, self.spacing_pix), self.best_efficiency
        floor = min(best, max(best - self.equal, self.least_efficiency))
        efficient = [f for f in kept if f.efficiency >= floor]
        limit = packing_limit(len(efficient[0].postargs))
        packing = max(f.packing for f in efficient) - EQUAL_PACKING * limit
        packed = [f for f in efficient if f.packing >= packing]
        return min(packed, key=lambda f: (round(f.span_pix, 1), -f.packing))


def _keeping(finished: Sequence[Finished], spacing_pix: float) -> list[Finished]:
    """Return the patterns that keep a spacing; all where none does."""
    return [f for f in finished if f.separation_pix >= spacing_pix] or list(finished)


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

    @cached_property
    def at_center(self) -> Objective:
        """The objective at the center of the first view alone, where only phases count."""
        first = self.views[0]
        field = field_points(first, base=self.base, grid=3).center
        return Objective(field=FieldMap.identity(), band=_band(first, field, 6))

    def objective(self, spacing_pix: float, field: FieldPoints, *, cells: int = 8) -> Objective:
        """Return the objective over some places."""
        return Objective(
            field=FieldMap.fit(self.views, field, reach_pix=self._extent_pix(spacing_pix) + 2.0),
            band=_band(self.views, field, cells),
            spacing_pix=spacing_pix + self.detector.design_rounding_pix,
        )

    def coarse(self, spacing_pix: float) -> Objective:
        """Return the objective over the few places that patterns climb on."""
        extent_pix = self._extent_pix(spacing_pix)
        field = self.places(extent_pix, _COARSE_STEP_PIX, self.most_places)
        return self.objective(spacing_pix, field, cells=6)

    @cached_property
    def most_places(self) -> int:
        """Places on a side of the grid that patterns climb on: fewer where that would take long."""
        field = field_points(self.views, base=self.base, grid=_MOST_COARSE)
        cost = self.objective(0.0, field, cells=6).cost
        return _MOST_COARSE if cost * _LEAST_CLIMBERS <= _WORK else 3

    def places(self, extent_pix: float, step_pix: float, most: int) -> FieldPoints:
        """Return a grid on which phases of a pattern change by some step from place to place."""
        intervals = int(np.ceil(self._drift * extent_pix / step_pix))
        grid = min(max(intervals + 1, 3), most)
        return field_points(self.views, base=self.base, grid=grid | 1)

    def to_postargs(self, pattern: FloatArray) -> FloatArray:
        """Return POS TARGs (..., N, 2), rounded to what APT is given."""
        return rounded(self.views[0].postargs_of(pattern))

    def to_pixels(self, postargs: FloatArray) -> FloatArray:
        """Return the offsets at the reference point (..., N, 2) of POS TARGs."""
        return self.views[0].offsets_of(postargs)

    def finished(self, postargs: FloatArray) -> Finished:
        """Measure a pattern as it is written over the fine grid."""
        pixels = self.to_pixels(postargs)
        across = span(pixels)
        field = self.places(across, _FINE_STEP_PIX, _MOST_FINE)
        offsets = offsets_at(postargs, self.views, field)
        return Finished(
            postargs=postargs,
            efficiency=float(band_at(self.views, field).efficiency(offsets).min()),
            packing=float(Objective.packing_of(offsets).min()),
            separation_pix=min_separation(pixels),
            span_pix=across,
        )

    def _extent_pix(self, spacing_pix: float) -> float:
        """Return about how large a pattern becomes."""
        return spacing_pix * math.sqrt(self.n) + 2.0

    @cached_property
    def _drift(self) -> float:
        """How much an offset of one pixel changes over the field of a view, pixels."""
        field = field_points(self.views, base=self.base, grid=3)
        steps = self.views[0].postargs_of(np.eye(2))
        offsets = offsets_at(steps, self.views, field)
        return max(
            float(np.ptp(offsets[field.view == view], axis=0).max())
            for view in range(len(self.views))
        )


def _band(views: Views, field: FieldPoints, cells: int) -> AliasingModel:
    """Return the aliasing model; where there are many aliases it needs fewer frequencies."""
    band = band_at(views, field, cells=cells)
    while band.cost > _MANY_ALIASES and cells > 4:
        cells -= 2
        band = band_at(views, field, cells=cells)
    return band


def equal_efficiency(views: Views) -> float:
    """Return the difference of worst-case `E` that does not count: more for two detectors at once."""
    configs = {view.aperture.config for view in as_views(views)}
    return JOINT_TOLERANCE if len(configs) > 1 else EQUAL_EFFICIENCY


def decisive(views: Views) -> tuple[View, ...]:
    """Return the views that can have the worst place.

    Of views that differ in the spectral element alone it is that of the shortest wavelength, whose
    band has the most aliases.
    """
    bluest: dict[View, View] = {}
    for view in as_views(views):
        frame = view.prime or view.aperture.frame
        key = replace(view, element=as_views(views)[0].element, prime=frame)
        there = bluest.setdefault(key, view)
        if view.element.wavelength_nm < there.element.wavelength_nm:
            bluest[key] = view
    return tuple(bluest.values())


def candidate_phases(site: DesignProblem, rng: np.random.Generator) -> FloatArray:
    """Return different sets of phases (S, N, 2) that are good at one place.

    Half of them are chosen for `E` and half for the packing distance.
    """
    if site.n == 1:
        return np.zeros((1, 1, 2))
    here = site.at_center
    share = min(1.0, _MANY_ALIASES / (2 * here.cost))
    phases = phase_sets(site.n, round(_SETS * share), rng)
    climbed, _ = ascend(here.worst_efficiency(1.0), phases, steps=40)
    floor = here.efficiency(climbed)[:, 0] - 1.5 * EQUAL_EFFICIENCY
    packed, _ = ascend(here.worst_packing(100.0, floor), climbed, steps=40)
    phases = np.concatenate([climbed, packed])
    efficiency, packing = here.efficiency(phases)[:, 0], here.packing(phases)[:, 0]
    different: dict[tuple[float, float], int] = {}
    for i in np.argsort(-efficiency, kind="stable"):
        if efficiency[i] > efficiency.max() - 5 * EQUAL_EFFICIENCY:
            different.setdefault((round(efficiency[i], 3), round(packing[i], 2)), int(i))
    by_efficiency = list(different.values())
    by_packing = sorted(by_efficiency, key=lambda i: -packing[i])
    half = _KEPT_SETS // 2
    return phases[by_packing[:half] + by_efficiency[:half]]


def search(
    site: DesignProblem,
    spacing_pix: float,
    sets: FloatArray,
    rng: np.random.Generator,
    *,
    effort: Effort = NORMAL,
    known: Sequence[Finished] = (),
    equal: float = EQUAL_EFFICIENCY,
    least_efficiency: float = 0.0,
    report: Report = lambda fraction: None,
) -> Found:
    """Search patterns that keep a spacing.

    Parameters
    ----------
    site : DesignProblem
    spacing_pix : float
        Smallest distance between two points.
    sets : (S, N, 2) array
        Phases to lay out: from :func:`candidate_phases`.
    rng : numpy.random.Generator
    effort : Effort
        Its layouts, climbers and moves.
    known : sequence of Finished
        Patterns that the result must not be worse than; the best that keep the spacing climb, too.
    equal : float
        Differences of worst-case `E` that do not count.
    least_efficiency : float
        Worst-case `E` that must not be given away, even where it would count as equal.
    report : callable
        Called with the fraction done.
    """
    if site.n == 1:
        known = [site.finished(np.zeros((1, 2)))]
        return Found(
            finished=tuple(known),
            spacing_pix=spacing_pix,
            equal=equal,
            least_efficiency=least_efficiency,
        )
    coarse = site.coarse(spacing_pix)
    share = min(1.0, _WORK / (effort.climbers * coarse.cost))
    climbers = max(_LEAST_CLIMBERS, round(effort.climbers * share))
    layouts = max(96, round(effort.layouts * share))
    polished = max(1, round(effort.polished * share))
    wide = [f for f in known if f.separation_pix >= spacing_pix]
    wide.sort(key=lambda f: -f.efficiency)
    first = [site.to_pixels(f.postargs) for f in wide[: max(2, climbers // 4)]]
    started = np.array(first).reshape(-1, site.n, 2)

    pool = _efficient(coarse, _layouts(site, coarse, sets, layouts, rng), climbers)
    if len(started):
        pool = pool.join(_efficient(coarse, started, len(started)))
    report(0.2)
    for _ in range(effort.moves):
        near = _neighbors(pool.pattern[: max(3, climbers // 4)], coarse)
        near = rng.permutation(near)[: 2 * layouts]
        pool = pool.join(_efficient(coarse, near, climbers))
    report(0.4)
    finished = list(known)
    floor = least_efficiency
    if pool.score[0] - equal > floor:
        finished += _polished(site, spacing_pix, pool.pattern[: (polished + 1) // 2], None)
        floor = max(floor, max(f.efficiency for f in _keeping(finished, spacing_pix)) - equal)
    report(0.55)
    packed = Pool.of(pool.pattern[:0], pool.score[:0])
    if pool.score[0] > floor - EQUAL_EFFICIENCY:
        able = pool.pattern[pool.score > floor - EQUAL_EFFICIENCY][:climbers]
        packed = _packed(coarse, np.concatenate([able, started]), floor)
        candidates = _layouts(site, coarse, sets, layouts, rng)
        for _ in range(effort.moves + 1):
            near = _packable(coarse, candidates, floor, climbers)
            packed = packed.join(_packed(coarse, near, floor))
            candidates = rng.permutation(_neighbors(packed.pattern[:4], coarse))[: 2 * layouts]
    report(0.75)
    holds = packed.pattern[packed.score > 0]
    finished += _polished(site, spacing_pix, holds[:polished], floor)
    if not any(f.separation_pix >= spacing_pix for f in finished):
        finished.append(site.finished(site.to_postargs(_in_order(pool.pattern[0]))))
    report(1.0)
    return Found(
        finished=tuple(finished),
        spacing_pix=spacing_pix,
        equal=equal,
        least_efficiency=least_efficiency,
    )


def _layouts(
    site: DesignProblem,
    objective: Objective,
    sets: FloatArray,
    count: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return `count` compact layouts (C, N, 2) of sets of phases."""
    chosen = sets[np.arange(count) % len(sets)]
    # The band hardly tells a pattern from its mirror image; the distortion does.
    mirror = np.where(rng.random((count, 1)) < 0.5, -1.0, 1.0)
    chosen = np.stack([chosen[..., 0] * mirror, chosen[..., 1]], axis=-1)
    return lay_out(chosen, objective.spacing_pix, rng, y_cost=site.detector.y_cost)


def _neighbors(patterns: FloatArray, objective: Objective) -> FloatArray:
    """Return the patterns that differ from some others by whole pixels in one point."""
    return np.concatenate(
        [move_one_point(pattern, objective.spacing_pix - 0.1) for pattern in patterns]
    )


def _efficient(objective: Objective, patterns: FloatArray, climbers: int) -> Pool:
    """Climb in worst-case `E` from the best patterns."""
    best = Pool.of(patterns, objective.efficiency(patterns).min(axis=-1), climbers)
    for sharpness, steps, share in ((300.0, 30, 2), (2000.0, 40, 1)):
        pattern, _ = ascend(objective.worst_efficiency(sharpness), best.pattern, steps=steps)
        score = objective.efficiency(pattern).min(axis=-1)
        best = Pool.of(pattern, score, max(3, len(pattern) // share))
    # What the penalty could not push apart is no pattern.
    return Pool.of(best.pattern, np.where(objective.keeps_spacing(best.pattern), best.score, 0.0))


def _packable(
    objective: Objective, patterns: FloatArray, floor: float, climbers: int
) -> FloatArray:
    """Return the best packed of the patterns that may come to hold a floor of `E`."""
    holds = objective.efficiency(patterns).min(axis=-1) > floor - 6 * EQUAL_EFFICIENCY
    held = patterns[holds]
    return Pool.of(held, objective.packing(held).min(axis=-1), climbers).pattern


def _packed(objective: Objective, pattern: FloatArray, floor: float) -> Pool:
    """Climb in packing distance with `E` above a floor."""
    packing = missing = np.zeros(len(pattern))
    for sharpness, keep in ((60.0, 8), (300.0, 4)):
        if not len(pattern):
            break
        pattern, _ = ascend(objective.worst_packing(sharpness, floor + missing), pattern, steps=40)
        # A penalty alone holds the floor: the next climb asks for what is missing on top.
        short = floor - objective.efficiency(pattern).min(axis=-1)
        missing = missing + np.maximum(short, -0.0001)
        holds = (short < EQUAL_EFFICIENCY / 2) & objective.keeps_spacing(pattern)
        packing = np.where(holds, objective.packing(pattern).min(axis=-1), 0.0)
        first = np.argsort(-packing, kind="stable")[:keep]
        pattern, packing, missing = pattern[first], packing[first], missing[first]
    return Pool(pattern=pattern, score=packing)


def _polished(
    site: DesignProblem, spacing_pix: float, pattern: FloatArray, floor: float | None
) -> list[Finished]:
    """Climb on, in packing distance above a floor or in `E`, and round to what is written.

    What rounding takes below the floor climbs again, above a floor higher by that.
    """
    finished: list[Finished] = []
    asked = floor
    for _ in range(_ROUNDING_REPEATS):
        if not len(pattern):
            break
        pattern, objective = polish(site, spacing_pix, pattern, asked)
        written = [site.finished(_rounded(site, objective, one, floor)) for one in pattern]
        finished += written
        if floor is None or asked is None:
            break
        short = np.array([floor - one.efficiency for one in written])
        pattern, asked = pattern[short > 0], asked + max(0.0, float(short.max()))
    return finished


def polish(
    site: DesignProblem, spacing_pix: float, pattern: FloatArray, floor: float | None
) -> tuple[FloatArray, Objective]:
    """Climb with patterns (C, N, 2), and more places each time: those where they are worst.

    Parameters
    ----------
    site : DesignProblem
    spacing_pix : float
        Smallest distance between two points.
    pattern : (C, N, 2) array, pixels
    floor : float or None
        Worst-case `E` above which they climb in packing distance; None: they climb in `E`.

    Returns
    -------
    pattern : (C, N, 2) array, pixels
        Not rounded.
    objective : Objective
        Over all the places.
    """
    extent = max(map(span, pattern))
    field = site.places(extent, 1.5 * _FINE_STEP_PIX, site.most_places)
    fine = site.places(extent, _FINE_STEP_PIX, _MOST_FINE)
    everywhere = site.objective(spacing_pix, fine)
    missing = np.zeros(len(pattern))
    for sharpness, steps in _POLISH:
        objective = site.objective(spacing_pix, field)
        if floor is None:
            goal = objective.worst_efficiency(sharpness * _SHARPEST)
        else:
            reserved = floor + _ROUNDING_RESERVE
            goal = objective.worst_packing(sharpness * _SHARPEST_PACKING, reserved + missing)
        pattern, _ = ascend(goal, pattern, steps=steps)
        efficiency, packing = everywhere.efficiency(pattern), everywhere.packing(pattern)
        if floor is not None:
            missing += np.maximum(reserved - efficiency.min(axis=-1), -0.0001)
        worst = np.concatenate([efficiency.argmin(axis=-1), packing.argmin(axis=-1)])
        field = field.join(fine.at(np.unique(worst)))
    return pattern, site.objective(spacing_pix, field)


def _rounded(
    site: DesignProblem, objective: Objective, pattern: FloatArray, floor: float | None
) -> FloatArray:
    """Round a pattern, then move one or two points by 0.001 arcsec while that improves it.

    What improves: first the spacing, if rounding broke it, then `E` up to `floor`, then packing.
    One of the points is always of the pair that is packed worst.
    """
    n = len(pattern)
    directions = 0.001 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    single = np.einsum("ij,da->idja", np.eye(n), directions)
    current = site.to_postargs(_in_order(pattern))
    least = objective.spacing_pix - site.detector.design_rounding_pix
    for _ in range(20):
        here = site.to_pixels(current)
        own = single[list(objective.worst_pair(here))].reshape(-1, 1, n, 2)
        steps = np.concatenate([own[:, 0], (own + single.reshape(1, -1, n, 2)).reshape(-1, n, 2)])
        trials = np.concatenate([current[None], current + steps])
        trials = rounded(trials - trials[:, :1])
        pixels = site.to_pixels(trials)
        apart = np.minimum(objective.separation(pixels), least)
        packing = objective.packing(pixels).min(axis=-1)
        likely = np.unique([0, *np.lexsort((-packing, -apart))[:_ROUNDING_TRIALS]])
        efficiency = objective.efficiency(pixels[likely]).min(axis=-1)
        held = efficiency if floor is None else np.minimum(efficiency, floor + _ROUNDING_RESERVE)
        best = likely[np.lexsort((-packing[likely], -held, -apart[likely]))[0]]
        if best == 0:
            break
        current = trials[best]
    return current


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
