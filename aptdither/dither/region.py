"""Where on the detector coverage is evaluated, and the field points that stand for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptdither.errors import RefusalError
from aptdither.types import FloatArray, LengthUnit, Region, RegionKind

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.chip import Chip, Readout

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldPoints:
    """Positions on the detector, or on the detectors of several views one after the other.

    The first is the place where the target lands (in the first view).

    Attributes
    ----------
    x_pix, y_pix : (F,) float array
        Pixels of the calibrated image of the chip, 1-based.
    chip, view : (F,) int array
        Number of the chip each lies on, and index of the view it belongs to.
    """

    x_pix: FloatArray
    y_pix: FloatArray
    chip: IntArray
    view: IntArray

    def __len__(self) -> int:
        return len(self.x_pix)

    @classmethod
    def on_chip(cls, points: npt.ArrayLike, chip: npt.ArrayLike = 1, view: int = 0) -> FieldPoints:
        """Return positions (F, 2), pixels, on one chip or on a chip each, of one view."""
        x_pix, y_pix = np.asarray(points, dtype=float).reshape(-1, 2).T
        on = np.broadcast_to(chip, x_pix.shape)
        return cls(x_pix=x_pix, y_pix=y_pix, chip=on, view=np.full(len(x_pix), view))

    @property
    def center(self) -> FieldPoints:
        """The place where the target lands, alone."""
        return self.at([0])

    def at(self, members: npt.ArrayLike) -> FieldPoints:
        """Return some of the positions, by their indices."""
        at = np.asarray(members, dtype=np.intp)
        return FieldPoints(**{one.name: getattr(self, one.name)[at] for one in fields(self)})

    def join(self, *others: FieldPoints) -> FieldPoints:
        """Return these positions and others after them."""
        return FieldPoints(
            **{
                one.name: np.concatenate([getattr(points, one.name) for points in (self, *others)])
                for one in fields(self)
            }
        )


def diameter_arcsec(region: Region, aperture: Aperture) -> float | None:
    """Return the diameter in arcsec, with the mean pixel scale at the reference point.

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Footprint:
    """A region on the chips of an aperture.

    Attributes
    ----------
    aperture : Aperture
    chip : Chip
        Where the target lands.
    center_pix : (2,) float array
        Where the target lands there, or the nearest pixel that is read.
    radii_pix : (2,) float array or None
        Of a disc along x and y, 0 for a point; None for the whole readout.
    readouts : dict of int to Readout
        The part of each chip that counts.

    Notes
    -----
    A disc in arcsec is drawn with the pixel scale at its center: at the rim of one that fills
    the field it is off by the change of scale, 2 %.
    """

    aperture: Aperture
    chip: Chip
    center_pix: FloatArray
    radii_pix: FloatArray | None
    readouts: dict[int, Readout]

    @classmethod
    def of(
        cls,
        region: Region,
        aperture: Aperture,
        target_arcsec: tuple[float, float] = (0.0, 0.0),
        postargs_arcsec: FloatArray | None = None,
    ) -> Footprint:
        """Lay a region on an aperture.

        `target_arcsec` is where the target lands, in the ideal frame; where that is not read, the nearest
        pixel that is read stands for it. With POS TARGs (N, 2), arcsec in the aperture's frame relative to the
        target, the part that every exposure sees counts, of the whole readout and of two chips, of each chip
        that has one.

        Raises
        ------
        RefusalError
            If no pixel of the disc is read.
        """
        chip = aperture.chip_at(*target_arcsec)
        target = np.array(aperture.pixel_from_ideal(*target_arcsec, chip=chip.number), dtype=float)
        center = _clip(chip.readout, target)
        readouts = {one.number: one.readout for one in aperture.chips}
        radii = None
        is_full = region.kind is RegionKind.FULL
        # No target that is wider than its way to the gap can avoid the gap in every exposure.
        if postargs_arcsec is not None and (is_full or len(aperture.chips) > 1):
            readouts = {
                one.number: _common(aperture, one, postargs_arcsec) for one in aperture.chips
            }
        # The edge that stands for a target outside is one that every exposure sees.
        if is_full and chip.readout.distance(*target) > 0:
            center = _clip(readouts[chip.number], target)
        if region.kind is RegionKind.POINT:
            radii = np.zeros(2)
        elif region.diameter is not None:
            radii = np.full(2, region.diameter / 2)
            if region.unit is LengthUnit.ARCSEC:
                radii = radii / np.array(aperture.scale_at(*center, chip=chip.number), dtype=float)
            if math.hypot(*((target - center) / radii)) > 1:
                raise RefusalError(
                    f"the target lands at pixel ({target[0]:.0f}, {target[1]:.0f}), and no part of "
                    f"a region of {region.diameter:g} {region.unit} about it is read by "
                    f"{aperture.name}: check its POS TARG, or use size=full to evaluate all that "
                    "is read"
                )
        return cls(
            aperture=aperture, chip=chip, center_pix=center, radii_pix=radii, readouts=readouts
        )

    def sample(self, n: int, view: int = 0) -> FieldPoints:
        """Return field points that stand for the region, the center first.

        Parameters
        ----------
        n : int
            Points on a side, 2 or more. The whole readout: the center and, for each chip, an n x n
            grid from the first pixel to the last, corners included. A disc: the center and n // 2
            rings, the last on the rim, of 8, 16, ... points (n * n points in all for odd n); those
            that no chip reads are moved to the edge of the readout; and the corners of the readouts
            that are inside.
        view : int
            Index of the view they belong to.

        Examples
        --------
        >>> from aptdither.optics.aperture import get_aperture
        >>> points = Footprint.of(Region.full(), get_aperture("IR")).sample(2)
        >>> list(zip(points.x_pix.tolist(), points.y_pix.tolist()))[:3]
        [(557.0, 557.0), (1.0, 1.0), (1.0, 1014.0)]
        """
        if n < 2:
            raise ValueError(f"a region needs 2 points on a side at least, not {n}")
        center = FieldPoints.on_chip(self.center_pix, self.chip.number, view)
        if self.radii_pix is None:
            grids = np.concatenate([_grid(readout, n) for readout in self.readouts.values()])
            on_chip = np.repeat(list(self.readouts), n * n)
            return center.join(FieldPoints.on_chip(grids, on_chip, view))
        if self.radii_pix.any():
            return center.join(FieldPoints.on_chip(*self._disc(n // 2, self.radii_pix), view))
        return center

    def spacing_pix(self, n: int) -> FloatArray:
        """Return the distance of neighbors in x and y of :meth:`sample`, (2,); 0 for a point."""
        if self.radii_pix is not None:
            return np.asarray(self.radii_pix / (n // 2))
        sizes = [(one.x_max - one.x_min, one.y_max - one.y_min) for one in self.readouts.values()]
        return np.asarray(np.max(sizes, axis=0) / (n - 1))

    def confined(self, points: FloatArray, chip: int) -> FloatArray:
        """Return points (P, 2) of a chip, moved into the region where they are outside of it."""
        if self.radii_pix is not None and self.radii_pix.any():
            center = self.center_pix
            if chip != self.chip.number:
                center = self._on(chip, center, self.chip.number)
            distance = np.hypot(*((points - center) / self.radii_pix).T)
            points = center + (points - center) / np.maximum(distance, 1.0)[:, None]
        return _clip(self.readouts[chip], points)

    def _on(self, chip: int, points: FloatArray, of_chip: int) -> FloatArray:
        """Return in pixels of a chip what is given in pixels of another one, (..., 2)."""
        ideal = self.aperture.ideal_from_pixel(*points.T, chip=of_chip)
        return np.stack(self.aperture.pixel_from_ideal(*ideal, chip=chip), axis=-1)

    def _disc(self, rings: int, radii: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return the points (P, 2) of the disc, and the chip of each."""
        own, center = self.chip.number, self.center_pix

        def inside(points: FloatArray) -> npt.NDArray[np.bool_]:
            return np.asarray(np.hypot(*((points - center) / radii).T) <= 1)

        corners = _grid(self.readouts[own], 2)
        points = np.concatenate([_rings(rings) * radii + center, corners[inside(corners)]])
        on_chip = np.full(len(points), own)
        for other, readout in self.readouts.items():
            if other == own:
                continue
            # Ring points that another chip reads belong to it, and its corners count too.
            there = self._on(other, points, own)
            takes = (on_chip == own) & (readout.distance(*there.T) == 0)
            takes &= self.readouts[own].distance(*points.T) > 0
            points[takes], on_chip[takes] = there[takes], other
            corners = _grid(readout, 2)
            corners = corners[inside(self._on(own, corners, other))]
            points = np.concatenate([points, corners])
            on_chip = np.concatenate([on_chip, np.full(len(corners), other)])
        mine = on_chip == own
        points[mine] = _clip(self.readouts[own], points[mine])
        return points, on_chip


def _common(aperture: Aperture, chip: Chip, postargs_arcsec: FloatArray) -> Readout:
    """Return the part of a chip that every exposure sees; the whole of it where there is none."""
    readout = chip.readout
    x_corner, y_corner = _grid(readout, 2).T[..., None]
    dx, dy = aperture.offset_from_postarg(
        *postargs_arcsec.T[:, None], at=(x_corner, y_corner), chip=chip.number
    )
    # Offsets that are zero but for rounding take nothing away.
    common = replace(
        readout,
        x_min=readout.x_min + max(0, math.ceil(round(-dx.min(), 6))),
        x_max=readout.x_max - max(0, math.ceil(round(dx.max(), 6))),
        y_min=readout.y_min + max(0, math.ceil(round(-dy.min(), 6))),
        y_max=readout.y_max - max(0, math.ceil(round(dy.max(), 6))),
    )
    empty = common.x_min > common.x_max or common.y_min > common.y_max
    return readout if empty else common


def _clip(readout: Readout, points: FloatArray) -> FloatArray:
    """Move points (..., 2) that are not read to the edge of the readout."""
    low, high = (readout.x_min, readout.y_min), (readout.x_max, readout.y_max)
    return np.asarray(np.clip(points, low, high))


def _grid(readout: Readout, n: int) -> FloatArray:
    """Return an n x n grid (n * n, 2) over a readout, corners included."""
    x = np.linspace(readout.x_min, readout.x_max, n)
    y = np.linspace(readout.y_min, readout.y_max, n)
    return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)


def _rings(count: int) -> FloatArray:
    """Return rings of 8, 16, ... points in the unit disc, evenly spaced in radius and angle."""
    rings = []
    for ring in range(1, count + 1):
        angle = 2 * np.pi * np.arange(8 * ring) / (8 * ring)
        rings.append(ring / count * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    return np.concatenate(rings)
