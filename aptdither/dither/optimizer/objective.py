"""The engine of the optimizer: the quality of many patterns at once, and their ascent.

Patterns are offsets in pixels at the reference point of the first view's aperture, ``(C, N, 2)``
for `C` patterns at a time. Their offsets elsewhere, on this detector or on another one, are a
quadratic map per field point, fitted to the full distortion model: over 50 px it errs by less than
1e-3 px, over 8 px by 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from aptdither.dither.phases import packing_distance
from aptdither.dither.region import FieldPoints
from aptdither.dither.sampling import AliasingModel
from aptdither.dither.views import View, offsets_at
from aptdither.types import FloatArray

ObjectiveFunction = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


def fit_offsets(views: tuple[View, ...], field: FieldPoints, *, reach_pix: float) -> FloatArray:
    """Fit what an offset at the reference point becomes at field points, up to some reach.

    Returns the coefficients (F, 5, 2) of dx, dy, dx^2, dx dy, dy^2 in x and y, pixels.
    """
    line = np.linspace(-reach_pix, reach_pix, 5)
    offsets = np.stack([a.ravel() for a in np.meshgrid(line, line)], axis=-1)
    wanted = offsets_at(views[0].postargs_of(offsets), views, field)
    terms = _terms(offsets)
    fitted, *_ = np.linalg.lstsq(
        terms, np.swapaxes(wanted, 0, 1).reshape(len(terms), -1), rcond=None
    )
    return np.swapaxes(fitted.reshape(5, -1, 2), 0, 1)


def _terms(offsets: FloatArray) -> FloatArray:
    x, y = offsets[..., 0], offsets[..., 1]
    return np.stack([x, y, x * x, x * y, y * y], axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The quality of patterns over some field points, with derivatives.

    The coefficients are those of :func:`fit_offsets`; without them there is one place, that has the
    offsets of the reference point. `spend` is told the multiplications of each evaluation of `E`; a
    derivative counts as one more.
    """

    band: AliasingModel
    coefficients: FloatArray = field(default_factory=lambda: np.eye(5, 2)[None])
    spacing_pix: float = 0.0
    spend: Callable[[int], None] = lambda multiplications: None

    def offsets(self, pattern: FloatArray) -> FloatArray:
        """Return the offsets (C, F, N, 2), pixels, of patterns (C, N, 2)."""
        result: FloatArray = _terms(pattern)[:, None] @ self.coefficients
        return result

    def work(self, n: int) -> int:
        """Return the multiplications of one evaluation of `E` of one pattern of `n` points."""
        return self.band.work(n) * len(self.coefficients)

    def efficiency(self, pattern: FloatArray) -> FloatArray:
        """Return `E` (C, F) of patterns (C, N, 2)."""
        self.spend(self.work(pattern.shape[1]) * len(pattern))
        return self.band.efficiency(self.offsets(pattern))

    def packing(self, pattern: FloatArray) -> FloatArray:
        """Return the smallest distance of two phases, pixels, (C, F)."""
        return packing_distance(self.offsets(pattern))

    def worst_pair(self, pattern: FloatArray) -> tuple[int, int]:
        """Return the two points of a pattern (N, 2) whose phases come nearest anywhere."""
        _, length = _pair_phases(self.offsets(pattern[None])[0])
        row = _differences(len(pattern))[int(length.min(axis=0).argmin())]
        return int(row.argmax()), int(row.argmin())

    def separation(self, pattern: FloatArray) -> FloatArray:
        """Return the smallest distance of two points at the reference point, pixels, (C,)."""
        least: FloatArray = _lengths(pattern)[1].min(axis=-1)
        return least

    def keeps_spacing(self, pattern: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which patterns (C, N, 2) keep the spacing, but for what a penalty leaves."""
        return self.separation(pattern) > self.spacing_pix - 0.02

    def worst_efficiency(self, sharpness: float) -> ObjectiveFunction:
        """Return the soft minimum of `E` over the field, less :meth:`crowding`.

        The soft minimum ``-log(sum exp(-b E)) / b``, `b` the sharpness, lies below the minimum by
        at most ``log(F) / b``.
        """

        def objective(pattern: FloatArray) -> tuple[FloatArray, FloatArray]:
            self.spend(2 * self.work(pattern.shape[1]) * len(pattern))
            efficiency, gradient = self.band.efficiency_and_gradient(self.offsets(pattern))
            value, weight = _soft_minimum(efficiency, sharpness)
            return self._with_spacing(pattern, value, gradient * weight[..., None, None])

        return objective

    def worst_packing(self, sharpness: float, floor: FloatArray) -> ObjectiveFunction:
        """Return the soft minimum of the packing distance, where `E` stays above `floor` (C,)."""

        def objective(pattern: FloatArray) -> tuple[FloatArray, FloatArray]:
            offsets = self.offsets(pattern)
            step, length = _pair_phases(offsets)
            value, weight = _soft_minimum(length.reshape(len(pattern), -1), sharpness)
            pull = (weight.reshape(length.shape) / np.maximum(length, 1e-12))[..., None] * step
            gradient = _differences(pattern.shape[-2]).T @ pull
            short = np.maximum(floor[:, None] - self.efficiency(pattern), 0.0)
            value = value - _FLOOR_PENALTY * np.sum(short**2, axis=-1)
            # Few places lack E: only there its derivative is needed.
            (places,) = np.nonzero(short.any(axis=0))
            if len(places):
                band = self.band.at(places) if self.band.size > 1 else self.band
                self.spend(2 * band.work(pattern.shape[1]) * len(pattern) * len(places))
                _, rise = band.efficiency_and_gradient(offsets[:, places])
                rise *= 2.0 * _FLOOR_PENALTY * short[:, places, None, None]
                gradient[:, places] += rise
            return self._with_spacing(pattern, value, gradient)

        return objective

    def crowding(self, pattern: FloatArray) -> FloatArray:
        """Return the penalty (C,) of points that are nearer than the spacing."""
        short = np.maximum(self.spacing_pix - _lengths(pattern)[1], 0.0)
        penalty: FloatArray = _SPACING_PENALTY * np.sum(short**2, axis=-1)
        return penalty

    def _with_spacing(
        self, pattern: FloatArray, value: FloatArray, gradient: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return a value less :meth:`crowding`, and its slope by the pattern (C, N, 2).

        `gradient` is the derivative of the value by the offsets (C, F, N, 2).
        """
        by_term = np.sum(gradient @ np.swapaxes(self.coefficients, -1, -2), axis=1)
        x, y = pattern[..., 0], pattern[..., 1]
        along_x = by_term[..., 0] + 2 * x * by_term[..., 2] + y * by_term[..., 3]
        along_y = by_term[..., 1] + x * by_term[..., 3] + 2 * y * by_term[..., 4]
        gap, length = _lengths(pattern)
        short = np.maximum(self.spacing_pix - length, 0.0)
        pull = (2.0 * _SPACING_PENALTY * short / np.maximum(length, 1e-9))[..., None] * gap
        apart = _differences(pattern.shape[-2]).T @ pull
        return value - self.crowding(pattern), np.stack([along_x, along_y], axis=-1) + apart


# Penalties of what must not be: per square pixel that a pair is too near, per square of missing E.
# They are soft enough for the quasi-Newton model; the finish asks for more where they fall short.
_SPACING_PENALTY = 100.0
_FLOOR_PENALTY = 5.0e4


_FIRST_STEP_PIX = 0.02


def ascend(
    objective: ObjectiveFunction, pattern: FloatArray, *, steps: int
) -> tuple[FloatArray, FloatArray]:
    """Climb from patterns (C, N, 2), each with its own quasi-Newton (BFGS) model, for some steps.

    Every step evaluates all patterns together. A pattern whose trial does not rise enough stays and
    halves its step; after four failures its model is forgotten. The first point of each pattern is
    held: a shift of the whole pattern changes nothing that matters. Returns the best of each, and
    its value (C,).
    """
    count, n, _ = pattern.shape
    size = 2 * (n - 1)
    best = pattern.copy()
    value, gradient = objective(best)
    if size == 0:
        return best, value
    slope = gradient[:, 1:].reshape(count, size)
    model = np.zeros((count, size, size))
    eye = np.eye(size)
    model[:] = eye * (_FIRST_STEP_PIX / np.maximum(_norm(slope), 1e-12))[:, None, None]
    scale = np.ones(count)
    failures = np.zeros(count, dtype=int)
    for _ in range(steps):
        direction = np.einsum("cij,cj->ci", model, slope)
        length = _norm(direction)
        move = direction * (scale * np.minimum(1.0, 0.25 / np.maximum(length, 1e-12)))[:, None]
        trial = best.copy()
        trial[:, 1:] += move.reshape(count, n - 1, 2)
        trial_value, trial_gradient = objective(trial)
        trial_slope = trial_gradient[:, 1:].reshape(count, size)
        expected = np.einsum("ci,ci->c", slope, move)
        rises = trial_value >= value + 1e-4 * expected
        # BFGS for the maximum: change of the slope against the move.
        change = slope - trial_slope
        curvature = np.einsum("ci,ci->c", change, move)
        learns = curvature > 1e-10 * _norm(change) * _norm(move)
        rho = np.where(learns, 1.0 / np.where(learns, curvature, 1.0), 0.0)
        left = eye - rho[:, None, None] * move[:, :, None] * change[:, None, :]
        updated = left @ model @ np.swapaxes(left, 1, 2)
        updated += rho[:, None, None] * move[:, :, None] * move[:, None, :]
        model = np.where(learns[:, None, None], updated, model)
        best = np.where(rises[:, None, None], trial, best)
        value = np.where(rises, trial_value, value)
        slope = np.where(rises[:, None], trial_slope, slope)
        scale = np.where(rises, 1.0, scale * 0.4)
        failures = np.where(rises, 0, failures + 1)
        stuck = failures >= 4
        if np.any(stuck):
            step = 0.05 * _FIRST_STEP_PIX / np.maximum(_norm(slope), 1e-12)
            model = np.where(stuck[:, None, None], eye * step[:, None, None], model)
            scale = np.where(stuck, 1.0, scale)
            failures = np.where(stuck, 0, failures)
    return best, value


def _norm(vectors: FloatArray) -> FloatArray:
    length: FloatArray = np.sqrt(np.einsum("ci,ci->c", vectors, vectors))
    return length


def _soft_minimum(values: FloatArray, sharpness: float) -> tuple[FloatArray, FloatArray]:
    """Return the soft minimum over the last axis and its derivative."""
    least = values.min(axis=-1, keepdims=True)
    weight = np.exp(-sharpness * (values - least))
    total = weight.sum(axis=-1, keepdims=True)
    soft = least[..., 0] - np.log(total[..., 0]) / sharpness
    return soft, weight / total


@cache
def _differences(n: int) -> FloatArray:
    """Return the matrix (pairs, N) that takes the difference of each two of `n` points."""
    pairs = list(combinations(range(n), 2))
    matrix = np.zeros((len(pairs), n))
    for row, (first, second) in enumerate(pairs):
        matrix[row, first], matrix[row, second] = 1.0, -1.0
    return matrix


def _lengths(pattern: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the step between each two points, and its length."""
    gap = _differences(pattern.shape[-2]) @ pattern
    return gap, np.hypot(gap[..., 0], gap[..., 1])


def _pair_phases(offsets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the shortest step on the torus between each two phases, and its length."""
    step = _differences(offsets.shape[-2]) @ offsets
    step = step - np.round(step)
    return step, np.hypot(step[..., 0], step[..., 1])
