"""How well exposures sample the pixels of a region: the phases everywhere, and what they give.

Distortion makes the same POS TARGs land at other phases at other places, so every figure is a map
over the region, summed up by the place where the target lands and by the worst place of each. The
worst places are found: on a grid that is as fine as the phases change, then by ever closer looks
about its worst places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from aptdither.dither.phases import wrap
from aptdither.dither.places import Places
from aptdither.dither.region import FieldPoints
from aptdither.dither.views import (
    View,
    Views,
    as_views,
    band_at,
    field_points,
    footprints,
    sampled,
)
from aptdither.errors import RefusalError
from aptdither.optics.aperture import plain
from aptdither.types import FloatArray, Shown

#: The phases change by less than this from one place of the first look to the next, pixels. Chosen:
#: a finer look finds no worse places for the patterns that were tried.
_PHASE_STEP_PIX = 0.12

#: Places on a side of the first look, at most.
_FINEST_GRID = 33

#: The closer looks: 24 places about the worst, so many times nearer than those of the first look, with
#: fewer frequencies than count in the end.
_CLOSER = (3, 12)
_COARSE_CELLS = 4
_ABOUT = np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3) if i or j], dtype=float)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position on a chip (its number) that a view (its index) sees: image pixels, 1-based."""

    view: int
    chip: int
    x_pix: float
    y_pix: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Coverage(Shown):
    """Coverage of a region by N exposures.

    Attributes
    ----------
    center : Metrics
        Where the target lands, in the first view.
    worst : Metrics
        The worst value of each figure, each at its own worst place of any view.
    field : FieldPoints
        The F positions that were evaluated: the center, a grid and the worst places that were found.
    phases : (F, N, 2) float array, pixels
        Of every exposure at every place, against the base pointing, in [0, 1).
    packing, efficiency : (F,) float array
        The maps.
    """

    center: Metrics
    worst: Metrics
    field: FieldPoints
    phases: FloatArray
    packing: FloatArray
    efficiency: FloatArray

    @property
    def n(self) -> int:
        """Number of exposures."""
        return int(self.phases.shape[1])

    @property
    def center_phases(self) -> FloatArray:
        """Phases (N, 2), pixels, where the target lands."""
        phases: FloatArray = self.phases[0]
        return phases

    @property
    def worst_place(self) -> Place:
        """Where the efficiency is worst."""
        at, field = int(np.argmin(self.efficiency)), self.field
        return Place(
            view=int(field.view[at]),
            chip=int(field.chip[at]),
            x_pix=float(field.x_pix[at]),
            y_pix=float(field.y_pix[at]),
        )


