"""Frames, chips and views: one displacement on the sky, seen by every detector."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from aptdither.dither.bounds import possible_efficiency, possible_metrics
from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.optimize import OptimizeResult, optimize
from aptdither.dither.optimizer.problem import decisive
from aptdither.dither.optimizer.strategy import Effort
from aptdither.dither.phases import packing_limit
from aptdither.dither.pointing_errors import PointingBudget, expect
from aptdither.dither.region import Footprint
from aptdither.dither.views import View, as_views, band_at, field_points, offsets_at
from aptdither.errors import OpticsError
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.optics.chip import Readout
from aptdither.optics.detector import get_detector, supported_configs
from aptdither.optics.filters import get_element
from aptdither.optics.siaf import Frame, chip_distortion, siaf_frame
from aptdither.types import FloatArray, Region

CONFIG = "WFC3/IR"
IR, FIX = get_aperture("IR"), get_aperture("IR-FIX")
F125W, F160W = get_element("F125W", CONFIG), get_element("F160W", CONFIG)
BOX = np.array([(0, 0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)])
SMALL = Effort(climbers=4, moves=0)

#: A made-up detector beside the prime: IR's optics, turned and shifted in (V2, V3).
TURNED = replace(IR, name="TURNED", frame=replace(IR.frame, theta_deg=177.4, v2_arcsec=264.2))

angles = st.floats(-180, 180)
coordinates = st.floats(-100, 100)


def frame(theta_deg: float, v2: float = 0.0, v3: float = 0.0) -> Frame:
    return replace(IR.frame, theta_deg=theta_deg, v2_arcsec=v2, v3_arcsec=v3)


def turned_by_hand(postargs: FloatArray, given_deg: float, wanted_deg: float) -> FloatArray:
    """Write out the rotation of facts: to (V2, V3) with one theta, back with the other."""
    one, two = np.radians(given_deg), np.radians(wanted_deg)
    x, y = postargs[..., 0], postargs[..., 1]
    v2, v3 = -x * np.cos(one) + y * np.sin(one), x * np.sin(one) + y * np.cos(one)
    return np.stack(
        [-v2 * np.cos(two) + v3 * np.sin(two), v2 * np.sin(two) + v3 * np.cos(two)], axis=-1
    )


# Frames ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["IIR", "IIRFIX", "IIR1024G", "IIRUVISCTR"])
def test_frames_agree_with_pysiaf(name: str) -> None:
    pysiaf = pytest.importorskip("pysiaf")
    theirs, ours = pysiaf.Siaf("HST")[name], siaf_frame(CONFIG, name)
    x, y = 3.0, -5.0
    step = np.subtract(theirs.idl_to_tel(x, y), theirs.idl_to_tel(0.0, 0.0))
    assert_allclose(ours.to_v2v3 @ (x, y), step, rtol=0, atol=1e-7)
    assert_allclose((ours.v2_arcsec, ours.v3_arcsec), theirs.idl_to_tel(0.0, 0.0), atol=1e-9)


@pytest.mark.parametrize("name", ["IUVIS1", "IUVISCTR", "JWFC1"])
def test_a_postarg_of_ir_seen_by_other_instruments_agrees_with_pysiaf(name: str) -> None:
    siaf = pytest.importorskip("pysiaf").Siaf("HST")
    theirs = siaf[name]
    other = replace(
        IR.frame,
        theta_deg=theirs.V3IdlYAngle,
        v2_arcsec=theirs.V2Ref,
        v3_arcsec=theirs.V3Ref,
    )
    postarg = (0.542, 0.182)
    start, end = siaf["IIR"].idl_to_tel(0.0, 0.0), siaf["IIR"].idl_to_tel(*postarg)
    v2, v3 = np.add((theirs.V2Ref, theirs.V3Ref), np.subtract(end, start))
    assert_allclose(other.postarg_from(IR.frame, *postarg), theirs.tel_to_idl(v2, v3), atol=2e-6)


@given(angles, angles, coordinates, coordinates)
def test_a_rotation_keeps_lengths_and_has_an_inverse(
    one: float, two: float, x: float, y: float
) -> None:
    first, second = frame(one), frame(two, 30.0, -20.0)
    there = second.postarg_from(first, x, y)
    assert np.hypot(*there) == pytest.approx(np.hypot(x, y), abs=1e-9)
    assert_allclose(first.postarg_from(second, *there), (x, y), rtol=0, atol=1e-9)
    assert_allclose(there, turned_by_hand(np.array([x, y]), one, two), rtol=0, atol=1e-9)


def test_equal_frames_change_no_bit() -> None:
    x, y = 0.1 + 0.2, -1e-17
    assert list(IR.frame.postarg_from(frame(IR.frame.theta_deg, 9.0), x, y)) == [x, y]


# Detectors and chips -----------------------------------------------------------------------------


def test_supported_detectors() -> None:
    assert supported_configs() == (CONFIG, "WFC3/UVIS", "ACS/WFC", "ACS/SBC")
    assert IR.detector is get_detector(CONFIG)
    with pytest.raises(OpticsError, match="supported: WFC3/IR, WFC3/UVIS, ACS/WFC, ACS/SBC"):
        get_detector("ACS/HRC")


def test_what_lies_on_the_detector() -> None:
    assert IR.contains(1, 1014)
    assert IR.contains(0.5, 1014.5)
    assert not IR.contains(0.4, 500)
    assert not IR.contains(5000, -300)
    assert get_aperture("IRSUB64").contains(1, 1)  # on the detector, though not read
    with pytest.raises(OpticsError, match="does not read chip 2; it reads chip 1"):
        IR.contains(1, 1, chip=2)


def two_chips() -> Aperture:
    """Return IR's optics as two chips of 1014 x 507, the second one turned a little, with a gap."""
    low = replace(IR.chip(), readout=Readout(x_min=1, x_max=1014, y_min=508, y_max=1014))
    # Its reference point lies 61.5 arcsec below the first one's along y of the POS TARG frame.
    v2, v3 = IR.frame.to_v2v3 @ (0.3, -61.5)
    row = replace(
        IR.frame,
        theta_deg=IR.frame.theta_deg + 0.1,
        v2_arcsec=IR.frame.v2_arcsec + v2,
        v3_arcsec=IR.frame.v3_arcsec + v3,
    )
    high = replace(
        low,
        name="second",
        number=2,
        distortion=chip_distortion(IR.distortion, row, IR.frame),
    )
    return replace(IR, name="TWO", chips=(low, high))


