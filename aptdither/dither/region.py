"""Where on the detector coverage is evaluated, and the field points that stand for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptdither.errors import RefusalError
from aptdither.types import FloatArray, LengthUnit, Region, RegionKind

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture, Chip, Readout

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldPoints:
    """Positions on the detector, or on the detectors of several views one after the other.

    Attributes
    ----------
    x_pix, y_pix : (F,) float array
        Pixels of the calibrated image of the chip, 1-based.
    chip : (F,) int array
        Number of the chip each lies on.
    view : (F,) int array
        Index of the view each belongs to.
    index_of_center : int
        Which of them is the place where the target lands (in the first view).
    """

    x_pix: FloatArray
    y_pix: FloatArray
    chip: IntArray
    view: IntArray
    index_of_center: int

    @classmethod
    def on_chip(cls, points: npt.ArrayLike, chip: int = 1) -> FieldPoints:
        """Return positions (F, 2), pixels, on one chip of one view; the first is the center."""
        x_pix, y_pix = np.asarray(points, dtype=float).reshape(-1, 2).T
        return cls(
            x_pix=x_pix,
            y_pix=y_pix,
            chip=np.full(len(x_pix), chip),
            view=np.zeros(len(x_pix), dtype=int),
            index_of_center=0,
        )

    @property
    def center(self) -> FieldPoints:
        """The place where the target lands, alone."""
        return self.at([self.index_of_center])

    def at(self, members: npt.ArrayLike) -> FieldPoints:
        """Return some of the positions, by their indices; the first becomes the center."""
        at = np.asarray(members, dtype=np.intp)
        return FieldPoints(
            x_pix=self.x_pix[at],
            y_pix=self.y_pix[at],
            chip=self.chip[at],
            view=self.view[at],
            index_of_center=0,
        )

    def join(self, other: FieldPoints) -> FieldPoints:
        """Return these positions and others; the center stays."""
        return FieldPoints(
            x_pix=np.concatenate([self.x_pix, other.x_pix]),
            y_pix=np.concatenate([self.y_pix, other.y_pix]),
            chip=np.concatenate([self.chip, other.chip]),
            view=np.concatenate([self.view, other.view]),
            index_of_center=self.index_of_center,
        )


def diameter_arcsec(region: Region, aperture: Aperture) -> float | None:
    """Return the diameter in arcsec, with the mean pixel scale at the reference point.

    Returns
    -------
    float or None
        None for the whole readout, 0 for a point.
    """
    if region.kind is RegionKind.FULL:
        return None
    if region.diameter is None:
        return 0.0
    if region.unit is LengthUnit.ARCSEC:
        return region.diameter
    x_scale, y_scale = aperture.scale_at(*aperture.reference_pix)
    return region.diameter * math.sqrt(float(x_scale) * float(y_scale))


def sample_region(
    region: Region,
    aperture: Aperture,
    target_arcsec: tuple[float, float] = (0.0, 0.0),
    n: int = 9,
) -> FieldPoints:
    """Return field points that stand for the region; always the same ones.

    Parameters
    ----------
    region : Region
    aperture : Aperture
        For its chips, its reference point and its pixel scale.
    target_arcsec : (float, float), arcsec
        Where the target lands, in the ideal frame: the reference point when left out. Where the
        target lands outside of what is read, the nearest pixel that is read stands for it.
    n : int
        Points on a side, 2 or more. The whole readout: the center and, for each chip, an n x n
        grid from the first pixel to the last, corners included. A disc: the center and n // 2
        rings, the last on the rim, of 8, 16, ... points (n * n points in all for odd n); those
        that no chip reads are moved to the edge of the readout; and the corners of the readouts
        that are inside.

    Returns
    -------
    FieldPoints
        The center first.

    Raises
    ------
    RefusalError
        If no pixel of the disc is read.

    Notes
    -----
    A disc in arcsec is drawn with the pixel scale at its center: at the rim of one that fills
    the field it is off by the change of scale, 2 %.

    Examples
    --------
    >>> from aptdither.optics.aperture import get_aperture
    >>> points = sample_region(Region.full(), get_aperture("IR"), n=2)
    >>> [(float(x), float(y)) for x, y in zip(points.x_pix, points.y_pix)]
    [(557.0, 557.0), (1.0, 1.0), (1.0, 1014.0), (1014.0, 1.0), (1014.0, 1014.0)]
    """
    if n < 2:
        raise ValueError(f"a region needs 2 points on a side at least, not {n}")
    chip = aperture.chip_at(*target_arcsec)
    x_target, y_target = map(float, aperture.pixel_from_ideal(*target_arcsec, chip=chip.number))
    x_center, y_center = _clip(chip.readout, np.array([[x_target, y_target]]))[0]
    if region.kind is RegionKind.FULL:
        points = np.concatenate([_grid(one.readout, n) for one in aperture.chips])
        on_chip = np.repeat([one.number for one in aperture.chips], n * n)
    elif region.diameter is None:
        points, on_chip = np.empty((0, 2)), np.empty(0, dtype=int)
    else:
        radii = np.full(2, region.diameter / 2)
        if region.unit is LengthUnit.ARCSEC:
            scales = aperture.scale_at(x_center, y_center, chip=chip.number)
            radii = radii / np.array(scales, dtype=float)
        if math.hypot((x_target - x_center) / radii[0], (y_target - y_center) / radii[1]) > 1:
            raise RefusalError(
                f"the target lands at pixel ({x_target:.0f}, {y_target:.0f}), and no part of a "
                f"region of {region.diameter:g} {region.unit} about it is read by "
                f"{aperture.name}: check its POS TARG, or use size=full to evaluate all that is read"
            )
        points, on_chip = _disc(aperture, chip, np.array([x_center, y_center]), radii, n // 2)
    return FieldPoints(
        x_pix=np.concatenate([[x_center], points[:, 0]]),
        y_pix=np.concatenate([[y_center], points[:, 1]]),
        chip=np.concatenate([[chip.number], on_chip]),
        view=np.zeros(len(points) + 1, dtype=int),
        index_of_center=0,
    )


def _clip(readout: Readout, points: FloatArray) -> FloatArray:
    """Move points (P, 2) that are not read to the edge of the readout."""
    low, high = (readout.x_min, readout.y_min), (readout.x_max, readout.y_max)
    clipped: FloatArray = np.clip(points, low, high)
    return clipped


def _grid(readout: Readout, n: int) -> FloatArray:
    """Return an n x n grid (n * n, 2) over a readout, corners included."""
    x, y = np.meshgrid(
        np.linspace(readout.x_min, readout.x_max, n),
        np.linspace(readout.y_min, readout.y_max, n),
        indexing="ij",
    )
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def _disc(
    aperture: Aperture, chip: Chip, center: FloatArray, radii: FloatArray, rings: int
) -> tuple[FloatArray, IntArray]:
    """Return the points (P, 2) of a disc about `center` on `chip`, and the chip of each."""
    ring_points = _rings(rings) * radii + center
    corners = _grid(chip.readout, 2)
    inside = np.hypot(*((corners - center) / radii).T) <= 1
    points = np.concatenate([ring_points, corners[inside]])
    on_chip = np.full(len(points), chip.number)
    for other in aperture.chips:
        if other is chip:
            continue
        # Ring points that another chip reads belong to it, and its corners count too.
        ideal = aperture.ideal_from_pixel(*points.T, chip=chip.number)
        there = np.stack(aperture.pixel_from_ideal(*ideal, chip=other.number), axis=-1)
        takes = (on_chip == chip.number) & (other.readout.distance(*there.T) == 0)
        takes &= chip.readout.distance(*points.T) > 0
        points[takes], on_chip[takes] = there[takes], other.number
        corners = _grid(other.readout, 2)
        ideal = aperture.ideal_from_pixel(*corners.T, chip=other.number)
        seen = np.stack(aperture.pixel_from_ideal(*ideal, chip=chip.number), axis=-1)
        corners = corners[np.hypot(*((seen - center) / radii).T) <= 1]
        points = np.concatenate([points, corners])
        on_chip = np.concatenate([on_chip, np.full(len(corners), other.number)])
    own = on_chip == chip.number
    points[own] = _clip(chip.readout, points[own])
    return points, on_chip


def _rings(count: int) -> FloatArray:
    """Return rings of 8, 16, ... points in the unit disc, evenly spaced in radius and angle."""
    rings = []
    for ring in range(1, count + 1):
        angle = 2 * np.pi * np.arange(8 * ring) / (8 * ring)
        rings.append(ring / count * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    return np.concatenate(rings)
