"""More than nine exposures: how they are split, stepped apart and interleaved."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from aptdither.dither.catalog import load_catalog
from aptdither.dither.clusters import (
    hexagonal_spiral,
    interleave,
    offset_clusters,
    split_counts,
)
from aptdither.dither.coverage import evaluate
from aptdither.dither.phases import packing_distance, span
from aptdither.dither.views import View
from aptdither.errors import RefusalError
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.optics.detector import WFC3_IR
from aptdither.optics.filters import get_element
from aptdither.types import FloatArray, Region

GUIDE_STAR_LIMIT_ARCSEC = WFC3_IR.guide_star_limit_arcsec

IR = get_aperture("IR")


def in_pixels(postargs: FloatArray, aperture: Aperture = IR) -> FloatArray:
    return np.stack(aperture.offset_from_postarg(postargs[:, 0], postargs[:, 1]), axis=-1)


def between_clusters(postargs: FloatArray, size: int, aperture: Aperture = IR) -> float:
    """Return the smallest distance, pixels, of points of different clusters."""
    clusters = in_pixels(postargs, aperture).reshape(-1, size, 2)
    return min(
        float(np.min(np.hypot(*np.moveaxis(a[:, None] - b, -1, 0))))
        for a, b in combinations(clusters, 2)
    )


@pytest.mark.parametrize(
    ("m", "sizes"),
    [
        (1, (1,)),
        (9, (9,)),
        (10, (5, 5)),
        (11, (6, 5)),
        (15, (8, 7)),
        (16, (8, 8)),
        (18, (9, 9)),
        (19, (7, 6, 6)),
        (1000, (9,) * 104 + (8,) * 8),
    ],
)
def test_splits(m: int, sizes: tuple[int, ...]) -> None:
    assert split_counts(m) == sizes


@given(st.integers(1, 1000), st.integers(1, 9))
def test_splits_are_the_fewest_and_as_equal_as_can_be(m: int, most: int) -> None:
    sizes = split_counts(m, most)
    assert sum(sizes) == m
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert (len(sizes) - 1) * most < m
    assert list(sizes) == sorted(sizes, reverse=True)


def test_no_split_of_nothing() -> None:
    with pytest.raises(ValueError, match="0 points cannot be split"):
        split_counts(0)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        *((name, "IR") for name in ("WFC3-IR-DITHER-BOX-MIN", "go-13417", "tight-8", "wide-5")),
        ("WFC3-UVIS-DITHER-BOX", "UVIS"),
        ("ACS-WFC-DITHER-BOX", "WFC"),
    ],
)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_clusters_clear_an_artifact_and_keep_their_pattern(
    name: str, where: str, count: int
) -> None:
    aperture = get_aperture(where)
    detector = aperture.detector
    pattern = load_catalog().get(name).postargs(aperture)
    combined = offset_clusters([pattern] * count, aperture)
    assert combined.shape == (count * len(pattern), 2)
    assert_allclose(combined[: len(pattern)], pattern, atol=1e-9)
    rounding_pix = 1.5 * detector.design_rounding_pix
    apart = between_clusters(combined, len(pattern), aperture)
    assert apart >= detector.widest_spacing_pix - rounding_pix
    # Every cluster is its pattern, to the rounding of what is written, where the target lands.
    for cluster in in_pixels(combined, aperture).reshape(count, -1, 2):
        wanted = in_pixels(pattern, aperture)
        assert_allclose(cluster - cluster[0], wanted - wanted[0], atol=rounding_pix)


def test_a_cluster_is_as_good_by_itself_as_its_pattern() -> None:
    pattern = load_catalog().get("tight-8").postargs(IR)
    combined = offset_clusters([pattern, pattern], IR)
    element = get_element("F125W", "WFC3/IR")
    alone = evaluate(pattern, View(IR, element, Region.full()), grid=5)
    second = evaluate(combined[8:] - combined[8], View(IR, element, Region.full()), grid=5)
    assert second.worst.efficiency == pytest.approx(alone.worst.efficiency, abs=0.004)
    assert second.worst.packing == pytest.approx(alone.worst.packing, abs=0.03)


@pytest.mark.parametrize("name", ["WFC3-IR-DITHER-LINE", "WFC3-IR-DITHER-BOX-MIN", "go-13417"])
def test_sixteen_are_not_twice_the_same_eight(name: str) -> None:
    pattern = load_catalog().get(name).postargs(IR)
    both = evaluate(
        offset_clusters([pattern] * 2, IR),
        View(IR, get_element("F125W", "WFC3/IR"), Region.point()),
    )
    once = evaluate(pattern, View(IR, get_element("F125W", "WFC3/IR"), Region.point()))
    assert both.center.packing_of_limit > 0.8
    assert both.center.hole < 0.75 * once.center.hole
    assert both.center.efficiency >= once.center.efficiency


def test_two_lines_become_the_box() -> None:
    # (0, 0) (0.5, 0.5) and the same by half a pixel along x: the half-pixel box.
    line = np.array([(0.0, 0.0), (3.5, 3.5)])
    steps = interleave([line, line])
    union = np.concatenate([line, line + steps[1]])
    assert float(packing_distance(union)) == pytest.approx(0.5, abs=1e-3)


def test_interleaving_finds_what_a_fine_grid_finds() -> None:
    first, second = np.random.default_rng(2).uniform(0, 1, (2, 4, 2))
    line = np.linspace(0, 1, 150, endpoint=False)
    shifts = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 1, 2)
    unions = np.concatenate([np.broadcast_to(first, (len(shifts), 4, 2)), second + shifts], axis=1)
    step = interleave([first, second])[1]
    found = float(packing_distance(np.concatenate([first, second + step])))
    assert found >= float(np.max(packing_distance(unions))) - 0.003


def test_steps_are_about_two_arcsec() -> None:
    pattern = load_catalog().get("WFC3-IR-DITHER-BOX-MIN").postargs(IR)
    combined = offset_clusters([pattern, pattern], IR)
    assert 1.9 <= float(np.hypot(*(combined[4] - combined[0]))) <= 3.0


@pytest.mark.parametrize("m", [10, 27, 1000])
def test_any_number_stays_with_the_guide_stars(m: int) -> None:
    catalog = load_catalog()
    combined = offset_clusters(
        [catalog.get(f"tight-{n}").postargs(IR) for n in split_counts(m)], IR
    )
    assert len(combined) == m
    assert span(combined) < GUIDE_STAR_LIMIT_ARCSEC


def test_what_the_guide_stars_cannot_hold_is_refused() -> None:
    far = np.array([(0.0, 0.0), (125.0, 0.0)])
    with pytest.raises(RefusalError, match=r"40 clusters with 80 points .* guide stars are kept"):
        offset_clusters([far] * 40, IR)


def test_clusters_interleave_where_a_base_puts_the_target() -> None:
    pattern = load_catalog().get("WFC3-IR-DITHER-BOX-MIN").postargs(IR)
    base = (40.0, -35.0)
    element = get_element("F125W", "WFC3/IR")
    there = evaluate(
        offset_clusters([pattern] * 2, IR, base=base), View(IR, element, Region.point()), base=base
    )
    elsewhere = evaluate(
        offset_clusters([pattern] * 2, IR), View(IR, element, Region.point()), base=base
    )
    assert there.center.packing > elsewhere.center.packing + 0.02


def test_one_cluster_stays_as_it_is() -> None:
    pattern = load_catalog().get("go-13417").postargs(IR)
    assert np.array_equal(offset_clusters([pattern], IR), pattern)
    with pytest.raises(ValueError, match="no clusters"):
        offset_clusters([], IR)


def test_same_answer_every_time() -> None:
    pattern = load_catalog().get("go-13417").postargs(IR)
    assert np.array_equal(offset_clusters([pattern] * 3, IR), offset_clusters([pattern] * 3, IR))


@pytest.mark.parametrize("count", [1, 2, 7, 8, 19, 120])
def test_the_spiral_is_compact_and_its_places_are_apart(count: int) -> None:
    places = hexagonal_spiral(count)
    assert len(places) == count
    steps = places[:, None] - places
    distance = np.hypot(steps[..., 0], steps[..., 1]) + 9 * np.eye(count)
    assert count == 1 or float(distance.min()) == pytest.approx(1)
    # Rings of 6, 12, 18, ... places.
    assert (
        np.max(np.hypot(places[:, 0], places[:, 1]))
        <= np.ceil((np.sqrt(12 * count - 3) - 3) / 6) + 1e-9
    )
    if count > 1:
        assert_allclose(places[1], (1, 0))
        assert np.max(np.hypot(*np.diff(places, axis=0).T)) <= np.sqrt(3) + 1e-9


def test_where_no_step_helps_the_packing_the_hole_decides() -> None:
    # Both clusters repeat one phase: the packing distance is 0 whatever the step.
    twice = np.array([(0.0, 0.0), (3.0, 1.0)])
    assert_allclose(interleave([twice, twice])[1], (0.5, 0.5), atol=2e-3)
