"""How well the exposures at one place of the detector undo the aliasing of its pixels.

A frequency ``f`` of the pixel's Nyquist cell is measured together with its aliases ``f + k``, ``k``
in ``K(f)``, the integer shifts that stay inside the band that the telescope passes. ``N`` exposures
with phases ``x_j`` measure ``N`` sums of them; ``Phi_jk = exp(2 pi i k.x_j)`` says with which signs,
and ``G = Phi^H Phi``. Two figures follow:

efficiency ``E`` in (0, 1]
    The variance of the best linear (Wiener) reconstruction of the scene, ideal over actual::

        E = sum_f sum_k 1 / (1/P_k + N)  /  sum_f tr (diag(1/P) + G)^-1

    with ``P_k = (snr MTF_k)^2``. It is 1 when every cross term vanishes, and defined for any ``N``.
amplification ``A >= 1``
    The variance of exact de-aliasing over the ideal, ``A(f) = (N / |K|) tr G^-1``. It is 1 for a
    lattice that fits the band and infinite where there are more aliases than exposures.

What reaches the detector is in :mod:`~aptdither.dither.band`; `K` is what diffraction passes.
``G_kl`` is ``S(l - k)`` with ``S(m) = sum_j exp(2 pi i m.x_j)``, so a small table of ``S`` is all that
a pattern and a place have to give; every frequency shares it.

References
----------
.. [1] Lauer 1999, PASP 111, 227: exact de-aliasing of dithered images.
.. [2] Rowe, Hirata & Rhodes 2011, ApJ 741, 46: linear reconstruction with noise control.
.. [3] Petersen & Middleton 1962, Information and Control 5, 279: sampling on lattices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aptdither.dither.band import Band
from aptdither.dither.matrices import Complexes, invert_in_place, variance_of_few
from aptdither.types import FloatArray

Integers = NDArray[np.intp]

SIGNAL_TO_NOISE = 10.0
"""Signal to noise, at the lowest frequencies, of one exposure: what `E` is quoted for."""

CELLS_PER_AXIS = 8
"""Frequencies on each axis of the Nyquist cell for `E` (midpoints). Against 64, the error of `E`
over F098M to F160W is below 3e-4 for random phases and 5e-5 for good patterns (E > 0.95)."""

FINE_CELLS_PER_AXIS = 48
"""The same for `A` and the lost fraction, whose integrands jump at the edge of the band."""

_BLOCK_ELEMENTS = 30_000

_FEW_EXPOSURES = 0.5
"""Exposures, as a share of the aliases, up to which matrices of the exposures are quicker."""


class AliasingModel:
    """What exposures make of the frequencies of a band, at some places.

    Every place has its own band, since the pixels of WFC3/IR change over the field by 2.7 % in x, by
    6.4 % in y and by 2.4 degrees in angle. One band for all would be wrong by up to 0.022 in `E`
    where it has more aliases than there are exposures (the stock 2- and 3-point lines at F125W), by
    0.002 and less for good patterns of four points and more.

    Parameters
    ----------
    band : Band
        What reaches the detector at each of `F` field points; of one, it is the band of all places.
    snr : float or (F,) array_like, optional
        Signal to noise of one exposure at the lowest frequencies.
    cells : int, optional
        Frequencies on each axis of the Nyquist cell; even, so that each has its mirror image.
    faintest : float, optional
        Signal to noise of an alias below which `E` is computed without it.
    """

    def __init__(
        self,
        band: Band,
        *,
        snr: ArrayLike = SIGNAL_TO_NOISE,
        cells: int = CELLS_PER_AXIS,
        faintest: float = 0.0,
    ) -> None:
        if cells < 2 or cells % 2:
            raise ValueError(f"cells must be even and at least 2, not {cells}")
        self.band = band
        self.cells, self._faintest = cells, faintest
        self._whole: tuple[AliasingModel, Integers] | None = None
        self.snr = np.broadcast_to(np.asarray(snr, dtype=np.float64), (band.size,))
        if not np.all(self.snr > 0):
            raise ValueError(f"the signal to noise must be positive, not {self.snr.min():g}")

    @property
    def size(self) -> int:
        """Number of field points that have a band of their own, 1 when all share it."""
        return self.band.size

    @property
    def cost(self) -> int:
        """Elements of all matrices of one evaluation at one place: a measure of its time."""
        return sum(group.index.size for group in self._groups)

    def work(self, n: int) -> int:
        """Return about how many multiplications `n` exposures take at one place."""
        if self._are_few(n):
            return 3 * n * n * (n + 7) * len(_half_cell(self.cells)[0])
        return sum(group.index.size * (group.aliases + 7) for group in self._groups)

    def at(self, places: Integers) -> AliasingModel:
        """Return the model at some of the field points, by their indices.

        What it has in tables is taken over: this costs much less than a new model.
        """
        if self._whole is not None:
            whole, own = self._whole
            return whole.at(own[places])
        if np.array_equal(places, np.arange(self.size)):
            return self
        other = AliasingModel(self.band.at(places), snr=self.snr[places], cells=self.cells)
        other._whole = self, places
        return other

    def efficiency(self, phases: ArrayLike, *, of: int | None = None) -> FloatArray:
        """Return the de-aliasing efficiency `E`.

        Parameters
        ----------
        phases : (..., F, N, 2) array_like
            Phases (or offsets: whole pixels do not matter) of `N` exposures at each field point,
            pixels. When the band is one for all places, ``(..., N, 2)``.
        of : int, optional
            Number of exposures of the ideal, where only `N` of them see the place; `N` else.

        `E` in (0, 1] is (..., F) or (...).
        """
        return self._evaluate(phases, gradient=False, of=of)[0]

    def efficiency_and_gradient(self, phases: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return `E` as :meth:`efficiency` does, and its derivative by the phases.

        The efficiency is (..., F) or (...), the derivative of the shape of `phases`, per pixel.
        """
        efficiency, gradient = self._evaluate(phases, gradient=True)
        assert gradient is not None
        return efficiency, gradient

    def amplification(
        self, phases: ArrayLike, *, of: int | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return what exact de-aliasing costs, and the share of the band it cannot have.

        A frequency is lost where `A` exceeds ``snr**2``, since exact de-aliasing then leaves more
        noise than signal even at the lowest frequencies, where one exposure's signal to noise is
        highest; and always where it has more aliases than there are exposures.

        Parameters are those of :meth:`efficiency`.

        Returns
        -------
        amplification : (..., F) or (...) array
            Mean of `A` over the recoverable frequencies (each weighted by its aliases, so that it
            is a mean over the band); infinite where nothing is recoverable.
        lost_fraction : array of the same shape
            Share of the band that the exposures cannot recover, 0 to 1.
        """
        offsets = self._checked(phases)
        n = offsets.shape[-2]
        lead = offsets.shape[:-2]
        total = np.zeros(lead)
        kept = np.zeros(lead)
        sums = _sums(_powers(offsets.reshape(-1, n, 2), self._reach))
        for index, share in self._alias_sets:
            aliases = len(index)
            if aliases > n:
                continue
            gram = sums[index]
            # A ridge far below snr**-2 keeps a singular G finite, and lost.
            gram[np.arange(aliases), np.arange(aliases)] += 1e-9 * n
            invert_in_place(gram)
            trace = np.einsum("kk...->...", gram).real
            cost = np.moveaxis(trace.reshape((-1, *lead)), 0, -1) * ((of or n) / aliases)
            weight = share if self.size > 1 else share[0]
            limit = self.snr**2 if self.size > 1 else self.snr[0] ** 2
            found = weight * (cost <= limit[..., None])
            total += np.sum(found * cost, axis=-1)
            kept += np.sum(found, axis=-1)
        mean = np.full(lead, np.inf)
        np.divide(total, kept, out=mean, where=kept > 0)
        # A >= 1 and shares that sum to 1 are exact; the ridge and rounding leave some 1e-9.
        lost = np.where(kept > 1.0 - 1e-12, 0.0, 1.0 - kept)
        return np.maximum(mean, 1.0), lost

    def _evaluate(
        self, phases: ArrayLike, *, gradient: bool, of: int | None = None
    ) -> tuple[FloatArray, FloatArray | None]:
        offsets = self._checked(phases)
        lead, n = offsets.shape[:-2], offsets.shape[-2]
        flat = offsets.reshape(-1, self.size, n, 2)
        actual = np.empty(flat.shape[:2])
        slope = np.empty_like(flat) if gradient else None
        # In blocks whose matrices stay in the processor's cache.
        largest = (
            n * n * self.cells**2 // 2
            if self._are_few(n)
            else max(g.index.size for g in self._groups)
        )
        block = max(1, _BLOCK_ELEMENTS // (self.size * largest))
        for start in range(0, len(flat), block):
            part = slice(start, start + block)
            actual[part], change = self._actual_variance(flat[part], gradient=gradient)
            if slope is not None:
                slope[part] = change
        ideal = np.zeros(self.size)
        for group in self._groups:
            power = group.amplitude**2
            ideal += np.sum(power / (1.0 + (of or n) * power), axis=(0, 1))
        efficiency = ideal / actual
        if slope is None:
            return efficiency.reshape(lead), None
        slope *= -(efficiency / actual)[..., None, None]
        return efficiency.reshape(lead), slope.reshape(offsets.shape)

    def _actual_variance(
        self, flat: FloatArray, *, gradient: bool
    ) -> tuple[FloatArray, FloatArray | None]:
        """Return the variance summed over frequencies (C, F), and its derivative (C, F, N, 2)."""
        if self._are_few(flat.shape[2]):
            return variance_of_few(flat, self._shifts.astype(float), self._power, gradient=gradient)
        count, size = flat.shape[:2]
        powers = _powers(flat, self._reach)
        sums = _sums(powers)
        actual = np.zeros((count, size))
        slope = np.zeros_like(sums) if gradient else None
        for group in self._groups:
            amplitude = group.amplitude[:, :, None, :]
            # M = 1 + sqrt(P) G sqrt(P) takes an alias outside the band as P = 0.
            matrix = sums[group.index].reshape(*group.index.shape, count, size)
            matrix *= amplitude[:, None]
            matrix *= amplitude[None, :]
            diagonal = np.arange(group.aliases)
            matrix[diagonal, diagonal] += 1.0
            invert_in_place(matrix)
            matrix *= amplitude[:, None]
            matrix *= amplitude[None, :]
            actual += np.einsum("kkcps->ps", matrix).real
            if slope is not None:
                # d tr H = -tr(H^2 dG): H^2 at (l, k) belongs to G_kl = S(l - k), so it is the
                # transposed square that is summed in the order of the table.
                square = matrix[0][:, None] * matrix[:, 0][None, :]
                for j in range(1, group.aliases):
                    square += matrix[j][:, None] * matrix[:, j][None, :]
                by_entry = square.reshape(-1, count * size)[group.order]
                slope[group.entries] += np.add.reduceat(by_entry, group.starts, axis=0)
        if slope is None:
            return actual, None
        return actual, -_chain(powers, slope).reshape(flat.shape)

    def _checked(self, phases: ArrayLike) -> FloatArray:
        offsets = np.asarray(phases, dtype=np.float64)
        if offsets.ndim < 2 or offsets.shape[-1] != 2 or offsets.shape[-2] < 1:
            raise ValueError(f"phases must have the shape (..., N, 2), not {offsets.shape}")
        if self.size > 1 and (offsets.ndim < 3 or offsets.shape[-3] != self.size):
            raise ValueError(
                f"this band has {self.size} field points; phases must have the shape "
                f"(..., {self.size}, N, 2), not {offsets.shape}"
            )
        return offsets

    def _are_few(self, n: int) -> bool:
        """Tell whether matrices of `n` exposures cost less than those of the aliases."""
        return n <= _FEW_EXPOSURES * max(group.aliases for group in self._groups)

    @cached_property
    def _power(self) -> FloatArray:
        """`P` of every shift and frequency, and its square, (F, K, 2, cells)."""
        if self._whole is not None:
            whole, places = self._whole
            return whole._power[places]
        power = np.moveaxis(self._amplitude**2, (2, 1), (0, 1))
        return np.stack([power, power * power], axis=2)

    @cached_property
    def _amplitude(self) -> FloatArray:
        """`sqrt(P)` of every frequency and shift, (cells, K, F); 0 outside the band or too faint."""
        x, y = _half_cell(self.cells)
        u = x[:, None, None] + self._shifts[None, :, :1]
        v = y[:, None, None] + self._shifts[None, :, 1:]
        amplitude = np.asarray(self.snr * np.abs(self.band.transfer(u, v)))
        return np.where(amplitude > self._faintest, amplitude, 0.0)

    @cached_property
    def _shifts(self) -> Integers:
        """Every integer shift that some frequency of some field point may need, (K, 2)."""
        if self._whole is not None:
            return self._whole[0]._shifts
        x_most, y_most = np.floor(self.band.reach + 0.5).astype(int)
        x, y = np.mgrid[-x_most : x_most + 1, -y_most : y_most + 1]
        return np.stack([x.ravel(), y.ravel()], axis=-1)

    @cached_property
    def _reach(self) -> tuple[int, int]:
        """Largest difference of two shifts in x and y: the size of the table of `S`."""
        span = 2 * self._shifts.max(axis=0)
        return int(span[0]), int(span[1])

    @cached_property
    def _groups(self) -> tuple[_Group, ...]:
        """Frequencies of half the Nyquist cell (the other half is conjugate), by alias count."""
        if self._whole is not None:
            whole, places = self._whole
            return tuple(replace(g, amplitude=g.amplitude[..., places]) for g in whole._groups)
        amplitude = self._amplitude
        inside = np.any(amplitude > 0, axis=-1)
        groups = []
        for aliases in np.unique(inside.sum(axis=-1)):
            if not aliases:  # a fine pixel: the cell's corners lie outside the band
                continue
            (members,) = np.nonzero(inside.sum(axis=-1) == aliases)
            chosen = np.stack([np.nonzero(inside[cell])[0] for cell in members], axis=-1)
            index = self._difference_index(chosen)
            order = np.argsort(index, axis=None, kind="stable")
            entries, starts = np.unique(index.ravel()[order], return_index=True)
            groups.append(
                _Group(
                    index=index,
                    amplitude=amplitude[members, chosen],
                    order=order,
                    entries=entries,
                    starts=starts,
                )
            )
        return tuple(groups)

    @cached_property
    def _alias_sets(self) -> tuple[tuple[Integers, FloatArray], ...]:
        """The distinct sets of aliases, by alias count `K`.

        Where each element of `G` stands in the table of `S`, (K, K, sets), and the share of the
        band that each set makes up, (F, sets).
        """
        if self._whole is not None:
            whole, places = self._whole
            found = []
            for index, share in whole._alias_sets:
                used = share[places].any(axis=0)
                found.append((index[..., used], share[places][:, used]))
            return tuple(found)
        line = _midpoints(FINE_CELLS_PER_AXIS)
        half = line[FINE_CELLS_PER_AXIS // 2 :]
        code = np.zeros((len(half), len(line), self.size), dtype=np.int64)
        for bit, (x_shift, y_shift) in enumerate(self._shifts):
            u, v = half[:, None, None] + x_shift, line[None, :, None] + y_shift
            code += (self.band.squared_radius(u, v) < 1.0) * np.int64(1 << bit)
        distinct = np.unique(code)
        location = np.searchsorted(distinct, code) + len(distinct) * np.arange(self.size)
        counts = np.bincount(location.ravel(), minlength=self.size * len(distinct))
        share = counts.reshape(self.size, len(distinct)).astype(np.float64)
        members = (distinct[:, None] >> np.arange(len(self._shifts))) & 1
        share *= members.sum(axis=-1)
        share /= share.sum(axis=-1, keepdims=True)
        groups = []
        for aliases in np.unique(members.sum(axis=-1)):
            if not aliases:
                continue
            (chosen,) = np.nonzero(members.sum(axis=-1) == aliases)
            shifts = np.stack([np.nonzero(members[i])[0] for i in chosen], axis=-1)
            groups.append((self._difference_index(shifts), share[:, chosen]))
        return tuple(groups)

    def _difference_index(self, chosen: Integers) -> Integers:
        """Return where ``S(l - k)`` stands in the table, for chosen shifts (K, cells)."""
        shift = self._shifts[chosen]
        difference = shift[None, :] - shift[:, None]
        x_reach, y_reach = self._reach
        return (difference[..., 0] + x_reach) * (2 * y_reach + 1) + difference[..., 1] + y_reach


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Frequencies that have the same number `K` of aliases.

    Where each element of `G` stands in the table of `S` (K, K, cells); sqrt(P) of each alias, 0 outside the
    band (K, cells, F); the flat elements of `G` sorted by their place in the table; the places in the table
    that occur, and in that order the first element of each.
    """

    index: Integers
    amplitude: FloatArray
    order: Integers
    entries: Integers
    starts: Integers

    @property
    def aliases(self) -> int:
        return len(self.index)


def _half_cell(cells: int) -> tuple[FloatArray, FloatArray]:
    """Return the midpoints of `cells` x `cells` boxes in the half ``x > 0`` of the Nyquist cell."""
    line = _midpoints(cells)
    x, y = np.meshgrid(line[cells // 2 :], line, indexing="ij")
    return x.ravel(), y.ravel()


def _midpoints(cells: int) -> FloatArray:
    """Return the midpoints of equal parts of the Nyquist interval."""
    return (np.arange(cells) + 0.5) / cells - 0.5


def _powers(flat: FloatArray, reach: tuple[int, int]) -> tuple[Complexes, Complexes]:
    """Return ``exp(2 pi i m x)`` for x and y, (..., N, 2 reach + 1)."""
    unit = np.exp(2j * np.pi * flat)
    powers = []
    for axis, most in enumerate(reach):
        power = np.empty((*flat.shape[:-1], 2 * most + 1), dtype=np.complex128)
        power[..., most] = 1.0
        for m in range(1, most + 1):
            power[..., most + m] = power[..., most + m - 1] * unit[..., axis]
            power[..., most - m] = power[..., most + m].conj()
        powers.append(power)
    return powers[0], powers[1]


def _sums(powers: tuple[Complexes, Complexes]) -> Complexes:
    """Return the table of `S`, (table, B): field points and patterns last."""
    x, y = powers
    table: Complexes = np.einsum("...na,...nb->ab...", x, y)
    return table.reshape(table.shape[0] * table.shape[1], -1)


def _chain(powers: tuple[Complexes, Complexes], slope: Complexes) -> FloatArray:
    """Turn the derivative by the table of `S` into one by the offsets, (..., N, 2)."""
    x, y = powers
    x_order, y_order = (2j * np.pi * (np.arange(p.shape[-1]) - p.shape[-1] // 2) for p in powers)
    weight = slope.T.reshape(*x.shape[:-2], x.shape[-1], y.shape[-1])
    along_y = np.matmul(x, weight) * y
    along_x = np.matmul(x * x_order, weight) * y
    return np.stack([along_x.sum(axis=-1).real, (along_y * y_order).sum(axis=-1).real], axis=-1)
