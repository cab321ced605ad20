"""After the observation: how the telescope moved, fitted as in ISR WFC3 2016-14, section 3.2.

For each dataset the ISR pairs commanded POS TARGs with offsets measured in a frame without
distortion, in pixels, and fits ``du = A X + B Y, dv = -B X + A Y``: a scale and a turn.

The ISR's frame is zero at (507, 507), and a pixel of it is as long as a detector row's step in y
there. It says that its axes keep the direction of the detector's y axis; but its B = 0.025 and its
corner of section 3.1 are those of a frame whose u axis lies along the detector's rows, which lean
by 0.17 degree against the POS TARG x axis while columns do not lean against y. So that is the
frame built here from the SIAF: its own A and B are then 8.2683 and 0.0251.

The ISR's text gives A = 8.625 pixels per arcsec. That is a misprint of 8.265: its own Table 2
gives 8.27, and with 8.625 every POS TARG would be 4 % short. Do not use it.

The same data are fitted in the POS TARG frame too, where a perfect telescope has scale 1 and roll
0: "it moved 1.006 times what was commanded, turned by 0.1 degree".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aptdither.errors import OpticsError
from aptdither.optics.aperture import Aperture
from aptdither.optics.ecsv import parse_ecsv, read_ecsv_bytes
from aptdither.types import FloatArray

if TYPE_CHECKING:
    import numpy.typing as npt

#: Most datasets of a file: each is fitted and judged by itself.
MAX_DATASETS = 200
#: Columns of the table, with the unit of each.
COMMANDED = {"postarg_x": "arcsec", "postarg_y": "arcsec"}
POSITIONS = {"x_pix": "pix", "y_pix": "pix"}
OFFSETS = {"dx_pix": "pix", "dy_pix": "pix"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What was commanded and where one star was found.

    Attributes
    ----------
    dataset : str
    postargs_arcsec : (N, 2) float array
        Commanded POS TARGs.
    positions_pix : (N, 2) float array
        Measured, in the calibrated image (FLT) of one chip, 1-based.
    chip : int, optional
        That chip; the one of the aperture's reference point when left out.
    """

    dataset: str
    postargs_arcsec: FloatArray
    positions_pix: FloatArray
    chip: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """A fitted ``du = a X + b Y, dv = -b X + a Y``, in units of the frame per arcsec.

    Errors are of one sigma, None where two exposures leave nothing to estimate them from; a and b do
    not covary. `rms` is that of the residuals over both axes, in units of the frame.
    """

    a: float
    b: float
    a_error: float | None
    b_error: float | None
    rms: float

    @property
    def scale(self) -> float:
        """Length of a commanded arcsec, in units of the frame."""
        return float(np.hypot(self.a, self.b))

    @property
    def turn_deg(self) -> float:
        """Angle from the commanded direction to the found one, from +x toward +y, degrees."""
        return float(np.degrees(np.arctan2(-self.b, self.a)))

    @property
    def turn_error_deg(self) -> float | None:
        """Error of the turn, one sigma, degrees."""
        return None if self.b_error is None else float(np.degrees(self.b_error / self.scale))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DitherFit:
    """How one dataset's dithers were carried out.

    Attributes
    ----------
    dataset : str
    isr : Similarity
        The ISR's A and B, pixels per arcsec in the ISR's frame; the rms is in pixels.
    siaf : Similarity
        The same in the POS TARG frame: `scale` is what was moved over what was commanded, `turn_deg`
        the roll, the rms is in arcsec.
    postargs_arcsec : (N, 2) float array
        As commanded.
    achieved_arcsec : (N, 2) float array
        The POS TARGs that were really carried out, if the first one was.
    positions_pix : (N, 2) float array
        As measured.
    predicted_pix : (N, 2) float array
        Where the SIAF and the commanded POS TARGs put the star, from its first position.
    """

    dataset: str
    isr: Similarity
    siaf: Similarity
    postargs_arcsec: FloatArray
    achieved_arcsec: FloatArray
    positions_pix: FloatArray
    predicted_pix: FloatArray

    @property
    def residual_pix(self) -> FloatArray:
        """Measured less predicted positions, (N, 2), pixels."""
        return self.positions_pix - self.predicted_pix

    @property
    def residual_rms_pix(self) -> tuple[float, float]:
        """Root mean square of that in x and y, pixels; the first exposure counts, with its zero."""
        x_rms, y_rms = np.sqrt(np.mean(self.residual_pix**2, axis=0))
        return float(x_rms), float(y_rms)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedFrame:
    """The ISR's frame, that of ``IR-FIX``: pixels without distortion, zero at the reference point.

    From the POS TARG frame it is ``u = a X + b Y, v = -b X + a Y``, a and b in pixels per arcsec.
    """

    aperture: Aperture
    a: float
    b: float

    @classmethod
    def of(cls, aperture: Aperture) -> CorrectedFrame:
        """Build it from the aperture's polynomial: the scale of a column, the direction of a row."""
        row, column = aperture.jacobian_at(*aperture.reference_pix).T
        scale = 1.0 / float(np.hypot(*column))
        lean = float(np.arctan2(row[1], row[0]))
        a, b = scale * np.cos(lean), scale * np.sin(lean)
        return cls(aperture=aperture, a=float(a), b=float(b))

    def from_pixel(
        self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike, *, chip: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Convert pixels of a chip's full image to (u, v), pixels from the reference point."""
        x, y = self.aperture.ideal_from_pixel(x_pix, y_pix, chip=chip)
        return self.a * x + self.b * y, -self.b * x + self.a * y


def fit_dithers(
    measured: Measured, aperture: Aperture, frame: CorrectedFrame | None = None
) -> DitherFit:
    """Fit scale and turn of a dataset's dithers, with a translation of its own.

    Parameters
    ----------
    measured : Measured
        Two exposures or more, with two POS TARGs that differ.
    aperture : Aperture
        The one that was commanded: its frame is that of the POS TARGs.
    frame : CorrectedFrame, optional
        The frame of A and B; that of `aperture` when left out.

    Raises
    ------
    OpticsError
        When nothing can be fitted.
    """
    frame = CorrectedFrame.of(aperture) if frame is None else frame
    commanded, found, chip = measured.postargs_arcsec, measured.positions_pix, measured.chip
    ideal = np.stack(aperture.ideal_from_pixel(*found.T, chip=chip), axis=-1)
    achieved = ideal - ideal[0] + commanded[0]
    steps = commanded - commanded[0]
    predicted = np.stack(aperture.pixel_from_ideal(*(ideal[0] + steps).T, chip=chip), axis=-1)
    corrected = np.stack(frame.from_pixel(*found.T, chip=chip), axis=-1)
    return DitherFit(
        dataset=measured.dataset,
        isr=fit_similarity(commanded, corrected, name=measured.dataset),
        siaf=fit_similarity(commanded, ideal, name=measured.dataset),
        postargs_arcsec=commanded,
        achieved_arcsec=achieved,
        positions_pix=found,
        predicted_pix=predicted,
    )


def fit_similarity(
    commanded_arcsec: FloatArray, found: FloatArray, *, name: str = "the data"
) -> Similarity:
    """Fit ``found = t + a commanded + b turned(commanded)`` by least squares, of pairs (N, 2).

    About the means the two unknowns are orthogonal, so the solution is closed. Errors (OpticsError)
    are fewer than two pairs, values that are not finite, and no commanded step at all.
    """
    if len(commanded_arcsec) < 2:
        raise OpticsError(
            f"{name}: a fit needs two exposures or more, found {len(commanded_arcsec)}"
        )
    if not (np.isfinite(commanded_arcsec).all() and np.isfinite(found).all()):
        raise OpticsError(f"{name}: a value is not a finite number")
    x, y = (commanded_arcsec - commanded_arcsec.mean(axis=0)).T
    u, v = (found - found.mean(axis=0)).T
    weight = float(np.sum(x * x + y * y))
    if weight == 0.0:
        raise OpticsError(f"{name}: all its POS TARGs are the same, so there is no dither to fit")
    a = float(np.sum(u * x + v * y)) / weight
    b = float(np.sum(u * y - v * x)) / weight
    squares = float(np.sum((u - a * x - b * y) ** 2 + (v + b * x - a * y) ** 2))
    freedom = 2 * len(x) - 4  # a, b and the translation
    error = float(np.sqrt(squares / freedom / weight)) if freedom > 0 else None
    rms = float(np.sqrt(squares / (2 * len(x))))
    return Similarity(a=a, b=b, a_error=error, b_error=error, rms=rms)


def read_measurements(
    path: str | Path, *, at: tuple[float, float] | None = None
) -> tuple[Measured, ...]:
    """Read commanded POS TARGs and measured positions from an ECSV table.

    Columns are ``postarg_x, postarg_y`` (arcsec) and either ``x_pix, y_pix`` (positions in the
    calibrated image, 1-based) or ``dx_pix, dy_pix`` (offsets from `at`); ``dataset`` where there are
    several, ``chip`` where not all are on that of the reference point. A column's own unit is respected.
    Datasets come in the order in which they first appear; errors (OpticsError) name the column.
    """
    path = Path(path)
    table = _load_ecsv(path)
    names = set(table.colnames)
    where = POSITIONS if set(POSITIONS) <= names else OFFSETS
    missing = sorted((set(COMMANDED) | set(where)) - names)
    if missing:
        raise OpticsError(
            f"{str(path)!r} has no column {', '.join(missing)}; needed are postarg_x and postarg_y "
            "(arcsec), and x_pix and y_pix, or dx_pix and dy_pix"
        )
    commanded = np.stack([_column(path, table, *item) for item in COMMANDED.items()], axis=-1)
    measured = np.stack([_column(path, table, *item) for item in where.items()], axis=-1)
    if where is OFFSETS:
        if at is None:
            raise OpticsError(
                f"{str(path)!r} holds offsets (dx_pix, dy_pix): give the pixel from which they count"
            )
        measured = measured + np.asarray(at, dtype=float)
    if "dataset" in names:
        labels = [str(label) for label in table["dataset"]]
    else:
        labels = [path.stem] * len(table)
    chips = _column(path, table, "chip", "").tolist() if "chip" in names else [None] * len(table)
    datasets = len(set(labels))
    if datasets > MAX_DATASETS:
        raise OpticsError(
            f"{str(path)!r} has {datasets} datasets; at most {MAX_DATASETS} are fitted at a time"
        )
    found = []
    for label in dict.fromkeys(labels):
        rows = [k for k, other in enumerate(labels) if other == label]
        on = {chips[k] for k in rows}
        if len(on) > 1:
            raise OpticsError(
                f"{str(path)!r}: dataset {label!r} has several values of chip; give what is on "
                "each chip a name of its own in the column dataset"
            )
        found.append(
            Measured(
                dataset=label,
                postargs_arcsec=commanded[rows],
                positions_pix=measured[rows],
                chip=on.pop(),
            )
        )
    return tuple(found)


def _load_ecsv(path: Path) -> Any:
    try:
        table = parse_ecsv(read_ecsv_bytes(path))
    except ValueError as error:
        raise OpticsError(f"{str(path)!r} {error}; give an ECSV table") from error
    if not len(table):
        raise OpticsError(f"{str(path)!r} has no rows")
    return table


def _column(path: Path, table: Any, name: str, unit: str) -> FloatArray:
    """Return a column in the wanted unit; a column without a unit is taken to be in it."""
    column = table[name]
    try:
        # A masked value becomes NaN, which is refused below with the others.
        values: FloatArray = np.ma.filled(np.ma.array(column, dtype=float), np.nan)
        if column.unit is not None:
            values = values * column.unit.to(unit)
    except (TypeError, ValueError) as error:
        raise OpticsError(
            f"{str(path)!r}: column {name} must hold numbers in {unit} or in a unit that converts "
            f"to it ({error})"
        ) from error
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        raise OpticsError(f"{str(path)!r}: column {name} has no finite number in row {row}")
    return np.asarray(values, dtype=float)
