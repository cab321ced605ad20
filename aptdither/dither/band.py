"""The band: which frequencies of the sky reach the pixels of a detector, and how strongly.

Its edge is that of diffraction at the telescope's pupil: a ring, the primary mirror less what the
secondary mirror and a camera's cold mask hide, without wavefront errors and spiders. A frequency
``(u, v)`` in cycles per pixel is ``J^-T (u, v)`` in cycles per arcsec, `J` the local Jacobian of the
distortion: pixels are neither square nor rectangular. In pixels the response is ``sinc u sinc v``
times the transfer function of the detector's 3 x 3 kernel (interpixel capacitance, or the charge
that diffuses in a CCD [2]_). The kernel repeats with the pixel grid, so it weakens a frequency and
its aliases alike; real charge diffuses before it is collected and weakens the aliases more, so that
the efficiency of the CCDs in the blue is on the careful side.

One wavelength stands for a filter, its pivot: the spectrum of the target, which would weight the
others, is not known, and the width hardly counts. F125W's 300 nm change `E` by less than 0.01 for two
exposures and 0.001 for four and more (``tests/test_efficiency.py`` holds it there).

References
----------
.. [1] O'Neill 1956, J. Opt. Soc. Am. 46, 285: transfer function of an annular aperture.
.. [2] Krist 2003, ISR ACS 2003-06: charge diffusion as a 3 x 3 kernel.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import ArrayLike

from aptdither.types import FloatArray

APERTURE_DIAMETER_M = 2.4
"""Diameter of the telescope's primary mirror."""

FILLED = (0.0, 1.0)
"""Inner and outer radius of a pupil that nothing hides, in units of the primary mirror's."""

NO_KERNEL = (0.0, 0.0, 1.0)
"""Corner, edge and center of the kernel of a detector that spreads nothing."""

_RADIANS_PER_ARCSEC = np.pi / 180.0 / 3600.0


class Band:
    """The band at each of some field points.

    Parameters
    ----------
    wavelength_nm : float or (F,) array_like
        Wavelength of the band's edge: the pivot wavelength of the spectral element, nm. An array
        where the field points belong to several views.
    jacobian : (2, 2) or (F, 2, 2) array_like
        Slopes ``d(x_arcsec, y_arcsec) / d(x_pix, y_pix)`` of the distortion, arcsec per pixel.
    pupil : (2,) or (F, 2) array_like, optional
        Inner and outer radius of the ring that passes light, in units of the primary mirror's.
    kernel : (3,) or (F, 3) array_like, optional
        Corner, edge and center of the detector's kernel.
    """

    def __init__(
        self,
        wavelength_nm: ArrayLike,
        jacobian: ArrayLike,
        *,
        pupil: ArrayLike = FILLED,
        kernel: ArrayLike = NO_KERNEL,
    ) -> None:
        wavelength = np.atleast_1d(np.asarray(wavelength_nm, dtype=np.float64))
        slopes = np.asarray(jacobian, dtype=np.float64).reshape(-1, 2, 2)
        inner, outer = np.asarray(pupil, dtype=np.float64).reshape(-1, 2).T
        shares = np.asarray(kernel, dtype=np.float64).reshape(-1, 3)
        edge = outer * APERTURE_DIAMETER_M / (wavelength * 1e-9) * _RADIANS_PER_ARCSEC
        if not (np.all(edge > 0) and np.all(np.linalg.det(slopes)) and np.all(inner < outer)):
            raise ValueError("a wavelength, a Jacobian or a pupil is none")
        inverse = np.linalg.inv(slopes)
        form = inverse @ np.swapaxes(inverse, 1, 2) / edge[:, None, None] ** 2
        # (F, 2, 2): ``f.T @ form @ f`` is the squared frequency in units of the band's edge.
        self._form: FloatArray = form
        self._obscured = np.broadcast_to(inner / outer, len(form))
        self._kernel = np.broadcast_to(shares / (shares @ (4, 4, 1))[:, None], (len(form), 3))

    @property
    def size(self) -> int:
        """Number of field points."""
        return len(self._form)

    @property
    def reach(self) -> FloatArray:
        """Largest frequencies along x and y of any field point, cycles per pixel, (2,)."""
        # An ellipse f.T @ form @ f = 1 reaches to the roots of its inverse's diagonal.
        squared = np.diagonal(np.linalg.inv(self._form), axis1=1, axis2=2)
        return np.asarray(np.sqrt(squared.max(axis=0)))

    def at(self, places: ArrayLike) -> Band:
        """Return the band at some of the field points, by their indices."""
        other = copy(self)
        for name, values in vars(self).items():
            setattr(other, name, values[np.asarray(places)])
        return other

    def squared_radius(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """Return the squares of frequencies (..., 1), cycles per pixel, over the band's edge, (..., F)."""
        by_u, by_both, by_v = self._form[:, 0, 0], 2 * self._form[:, 0, 1], self._form[:, 1, 1]
        return np.asarray(u * u * by_u + u * v * by_both + v * v * by_v)

    def transfer(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """Return the transfer function of pupil, pixel and kernel, (..., F); 0 outside the band."""
        squared = self.squared_radius(u, v)
        passed = squared < 1.0
        transfer = np.zeros_like(squared)
        obscured = np.broadcast_to(self._obscured, squared.shape)[passed]
        transfer[passed] = annulus_mtf(np.sqrt(squared[passed]), obscured)
        corner, edge, center = self._kernel.T
        x_wave, y_wave = 2 * np.cos(2 * np.pi * u), 2 * np.cos(2 * np.pi * v)
        spread = center + edge * (x_wave + y_wave) + corner * x_wave * y_wave
        transfer *= np.sinc(u) * np.sinc(v) * spread
        return transfer


def annulus_mtf(radius: ArrayLike, obscured: ArrayLike) -> FloatArray:
    """Return the transfer function of a ring without aberrations (reference [1]).

    It is the part of the ring that it shares with itself when it is moved by twice `radius`, in units of
    its outer radius: two circles less each one's part of the other's hole. `radius` is the frequency in
    units of the band's edge, 0 to 1, `obscured` the ring's inner radius over its outer one.
    """
    r, e = np.asarray(radius, dtype=np.float64), np.asarray(obscured, dtype=np.float64)
    own = _own_overlap(r) + e**2 * _own_overlap(np.minimum(r / np.maximum(e, 1e-12), 1.0))
    # Circles of radius 1 and e, 2 r apart: two sectors less the kite between them; where one lies
    # in the other, or outside of it, the clips make the sectors whole circles or nothing.
    d = np.maximum(2.0 * r, 1e-12)
    outer = np.arccos(np.clip((d * d + 1.0 - e * e) / (2.0 * d), -1.0, 1.0))
    inner = np.arccos(np.clip((d * d + e * e - 1.0) / (2.0 * d * np.maximum(e, 1e-12)), -1.0, 1.0))
    kite = (1.0 + e - d) * (d + 1.0 - e) * (d - 1.0 + e) * (1.0 + e + d)
    shared = outer + e * e * inner - 0.5 * np.sqrt(np.maximum(kite, 0.0))
    return np.asarray((own - 2.0 / np.pi * shared) / (1.0 - e * e))


def _own_overlap(radius: FloatArray) -> FloatArray:
    """Return the part of a circle that it shares with itself when it is moved by 2 `radius`."""
    overlap: FloatArray = np.arccos(radius) - radius * np.sqrt(1.0 - radius * radius)
    return 2.0 / np.pi * overlap
