"""Matrices of exposures and aliases, many at a time: the last axes count them.

Where the exposures are fewer than the aliases the variance of a reconstruction is taken from
matrices of the exposures. With ``B = Phi sqrt(P)``, `N` exposures by `K` aliases, the matrix of the
aliases is ``1 + B^H B``, and its inverse follows from that of ``1 + B B^H`` (Woodbury's identity)::

    tr (diag(1/P) + G)^-1  =  tr P - tr (1 + A)^-1 C,    A = Phi P Phi^H,    C = Phi P^2 Phi^H

Elements of `A` and `C` are sums over the aliases of ``exp(2 pi i k.(x_i - x_j))``: one matrix product
gives those of all frequencies.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from aptdither.types import FloatArray

Complexes = NDArray[np.complex128]


def invert_in_place(matrix: Complexes) -> None:
    """Invert Hermitian positive definite matrices (K, K, ...) by Gauss-Jordan steps.

    The matrices are small and many: K steps over all of them at once cost a tenth of one LAPACK
    call for each. Positive definite ones need no pivoting.
    """
    for k in range(len(matrix)):
        pivot = 1.0 / matrix[k, k].real
        column = matrix[:, k].copy()
        row = matrix[k] * pivot
        matrix -= column[:, None] * row[None, :]
        matrix[k] = row
        matrix[:, k] = -column * pivot
        matrix[k, k] = pivot


def variance_of_few(
    offsets: FloatArray, shifts: FloatArray, power: FloatArray, *, gradient: bool
) -> tuple[FloatArray, FloatArray | None]:
    """Return the variance summed over frequencies (C, F), and if wanted its derivative (C, F, N, 2).

    `offsets` (C, F, N, 2) are pixels, `shifts` (K, 2) the aliases of all frequencies, `power`
    (F, K, 2, cells) is `P` and its square, 0 outside the band.
    """
    count, size, n, cells = *offsets.shape[:3], power.shape[-1]
    i, j = np.array(list(combinations(range(n), 2)), dtype=np.intp).reshape(-1, 2).T
    wave = np.exp(2j * np.pi * (offsets @ shifts.T))
    wave = wave[:, :, i] * wave[:, :, j].conj()
    both = power.reshape(size, len(shifts), 2 * cells)
    sums = _product(wave, both).reshape(count, size, len(i), 2, cells)
    total = power.sum(axis=1)
    matrices = np.empty((2, n, n, count, size, cells), dtype=np.complex128)
    diagonal = np.arange(n)
    for k, matrix in enumerate(matrices):
        matrix[i, j] = np.moveaxis(sums[:, :, :, k], 2, 0)
        matrix[j, i] = matrix[i, j].conj()
        matrix[diagonal, diagonal] = total[:, k]
    inverse, square = matrices
    inverse[diagonal, diagonal] += 1.0
    invert_in_place(inverse)
    solved = _each_product(inverse, square)
    actual = total[:, 0].sum(axis=-1) - np.einsum("kkcfs->cf", solved).real
    if not gradient:
        return actual, None
    # d tr (1 + A)^-1 C = tr (1 + A)^-1 dC - tr W dA, W = (1 + A)^-1 C (1 + A)^-1.
    weight = np.stack([_each_product(solved, inverse)[j, i], -inverse[j, i]], axis=-2)
    by_sum = np.moveaxis(weight, 0, 2).reshape(count, size, len(i), 2 * cells)
    by_wave = (wave * _product(by_sum, np.swapaxes(both, 1, 2))).imag
    difference = np.eye(n)[i] - np.eye(n)[j]
    slope: FloatArray = difference.T @ (by_wave @ (-4.0 * np.pi * shifts))
    return actual, slope


def _product(left: Complexes, right: FloatArray) -> Complexes:
    """Return the matrix product of complex and real numbers."""
    product = np.empty((*left.shape[:-1], right.shape[-1]), dtype=np.complex128)
    product.real, product.imag = left.real @ right, left.imag @ right
    return product


def _each_product(left: Complexes, right: Complexes) -> Complexes:
    """Return the products of matrices (N, N, ...), each of its own."""
    product: Complexes = left[:, 0, None] * right[0]
    for k in range(1, len(right)):
        product += left[:, k, None] * right[k]
    return product
