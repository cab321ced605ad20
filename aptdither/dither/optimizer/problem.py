"""What a search for a pattern is about: the places, the rule, and how much may be evaluated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from aptdither.dither.optimizer.objective import Objective, fit_offsets
from aptdither.dither.pattern import rounded
from aptdither.dither.phases import min_separation, packing_distance, packing_limit, span
from aptdither.dither.region import FieldPoints
from aptdither.dither.sampling import AliasingModel
from aptdither.dither.views import View, Views, as_views, band_at, field_points, offsets_at
from aptdither.optics.detector import Detector
from aptdither.types import FloatArray, Progress

EQUAL_EFFICIENCY = 0.002
"""Worst-case efficiencies closer than this count as equal: packing distance decides. It is a fifth
or less of what steps that repeat to 5 mas cost at any `N` (0.010 to 0.035)."""

JOINT_TOLERANCE = 0.02
"""Worst-case `E` that counts as equal for two detectors at once, whose phases are hard to keep apart
in both: what steps that repeat to 5 mas cost few points."""

EQUAL_PACKING = 0.01
"""Packing distances that differ by less, as a share of the limit, count as equal: span decides."""

MANY_ALIASES = 2500
"""Elements of all matrices at one place beyond which fewer frequencies are taken."""
_COARSE_STEP_PIX, FINE_STEP_PIX = 0.25, 0.08
"""By how much phases may change between neighboring places of the grid that patterns climb on, and
of the one that they are judged on."""
_MOST_COARSE, _MOST_FINE = 5, 25
"""Places on a side of those grids, at most."""
_COARSE_BAND, _FINE_BAND = (6, 0.05), (8, 0.03)
"""Frequencies on each axis of the Nyquist cell, and the signal to noise of an alias below which a
search leaves it out, for those grids: `E` errs by 0.002 and 0.0005 at most, and half of the aliases
in blue filters are fainter. What is found is measured with all of them."""
_MOST_ELEMENTS = 33_000
"""Elements of all matrices of a pattern at all places of a grid of `_MOST_COARSE` on a side beyond
which patterns climb on one of three."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """The multiplications that a search spends: a bound that is the same on every machine.

    A billion of them takes two to three seconds. For each percent of the limit `progress` is called
    with the share that is spent and with what is being done.
    """

    limit: float = math.inf
    spent: float = 0.0
    progress: Progress | None = None
    doing: str = "phases"
    _next: float = 0.0

    def spend(self, multiplications: float) -> None:
        """Count what is going to be evaluated."""
        if self.progress and self.spent >= self._next:
            self.progress(min(self.spent / self.limit, 1.0), self.doing)
            self._next = self.spent + self.limit / 100
        self.spent += multiplications

    @property
    def left(self) -> float:
        """What may still be spent; 0 when more was spent than the limit."""
        return max(self.limit - self.spent, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A pattern as it is written, and its worst values over the fine grid."""

    postargs: FloatArray
    efficiency: float
    packing: float
    separation_pix: float
    span_pix: float


class Wanted(NamedTuple):
    """What is asked of a pattern, and the rule that chooses one.

    Differences of worst-case `E` up to `equal` do not count, unless they go below
    `least_efficiency`. Below the least packing distance, pixels, a pattern is not worth polishing.
    """

    spacing_pix: float
    equal: float = EQUAL_EFFICIENCY
    least_efficiency: float = 0.0
    least_packing: float = 0.0

    def keeping(self, finished: Sequence[Finished]) -> list[Finished]:
        """Return the patterns that keep the spacing, the best `E` first; all where none does."""
        kept = [f for f in finished if f.separation_pix >= self.spacing_pix] or finished
        return sorted(kept, key=lambda f: -f.efficiency)

    def best_of(self, finished: Sequence[Finished]) -> Finished:
        """Return what the rule chooses: `E`, packing distance, span; each among equals."""
        kept = self.keeping(finished)
        best = kept[0].efficiency
        floor = min(best, max(best - self.equal, self.least_efficiency))
        efficient = [f for f in kept if f.efficiency >= floor]
        limit = packing_limit(len(kept[0].postargs))
        packing = max(f.packing for f in efficient) - EQUAL_PACKING * limit
        packed = [f for f in efficient if f.packing >= packing]
        return min(packed, key=lambda f: (round(f.span_pix, 1), -f.packing))