def test_a_chip_lies_in_the_frame_of_the_aperture() -> None:
    aperture = two_chips()
    assert_allclose(aperture.ideal_from_pixel(557, 557, chip=2), (0.3, -61.5), rtol=0, atol=1e-12)
    x, y = aperture.ideal_from_pixel([1.0, 900.0], [600.0, 1000.0], chip=2)
    own = np.stack(IR.ideal_from_pixel([1.0, 900.0], [600.0, 1000.0]), axis=-1)
    theta = IR.frame.theta_deg
    expected = turned_by_hand(own, theta + 0.1, theta) + np.array([0.3, -61.5])
    assert_allclose(np.stack([x, y], axis=-1), expected, atol=1e-9)
    assert_allclose(aperture.pixel_from_ideal(x, y, chip=2)[0], [1.0, 900.0], atol=1e-8)
    assert aperture.chip_at(0.0, 20.0).number == 1
    assert aperture.chip_at(0.0, -30.0).number == 2


def test_coverage_of_two_chips_is_that_of_each() -> None:
    aperture = two_chips()
    view = View(aperture, F125W, Region.full())
    coverage = evaluate(BOX, view, grid=3, refine=False)
    assert coverage.field.chip.tolist() == [1] + [1] * 9 + [2] * 9
    for number in (1, 2):
        alone = replace(aperture, chips=(aperture.chip(number),))
        if number == 2:
            alone = replace(alone, frame=replace(alone.frame, chip=2))
        members = coverage.field.chip == number
        single = evaluate(BOX, View(alone, F125W, Region.full()), grid=3, refine=False)
        assert_allclose(coverage.efficiency[members][-9:], single.efficiency[-9:], atol=1e-12)
        assert_allclose(coverage.packing[members][-9:], single.packing[-9:], atol=1e-9)


def test_a_disc_over_the_gap_has_points_on_both_chips() -> None:
    aperture = two_chips()
    points = Footprint.of(Region.disc(diameter_arcsec=30), aperture).sample(5)
    assert points.chip[0] == 1
    assert set(points.chip.tolist()) == {1, 2}
    for chip in aperture.chips:
        members = points.chip == chip.number
        assert not chip.readout.distance(points.x_pix[members], points.y_pix[members]).any()
        x, y = aperture.ideal_from_pixel(
            points.x_pix[members], points.y_pix[members], chip=chip.number
        )
        assert np.hypot(x, y).max() < 15.5


# Several views -----------------------------------------------------------------------------------


def test_a_rotated_detector_sees_the_same_displacement() -> None:
    view = View(TURNED, F125W, Region.full(), IR.frame)
    own = turned_by_hand(BOX, IR.frame.theta_deg, 177.4)
    seen = evaluate(BOX, view, base=(1.0, 2.0), grid=3)
    base = turned_by_hand(np.array([1.0, 2.0]), IR.frame.theta_deg, 177.4)
    alone = evaluate(own, View(TURNED, F125W, Region.full()), base=base, grid=3)
    assert_allclose(seen.efficiency, alone.efficiency, rtol=0, atol=1e-9)
    apart = seen.phases - alone.phases
    assert_allclose(apart - np.rint(apart), 0, atol=1e-9)
    # And it is not what IR sees: the turn matters.
    unturned = evaluate(BOX, View(TURNED, F125W, Region.full()), grid=3)
    assert abs(unturned.worst.packing - seen.worst.packing) > 0.01


