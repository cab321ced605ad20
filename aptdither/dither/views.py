"""Views: the detectors that see one dither, each with its aperture, spectral element and region.

A POS TARG is a displacement in the ideal frame of the prime aperture, hence in (V2, V3); every
detector sees that displacement. Direct and grism exposures of one set are two views, and so are a
prime and its coordinated parallel. The field points of several views are evaluated together, one
view after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aptdither.dither.band import NO_KERNEL, Band
from aptdither.dither.region import FieldPoints, Footprint, IntArray
from aptdither.dither.sampling import SIGNAL_TO_NOISE, AliasingModel
from aptdither.optics.aperture import Aperture, plain
from aptdither.optics.filters import SpectralElement
from aptdither.optics.siaf import Frame
from aptdither.types import FloatArray, Region


@dataclass(frozen=True, slots=True)
class View:
    """One detector that sees a dither.

    Attributes
    ----------
    aperture : Aperture
        Its frame, chips and distortion.
    element : SpectralElement
        Its wavelength sets the band.
    region : Region
        Where the coverage matters.
    prime : Frame or None
        The frame the POS TARGs are given in; None: the aperture's own.
    snr : float
        Signal to noise of one exposure, at the lowest frequencies.
    """

    aperture: Aperture
    element: SpectralElement
    region: Region
    prime: Frame | None = None
    snr: float = SIGNAL_TO_NOISE

    def own_postarg(self, postargs: npt.ArrayLike) -> FloatArray:
        """Return POS TARGs (..., 2), arcsec, in the aperture's own frame."""
        return _turned(postargs, self.prime, self.aperture.frame)

    def prime_postarg(self, postargs: npt.ArrayLike) -> FloatArray:
        """Return POS TARGs (..., 2), arcsec, of the aperture's own frame in the prime's frame."""
        return _turned(postargs, self.aperture.frame, self.prime)

    def postargs_of(self, offsets_pix: npt.ArrayLike) -> FloatArray:
        """Return the POS TARGs (..., 2), arcsec, of offsets at the aperture's reference point."""
        offsets = np.asarray(offsets_pix, dtype=float)
        postargs = self.aperture.postarg_from_offset(offsets[..., 0], offsets[..., 1])
        return self.prime_postarg(np.stack(postargs, axis=-1))

    def offsets_of(self, postargs: npt.ArrayLike) -> FloatArray:
        """Return the offsets (..., 2), pixels at the aperture's reference point, of POS TARGs."""
        own = self.own_postarg(postargs)
        return np.stack(self.aperture.offset_from_postarg(own[..., 0], own[..., 1]), axis=-1)


Views: TypeAlias = View | Sequence[View]


def _turned(postargs: npt.ArrayLike, given: Frame | None, wanted: Frame | None) -> FloatArray:
    values = np.asarray(postargs, dtype=float)
    if given is None or wanted is None:
        return values
    return np.stack(wanted.postarg_from(given, values[..., 0], values[..., 1]), axis=-1)


def as_views(views: Views) -> tuple[View, ...]:
    """Return one view or several as a tuple; none is an error (ValueError)."""
    several = (views,) if isinstance(views, View) else tuple(views)
    if not several:
        raise ValueError("there is no view to evaluate")
    return several


def footprints(
    views: Views, *, base: Any = (0.0, 0.0), postargs: Any = None
) -> tuple[Footprint, ...]:
    """Return the region of each view on its chips.

    `base` is the POS TARG that all exposures share: each region lies about where the target then lands.
    With `postargs` (N, 2) relative to it, of a whole readout the part that every exposure sees counts.
    """
    shared, laid = plain(base, "arcsec"), []
    for view in as_views(views):
        own = None
        if postargs is not None:
            own = view.own_postarg(plain(postargs, "arcsec"))
        x, y = map(float, view.own_postarg(shared))
        laid.append(Footprint.of(view.region, view.aperture, (x, y), own))
    return tuple(laid)


def field_points(views: Views, *, base: Any = (0.0, 0.0), grid: int = 9) -> FieldPoints:
    """Return field points of the regions of all views: `grid` on a side (:meth:`Footprint.sample`)."""
    return sampled(footprints(views, base=base), grid)


