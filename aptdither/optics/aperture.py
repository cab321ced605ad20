"""Apertures: where POS TARGs count from, which chips are read, and their distortion.

Pixels are those of the calibrated image (FLT) of a chip, 1-based: for WFC3/IR 1014 x 1014, the
frame of ISR WFC3 2016-14. The ideal frame of an aperture is the POS TARG frame, in arcsec, zero at
the aperture's reference point, x and y along increasing column and row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aptdither.errors import OpticsError
from aptdither.optics.chip import Chip, Readout
from aptdither.optics.detector import Detector, get_detector, supported_configs
from aptdither.optics.distortion import Distortion
from aptdither.optics.filters import get_element
from aptdither.optics.idctab import chips_of_idctab
from aptdither.optics.siaf import Frame, chip_distortion, siaf_distortion, siaf_frame, siaf_tables
from aptdither.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Aperture:
    """One aperture: its POS TARG frame, and the chips it reads.

    Sky coordinates and POS TARGs may be given as plain numbers in arcsec or as astropy quantities of
    any angular unit, pixels as plain numbers or quantities in pix; results are plain, floats or arrays
    to which the arguments broadcast. Pixels count in the calibrated image of one chip, 1-based, and may
    lie off it: `chip` is its number, the chip of the reference point when left out.

    Attributes
    ----------
    config, name : str
        As APT writes them: ``WFC3/IR``, ``IR-FIX``.
    siaf_name : str
        The aperture's name in the SIAF, which may depend on the spectral element.
    frame : Frame
        The ideal frame, with its reference point.
    chips : tuple of Chip
        What is read.
    provenance : mapping of str to str
        Where the distortion comes from, as data files say it.

    Examples
    --------
    >>> aperture = get_aperture("IR-FIX")
    >>> x, y = aperture.postarg_from_offset(3.5, 1.5)
    >>> print(f"{x:.3f} {y:.3f}")
    0.474 0.183
    >>> dx, dy = aperture.offset_from_postarg(x, y, at=(100.0, 900.0))
    >>> print(f"{dx:.3f} {dy:.3f}")
    3.480 1.484
    """

    config: str
    name: str
    siaf_name: str
    frame: Frame
    chips: tuple[Chip, ...]
    provenance: Mapping[str, str] = field(compare=False)

    @property
    def detector(self) -> Detector:
        """What is true of the detector whatever the aperture."""
        return get_detector(self.config)

    @property
    def reference_pix(self) -> tuple[float, float]:
        """The reference point: pixel coordinates at which a target with POS TARG 0, 0 lands."""
        return self.frame.reference_pix

    @property
    def readout(self) -> Readout:
        """What is read of the chip with the reference point."""
        return self.chip().readout

    @property
    def distortion(self) -> Distortion:
        """Distortion of the chip with the reference point."""
        return self.chip().distortion

    def chip(self, number: int | None = None) -> Chip:
        """Return a chip by its number; an error (OpticsError) lists those that are read."""
        wanted = self.frame.chip if number is None else number
        for chip in self.chips:
            if chip.number == wanted:
                return chip
        raise OpticsError(
            f"aperture {self.name} does not read chip {wanted:g}; it reads chip "
            + ", ".join(str(chip.number) for chip in self.chips)
        )

    def chip_at(self, x_arcsec: float, y_arcsec: float) -> Chip:
        """Return the chip on which a position in the ideal frame lands, or the nearest one."""
        if len(self.chips) == 1:
            return self.chips[0]
        return min(
            self.chips,
            key=lambda chip: float(
                chip.readout.distance(*self.pixel_from_ideal(x_arcsec, y_arcsec, chip=chip.number))
            ),
        )

    def contains(self, x_pix: float, y_pix: float, *, chip: int | None = None) -> bool:
        """Tell whether a pixel position lies on a chip's calibrated image, read or not."""
        self.chip(chip)
        return self.detector.contains(x_pix, y_pix)

    def ideal_from_pixel(
        self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike, *, chip: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Convert pixel coordinates to the ideal frame, arcsec: the POS TARG that puts a target there."""
        on = self.chip(chip)
        return on.distortion.forward(
            plain(x_pix, "pix"), plain(y_pix, "pix"), origin_pix=on.reference_pix
        )

    def pixel_from_ideal(
        self, x_arcsec: npt.ArrayLike, y_arcsec: npt.ArrayLike, *, chip: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Convert ideal positions, arcsec, to pixel coordinates, to better than 1e-9 pixel.

        Raises
        ------
        NotConvergedError
            When a position is too far out to belong to a pixel.
        """
        on = self.chip(chip)
        return on.distortion.inverse(
            plain(x_arcsec, "arcsec"), plain(y_arcsec, "arcsec"), origin_pix=on.reference_pix
        )

    def offset_from_postarg(
        self,
        x_arcsec: npt.ArrayLike,
        y_arcsec: npt.ArrayLike,
        *,
        at: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        chip: int | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return how far a star moves over the detector when a POS TARG is commanded, pixels.

        A POS TARG is added to a star's ideal position, so the move along increasing column and row
        depends on where the star is: `at` (x_pix, y_pix) says where it lands without it, numbers or
        arrays; where POS TARG 0, 0 lands when left out.
        """
        on = self.chip(chip)
        x_step, y_step = plain(x_arcsec, "arcsec"), plain(y_arcsec, "arcsec")
        x_from, y_from = self._from_origin(on, at)
        x_ideal, y_ideal = on.distortion.forward(x_from, y_from)
        dx_to, dy_to = on.distortion.inverse(x_ideal + x_step, y_ideal + y_step)
        return dx_to - x_from, dy_to - y_from

    def postarg_from_offset(
        self,
        dx_pix: npt.ArrayLike,
        dy_pix: npt.ArrayLike,
        *,
        at: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        chip: int | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the POS TARG, arcsec, that moves a star by so many pixels: no inverse is needed.

        `at` is where the star lands without it, as for :meth:`offset_from_postarg`.
        """
        on = self.chip(chip)
        x_move, y_move = plain(dx_pix, "pix"), plain(dy_pix, "pix")
        x_from, y_from = self._from_origin(on, at)
        x_before, y_before = on.distortion.forward(x_from, y_from)
        x_after, y_after = on.distortion.forward(x_from + x_move, y_from + y_move)
        return x_after - x_before, y_after - y_before

    def jacobian_at(
        self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike, *, chip: int | None = None
    ) -> FloatArray:
        """Return the slopes ``d(x_arcsec, y_arcsec) / d(x_pix, y_pix)`` (..., 2, 2)."""
        on = self.chip(chip)
        return on.distortion.jacobian(*self._from_origin(on, (x_pix, y_pix)))

    def scale_at(
        self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike, *, chip: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the lengths on the sky of a step of one pixel in x and in y, arcsec per pixel."""
        slopes = self.jacobian_at(x_pix, y_pix, chip=chip)
        lengths = np.hypot(slopes[..., 0, :], slopes[..., 1, :])
        return lengths[..., 0], lengths[..., 1]

    def _from_origin(
        self, chip: Chip, at: tuple[npt.ArrayLike, npt.ArrayLike] | None
    ) -> tuple[FloatArray, FloatArray]:
        if at is None:
            at = (
                self.reference_pix
                if chip.number == self.frame.chip
                else chip.distortion.inverse(0.0, 0.0, origin_pix=chip.reference_pix)
            )
        x_pix, y_pix = at
        x_ref, y_ref = chip.reference_pix
        return plain(x_pix, "pix") - x_ref, plain(y_pix, "pix") - y_ref


def plain(value: npt.ArrayLike, unit: str) -> FloatArray:
    """Return the plain numbers of a value that may be an astropy quantity; else it is in `unit`.

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


def aperture_names(config: str) -> tuple[str, ...]:
    """Return the names of all apertures of a configuration, as APT writes them."""
    return tuple(siaf_tables(config)["apertures"])


def get_aperture(
    name: str,
    element: str | None = None,
    *,
    config: str | None = None,
    distortion_file: str | Path | None = None,
) -> Aperture:
    """Return an aperture as it is used with a spectral element.

    Parameters
    ----------
    name : str
        As APT writes it, in any case.
    element : str, optional
        The spectral element, since a grism moves the reference point of some apertures; a direct
        image when left out.
    config : str, optional
        Instrument and detector, as APT writes them. When left out: the supported configuration that
        has an aperture of this name.
    distortion_file : path, optional
        An IDCTAB (FITS) whose polynomial replaces the SIAF's; the reference point and the
        direction of the POS TARG axes stay the SIAF's.

    Raises
    ------
    OpticsError
        When a name is not known, with those that are; when several configurations have the name; or
        when the file cannot be used.

    Examples
    --------
    >>> get_aperture("ir").reference_pix
    (557.0, 557.0)
    >>> get_aperture("IR", "G141").reference_pix
    (492.0, 557.0)
    """
    wanted = name.strip().upper()
    configs = supported_configs() if config is None else (config,)
    matches = [one for one in configs if wanted in siaf_tables(one)["apertures"]]
    if not matches:
        for one in configs:
            if (why := siaf_tables(one).get("refused", {}).get(wanted)) is not None:
                raise OpticsError(f"aperture {wanted} of {one} is not supported: {why}")
        known = "; ".join(
            f"for {one} it is one of {', '.join(aperture_names(one))}" for one in configs
        )
        raise OpticsError(f"aperture {name!r} is not known; {known}")
    if len(matches) > 1:
        raise OpticsError(f"aperture {wanted} exists in {' and '.join(matches)}; name the Config")
    element_name = None if element is None else get_element(element, matches[0]).name
    aperture = _siaf_aperture(matches[0], wanted, element_name)
    if distortion_file is None:
        return aperture
    path = Path(distortion_file)
    try:
        facts = path.stat()
        changed = (facts.st_mtime_ns, facts.st_size)
    except OSError:
        changed = (0, 0)  # the reader reports what is wrong with it
    chips, provenance = chips_of_idctab(
        path, element_name, aperture.frame, aperture.chips, (aperture.config, wanted), changed
    )
    return replace(aperture, chips=chips, provenance=provenance)


@lru_cache(maxsize=256)
def _siaf_aperture(config: str, name: str, element: str | None) -> Aperture:
    """Return an aperture of the SIAF.

    Without ``chips`` in the data file the detector is one chip, whose polynomial is the aperture's
    own. Otherwise each chip names the row of the SIAF that describes it. An aperture with a readout
    reads a part of the chip with its reference point, another one all of every chip.
    """
    tables = siaf_tables(config)
    facts = tables["apertures"][name]
    siaf_name = facts["siaf_with"].get(element, facts["siaf"])
    frame = siaf_frame(config, siaf_name, facts.get("chip", 1))
    chips = tables.get("chips", [{"name": config, "number": 1, "siaf": siaf_name}])
    columns, rows = get_detector(config).image_pix
    readout = Readout(*facts.get("readout_pix", (1.0, columns, 1.0, rows)))
    return Aperture(
        config=config,
        name=name,
        siaf_name=siaf_name,
        frame=frame,
        chips=tuple(
            _siaf_chip(config, frame, readout, **chip)
            for chip in chips
            if "readout_pix" not in facts or chip["number"] == frame.chip
        ),
        provenance=tables["provenance"],
    )


def _siaf_chip(
    config: str, frame: Frame, readout: Readout, *, name: str, number: int, siaf: str
) -> Chip:
    row = siaf_frame(config, siaf, number)
    distortion = siaf_distortion(config, siaf)
    return Chip(
        name=name,
        number=number,
        readout=readout,
        reference_pix=row.reference_pix,
        distortion=distortion if row == frame else chip_distortion(distortion, row, frame),
    )