def test_views_concatenate() -> None:
    disc = Region.disc(diameter_arcsec=60)
    views = (View(IR, F160W, disc), View(TURNED, F125W, Region.point(), IR.frame))
    field = field_points(views, grid=3)
    assert field.view.tolist() == [0] * 9 + [1]
    offsets, band = offsets_at(BOX, views, field), band_at(views, field)
    efficiency = band.efficiency(offsets)
    together = evaluate(BOX, views, grid=3, refine=False)
    assert_allclose(efficiency, together.efficiency, atol=1e-12)
    for index, view in enumerate(views):
        alone = evaluate(BOX, view, grid=3, refine=False)
        assert_allclose(efficiency[field.view == index], alone.efficiency, atol=1e-12)


def test_coverage_of_several_views_is_the_worst_of_each() -> None:
    views = (View(IR, F160W, Region.full()), View(TURNED, F125W, Region.full(), IR.frame))
    together, alone = evaluate(BOX, views), [evaluate(BOX, view) for view in views]
    assert together.center.efficiency == pytest.approx(alone[0].center.efficiency, abs=1e-12)
    for name, worst in (("efficiency", min), ("packing", min), ("hole", max)):
        expected = worst(getattr(coverage.worst, name) for coverage in alone)
        assert getattr(together.worst, name) == pytest.approx(expected, abs=2e-3)
    assert together.worst.efficiency == pytest.approx(alone[1].worst.efficiency, abs=1e-9)
    assert together.worst_place.view == 1
    with pytest.raises(ValueError, match="no view"):
        as_views([])


@cache
def searched(views: tuple[View, ...]) -> OptimizeResult:
    return optimize(3, views, effort=SMALL)


@pytest.mark.parametrize(
    "views",
    [
        (View(IR, F160W, Region.full()), View(IR, F125W, Region.full())),
        (View(IR, F125W, Region.full()), View(FIX, F125W, Region.disc(diameter_arcsec=60))),
        (View(IR, F125W, Region.full()), View(TURNED, F160W, Region.full(), IR.frame)),
    ],
    ids=["two elements", "two apertures", "two detectors"],
)
def test_the_worst_of_all_views_decides(views: tuple[View, ...]) -> None:
    result = searched(views)
    alone = [evaluate(result.postargs, view).worst for view in views]
    worst = min(metrics.efficiency for metrics in alone)
    assert result.efficiency_worst == pytest.approx(worst, abs=1e-12)
    assert result.coverage.worst.packing == pytest.approx(min(m.packing for m in alone), abs=1e-9)
    decides = min(zip(alone, views, strict=True), key=lambda pair: pair[0].efficiency)[1]
    assert decisive(views)[result.coverage.worst_place.view] == decides
    assert result.possible_efficiency == pytest.approx(
        max(min(possible_efficiency(3, view) for view in views), worst)
    )
    # No pattern of the first view alone is better for all views.
    first = searched(views[:1])
    jointly = min(evaluate(first.postargs, view).worst.efficiency for view in views)
    assert result.best_efficiency >= jointly - 1e-3


def test_pointing_errors_of_several_views() -> None:
    views = (View(IR, F160W, Region.full()), View(TURNED, F125W, Region.full(), IR.frame))
    none = PointingBudget(step_mas=0, drift_mas_per_orbit=0, reacquisition_mas=0, roll_deg=0)
    both = expect(BOX, views, budget=none, samples=2)
    worst = [evaluate(BOX, view).worst.efficiency for view in views]
    assert both.efficiency_median == pytest.approx(min(worst), abs=1e-9)
    assert expect(BOX, views).efficiency_5 < both.efficiency_median


def test_the_bound_of_all_figures() -> None:
    views = (View(IR, F160W, Region.full()), View(IR, F125W, Region.full()))
    possible = possible_metrics(3, views)
    assert possible.packing == packing_limit(3)
    assert possible.hole == pytest.approx(0.392837, abs=1e-6)
    assert possible.efficiency == possible_efficiency(3, views[1])
    assert possible.efficiency < possible_efficiency(3, views[0])
    assert possible_metrics(16, views[0]).hole is None
    assert possible_metrics(16, views[0]).efficiency == 1.0


def test_the_figures_are_those_of_the_views_signal_to_noise() -> None:
    view = View(IR, F125W, Region.full())
    line = np.array([(0, 0), (0.474, 0.424)])
    at = {snr: evaluate(line, replace(view, snr=snr), grid=3) for snr in (3.0, 10.0, 100.0)}
    worst = [coverage.worst.efficiency for coverage in at.values()]
    assert worst == pytest.approx([0.990, 0.844, 0.055], abs=0.0015)
    assert at[10.0].worst.efficiency == evaluate(line, view, grid=3).worst.efficiency
    assert at[3.0].worst.lost_fraction >= at[100.0].worst.lost_fraction
    disc = replace(view, region=Region.disc(diameter_arcsec=30))
    mixed = (replace(disc, snr=3.0), replace(disc, snr=100.0))
    together = evaluate(line, mixed, grid=3, refine=False).efficiency
    alone = [evaluate(line, one, grid=3, refine=False).efficiency for one in mixed]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-12)
    with pytest.raises(ValueError, match="signal to noise"):
        evaluate(line, replace(view, snr=0.0))
