"""What pointing errors leave of a pattern."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from aptdither.dither.catalog import load_catalog
from aptdither.dither.coverage import evaluate
from aptdither.dither.phases import packing_limit
from aptdither.dither.pointing_errors import (
    ONE_GUIDE_STAR,
    PointingBudget,
    PointingExpectation,
    _pixels_per_arcsec,
    expect,
)
from aptdither.dither.views import View, field_points
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import FloatArray, Region

IR = get_aperture("IR")
F125W = get_element("F125W", "WFC3/IR")
FULL = Region.full()
NONE = PointingBudget(step_mas=0, drift_mas_per_orbit=0, reacquisition_mas=0, roll_deg=0)


def box() -> FloatArray:
    return load_catalog().get("WFC3-IR-DITHER-BOX-MIN").postargs(IR)


def test_without_errors_the_pattern_is_what_it_is() -> None:
    found = expect(box(), View(IR, F125W, FULL), orbits=[1, 1, 2, 3], budget=NONE)
    worst = evaluate(box(), View(IR, F125W, FULL)).worst
    for name in ("efficiency_nominal", "efficiency_median", "efficiency_5"):
        assert getattr(found, name) == pytest.approx(worst.efficiency, abs=1e-9)
    for name in ("packing_nominal", "packing_median", "packing_5"):
        assert getattr(found, name) == pytest.approx(worst.packing_of_limit, abs=1e-9)


def test_same_seed_same_numbers() -> None:
    one, two, other = (expect(box(), View(IR, F125W, FULL), seed=seed) for seed in (4, 4, 5))
    assert one == two
    assert one.efficiency_median != other.efficiency_median
    assert other.efficiency_median == pytest.approx(one.efficiency_median, abs=0.01)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(PointingBudget)])
def test_every_error_costs_something_and_more_costs_more(field: str) -> None:
    large = {"roll_deg": 2.0}.get(field, 30.0)
    orbits = [1, 1, 2, 2]
    medians = [
        expect(
            box(),
            View(IR, F125W, FULL),
            orbits=orbits,
            budget=dataclasses.replace(NONE, **{field: size}),
            samples=100,
        ).efficiency_median
        for size in (0.0, large / 2, large)
    ]
    assert medians[0] > medians[1] > medians[2]


def test_reacquisition_does_not_matter_within_one_orbit() -> None:
    budget = dataclasses.replace(NONE, reacquisition_mas=20)
    one = expect(box(), View(IR, F125W, FULL), orbits=[3, 3, 3, 3], budget=budget)
    assert one.efficiency_5 == pytest.approx(one.efficiency_nominal, abs=1e-9)
    assert one.orbits == 1
    two = expect(box(), View(IR, F125W, FULL), orbits=[3, 3, 4, 4], budget=budget)
    assert two.efficiency_median < one.efficiency_median - 0.01
    assert two.orbits == 2


def test_the_packing_of_two_loses_what_a_plain_simulation_says() -> None:
    # Two exposures half a pixel apart in x and y; steps alone, at the place of the target.
    pixels = np.array([(0.0, 0.0), (0.5, 0.5)])
    postargs = np.stack(IR.postarg_from_offset(pixels[:, 0], pixels[:, 1]), axis=-1)
    budget = dataclasses.replace(NONE, step_mas=10)
    found = expect(postargs, View(IR, F125W, Region.point()), budget=budget, samples=4000)
    rng = np.random.default_rng(99)
    scale = np.array([0.135601, 0.121307])
    found_distances = []
    for _ in range(4000):
        gap = 0.5 + (rng.normal(0, 0.010, 2) - rng.normal(0, 0.010, 2)) / scale
        gap = np.minimum(gap, 1 - gap)
        found_distances.append(float(np.hypot(*gap)))
    distances = np.array(found_distances) / packing_limit(2)
    assert found.packing_median == pytest.approx(np.median(distances), abs=0.008)
    assert found.packing_5 == pytest.approx(np.quantile(distances, 0.05), abs=0.016)


def test_five_percent_is_below_the_median() -> None:
    found = expect(box(), View(IR, F125W, FULL))
    assert found.efficiency_5 < found.efficiency_median < found.efficiency_nominal
    assert found.packing_5 < found.packing_median


def test_the_default_sample_is_near_a_large_one() -> None:
    few = expect(box(), View(IR, F125W, FULL))
    many = expect(box(), View(IR, F125W, FULL), samples=3000, seed=8)
    assert few.efficiency_median == pytest.approx(many.efficiency_median, abs=0.006)
    assert few.efficiency_5 == pytest.approx(many.efficiency_5, abs=0.012)


def test_the_range_of_the_sourced_errors() -> None:
    # An independent judge found 0.991 to 0.974 (filled aperture) with 2 mas, and 5 mas with drift.
    view = View(IR, F125W, FULL)
    found = expect(load_catalog().get("tight-6").postargs(IR), view)
    assert found.efficiency_low == pytest.approx(0.974, abs=0.006)
    assert found.efficiency_high == pytest.approx(0.991, abs=0.003)
    assert found.efficiency_low < found.efficiency_median < found.efficiency_high


def test_it_is_the_worst_of_the_table() -> None:
    # Its worst place is neither the center nor a corner.
    box = load_catalog().get("WFC3-IR-DITHER-BOX-UVIS").postargs(IR)
    view = View(IR, F125W, FULL)
    worst = evaluate(box, view).worst
    found = expect(box, view, budget=NONE, samples=2)
    assert found.efficiency_nominal == worst.efficiency
    assert found.efficiency_median == pytest.approx(worst.efficiency, abs=1e-9)
    assert found.packing_median == pytest.approx(worst.packing_of_limit, abs=1e-9)


def test_more_orbits_cost_more() -> None:
    found = expect(box(), View(IR, F125W, FULL), orbits=[1, 1, 2, 2])
    assert found.efficiency_median < found.efficiency_one_orbit - 0.005
    one = expect(box(), View(IR, F125W, FULL))
    assert one.efficiency_one_orbit == one.efficiency_median


def test_packing_is_that_of_each_cluster() -> None:
    # Two clusters in whole pixels of each other share their phases, as clusters may.
    tight, view = load_catalog().get("tight-4").postargs(IR), View(IR, F125W, Region.point())
    step = np.array(IR.postarg_from_offset(20.0, 3.0))
    both = np.concatenate([tight, tight + step])
    assert expect(both, view, budget=NONE, samples=2).packing_nominal < 0.05
    found = expect(both, view, clusters=2, budget=NONE, samples=2)
    alone = expect(tight, view, budget=NONE, samples=2)
    assert found.packing_nominal == pytest.approx(alone.packing_nominal, abs=0.01)


def test_one_guide_star_drifts_more() -> None:
    view = View(IR, F125W, FULL)
    assert expect(box(), view, budget=ONE_GUIDE_STAR).efficiency_median < (
        expect(box(), view).efficiency_median
    )


def test_one_exposure_has_nothing_to_lose() -> None:
    found = expect([(0.0, 0.0)], View(IR, F125W, FULL))
    assert found.efficiency_5 == pytest.approx(found.efficiency_nominal)
    assert found.packing_median == 1


def test_it_is_plain_json() -> None:
    found = expect(box(), View(IR, F125W, FULL), orbits=[1, 1, 2, 2])
    assert isinstance(found, PointingExpectation)
    again = json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))
    assert again["orbits"] == 2


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="4 POS TARGs and 2 orbit numbers"):
        expect(box(), View(IR, F125W, FULL), orbits=[1, 2])
    with pytest.raises(ValueError, match="step_mas must be a number, zero or more, not -1"):
        PointingBudget(step_mas=-1)
    with pytest.raises(ValueError, match="roll_deg"):
        PointingBudget(roll_deg=float("nan"))


def test_errors_in_arcsec_become_pixels_of_the_place() -> None:
    view = View(IR, F125W, FULL)
    field = field_points(view, grid=2)
    to_pixels = _pixels_per_arcsec(view, field)
    for f in range(5):
        at = (field.x_pix[f], field.y_pix[f])
        for error in ((0.010, 0.0), (0.0, 0.010), (-0.007, 0.004)):
            exact = np.array(IR.offset_from_postarg(*error, at=at))
            np.testing.assert_allclose(to_pixels[f] @ error, exact, atol=2e-6)
