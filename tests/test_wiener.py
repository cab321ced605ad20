"""E is what a reconstruction of noisy images has: scenes made, observed and solved with plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aptdither.dither.catalog import load_catalog
from aptdither.dither.region import FieldPoints
from aptdither.dither.views import View, band_at, offsets_at
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import FloatArray, Region
from tests.test_efficiency import KERNEL, RING, ring_mtf

IR, F125W = get_aperture("IR"), get_element("F125W", "WFC3/IR")
SIDE, SNR, SCENES = 8, 10.0, 200
PLACES = [(507.0, 507.0), (1000.0, 1000.0), (20.0, 990.0)]


def components(pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the frequencies (cycles per pixel) that reach an image, and their signal to noise."""
    line = (np.arange(5 * SIDE) + 0.5) / SIDE - 2.5
    u = np.stack([a.ravel() for a in np.meshgrid(line, line)], axis=-1)
    edge = RING[1] * 2.4 / (F125W.wavelength_nm * 1e-9) * np.pi / 180 / 3600
    radius = np.hypot(*np.linalg.solve(pixels.T, u.T)) / edge
    u, radius = u[radius < 1], radius[radius < 1]
    corner, side, center = np.array(KERNEL) / (4 * KERNEL[0] + 4 * KERNEL[1] + KERNEL[2])
    wave = 2 * np.cos(2 * np.pi * u)
    spread = center + side * wave.sum(axis=1) + corner * wave.prod(axis=1)
    return u, SNR * ring_mtf(radius, RING[0] / RING[1]) * np.abs(np.sinc(u).prod(axis=1) * spread)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["WFC3-IR-DITHER-LINE-3PT", "go-13417", "tight-4"])
def test_a_reconstruction_is_as_good_as_e_says(name: str, place: tuple[float, float]) -> None:
    view, field = View(IR, F125W, Region.point()), FieldPoints.on_chip([place])
    postargs = load_catalog().get(name).postargs(IR)
    offsets = offsets_at(postargs, view, field)
    said = float(band_at(view, field).efficiency(offsets)[0])

    rng, n = np.random.default_rng(0), len(postargs)
    u, strength = components(IR.jacobian_at(*place))
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    pixels = np.stack([x.ravel(), y.ravel()], axis=-1)
    samples = (pixels + offsets[0][:, None]).reshape(-1, 2)
    observe = np.exp(2j * np.pi * samples @ u.T) / SIDE

    def normal(*shape: int) -> NDArray[np.complex128]:
        return np.asarray((rng.normal(size=shape) + 1j * rng.normal(size=shape)) / np.sqrt(2))

    scenes = strength[:, None] * normal(len(u), SCENES)
    images = observe @ scenes + normal(len(samples), SCENES)
    # The linear estimate of least error: prior and noise are known.
    prior = strength[:, None] ** 2 * observe.conj().T
    found = prior @ np.linalg.solve(observe @ prior + np.eye(len(samples)), images)
    # What as many exposures would give if each measured every frequency by itself.
    alone = scenes + normal(len(u), SCENES) / np.sqrt(n)
    ideal = alone * (n / (n + strength**-2.0))[:, None]
    reached = np.sum(np.abs(ideal - scenes) ** 2) / np.sum(np.abs(found - scenes) ** 2)
    assert said == pytest.approx(reached, abs=0.015)
