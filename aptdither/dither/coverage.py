"""How well exposures sample the pixels of a region: the phases everywhere, and what they give.

Distortion makes the same POS TARGs land at other phases at other places, so every figure is a map
over the region, summed up by the place where the target lands and by the worst place of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aptdither.dither.phases import largest_hole, packing_distance, packing_limit, wrap
from aptdither.dither.region import FieldPoints
from aptdither.dither.views import View, band_at, field_points, offsets_at
from aptdither.errors import RefusalError
from aptdither.optics.aperture import plain
from aptdither.types import FloatArray, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The figures at one place, or the worst of each over a region.

    Attributes
    ----------
    packing : float
        Smallest distance between two phases, pixels.
    packing_of_limit : float
        The same as a fraction of the largest that N phases can have.
    hole : float
        Largest distance from any phase to the nearest of the exposures', pixels.
    efficiency : float
        De-aliasing efficiency E, in (0, 1].
    amplification : float or None
        Noise amplification A of exact de-aliasing, 1 or more; None where nothing is recoverable.
    lost_fraction : float
        Fraction of the band that exact de-aliasing cannot recover, in [0, 1].
    """

    packing: float
    packing_of_limit: float
    hole: float
    efficiency: float
    amplification: float | None
    lost_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Coverage(Shown):
    """Coverage of a region by N exposures.

    Attributes
    ----------
    center : Metrics
        Where the target lands.
    worst : Metrics
        The worst value of each figure, each at its own worst place.
    field : FieldPoints
        The F positions that were evaluated.
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
    view: View,
    *,
    base: Any = (0.0, 0.0),
    grid: int = 9,
) -> Coverage:
    """Return how well POS TARGs cover the phases over a region.

    Parameters
    ----------
    postargs : (N, 2) array_like, arcsec, or Quantity
        POS TARGs of the exposures relative to `base`, as they are written (rounded), in the frame
        of the view's prime.
    view : View
        The aperture, spectral element and region.
    base : (2,) array_like, arcsec, or Quantity
        POS TARG that all exposures share; it moves the target, and with it the region.
    grid : int
        Field points on a side, see :func:`~aptdither.dither.region.sample_region`.

    Returns
    -------
    Coverage

    Raises
    ------
    RefusalError
        If a POS TARG is no finite number, or no part of the region is read.

    Examples
    --------
    >>> from aptdither import Region, get_aperture, get_element
    >>> view = View(get_aperture("IR"), get_element("F160W", "WFC3/IR"), Region.full())
    >>> box = [(0, 0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)]
    >>> coverage = evaluate(box, view)
    >>> print(f"{coverage.center.efficiency:.2f} {coverage.worst.packing_of_limit:.2f}")
    1.00 0.81
    """
    offsets = plain(postargs, "arcsec")
    if offsets.ndim != 2 or offsets.shape[1] != 2 or len(offsets) < 1:
        raise ValueError(f"POS TARGs must have the shape (N, 2), not {offsets.shape}")
    if not np.all(np.isfinite(offsets)):
        raise RefusalError("a POS TARG must be two finite numbers of arcsec")
    field = field_points(view, base=base, grid=grid)
    moved = offsets_at(offsets, view, field)
    band = band_at(view, field)
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
