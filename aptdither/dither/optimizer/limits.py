"""How close a pattern is to the limit, and what keeps it from there."""

from __future__ import annotations

from dataclasses import dataclass

from aptdither.dither.bounds import possible_efficiency
from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.strategy import EQUAL_EFFICIENCY, DesignProblem, decisive, polish
from aptdither.dither.pattern import Pattern
from aptdither.dither.phases import min_separation, packing_limit
from aptdither.dither.views import Views


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """How close a pattern is to the limit, in `E` and in packing distance over its limit.

    Attributes
    ----------
    n : int
        Number of points.
    efficiency_worst, packing_worst : float
        At the worst place, as it is written.
    efficiency_unrounded, packing_unrounded : float
        There, if POS TARGs were not rounded: the same pattern after a climb in packing distance
        that may give a quarter of `EQUAL_EFFICIENCY`. What lacks to it is the cost of rounding.
    efficiency_center, packing_center : float
        Where the target lands in the first view. What `packing_worst` lacks to it is the cost of distortion.
    efficiency_bound : float
        What no phases exceed at the most undersampled place; 1 is that of the packing distance.
    """

    n: int
    efficiency_worst: float
    packing_worst: float
    efficiency_unrounded: float
    packing_unrounded: float
    efficiency_center: float
    packing_center: float
    efficiency_bound: float


def closeness(pattern: Pattern, views: Views) -> Closeness:
    """Return how close a pattern of two points or more is to the limit, in about a second.

    Parameters
    ----------
    pattern : Pattern
    views : View or sequence of View
        What sees it, the prime first: the worst of all counts.

    Examples
    --------
    >>> from aptdither import Region, get_aperture, get_element, load_catalog
    >>> from aptdither.dither.views import View
    >>> view = View(get_aperture("IR"), get_element("F160W", "WFC3/IR"), Region.full())
    >>> near = closeness(load_catalog().get("tight-2"), view)
    >>> near.packing_worst < near.packing_unrounded + 0.005 < near.packing_center
    True
    """
    site = DesignProblem(n=pattern.n, views=decisive(views))
    postargs = pattern.postargs(site.views[0].aperture)
    coverage = evaluate(postargs, site.views)
    efficiency = coverage.worst.efficiency
    pixels = site.to_pixels(postargs - postargs[0])
    spacing_pix = min(site.detector.tight_spacing_pix, min_separation(pixels))
    climbed, objective = polish(site, spacing_pix, pixels[None], efficiency - EQUAL_EFFICIENCY / 4)
    return Closeness(
        n=pattern.n,
        efficiency_worst=efficiency,
        packing_worst=coverage.worst.packing_of_limit,
        efficiency_unrounded=float(objective.efficiency(climbed).min()),
        packing_unrounded=float(objective.packing(climbed).min()) / packing_limit(pattern.n),
        efficiency_center=coverage.center.efficiency,
        packing_center=coverage.center.packing_of_limit,
        efficiency_bound=max(efficiency, possible_efficiency(pattern.n, site.views)),
    )
