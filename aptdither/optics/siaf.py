"""The HST SIAF: reference points, frames and distortion of the apertures, and the sky.

A frame lies in the telescope's (V2, V3) plane, turned by ``V3IdlYAngle``. A POS TARG is a displacement in
the ideal frame of its aperture; turned into (V2, V3) it is the same displacement for every detector.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from aptdither.optics.detector import get_detector
from aptdither.optics.distortion import Distortion
from aptdither.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The ideal (POS TARG) frame of an aperture: where it lies in the telescope's (V2, V3) plane.

    Attributes
    ----------
    theta_deg, parity : float, int
        ``V3IdlYAngle`` of the SIAF, from the V3 axis to the frame's +Y axis, and ``VIdlParity``: -1 for every
        imaging aperture of HST.
    v2_arcsec, v3_arcsec, reference_pix : float and (float, float)
        The reference point, where the frame is zero: its place, and its pixel of the calibrated image of its
        chip, 1-based.
    chip : int
        The chip on which the reference point lies.
    """

    theta_deg: float
    parity: int
    v2_arcsec: float
    v3_arcsec: float
    reference_pix: tuple[float, float]
    chip: int = 1

    @property
    def to_v2v3(self) -> FloatArray:
        """Orthogonal matrix (2, 2) that turns displacements in this frame into (V2, V3).

        With parity -1: ``dV2 = -x cos(theta) + y sin(theta)``, ``dV3 = x sin(theta) + y cos(theta)``.
        """
        angle = np.radians(self.theta_deg)
        cosine, sine = np.cos(angle), np.sin(angle)
        return np.array([[self.parity * cosine, sine], [-self.parity * sine, cosine]])

    def rotation_from(self, other: Frame) -> FloatArray:
        """Return the matrix (2, 2) that turns displacements in another frame into this one."""
        if (self.theta_deg, self.parity) == (other.theta_deg, other.parity):
            return np.eye(2)  # exactly, so that equal frames change no number
        turned: FloatArray = self.to_v2v3.T @ other.to_v2v3
        return turned

    def postarg_from(
        self, other: Frame, x_arcsec: npt.ArrayLike, y_arcsec: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return in this frame the displacement, arcsec, of a POS TARG that is given in another frame.

        The telescope moves once; every detector sees that displacement in (V2, V3). The curvature
        of the sky is left out: 1.7 mas for a POS TARG of 1 arcsec at 350 arcsec from the axis.
        """
        x, y = np.asarray(x_arcsec, dtype=float), np.asarray(y_arcsec, dtype=float)
        (xx, xy), (yx, yy) = self.rotation_from(other)
        return xx * x + xy * y, yx * x + yy * y

    def y_axis_angle(self, orient_deg: float) -> float:
        """Return the position angle of the frame's +Y axis, degrees from north through east, in [0, 360).

        APT's ORIENT is the angle of U3, opposite to V3 (HST Phase II Instructions, section 6.2.2).
        +Y lies ``V3IdlYAngle`` further. With parity -1, +X points west when +Y points north.
        """
        return (orient_deg - 180.0 + self.theta_deg) % 360.0


@cache
def siaf_tables(config: str) -> dict[str, Any]:
    """Return the data file of a configuration's apertures."""
    name = get_detector(config).siaf_file
    tables: dict[str, Any] = json.loads(
        files("aptdither").joinpath("data", name).read_text(encoding="utf-8")
    )
    return tables


def siaf_frame(config: str, siaf_name: str, chip: int = 1) -> Frame:
    """Return the frame of an aperture of the SIAF, whose reference point lies on `chip`."""
    entry = siaf_tables(config)["entries"][siaf_name]
    return Frame(
        theta_deg=entry["theta_deg"],
        parity=entry["parity"],
        v2_arcsec=entry["v2_arcsec"],
        v3_arcsec=entry["v3_arcsec"],
        reference_pix=(entry["x_ref_pix"], entry["y_ref_pix"]),
        chip=chip,
    )


@cache
def siaf_distortion(config: str, siaf_name: str) -> Distortion:
    """Return the polynomial of an aperture of the SIAF, from pixels about its reference point."""
    entry = siaf_tables(config)["entries"][siaf_name]
    columns, rows = get_detector(config).image_pix
    x_ref, y_ref = entry["x_ref_pix"], entry["y_ref_pix"]
    return Distortion(
        x_coef=_square(entry["x_coef_arcsec"]),
        y_coef=_square(entry["y_coef_arcsec"]),
        # To the image's farthest edge.
        reach_pix=max(x_ref, columns + 1 - x_ref, y_ref, rows + 1 - y_ref),
    )


def _square(terms: list[float]) -> FloatArray:
    """Order the terms 1, x, y, x², xy, y², … as a table [power of x, power of y]."""
    degree = int(np.sqrt(2 * len(terms))) - 1
    table = np.zeros((degree + 1, degree + 1))
    powers = [(n - j, j) for n in range(degree + 1) for j in range(n + 1)]
    for (i, j), value in zip(powers, terms, strict=True):
        table[i, j] = value
    return table


def chip_distortion(row: Distortion, row_frame: Frame, frame: Frame) -> Distortion:
    """Return the polynomial of a chip in the ideal frame of another aperture.

    A full-frame aperture of two chips has one POS TARG frame; each chip is described by the row of
    the SIAF that is the chip's own, from pixels about the reference point of `row_frame`. The row's
    polynomial is turned and shifted through (V2, V3): its constant term then is where that point lies.
    """
    shift = frame.to_v2v3.T @ np.array(
        [row_frame.v2_arcsec - frame.v2_arcsec, row_frame.v3_arcsec - frame.v3_arcsec]
    )
    return row.turned(frame.rotation_from(row_frame), shift_arcsec=(shift[0], shift[1]))


def sky_from_ideal(
    x_arcsec: npt.ArrayLike,
    y_arcsec: npt.ArrayLike,
    *,
    y_angle_deg: float,
    ra_deg: float,
    dec_deg: float,
) -> tuple[FloatArray, FloatArray]:
    """Return right ascension in [0, 360) and declination, degrees, of offsets in an ideal frame.

    Offsets count from where the reference position (`ra_deg`, `dec_deg`) lands; `y_angle_deg` is the
    position angle of +Y, see :meth:`Frame.y_axis_angle`. The ideal frame is taken as the tangent plane
    there (gnomonic projection).
    """
    x, y = np.radians(np.asarray(x_arcsec) / 3600), np.radians(np.asarray(y_arcsec) / 3600)
    angle, dec0 = np.radians(y_angle_deg), np.radians(dec_deg)
    east = -x * np.cos(angle) + y * np.sin(angle)
    north = x * np.sin(angle) + y * np.cos(angle)
    below = np.cos(dec0) - north * np.sin(dec0)
    ra = ra_deg + np.degrees(np.arctan2(east, below))
    dec = np.degrees(np.arctan2(np.sin(dec0) + north * np.cos(dec0), np.hypot(east, below)))
    return ra % 360.0, dec
