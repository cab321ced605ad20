"""What the catalog's patterns are designed for, and how close they are to the limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aptdither.dither.bounds import possible_efficiency
from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.problem import EQUAL_EFFICIENCY, DesignProblem, decisive
from aptdither.dither.optimizer.strategy import polish
from aptdither.dither.pattern import Pattern
from aptdither.dither.phases import min_separation, packing_limit
from aptdither.dither.views import View, Views
from aptdither.optics.aperture import get_aperture
from aptdither.optics.detector import get_detector
from aptdither.optics.filters import get_element
from aptdither.types import Region

POINTS = range(2, 10)
"""Numbers of points that each family has a pattern of."""


class Family(NamedTuple):
    """Patterns of one kind for one detector, or for a prime and its parallel.

    The spectral elements of the detectors are those for two and three points, and for four and more.
    Wide patterns are for the central half, with points as far apart as can be.
    """

    configs: tuple[str, ...]
    few: tuple[str, ...]
    many: tuple[str, ...]
    is_wide: bool = False

    def views(self, n: int) -> tuple[View, ...]:
        """Return what sees a pattern of `n` points."""
        views: list[View] = []
        for config, name in zip(self.configs, self.few if n < 4 else self.many, strict=True):
            detector = get_detector(config)
            aperture = get_aperture(detector.default_aperture, name, config=config)
            prime = views[0].aperture.frame if views else None
            half = Region.disc(diameter_pix=max(detector.image_pix) / 2)
            region = half if self.is_wide else Region.full()
            views.append(View(aperture, get_element(name, config), region, prime))
        return tuple(views)


_IR, _IR_WFC = ("WFC3/IR",), ("WFC3/IR", "ACS/WFC")
_UVIS, _UVIS_WFC = ("WFC3/UVIS",), ("WFC3/UVIS", "ACS/WFC")
_WFC = ("ACS/WFC",)
FAMILIES = {
    "tight": Family(_IR, ("F160W",), ("F125W",)),
    "wide": Family(_IR, ("F160W",), ("F125W",), is_wide=True),
    "uvis-tight": Family(_UVIS, ("F606W",), ("F438W",)),
    "uvis-wide": Family(_UVIS, ("F606W",), ("F438W",), is_wide=True),
    "wfc-tight": Family(_WFC, ("F814W",), ("F606W",)),
    "wfc-wide": Family(_WFC, ("F814W",), ("F606W",), is_wide=True),
    "ir-wfc": Family(_IR_WFC, ("F160W", "F814W"), ("F125W", "F814W")),
    "uvis-wfc": Family(_UVIS_WFC, ("F606W", "F814W"), ("F606W", "F814W")),
}
TIGHT = {name: one for name, one in FAMILIES.items() if name.endswith("tight")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """How close a pattern is to the limit, in `E` and in packing distance over its limit.

    Unrounded is the same pattern after a climb in packing distance that may give a quarter of
    `EQUAL_EFFICIENCY`: what the pattern as written lacks to it is the cost of rounding. What it lacks
    to the center, where the target lands in the first view, is that of distortion. No phases exceed
    the bound at the most undersampled place; that of the packing distance is 1.
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
    floor = np.array([efficiency - EQUAL_EFFICIENCY / 4])
    climbed, objective = polish(site, spacing_pix, pixels[None], floor)
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
