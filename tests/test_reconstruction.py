"""Simulated stars: what the efficiency says is what a combined image shows."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from aptdither import Region, get_aperture, get_element, load_catalog
from aptdither.dither.reconstruction import Reconstruction, reconstruct
from aptdither.dither.views import View
from aptdither.errors import UsageError

CORNER = (1000.0, 1000.0)


def stars(name: str, **options: object) -> Reconstruction:
    """Observe stars in a corner of WFC3/IR with a catalog pattern."""
    pytest.importorskip("drizzle")
    view = View(get_aperture("IR"), get_element("F125W", "WFC3/IR"), Region.full())
    pattern = load_catalog().get(name)
    return reconstruct(pattern.postargs(view.aperture), view, at=CORNER, **options)  # type: ignore[arg-type]


def test_better_sampling_makes_rounder_stars() -> None:
    """GO 13417's eight exposures lose their phases in the corner; tight-8 keeps them."""
    theirs, ours = stars("go-13417"), stars("tight-8")
    assert ours.false_ellipticity < theirs.false_ellipticity / 2.5
    assert ours.fwhm_scatter_pix < theirs.fwhm_scatter_pix / 2
    assert ours.peak_scatter < theirs.peak_scatter


def test_stars_are_where_they_were_put() -> None:
    """A wrong sign of a POS TARG, or of the distortion, would move or double every star."""
    found = stars("tight-9")
    assert np.abs(found.centroid_pix).max() < 0.05
    assert 1.0 < found.fwhm_pix.min() <= found.fwhm_pix.max() < 1.7


def test_an_error_of_pointing_harms() -> None:
    exact = stars("tight-4")
    moved = stars("tight-4", errors_arcsec=np.array([(0, 0), (0.03, 0), (0, -0.03), (0.02, 0.02)]))
    same = stars("tight-4", errors_arcsec=np.zeros((4, 2)))
    np.testing.assert_array_equal(exact.image, same.image)
    assert moved.centroid_scatter_pix > exact.centroid_scatter_pix


def test_noise_follows_the_seed() -> None:
    first, again = stars("tight-4", star_snr=50.0), stars("tight-4", star_snr=50.0)
    np.testing.assert_array_equal(first.image, again.image)
    assert first.false_ellipticity > stars("tight-4", star_snr=500.0).false_ellipticity


def test_two_chips() -> None:
    pytest.importorskip("drizzle")
    view = View(get_aperture("UVIS"), get_element("F606W", "WFC3/UVIS"), Region.full())
    line = np.array([(0.0, 0.0), (0.1, 0.1)])
    for chip in (1, 2):
        found = reconstruct(line, view, at=(300.0, 1500.0), chip=chip)
        assert np.abs(found.centroid_pix.mean(axis=0)).max() < 0.05


def test_without_drizzle_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "drizzle.resample", None)
    view = View(get_aperture("IR"), get_element("F125W", "WFC3/IR"), Region.full())
    with pytest.raises(UsageError, match="pip install"):
        reconstruct([(0.0, 0.0)], view, at=CORNER)
