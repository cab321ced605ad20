"""The field points that stand for a region."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from aptdither.dither.region import FieldPoints, Footprint, diameter_arcsec
from aptdither.errors import RefusalError
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.types import Region

IR = get_aperture("IR")


def lands_at(x_pix: float, y_pix: float, aperture: Aperture = IR) -> tuple[float, float]:
    """Return the POS TARG of a target that lands at a pixel."""
    x, y = aperture.ideal_from_pixel(x_pix, y_pix)
    return float(x), float(y)


def sample_region(
    region: Region,
    aperture: Aperture,
    target_arcsec: tuple[float, float] = (0.0, 0.0),
    n: int = 9,
) -> FieldPoints:
    return Footprint.of(region, aperture, target_arcsec).sample(n)


def places(points: FieldPoints) -> set[tuple[float, float]]:
    return set(zip(points.x_pix.tolist(), points.y_pix.tolist(), strict=True))


@pytest.mark.parametrize("n", [2, 5, 9])
def test_the_whole_readout_includes_its_corners_and_the_target(n: int) -> None:
    aperture = get_aperture("IR")
    points = sample_region(Region.full(), aperture, n=n)
    assert len(points.x_pix) == n * n + 1
    assert {(1, 1), (1, 1014), (1014, 1), (1014, 1014)} <= places(points)
    assert_allclose((points.x_pix[0], points.y_pix[0]), aperture.reference_pix, atol=1e-9)
    assert points.x_pix.min() == points.y_pix.min() == 1
    assert points.x_pix.max() == points.y_pix.max() == 1014


def test_a_subarray_is_its_own_readout() -> None:
    points = sample_region(Region.full(), get_aperture("IRSUB256"), n=3)
    for along in (points.x_pix, points.y_pix):
        assert along.max() - along.min() == 255  # pixel centres, first to last
        assert along.max() + along.min() == 1015  # about the detector's centre


def test_a_point_is_where_the_target_lands() -> None:
    points = sample_region(Region.point(), IR, lands_at(300.0, 400.5))
    assert_allclose([points.x_pix[0], points.y_pix[0]], (300.0, 400.5), rtol=0, atol=1e-9)
    assert len(points.x_pix) == 1


@given(
    st.floats(0.5, 300),
    st.sampled_from(["IR", "IR-FIX", "IRSUB512", "GRISM1024"]),
    st.tuples(st.floats(300, 700), st.floats(300, 700)),
    st.sampled_from([3, 5, 9]),
)
def test_a_disc_stays_in_itself_and_in_the_readout(
    diameter: float, name: str, center: tuple[float, float], n: int
) -> None:
    aperture = get_aperture(name)
    points = sample_region(
        Region.disc(diameter_arcsec=diameter), aperture, lands_at(*center, aperture), n=n
    )
    assert_allclose((points.x_pix[0], points.y_pix[0]), center, rtol=0, atol=1e-9)
    x_scale, y_scale = aperture.scale_at(*center)
    radius = np.hypot((points.x_pix - center[0]) * x_scale, (points.y_pix - center[1]) * y_scale)
    assert np.all(radius <= diameter / 2 + 1e-9)
    readout = aperture.readout
    assert np.all((points.x_pix >= readout.x_min) & (points.x_pix <= readout.x_max))
    assert np.all((points.y_pix >= readout.y_min) & (points.y_pix <= readout.y_max))


def test_a_small_disc_reaches_its_rim_on_all_sides() -> None:
    points = sample_region(Region.disc(diameter_pix=100), get_aperture("IR"), n=9)
    assert len(points.x_pix) == 81
    x, y = points.x_pix - 557, points.y_pix - 557
    radius = np.hypot(x, y)
    assert_allclose([x.min(), x.max(), y.min(), y.max()], [-50, 50, -50, 50])
    assert_allclose(np.unique(np.round(radius, 9)), [0, 12.5, 25, 37.5, 50])


def test_a_disc_larger_than_the_detector_is_the_detector() -> None:
    points = sample_region(Region.disc(diameter_arcsec=400), get_aperture("IR"))
    assert {(1, 1), (1, 1014), (1014, 1), (1014, 1014)} <= places(points)


def test_a_disc_about_a_target_beyond_the_edge() -> None:
    aperture = get_aperture("IR")
    points = sample_region(Region.disc(diameter_pix=60), aperture, lands_at(1034.0, 500.0))
    assert (points.x_pix[0], points.y_pix[0]) == (1014, pytest.approx(500))
    with pytest.raises(RefusalError, match=r"lands at pixel \(1045, 500\), and no part"):
        sample_region(Region.disc(diameter_pix=60), aperture, lands_at(1045.0, 500.0))


def test_same_points_every_time() -> None:
    region = Region.disc(diameter_arcsec=20)
    first, second = (sample_region(region, get_aperture("IR")) for _ in range(2))
    assert np.array_equal(first.x_pix, second.x_pix)
    assert np.array_equal(first.y_pix, second.y_pix)


def test_diameters_in_arcsec() -> None:
    aperture = get_aperture("IR")
    assert diameter_arcsec(Region.full(), aperture) is None
    assert diameter_arcsec(Region.point(), aperture) == 0
    assert diameter_arcsec(Region.disc(diameter_arcsec=30), aperture) == 30
    assert Region.disc(diameter_arcsec=0.5 * units.arcmin) == Region.disc(diameter_arcsec=30)
    in_arcsec = diameter_arcsec(Region.disc(diameter_pix=150), aperture)
    assert in_arcsec == pytest.approx(150 * (0.135601 * 0.121307) ** 0.5, rel=1e-5)


@pytest.mark.parametrize("diameter", [0, -1, float("nan"), float("inf")])
def test_discs_that_cannot_be(diameter: float) -> None:
    with pytest.raises(ValueError, match="number above zero"):
        Region.disc(diameter_arcsec=diameter)
    with pytest.raises(ValueError, match="number above zero"):
        Region.disc(diameter_pix=diameter)
    with pytest.raises(ValueError, match="one diameter"):
        Region.disc()
    with pytest.raises(ValueError, match="2 points on a side"):
        sample_region(Region.full(), get_aperture("IR"), n=1)


def test_a_disc_takes_the_corner_that_it_just_holds() -> None:
    # (1, 1) is 515.4 pixels from the centre, between two points of the rim.
    region = Region.disc(diameter_pix=2 * 516)
    points = sample_region(region, IR, lands_at(300.0, 420.0), n=3)
    assert (1.0, 1.0) in places(points)
    assert (1014.0, 1014.0) not in places(points)