def evaluate(
    postargs: Any,
    views: Views,
    *,
    base: Any = (0.0, 0.0),
    grid: int = 9,
    refine: bool = True,
) -> Coverage:
    """Return how well POS TARGs cover the phases over the regions of one view or several.

    Of a whole readout the part counts that every exposure sees, where there is one. At any place the
    exposures count that see it: another one has no phase there, and its share of the ideal is lost.

    Parameters
    ----------
    postargs : (N, 2) array_like, arcsec, or Quantity
        POS TARGs of the exposures relative to `base`, as they are written (rounded), in the frame
        of the prime.
    views : View or sequence of View
        The apertures, spectral elements and regions.
    base : (2,) array_like, arcsec, or Quantity
        POS TARG that all exposures share; it moves the target, and with it the region.
    grid : int
        Field points on a side, see :meth:`~aptdither.dither.region.Footprint.sample`.
    refine : bool
        Whether the worst places are looked for between the field points, too.

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
    return search_for(postargs, views, base=base, grid=grid, refine=refine).coverage


def search_for(
    postargs: Any, views: Views, *, base: Any = (0.0, 0.0), grid: int = 9, refine: bool = True
) -> Search:
    """Return the search whose coverage :func:`evaluate` returns; for equal parameters the same."""
    offsets = plain(postargs, "arcsec")
    if offsets.ndim != 2 or offsets.shape[1] != 2 or len(offsets) < 1:
        raise ValueError(f"POS TARGs must have the shape (N, 2), not {offsets.shape}")
    if not np.all(np.isfinite(offsets)):
        raise RefusalError("a POS TARG must be two finite numbers of arcsec")
    x_arcsec, y_arcsec = map(float, plain(base, "arcsec"))
    return _search(offsets.tobytes(), as_views(views), (x_arcsec, y_arcsec), grid, refine)


@lru_cache(maxsize=64)
def _search(
    rows: bytes, views: tuple[View, ...], base: tuple[float, float], grid: int, refine: bool
) -> Search:
    return Search(np.frombuffer(rows).reshape(-1, 2), views, base, grid, refine=refine)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """A figure whose worst places are looked for.

    `bad` gives (K, F) of places: the figure is worst where a row is largest. `starts` says for each closer
    look of how many of the worst places so far the surroundings are looked at, `ends` how many are
    evaluated exactly.
    """

    bad: Callable[[Places], FloatArray]
    starts: tuple[int, ...] = (2, 1)
    ends: int = 1


_FIGURES = (
    _Figure(bad=lambda places: -places.packing[None]),
    _Figure(bad=lambda places: -places.efficiency[None]),
    # They jump from place to place, where a set of aliases ceases to be recoverable.
    _Figure(bad=lambda places: places.amplification, starts=(4, 2), ends=2),
    _Figure(bad=lambda places: places.hole_roughly[None]),
)


class Search:
    """The search for the places where the figures of POS TARGs are worst.

    It takes each place's alias tables from the nearest place of a grid that all patterns share,
    since they cost more than everything else; the places that it finds are evaluated exactly.
    """

    def __init__(
        self, postargs: FloatArray, views: tuple[View, ...], base: Any, grid: int, *, refine: bool
    ) -> None:
        self.postargs, self.views, self.grid, self.refine = postargs, views, grid, refine
        self.known = field_points(views, base=base, grid=grid)
        self.tables = band_at(views, self.known, cells=_COARSE_CELLS)
        self.footprints = footprints(views, base=base, postargs=postargs)
        field = sampled(self.footprints, grid)
        tables = self.tables if len(field) == len(self.known) else None
        self.start = Places.of(postargs, views, field, band_at(views, field), tables)

    @cached_property
    def coverage(self) -> Coverage:
        """What was found: the first look and the worst places."""
        start, found = self.start, self._found()
        every = [start, found.only(np.arange(1, len(found.field)))] if self.refine else [start]
        holes = found.only(np.array([0, -1])).hole
        packing, of_limit, efficiency, moved = (
            np.concatenate([getattr(one, name) for one in every])
            for name in ("packing", "packing_of_limit", "efficiency", "offsets")
        )
        amplification, lost = found.amplification
        return Coverage(
            center=Metrics(
                packing=float(found.packing[0]),
                packing_of_limit=float(found.packing_of_limit[0]),
                hole=float(holes[0]),
                efficiency=float(found.efficiency[0]),
                amplification=_finite(amplification[0]),
                lost_fraction=float(lost[0]),
            ),
            worst=Metrics(
                packing=float(packing.min()),
                packing_of_limit=float(of_limit.min()),
                hole=float(holes.max()),
                efficiency=float(efficiency.min()),
                amplification=_finite(amplification.max()),
                lost_fraction=float(lost.max()),
            ),
            field=start.field.join(*(one.field for one in every[1:])),
            phases=wrap(moved),
            packing=packing,
            efficiency=efficiency,
        )

    def _found(self) -> Places:
        """Return the center and the worst places of each figure; the last is of the largest hole."""
        first, grid = self.start, self._fine_grid()
        if self.refine and grid > self.grid:
            first = self._nearly(sampled(self.footprints, grid))
        spacings = np.array([footprint.spacing_pix(grid) for footprint in self.footprints])
        worst = [_Worst.of(figure, first) for figure in _FIGURES]
        for look, closer in enumerate(_CLOSER if self.refine and spacings.any() else ()):
            near = [
                self._about(one.most(figure.starts[look]).field, spacings / closer)
                for one, figure in zip(worst, _FIGURES, strict=True)
            ]
            places = self._nearly(near[0].join(*near[1:]))
            ends = np.cumsum([len(field) for field in near])
            parts = np.split(np.arange(ends[-1]), ends[:-1])
            worst = [
                one.and_of(figure, places.only(part))
                for one, figure, part in zip(worst, _FIGURES, parts, strict=True)
            ]
        fields = [w.most(figure.ends).field for w, figure in zip(worst, _FIGURES, strict=True)]
        return Places.of(self.postargs, self.views, self.start.field.center.join(*fields))

    def _nearly(self, field: FieldPoints) -> Places:
        """Return places with the bands of the nearest places of the shared grid."""
        known = self.known
        apart = np.abs(field.x_pix[:, None] - known.x_pix)
        apart += np.abs(field.y_pix[:, None] - known.y_pix)
        apart[(field.view[:, None] != known.view) | (field.chip[:, None] != known.chip)] = np.inf
        model = self.tables.at(np.argmin(apart, axis=1))
        return Places.of(self.postargs, self.views, field, model)

    def _fine_grid(self) -> int:
        """Return how many places on a side it takes for the phases to change little between two."""
        drift, field = 0.0, self.start.field
        for view in range(len(self.views)):
            offsets = self.start.offsets[field.view == view]
            offsets = offsets - offsets[:, :1]
            drift = max(drift, float(np.max(np.ptp(offsets, axis=0))))
        return min(_FINEST_GRID, int(drift / _PHASE_STEP_PIX) + 2)

    def _about(self, field: FieldPoints, spacings_pix: FloatArray) -> FieldPoints:
        """Return the places about some places."""
        near = field.at(np.repeat(np.arange(len(field)), len(_ABOUT)))
        points = np.stack([near.x_pix, near.y_pix], axis=-1)
        points += np.tile(_ABOUT, (len(field), 1)) * spacings_pix[near.view]
        for view, chip in set(zip(near.view.tolist(), near.chip.tolist(), strict=True)):
            members = (near.view == view) & (near.chip == chip)
            points[members] = self.footprints[view].confined(points[members], chip)
        return replace(near, x_pix=points[:, 0], y_pix=points[:, 1])


@dataclass(frozen=True, slots=True)
class _Worst:
    """Places where the rows of a figure (K) are worst so far, and how bad: (K, F)."""

    field: FieldPoints
    bad: FloatArray

    @classmethod
    def of(cls, figure: _Figure, places: Places) -> _Worst:
        return cls(places.field, figure.bad(places))

    def most(self, count: int) -> _Worst:
        """Return the worst `count` places of each row."""
        order = np.argsort(-self.bad, axis=-1, kind="stable")[:, :count].ravel()
        return _Worst(self.field.at(order), self.bad[:, order])

    def and_of(self, figure: _Figure, places: Places) -> _Worst:
        """Return these places and others."""
        bad = np.concatenate([self.bad, figure.bad(places)], axis=-1)
        return _Worst(self.field.join(places.field), bad)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
