"""Where on the detector coverage is judged, and the field points that stand for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aptdither.errors import RefusalError
from aptdither.types import FloatArray, LengthUnit, Region, RegionKind

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldPoints:
    """Places on the detector.

    Attributes
    ----------
    x_pix, y_pix : (F,) float array
        Pixels of the calibrated full-frame image, 1-based.
    index_of_center : int
        Which of them is the place where the target lands.
    """

    x_pix: FloatArray
    y_pix: FloatArray
    index_of_center: int


def diameter_arcsec(region: Region, aperture: Aperture) -> float | None:
    """Return the diameter in arcsec, with the mean pixel scale at the fiducial point.

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
    x_scale, y_scale = aperture.scale_at(aperture.x_ref_pix, aperture.y_ref_pix)
    return region.diameter * math.sqrt(float(x_scale) * float(y_scale))


def sample_region(
    region: Region,
    aperture: Aperture,
    center_pix: tuple[float, float] | None = None,
    n: int = 9,
) -> FieldPoints:
    """Return field points that stand for the region; always the same ones.

    Parameters
    ----------
    aperture : Aperture
        For what it reads, its fiducial point and its pixel scale.
    center_pix : (float, float), optional
        Where the target lands, pixels; the fiducial point when left out. Where the target
        lands outside of what is read, the nearest pixel that is read stands for it.
    n : int
        Points on a side, 2 or more. The whole readout: the centre and an n x n grid from the
        first pixel to the last, corners included. A disc: the centre and n // 2 rings, the
        last on the rim, of 8, 16, ... points (n * n points in all for odd n), those outside of
        the readout moved to its edge, and the corners of the readout that are inside.

    Returns
    -------
    FieldPoints
        The centre first.

    Raises
    ------
    RefusalError
        If no pixel of the disc is read.

    Notes
    -----
    A disc in arcsec is drawn with the pixel scale at its centre: at the rim of one that fills
    the field it is off by the change of scale, 2 %.
    """
    if n < 2:
        raise ValueError(f"a region needs 2 points on a side at least, not {n}")
    readout = aperture.readout
    target = (aperture.x_ref_pix, aperture.y_ref_pix) if center_pix is None else center_pix
    x_center = float(np.clip(target[0], readout.x_min, readout.x_max))
    y_center = float(np.clip(target[1], readout.y_min, readout.y_max))
    corners = np.array(
        [(x, y) for x in (readout.x_min, readout.x_max) for y in (readout.y_min, readout.y_max)]
    )
    if region.kind is RegionKind.FULL:
        x, y = np.meshgrid(
            np.linspace(readout.x_min, readout.x_max, n),
            np.linspace(readout.y_min, readout.y_max, n),
            indexing="ij",
        )
        places = np.stack([x.ravel(), y.ravel()], axis=-1)
    elif region.diameter is None:
        places = np.empty((0, 2))
    else:
        x_radius = y_radius = region.diameter / 2
        if region.unit is LengthUnit.ARCSEC:
            x_scale, y_scale = aperture.scale_at(x_center, y_center)
            x_radius, y_radius = x_radius / float(x_scale), y_radius / float(y_scale)
        miss = math.hypot((target[0] - x_center) / x_radius, (target[1] - y_center) / y_radius)
        if miss > 1:
            raise RefusalError(
                f"the target lands at pixel ({target[0]:.0f}, {target[1]:.0f}), and no part of "
                f"a region of {region.diameter:g} {region.unit} about it is read by "
                f"{aperture.name}: is its POS TARG right? size=full judges all that is read"
            )
        rings = _rings(n // 2) * (x_radius, y_radius) + (x_center, y_center)
        inside = np.hypot(
            (corners[:, 0] - x_center) / x_radius, (corners[:, 1] - y_center) / y_radius
        )
        places = np.concatenate([rings, corners[inside <= 1]])
        places[:, 0] = np.clip(places[:, 0], readout.x_min, readout.x_max)
        places[:, 1] = np.clip(places[:, 1], readout.y_min, readout.y_max)
    return FieldPoints(
        x_pix=np.concatenate([[x_center], places[:, 0]]),
        y_pix=np.concatenate([[y_center], places[:, 1]]),
        index_of_center=0,
    )


def _rings(count: int) -> FloatArray:
    """Return rings of 8, 16, ... points in the unit disc, evenly spaced in radius and angle."""
    rings = []
    for ring in range(1, count + 1):
        angle = 2 * np.pi * np.arange(8 * ring) / (8 * ring)
        rings.append(ring / count * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    return np.concatenate(rings)


def to_arcsec(value: Any) -> FloatArray:
    """Return plain numbers in arcsec of numbers in arcsec, or of a Quantity of any angle."""
    if hasattr(value, "to_value"):
        value = value.to_value("arcsec")
    return np.asarray(value, dtype=float)
