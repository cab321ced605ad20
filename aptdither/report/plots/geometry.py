"""Places of a region on the detector, and a group's offsets there."""

from __future__ import annotations

import numpy as np

from aptdither.optics.aperture import Aperture
from aptdither.planning.evaluation import DitherGroup
from aptdither.types import FloatArray, LengthUnit, RegionKind

#: Distance of the places at edges and corners from the border, as part of the side: 24 of the 1014
#: pixels of WFC3/IR, pixel 25 of ISR WFC3 2016-14, section 3.1.
_INSET = 0.024
_SIDE_POINTS = 12
_RIM_POINTS = 48
_STEPS = np.array([(x, y) for y in (1, 0, -1) for x in (-1, 0, 1)], dtype=float)


def center_of(group: DitherGroup) -> FloatArray:
    """Return the pixel (2,) where the target lands."""
    field = group.coverage.field
    return np.array([field.x_pix[field.index_of_center], field.y_pix[field.index_of_center]])


def corners_of(aperture: Aperture) -> FloatArray:
    """Return the corners (4, 2) of an aperture's pixels, counter-clockwise from lower left."""
    readout = aperture.readout
    x, y = (readout.x_min, readout.x_max), (readout.y_min, readout.y_max)
    return np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], dtype=float)


def sides_of(corners: FloatArray, pieces: int) -> FloatArray:
    """Return the border (4 * pieces, 2) of a quadrangle (4, 2), from its first corner on."""
    along = np.linspace(0.0, 1.0, pieces, endpoint=False)[None, :, None]
    sides = corners[:, None] * (1 - along) + np.roll(corners, -1, axis=0)[:, None] * along
    return np.asarray(sides.reshape(-1, 2))


def outline(group: DitherGroup) -> FloatArray:
    """Return the border (K, 2) of a group's region, pixels; empty for a point.

    It begins at the upper right; a disc's is clipped to the aperture's pixels.
    """
    region, aperture = group.region, group.aperture
    if region.kind is RegionKind.FULL:
        return sides_of(np.roll(corners_of(aperture), -2, axis=0), _SIDE_POINTS)
    if region.diameter is None:
        return np.empty((0, 2))
    angle = np.pi / 4 + 2 * np.pi * np.arange(_RIM_POINTS) / _RIM_POINTS
    center = center_of(group)
    radius = np.array([region.diameter, region.diameter]) / 2
    if region.unit is LengthUnit.ARCSEC:
        radius = radius / np.array([float(scale) for scale in aperture.scale_at(*center)])
    rim = center + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    low, high = corners_of(aperture)[[0, 2]]
    return np.asarray(np.clip(rim, low, high))


def edges_and_corners(aperture: Aperture) -> FloatArray:
    """Return the middle, edges and corners (9, 2) of an aperture, a little inside, pixels."""
    low, high = corners_of(aperture)[[0, 2]]
    reach = (high - low) / 2 - np.round(_INSET * (high - low))
    return np.asarray((low + high) / 2 + _STEPS * reach)


def nine_places(group: DitherGroup) -> FloatArray:
    """Return the middle of a group's region and eight places around it, (9, 2), pixels.

    Row by row from the top: edges and corners of the aperture, or places on the rim of a disc.
    """
    if group.region.kind is RegionKind.FULL:
        return edges_and_corners(group.aperture)
    center, rim = center_of(group), outline(group)
    reach = np.ptp(rim, axis=0) / 2 if len(rim) else np.zeros(2)
    around = _STEPS / np.maximum(np.hypot(*_STEPS.T), 1)[:, None]
    low, high = corners_of(group.aperture)[[0, 2]]
    return np.asarray(np.clip(center + around * reach, low, high))


def offsets_over(group: DitherGroup, places: FloatArray) -> FloatArray:
    """Return the offsets (P, N, 2), pixels, of a group's exposures at places (P, 2)."""
    steps = np.array([(point.pos_targ - group.base).xy_arcsec for point in group.points])
    x_pix, y_pix = places.T[:, :, None]
    offsets = group.aperture.offset_from_postarg(steps[:, 0], steps[:, 1], at=(x_pix, y_pix))
    return np.stack(offsets, axis=-1)


def clusters_of(group: DitherGroup) -> FloatArray:
    """Return which cluster each point belongs to, (N,)."""
    parts = np.array_split(np.arange(len(group.points)), group.clusters)
    return np.concatenate([np.full(len(part), k) for k, part in enumerate(parts)])
