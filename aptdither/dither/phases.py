"""Geometry of pixel phases (points of the unit torus) and of the steps between pointings.

A phase is an offset modulo one pixel. The pixel grid repeats, so phases live on the unit torus: 0.98
and 0.02 are 0.04 apart, and a negative offset wraps (-0.02 is 0.98), it is not mirrored.

References
----------
.. [1] Dickinson, W. et al. 2011, "Optimal packings of up to five equal circles on a square flat
   torus", Beitr. Algebra Geom. 52, 315 (the limits for N <= 5).
.. [2] Musin, O. & Nikitenko, A. 2016, "Optimal packings of congruent circles on a square flat
   torus", Discrete Comput. Geom. 55, 1 (N = 6, 7, 8; for N = 9 a conjecture).
.. [3] Thue's theorem on the density of packings in the plane (the bound for N > 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, pi, sin, sqrt
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from aptdither.types import FloatArray

#: Largest packing distance that N phases can have, pixels. N <= 5: proved in [1]; 6, 7, 8: proved
#: in [2]; 9: conjectured in [2]. N = 1: the distance of a phase to its own image.
PACKING_LIMIT: Mapping[int, float] = MappingProxyType(
    {
        1: 1.0,
        2: sqrt(2) / 2,
        3: (sqrt(6) - sqrt(2)) / 2,
        4: (sqrt(6) - sqrt(2)) / 2,
        5: 1 / sqrt(5),
        6: 0.40040554860683575,  # the root of 9x^4 - 6x^3 - 14x^2 - 4x + 4 between 0.3 and 0.5
        7: 1 / (1 + sqrt(3)),
        8: 1 / (1 + sqrt(3)),
        9: 1 / sqrt(5 + 2 * sqrt(3)),
    }
)

#: Smallest known largest hole of N phases, pixels: the best of many numerical starts, which is an
#: upper bound on the smallest there is (N = 1 is exact: the corner of the pixel).
COVERING_BEST: Mapping[int, float] = MappingProxyType(
    {
        1: sqrt(2) / 2,
        2: 1 / 2,
        3: 5 * sqrt(2) / 18,
        4: 5 / 16,
        5: 1 - 1 / sqrt(2),
        6: sqrt(10) / 12,
        7: sin(pi / 12),
        8: 5 * sqrt(2) / 32,
        9: sqrt(130) / 54,
    }
)


#: Largest error of :func:`largest_hole`, pixels.
HOLE_TOLERANCE = 1e-9


def packing_limit(n: int) -> float:
    """Return the largest packing distance that `n` phases can have, or a bound on it, pixels.

    For `n` up to 9 the entry of :data:`PACKING_LIMIT`; beyond, ``sqrt(2/(sqrt(3) n))``, which no set
    reaches in general: circles of that diameter would fill the torus as densely as the hexagonal
    packing fills the plane [3].

    Examples
    --------
    >>> round(packing_limit(4), 4)
    0.5176
    """
    if n < 1:
        raise ValueError(f"a pattern has at least one point, not {n}")
    return PACKING_LIMIT[n] if n in PACKING_LIMIT else sqrt(2 / (sqrt(3) * n))


def wrap(offsets_pix: npt.ArrayLike) -> FloatArray:
    """Return offsets modulo one pixel, in [0, 1).

    The remainder of a tiny negative number rounds to 1.0, which is outside of the interval: it is
    phase 0.
    """
    phases = np.mod(np.asarray(offsets_pix, dtype=float), 1.0)
    return np.where(phases >= 1.0, 0.0, phases)


def packing_distance(phases: npt.ArrayLike) -> FloatArray:
    """Return the smallest distance between two of the phases, pixels.

    Parameters
    ----------
    phases : (..., N, 2) array_like, pixels
        Offsets; whole pixels do not matter.

    Returns
    -------
    (...) float array, pixels
        Zero where two coincide; 1 for N = 1 (the distance to its own image).

    Examples
    --------
    >>> float(packing_distance([(0.0, 0.0), (3.5, 0.0), (0.25, -7.0)]))
    0.25
    """
    wrapped = _as_phases(phases)
    n = wrapped.shape[-2]
    nearest = np.ones(wrapped.shape[:-2])  # squared; the own image is one pixel away
    # Pairs (j, j + k): half of the shifts give every pair, without an N x N x field array.
    for k in range(1, n // 2 + 1):
        step = wrapped - np.roll(wrapped, -k, axis=-2)
        step -= np.rint(step)
        np.minimum(nearest, np.min(np.sum(step * step, axis=-1), axis=-1), out=nearest)
    distance: FloatArray = np.sqrt(nearest)
    return distance


def largest_hole(phases: npt.ArrayLike, *, tolerance: float = HOLE_TOLERANCE) -> FloatArray:
    """Return the largest distance from any phase to the nearest of the given ones.

    Parameters
    ----------
    phases : (..., N, 2) array_like, pixels
        Offsets; whole pixels do not matter; points may coincide.
    tolerance : float
        Largest error, pixels: a larger one costs less.

    Returns
    -------
    (...) float array, pixels
        The covering radius: radius of the largest empty circle on the unit torus, too small by
        `tolerance` at most.

    Notes
    -----
    The distance to the nearest phase changes by no more than one moves. So a square whose middle is
    at a distance d from the nearest phase holds no place farther than d plus half its diagonal:
    squares that cannot beat the largest distance of their set so far are dropped, the others are
    quartered.
    """
    wrapped = _as_phases(phases)
    sets = wrapped.reshape(-1, *wrapped.shape[-2:])
    count, n, _ = sets.shape
    side = max(12, int(2 * sqrt(n)))
    axis = (np.arange(side) + 0.5) / side
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    half = 0.5 / side
    points = np.swapaxes(sets, 0, 1)
    distance = np.empty((count, len(grid)))
    block = max(1, 1_000_000 // (len(grid) * n))  # bounds the memory, whatever comes in
    for start in range(0, count, block):
        distance[start : start + block] = _nearest(grid, points[:, start : start + block, None])
    best: FloatArray = np.max(distance, axis=-1)

    which, square = np.nonzero(distance + half * sqrt(2) > best[:, None] + tolerance)
    middles = grid[square]
    while len(which):
        half /= 2
        which = np.repeat(which, 4)
        middles = (middles[:, None] + half * _QUARTERS).reshape(-1, 2)
        found = np.empty(len(which))
        for start in range(0, len(which), 2_000_000 // n):
            part = slice(start, start + 2_000_000 // n)
            found[part] = _nearest(middles[part], np.swapaxes(sets[which[part]], 0, 1))
        np.maximum.at(best, which, found)
        keep = found + half * sqrt(2) > best[which] + tolerance
        which, middles = which[keep], middles[keep]
    return best.reshape(wrapped.shape[:-2])


_QUARTERS = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)], dtype=float)


def _as_phases(phases: npt.ArrayLike) -> FloatArray:
    offsets = np.asarray(phases, dtype=float)
    if offsets.ndim < 2 or offsets.shape[-1] != 2 or offsets.shape[-2] < 1:
        raise ValueError(f"phases must have the shape (..., N, 2), not {offsets.shape}")
    if not np.all(np.isfinite(offsets)):
        raise ValueError("phases must be finite numbers")
    return wrap(offsets)


def _nearest(at: FloatArray, points: FloatArray) -> FloatArray:
    """Return torus distances of `at` (..., K, 2) to the nearest of `points` (N, ..., K, 2)."""
    nearest = np.full(np.broadcast_shapes(at.shape, points.shape[1:])[:-1], inf)
    for point in points:
        x, y = at[..., 0] - point[..., 0], at[..., 1] - point[..., 1]
        x -= np.rint(x)
        y -= np.rint(y)
        x *= x
        y *= y
        x += y
        np.minimum(nearest, x, out=nearest)
    result: FloatArray = np.sqrt(nearest)
    return result


# --- steps between pointings -----------------------------------------------------------------

#: What a move of the telescope costs: (shorter than, arcsec; seconds). Observatory overheads, COS
#: Instrument Handbook section 9.2. Beyond 90 arcsec the guide stars are probably lost.
SLEW_OVERHEADS = ((1.25, 20.0), (10.0, 30.0), (inf, 60.0))


def slew_seconds(postargs_arcsec: npt.ArrayLike) -> float:
    """Return the overhead, seconds, of moving along POS TARGs (N, 2), arcsec, in the given order.

    A move of zero costs nothing. A move beyond 90 arcsec counts 60 s, which is too little: the
    acquisition of new guide stars that it needs is not in this sum.
    """
    steps = np.diff(np.asarray(postargs_arcsec, dtype=float), axis=0)
    seconds = 0.0
    for length in np.hypot(steps[:, 0], steps[:, 1]):
        if length > 0:
            seconds += next(cost for limit, cost in SLEW_OVERHEADS if length < limit)
    return seconds


def min_separation(offsets: npt.ArrayLike) -> float:
    """Return the smallest distance between two offsets (N, 2), in their unit; inf for one."""
    distances = _distances(offsets)
    return float(distances[np.triu_indices(len(distances), 1)].min(initial=inf))


def span(offsets: npt.ArrayLike) -> float:
    """Return the largest distance between two offsets (N, 2), in their unit; 0 for one."""
    return float(np.max(_distances(offsets)))


#: Up to so many points :func:`order_points` finds the shortest path of all.
MAX_EXACT_PATH = 9


def order_points(offsets: npt.ArrayLike) -> tuple[int, ...]:
    """Return the order of a short path through all offsets (N, 2), beginning with the first.

    The shortest path for N <= `MAX_EXACT_PATH`; beyond, each time the nearest point that is left. Of
    equal paths always the same one. Indices into `offsets`, 0 first.
    """
    distances = _distances(offsets).tolist()
    n = len(distances)
    keeps_one = n > MAX_EXACT_PATH
    # The best path to each end through each set of points (Held and Karp), sets growing.
    best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {(1, 0): (0.0, (0,))}
    for _ in range(n - 1):
        longer: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {}
        for (seen, end), (length, path) in best.items():
            for point in range(1, n):
                if seen >> point & 1:
                    continue
                # Rounded, so that equal paths are equal on every machine and the first wins.
                candidate = (round(length + distances[end][point], 9), (*path, point))
                key = (seen | 1 << point, point)
                if key not in longer or candidate < longer[key]:
                    longer[key] = candidate
        best = longer
        if keeps_one:
            nearest = min(best, key=best.__getitem__)
            best = {nearest: best[nearest]}
    return min(best.values())[1]


def _distances(offsets: npt.ArrayLike) -> FloatArray:
    points = np.asarray(offsets, dtype=float)
    steps = points[:, None] - points[None]
    return np.asarray(np.hypot(steps[..., 0], steps[..., 1]))


def chains(points: FloatArray, reach: float, *, torus: bool = False) -> tuple[tuple[int, ...], ...]:
    """Return which points (N, 2) belong together: chains whose links are no longer than `reach`.

    On the torus, points are phases.
    """
    steps = points[:, None] - points[None]
    if torus:
        steps = steps - np.rint(steps)
    near = np.hypot(steps[..., 0], steps[..., 1]) <= reach
    found: dict[int, tuple[int, ...]] = {}
    for start in range(len(points)):
        if any(start in members for members in found.values()):
            continue
        members = near[start]
        while not np.array_equal(grown := near[members].any(axis=0), members):
            members = grown
        found[start] = tuple(np.flatnonzero(members).tolist())
    return tuple(found.values())
