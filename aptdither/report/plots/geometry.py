"""Places of a region on the detector, a group's offsets there, and the frame they are drawn in.

A detector of one chip is drawn in its pixels. One of two chips is drawn as it lies on the sky, in
the aperture's ideal frame (arcsec), so that the gap and the skew are seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from aptdither.dither.region import FieldPoints
from aptdither.dither.views import offsets_at
from aptdither.optics.aperture import Aperture
from aptdither.optics.chip import Readout
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


def _border(readout: Readout, pieces: int, margin: float = 0.0) -> FloatArray:
    """Return the border (4 * pieces, 2) of what is read, pixels, counter-clockwise from lower left.

    It passes through the centers of the corner pixels, with a `margin` of 0.5 their outer corners.
    """
    low, high = _low_and_high(readout)
    sides = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (high - low + 2 * margin) + low - margin
    along = np.linspace(0.0, 1.0, pieces, endpoint=False)[None, :, None]
    border = sides[:, None] * (1 - along) + np.roll(sides, -1, axis=0)[:, None] * along
    return np.asarray(border.reshape(-1, 2))


def _low_and_high(readout: Readout) -> FloatArray:
    """Return the lower left and the upper right pixel (2, 2) of what is read."""
    return np.array([(readout.x_min, readout.y_min), (readout.x_max, readout.y_max)], dtype=float)


def _on_sky(aperture: Aperture, pixels: FloatArray, chip: int) -> FloatArray:
    """Return places (P, 2) of a chip in the ideal frame, arcsec."""
    return np.stack(aperture.ideal_from_pixel(*pixels.T, chip=chip), axis=-1)


def footprints(aperture: Aperture) -> list[FloatArray]:
    """Return the outer border (K, 2) of each chip's pixels in the ideal frame, arcsec."""
    return [
        _on_sky(aperture, _border(chip.readout, _SIDE_PIECES, 0.5), chip.number)
        for chip in aperture.chips
    ]


def on_picture(aperture: Aperture, places: FieldPoints) -> FloatArray:
    """Return places (P, 2) where they are drawn: pixels, or arcsec where there are two chips."""
    drawn = np.stack([places.x_pix, places.y_pix], axis=-1)
    for chip in aperture.chips if len(aperture.chips) > 1 else ():
        on = places.chip == chip.number
        drawn[on] = _on_sky(aperture, drawn[on], chip.number)
    return drawn


def chip_borders(aperture: Aperture) -> list[tuple[str, FloatArray]]:
    """Return the name of each chip and its border (K, 2) where it is drawn."""
    borders = [(chip, _border(chip.readout, _SIDE_POINTS)) for chip in aperture.chips]
    return [
        (chip.name, on_picture(aperture, FieldPoints.on_chip(border, chip.number)))
        for chip, border in borders
    ]


def frame_detector(axes: Axes, aperture: Aperture, margin: float) -> None:
    """Give a picture of the detector its axes, with `margin` around it, as part of its side."""
    axes.margins(margin)
    axes.set_aspect("equal")
    names = ("detector x, pixels", "detector y, pixels")
    if len(aperture.chips) > 1:
        names = ("POS TARG frame X, arcsec", "POS TARG frame Y, arcsec")
    axes.set(xlabel=names[0], ylabel=names[1])


def outline(group: DitherGroup) -> list[FieldPoints]:
    """Return the border of a group's region: a closed line for each chip, or one about a target.

    Each begins at the upper right; a disc's is clipped to the pixels that are read. A point has
    none.
    """
    if group.region.kind is RegionKind.FULL:
        borders = [
            (chip.number, _border(chip.readout, _SIDE_POINTS)) for chip in group.aperture.chips
        ]
        return [
            FieldPoints.on_chip(np.roll(border, -2 * _SIDE_POINTS, axis=0), number)
            for number, border in borders
        ]
    if group.region.diameter is None:
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
        radius /= np.array(aperture.scale_at(*center, chip=own.number), dtype=float)
    wanted = center + radius * steps
    off = own.readout.distance(*wanted.T) > 0
    points, on_chip = np.clip(wanted, *_low_and_high(own.readout)), np.full(len(wanted), own.number)
    ideal = _on_sky(aperture, wanted, own.number)
    for other in aperture.chips:
        there = np.stack(aperture.pixel_from_ideal(*ideal.T, chip=other.number), axis=-1)
        takes = off & (other.readout.distance(*there.T) == 0) & (other is not own)
        points[takes], on_chip[takes] = there[takes], other.number
    return replace(FieldPoints.on_chip(points), chip=on_chip)


def edges_and_corners(aperture: Aperture) -> FieldPoints:
    """Return middle, edges and corners of an aperture, a little inside: nine places from the top.

    With two chips the rows are the upper edge of the upper chip, the upper edge of the lower one,
    at the gap, and the lower edge of the lower one.
    """

    def height(number: int) -> float:
        center = np.array([aperture.chip(number).readout.center])
        return float(_on_sky(aperture, center, number)[0, 1])

    numbers = sorted((chip.number for chip in aperture.chips), key=height, reverse=True)
    points, chips = [], []
    for number, row in zip(
        (numbers[0], numbers[-1], numbers[-1]), _ROWS[len(numbers)], strict=True
    ):
        low, high = _low_and_high(aperture.chip(number).readout)
        reach = (high - low) / 2 - np.round(_INSET * (high - low))
        points += [(low + high) / 2 + np.array([column, row]) * reach for column in (-1, 0, 1)]
        chips += [number] * 3
    return FieldPoints.on_chip(np.array(points), np.array(chips))


#: The edges of the rows of nine places, by the number of chips.
_ROWS = {1: (1, 0, -1), 2: (1, 1, -1)}


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
    return np.repeat(np.arange(group.clusters), list(map(len, parts)))
