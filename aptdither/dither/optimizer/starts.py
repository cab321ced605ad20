"""Where a search for a pattern starts: sets of phases, and compact layouts that have them.

A pattern is a set of phases, which fixes how good it is at one place, and a whole number of pixels
for each point, which fixes how far its points are apart and how much distortion pulls the phases
from place to place. A start combines the two: phases from lattices or at random, whole pixels so that
the pattern is compact and no two points are nearer than the spacing.
"""

from __future__ import annotations

import numpy as np

from aptdither.types import FloatArray


def lattices(n: int) -> list[FloatArray]:
    """Return every lattice of `n` phases on the unit torus.

    There is one for each Hermite form ``[[a, b], [0, d]]``, ``a d = n``, ``0 <= b < d``: the sum of
    the divisors of `n` in all.

    Returns
    -------
    list of (n, 2) arrays
        Phases in [0, 1), pixels; the first is (0, 0).
    """
    found = []
    for a in (a for a in range(1, n + 1) if n % a == 0):
        d = n // a
        for b in range(d):
            # The columns of the inverse form, (1/a, 0) and (b/n, 1/d), generate the lattice.
            i, j = np.mgrid[0:a, 0:d].reshape(2, -1)
            found.append(np.stack([(i / a + j * b / n) % 1.0, j / d], axis=-1))
    return found


def phase_sets(n: int, count: int, rng: np.random.Generator) -> FloatArray:
    """Return `count` sets of `n` phases, pixels, (count, n, 2).

    The lattices come first and then in turn: lattices shaken a little, lattices of one or two
    points more with points left out, and random phases.
    """
    plain = lattices(n)
    thinned = [lattice for more in (1, 2) for lattice in lattices(n + more)]
    sets: list[FloatArray] = []
    for turn in range(count):
        if turn < len(plain):
            phases = plain[turn]
        elif turn % 4 == 0:
            phases = rng.random((n, 2))
        elif turn % 4 == 1:
            whole = thinned[rng.integers(len(thinned))]
            phases = rng.permutation(whole)[:n]
        else:
            phases = plain[rng.integers(len(plain))] + rng.normal(scale=0.03, size=(n, 2))
        sets.append(phases)
    return np.array(sets)


def lay_out(
    phases: FloatArray, spacing_pix: float, rng: np.random.Generator, *, y_cost: float
) -> FloatArray:
    """Give each phase whole pixels so that the patterns are compact and keep the spacing.

    Points are placed in random order, each at the free place nearest to a random center of its
    pattern, where a step in y counts `y_cost` (and, at random, up to twice or half of it) times one
    in x.

    Parameters
    ----------
    phases : (C, N, 2) array, pixels
    spacing_pix : float
        Smallest distance between two points.
    y_cost : float
        See :class:`~aptdither.optics.detector.Detector`.

    Returns
    -------
    (C, N, 2) array
        Offsets from the first point, pixels, that differ as the phases do, modulo 1.
    """
    count, n, _ = phases.shape
    phases = (phases + rng.random((count, 1, 2))) % 1.0
    radius = int(np.ceil(0.6 * spacing_pix * np.sqrt(n))) + 2
    line = np.arange(-radius, radius + 1, dtype=np.float64)
    shuffled = rng.permuted(np.broadcast_to(np.arange(n), (count, n)), axis=1)
    y_costs = y_cost * 2.0 ** rng.uniform(-1.0, 1.0, size=(count, 1))
    placed = np.zeros((count, n, 2))
    row = np.arange(count)
    for turn in range(n):
        member = shuffled[:, turn]
        x, y = (phases[row, member, axis, None] + line for axis in (0, 1))
        price = (x**2)[:, :, None] + (y_costs * y**2)[:, None, :]
        # A little noise makes layouts of the same phases differ.
        price *= rng.uniform(0.7, 1.3, size=price.shape)
        for other in range(turn):
            x_other, y_other = placed[row, shuffled[:, other]].T[:, :, None]
            near = ((x - x_other) ** 2)[:, :, None] + ((y - y_other) ** 2)[:, None, :]
            price += 1e6 * (near < spacing_pix**2)
        best = np.argmin(price.reshape(count, -1), axis=1)
        placed[row, member] = np.stack(
            [x[row, best // len(line)], y[row, best % len(line)]], axis=-1
        )
    return placed - placed[:, :1]


def move_one_point(pattern: FloatArray, spacing_pix: float, *, reach: int = 3) -> FloatArray:
    """Return every pattern that differs by whole pixels in one point and keeps the spacing.

    Parameters
    ----------
    pattern : (N, 2) array, pixels
    spacing_pix : float
    reach : int
        How far, in whole pixels along each axis, a point may move.

    Returns
    -------
    (C, N, 2) array
        Offsets from the first point.
    """
    n = len(pattern)
    line = np.arange(-reach, reach + 1)
    steps = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    steps = steps[np.any(steps != 0, axis=-1)].astype(np.float64)
    moved = np.broadcast_to(pattern, (n, len(steps), n, 2)).copy()
    moved[np.arange(n), :, np.arange(n)] += steps
    apart = moved[np.arange(n), :, np.arange(n)][:, :, None, :] - pattern[None, None]
    distance = np.hypot(apart[..., 0], apart[..., 1])
    distance[np.arange(n), :, np.arange(n)] = np.inf
    free = moved[np.all(distance >= spacing_pix, axis=-1)]
    result: FloatArray = free - free[:, :1]
    return result
