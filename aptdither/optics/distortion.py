"""A polynomial distortion: pixels to arcsec, its slopes, and the way back.

A camera's distortion is a pair of polynomials in the pixel offsets ``dx, dy`` from a reference
pixel, ``x = sum_ij a[i, j] dx**i dy**j`` in arcsec and the same for y, ``i + j <= degree``. The way
back has no closed form. The files that describe HST's apertures store a fitted polynomial for it,
which is wrong by up to 0.2 pixel on WFC3/IR, so it is never used here: :meth:`Distortion.inverse`
solves the forward polynomial by Newton steps, to better than 1e-9 pixel.

How it is made fast: points go through in blocks that stay in the processor's cache, all monomials
of a block are made with one multiplication each, and one matrix product does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from aptdither.errors import NotConvergedError, OpticsError
from aptdither.types import FloatArray

#: Points per block. The monomials of a block fit the second-level cache of common processors, and
#: each matrix product is below the size from which BLAS would wake threads for it, which costs
#: more than it gains.
BLOCK_POINTS = 6144
#: Degree of the polynomial that guesses the inverse. It errs by 7e-5 pixel on WFC3 and by 0.04 on ACS,
#: so that one Newton step or two are enough.
GUESS_DEGREE = 5
#: Newton steps after which a point is given up: what takes more is outside the field where the inverse
#: exists, since each step squares the error.
MAX_STEPS = 20
#: The last Newton step is at most so long, pixels: what it leaves is its square times the curvature,
#: 1e-4 a pixel or less, 1e-12 pixel.
SETTLED_PIX = 1e-4
#: Pixels or arcsec beyond which a coordinate is no place at all; its powers stay finite numbers.
FARTHEST = 1e12
#: Places along each side where the map must not fold over.
FOLD_SAMPLES = 17


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distortion:
    """The map from pixels about a reference pixel to arcsec in the ideal (POS TARG) frame.

    Parameters
    ----------
    x_coef, y_coef : (degree + 1, degree + 1) float array
        ``x_coef[i, j]`` multiplies ``dx**i * dy**j``; arcsec per pixel to the power i + j, 0 where
        i + j > degree.
    reach_pix : float
        Half the side of the square about the reference pixel in which the map must not fold over:
        at least the detector's farthest edge. Beyond it the inverse works too, in a few more steps.

    Raises
    ------
    OpticsError
        When the coefficients are no distortion: shapes differ, a value is not finite, or the map
        folds over within reach.
    """

    x_coef: FloatArray
    y_coef: FloatArray
    reach_pix: float
    _forward_rows: FloatArray = field(init=False, repr=False)
    _slope_rows: FloatArray = field(init=False, repr=False)
    _guess_rows: FloatArray = field(init=False, repr=False)
    _handedness: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the coefficients and prepare the inverse."""
        shape = np.shape(self.x_coef)
        if (
            len(shape) != 2
            or shape[0] != shape[1]
            or np.shape(self.y_coef) != shape
            or shape[0] < 2
        ):
            raise OpticsError(
                f"distortion coefficients are two square tables of one size, 2 x 2 or more; found "
                f"{shape} for x and {np.shape(self.y_coef)} for y"
            )
        degree = shape[0] - 1
        tables = np.array([self.x_coef, self.y_coef], dtype=float)
        if not np.isfinite(tables).all():
            raise OpticsError("a distortion coefficient is not a finite number")
        power = np.add.outer(np.arange(degree + 1), np.arange(degree + 1))
        if np.any(tables[:, power > degree]):
            raise OpticsError(f"a distortion of degree {degree} has a term of a higher power")
        if degree == 1:  # a straight line, written as a bend of nothing
            tables = np.pad(tables, ((0, 0), (0, 1), (0, 1)))
        tables.setflags(write=False)
        self._set(x_coef=tables[0], y_coef=tables[1])
        slopes = _slopes(tables)[:, :-1, :-1]
        self._set(_forward_rows=_rows(tables), _slope_rows=_rows(slopes))
        self._prepare_inverse()

    def forward(
        self,
        dx_pix: npt.ArrayLike,
        dy_pix: npt.ArrayLike,
        *,
        origin_pix: tuple[float, float] = (0.0, 0.0),
    ) -> tuple[FloatArray, FloatArray]:
        """Convert pixels to arcsec in the ideal frame.

        `dx_pix` and `dy_pix` are offsets from the reference pixel, along increasing column and row; they
        broadcast. `origin_pix` is subtracted first: give the reference pixel to pass pixel coordinates.

        Raises
        ------
        OpticsError
            When an input is not a finite number, or absurdly large.
        """
        x, y, shape = _flat_pair(dx_pix, dy_pix)
        out = np.empty((2, x.size))
        x_zero, y_zero = origin_pix
        with np.errstate(over="ignore", invalid="ignore"):
            for part in _blocks(x.size):
                monomials = _monomials(x[part] - x_zero, y[part] - y_zero, self.degree)
                np.matmul(self._forward_rows, monomials, out=out[:, part])
        return _shaped(out[0], shape), _shaped(out[1], shape)

    def jacobian(self, dx_pix: npt.ArrayLike, dy_pix: npt.ArrayLike) -> FloatArray:
        """Return the slopes ``d(x_arcsec, y_arcsec) / d(dx_pix, dy_pix)``, (..., 2, 2), arcsec per pixel.

        ``[..., 0, 1]`` is dx_arcsec / d dy_pix; `dx_pix` and `dy_pix` broadcast to (...).
        """
        x, y, shape = _flat_pair(dx_pix, dy_pix)
        out = np.empty((4, x.size))
        for part in _blocks(x.size):
            monomials = _monomials(x[part], y[part], self.degree - 1)
            np.matmul(self._slope_rows, monomials, out=out[:, part])
        return np.ascontiguousarray(np.moveaxis(out.reshape(2, 2, *shape), (0, 1), (-2, -1)))

    def inverse(
        self,
        x_arcsec: npt.ArrayLike,
        y_arcsec: npt.ArrayLike,
        *,
        origin_pix: tuple[float, float] = (0.0, 0.0),
    ) -> tuple[FloatArray, FloatArray]:
        """Convert arcsec in the ideal frame to pixels from the reference pixel, to better than 1e-9.

        `origin_pix` is added to the result: give the reference pixel to get pixel coordinates.

        Raises
        ------
        NotConvergedError
            When a point has no counterpart on the detector's side of the polynomial.
        OpticsError
            When an input is not a finite number, or absurdly large.
        """
        x, y, shape = _flat_pair(x_arcsec, y_arcsec)
        out = np.empty((2, x.size))
        with np.errstate(all="ignore"):
            for part in _blocks(x.size):
                out[:, part] = self._invert_block(np.stack([x[part], y[part]]))
        for row, zero in zip(out, origin_pix, strict=True):
            if zero != 0.0:
                row += zero
        return _shaped(out[0], shape), _shaped(out[1], shape)

    @property
    def degree(self) -> int:
        """Highest power of the polynomial."""
        return len(self.x_coef) - 1

    def moved(self, dx_pix: float, dy_pix: float) -> Distortion:
        """Return the same distortion about another reference pixel, zero there.

        The axes keep their directions: ``new(d) = old(d + shift) - old(shift)``, shift in pixels.
        """
        x_coef = _expanded_about(self.x_coef, dx_pix, dy_pix)
        y_coef = _expanded_about(self.y_coef, dx_pix, dy_pix)
        x_coef[0, 0] = y_coef[0, 0] = 0.0
        return Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=self.reach_pix)

    def turned(
        self, matrix: FloatArray, *, shift_arcsec: tuple[float, float] = (0.0, 0.0)
    ) -> Distortion:
        """Return the same distortion in a frame that `matrix` (2, 2) and then a shift lead to."""
        (xx, xy), (yx, yy) = matrix
        x_coef = xx * self.x_coef + xy * self.y_coef
        y_coef = yx * self.x_coef + yy * self.y_coef
        x_coef[0, 0] += shift_arcsec[0]
        y_coef[0, 0] += shift_arcsec[1]
        return Distortion(x_coef=x_coef, y_coef=y_coef, reach_pix=self.reach_pix)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _prepare_inverse(self) -> None:
        """Refuse a map that folds over within reach, and fit where the inverse begins."""
        side = np.linspace(-self.reach_pix, self.reach_pix, FOLD_SAMPLES)
        pixels = np.stack(np.meshgrid(side, side)).reshape(2, -1)
        determinant = np.linalg.det(self.jacobian(*pixels))
        handedness = float(np.sign(determinant[0]))
        if handedness == 0.0 or np.any(determinant * handedness <= 0.0):
            raise OpticsError(
                f"the distortion folds over within {self.reach_pix:.0f} pixels of its reference "
                "pixel, so no position on the sky belongs to one pixel alone"
            )
        arcsec = np.array(self.forward(*pixels))
        farthest = float(np.abs(arcsec).max())
        terms = _monomials(arcsec[0] / farthest, arcsec[1] / farthest, GUESS_DEGREE)
        guess, *_ = np.linalg.lstsq(terms.T, pixels.T, rcond=None)
        scale = farthest ** -np.add(*_terms(GUESS_DEGREE)).astype(float)
        self._set(_handedness=handedness, _guess_rows=np.ascontiguousarray(guess.T * scale))

    def _invert_block(self, wanted: FloatArray) -> FloatArray:
        """Return (2, n) pixels for (2, n) arcsec: Newton steps from the fitted guess."""
        found = self._guess_rows @ _monomials(wanted[0], wanted[1], GUESS_DEGREE)
        for _ in range(MAX_STEPS):
            miss, (xx, xy, yx, yy) = self._miss_and_slopes(wanted, found)
            determinant = xx * yy - xy * yx
            step = np.stack([yy * miss[0] - xy * miss[1], xx * miss[1] - yx * miss[0]])
            step /= determinant
            found += step
            # A place where the map is mirrored lies beyond a fold: it is not the detector's side.
            settled = (np.abs(step) <= SETTLED_PIX).all(axis=0) & (
                determinant * self._handedness > 0.0
            )
            if settled.all():
                return found
        miss, (xx, xy, yx, yy) = self._miss_and_slopes(wanted, found)
        distance = np.hypot(*miss)
        # A search that ended nowhere, or on the mirrored side of a fold, is where it began.
        astray = ((xx * yy - xy * yx) * self._handedness <= 0.0) | ~np.isfinite(distance)
        distance[astray] = np.hypot(*wanted)[astray]
        worst_arcsec = float(distance[~settled].max())
        raise NotConvergedError(iterations=MAX_STEPS, worst_residual_arcsec=worst_arcsec)

    def _miss_and_slopes(
        self, wanted: FloatArray, found: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return what (2, n) pixels miss of (2, n) arcsec, and the slopes (4, n) there."""
        monomials = _monomials(found[0], found[1], self.degree)
        slopes = self._slope_rows @ monomials[: self._slope_rows.shape[1]]
        return wanted - self._forward_rows @ monomials, slopes


def _monomials(x: FloatArray, y: FloatArray, degree: int) -> FloatArray:
    """Return the monomials 1, x, y, x², xy, y², … of n points as (terms, n)."""
    rows = np.empty(((degree + 1) * (degree + 2) // 2, x.size))
    rows[0] = 1.0
    first = 0
    for power in range(1, degree + 1):
        after = first + power
        np.multiply(rows[first:after], x, out=rows[after : after + power])
        np.multiply(rows[after - 1], y, out=rows[after + power])
        first = after
    return rows


def _terms(degree: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the powers of x and of y of each monomial, in the order of `_monomials`."""
    pairs = [(total - j, j) for total in range(degree + 1) for j in range(total + 1)]
    powers = np.array(pairs, dtype=np.intp)
    return powers[:, 0], powers[:, 1]


def _rows(tables: FloatArray) -> FloatArray:
    """Order (n, d + 1, d + 1) tables of coefficients as (n, terms) rows for the monomials."""
    return np.ascontiguousarray(tables[(slice(None), *_terms(tables.shape[-1] - 1))])


def _slopes(tables: FloatArray) -> FloatArray:
    """Differentiate each table by x and by y: (n, k, k) becomes (2 n, k, k), x first."""
    power = np.arange(1, tables.shape[-1], dtype=float)
    slopes = np.zeros((len(tables), 2, *tables.shape[1:]))
    slopes[:, 0, :-1, :] = tables[:, 1:, :] * power[:, None]
    slopes[:, 1, :, :-1] = tables[:, :, 1:] * power
    return slopes.reshape(-1, *tables.shape[1:])


def _expanded_about(table: FloatArray, x0: float, y0: float) -> FloatArray:
    """Return the coefficients of ``p(x + x0, y + y0)`` by Horner's rule on polynomials."""

    def shifted(rows: FloatArray, by: float) -> FloatArray:
        result = np.array(rows)
        for start in range(len(rows) - 1):
            for k in range(len(rows) - 2, start - 1, -1):
                result[k] += by * result[k + 1]
        return result

    return shifted(shifted(table, x0).T, y0).T.copy()


def _flat_pair(
    x: npt.ArrayLike, y: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, tuple[int, ...]]:
    """Broadcast two coordinates; give them flat, with the shape to return to."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.shape != second.shape:
        first, second = np.broadcast_arrays(first, second)
    # Written this way round, it refuses NaN too.
    if first.size and not all(np.abs(one).max() <= FARTHEST for one in (first, second)):
        raise OpticsError(
            "a position is not a finite number (NaN or infinite, or too large): there is no such "
            "place on the detector"
        )
    return first.reshape(-1), second.reshape(-1), first.shape


def _shaped(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return an array of the shape, or a plain float for no dimensions."""
    result: FloatArray = values.reshape(shape)[()]
    return result


def _blocks(size: int) -> list[slice]:
    return [slice(start, start + BLOCK_POINTS) for start in range(0, size, BLOCK_POINTS)]