@dataclass(frozen=True, kw_only=True)
class DesignProblem:
    """Where a pattern of `n` points has to be good: the worst place of some views counts.

    Offsets count at the reference point of the first view's aperture, and POS TARGs are added to
    `base`, arcsec.
    """

    n: int
    views: tuple[View, ...]
    base: tuple[float, float] = (0.0, 0.0)
    budget: Budget = field(default_factory=Budget)

    @property
    def detector(self) -> Detector:
        """The detector of the first view."""
        return self.views[0].aperture.detector

    def at_center(self) -> Objective:
        """Return the objective at the center of the first view, where only phases count."""
        center = field_points(self.views[0], base=self.base, grid=3).center
        return Objective(band=_band(self.views[0], center, *_COARSE_BAND), spend=self.budget.spend)

    def objective(
        self, spacing_pix: float, places: FieldPoints, band: tuple[int, float] = _FINE_BAND
    ) -> Objective:
        """Return the objective over some places."""
        reach_pix = self._extent_pix(spacing_pix) + 2.0
        return Objective(
            coefficients=fit_offsets(self.views, places, reach_pix=reach_pix),
            band=_band(self.views, places, *band),
            spacing_pix=spacing_pix + self.detector.design_rounding_pix,
            spend=self.budget.spend,
        )

    def coarse(self, spacing_pix: float) -> Objective:
        """Return the objective over the few places that patterns climb on."""
        extent_pix = self._extent_pix(spacing_pix)
        places = self.places(extent_pix, _COARSE_STEP_PIX, self.most_places)
        return self.objective(spacing_pix, places, _COARSE_BAND)

    def everywhere(self, spacing_pix: float, patterns: FloatArray) -> tuple[FieldPoints, Objective]:
        """Return the places of the fine grid for the largest of some patterns, and the objective."""
        fine = self.places(max(map(span, patterns)), FINE_STEP_PIX, _MOST_FINE)
        return fine, self.objective(spacing_pix, fine)

    @cached_property
    def most_places(self) -> int:
        """Places on a side of the grid that patterns climb on: fewer where that would take long."""
        places = field_points(self.views, base=self.base, grid=_MOST_COARSE)
        elements = _band(self.views, places, *_COARSE_BAND).cost * len(places.x_pix)
        return _MOST_COARSE if elements <= _MOST_ELEMENTS else 3

    def places(self, extent_pix: float, step_pix: float, most: int) -> FieldPoints:
        """Return a grid on which phases of a pattern change by some step from place to place."""
        intervals = int(np.ceil(self._drift * extent_pix / step_pix))
        grid = min(max(intervals + 1, 3), most)
        return field_points(self.views, base=self.base, grid=grid | 1)

    def to_postargs(self, pattern: FloatArray) -> FloatArray:
        """Return POS TARGs (..., N, 2), rounded to what APT is given."""
        return rounded(self.views[0].postargs_of(pattern))

    def to_pixels(self, postargs: FloatArray) -> FloatArray:
        """Return the offsets at the reference point (..., N, 2) of POS TARGs."""
        return self.views[0].offsets_of(postargs)

    def finished(self, postargs: FloatArray) -> Finished:
        """Measure a pattern as it is written over the fine grid."""
        pixels = self.to_pixels(postargs)
        across = span(pixels)
        places = self.places(across, FINE_STEP_PIX, _MOST_FINE)
        offsets = offsets_at(postargs, self.views, places)
        band = band_at(self.views, places)
        self.budget.spend(band.work(self.n) * len(offsets))
        return Finished(
            postargs=postargs,
            efficiency=float(band.efficiency(offsets).min()),
            packing=float(packing_distance(offsets).min()),
            separation_pix=min_separation(pixels),
            span_pix=across,
        )

    def _extent_pix(self, spacing_pix: float) -> float:
        """Return about how large a pattern becomes."""
        return spacing_pix * math.sqrt(self.n) + 2.0

    def coherent_spacing_pix(self, drift_pix: float) -> float:
        """Return about the spacing of patterns whose phases drift by so much over the field."""
        return (drift_pix / max(self._drift, 1e-6) - 2.0) / math.sqrt(self.n)

    @cached_property
    def _drift(self) -> float:
        """How much an offset of one pixel changes over the field of a view, pixels."""
        places = field_points(self.views, base=self.base, grid=3)
        steps = self.views[0].postargs_of(np.eye(2))
        offsets = offsets_at(steps, self.views, places)
        return max(
            float(np.ptp(offsets[places.view == view], axis=0).max())
            for view in range(len(self.views))
        )


def _band(views: Views, places: FieldPoints, cells: int, faintest: float) -> AliasingModel:
    """Return the aliasing model; where there are many aliases it needs fewer frequencies."""
    band = band_at(views, places, cells=cells, faintest=faintest)
    while band.cost > MANY_ALIASES and cells > 4:
        cells -= 2
        band = band_at(views, places, cells=cells, faintest=faintest)
    return band


def equal_efficiency(views: Views) -> float:
    """Return the difference of worst-case `E` that does not count: more for two detectors at once."""
    configs = {view.aperture.config for view in as_views(views)}
    return JOINT_TOLERANCE if len(configs) > 1 else EQUAL_EFFICIENCY


def decisive(views: Views) -> tuple[View, ...]:
    """Return the views that can have the worst place.

    Of views that differ in the spectral element alone it is that of the shortest wavelength, whose
    band has the most aliases.
    """
    bluest: dict[View, View] = {}
    for view in as_views(views):
        frame = view.prime or view.aperture.frame
        key = replace(view, element=as_views(views)[0].element, prime=frame)
        there = bluest.setdefault(key, view)
        if view.element.wavelength_nm < there.element.wavelength_nm:
            bluest[key] = view
    return tuple(bluest.values())
