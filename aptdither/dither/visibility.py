"""Which exposures see a region: the target must stay on the detector in all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from aptdither.dither.region import diameter_arcsec
from aptdither.dither.views import View
from aptdither.errors import NotConvergedError
from aptdither.optics.aperture import plain
from aptdither.types import FloatArray, RegionKind


def _steps(distance: FloatArray, angle: FloatArray) -> FloatArray:
    return np.asarray(distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1))


#: Points on the rim of a disc of radius 1; between two of them it reaches 0.5 % of the radius further.
_RIM = _steps(np.ones(32), 2 * np.pi * np.arange(32) / 32)

#: Points that cover such a disc evenly, on a spiral of the golden angle.
_RANK = np.arange(600) + 0.5
_AREA = _steps(np.sqrt(_RANK / 600), np.pi * (3.0 - np.sqrt(5.0)) * _RANK)


def unseen_pix(postargs: Any, view: View, *, base: Any = (0.0, 0.0)) -> FloatArray:
    """Return how far the region of a target reaches beyond what is read, in each exposure, pixels (N,).

    `postargs` (N, 2) count from `base`, arcsec. The region is a disc or a point; for the full readout the
    target's position counts. 0 where the exposure sees all of it, infinity where it lies far off the
    detector. The gap between two chips, which no large target avoids, is not beyond:
    see :func:`seen_by_all`.
    """
    beyond = _beyond(postargs, view, _about(view, _RIM), base, gap_counts=False)
    return np.asarray(np.max(beyond, axis=-1))


def seen_by_all(postargs: Any, view: View, *, base: Any = (0.0, 0.0)) -> float:
    """Return the share of a region that every exposure sees, 0 to 1; also of the full readout."""
    if view.region.kind is not RegionKind.FULL:
        unseen = np.any(
            _beyond(postargs, view, _about(view, _AREA), base, gap_counts=True) > 0, axis=0
        )
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


def _beyond(
    postargs: Any, view: View, places: FloatArray, base: Any, *, gap_counts: bool
) -> FloatArray:
    """Return how far places (P, 2) about the target lie off the readout, pixels, (N, P).

    A place in the gap between two chips lies off it only where `gap_counts`.
    """
    pointings = view.own_postarg(plain(postargs, "arcsec") + plain(base, "arcsec"))
    at = pointings[:, None] + places
    excess = []
    for chip in view.aperture.chips:
        try:
            x_pix, y_pix = view.aperture.pixel_from_ideal(at[..., 0], at[..., 1], chip=chip.number)
        except NotConvergedError:  # too far out to belong to a pixel
            continue
        excess.append(chip.readout.excess(x_pix, y_pix))
    if not excess:
        return np.full(at.shape[:-1], np.inf)
    x_beyond, y_beyond = np.moveaxis(np.array(excess), -1, 0)
    beyond: FloatArray = np.hypot(x_beyond, y_beyond).min(axis=0)
    if gap_counts:
        return beyond
    is_between = (
        (y_beyond.min(axis=0) < 0) & (y_beyond.max(axis=0) > 0) & (y_beyond != 0).all(axis=0)
    )
    return np.where(is_between, np.abs(x_beyond).min(axis=0), beyond)


def _about(view: View, steps: FloatArray) -> FloatArray:
    """Return the points about the target at `steps` (P, 2) in units of the region's radius, arcsec."""
    return np.asarray((diameter_arcsec(view.region, view.aperture) or 0.0) / 2 * steps)
