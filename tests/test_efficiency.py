"""What E and A promise: closed forms, symmetries, and a slow plain second implementation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.starts import lattices
from aptdither.dither.sampling import FINE_CELLS_PER_AXIS, AliasingModel
from aptdither.dither.views import View, field_points, offsets_at
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import FloatArray, Region

# Pixel scales of aperture IR at its fiducial point, arcsec per pixel.
SCALES = (0.135601, 0.121307)
F098M, F110W, F125W, F140W, F160W = 986.4, 1153.4, 1248.6, 1392.3, 1536.9


def phase_arrays(least: int = 1, most: int = 9) -> st.SearchStrategy[Any]:
    """Return a strategy of (N, 2) phases."""
    return st.integers(least, most).flatmap(
        lambda n: arrays(np.float64, (n, 2), elements=st.floats(0, 1, width=32))
    )


def plain(
    phases: FloatArray,
    wavelength_nm: float,
    *,
    cells: int = 8,
    scales: tuple[float, float] = SCALES,
    snr: float = 10.0,
    amplify: bool = True,
) -> tuple[float, float, float]:
    """Return E, A and the lost fraction as they are defined, frequency by frequency."""
    cycles = 2.4 / (wavelength_nm * 1e-9) * np.pi / 180 / 3600
    edge = cycles * np.array(scales)
    n = len(phases)
    ideal = actual = cost = kept = total = 0.0
    line = (np.arange(cells) + 0.5) / cells - 0.5
    for f in ((x, y) for x in line for y in line):
        shifts = [
            np.array((i, j))
            for i in range(-3, 4)
            for j in range(-3, 4)
            if np.hypot(*((f + np.array((i, j))) / edge)) < 1
        ]
        frequency = f + np.array(shifts)
        radius = np.hypot(*(frequency / edge).T)
        mtf = 2 / np.pi * (np.arccos(radius) - radius * np.sqrt(1 - radius**2))
        mtf *= np.sinc(frequency[:, 0]) * np.sinc(frequency[:, 1])
        power = (snr * mtf) ** 2
        phi = np.exp(2j * np.pi * phases @ np.array(shifts).T)
        gram = phi.conj().T @ phi
        ideal += np.sum(1 / (1 / power + n))
        actual += np.trace(np.linalg.inv(np.diag(1 / power) + gram)).real
        total += len(shifts)
        if amplify and np.linalg.cond(gram) < 1e10:
            amplification = n / len(shifts) * np.trace(np.linalg.inv(gram)).real
            if amplification <= snr**2:
                cost += len(shifts) * amplification
                kept += len(shifts)
    return ideal / actual, cost / kept if kept else np.inf, 1 - kept / total


@pytest.mark.parametrize("wavelength", [F098M, F125W, F160W])
@pytest.mark.parametrize(("n", "snr"), [(1, 10), (2, 3), (4, 10), (9, 100)])
def test_a_plain_second_implementation_agrees_on_efficiency(
    wavelength: float, n: int, snr: float
) -> None:
    phases = np.random.default_rng(n).random((n, 2))
    expected, _, _ = plain(phases, wavelength, snr=snr)
    found = AliasingModel(wavelength, *SCALES, snr=snr).efficiency(phases)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("wavelength", "n", "snr"), [(F098M, 9, 10), (F125W, 5, 3), (F125W, 5, 100), (F160W, 3, 10)]
)
def test_a_plain_second_implementation_agrees_on_amplification(
    wavelength: float, n: int, snr: float
) -> None:
    phases = np.random.default_rng(n).random((n, 2))
    _, amplification, lost = plain(phases, wavelength, snr=snr, cells=FINE_CELLS_PER_AXIS)
    found, found_lost = AliasingModel(wavelength, *SCALES, snr=snr).amplification(phases)
    assert found == pytest.approx(amplification, rel=1e-6)
    assert found_lost == pytest.approx(lost, abs=1e-12)


@pytest.mark.parametrize("wavelength", [F098M, F110W, F125W, F140W, F160W])
def test_the_frequency_grid_is_fine_enough(wavelength: float) -> None:
    rng = np.random.default_rng(1)
    lattice = np.array([[0, 0], [0.2, 0.4], [0.4, 0.8], [0.6, 0.2], [0.8, 0.6]])
    good = lattice + rng.normal(scale=0.03, size=(50, 5, 2))
    coarse, fine = AliasingModel(wavelength, *SCALES), AliasingModel(wavelength, *SCALES, cells=40)
    assert np.max(np.abs(coarse.efficiency(good) - fine.efficiency(good))) < 5e-5
    bad = rng.random((50, 5, 2))
    assert np.max(np.abs(coarse.efficiency(bad) - fine.efficiency(bad))) < 3e-4


# The smallest alias-free lattice of each band; F160W's upright half-pixel box misses by 2 %.
@pytest.mark.parametrize(
    ("wavelength", "smallest"), [(F160W, 4), (F140W, 5), (F125W, 8), (F110W, 8), (F098M, 9)]
)
def test_the_smallest_alias_free_lattice(wavelength: float, smallest: int) -> None:
    band = AliasingModel(wavelength, *SCALES)
    for n in range(1, smallest + 1):
        lost = [float(band.amplification(lattice)[1]) for lattice in lattices(n)]
        assert (min(lost) == 0) == (n == smallest)
    box = np.array([[0, 0], [0.5, 0], [0, 0.5], [0.5, 0.5]])
    assert AliasingModel(F160W, *SCALES).amplification(box)[1] == pytest.approx(0.02, abs=0.005)


@pytest.mark.parametrize("n", range(1, 11))
def test_a_lattice_amplifies_nothing_or_is_lost(n: int) -> None:
    for lattice in lattices(n):
        amplification, lost = AliasingModel(F125W, *SCALES).amplification(lattice)
        if lost < 1:
            assert amplification == pytest.approx(1, abs=1e-6)
        else:
            assert amplification == np.inf


def test_efficiency_of_the_alias_free_ideal_is_1() -> None:
    eighths = np.array([(i / 8, 3 * i / 8) for i in range(8)])
    assert AliasingModel(F125W, *SCALES).efficiency(eighths) == pytest.approx(1, abs=1e-12)


def test_fewer_exposures_than_aliases_recover_nothing_there() -> None:
    amplification, lost = AliasingModel(F125W, *SCALES).amplification([[0.0, 0.0]])
    assert amplification == np.inf
    assert lost == 1


def test_two_coinciding_phases_lose_what_one_less_would() -> None:
    three = np.array([[0, 0], [0.3, 0.4], [0.7, 0.6]])
    band = AliasingModel(F160W, *SCALES)
    doubled = band.amplification(np.concatenate([three, three[:1]]))[1]
    assert doubled == pytest.approx(band.amplification(three)[1], abs=1e-12)
    assert doubled > 0


@given(phases=phase_arrays(), data=st.data())
def test_whole_pixels_order_and_origin_do_not_matter(
    phases: FloatArray, data: st.DataObject
) -> None:
    n = len(phases)
    band = AliasingModel(F125W, *SCALES)
    whole = data.draw(arrays(np.int64, (n, 2), elements=st.integers(-50, 50)))
    order = data.draw(st.permutations(range(n)))
    origin = data.draw(arrays(np.float64, 2, elements=st.floats(-1, 1)))
    other = (phases + whole)[order] + origin
    assert band.efficiency(other) == pytest.approx(float(band.efficiency(phases)), abs=1e-9)


@given(phases=phase_arrays())
def test_the_bounds(phases: FloatArray) -> None:
    band = AliasingModel(F140W, *SCALES)
    assert 0 < band.efficiency(phases) <= 1 + 1e-12
    amplification, lost = band.amplification(phases)
    assert amplification >= 1
    assert 0 <= lost <= 1


@given(phases=phase_arrays(), mirrored=st.sampled_from([(-1, 1), (1, -1), (-1, -1)]))
def test_mirror_images_are_equally_good(phases: FloatArray, mirrored: tuple[int, int]) -> None:
    band = AliasingModel(F125W, *SCALES)
    other = band.efficiency(phases * np.array(mirrored))
    assert other == pytest.approx(float(band.efficiency(phases)), abs=1e-9)


@given(phases=phase_arrays(), wavelength=st.sampled_from([F098M, F125W, F160W]))
def test_the_gradient_is_the_derivative(phases: FloatArray, wavelength: float) -> None:
    band = AliasingModel(wavelength, *SCALES)
    efficiency, gradient = band.efficiency_and_gradient(phases)
    assert efficiency == band.efficiency(phases)
    step = 1e-5
    for j, axis in np.ndindex(*phases.shape):
        nudge = np.zeros_like(phases)
        nudge[j, axis] = step
        slope = (band.efficiency(phases + nudge) - band.efficiency(phases - nudge)) / (2 * step)
        assert gradient[j, axis] == pytest.approx(float(slope), abs=1e-6)


def test_field_points_and_patterns_are_leading_axes() -> None:
    rng = np.random.default_rng(3)
    scales = rng.uniform(0.97, 1.03, size=(2, 5)) * np.array(SCALES)[:, None]
    phases = rng.random((7, 5, 4, 2))
    together = AliasingModel(F125W, *scales)
    efficiency, gradient = together.efficiency_and_gradient(phases)
    amplification, lost = together.amplification(phases)
    assert efficiency.shape == amplification.shape == lost.shape == (7, 5)
    for pattern, location in ((0, 0), (6, 4), (3, 2)):
        alone = AliasingModel(F125W, *scales[:, location])
        one = phases[pattern, location]
        assert efficiency[pattern, location] == pytest.approx(
            float(alone.efficiency(one)), abs=1e-12
        )
        np.testing.assert_allclose(
            gradient[pattern, location], alone.efficiency_and_gradient(one)[1], atol=1e-12
        )
        assert lost[pattern, location] == pytest.approx(
            float(alone.amplification(one)[1]), abs=1e-12
        )


@pytest.mark.parametrize(
    "phases",
    [np.zeros(2), np.zeros((3, 3)), np.zeros((0, 2)), np.zeros((4, 3, 2))],
    ids=["one number pair", "three columns", "no exposures", "wrong number of places"],
)
def test_phases_of_the_wrong_shape_are_refused(phases: FloatArray) -> None:
    with pytest.raises(ValueError, match=r"shape"):
        AliasingModel(F125W, [0.13] * 5, 0.12).efficiency(phases)


@pytest.mark.parametrize("cells", [0, 7])
def test_an_odd_frequency_grid_is_refused(cells: int) -> None:
    with pytest.raises(ValueError, match="even"):
        AliasingModel(F125W, *SCALES, cells=cells)


# E over the whole field of aperture IR at F125W, centre and worst of a 5 x 5 grid with the corners,
# all at one band (that of the fiducial point): what a first study of the stock patterns found, to
# the 0.003 that a slightly other pixel scale explains.
STOCK = {
    "LINE": ([(0, 0), (0.474, 0.424)], 0.853, 0.794),
    "LINE-3PT": ([(0, 0), (0.451, 0.403), (0.902, 0.806)], 0.872, 0.734),
    "BOX-MIN": ([(0, 0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)], 0.999, 0.979),
    "3D-HST": ([(0, 0), (1.355, 0.424), (0.881, 1.212), (-0.474, 0.788)], 0.993, 0.869),
}


@pytest.mark.parametrize("name", STOCK)
def test_stock_patterns_at_one_band(name: str) -> None:
    postargs, center, worst = STOCK[name]
    aperture = get_aperture("IR", "F125W")
    view = View(aperture, get_element("F125W", "WFC3/IR"), Region.full())
    field = field_points(view, grid=5)
    offsets = offsets_at(np.array(postargs, dtype=float), view, field)
    efficiency = AliasingModel(F125W, *SCALES).efficiency(offsets)
    assert efficiency[field.index_of_center] == pytest.approx(center, abs=0.003)
    assert efficiency.min() == pytest.approx(worst, abs=0.003)


def test_the_local_pixel_scale_matters() -> None:
    # At the top of the field pixels are 3 % taller, so two exposures do worse than one band says.
    postargs = STOCK["LINE"][0]
    aperture, element = get_aperture("IR", "F125W"), get_element("F125W", "WFC3/IR")
    worst = evaluate(np.array(postargs), View(aperture, element, Region.full()), grid=5).worst
    assert worst.efficiency == pytest.approx(0.775, abs=0.002)
