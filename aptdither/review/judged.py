"""A set with what it is worth: what the rules about phases and steps look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import split_counts
from aptdither.dither.coverage import Coverage
from aptdither.dither.phases import wrap
from aptdither.errors import AptDitherError
from aptdither.optics.aperture import Aperture
from aptdither.optics.filters import SpectralElement
from aptdither.planning.choice import PatternChoice, choose_pattern
from aptdither.planning.evaluation import Evaluator
from aptdither.planning.pointings import ObservedSet, Pointing
from aptdither.types import NO_OFFSET, FloatArray, PosTarg, Region, Spacing, SpacingKind

#: Pointings nearer than this are one pointing, pixels: less than any step repeats to.
SAME_PLACE_PIX = 0.04

#: Phases nearer than this are one phase, pixels: what the telescope's own errors are.
SAME_PHASE_PIX = 0.1

#: Shots farther apart than this, arcsec, share too little of the field to be one dither: half of
#: what the detector sees.
TILE_ARCSEC = 60.0

#: A POS TARG smaller than this, arcsec, looks like a dither, not like a place.
SMALL_ARCSEC = 2.0

#: Above this number of points no catalogue pattern is compared: everything is sampled.
MAX_COMPARED_POINTS = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePattern:
    """What the catalogue has for as many points.

    Attributes
    ----------
    chosen : PatternChoice
        The pattern.
    coverage : Coverage
        Its coverage of the same region, for the same element.
    """

    chosen: PatternChoice
    coverage: Coverage


class Layout:
    """Offsets over a region: what is the same for every set that points so.

    Parameters
    ----------
    offsets : (N, 2) float array, arcsec
        From `base`.
    aperture, element, region, base
        As for :meth:`aptdither.planning.evaluation.Evaluator.coverage`.
    judge : Evaluator
        Who judges.
    """

    def __init__(
        self,
        offsets: FloatArray,
        aperture: Aperture,
        element: SpectralElement,
        region: Region,
        base: PosTarg,
        judge: Evaluator,
    ) -> None:
        self.offsets = offsets
        x, y = aperture.offset_from_postarg(offsets[:, 0], offsets[:, 1])
        self.pixels: FloatArray = np.stack([x, y], axis=-1)
        """Offsets (N, 2) at the aperture's fiducial point, pixels."""
        self.coverage = judge.coverage(offsets, aperture, element, region, base)
        """Coverage over the region."""
        self.places = _clusters(self.pixels, SAME_PLACE_PIX)
        """The shots of each distinct pointing."""
        firsts = [members[0] for members in self.places]
        found = _clusters(wrap(self.coverage.center_phases[firsts]), SAME_PHASE_PIX, torus=True)
        self.phases = tuple(tuple(firsts[i] for i in members) for members in found)
        """The pointings (their first shots) of each distinct phase where the target lands."""

    @cached_property
    def distances(self) -> tuple[tuple[float, int, int], ...]:
        """Distance and first shots of each two pointings, pixels, the nearest first."""
        firsts = [members[0] for members in self.places]
        return tuple(
            sorted(
                (float(np.hypot(*(self.pixels[i] - self.pixels[j]))), i, j)
                for i, j in combinations(firsts, 2)
            )
        )


class CatalogReference:
    """What sets are held against: each question is answered once.

    Parameters
    ----------
    catalog : Catalog
        The patterns.
    judge : Evaluator
        Who judges.
    """

    def __init__(self, catalog: Catalog, judge: Evaluator) -> None:
        self.catalog = catalog
        self.judge = judge
        self._known: dict[object, ReferencePattern | None] = {}
        self._layouts: dict[object, Layout] = {}

    @property
    def remembered(self) -> int:
        """How many layouts are remembered."""
        return len(self._layouts)

    def better(
        self, n: int, aperture: Aperture, element: SpectralElement, size: Region, spacing: str
    ) -> ReferencePattern | None:
        """Return the catalogue's best for `n` points over a region, None if it has none."""
        key = (n, aperture.name, element.name, size, spacing)
        if key not in self._known:
            self._known[key] = self._found(n, aperture, element, size, spacing)
        return self._known[key]

    def layout(
        self,
        offsets: FloatArray,
        aperture: Aperture,
        element: SpectralElement,
        region: Region,
        base: PosTarg,
    ) -> Layout:
        """Return what there is to know of offsets (N, 2) from `base`, arcsec."""
        key = (offsets.tobytes(), aperture.name, element.name, region, base)
        if key not in self._layouts:
            self._layouts[key] = Layout(offsets, aperture, element, region, base, self.judge)
        return self._layouts[key]

    def _found(
        self, n: int, aperture: Aperture, element: SpectralElement, size: Region, spacing: str
    ) -> ReferencePattern | None:
        if not 2 <= n <= MAX_COMPARED_POINTS:
            return None
        try:
            chosen = choose_pattern(
                split_counts(n),
                request=DitherRequest(method="catalog", spacing=Spacing(kind=SpacingKind(spacing))),
                size=size,
                aperture=aperture,
                elements=(element,),
                base=(0.0, 0.0),
                catalog=self.catalog,
                seed=0,
            )
        except AptDitherError:  # nothing of that size in this catalogue
            return None
        coverage = self.judge.coverage(chosen.offsets, aperture, element, size, NO_OFFSET)
        return ReferencePattern(chosen=chosen, coverage=coverage)


