"""How an aperture lies on the sky, given the roll of the telescope.

Position angles are degrees from north through east. The telescope's roll is the angle of its V3
axis, ``PA_V3``; APT's ORIENT is the angle of U3, which is the opposite of V3 (HST Phase II
Instructions 6.2.2). An aperture's +Y axis lies ``V3IdlYAngle`` (SIAF) further, and its +X axis a
quarter turn clockwise from +Y as seen on the sky, since the SIAF's parity is -1: to the west when
+Y is to the north, which is also how an image is usually shown.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from aptdither.errors import OpticsError
from aptdither.types import FloatArray

_FILE = "wfc3ir-orients.json"


@cache
def _angles() -> dict[str, float]:
    text = files("aptdither").joinpath("data", _FILE).read_text(encoding="utf-8")
    angles: dict[str, float] = json.loads(text)["y_angle_deg"]
    return angles


def y_axis_angle(siaf_name: str, orient_deg: float) -> float:
    """Return the position angle of an aperture's +Y POS TARG axis.

    Parameters
    ----------
    siaf_name : str
        The aperture's name in the SIAF.
    orient_deg : float
        APT's ORIENT.

    Returns
    -------
    float
        Degrees from north through east, in [0, 360).

    Raises
    ------
    OpticsError
        If the SIAF's angle of this aperture is not known.
    """
    if siaf_name not in _angles():
        raise OpticsError(
            f"how the aperture {siaf_name} lies on the sky is not known; known are "
            + ", ".join(_angles())
        )
    return (orient_deg - 180.0 + _angles()[siaf_name]) % 360.0


def sky_from_ideal(
    x_arcsec: npt.ArrayLike,
    y_arcsec: npt.ArrayLike,
    *,
    y_angle_deg: float,
    ra_deg: float,
    dec_deg: float,
) -> tuple[FloatArray, FloatArray]:
    """Return the sky positions of offsets in an aperture's ideal frame.

    Parameters
    ----------
    x_arcsec, y_arcsec : array_like
        From the place in the ideal frame where the reference position lands, arcsec.
    y_angle_deg : float
        Position angle of +Y, see :func:`y_axis_angle`.
    ra_deg, dec_deg : float
        The reference position.

    Returns
    -------
    ra_deg, dec_deg : float array
        Right ascension in [0, 360) and declination, degrees.

    Notes
    -----
    The ideal frame is taken as the tangent plane at the reference position (gnomonic projection).
    """
    x, y = np.radians(np.asarray(x_arcsec) / 3600), np.radians(np.asarray(y_arcsec) / 3600)
    angle, dec0 = np.radians(y_angle_deg), np.radians(dec_deg)
    east = -x * np.cos(angle) + y * np.sin(angle)
    north = x * np.sin(angle) + y * np.cos(angle)
    below = np.cos(dec0) - north * np.sin(dec0)
    ra = ra_deg + np.degrees(np.arctan2(east, below))
    dec = np.degrees(np.arctan2(np.sin(dec0) + north * np.cos(dec0), np.hypot(east, below)))
    return ra % 360.0, dec
