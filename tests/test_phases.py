"""The geometry of phases, against closed forms and a slow, plain second implementation."""

from __future__ import annotations

from itertools import pairwise, permutations, product
from math import hypot, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from aptdither.dither.phases import (
    COVERING_BEST,
    PACKING_LIMIT,
    largest_hole,
    min_separation,
    order_points,
    packing_distance,
    packing_limit,
    slew_seconds,
    span,
    wrap,
)
from aptdither.types import FloatArray

Points = list[tuple[float, float]]

coordinates = st.floats(-20, 20, allow_nan=False)


def point_sets(most: int = 9) -> st.SearchStrategy[Points]:
    return st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=most)


# The second implementation: plain loops, images instead of wrapping, its own formulas.


def slow_packing(points: Points) -> float:
    base = [(x - np.floor(x), y - np.floor(y)) for x, y in points]
    images = [
        (j, x + i, y + k) for j, (x, y) in enumerate(base) for i, k in product((-1, 0, 1), repeat=2)
    ]
    return min(
        hypot(x - a, y - b)
        for j, (x, y) in enumerate(base)
        for k, a, b in images
        if j != k or (x, y) != (a, b)
    )


def slow_hole(points: Points) -> float:
    """Halve squares until none can hide more than 1e-9 of a larger hole."""
    base = [(x - np.floor(x), y - np.floor(y)) for x, y in points]

    def to_nearest(x: float, y: float) -> float:
        return min(
            hypot(x - a - i, y - b - k)
            for a, b in base
            for i, k in product((-2, -1, 0, 1, 2), repeat=2)
        )

    squares, half, best = [(0.5, 0.5)], 0.5, 0.0
    while squares and half > 1e-6:
        half /= 2
        quarters = [
            (x + i * half, y + k * half) for x, y in squares for i, k in product((-1, 1), repeat=2)
        ]
        scores = [to_nearest(x, y) for x, y in quarters]
        best = max(best, *scores)
        squares = [
            q for q, s in zip(quarters, scores, strict=True) if s + half * sqrt(2) > best + 1e-9
        ]
    return best


