"""The polynomial, its slopes, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from aptdither.errors import NotConvergedError, OpticsError
from aptdither.optics.aperture import aperture_names, get_aperture
from aptdither.optics.distortion import BLOCK_POINTS, Distortion

SETUPS = sorted(
    {
        (aperture.siaf_name, name, element)
        for name in aperture_names("WFC3/IR")
        for element in (None, "G102", "G141")
        for aperture in [get_aperture(name, element)]
    },
    key=str,
)


def siaf(name: str = "IR-FIX") -> Distortion:
    return get_aperture(name).distortion


def plain_sum(coef: npt.NDArray[Any], dx: Any, dy: Any) -> Any:
    """Evaluate a polynomial term by term, as the definition says."""
    n = len(coef)
    return sum(coef[i, j] * dx**i * dy**j for i in range(n) for j in range(n))


def test_forward_is_the_sum_of_its_terms() -> None:
    rng = np.random.default_rng(1)
    dx, dy = rng.uniform(-560, 560, (2, 3 * BLOCK_POINTS // 2))  # more than one block
    distortion = siaf("IR")
    x, y = distortion.forward(dx, dy)
    assert_allclose(x, plain_sum(distortion.x_coef, dx, dy), rtol=0, atol=1e-11)
    assert_allclose(y, plain_sum(distortion.y_coef, dx, dy), rtol=0, atol=1e-11)


def test_jacobian_is_the_slope() -> None:
    distortion, step = siaf(), 1e-3
    for dx, dy in [(0.0, 0.0), (-506.0, 480.0), (300.0, -200.0)]:
        slopes = distortion.jacobian(dx, dy)
        along_x = np.subtract(distortion.forward(dx + step, dy), distortion.forward(dx - step, dy))
        along_y = np.subtract(distortion.forward(dx, dy + step), distortion.forward(dx, dy - step))
        assert_allclose(slopes[:, 0], along_x / (2 * step), rtol=1e-8, atol=1e-10)
        assert_allclose(slopes[:, 1], along_y / (2 * step), rtol=1e-8, atol=1e-10)
    assert distortion.jacobian(np.zeros((3, 4)), 0.0).shape == (3, 4, 2, 2)


@pytest.mark.parametrize(("siaf_name", "name", "element"), SETUPS)
def test_there_and_back_over_the_whole_detector(
    siaf_name: str, name: str, element: str | None
) -> None:
    aperture = get_aperture(name, element)
    assert aperture.siaf_name == siaf_name
    side = np.linspace(0.5, 1014.5, 68)
    x_pix, y_pix = np.meshgrid(side, side)
    x_back, y_back = aperture.pixel_from_ideal(*aperture.ideal_from_pixel(x_pix, y_pix))
    assert np.hypot(x_back - x_pix, y_back - y_pix).max() < 1e-9


@pytest.mark.parametrize("name", ["IR", "IR-FIX", "GRISM128"])
@pytest.mark.parametrize("step", [(130.0, 130.0), (-130.0, 130.0), (130.0, -130.0), (-130.0, -130)])
def test_steps_far_off_the_detector_come_back(name: str, step: tuple[float, float]) -> None:
    aperture = get_aperture(name)
    side = np.linspace(1.0, 1014.0, 20)
    x_arcsec, y_arcsec = aperture.ideal_from_pixel(*np.meshgrid(side, side))
    wanted = x_arcsec + step[0], y_arcsec + step[1]
    x_pix, y_pix = aperture.pixel_from_ideal(*wanted)
    assert_allclose(aperture.ideal_from_pixel(x_pix, y_pix), wanted, rtol=0, atol=1e-10)
    # The same sheet of the polynomial: right and left, up and down stay what they are.
    x_ref, y_ref = aperture.reference_pix
    offsets = x_pix - x_ref, y_pix - y_ref
    assert np.all(np.linalg.det(aperture.distortion.jacobian(*offsets)) > 0)
    assert np.all(np.sign(x_pix - 507) == np.sign(step[0]))
    assert np.all(np.sign(y_pix - 507) == np.sign(step[1]))


def test_even_a_quarter_of_a_degree_away_there_is_a_place() -> None:
    distortion = siaf()
    wanted = np.array([[900.0, -900.0, 0.0, 900.0], [0.0, 900.0, -900.0, 900.0]])
    assert_allclose(distortion.forward(*distortion.inverse(*wanted)), wanted, rtol=0, atol=1e-9)
    assert np.all(np.linalg.det(distortion.jacobian(*distortion.inverse(*wanted))) > 0)


@given(
    coef=st.lists(st.floats(-1.0, 1.0), min_size=24, max_size=24),
    point=st.tuples(st.floats(-480.0, 480.0), st.floats(-480.0, 480.0)),
)
def test_any_gentle_distortion_comes_back(coef: list[float], point: tuple[float, float]) -> None:
    """Bends of up to 3 % at the edge, in every term; the SIAF's are about 2 % in all."""
    powers = [(n - j, j) for n in range(2, 5) for j in range(n + 1)]
    tables = np.zeros((2, 5, 5))
    tables[0, 1, 0], tables[1, 0, 1] = 0.135, 0.121
    for k, (i, j) in enumerate(powers):
        for axis in (0, 1):
            tables[axis, i, j] = 0.003 * coef[2 * k + axis] * 0.12 / 500.0 ** (i + j - 1)
    distortion = Distortion(x_coef=tables[0], y_coef=tables[1], reach_pix=500.0)
    back = distortion.inverse(*distortion.forward(*point))
    assert_allclose(back, point, rtol=0, atol=1e-9)


