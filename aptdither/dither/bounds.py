"""Upper bounds of the coverage: the best that exposures reach at one place alone.

A pattern is no better over a region than at each of its places, and at one place only its phases
count. So the best `E` of any phases, at the place where the pixels sample the band worst, bounds
what a search over the region can find.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from aptdither.dither.optimizer.objective import Objective, ascend
from aptdither.dither.optimizer.starts import phase_sets
from aptdither.dither.phases import COVERING_BEST, packing_limit
from aptdither.dither.sampling import AliasingModel
from aptdither.dither.views import View, Views, as_views, band_of, field_points, optics_at
from aptdither.types import FloatArray, Region

#: Climbs from different phases, most and fewest. Chosen: in the far ultraviolet, where a place has many
#: aliases and each climb takes long, fewer find what many do to 1e-4.
_CLIMBS = (64, 8)

#: Of many climbs, how many go on to the end, and after how many steps. Chosen: that gives what all climbs
#: to the end give to 1e-6, for 1 to 9 exposures in 16 spectral elements of the four detectors.
_GO_ON, _FIRST_STEPS, _STEPS = 8, 10, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleMetrics:
    """The best figures that exposures can have, with the fields of a coverage's metrics.

    Attributes
    ----------
    packing : float
        Largest possible packing distance, pixels, or a bound on it: see
        :func:`~aptdither.dither.phases.packing_limit`.
    packing_of_limit : float
        1.
    hole : float or None
        Smallest known largest hole, pixels; None where it is not known (n > 9).
    efficiency : float
        Bound of `E` at the most undersampled place, or where the target lands.
    amplification, lost_fraction : None
        They have no bound that is known.
    """

    packing: float
    packing_of_limit: float
    hole: float | None
    efficiency: float
    amplification: None = None
    lost_fraction: None = None


def possible_metrics(
    n: int, views: Views, *, base: Any = (0.0, 0.0), at_center: bool = False
) -> PossibleMetrics:
    """Return the best figures that `n` exposures can have over the regions of some views.

    With `at_center`, of the place alone where the target lands in the first view.
    """
    bound = center_efficiency if at_center else possible_efficiency
    return PossibleMetrics(
        packing=packing_limit(n),
        packing_of_limit=1.0,
        hole=COVERING_BEST.get(n),
        efficiency=bound(n, views, base=base),
    )


def possible_efficiency(n: int, views: Views, *, base: Any = (0.0, 0.0)) -> float:
    """Return a bound of the worst-case `E` that any `n` exposures have over some views.

    It is the smallest of the bounds at the most undersampled place of each view.
    """
    bounds = []
    for view in as_views(views):
        optics = optics_at(view, field_points(view, base=base, grid=5))
        areas = np.abs(np.linalg.det(optics[:, 7:].reshape(-1, 2, 2)))
        bounds.append(_bound(n, view, optics[np.argmax(areas)]))
    return min(bounds)


def center_efficiency(n: int, views: Views, *, base: Any = (0.0, 0.0)) -> float:
    """Return a bound of the `E` of any `n` exposures where the target lands in the first view."""
    first = as_views(views)[0]
    center = field_points(replace(first, region=Region.point()), base=base)
    return _bound(n, first, optics_at(first, center)[0])


def _bound(n: int, view: View, optics: FloatArray) -> float:
    if n > view.aperture.detector.max_cluster_size:
        return 1.0  # nothing exceeds it, and so many exposures come near it
    # Rounded, so that neighboring places share the search.
    return _best_possible(n, tuple(np.round(optics, 5).tolist()))


@lru_cache(maxsize=256)
def _best_possible(n: int, optics: tuple[float, ...]) -> float:
    return best_possible_efficiency(n, band_of(np.array([optics])))


def best_possible_efficiency(n: int, band: AliasingModel) -> float:
    """Return the best `E` that `n` exposures are known to reach at one place.

    It is the best of many climbs, from every lattice of `n` phases, from larger lattices and at
    random: not proved, but 1 wherever an alias-free lattice exists, which nothing exceeds.

    Parameters
    ----------
    n : int
        Number of exposures, 1 or more.
    band : AliasingModel
        Of one place.
    """
    place = Objective(band=band).worst_efficiency(1.0)
    climbs = min(_CLIMBS[0], max(_CLIMBS[1], 60_000 // band.cost))
    phases = phase_sets(n, climbs, np.random.default_rng(0))
    value, _ = place(phases)
    if value.max() < 1.0 - 1e-12:
        if climbs > 2 * _GO_ON:
            phases, value = ascend(place, phases, steps=_FIRST_STEPS)
            phases = phases[np.argsort(-value, kind="stable")[:_GO_ON]]
        _, value = ascend(place, phases, steps=_STEPS)
    return min(1.0, float(value.max()))
