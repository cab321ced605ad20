"""Where on the detector a picture looks, and what a group's POS TARGs are there."""

from __future__ import annotations

import numpy as np

from aptdither.dither.region import FieldPoints
from aptdither.dither.views import View, field_points, offsets_at
from aptdither.optics.aperture import Aperture
from aptdither.planning.evaluation import DitherGroup
from aptdither.types import FloatArray, Region

#: Distance from the border at which the ISR (section 3.1) looks at edges and corners: pixel 25.
INSET_PIX = 24.0
_SIDE_POINTS = 12
_RIM_POINTS = 48
_STEPS = np.array([(x, y) for y in (1, 0, -1) for x in (-1, 0, 1)], dtype=float)


def center_of(group: DitherGroup) -> FloatArray:
    """Return the pixel (2,) where the target lands."""
    field = group.coverage.field
    return np.array([field.x_pix[field.index_of_center], field.y_pix[field.index_of_center]])


def corners_of(aperture: Aperture) -> FloatArray:
    """Return the corners (4, 2) of what an aperture reads, counter-clockwise from lower left."""
    readout = aperture.readout
    x, y = (readout.x_min, readout.x_max), (readout.y_min, readout.y_max)
    return np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], dtype=float)


def outline(group: DitherGroup) -> FloatArray:
    """Return the border (K, 2) of a group's region, pixels; empty for a point.

    The border of the readout begins at its upper right corner; a disc's is clipped to the readout.
    """
    region, aperture = group.region, group.aperture
    if region.kind == "full":
        corners = np.roll(corners_of(aperture), -2, axis=0)
        along = np.linspace(0.0, 1.0, _SIDE_POINTS, endpoint=False)[None, :, None]
        sides = corners[:, None] * (1 - along) + np.roll(corners, -1, axis=0)[:, None] * along
        return np.asarray(sides.reshape(-1, 2))
    if region.kind == "point" or region.diameter is None:
        return np.empty((0, 2))
    # From the upper right on, as the readout's; the region's own rule makes radii of a diameter.
    angle = np.pi / 4 + 2 * np.pi * np.arange(_RIM_POINTS) / _RIM_POINTS
    center = center_of(group)
    radius = np.array([region.diameter, region.diameter]) / 2
    if region.unit == "arcsec":
        radius = radius / np.array([float(scale) for scale in aperture.scale_at(*center)])
    rim = center + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    low, high = corners_of(aperture)[[0, 2]]
    return np.asarray(np.clip(rim, low, high))


def nine_places(group: DitherGroup) -> FloatArray:
    """Return the middle of a group's region and eight places around it, (9, 2).

    Row by row from the top, as they are shown: edges and corners of the readout a little inside,
    as the ISR's (section 3.1), or places on the rim of a disc.
    """
    low, high = corners_of(group.aperture)[[0, 2]]
    if group.region.kind == "full":
        inset = np.minimum(INSET_PIX, (high - low) / 8)
        return np.asarray((low + high) / 2 + _STEPS * ((high - low) / 2 - inset))
    center, rim = center_of(group), outline(group)
    reach = np.ptp(rim, axis=0) / 2 if len(rim) else np.zeros(2)
    around = _STEPS / np.maximum(np.hypot(*_STEPS.T), 1)[:, None]
    return np.asarray(np.clip(center + around * reach, low, high))


def offsets_over(group: DitherGroup, places: FloatArray) -> FloatArray:
    """Return the offsets (P, N, 2), pixels, of a group's exposures at places (P, 2)."""
    view = View(group.aperture, group.element, group.region)
    return offsets_at(steps_of(group), view, FieldPoints.on_chip(places))


def steps_of(group: DitherGroup) -> FloatArray:
    """Return the POS TARGs (N, 2), arcsec, from the group's base."""
    return np.array(
        [
            (
                point.pos_targ.x_arcsec - group.base.x_arcsec,
                point.pos_targ.y_arcsec - group.base.y_arcsec,
            )
            for point in group.points
        ]
    )


def clusters_of(group: DitherGroup) -> FloatArray:
    """Return which cluster each point belongs to, (N,)."""
    parts = np.array_split(np.arange(len(group.points)), group.clusters)
    return np.concatenate([np.full(len(part), k) for k, part in enumerate(parts)])


def whole_readout(group: DitherGroup, side: int) -> FieldPoints:
    """Return the centre and a grid of `side` x `side` places over all that is read."""
    base = (group.base.x_arcsec, group.base.y_arcsec)
    view = View(group.aperture, group.element, Region.full())
    return field_points(view, base=base, grid=side)
