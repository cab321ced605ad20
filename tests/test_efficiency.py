"""What E and A promise: closed forms, symmetries, and a slow plain second implementation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aptdither.dither.band import Band, annulus_mtf
from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.starts import lattices
from aptdither.dither.region import FieldPoints
from aptdither.dither.sampling import FINE_CELLS_PER_AXIS, AliasingModel
from aptdither.dither.views import View, band_at, field_points, offsets_at
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import FloatArray, Region

# Pixel scales of aperture IR at its fiducial point, arcsec per pixel.
PIXELS = np.diag((0.135601, 0.121307))
# The pixels of a corner are no rectangles, a detector is no perfect counter of light.
CORNER = np.array([[0.1375, 0.0012], [-0.0021, 0.1245]])
FIFTHS = [(0.0, 0.0), (0.2, 0.4), (0.4, 0.8), (0.6, 0.2), (0.8, 0.6)]
RING, KERNEL = (0.354, 0.9755), (0.0007, 0.025, 0.897)
F098M, F110W, F125W, F140W, F160W = 986.4, 1153.4, 1248.6, 1392.3, 1536.9


def phase_arrays(least: int = 1, most: int = 9) -> st.SearchStrategy[Any]:
    """Return a strategy of (N, 2) phases."""
    return st.integers(least, most).flatmap(
        lambda n: arrays(np.float64, (n, 2), elements=st.floats(0, 1, width=32))
    )


def ring_mtf(nu: FloatArray, e: float) -> FloatArray:
    """Return the transfer function of a ring in the terms of O'Neill (1956)."""
    if e == 0:
        return np.asarray(2 / np.pi * (np.arccos(nu) - nu * np.sqrt(1 - nu**2)))
    a = np.arccos(nu) - nu * np.sqrt(1 - nu**2)
    inner = np.minimum(nu / e, 1)
    b = e**2 * (np.arccos(inner) - inner * np.sqrt(1 - inner**2))
    phi = np.arccos(np.clip((1 + e**2 - 4 * nu**2) / (2 * e), -1, 1))
    c = np.where(
        nu >= (1 + e) / 2,
        0,
        e * np.sin(phi)
        + (1 + e**2) / 2 * phi
        - (1 - e**2) * np.arctan((1 + e) / (1 - e) * np.tan(phi / 2))
        - np.pi * e**2,
    )
    return np.asarray(2 / np.pi * (a + b + c) / (1 - e**2))


def plain(
    phases: FloatArray,
    wavelength_nm: float | FloatArray,
    *,
    cells: int = 8,
    pixels: FloatArray = PIXELS,
    pupil: tuple[float, float] = (0.0, 1.0),
    kernel: tuple[float, float, float] = (0.0, 0.0, 1.0),
    snr: float = 10.0,
    amplify: bool = True,
) -> tuple[float, float, float]:
    """Return E, A and the lost fraction as they are defined, frequency by frequency.

    Several wavelengths are light of as much energy each.
    """
    edge = pupil[1] * 2.4 / (wavelength_nm * 1e-9) * np.pi / 180 / 3600
    edges = np.atleast_1d(edge)
    to_sky = np.linalg.inv(pixels).T / edges.max()
    corner, side, center = np.array(kernel) / (4 * kernel[0] + 4 * kernel[1] + kernel[2])
    n = len(phases)
    ideal = actual = cost = kept = total = 0.0
    line = (np.arange(cells) + 0.5) / cells - 0.5
    for f in ((x, y) for x in line for y in line):
        shifts = [
            np.array((i, j))
            for i in range(-3, 4)
            for j in range(-3, 4)
            if np.hypot(*(to_sky @ (f + np.array((i, j))))) < 1
        ]
        frequency = f + np.array(shifts)
        radius = np.hypot(*(to_sky @ frequency.T)) * edges.max() / edges[:, None]
        passed = ring_mtf(np.minimum(radius, 1), pupil[0] / pupil[1])
        mtf = np.mean(passed, axis=0)
        mtf *= np.sinc(frequency[:, 0]) * np.sinc(frequency[:, 1])
        spread = sum(
            (corner, side, center)[(i == 0) + (j == 0)] * np.exp(2j * np.pi * frequency @ (i, j))
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        )
        power = (snr * mtf * spread.real) ** 2
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


OPTICS: dict[str, dict[str, Any]] = {
    "filled circle": {},
    "sheared pixels": {"pixels": CORNER},
    "ring and kernel": {"pixels": CORNER, "pupil": RING, "kernel": KERNEL},
}


def model(wavelength: float, *, pixels: FloatArray = PIXELS, **options: Any) -> AliasingModel:
    optics = {key: options.pop(key) for key in ("pupil", "kernel") if key in options}
    return AliasingModel(Band(wavelength, pixels, **optics), **options)