def test_one_point_many_points_and_broadcasting_agree() -> None:
    distortion = siaf()
    dx, dy = np.linspace(-500, 500, 9)[:, None], np.linspace(-400, 450, 81)
    x, y = distortion.forward(dx, dy)
    assert x.shape == y.shape == (9, 81)
    dx_back, dy_back = distortion.inverse(x, y)
    assert_allclose(dx_back, np.broadcast_to(dx, (9, 81)), rtol=0, atol=1e-9)
    assert_allclose(dy_back, np.broadcast_to(dy, (9, 81)), rtol=0, atol=1e-9)
    one_x, one_y = distortion.forward(float(dx[3, 0]), float(dy[5]))
    assert isinstance(one_x, float)
    assert_allclose((one_x, one_y), (x[3, 5], y[3, 5]), rtol=0, atol=1e-13)
    one = distortion.inverse(one_x, one_y)
    assert_allclose(one, (dx[3, 0], dy[5]), rtol=0, atol=1e-9)
    empty = distortion.inverse(np.zeros((0, 2)), 0.0)
    assert empty[0].shape == (0, 2)


def test_inputs_are_left_alone() -> None:
    distortion = siaf()
    x, y = np.full(5, 60.0), np.linspace(-60.0, 60.0, 5)
    distortion.inverse(x, y, origin_pix=(507.0, 507.0))
    assert_array_equal(x, np.full(5, 60.0))
    assert_array_equal(y, np.linspace(-60.0, 60.0, 5))
    with pytest.raises(ValueError, match="read-only"):
        distortion.x_coef[0, 0] = 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, -1e13])
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_what_is_no_number_is_refused(way: str, bad: float) -> None:
    values = np.zeros(3 * BLOCK_POINTS)
    values[-1] = bad
    with pytest.raises(OpticsError, match="not a finite number"):
        getattr(siaf(), way)(values, 0.0)
    with pytest.raises(OpticsError, match="not a finite number"):
        getattr(siaf(), way)(0.0, bad)


def test_a_place_without_a_pixel_says_how_it_ended() -> None:
    x = np.array([0.0, 1.0, 1e9])
    with pytest.raises(NotConvergedError, match="could not be inverted") as caught:
        siaf().inverse(x, 0.0)
    assert 0 < caught.value.iterations < 100
    assert caught.value.worst_residual_arcsec > 1.0


