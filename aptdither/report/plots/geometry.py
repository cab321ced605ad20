"""Places of a region on the detector, a group's offsets there, and the frame they are drawn in.

A detector of one chip is drawn in its pixels. One of two chips is drawn as it lies on the sky, in
the aperture's ideal frame (arcsec), so that the gap and the skew are seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aptdither.dither.region import FieldPoints
from aptdither.dither.views import offsets_at
from aptdither.optics.aperture import Aperture, Chip, Readout
from aptdither.planning.evaluation import DitherGroup
from aptdither.types import FloatArray, LengthUnit, RegionKind

#: Distance of the places at edges and corners from the border, as part of the side: 24 of the 1014
#: pixels of WFC3/IR, pixel 25 of ISR WFC3 2016-14, section 3.1.
_INSET = 0.024
_SIDE_POINTS = 12
_RIM_POINTS = 48
_STEPS = np.array([(x, y) for y in (1, 0, -1) for x in (-1, 0, 1)], dtype=float)
#: Straight pieces of a footprint's side: distortion bends it by less than a pixel between them.
_SIDE_PIECES = 4


def corners_of(readout: Readout, margin: float = 0.0) -> FloatArray:
    """Return the corners (4, 2) of what is read, counter-clockwise from lower left, pixels.

    They are the centers of the corner pixels, or with a `margin` of 0.5 their outer corners.
    """
    x = readout.x_min - margin, readout.x_max + margin
    y = readout.y_min - margin, readout.y_max + margin
    return np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], dtype=float)


def sides_of(corners: FloatArray, pieces: int) -> FloatArray:
    """Return the border (4 * pieces, 2) of a quadrangle (4, 2), from its first corner on."""
    along = np.linspace(0.0, 1.0, pieces, endpoint=False)[None, :, None]
    sides = corners[:, None] * (1 - along) + np.roll(corners, -1, axis=0)[:, None] * along
    return np.asarray(sides.reshape(-1, 2))


def footprints(aperture: Aperture) -> list[tuple[Chip, FloatArray]]:
    """Return each chip and the outer border (K, 2) of its pixels in the ideal frame, arcsec."""
    borders = []
    for chip in aperture.chips:
        border = sides_of(corners_of(chip.readout, 0.5), _SIDE_PIECES)
        ideal = aperture.ideal_from_pixel(*border.T, chip=chip.number)
        borders.append((chip, np.stack(ideal, axis=-1)))
    return borders


def on_picture(aperture: Aperture, places: FieldPoints) -> FloatArray:
    """Return places (P, 2) where they are drawn: pixels, or arcsec where there are two chips."""
    pixels = np.stack([places.x_pix, places.y_pix], axis=-1)
    if len(aperture.chips) == 1:
        return pixels
    drawn = np.empty_like(pixels)
    for chip in aperture.chips:
        on = places.chip == chip.number
        ideal = aperture.ideal_from_pixel(*pixels[on].T, chip=chip.number)
        drawn[on] = np.stack(ideal, axis=-1)
    return drawn


def chip_borders(aperture: Aperture) -> list[tuple[str, FloatArray]]:
    """Return the name of each chip and its border (K, 2) where it is drawn."""
    return [
        (chip.name, on_picture(aperture, FieldPoints.on_chip(border, chip.number)))
        for chip in aperture.chips
        for border in [sides_of(corners_of(chip.readout), _SIDE_POINTS)]
    ]


def axes_names(aperture: Aperture) -> tuple[str, str]:
    """Return what the axes of a picture of the detector are."""
    if len(aperture.chips) == 1:
        return "detector x, pixels", "detector y, pixels"
    return "POS TARG frame X, arcsec", "POS TARG frame Y, arcsec"


def outline(group: DitherGroup) -> list[FieldPoints]:
    """Return the border of a group's region: a closed line for each chip, or one about a target.

    Each begins at the upper right; a disc's is clipped to the pixels that are read. A point has
    none.
    """
    region, aperture = group.region, group.aperture
    if region.kind is RegionKind.FULL:
        return [
            FieldPoints.on_chip(
                sides_of(np.roll(corners_of(chip.readout), -2, axis=0), _SIDE_POINTS), chip.number
            )
            for chip in aperture.chips
        ]
    if region.diameter is None:
        return []
    angle = np.pi / 4 + 2 * np.pi * np.arange(_RIM_POINTS) / _RIM_POINTS
    return [_around(group, np.stack([np.cos(angle), np.sin(angle)], axis=-1))]


def _around(group: DitherGroup, steps: FloatArray) -> FieldPoints:
    """Return places at `steps` (P, 2) times the region's radius from its center.

    A place that the center's chip does not read lies on another chip that does, or at the edge.
    """
    region, aperture, field = group.region, group.aperture, group.coverage.field.center
    own = aperture.chip(int(field.chip[0]))
    center = np.array([field.x_pix[0], field.y_pix[0]])
    radius = np.full(2, (region.diameter or 0.0) / 2)
    if region.unit is LengthUnit.ARCSEC:
        scales = aperture.scale_at(*center, chip=own.number)
        radius = radius / np.array([float(scale) for scale in scales])
    points = center + radius * steps
    off = own.readout.distance(*points.T) > 0
    places = FieldPoints.on_chip(points, own.number)
    x_pix, y_pix, on_chip = places.x_pix, places.y_pix, places.chip
    low, high = corners_of(own.readout)[[0, 2]]
    x_pix, y_pix = np.clip(points, low, high).T
    for other in aperture.chips:
        if other is own:
            continue
        ideal = aperture.ideal_from_pixel(*points.T, chip=own.number)
        there = aperture.pixel_from_ideal(*ideal, chip=other.number)
        takes = off & (other.readout.distance(*there) == 0)
        x_pix, y_pix = np.where(takes, there[0], x_pix), np.where(takes, there[1], y_pix)
        on_chip = np.where(takes, other.number, on_chip)
    return replace(places, x_pix=x_pix, y_pix=y_pix, chip=on_chip)


def edges_and_corners(aperture: Aperture) -> FieldPoints:
    """Return middle, edges and corners of an aperture, a little inside: nine places from the top.

    With two chips the rows are the upper edge of the upper chip, the upper edge of the lower one,
    at the gap, and the lower edge of the lower one.
    """
    rows = [(aperture.chips[0], row) for row in (1, 0, -1)]
    if len(aperture.chips) > 1:
        upper, lower = sorted(
            aperture.chips,
            key=lambda chip: (
                -float(aperture.ideal_from_pixel(*chip.readout.center, chip=chip.number)[1])
            ),
        )
        rows = [(upper, 1), (lower, 1), (lower, -1)]
    points, chips = [], []
    for chip, row in rows:
        low, high = corners_of(chip.readout)[[0, 2]]
        reach = (high - low) / 2 - np.round(_INSET * (high - low))
        points += [(low + high) / 2 + np.array([column, row]) * reach for column in (-1, 0, 1)]
        chips += [chip.number] * 3
    return replace(FieldPoints.on_chip(np.array(points)), chip=np.array(chips))


def nine_places(group: DitherGroup) -> FieldPoints:
    """Return nine places of a group's region, row by row from the top.

    Edges and corners of the aperture, or the center of a disc and places on its rim.
    """
    if group.region.kind is RegionKind.FULL:
        return edges_and_corners(group.aperture)
    return _around(group, _STEPS / np.maximum(np.hypot(*_STEPS.T), 1)[:, None])


def offsets_over(group: DitherGroup, places: FieldPoints) -> FloatArray:
    """Return the offsets (P, N, 2), pixels, of a group's exposures at places."""
    evaluation = group.evaluation
    return offsets_at(evaluation.offsets_arcsec, evaluation.view, places)


def clusters_of(group: DitherGroup) -> FloatArray:
    """Return which cluster each point belongs to, (N,)."""
    parts = np.array_split(np.arange(len(group.points)), group.clusters)
    return np.concatenate([np.full(len(part), k) for k, part in enumerate(parts)])
