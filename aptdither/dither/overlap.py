"""Tiles of a mosaic where they overlap: the exposures of both see the sky there, so phases are more.

A star lies elsewhere on the detector in each tile, perhaps on the other chip. Distortion moves the
phases of the tiles against each other from place to place, so that somewhere in an overlap of some
size they fall on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aptdither.dither.phases import packing_distance, packing_limit
from aptdither.dither.views import View, band_at, field_points
from aptdither.optics.aperture import Aperture
from aptdither.types import FloatArray

#: Places on a side of the readout that are looked at. Chosen: with 65 the worst E of two tiles of
#: four exposures is lower by 0.007 at the most.
_GRID = 33

#: How much further than its corners the side of a readout may bow out, arcsec.
_BOW_ARCSEC = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapFigures:
    """The worst figures of the exposures of two tiles, each at its own worst place."""

    efficiency: float
    packing_of_limit: float
    #: The part of the first tile that all exposures of both see, 0 to 1.
    share: float


def evaluate_overlap(
    first: FloatArray, second: FloatArray, view: View, *, base: tuple[float, float] = (0.0, 0.0)
) -> OverlapFigures | None:
    """Return what two tiles are worth where they overlap; None where they do not.

    Parameters
    ----------
    first, second : (N, 2) float array, arcsec
        POS TARGs of their exposures relative to `base`.
    view : View
        What sees them; its region is the whole readout.
    base : (float, float), arcsec
        The POS TARG that the first tile lies about.
    """
    field = field_points(view, base=base, grid=_GRID)
    sky = np.empty((len(field.x_pix), 2))
    for chip in view.aperture.chips:
        own = field.chip == chip.number
        at = view.aperture.ideal_from_pixel(field.x_pix[own], field.y_pix[own], chip=chip.number)
        sky[own] = np.stack(at, axis=-1)
    pointings = view.own_postarg(np.concatenate([first, second]))
    pixels = _read_at(view.aperture, sky[:, None] + pointings)
    is_seen = np.isfinite(pixels).all(axis=(1, 2))
    if not is_seen.any():
        return None
    phases = pixels[is_seen]
    band = band_at(view, field.at(np.flatnonzero(is_seen)))
    return OverlapFigures(
        efficiency=float(band.efficiency(phases).min()),
        packing_of_limit=float(packing_distance(phases).min() / packing_limit(len(pointings))),
        share=float(is_seen.mean()),
    )


def _read_at(aperture: Aperture, ideal_arcsec: FloatArray) -> FloatArray:
    """Return the pixels (..., 2) that read ideal positions (..., 2), on any chip; NaN for none."""
    found = np.full(ideal_arcsec.shape, np.nan)
    for chip in aperture.chips:
        area = chip.readout
        x_pix, y_pix = np.meshgrid([area.x_min, area.x_max], [area.y_min, area.y_max])
        corners = np.stack(aperture.ideal_from_pixel(x_pix, y_pix, chip=chip.number), axis=-1)
        low, high = corners.min(axis=(0, 1)) - _BOW_ARCSEC, corners.max(axis=(0, 1)) + _BOW_ARCSEC
        is_near = ((ideal_arcsec > low) & (ideal_arcsec < high)).all(axis=-1)
        x_ideal, y_ideal = ideal_arcsec[is_near].T
        x_pix, y_pix = aperture.pixel_from_ideal(x_ideal, y_ideal, chip=chip.number)
        is_read = ~area.excess(x_pix, y_pix).any(axis=-1)
        near = found[is_near]
        near[is_read] = np.stack([x_pix, y_pix], axis=-1)[is_read]
        found[is_near] = near
    return found
