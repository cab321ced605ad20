"""Stars observed with a pattern, combined as an observer combines them, and measured.

What an efficiency means for images: stars at one place of a detector are imaged through the distortion
by every exposure, with the telescope's pupil, the pixel's own response, noise and pointing errors. The
exposures are combined with the community's ``drizzle`` and the stars are measured. A star is round and
all stars are alike: what differs from star to star is what the sampling did to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aptdither.dither.region import FieldPoints
from aptdither.dither.views import View, band_at
from aptdither.errors import UsageError
from aptdither.optics.aperture import plain
from aptdither.optics.chip import Chip
from aptdither.types import FloatArray

#: Stars on a side of the field that is simulated, and their distance, pixels: far enough apart that
#: neighbors do not touch. Each has its own place within a pixel.
STARS_PER_SIDE, STAR_STEP_PIX = 5, 9
#: Half of the side of the field, pixels: the stars, and a margin for their wings.
HALF_FIELD_PIX = 27
#: A star's image reaches so far, pixels.
HALF_STAR_PIX = 8
#: Samples of the transfer function per cycle per pixel: a star repeats after so many pixels.
PERIOD_PIX = 24
#: Highest frequency of any band, cycles per pixel: 2.4 m at 200 nm in pixels of 0.05 arcsec has 2.9.
FINEST = 3
#: Moments are weighted with a Gaussian of this width and radius, pixels.
WEIGHT_SIGMA_PIX, WEIGHT_RADIUS_PIX = 1.0, 4.0
#: Exposures from which a finer output image is used.
MANY = 7
#: Output pixel and drop size (``pixfrac``), both in pixels, for few exposures and for many.
FEW_OUTPUT, MANY_OUTPUT = (0.5, 0.7), (1 / 3, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconstruction:
    """Stars in a combined image.

    Attributes
    ----------
    image : (S, S) float array
        The combined image about the place, along the aperture's ideal axes; a star's total is 1.
    output_pix : float
        Side of an output pixel, in pixels of the detector.
    stars : (K, 2) float array
        Where the stars are, output pixels, x and y.
    fwhm_pix, ellipticity, peak, centroid_pix : (K,) or (K, 2) float array
        Of each star by weighted moments: full width at half maximum of a Gaussian, detector pixels; both
        components, (xx - yy) and 2 xy over (xx + yy); the brightest output pixel over the mean of all
        stars; and measured less true position, detector pixels.
    """

    image: FloatArray
    output_pix: float
    stars: FloatArray
    fwhm_pix: FloatArray
    ellipticity: FloatArray
    peak: FloatArray
    centroid_pix: FloatArray

    @property
    def false_ellipticity(self) -> float:
        """Rms scatter of the ellipticity from star to star, both components."""
        return float(np.hypot(*np.std(self.ellipticity, axis=0)))

    @property
    def fwhm_scatter_pix(self) -> float:
        """Scatter of the width from star to star, rms, pixels."""
        return float(np.std(self.fwhm_pix))

    @property
    def peak_scatter(self) -> float:
        """Scatter of the peak from star to star, rms, as a fraction."""
        return float(np.std(self.peak))

    @property
    def centroid_scatter_pix(self) -> float:
        """Scatter of the measured position, rms of both axes, pixels."""
        return float(np.hypot(*np.std(self.centroid_pix, axis=0)))


def reconstruct(
    postargs: Any,
    view: View,
    *,
    at: tuple[float, float],
    chip: int | None = None,
    errors_arcsec: FloatArray | None = None,
    star_snr: float | None = None,
    seed: int = 0,
) -> Reconstruction:
    """Observe stars about one place of a detector with a pattern, combine the exposures, and measure.

    Parameters
    ----------
    postargs : (N, 2) array_like, arcsec, or Quantity
        POS TARGs relative to `base`, in the frame of the view's prime.
    view : View
        The aperture and the spectral element; its region does not matter.
    at : (x_pix, y_pix)
        The place, calibrated image of the chip, 1-based, where the base pointing puts it.
    chip : int, optional
        Number of the chip; that of the reference point when left out.
    errors_arcsec : (N, 2) float array, arcsec, optional
        What the telescope adds to each POS TARG, and the observer does not know.
    star_snr : float, optional
        Signal to noise of a star in one exposure, background limited; no noise when left out.
    seed : int
        Of the stars' places and of the noise.

    Returns
    -------
    Reconstruction

    Raises
    ------
    UsageError
        If the package ``drizzle`` is not installed.

    Notes
    -----
    The output image has pixels of half a detector pixel and drops of 0.7 for fewer than 7 exposures, of
    a third and 0.5 for more: what observers choose (DrizzlePac Handbook, section 7). Measured widths and
    photometry depend on that choice; the scatter from star to star depends on the pattern.
    """
    try:
        from drizzle.resample import Drizzle
    except ImportError as error:
        raise UsageError("this needs the package drizzle: pip install 'aptdither[plot]'") from error
    rng = np.random.default_rng(seed)
    commanded = view.own_postarg(plain(postargs, "arcsec"))
    pointed = commanded if errors_arcsec is None else commanded + view.own_postarg(errors_arcsec)
    aperture, on = view.aperture, view.aperture.chip(chip)
    output_pix, pixfrac = FEW_OUTPUT if len(commanded) < MANY else MANY_OUTPUT
    side_arcsec = float(
        np.sqrt(np.prod([float(s) for s in aperture.scale_at(*at, chip=on.number)]))
    )
    star_arcsec = _star_places(rng) * side_arcsec
    center = np.array(aperture.ideal_from_pixel(*at, chip=on.number))
    blur = _Blur(view, on, at)
    size = int(2 * HALF_FIELD_PIX / output_pix) + 1
    combined = Drizzle(kernel="square", out_shape=(size, size), fillval="0")
    line = np.arange(-HALF_FIELD_PIX - 2, HALF_FIELD_PIX + 3)
    for command, actual in zip(commanded, pointed, strict=True):
        x_at, y_at = aperture.pixel_from_ideal(*(center + command), chip=on.number)
        corner = np.round([x_at, y_at]) + line[0]
        image = np.zeros((len(line), len(line)))
        places = np.stack(
            aperture.pixel_from_ideal(*(star_arcsec + center + actual).T, chip=on.number), axis=-1
        )
        for x_star, y_star in places - corner:
            blur.add(image, x_star, y_star)
        if star_snr is not None:
            # The noise of a weighted sum over the star's own image is the pixel's noise.
            image += rng.normal(0.0, blur.norm / star_snr, image.shape)
        y_pix, x_pix = np.mgrid[0 : len(line), 0 : len(line)]
        x_sky, y_sky = aperture.ideal_from_pixel(
            x_pix + corner[0], y_pix + corner[1], chip=on.number
        )
        sky = np.stack([x_sky, y_sky], axis=-1) - center - command
        pixmap = (sky / side_arcsec + HALF_FIELD_PIX) / output_pix
        combined.add_image(
            image.astype("f4"), exptime=1.0, pixmap=pixmap, pixfrac=pixfrac, in_units="cps"
        )
    image = np.array(combined.out_img, dtype=float)
    stars = (star_arcsec / side_arcsec + HALF_FIELD_PIX) / output_pix
    return _measured(image, stars, output_pix)


def _star_places(rng: np.random.Generator) -> FloatArray:
    """Return places (K, 2), pixels from the middle, each at a random place within a pixel."""
    line = STAR_STEP_PIX * (np.arange(STARS_PER_SIDE) - (STARS_PER_SIDE - 1) / 2)
    places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    return np.asarray(places + rng.uniform(-0.5, 0.5, places.shape))


class _Blur:
    """The image of a star of total 1 at one place of a detector, on its pixels."""

    def __init__(self, view: View, chip: Chip, at: tuple[float, float]) -> None:
        line = np.arange(-FINEST * PERIOD_PIX, FINEST * PERIOD_PIX + 1) / PERIOD_PIX
        u, v = np.meshgrid(line, line, indexing="ij")
        model = band_at(view, FieldPoints.on_chip([at], chip=chip.number))
        passed = model.band.transfer(u[..., None], v[..., None])[..., 0]
        used = passed.any(axis=0) | passed.any(axis=1)
        self.line = line[used]
        self.transfer = passed[np.ix_(used, used)] / PERIOD_PIX**2
        self.norm = float(np.sqrt(np.sum(self.transfer**2)) * PERIOD_PIX)

    def add(self, image: FloatArray, x_pix: float, y_pix: float) -> None:
        """Add a star at (x, y), pixels of `image` from 0, to image[y, x]."""
        columns, rows = (
            np.arange(max(int(c) - HALF_STAR_PIX, 0), min(int(c) + HALF_STAR_PIX + 2, size))
            for c, size in zip((x_pix, y_pix), image.shape[::-1], strict=True)
        )
        if not len(columns) or not len(rows):
            return
        along_x = np.exp(2j * np.pi * np.outer(columns - x_pix, self.line))
        along_y = np.exp(2j * np.pi * np.outer(rows - y_pix, self.line))
        image[np.ix_(rows, columns)] += (along_y @ self.transfer.T @ along_x.T).real


def _measured(image: FloatArray, stars: FloatArray, output_pix: float) -> Reconstruction:
    """Measure each star by Gaussian-weighted moments about its true place, the weight taken out."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]] * output_pix
    rows = []
    for star in stars * output_pix:
        distance = np.hypot(x - star[0], y - star[1])
        near = distance < WEIGHT_RADIUS_PIX
        weight = np.exp(-0.5 * (distance[near] / WEIGHT_SIGMA_PIX) ** 2) * image[near]
        offsets = np.stack([x[near], y[near]]) - star[:, None]
        middle = (offsets * weight).sum(axis=1) / weight.sum()
        offsets = offsets - middle[:, None]
        moments = np.linalg.inv((offsets * weight) @ offsets.T / weight.sum())
        moments = np.linalg.inv(moments - np.eye(2) / WEIGHT_SIGMA_PIX**2)
        trace = np.trace(moments)
        # For Gaussians the weight halves the variance and with it the shift of the middle.
        shift = middle * (1 + trace / 2 / WEIGHT_SIGMA_PIX**2)
        rows.append(
            (
                np.sqrt(8 * np.log(2) * trace / 2),
                (moments[0, 0] - moments[1, 1]) / trace,
                2 * moments[0, 1] / trace,
                image[near].max(),
                *shift,
            )
        )
    table = np.array(rows)
    return Reconstruction(
        image=image,
        output_pix=output_pix,
        stars=stars,
        fwhm_pix=table[:, 0],
        ellipticity=table[:, 1:3],
        peak=table[:, 3] / table[:, 3].mean(),
        centroid_pix=table[:, 4:6],
    )
