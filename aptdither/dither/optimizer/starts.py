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
    """Return every lattice of `n` phases (n, 2) on the unit torus; the first is (0, 0).

    There is one for each Hermite form ``[[a, b], [0, d]]``, ``a d = n``, ``0 <= b < d``: the sum of
    the divisors of `n` in all.
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
    sets = plain[:count]
    for turn in range(len(sets), count):
        if turn % 4 == 0:
            sets.append(rng.random((n, 2)))
        elif turn % 4 == 1:
            sets.append(rng.permutation(thinned[rng.integers(len(thinned))])[:n])
        else:
            lattice = plain[rng.integers(len(plain))]
            sets.append(lattice + rng.normal(scale=0.03, size=(n, 2)))
    return np.array(sets)


def lay_out(
    phases: FloatArray, spacing_pix: float, rng: np.random.Generator, *, y_cost: float
) -> FloatArray:
    """Give phases (C, N, 2) whole pixels so that the patterns are compact and keep the spacing.

    Points are placed in random order, each at the free place nearest to a random center of its
    pattern, where a step in y counts `y_cost` (and, at random, up to twice or half of it) times one
    in x. Returns offsets from the first point, pixels.
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


def move_one_point(pattern: FloatArray, spacing_pix: float) -> FloatArray:
    """Return every pattern (C, N, 2) that differs by whole pixels in one point, up to 3 in x and y.

    Only those that keep the spacing, as offsets from the first point.
    """
    n = len(pattern)
    line = np.arange(-3, 4)
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
