"""Which exposures see a region: the target must stay on the detector in all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from aptdither.dither.region import diameter_arcsec
from aptdither.dither.views import View
from aptdither.errors import NotConvergedError
from aptdither.optics.aperture import plain
from aptdither.types import FloatArray, RegionKind

#: The area of a pixel reaches this far beyond its center, pixels.
_HALF_PIX = 0.5

#: Points on the rim of a disc; between two of them it reaches 0.5 % of the radius further.
_RIM_POINTS = 32

#: Points that stand for the area of a disc.
_AREA_POINTS = 600


def unseen_pix(postargs: Any, view: View, *, base: Any = (0.0, 0.0)) -> FloatArray:
    """Return how far the region of a target reaches beyond what is read, in each exposure.

    Parameters
    ----------
    postargs : (N, 2) array_like, arcsec, or Quantity
        POS TARGs relative to `base`.
    view : View
        Its region is a disc or a point; for the full readout the target's position counts.
    base : (2,) array_like, arcsec, or Quantity
        POS TARG that all exposures share.

    Returns
    -------
    (N,) float array, pixels
        0 where the exposure sees the whole region, infinity where it lies far off the detector.
    """
    return np.asarray(np.max(_beyond(postargs, view, _rim(view), base), axis=-1))


def seen_by_all(postargs: Any, view: View, *, base: Any = (0.0, 0.0)) -> float:
    """Return the share of a region that every exposure sees, 0 to 1.

    Parameters
    ----------
    postargs, view, base
        As for :func:`unseen_pix`; here the full readout is a region like others.
    """
    if view.region.kind is not RegionKind.FULL:
        unseen = np.any(_beyond(postargs, view, _area(view), base) > 0, axis=0)
        return float(1.0 - np.mean(unseen))
    own = view.own_postarg(plain(postargs, "arcsec"))
    common = total = 0.0
    for chip in view.aperture.chips:
        readout = chip.readout
        dx, dy = view.aperture.offset_from_postarg(
            own[:, 0], own[:, 1], at=readout.center, chip=chip.number
        )
        width = readout.x_max - readout.x_min + 1
        height = readout.y_max - readout.y_min + 1
        common += max(0.0, width - np.ptp(dx)) * max(0.0, height - np.ptp(dy))
        total += width * height
    return common / total


def largest_scale(postargs: Any, view: View, *, base: Any = (0.0, 0.0)) -> float:
    """Return by how much a pattern must shrink for all exposures to see the region, 0 to 1.

    Parameters
    ----------
    postargs, view, base
        As for :func:`unseen_pix`.

    Returns
    -------
    float
        1 where it fits as it is, 0 where the base pointing alone does not see the region.
    """
    offsets = plain(postargs, "arcsec")

    def fits(scale: float) -> bool:
        return not np.any(unseen_pix(offsets * scale, view, base=base) > 0)

    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    if not fits(low):
        return 0.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _beyond(postargs: Any, view: View, places: FloatArray, base: Any) -> FloatArray:
    """Return how far places (P, 2) about the target lie off the readout, pixels, (N, P)."""
    pointings = view.own_postarg(plain(postargs, "arcsec") + plain(base, "arcsec"))
    at = pointings[:, None] + places
    beyond: FloatArray = np.full(at.shape[:-1], np.inf)
    for chip in view.aperture.chips:
        try:
            x_pix, y_pix = view.aperture.pixel_from_ideal(at[..., 0], at[..., 1], chip=chip.number)
        except NotConvergedError:  # too far out to belong to a pixel
            continue
        beyond = np.minimum(beyond, chip.readout.distance(x_pix, y_pix) - _HALF_PIX)
    return np.maximum(beyond, 0.0)


def _rim(view: View) -> FloatArray:
    """Return points on the rim of the region about the target, arcsec, (P, 2)."""
    radius = (diameter_arcsec(view.region, view.aperture) or 0.0) / 2
    angle = 2 * np.pi * np.arange(_RIM_POINTS) / _RIM_POINTS
    return np.asarray(radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1))


def _area(view: View) -> FloatArray:
    """Return points that cover the region about the target evenly, arcsec, (P, 2)."""
    radius = (diameter_arcsec(view.region, view.aperture) or 0.0) / 2
    rank = np.arange(_AREA_POINTS) + 0.5
    golden = np.pi * (3.0 - np.sqrt(5.0))
    distance = radius * np.sqrt(rank / _AREA_POINTS)
    angle = golden * rank
    return np.asarray(distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
