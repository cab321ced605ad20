"""An observer's own distortion: the IDCTAB, a FITS table of polynomial coefficients.

What such a table holds, as the STScI software that reads it (stwcs, DrizzlePac) takes it: one row
for each chip, direction and filter. In a FORWARD row ``CXij`` multiplies ``dx**j * dy**(i - j)``,
``dx, dy`` are pixels from (XREF, YREF) in the calibrated image of the chip, and the result is in
arcsec. There is no constant term: where the chips lie is said by (V2REF, V3REF), the place of
(XREF, YREF). ``A11``, ``B11`` are older names of ``CX11``, ``CY11``. Where CX11 is 1 the whole
polynomial is in units of SCALE. The change of ACS/WFC's skew with time (TDD keywords) is left out:
it is some 1e-4 of a move.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from aptdither.errors import OpticsError
from aptdither.optics.chip import Chip
from aptdither.optics.distortion import Distortion
from aptdither.optics.siaf import Frame

#: A table is refused where its axes differ by more from the SIAF's, degrees: it is for another detector,
#: or mirrored.
MAX_TURN_DEG = 5.0
#: The same for its pixel scale, as a ratio.
MAX_RATIO = 1.05
#: Highest order of a polynomial that is read. The widest in use is ACS/WFC's 5.
MAX_ORDER = 9
#: Largest file that is read, bytes: real ones have a few hundred kilobytes.
MAX_BYTES = 64 * 2**20
#: Most columns: real ones have some tens of coefficients a direction.
MAX_COLUMNS = 999
_FITS_START = b"SIMPLE  ="
#: Names in a filter column that hold for every filter; detector chip -999 holds for every chip.
ANY_FILTER = frozenset({"", "CLEAR", "N/A", "NONE", "ANY", "ALL"})
REQUIRED = ("DIRECTION", "XREF", "YREF")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdctabRow:
    """One forward polynomial of an IDCTAB, from pixels about its reference pixel to arcsec.

    The reference pixel is (XREF, YREF), in the calibrated image of the chip, 1-based, and lies at
    (V2REF, V3REF), which is None where the table does not say.
    """

    reference_pix: tuple[float, float]
    v2v3_arcsec: tuple[float, float] | None
    distortion: Distortion


def read_idctab(
    path: Path, element: str | None = None, *, reach_pix: float, chip: int = 1
) -> IdctabRow:
    """Read the forward polynomial of a chip and a spectral element from an IDCTAB (FITS).

    Errors (OpticsError) are that the file is missing, is no IDCTAB, has no row for the element, or that
    its polynomial is no distortion; the message says what was wanted.
    """
    header, rows = load_idctab(path)
    columns = rows[0].keys()
    x_prefix, y_prefix = _prefixes(columns)
    row = _choose_row(path, rows, element, chip)
    order = _order(path, header, columns, x_prefix)
    x_coef, y_coef = np.zeros((order + 1, order + 1)), np.zeros((order + 1, order + 1))
    for i in range(1, order + 1):
        for j in range(i + 1):
            for prefix, coef in ((x_prefix, x_coef), (y_prefix, y_coef)):
                name = f"{prefix}{i}{j}"
                if name not in columns:
                    raise OpticsError(f"{str(path)!r} is of order {order} but has no column {name}")
                coef[j, i - j] = _number(path, row, name)
    if x_coef[1, 0] == 1.0 and "SCALE" in columns:
        scale = _number(path, row, "SCALE")
        x_coef, y_coef = x_coef * scale, y_coef * scale

    def pair(x_name: str, y_name: str) -> tuple[float, float]:
        return _number(path, row, x_name), _number(path, row, y_name)

    return IdctabRow(
        reference_pix=pair("XREF", "YREF"),
        v2v3_arcsec=pair("V2REF", "V3REF") if {"V2REF", "V3REF"} <= columns else None,
        distortion=Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=reach_pix),
    )


def load_idctab(path: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Return the header and the rows of an IDCTAB that has the columns it must have."""
    header, rows = _load_table(path)
    columns = rows[0].keys()
    missing = [name for name in REQUIRED if name not in columns]
    prefixes = _prefixes(columns)
    missing += [
        f"CX{ij}, CY{ij}"
        for ij in ("10", "11")
        if not {prefix + ij for prefix in prefixes} <= columns
    ]
    if missing:
        raise OpticsError(
            f"{str(path)!r} is no IDCTAB: its table has no column {', '.join(missing)}"
        )
    return header, rows