def test_beyond_a_fold_there_is_no_way_back() -> None:
    """x = dx - dx²/4000 turns round at 2000 px: 1000 arcsec is its end."""
    x_coef, y_coef = np.zeros((3, 3)), np.zeros((3, 3))
    x_coef[1, 0], x_coef[2, 0], y_coef[0, 1] = 1.0, -1 / 4000.0, 1.0
    distortion = Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=500.0)
    dx, _ = distortion.inverse(990.0, 0.0)
    assert_allclose(dx, 2000.0 - np.sqrt(4e6 - 4000.0 * 990.0), rtol=0, atol=1e-9)
    with pytest.raises(NotConvergedError):
        distortion.inverse(1010.0, 0.0)
    with pytest.raises(OpticsError, match="folds over"):
        Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=2500.0)


def test_a_root_on_the_mirrored_side_is_no_answer() -> None:
    """x = dx - dx³/3e6 folds at 1000 px; beyond 667 arcsec only the mirrored side is left."""
    x_coef, y_coef = np.zeros((4, 4)), np.zeros((4, 4))
    x_coef[1, 0], x_coef[3, 0], y_coef[0, 1] = 1.0, -1 / 3e6, 1.0
    distortion = Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=500.0)
    assert_allclose(distortion.inverse(*distortion.forward(-700.0, 3.0)), (-700.0, 3.0), atol=1e-9)
    for x in np.linspace(700.0, 5000.0, 60):
        with pytest.raises(NotConvergedError):
            distortion.inverse(x, 0.0)
        with pytest.raises(NotConvergedError) as caught:
            distortion.inverse([0.0, x], 0.0)
        assert 1e-6 < caught.value.worst_residual_arcsec <= 1e6


def test_a_straight_line_is_a_distortion_too() -> None:
    x_coef, y_coef = np.array([[0.5, 0.1], [2.0, 0.0]]), np.array([[0.0, 3.0], [0.0, 0.0]])
    distortion = Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=500.0)
    assert_allclose(distortion.forward(10.0, 5.0), (0.5 + 20.0 + 0.5, 15.0))
    assert_allclose(distortion.inverse(21.0, 15.0), (10.0, 5.0), atol=1e-9)
    assert_allclose(distortion.jacobian(0.0, 0.0), [[2.0, 0.1], [0.0, 3.0]])


@pytest.mark.parametrize(
    ("x_coef", "y_coef", "message"),
    [
        pytest.param(np.zeros((5, 4)), np.zeros((5, 4)), "two square tables", id="not square"),
        pytest.param(np.zeros((5, 5)), np.zeros((4, 4)), "two square tables", id="two sizes"),
        pytest.param(np.zeros((1, 1)), np.zeros((1, 1)), "two square tables", id="a constant"),
        pytest.param(np.zeros((3, 3)), np.zeros((3, 3)), "folds over", id="all zero"),
        pytest.param(np.full((2, 2), np.nan), np.eye(2), "not a finite number", id="NaN"),
        pytest.param(np.ones((2, 2)), np.eye(2), "a higher power", id="outside the triangle"),
    ],
)
def test_coefficients_that_are_no_distortion(
    x_coef: npt.NDArray[Any], y_coef: npt.NDArray[Any], message: str
) -> None:
    with pytest.raises(OpticsError, match=message):
        Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=500.0)


@given(st.floats(-400.0, 400.0), st.floats(-400.0, 400.0))
def test_a_moved_reference_changes_no_difference(dx_ref: float, dy_ref: float) -> None:
    distortion = siaf()
    moved = distortion.moved(dx_ref, dy_ref)
    assert_array_equal(moved.forward(0.0, 0.0), (0.0, 0.0))
    points = np.array([[-100.0, 50.0, 3.0], [70.0, -100.0, 4.0]])
    shifted = points + np.array([[dx_ref], [dy_ref]])
    expected = np.array(distortion.forward(*shifted)).T - distortion.forward(dx_ref, dy_ref)
    assert_allclose(np.array(moved.forward(*points)).T, expected, rtol=0, atol=1e-11)
