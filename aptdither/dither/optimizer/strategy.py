"""The search for a pattern, in the order it goes.

1. At one place: sets of phases climb to their own best `E`, and again to the best packing that
   costs little `E`. Only good and different ones go on.
2. Over the region: each set is laid out in many compact ways, all are scored, the best climb in the
   worst `E`; single points of the best are moved by whole pixels, and what improves climbs again.
3. What `E` can be is known now; everything that can hold it within `EQUAL_EFFICIENCY` climbs in
   packing distance, in the same two ways.
4. The best of both are polished: they climb on, each time also at the places of a fine grid where
   they turned out worst; then they are rounded to what is written, and the rule chooses.

All of it is deterministic for a seed and bounded by what is evaluated, not by the clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aptdither.dither.optimizer.objective import Objective, ascend
from aptdither.dither.optimizer.problem import (
    EQUAL_EFFICIENCY,
    FINE_STEP_PIX,
    MANY_ALIASES,
    DesignProblem,
    Finished,
    Wanted,
)
from aptdither.dither.optimizer.starts import lay_out, move_one_point, phase_sets
from aptdither.dither.pattern import rounded
from aptdither.dither.phases import order_points, span
from aptdither.types import FloatArray


class _Climb(NamedTuple):
    """A climb in a soft minimum over the places."""

    sharpness: float  # per unit of E, or per pixel
    steps: int


# Each climb is sharper than the one before: a blunt one sees all places, so that it does not stop
# where two of them pull apart; the sharpest is close to the true minimum. The last five steps gain
# less than 0.0003 in E, or 0.002 pixel, in half of the climbs.
_CENTER_EFFICIENCY, _CENTER_PACKING = _Climb(1.0, 40), _Climb(100.0, 40)  # one place: no minimum
_IN_EFFICIENCY = (_Climb(300.0, 30), _Climb(2000.0, 40))
_IN_PACKING = (_Climb(60.0, 40), _Climb(300.0, 40))
_LAST_IN_EFFICIENCY = (
    _Climb(900.0, 30),
    _Climb(3000.0, 25),
    _Climb(6000.0, 25),
)
_LAST_IN_PACKING = (_Climb(75.0, 30), _Climb(250.0, 25), _Climb(500.0, 25))

_SETS, _KEPT_SETS = 96, 32
"""Sets of phases that climb at the center, and how many of them go on."""
_LEAST_CLIMBERS, _LEAST_LAYOUTS = 3, 96
"""As few climb, and are scored, where a budget allows no more."""
_ROUNDING_RESERVE = 0.0002
"""`E` kept above the floor: rounding to 0.001 arcsec and places between those of a grid move it by
1e-4."""
_ROUNDING_REPEATS = 3
"""Times that a pattern is polished while rounding takes it below the floor."""
_ROUNDING_TRIALS = 24
"""Best packed of the neighbors of a rounded pattern whose `E` is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried, in each of some rounds that take over the best of those before.

    Forty times as many layouts are scored as patterns climb, and a sixth of these is polished.
    """

    rounds: int = 1
    climbers: int = 24
    moves: int = 1  # times that single points of the best patterns are moved
    work: float = 1.2e9  # multiplications that a round may spend, about: see Budget

    def climbers_for(self, work: float, objective: Objective, n: int) -> int:
        """Return how many patterns may climb for `work` multiplications."""
        # Each evaluates E about 240 times in each of its stages, and what is polished 800 times.
        allowed = work / objective.work(n) - 800 * max(1, self.climbers // 6)
        climbers = round(min(self.climbers, allowed / (240 * (self.moves + 2))))
        return max(_LEAST_CLIMBERS, climbers)


NORMAL = Effort()
QUICK = Effort(climbers=10, moves=0, work=2.5e8)


class _Pool(NamedTuple):
    """Patterns (C, N, 2), pixels, the best first, and what they are ordered by."""

    pattern: FloatArray
    score: FloatArray

    @classmethod
    def of(cls, pattern: FloatArray, score: FloatArray, most: int | None = None) -> _Pool:
        """Return patterns in the order of their score, `most` of them."""
        order = np.argsort(-score, kind="stable")[:most]
        return cls(pattern[order], score[order])

    def join(self, other: _Pool) -> _Pool:
        """Return both pools as one."""
        pattern = np.concatenate([self.pattern, other.pattern])
        return self.of(pattern, np.concatenate([self.score, other.score]))


def candidate_phases(site: DesignProblem, rng: np.random.Generator) -> FloatArray:
    """Return different sets of phases (S, N, 2) that are good at one place.

    Half of them are chosen for `E` and half for the packing distance.
    """
    if site.n == 1:
        return np.zeros((1, 1, 2))
    here = site.at_center()
    share = min(1.0, MANY_ALIASES / (2 * here.band.cost))
    phases = phase_sets(site.n, round(_SETS * share), rng)
    sharpness, steps = _CENTER_EFFICIENCY
    climbed, _ = ascend(here.worst_efficiency(sharpness), phases, steps=steps)
    floor = here.efficiency(climbed)[:, 0] - 1.5 * EQUAL_EFFICIENCY
    sharpness, steps = _CENTER_PACKING
    packed, _ = ascend(here.worst_packing(sharpness, floor), climbed, steps=steps)
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
    wanted: Wanted,
    sets: FloatArray,
    rng: np.random.Generator,
    *,
    effort: Effort = NORMAL,
    known: Sequence[Finished] = (),
    work: float = math.inf,
) -> list[Finished]:
    """Search patterns that keep a spacing, and return them and the known ones.

    Phases are laid out that come from :func:`candidate_phases`, and the best known patterns climb,
    too. About `work` multiplications are spent: fewer patterns climb where `effort` takes more.
    """
    if site.n == 1:
        return [site.finished(np.zeros((1, 2)))]
    spacing_pix = wanted.spacing_pix
    coarse = site.coarse(spacing_pix)
    until = site.budget.spent + work
    climbers = effort.climbers_for(work, coarse, site.n)
    layouts, polished = max(_LEAST_LAYOUTS, 40 * climbers), max(1, climbers // 6)

    def laid_out() -> FloatArray:
        chosen = sets[np.arange(layouts) % len(sets)]
        # The band hardly tells a pattern from its mirror image; the distortion does.
        mirror = np.where(rng.random((layouts, 1)) < 0.5, -1.0, 1.0)
        chosen = np.stack([chosen[..., 0] * mirror, chosen[..., 1]], axis=-1)
        return lay_out(chosen, coarse.spacing_pix, rng, y_cost=site.detector.y_cost)

    def moved(patterns: FloatArray) -> FloatArray:
        """Return patterns that differ from some others by whole pixels in one point."""
        near = [move_one_point(pattern, coarse.spacing_pix - 0.1) for pattern in patterns]
        return rng.permutation(np.concatenate(near))[: 2 * layouts]

    wide = [f for f in wanted.keeping(known) if f.separation_pix >= spacing_pix]
    first = [site.to_pixels(f.postargs) for f in wide[: max(2, climbers // 4)]]
    started = np.array(first).reshape(-1, site.n, 2)
    pool = _efficient(coarse, laid_out(), climbers)
    if len(started):
        pool = pool.join(_efficient(coarse, started, len(started)))
    for _ in range(effort.moves):
        near = moved(pool.pattern[: max(3, climbers // 4)])
        pool = pool.join(_efficient(coarse, near, climbers))

    finished, floor = list(known), wanted.least_efficiency
    if pool.score[0] - wanted.equal > floor:
        finished += _polished(site, spacing_pix, pool.pattern[: (polished + 1) // 2], None)
        floor = max(floor, wanted.keeping(finished)[0].efficiency - wanted.equal)
    if pool.score[0] > floor - EQUAL_EFFICIENCY:
        able = pool.pattern[pool.score > floor - EQUAL_EFFICIENCY][:climbers]
        packed = _packed(coarse, np.concatenate([able, started]), floor)
        candidates = laid_out()
        for _ in range(effort.moves + 1):
            if site.budget.spent > until:
                break
            near = _packable(coarse, candidates, floor, climbers)
            packed = packed.join(_packed(coarse, near, floor))
            candidates = moved(packed.pattern[:4])
        holds = packed.pattern[(packed.score > 0) & (packed.score > 0.9 * wanted.least_packing)]
        finished += _polished(site, spacing_pix, holds[:polished], floor)
    if not any(f.separation_pix >= spacing_pix for f in finished):
        finished.append(site.finished(site.to_postargs(_in_order(pool.pattern[0]))))
    return finished


def _efficient(objective: Objective, patterns: FloatArray, climbers: int) -> _Pool:
    """Climb in worst-case `E` from the best patterns; half of them after the first climb."""
    best = _Pool.of(patterns, objective.efficiency(patterns).min(axis=-1), climbers)
    for (sharpness, steps), share in zip(_IN_EFFICIENCY, (2, 1), strict=True):
        pattern, _ = ascend(objective.worst_efficiency(sharpness), best.pattern, steps=steps)
        score = objective.efficiency(pattern).min(axis=-1)
        best = _Pool.of(pattern, score, max(_LEAST_CLIMBERS, len(pattern) // share))
    # What the penalty could not push apart is no pattern.
    return _Pool.of(best.pattern, np.where(objective.keeps_spacing(best.pattern), best.score, 0.0))


def _packable(
    objective: Objective, patterns: FloatArray, floor: float, climbers: int
) -> FloatArray:
    """Return the best packed of the patterns that may come to hold a floor of `E`."""
    holds = objective.efficiency(patterns).min(axis=-1) > floor - 6 * EQUAL_EFFICIENCY
    held = patterns[holds]
    return _Pool.of(held, objective.packing(held).min(axis=-1), climbers).pattern


def _packed(objective: Objective, pattern: FloatArray, floor: float) -> _Pool:
    """Climb in packing distance with `E` above a floor; what does not hold it scores 0.

    Half of the patterns are left after each climb.
    """
    packing = missing = np.zeros(len(pattern))
    for sharpness, steps in _IN_PACKING:
        if not len(pattern):
            break
        goal = objective.worst_packing(sharpness, floor + missing)
        pattern, _ = ascend(goal, pattern, steps=steps)
        # A penalty alone holds the floor: the next climb asks for what is missing on top.
        short = floor - objective.efficiency(pattern).min(axis=-1)
        missing = missing + np.maximum(short, -0.0001)
        holds = (short < EQUAL_EFFICIENCY / 2) & objective.keeps_spacing(pattern)
        packing = np.where(holds, objective.packing(pattern).min(axis=-1), 0.0)
        half = max(_LEAST_CLIMBERS, len(pattern) // 2)
        first = np.argsort(-packing, kind="stable")[:half]
        pattern, packing, missing = pattern[first], packing[first], missing[first]
    return _Pool(pattern, packing)


def _polished(
    site: DesignProblem, spacing_pix: float, pattern: FloatArray, floor: float | None
) -> list[Finished]:
    """Climb on, in packing distance above a floor or in `E`, and round to what is written.

    The floor is raised by what a search overrates `E`. What rounding takes below the floor climbs
    again, above one that is higher by that.
    """
    finished: list[Finished] = []
    asked = None
    if floor is not None and len(pattern):
        rated = site.everywhere(spacing_pix, pattern)[1].efficiency(pattern).min(axis=-1)
        exact = [site.finished(site.to_postargs(one)).efficiency for one in pattern]
        asked = floor + np.maximum(rated - exact, 0.0)
    for _ in range(_ROUNDING_REPEATS):
        if not len(pattern):
            break
        pattern, objective = polish(site, spacing_pix, pattern, asked)
        floors = [None] * len(pattern) if asked is None else asked
        written = [
            site.finished(_rounded(site, objective, one, least))
            for one, least in zip(pattern, floors, strict=True)
        ]
        finished += written
        if floor is None or asked is None:
            break
        short = np.array([floor - one.efficiency for one in written])
        pattern, asked = pattern[short > 0], (asked + short)[short > 0]
    return finished


def polish(
    site: DesignProblem, spacing_pix: float, pattern: FloatArray, floor: FloatArray | None
) -> tuple[FloatArray, Objective]:
    """Climb with patterns (C, N, 2), and more places each time: those where they are worst.

    They climb in packing distance where worst-case `E` stays above a floor (C,), or in `E` without
    one. Returns the patterns, not rounded, and the objective over all the places.
    """
    fine, everywhere = site.everywhere(spacing_pix, pattern)
    missing = np.zeros(len(pattern))
    field = site.places(max(map(span, pattern)), 1.5 * FINE_STEP_PIX, site.most_places)
    for sharpness, steps in _LAST_IN_EFFICIENCY if floor is None else _LAST_IN_PACKING:
        objective = site.objective(spacing_pix, field)
        goal = objective.worst_efficiency(sharpness)
        if floor is not None:
            reserved = floor + _ROUNDING_RESERVE
            goal = objective.worst_packing(sharpness, reserved + missing)
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