class EvaluatedSet:
    """Shots of one set that share the field, judged.

    Parameters
    ----------
    observed : ObservedSet
        The set.
    shots : sequence of Pointing
        Those of one tile, in the order of time.
    aperture, element : Aperture, SpectralElement
        Of its setup.
    size : Region
        The region.
    standards : CatalogReference
        What it is held against.
    """

    def __init__(
        self,
        observed: ObservedSet,
        shots: Sequence[Pointing],
        *,
        aperture: Aperture,
        element: SpectralElement,
        size: Region,
        standards: CatalogReference,
    ) -> None:
        self.observed = observed
        self.shots = tuple(shots)
        self.aperture = aperture
        self.element = element
        self.size = size
        self.region: Region = size
        self.standards = standards
        first = self.shots[0].pos_targ
        receipt = observed.receipts.get(self.shots[0].exposure.node)
        if receipt is not None:
            self.base = PosTarg(x_arcsec=receipt.base_x_arcsec, y_arcsec=receipt.base_y_arcsec)
        elif np.hypot(first.x_arcsec, first.y_arcsec) < SMALL_ARCSEC:
            self.base = NO_OFFSET  # a dither about the fiducial point, wherever it begins
        else:
            self.base = first
        """Where the target lands before it is dithered."""
        offsets: FloatArray = np.round(
            [
                (
                    shot.pos_targ.x_arcsec - self.base.x_arcsec,
                    shot.pos_targ.y_arcsec - self.base.y_arcsec,
                )
                for shot in self.shots
            ],
            6,
        )
        self.layout = standards.layout(offsets, aperture, element, self.region, self.base)

    @property
    def n(self) -> int:
        """Number of exposures."""
        return len(self.shots)

    @property
    def words(self) -> str:
        """The setup in words: ``IR F160W``."""
        return f"{self.aperture.name} {self.element.name}"

    @property
    def is_tagged(self) -> bool:
        """Whether its dither was asked for by a tag, or comes from one."""
        return self.observed.dither_set is not None or self.observed.has_receipts

    @property
    def is_pending(self) -> bool:
        """Whether a tag asks to dither it and that was not done yet."""
        return self.observed.dither_set is not None and not self.observed.has_receipts

    @property
    def offsets(self) -> FloatArray:
        """Offsets (N, 2) from the base, arcsec."""
        return self.layout.offsets

    @property
    def pixels(self) -> FloatArray:
        """Offsets (N, 2) at the aperture's fiducial point, pixels."""
        return self.layout.pixels

    @property
    def coverage(self) -> Coverage:
        """Its coverage over the region."""
        return self.layout.coverage

    @property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """The shots of each distinct pointing."""
        return self.layout.places

    @property
    def phases(self) -> tuple[tuple[int, ...], ...]:
        """The pointings (their first shots) of each distinct phase where the target lands."""
        return self.layout.phases

    @property
    def wanted_phases(self) -> int:
        """How many phases its pointings should have: all, or one cluster's."""
        return split_counts(len(self.places))[0]

    @cached_property
    def better(self) -> ReferencePattern | None:
        """The catalogue's best for as many points over the same region."""
        return self.standards.better(self.n, self.aperture, self.element, self.size, "tight")

    @cached_property
    def wider(self) -> ReferencePattern | None:
        """The catalogue's widest good pattern for as many points over the same region."""
        return self.standards.better(self.n, self.aperture, self.element, self.size, "wide")

    def label(self, index: int) -> str:
        """Name a shot: its exposure, and which of that exposure's it is."""
        exposure = self.shots[index].exposure
        own = [i for i, shot in enumerate(self.shots) if shot.exposure.node == exposure.node]
        if len(own) == 1:
            return exposure.number
        return f"{exposure.number} (no. {own.index(index) + 1} of {len(own)})"


def tiles(shots: Sequence[Pointing]) -> list[list[Pointing]]:
    """Split shots into those that share the field: a mosaic's tiles are dithers of their own."""
    offsets = np.array([(shot.pos_targ.x_arcsec, shot.pos_targ.y_arcsec) for shot in shots])
    return [[shots[i] for i in members] for members in _clusters(offsets, TILE_ARCSEC)]


def _clusters(
    points: FloatArray, reach: float, *, torus: bool = False
) -> tuple[tuple[int, ...], ...]:
    """Return which points belong together: chains whose links are no longer than `reach`."""
    steps = points[:, None] - points[None]
    if torus:
        steps = steps - np.rint(steps)
    near = np.hypot(steps[..., 0], steps[..., 1]) <= reach
    label = np.full(len(points), -1)
    found: list[tuple[int, ...]] = []
    for start in range(len(points)):
        if label[start] >= 0:
            continue
        members = near[start].copy()
        while True:
            grown = near[members].any(axis=0)
            if (grown == members).all():
                break
            members = grown
        label[members] = len(found)
        found.append(tuple(int(i) for i in np.flatnonzero(members)))
    return tuple(found)