def sampled(laid: Sequence[Footprint], grid: int) -> FieldPoints:
    """Return field points that stand for the footprints of all views, one after the other."""
    fields = [footprint.sample(grid) for footprint in laid]
    numbered = [replace(f, view=np.full(len(f.x_pix), k)) for k, f in enumerate(fields)]
    return numbered[0].join(*numbered[1:])


def offsets_at(postargs_arcsec: FloatArray, views: Views, field: FieldPoints) -> FloatArray:
    """Return the offsets (F, N, 2), pixels, that POS TARGs (N, 2) are at each field point.

    A star that the base pointing puts at p lands at ``inverse(forward(p) + POS TARG)``: the full
    distortion model, nothing linear about it.
    """
    offsets = np.empty((len(field.x_pix), len(postargs_arcsec), 2))
    for view, chip, members in _by_chip(as_views(views), field):
        own = view.own_postarg(postargs_arcsec)
        dx, dy = view.aperture.offset_from_postarg(
            own[None, :, 0],
            own[None, :, 1],
            at=(field.x_pix[members, None], field.y_pix[members, None]),
            chip=chip,
        )
        offsets[members] = np.stack([dx, dy], axis=-1)
    return offsets


def seen_at(offsets_pix: FloatArray, views: Views, field: FieldPoints) -> npt.NDArray[np.bool_]:
    """Return which exposures see each field point on its chip, (F, N), by :func:`offsets_at`."""
    seen = np.empty(offsets_pix.shape[:2], dtype=bool)
    for view, chip, members in _by_chip(as_views(views), field):
        readout = view.aperture.chip(chip).readout
        x_pix = field.x_pix[members, None] + offsets_pix[members, :, 0]
        y_pix = field.y_pix[members, None] + offsets_pix[members, :, 1]
        seen[members] = ~readout.excess(x_pix, y_pix).any(axis=-1)
    return seen


def band_at(views: Views, field: FieldPoints, **options: Any) -> AliasingModel:
    """Return the aliasing model with each field point's own Jacobian and its view's optics."""
    return _band(optics_at(views, field).tobytes(), **options)


def optics_at(views: Views, field: FieldPoints) -> FloatArray:
    """Return what makes the band of each field point, (F, 11), as :class:`~aptdither.dither.band.Band` takes it.

    Wavelength (nm), signal to noise, pupil (2), kernel (3) and Jacobian (4, arcsec per pixel).
    """
    optics = np.array([_optics(view) for view in as_views(views)])[field.view]
    jacobians = np.empty((len(field.x_pix), 2, 2))
    for view, chip, members in _by_chip(as_views(views), field):
        jacobians[members] = view.aperture.jacobian_at(
            field.x_pix[members], field.y_pix[members], chip=chip
        )
    return np.concatenate([optics, jacobians.reshape(-1, 4)], axis=1)


def band_of(optics: FloatArray, **options: Any) -> AliasingModel:
    """Return the aliasing model of what :func:`optics_at` found, (F, 11)."""
    band = Band(
        optics[:, 0],
        optics[:, 7:],
        pupil=optics[:, 2:4],
        kernel=optics[:, 4:7],
    )
    return AliasingModel(band, snr=optics[:, 1], **options)


def _optics(view: View) -> tuple[float, ...]:
    """Return wavelength, signal to noise, pupil (2) and kernel (3) of a view."""
    detector, wavelength = view.aperture.detector, view.element.wavelength_nm
    kernel: tuple[float, ...] = NO_KERNEL
    if known := detector.pixel_kernels:
        at = [one.wavelength_nm for one in known]
        shares = np.array([(one.corner, one.edge, one.center) for one in known])
        kernel = tuple(float(np.interp(wavelength, at, column)) for column in shares.T)
    return (wavelength, view.snr, detector.pupil.inner, detector.pupil.outer, *kernel)


@lru_cache(maxsize=32)
def _band(rows: bytes, **options: Any) -> AliasingModel:
    """Return the model of equal places once: its tables cost more than evaluating a pattern."""
    return band_of(np.frombuffer(rows).reshape(-1, 11), **options)


def _by_chip(views: tuple[View, ...], field: FieldPoints) -> Iterator[tuple[View, int, IntArray]]:
    """Yield each view and chip that has field points, and the indices of these."""
    for index, view in enumerate(views):
        for chip in view.aperture.chips:
            members = np.flatnonzero((field.view == index) & (field.chip == chip.number))
            if len(members):
                yield view, chip.number, members