@given(point_sets())
def test_packing_distance_is_the_slow_one(points: Points) -> None:
    assert packing_distance(points) == pytest.approx(slow_packing(points), abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_largest_hole_is_the_slow_one(seed: int) -> None:
    points = np.random.default_rng(seed).normal(0, 2, (seed % 9 + 1, 2))
    slow = slow_hole([(float(x), float(y)) for x, y in points])
    assert float(largest_hole(points)) == pytest.approx(slow, abs=3e-6)
    assert float(largest_hole(points)) >= slow - 2e-9


@given(point_sets(), st.tuples(coordinates, coordinates))
def test_no_place_is_farther_than_the_largest_hole(
    points: Points, location: tuple[float, float]
) -> None:
    there = min(
        hypot(*(d - round(d) for d in (location[0] - x, location[1] - y))) for x, y in points
    )
    assert there <= float(largest_hole(points)) + 2e-9


@given(point_sets(), st.data())
def test_whole_pixels_order_and_a_common_shift_change_nothing(
    points: Points, data: st.DataObject
) -> None:
    shift = data.draw(st.tuples(st.integers(-9, 9), st.integers(-9, 9)))
    common = data.draw(st.tuples(coordinates, coordinates))
    shuffled = np.array(data.draw(st.permutations(points)))
    whole = np.round(shuffled * 3)
    moved = shuffled + shift + whole + common
    assert_allclose(packing_distance(moved), packing_distance(points), atol=1e-12)
    assert_allclose(largest_hole(moved), largest_hole(points), atol=2e-9)


@given(point_sets(), st.integers(0, 8))
def test_a_point_that_coincides_closes_no_hole(points: Points, which: int) -> None:
    doubled = [*points, points[which % len(points)]]
    assert float(packing_distance(doubled)) == 0.0
    assert float(largest_hole(doubled)) == pytest.approx(float(largest_hole(points)), abs=2e-9)


def test_all_coincident_is_as_one() -> None:
    assert float(largest_hole(np.full((7, 2), 0.3))) == pytest.approx(sqrt(0.5), abs=2e-9)


@given(point_sets())
def test_no_pattern_packs_or_covers_better_than_theory_allows(points: Points) -> None:
    n = len(points)
    assert float(packing_distance(points)) <= packing_limit(n) + 1e-12
    # Discs of the hole's radius cover the torus: Kershner's bound on the thinnest covering.
    assert float(largest_hole(points)) >= sqrt(2 / (3 * sqrt(3) * n)) - 2e-9


SQRT3 = sqrt(3)

OPTIMA = [
    pytest.param([(0, 0)], id="1"),
    pytest.param([(0, 0), (0.5, 0.5)], id="2"),
    pytest.param([(i / 5, 2 * i / 5) for i in range(5)], id="5 lattice"),
]


def equilateral_of_four() -> Points:
    """Return the three's triangles and the fourth point that fits between them (d_3 = d_4)."""
    d = (sqrt(6) - sqrt(2)) / 2
    c, s = d * np.cos(np.radians(15)), d * np.sin(np.radians(15))
    return [(0.0, 0.0), (c, s), (s, c), (s + c, s + c)]


@pytest.mark.parametrize(
    "points",
    [
        *OPTIMA,
        pytest.param(equilateral_of_four(), id="4"),
        pytest.param(equilateral_of_four()[:3], id="3"),
    ],
)
def test_published_optima_reach_the_limit(points: Points) -> None:
    assert float(packing_distance(points)) == pytest.approx(PACKING_LIMIT[len(points)], abs=1e-12)


def test_limits_are_those_of_the_literature() -> None:
    expected = [1, 0.707107, 0.517638, 0.517638, 0.447214, 0.400406, 0.366025, 0.366025, 0.343724]
    assert_allclose([PACKING_LIMIT[n] for n in range(1, 10)], expected, atol=5e-7)
    x = PACKING_LIMIT[6]
    assert 9 * x**4 - 6 * x**3 - 14 * x**2 - 4 * x + 4 == pytest.approx(0, abs=1e-14)
    holes = [0.707107, 0.5, 0.392837, 0.3125, 0.292893, 0.263523, 0.258819, 0.220971, 0.211144]
    assert_allclose([COVERING_BEST[n] for n in range(1, 10)], holes, atol=5e-7)


def test_limit_beyond_nine_is_a_bound_that_keeps_falling() -> None:
    limits = [packing_limit(n) for n in range(1, 60)]
    assert limits == sorted(limits, reverse=True)
    for n in range(1, 10):  # the same bound is above every limit that is proved
        assert PACKING_LIMIT[n] <= sqrt(2 / (SQRT3 * n)) or n == 1
    with pytest.raises(ValueError, match="at least one point, not 0"):
        packing_limit(0)


@pytest.mark.parametrize(
    ("a", "b", "packing", "hole"),
    [
        pytest.param(1, 0, 1.0, sqrt(0.5), id="one"),
        pytest.param(2, 0, 0.5, sqrt(2) / 4, id="half-pixel box"),
        pytest.param(3, 0, 1 / 3, sqrt(2) / 6, id="3 x 3"),
        pytest.param(4, 0, 0.25, sqrt(2) / 8, id="4 x 4"),
    ],
)
def test_square_grids(a: int, b: int, packing: float, hole: float) -> None:
    grid = [(i / a, j / a + b) for i in range(a) for j in range(a)]
    assert float(packing_distance(grid)) == pytest.approx(packing, abs=1e-12)
    assert float(largest_hole(grid)) == pytest.approx(hole, abs=2e-9)


@pytest.mark.parametrize("b", [1, 2, 3, 5])
@pytest.mark.parametrize(("n", "tolerance"), [(7, 2e-9), (13, 2e-9), (17, 2e-9)])
def test_hole_of_a_lattice_is_its_circumradius(b: int, n: int, tolerance: float) -> None:
    # Lattice (1, b)/n, (0, 1): the circumradius of its reduced triangle, abc / 4 area.
    points = [(i / n, (i * b / n) % 1) for i in range(n)]
    vectors = [
        np.array([(i + 0.0) / n - k, i * b / n - m])
        for i in range(n)
        for k in range(-1, 2)
        for m in range(-1, b + 2)
    ]
    vectors = sorted((v for v in vectors if hypot(*v) > 1e-9), key=lambda v: hypot(*v))
    u = vectors[0]
    v = next(w for w in vectors if abs(u[0] * w[1] - u[1] * w[0]) > 1e-9)
    if u @ v < 0:
        v = -v
    sides = hypot(*u), hypot(*v), hypot(*(u - v))
    radius = sides[0] * sides[1] * sides[2] / (2 * abs(u[0] * v[1] - u[1] * v[0]))
    assert float(largest_hole(points)) == pytest.approx(radius, abs=tolerance)


def test_leading_axes_are_sets_of_their_own() -> None:
    sets = np.random.default_rng(5).uniform(-3, 3, (3, 4, 6, 2))
    for function in (packing_distance, largest_hole):
        together = function(sets)
        assert together.shape == (3, 4)
        assert_allclose(together[2, 1], function(sets[2, 1]), atol=1e-15)


@pytest.mark.parametrize("n", [17, 40])
def test_many_points_leave_no_larger_hole(n: int) -> None:
    points = np.random.default_rng(n).uniform(0, 1, (n, 2))
    hole = float(largest_hole(points))
    places = np.random.default_rng(0).uniform(0, 1, (20_000, 2))
    step = places[:, None] - points
    step -= np.rint(step)
    seen = float(np.max(np.min(np.hypot(step[..., 0], step[..., 1]), axis=1)))
    assert hole - 0.02 < seen <= hole + 2e-9


@given(coordinates)
def test_negative_offsets_wrap(x: float) -> None:
    phase = float(wrap(x))
    assert 0 <= phase < 1
    gap = x - phase
    assert gap == pytest.approx(round(gap), abs=1e-12)


def test_mirrored_is_not_wrapped() -> None:
    # -0.1 is phase 0.9: near 0.85, far from 0.1.
    assert float(packing_distance([(-0.1, 0), (0.85, 0)])) == pytest.approx(0.05)
    assert float(wrap(-1e-20)) == 0.0


@pytest.mark.parametrize(
    "bad", [np.zeros(2), np.zeros((0, 2)), np.zeros((3, 3)), [(0.0, np.nan)], [(np.inf, 0.0)]]
)
def test_what_is_no_set_of_phases_is_refused(bad: FloatArray) -> None:
    for function in (packing_distance, largest_hole):
        with pytest.raises(ValueError, match=r"phases must"):
            function(bad)


# Steps between pointings.


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        pytest.param([(0, 0)], 0, id="one point"),
        pytest.param([(0, 0), (0, 0)], 0, id="no move"),
        pytest.param([(0, 0), (1.249, 0)], 20, id="short"),
        pytest.param([(0, 0), (1.25, 0)], 30, id="from 1.25"),
        pytest.param([(0, 0), (9.99, 0)], 30, id="to 10"),
        pytest.param([(0, 0), (6, 8)], 60, id="from 10"),
        pytest.param([(0, 0), (100, 0)], 60, id="beyond the guide stars: the move alone"),
        pytest.param([(0, 0), (0.5, 0), (3, 0), (40, 0)], 110, id="a path"),
    ],
)
def test_slews_cost_what_the_handbook_says(steps: Points, seconds: float) -> None:
    assert slew_seconds(steps) == seconds