@pytest.mark.parametrize("optics", OPTICS)
@pytest.mark.parametrize("wavelength", [F098M, F125W, F160W])
@pytest.mark.parametrize(("n", "snr"), [(1, 10), (2, 3), (4, 10), (9, 100)])
def test_a_plain_second_implementation_agrees_on_efficiency(
    wavelength: float, n: int, snr: float, optics: str
) -> None:
    phases = np.random.default_rng(n).random((n, 2))
    expected, _, _ = plain(phases, wavelength, snr=snr, amplify=False, **OPTICS[optics])
    found = model(wavelength, snr=snr, **OPTICS[optics]).efficiency(phases)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("wavelength", "n", "snr", "optics"),
    [
        (F098M, 9, 10, "ring and kernel"),
        (F125W, 5, 3, "sheared pixels"),
        (F125W, 5, 100, "filled circle"),
        (F160W, 3, 10, "ring and kernel"),
    ],
)
def test_a_plain_second_implementation_agrees_on_amplification(
    wavelength: float, n: int, snr: float, optics: str
) -> None:
    phases = np.random.default_rng(n).random((n, 2))
    cells = FINE_CELLS_PER_AXIS
    _, amplification, lost = plain(phases, wavelength, snr=snr, cells=cells, **OPTICS[optics])
    found, found_lost = model(wavelength, snr=snr, **OPTICS[optics]).amplification(phases)
    assert found == pytest.approx(amplification, rel=1e-6)
    assert found_lost == pytest.approx(lost, abs=1e-12)


@pytest.mark.parametrize("obscured", [0.0, 0.33, 0.354 / 0.9755])
def test_the_transfer_function_of_a_ring(obscured: float) -> None:
    radius = np.linspace(0, 1, 400, endpoint=False)
    mtf = annulus_mtf(radius, obscured)
    np.testing.assert_allclose(mtf, ring_mtf(radius, obscured), atol=1e-12)
    assert mtf[0] == pytest.approx(1)
    assert np.all(mtf > 0)
    # What the ring and its moved copy share, counted on a grid.
    x, y = np.meshgrid(*2 * [np.linspace(-2, 2, 1201)])
    for nu in (0.1, 0.35, 0.6, 0.9):
        rings = [
            np.abs(np.hypot(x + at, y) - (1 + obscured) / 2) < (1 - obscured) / 2
            for at in (-nu, nu)
        ]
        shared = np.sum(rings[0] & rings[1]) / np.sum(rings[0])
        assert annulus_mtf(nu, obscured) == pytest.approx(shared, abs=3e-3)


@pytest.mark.parametrize(
    ("phases", "least"),
    [
        ([(0, 0), (0.5, 0.5)], 0.01),
        ([(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)], 0.001),
        (np.random.default_rng(0).normal(FIFTHS, 0.03), 0.001),
    ],
)
def test_the_width_of_a_filter_hardly_counts(phases: Any, least: float) -> None:
    # F125W passes light of 1100 to 1400 nm.
    at_pivot, _, _ = plain(np.array(phases), F125W, amplify=False, **OPTICS["ring and kernel"])
    over_width, _, _ = plain(
        np.array(phases), np.linspace(1100, 1400, 13), amplify=False, **OPTICS["ring and kernel"]
    )
    assert at_pivot == pytest.approx(over_width, abs=least)


@pytest.mark.parametrize("wavelength", [F098M, F110W, F125W, F140W, F160W])
def test_the_frequency_grid_is_fine_enough(wavelength: float) -> None:
    rng = np.random.default_rng(1)
    good = np.array(FIFTHS) + rng.normal(scale=0.03, size=(50, 5, 2))
    coarse, fine = model(wavelength), model(wavelength, cells=40)
    assert np.max(np.abs(coarse.efficiency(good) - fine.efficiency(good))) < 5e-5
    bad = rng.random((50, 5, 2))
    assert np.max(np.abs(coarse.efficiency(bad) - fine.efficiency(bad))) < 3e-4


# The smallest alias-free lattice of each band; F160W's upright half-pixel box misses by 2 %.
@pytest.mark.parametrize(
    ("wavelength", "smallest"), [(F160W, 4), (F140W, 5), (F125W, 8), (F110W, 8), (F098M, 9)]
)
def test_the_smallest_alias_free_lattice(wavelength: float, smallest: int) -> None:
    band = model(wavelength)
    for n in range(1, smallest + 1):
        lost = [float(band.amplification(lattice)[1]) for lattice in lattices(n)]
        assert (min(lost) == 0) == (n == smallest)
    box = np.array([[0, 0], [0.5, 0], [0, 0.5], [0.5, 0.5]])
    assert model(F160W).amplification(box)[1] == pytest.approx(0.02, abs=0.005)


@pytest.mark.parametrize("n", range(1, 11))
def test_a_lattice_amplifies_nothing_or_is_lost(n: int) -> None:
    for lattice in lattices(n):
        amplification, lost = model(F125W).amplification(lattice)
        if lost < 1:
            assert amplification == pytest.approx(1, abs=1e-6)
        else:
            assert amplification == np.inf


def test_efficiency_of_the_alias_free_ideal_is_1() -> None:
    eighths = np.array([(i / 8, 3 * i / 8) for i in range(8)])
    assert model(F125W).efficiency(eighths) == pytest.approx(1, abs=1e-12)


def test_fewer_exposures_than_aliases_recover_nothing_there() -> None:
    amplification, lost = model(F125W).amplification([[0.0, 0.0]])
    assert amplification == np.inf
    assert lost == 1


