"""Apertures: where POS TARGs count from, what is read, and how the sky is bent there.

Pixels are those of the calibrated full-frame image (FLT), 1-based: for WFC3/IR 1014 x 1014, the
frame of ISR WFC3 2016-14. The ideal frame of an aperture is the POS TARG frame, in arcsec, zero at
the aperture's fiducial point, x and y along increasing column and row.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aptdither.errors import OpticsError
from aptdither.optics.distortion import Distortion
from aptdither.optics.filters import get_element
from aptdither.optics.idctab import read_idctab
from aptdither.types import FloatArray

#: The data file of each configuration whose apertures are known.
DATA_FILES = {"WFC3/IR": "wfc3ir-apertures.json"}
#: The axes of a distortion file for this detector lie within this of the SIAF's, in degrees; what
#: does not is for another detector, or mirrored.
MAX_TURN_DEG = 5.0
#: And so do its scales, as a ratio.
MAX_RATIO = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """The part of the detector that is read: centres of its first and last pixels.

    Parameters
    ----------
    x_min, x_max, y_min, y_max : float
        Pixels of the full-frame image, 1-based; a pixel's area reaches 0.5 further.
    """

    x_min: float
    x_max: float
    y_min: float
    y_max: float

    @property
    def center(self) -> tuple[float, float]:
        """Pixel coordinates of the middle."""
        return (self.x_min + self.x_max) / 2, (self.y_min + self.y_max) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a distortion comes from."""

    source: str
    version: str
    sha256: str
    retrieved: str
    licence: str
    rebuild: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aperture:
    """One aperture with its fiducial point, readout and distortion.

    Sky coordinates may be given as plain numbers in arcsec or as astropy quantities of any angular
    unit, pixels as plain numbers or quantities in pix; results are plain.

    Parameters
    ----------
    config, name : str
        As APT writes them: ``WFC3/IR``, ``IR-FIX``.
    siaf_name : str
        The aperture's name in the SIAF, which may depend on the spectral element.
    x_ref_pix, y_ref_pix : float
        Fiducial point, pixels of the full-frame image, 1-based.
    readout : Readout
        The pixels that are read.
    distortion : Distortion
        From pixels about the fiducial point to the ideal frame.
    provenance : Provenance
        Where the distortion comes from.
    """

    config: str
    name: str
    siaf_name: str
    x_ref_pix: float
    y_ref_pix: float
    readout: Readout
    distortion: Distortion
    provenance: Provenance

    @property
    def fiducial_pix(self) -> tuple[float, float]:
        """Pixel coordinates at which a target with POS TARG 0, 0 lands."""
        return self.x_ref_pix, self.y_ref_pix

    def ideal_from_pixel(
        self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Convert pixel coordinates to the ideal frame.

        Parameters
        ----------
        x_pix, y_pix : float or array, pixels
            Coordinates in the full-frame image, 1-based; they broadcast.

        Returns
        -------
        x_arcsec, y_arcsec : float or array, arcsec
            POS TARG of a target that lands there.
        """
        return self.distortion.forward(
            plain(x_pix, "pix"), plain(y_pix, "pix"), origin_pix=self.fiducial_pix
        )

    def pixel_from_ideal(
        self, x_arcsec: npt.ArrayLike, y_arcsec: npt.ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Convert ideal positions to pixel coordinates, to better than 1e-9 pixel.

        Parameters
        ----------
        x_arcsec, y_arcsec : float or array, arcsec
            Positions in the ideal frame; they broadcast.

        Returns
        -------
        x_pix, y_pix : float or array, pixels
            Coordinates in the full-frame image, 1-based; they may lie off the detector.

        Raises
        ------
        NotConvergedError
            When a position is too far out to belong to a pixel.
        """
        return self.distortion.inverse(
            plain(x_arcsec, "arcsec"), plain(y_arcsec, "arcsec"), origin_pix=self.fiducial_pix
        )

    def offset_from_postarg(
        self,
        x_arcsec: npt.ArrayLike,
        y_arcsec: npt.ArrayLike,
        *,
        at: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Say how far a star moves over the detector when a POS TARG is commanded.

        A POS TARG is added to a star's ideal position, so the move depends on where the star is.

        Parameters
        ----------
        x_arcsec, y_arcsec : float or array, arcsec
            The POS TARG.
        at : (x_pix, y_pix), pixels, optional
            Where the star lands without it, coordinates in the full-frame image; numbers or arrays
            that broadcast with the POS TARGs. The fiducial point when left out.

        Returns
        -------
        dx_pix, dy_pix : float or array, pixels
            The star's move along increasing column and row.
        """
        x_step, y_step = plain(x_arcsec, "arcsec"), plain(y_arcsec, "arcsec")
        x_from, y_from = self._offsets_from_fiducial(at)
        x_ideal, y_ideal = self.distortion.forward(x_from, y_from)
        dx_to, dy_to = self.distortion.inverse(x_ideal + x_step, y_ideal + y_step)
        return dx_to - x_from, dy_to - y_from

    def postarg_from_offset(
        self,
        dx_pix: npt.ArrayLike,
        dy_pix: npt.ArrayLike,
        *,
        at: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Give the POS TARG that moves a star by so many pixels: no inverse is needed.

        Parameters
        ----------
        dx_pix, dy_pix : float or array, pixels
            The wanted move along increasing column and row.
        at : (x_pix, y_pix), pixels, optional
            Where the star lands without it; as for :meth:`offset_from_postarg`.

        Returns
        -------
        x_arcsec, y_arcsec : float or array, arcsec
            The POS TARG.
        """
        x_move, y_move = plain(dx_pix, "pix"), plain(dy_pix, "pix")
        x_from, y_from = self._offsets_from_fiducial(at)
        x_before, y_before = self.distortion.forward(x_from, y_from)
        x_after, y_after = self.distortion.forward(x_from + x_move, y_from + y_move)
        return x_after - x_before, y_after - y_before

    def scale_at(self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Give the lengths on the sky of a step of one pixel in x and in y.

        Parameters
        ----------
        x_pix, y_pix : float or array, pixels
            Coordinates in the full-frame image.

        Returns
        -------
        x_scale, y_scale : float or array, arcsec per pixel
        """
        slopes = self.distortion.jacobian(*self._offsets_from_fiducial((x_pix, y_pix)))
        lengths = np.hypot(slopes[..., 0, :], slopes[..., 1, :])
        return lengths[..., 0], lengths[..., 1]

    def _offsets_from_fiducial(
        self, at: tuple[npt.ArrayLike, npt.ArrayLike] | None
    ) -> tuple[FloatArray, FloatArray]:
        if at is None:
            return np.zeros(()), np.zeros(())
        x_pix, y_pix = at
        return plain(x_pix, "pix") - self.x_ref_pix, plain(y_pix, "pix") - self.y_ref_pix


def plain(value: npt.ArrayLike, unit: str) -> FloatArray:
    """Give the plain numbers of a value, which may be an astropy quantity.

    Parameters
    ----------
    value : float, array or Quantity
        Without a unit it is taken to be in `unit`.
    unit : str
        Name of the unit that is wanted.

    Raises
    ------
    OpticsError
        When the value has a unit of another kind.
    """
    to_value = getattr(value, "to_value", None)  # a Quantity's own; astropy is not imported here
    if to_value is None:
        return np.asarray(value, dtype=float)
    try:
        return np.asarray(to_value(unit), dtype=float)
    except (ValueError, TypeError) as error:
        raise OpticsError(f"a value in {unit} is needed: {error}") from error


def aperture_names(config: str = "WFC3/IR") -> tuple[str, ...]:
    """Give the names of all apertures of a configuration, as APT writes them.

    Raises
    ------
    OpticsError
        For a configuration that is not known.
    """
    return tuple(_tables(config)["apertures"])


def get_aperture(
    name: str,
    element: str | None = None,
    *,
    config: str = "WFC3/IR",
    distortion_file: str | Path | None = None,
) -> Aperture:
    """Give an aperture as it is used with a spectral element.

    Parameters
    ----------
    name : str
        As APT writes it, in any case.
    element : str, optional
        The spectral element, since a grism moves the fiducial point of some apertures; a direct
        image when left out.
    config : str
        Instrument and detector, as APT writes them.
    distortion_file : path, optional
        An IDCTAB (FITS) whose polynomial takes the place of the SIAF's; the fiducial point and the
        direction of the POS TARG axes stay the SIAF's.

    Raises
    ------
    OpticsError
        When a name is not known, with those that are, or the file cannot be used.
    """
    tables = _tables(config)
    wanted = name.strip().upper()
    if wanted not in tables["apertures"]:
        raise OpticsError(
            f"aperture {name!r} is not known for {config}; it is one of "
            + ", ".join(tables["apertures"])
        )
    element_name = None if element is None else get_element(element, config).name
    aperture = _siaf_aperture(config, wanted, element_name)
    if distortion_file is None:
        return aperture
    path = Path(distortion_file)
    try:
        facts = path.stat()
        changed = (facts.st_mtime_ns, facts.st_size)
    except OSError:
        changed = (0, 0)  # the reader says what is wrong with it
    return _with_idctab(aperture, path, element_name, changed)


@lru_cache(maxsize=64)
def _with_idctab(
    aperture: Aperture, path: Path, element: str | None, _changed: tuple[int, int]
) -> Aperture:
    """Give the aperture with the polynomial of an IDCTAB in place of its own.

    The table's axes are inferred. Its y axis lies along the detector's columns at its own reference
    pixel, and elsewhere columns lean by up to 0.3 degree; a POS TARG's y axis lies along the
    columns at the *aperture's* fiducial point, and every WFC3/IR aperture of the SIAF is one
    polynomial, turned to make that so. The table says nothing of apertures. So its polynomial is
    moved to the fiducial point and turned until the column there lies as it does in the SIAF:
    POS TARGs keep the axes that the telescope uses; the file decides scale, skew and bending.
    """
    own = aperture.distortion
    x_ref, y_ref, table = read_idctab(path, element, reach_pix=own.reach_pix)
    moved = table.moved(aperture.x_ref_pix - x_ref, aperture.y_ref_pix - y_ref)
    turn = _column_angle(own) - _column_angle(moved)
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    ratio = _pixel_side(moved) / _pixel_side(own)
    if abs(np.degrees(turn)) > MAX_TURN_DEG or not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        raise OpticsError(
            f"{str(path)!r} is no distortion of {aperture.config}: at the fiducial point of "
            f"{aperture.name} its pixels are {ratio:.3f} times as large and its columns are turned "
            f"by {np.degrees(turn):.1f} degrees against the SIAF's; is it for another detector?"
        )
    cosine, sine = np.cos(turn), np.sin(turn)
    distortion = Distortion(
        x_coef=cosine * moved.x_coef - sine * moved.y_coef,
        y_coef=sine * moved.x_coef + cosine * moved.y_coef,
        reach_pix=own.reach_pix,
    )
    provenance = Provenance(
        source=f"IDCTAB {path.name}",
        version="",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        retrieved="",
        licence="",
        rebuild="",
    )
    return replace(aperture, distortion=distortion, provenance=provenance)


def _column_angle(distortion: Distortion) -> float:
    """Give the angle of the detector's y axis at the fiducial point, radians from ideal y to -x."""
    x_slope, y_slope = distortion.jacobian(0.0, 0.0)[:, 1]
    return float(np.arctan2(-x_slope, y_slope))


def _pixel_side(distortion: Distortion) -> float:
    """Give the root of a pixel's area there, arcsec; negative where the frame is mirrored."""
    area = float(np.linalg.det(distortion.jacobian(0.0, 0.0)))
    return float(np.copysign(np.sqrt(abs(area)), area))


@cache
def _tables(config: str) -> dict[str, Any]:
    if config not in DATA_FILES:
        raise OpticsError(
            f"the apertures of {config!r} are not known, only those of {', '.join(DATA_FILES)}"
        )
    text = files("aptdither").joinpath("data", DATA_FILES[config]).read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables


@lru_cache(maxsize=256)
def _siaf_aperture(config: str, name: str, element: str | None) -> Aperture:
    tables = _tables(config)
    facts = tables["apertures"][name]
    siaf_name = facts["siaf_with"].get(element, facts["siaf"])
    entry = tables["entries"][siaf_name]
    x_min, x_max, y_min, y_max = facts["readout_pix"]
    return Aperture(
        config=config,
        name=name,
        siaf_name=siaf_name,
        x_ref_pix=entry["x_ref_pix"],
        y_ref_pix=entry["y_ref_pix"],
        readout=Readout(x_min=x_min, x_max=x_max, y_min=y_min, y_max=y_max),
        distortion=_siaf_distortion(config, siaf_name),
        provenance=Provenance(**tables["provenance"]),
    )


@cache
def _siaf_distortion(config: str, siaf_name: str) -> Distortion:
    tables = _tables(config)
    entry = tables["entries"][siaf_name]
    return Distortion(
        x_coef=_square(entry["x_coef_arcsec"]),
        y_coef=_square(entry["y_coef_arcsec"]),
        reach_pix=reach_pix(tables["detector_pix"], entry["x_ref_pix"], entry["y_ref_pix"]),
    )


def reach_pix(detector_pix: tuple[int, int], x_ref_pix: float, y_ref_pix: float) -> float:
    """Give the distance along an axis from the fiducial point to the detector's farthest edge."""
    x_side, y_side = detector_pix
    return max(x_ref_pix, x_side + 1 - x_ref_pix, y_ref_pix, y_side + 1 - y_ref_pix)


def _square(terms: list[float]) -> FloatArray:
    """Order the terms 1, x, y, x², xy, y², … as a table [power of x, power of y]."""
    degree = 0
    while (degree + 1) * (degree + 2) // 2 < len(terms):
        degree += 1
    table = np.zeros((degree + 1, degree + 1))
    places = [(n - j, j) for n in range(degree + 1) for j in range(n + 1)]
    for (i, j), value in zip(places, terms, strict=True):
        table[i, j] = value
    return table
