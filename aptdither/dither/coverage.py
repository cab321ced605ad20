"""How well exposures sample the pixels of a region: the phases everywhere, and what they give.

Distortion makes the same POS TARGs land at other phases at other places, so every figure is a map
over the region, summed up by the place where the target lands and by the worst place of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from aptdither.dither.phases import largest_hole, packing_distance, packing_limit, wrap
from aptdither.dither.region import FieldPoints, sample_region, to_arcsec
from aptdither.dither.sampling import AliasingModel
from aptdither.errors import RefusalError
from aptdither.types import FloatArray, Region

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The figures at one place, or the worst of each over a region.

    Attributes
    ----------
    packing : float
        Smallest distance between two phases, pixels.
    packing_of_limit : float
        The same as part of the largest that as many phases can have.
    hole : float
        Largest distance from any phase to the nearest of the exposures', pixels.
    efficiency : float
        De-aliasing efficiency E, in (0, 1].
    amplification : float or None
        Noise amplification A of exact de-aliasing, 1 or more; None where nothing is recoverable.
    lost_fraction : float
        Part of the band that exact de-aliasing cannot recover, in [0, 1].
    """

    packing: float
    packing_of_limit: float
    hole: float
    efficiency: float
    amplification: float | None
    lost_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coverage:
    """Coverage of a region by N exposures.

    Attributes
    ----------
    center : Metrics
        Where the target lands.
    worst : Metrics
        The worst value of each figure, each at its own worst place.
    field : FieldPoints
        The F places that were looked at.
    phases : (F, N, 2) float array, pixels
        Of every exposure at every place, against the base pointing, in [0, 1).
    packing, hole, efficiency, amplification, lost_fraction : (F,) float array
        The maps; infinite amplification where nothing is recoverable.
    """

    center: Metrics
    worst: Metrics
    field: FieldPoints
    phases: FloatArray
    packing: FloatArray
    hole: FloatArray
    efficiency: FloatArray
    amplification: FloatArray
    lost_fraction: FloatArray

    @property
    def n(self) -> int:
        """Number of exposures."""
        return int(self.phases.shape[1])

    @property
    def center_phases(self) -> FloatArray:
        """Phases (N, 2), pixels, where the target lands."""
        phases: FloatArray = self.phases[self.field.index_of_center]
        return phases


def evaluate(
    postargs: Any,
    aperture: Aperture,
    element: SpectralElement,
    region: Region,
    *,
    base: Any = (0.0, 0.0),
    grid: int = 9,
) -> Coverage:
    """Return how well POS TARGs cover the phases over a region.

    Parameters
    ----------
    postargs : (N, 2) array_like, arcsec, or Quantity
        POS TARGs of the exposures relative to `base`, as they are written (rounded).
    aperture : Aperture
        Whose distortion and readout hold.
    element : SpectralElement
        Its wavelength sets the band; the pixel scale is taken at each place.
    region : Region
        Where the coverage matters.
    base : (2,) array_like, arcsec, or Quantity
        POS TARG that all exposures share; it moves the target, and with it the region.
    grid : int
        Field points on a side, see :meth:`Region.sample`.

    Returns
    -------
    Coverage

    Raises
    ------
    RefusalError
        If a POS TARG is no finite number, or no part of the region is read.
    """
    offsets = to_arcsec(postargs)
    if offsets.ndim != 2 or offsets.shape[1] != 2 or len(offsets) < 1:
        raise ValueError(f"POS TARGs must have the shape (N, 2), not {offsets.shape}")
    if not np.all(np.isfinite(offsets)):
        raise RefusalError("a POS TARG must be two finite numbers of arcsec")
    field = field_points(aperture, region, base=base, grid=grid)
    moved = offsets_at(offsets, aperture, field)
    band = band_at(aperture, element, field)
    packing, hole = packing_distance(moved), largest_hole(moved)
    efficiency = band.efficiency(moved)
    amplification, lost = band.amplification(moved)
    limit = packing_limit(len(offsets))

    def metrics(
        packing: float, hole: float, efficiency: float, amplification: float, lost: float
    ) -> Metrics:
        return Metrics(
            packing=float(packing),
            packing_of_limit=float(packing) / limit,
            hole=float(hole),
            efficiency=float(efficiency),
            amplification=float(amplification) if np.isfinite(amplification) else None,
            lost_fraction=float(lost),
        )

    at = field.index_of_center
    return Coverage(
        center=metrics(packing[at], hole[at], efficiency[at], amplification[at], lost[at]),
        worst=metrics(packing.min(), hole.max(), efficiency.min(), amplification.max(), lost.max()),
        field=field,
        phases=wrap(moved),
        packing=packing,
        hole=hole,
        efficiency=efficiency,
        amplification=amplification,
        lost_fraction=lost,
    )


def field_points(
    aperture: Aperture, region: Region, *, base: Any = (0.0, 0.0), grid: int = 9
) -> FieldPoints:
    """Return the field points of a region about where the target lands with POS TARG `base`."""
    x_base, y_base = to_arcsec(base)
    x, y = aperture.pixel_from_ideal(float(x_base), float(y_base))
    return sample_region(region, aperture, center_pix=(float(x), float(y)), n=grid)


def offsets_at(postargs_arcsec: FloatArray, aperture: Aperture, field: FieldPoints) -> FloatArray:
    """Return the offsets (F, N, 2), pixels, that POS TARGs (N, 2) are at each field point.

    A star that the base pointing puts at p lands at ``inverse(forward(p) + POS TARG)``: the full
    distortion model, nothing linear about it.
    """
    dx, dy = aperture.offset_from_postarg(
        postargs_arcsec[None, :, 0],
        postargs_arcsec[None, :, 1],
        at=(field.x_pix[:, None], field.y_pix[:, None]),
    )
    return np.stack([dx, dy], axis=-1)


def band_at(aperture: Aperture, element: SpectralElement, field: FieldPoints) -> AliasingModel:
    """Return the band of a spectral element with the local pixel scale of every field point."""
    x_scale, y_scale = aperture.scale_at(field.x_pix, field.y_pix)
    scales = np.asarray(x_scale, dtype=float), np.asarray(y_scale, dtype=float)
    return _band(element.wavelength_nm, scales[0].tobytes(), scales[1].tobytes())


@lru_cache(maxsize=32)
def _band(wavelength_nm: float, x_scale: bytes, y_scale: bytes) -> AliasingModel:
    """Return the band of equal scales once: its tables cost more than evaluating a pattern."""
    return AliasingModel(wavelength_nm, np.frombuffer(x_scale), np.frombuffer(y_scale))