def test_two_coinciding_phases_lose_what_one_less_would() -> None:
    three = np.array([[0, 0], [0.3, 0.4], [0.7, 0.6]])
    band = model(F160W)
    doubled = band.amplification(np.concatenate([three, three[:1]]))[1]
    assert doubled == pytest.approx(band.amplification(three)[1], abs=1e-12)
    assert doubled > 0


@given(phases=phase_arrays(), data=st.data())
def test_whole_pixels_order_and_origin_do_not_matter(
    phases: FloatArray, data: st.DataObject
) -> None:
    n = len(phases)
    band = model(F125W)
    whole = data.draw(arrays(np.int64, (n, 2), elements=st.integers(-50, 50)))
    order = data.draw(st.permutations(range(n)))
    origin = data.draw(arrays(np.float64, 2, elements=st.floats(-1, 1)))
    other = (phases + whole)[order] + origin
    assert band.efficiency(other) == pytest.approx(float(band.efficiency(phases)), abs=1e-9)


@given(phases=phase_arrays())
def test_the_bounds(phases: FloatArray) -> None:
    band = model(F140W)
    assert 0 < band.efficiency(phases) <= 1 + 1e-12
    amplification, lost = band.amplification(phases)
    assert amplification >= 1
    assert 0 <= lost <= 1


@given(phases=phase_arrays(), mirrored=st.sampled_from([(-1, 1), (1, -1), (-1, -1)]))
def test_mirror_images_are_equally_good(phases: FloatArray, mirrored: tuple[int, int]) -> None:
    band = model(F125W)
    other = band.efficiency(phases * np.array(mirrored))
    assert other == pytest.approx(float(band.efficiency(phases)), abs=1e-9)


@given(phases=phase_arrays(), wavelength=st.sampled_from([F098M, F125W, F160W]))
def test_the_gradient_is_the_derivative(phases: FloatArray, wavelength: float) -> None:
    band = model(wavelength)
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
    pixels = rng.uniform(0.97, 1.03, size=(5, 2, 2)) * CORNER
    phases = rng.random((7, 5, 4, 2))
    together = model(F125W, pixels=pixels)
    efficiency, gradient = together.efficiency_and_gradient(phases)
    amplification, lost = together.amplification(phases)
    assert efficiency.shape == amplification.shape == lost.shape == (7, 5)
    for pattern, location in ((0, 0), (6, 4), (3, 2)):
        alone = model(F125W, pixels=pixels[location])
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
        AliasingModel(Band(F125W, [PIXELS] * 5)).efficiency(phases)


@pytest.mark.parametrize("cells", [0, 7])
def test_an_odd_frequency_grid_is_refused(cells: int) -> None:
    with pytest.raises(ValueError, match="even"):
        model(F125W, cells=cells)


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
    efficiency = model(F125W).efficiency(offsets)
    assert efficiency[0] == pytest.approx(center, abs=0.003)
    assert efficiency.min() == pytest.approx(worst, abs=0.003)


def test_the_local_pixels_matter() -> None:
    # At the top of the field pixels are 3 % taller, so two exposures do worse than one band says.
    postargs = np.array(STOCK["LINE"][0])
    view = View(get_aperture("IR", "F125W"), get_element("F125W", "WFC3/IR"), Region.full())
    field = field_points(view, grid=5)
    offsets = offsets_at(postargs, view, field)
    at_center = band_at(view, field.center).efficiency(offsets[:, None])[:, 0].min()
    own = band_at(view, field).efficiency(offsets).min()
    whole = evaluate(postargs, replace(view, region=Region.point()), grid=5)
    assert whole.center.efficiency == pytest.approx(band_at(view, field).efficiency(offsets)[0])
    assert own < at_center - 0.008


def test_the_views_optics_are_the_detectors() -> None:
    view = View(get_aperture("IR", "F125W"), get_element("F125W", "WFC3/IR"), Region.full())
    corner = FieldPoints.on_chip([(1000.0, 1000.0)])
    phases = np.random.default_rng(0).random((3, 2))
    expected, _, _ = plain(
        phases,
        F125W,
        pixels=view.aperture.jacobian_at(1000.0, 1000.0),
        pupil=RING,
        kernel=KERNEL,
        amplify=False,
    )
    assert band_at(view, corner).efficiency(phases[None])[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_matrices_of_exposures_give_what_those_of_the_aliases_give(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AliasingModel(Band((140.0, 150.0), np.diag((0.034, 0.03))), cells=4)
    phases = np.random.default_rng(n).uniform(-3, 3, size=(3, 2, n, 2))
    found = []
    for share in (0.0, 10.0):
        monkeypatch.setattr("aptdither.dither.sampling._FEW_EXPOSURES", share)
        found.append(model.efficiency_and_gradient(phases))
    for aliases, exposures in zip(*found, strict=True):
        np.testing.assert_allclose(exposures, aliases, rtol=1e-9, atol=1e-10)
    assert model.at(np.array([1])).efficiency(phases[:, 1:]) == pytest.approx(found[1][0][:, 1:])