def test_separation_and_span() -> None:
    points = [(0.0, 0.0), (3.0, 4.0), (0.0, 2.0)]
    assert min_separation(points) == 2.0
    assert span(points) == 5.0
    assert min_separation([(1.0, 1.0)]) == float("inf")
    assert span([(1.0, 1.0)]) == 0.0


def path_length(points: Points, order: tuple[int, ...]) -> float:
    return sum(
        hypot(points[a][0] - points[b][0], points[a][1] - points[b][1]) for a, b in pairwise(order)
    )


@given(point_sets(6))
def test_the_path_is_the_shortest_of_all(points: Points) -> None:
    order = order_points(points)
    every = ((0, *rest) for rest in permutations(range(1, len(points))))
    assert order[0] == 0
    assert sorted(order) == list(range(len(points)))
    assert path_length(points, order) <= min(path_length(points, o) for o in every) + 1e-7


def test_nine_points_on_a_line_are_taken_in_turn() -> None:
    points = [(float(x), 0.0) for x in (0, 5, 1, 7, 3, 8, 2, 6, 4)]
    assert [points[i][0] for i in order_points(points)] == list(range(9))


def test_a_long_path_is_not_much_longer_than_the_best() -> None:
    points = [(float(x), float(y)) for x in range(6) for y in range(6)]
    shuffled = [points[0], *np.random.default_rng(3).permutation(points[1:]).tolist()]
    order = order_points(shuffled)
    assert order[0] == 0
    assert sorted(order) == list(range(36))
    assert path_length(shuffled, order) < 1.3 * 35
    assert order == order_points(shuffled)


@pytest.mark.parametrize("seed", range(40))
def test_many_points_find_the_hole_that_few_find(seed: int) -> None:
    # Doubled points close no hole, and more than 16 take another way.
    points = np.random.default_rng(seed).uniform(0, 1, (9 + seed % 8, 2))
    few, many = largest_hole(points), largest_hole(np.repeat(points, 2, axis=0))
    assert few - 1e-6 <= many <= few + 2e-9