def _prefixes(columns: Iterable[str]) -> tuple[str, str]:
    """Return what the names of the coefficients begin with: older tables have A and B."""
    return ("CX", "CY") if "CX11" in columns else ("A", "B")


def _check_file(path: Path) -> None:
    """Refuse what is no FITS file of a sane size; astropy would unpack any archive, whole."""
    size = path.stat().st_size
    if size > MAX_BYTES or not path.is_file():
        raise ValueError(f"it is no regular file of at most {MAX_BYTES // 2**20} MB")
    with path.open("rb") as file:
        if file.read(len(_FITS_START)) != _FITS_START:
            raise ValueError(
                "it does not begin with SIMPLE, as FITS does; unpack it if it is packed"
            )


def _check_size(header: Any) -> None:
    """Refuse a table that claims more than such a file holds: astropy reserves it at once."""
    size = header["NAXIS1"] * header["NAXIS2"]
    if not 0 <= size <= MAX_BYTES or header["TFIELDS"] > MAX_COLUMNS:
        raise ValueError(f"its table claims {size} bytes in {header['TFIELDS']} columns")


def _load_table(path: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Return the primary header, and the rows of the first table under names in capitals."""
    from astropy.io import fits  # slow to import, and needed by few

    columns: dict[str, Any] = {}
    try:
        _check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a blemish of the file that does not matter here
            with fits.open(path, mode="readonly", memmap=False) as units:
                header = units[0].header.copy()
                table = next((unit for unit in units if isinstance(unit, fits.BinTableHDU)), None)
                if table is not None:
                    _check_size(table.header)
                    columns = {
                        name.upper(): np.array(table.data.field(name))
                        for name in table.columns.names
                    }
    except Exception as error:  # astropy raises all sorts of things on broken files
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise OpticsError(
            f"the distortion file {str(path)!r} cannot be read as a FITS table: {reason}; give the "
            "path of an IDCTAB, a FITS file that ends in _idc.fits"
        ) from error
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not rows:
        raise OpticsError(f"{str(path)!r} has no table with rows, so it is no IDCTAB")
    return header, rows


def _choose_row(
    path: Path, rows: list[dict[str, Any]], element: str | None, chip: int
) -> dict[str, Any]:
    """Return the forward row of the chip for the element, or else the one for every element."""
    usable = []
    for row in rows:
        if _text(row, "DIRECTION") != "FORWARD":
            continue
        chip_text = _text(row, "DETCHIP" if "DETCHIP" in row else "CCDCHIP")
        # -999 holds for every chip, and so does what is no number.
        if not re.fullmatch("[0-9]{1,9}", chip_text) or int(chip_text) == chip:
            usable.append(row)
    filters = sorted(name for name in rows[0] if name.startswith("FILTER") or name == "OPT_ELEM")
    found = [
        {_text(row, name) for name in filters if not _holds_for_all(_text(row, name))}
        for row in usable
    ]
    if element is not None:
        for row, names in zip(usable, found, strict=True):
            if names == {element}:
                return row
    for row, names in zip(usable, found, strict=True):
        if not names:
            return row
    if element is None and len(usable) == 1:
        return usable[0]
    has = ", ".join(sorted({"+".join(sorted(names)) for names in found})) or "none"
    wanted = element or "every spectral element (name one to choose its row)"
    raise OpticsError(
        f"{str(path)!r} has no FORWARD row of chip {chip} for {wanted}; it has rows for: {has}"
    )


def _holds_for_all(name: str) -> bool:
    return name in ANY_FILTER or name.startswith("CLEAR")


def _order(path: Path, header: Any, columns: Iterable[str], prefix: str) -> int:
    """Return the polynomial's order: the header's NORDER, or what the columns reach to."""
    pattern = re.compile(rf"{prefix}(\d)\d")
    reached = max(int(found[1]) for name in columns if (found := pattern.fullmatch(name)))
    order = header.get("NORDER", reached)
    if not isinstance(order, int) or not 1 <= order <= min(reached, MAX_ORDER):
        raise OpticsError(
            f"{str(path)!r} says NORDER = {order!r}, but its columns reach order {reached}; 1 to "
            f"{min(reached, MAX_ORDER)} can be read"
        )
    return order


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, "")
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip().upper()


def _number(path: Path, row: Mapping[str, Any], name: str) -> float:
    try:
        value = float(row[name])
    except (TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise OpticsError(f"{str(path)!r}: column {name} holds {row[name]!r}, not a finite number")
    return value


@lru_cache(maxsize=64)
def chips_of_idctab(
    path: Path,
    element: str | None,
    frame: Frame,
    chips: tuple[Chip, ...],
    names: tuple[str, str],
    _changed: tuple[int, int],
) -> tuple[tuple[Chip, ...], dict[str, str]]:
    """Return the chips of an aperture with the polynomials of an IDCTAB, and their provenance.

    `names` are those of the configuration and of the aperture, for messages.

    The table's axes are inferred. Its y axis lies along the detector's columns at its own reference
    pixel, and elsewhere columns lean by up to 0.3 degree; a POS TARG's y axis lies along the
    columns at the *aperture's* reference point, and every WFC3/IR aperture of the SIAF is one
    polynomial, turned to make that so. The table does not list apertures. So each polynomial is
    moved to its chip's reference pixel and turned until the column there lies as it does in the
    SIAF: POS TARGs keep the axes that the telescope uses; the file decides scale, skew and
    curvature. The target stays at the aperture's reference pixel; how far the other chip is from it
    is said by the table's V2REF and V3REF, as stwcs takes them, or else by the SIAF.
    """
    rows = [
        read_idctab(path, element, reach_pix=chip.distortion.reach_pix, chip=chip.number)
        for chip in chips
    ]
    tied = all(row.v2v3_arcsec is not None for row in rows)
    turned = [_turned(names, *pair, path) for pair in zip(chips, rows, strict=True)]
    shifts, target = [], np.zeros(2)
    for chip, row, distortion in zip(chips, rows, turned, strict=True):
        # A pixel of the chip, and its place on the sky in the directions of the frame.
        pixel, place = (
            (row.reference_pix, frame.to_v2v3.T @ np.array(row.v2v3_arcsec))
            if tied
            else (chip.reference_pix, chip.distortion.forward(0.0, 0.0))
        )
        origin_pix = chip.reference_pix
        shift = np.subtract(place, distortion.forward(*pixel, origin_pix=origin_pix))
        shifts.append(shift)
        if chip.number == frame.chip:
            target = shift + distortion.forward(*frame.reference_pix, origin_pix=origin_pix)
    found = tuple(
        replace(chip, distortion=distortion.turned(np.eye(2), shift_arcsec=tuple(shift - target)))
        for chip, distortion, shift in zip(chips, turned, shifts, strict=True)
    )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return found, {"source": f"IDCTAB {path.name}", "sha256": sha256}


def _turned(names: tuple[str, str], chip: Chip, row: IdctabRow, path: Path) -> Distortion:
    """Return a row's polynomial about the reference pixel of the chip, turned as the SIAF's."""
    own, reference_pix = chip.distortion, np.array(chip.reference_pix)
    moved = row.distortion.moved(*(reference_pix - row.reference_pix))
    turn = _column_angle(own) - _column_angle(moved)
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    ratio = _pixel_side(moved) / _pixel_side(own)
    if abs(np.degrees(turn)) > MAX_TURN_DEG or not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        raise OpticsError(
            f"{str(path)!r} is no distortion of {names[0]}: at the reference point of "
            f"{names[1]} the pixels of {chip.name} are {ratio:.3f} times as large and its "
            f"columns are turned by {np.degrees(turn):.1f} degrees against the SIAF's; is it for "
            "another detector?"
        )
    cosine, sine = np.cos(turn), np.sin(turn)
    return moved.turned(np.array([[cosine, -sine], [sine, cosine]]))


def _column_angle(distortion: Distortion) -> float:
    """Return the angle of the detector's y axis at the reference pixel, radians from ideal y to -x."""
    x_slope, y_slope = distortion.jacobian(0.0, 0.0)[:, 1]
    return float(np.arctan2(-x_slope, y_slope))


def _pixel_side(distortion: Distortion) -> float:
    """Return the root of a pixel's area there, arcsec; negative where the frame is mirrored."""
    area = float(np.linalg.det(distortion.jacobian(0.0, 0.0)))
    return float(np.copysign(np.sqrt(abs(area)), area))
