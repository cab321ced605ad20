"""What a set of exposures is worth: the one evaluation that every command asks.

:meth:`Evaluator.evaluate` takes an :class:`~aptdither.planning.pointings.ExposureSet` (which
exposures, which pointings, which base, which setup and region) and returns a :class:`DitherGroup`.
`apply`, `check`, `evaluate`, `report`, `plot` and `export` all use it, so their figures agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from aptdither.dither.bounds import PossibleMetrics, possible_metrics
from aptdither.dither.catalog import load_catalog
from aptdither.dither.clusters import split_counts
from aptdither.dither.coverage import Coverage, Metrics, evaluate
from aptdither.dither.phases import (
    chains,
    min_separation,
    packing_distance,
    packing_limit,
    slew_seconds,
    span,
    wrap,
)
from aptdither.dither.pointing_errors import (
    PointingBudget,
    PointingExpectation,
    expect,
    shifts_arcsec,
)
from aptdither.dither.region import FieldPoints
from aptdither.dither.sampling import SIGNAL_TO_NOISE
from aptdither.dither.views import View, band_at, offsets_at
from aptdither.dither.visibility import largest_scale, seen_by_all, unseen_pix
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.optics.filters import SpectralElement, get_element
from aptdither.planning.choice import ChoiceMethod, PatternChoice
from aptdither.planning.options import Options
from aptdither.planning.pointings import ExposureSet, Pointing
from aptdither.planning.sizes import sizes_of
from aptdither.types import NO_OFFSET, FloatArray, PosTarg, Region, Setup, Shown

if TYPE_CHECKING:
    from aptdither.dither.reconstruction import Reconstruction

#: After so many different evaluations (some 20 kB each) an :class:`Evaluator` drops what it has
#: remembered: this bounds the memory of a long run.
CACHE_SIZE = 2000

#: Signal to noise of the stars, in one exposure, in images with errors.
STAR_SNR = 100.0


class Evaluation:
    """Offsets (N, 2) from `base`, arcsec, seen by a view: what is equal for all that point alike.

    `pixels` (N, 2) are the offsets at the aperture's reference point, `coverage` is that of the region.
    The seed is that of the simulated pointing errors.
    """

    def __init__(self, offsets_arcsec: FloatArray, view: View, base: PosTarg, *, seed: int) -> None:
        self.offsets_arcsec = offsets_arcsec
        self.view = view
        self.base = base
        self.seed = seed
        # Conversion leaves something in the last digits: equal offsets must be equal.
        self.pixels: FloatArray = np.asarray(np.round(view.offsets_of(offsets_arcsec), 9) + 0.0)
        self.coverage: Coverage = evaluate(offsets_arcsec, view, base=base.xy_arcsec)
        self._expectations: dict[tuple[tuple[int, ...], int], PointingExpectation] = {}

    @property
    def n(self) -> int:
        """Number of exposures."""
        return len(self.pixels)

    def with_pointing_errors(self, orbits: tuple[int, ...], clusters: int) -> PointingExpectation:
        """Return what pointing errors leave of the coverage, by the orbit of each exposure."""
        if (orbits, clusters) not in self._expectations:
            self._expectations[orbits, clusters] = expect(
                self.offsets_arcsec,
                self.view,
                orbits=orbits,
                clusters=clusters,
                base=self.base.xy_arcsec,
                coverage=self.coverage,
                seed=self.seed,
            )
        return self._expectations[orbits, clusters]

    @cached_property
    def possible_at_worst(self) -> PossibleMetrics:
        """The best worst figures known for so many exposures; never below what these reach."""
        best = possible_metrics(self.n, self.view, base=self.base.xy_arcsec)
        return _not_below(self.coverage.worst, best)

    @property
    def possible(self) -> PossibleMetrics:
        """The best figures known for so many exposures; never below what these reach anywhere."""
        return _not_below(self.coverage.center, self.possible_at_worst)

    @cached_property
    def unseen_pix(self) -> FloatArray:
        """How far the region reaches beyond what is read, in each exposure, pixels, (N,)."""
        return unseen_pix(self.offsets_arcsec, self.view, base=self.base.xy_arcsec)

    @cached_property
    def seen_by_all(self) -> float:
        """The share of the region that every exposure sees, 0 to 1."""
        return seen_by_all(self.offsets_arcsec, self.view, base=self.base.xy_arcsec)

    @cached_property
    def largest_scale(self) -> float:
        """By how much the offsets must shrink for every exposure to see the region, 0 to 1."""
        return largest_scale(self.offsets_arcsec, self.view, base=self.base.xy_arcsec)

    @cached_property
    def distinct_pointings(self) -> tuple[tuple[int, ...], ...]:
        """The exposures of each distinct pointing."""
        return chains(self.pixels, self.view.aperture.detector.same_pointing_pix)

    @cached_property
    def distinct_phases(self) -> tuple[tuple[int, ...], ...]:
        """The pointings (their first exposures) of each distinct phase where the target lands."""
        firsts = [members[0] for members in self.distinct_pointings]
        reach = self.view.aperture.detector.same_phase_pix
        found = chains(wrap(self.coverage.center_phases[firsts]), reach, torus=True)
        return tuple(tuple(firsts[i] for i in members) for members in found)

    @cached_property
    def distances(self) -> tuple[tuple[float, int, int], ...]:
        """Distance (pixels) and first exposures of each two pointings, the nearest first."""
        firsts = [members[0] for members in self.distinct_pointings]
        return tuple(
            sorted(
                (float(np.hypot(*(self.pixels[i] - self.pixels[j]))), i, j)
                for i, j in combinations(firsts, 2)
            )
        )


def _not_below(reached: Metrics, best: PossibleMetrics) -> PossibleMetrics:
    return replace(
        best,
        packing=max(best.packing, reached.packing),
        hole=None if best.hole is None else min(best.hole, reached.hole),
        efficiency=max(best.efficiency, reached.efficiency),
    )


@dataclass(frozen=True, kw_only=True)
class DitherGroup(Shown):
    """Exposures of one setup with what they are worth."""

    #: Which exposures, and where they point.
    exposures: ExposureSet
    #: The pattern, how it was found and why it was taken.
    choice: PatternChoice
    #: Number of clusters.
    clusters: int
    #: Coverage and geometry of the POS TARGs as written.
    evaluation: Evaluation

    def plot(self, kind: str = "phases", *, ax: Any = None) -> Any:
        """Draw it on matplotlib axes, of a new figure when left out, and return them.

        Kinds: "phases" in one pixel, "offsets" in pixels, "efficiency" or "packing" over the
        detector, "sky" with the footprints.
        """
        face = import_module("aptdither.report.notebook")
        return face.plot(self, kind, lambda grid: coverage_map(self, grid), ax)

    @property
    def visit(self) -> str | None:
        """Number of its visit; None outside a proposal."""
        visit = self.exposures.visit
        return None if visit is None else visit.number

    @property
    def tag(self) -> str | None:
        """Its tag as written; None without one."""
        dither_set = self.exposures.dither_set
        return None if dither_set is None else dither_set.tag

    @property
    def aperture(self) -> Aperture:
        """The aperture with its distortion."""
        return self.evaluation.view.aperture

    @property
    def element(self) -> SpectralElement:
        """The spectral element with the wavelength that its band is taken at."""
        return self.evaluation.view.element

    @property
    def region(self) -> Region:
        """Where its coverage matters."""
        return self.exposures.region

    @property
    def base(self) -> PosTarg:
        """What its offsets are added to."""
        return self.exposures.base

    @property
    def n(self) -> int:
        """Number of exposures."""
        return self.exposures.n

    @property
    def coverage(self) -> Coverage:
        """Coverage of the POS TARGs as written."""
        return self.evaluation.coverage

    @property
    def pointing(self) -> PointingExpectation:
        """What the telescope's pointing errors leave of the coverage."""
        return self.evaluation.with_pointing_errors(self.exposures.orbits, self.clusters)

    @property
    def points(self) -> tuple[Pointing, ...]:
        """Its exposures with their offsets in pixels, in document order."""
        return tuple(
            replace(one, dx_pix=float(dx_pix), dy_pix=float(dy_pix))
            for one, (dx_pix, dy_pix) in zip(
                self.exposures.pointings, self.evaluation.pixels, strict=True
            )
        )

    @property
    def min_separation_pix(self) -> float:
        """Smallest distance between two points at the reference point, pixels; 0 for one."""
        return min_separation(self.evaluation.pixels) if self.n > 1 else 0.0

    @property
    def span_pix(self) -> float:
        """Largest distance between two points at the reference point, pixels."""
        return span(self.evaluation.pixels)

    @property
    def slew_seconds(self) -> float:
        """Slew overhead of the moves between the points, seconds."""
        return slew_seconds(self.evaluation.offsets_arcsec)

    @property
    def wanted_phases(self) -> int:
        """How many phases its pointings should have: all, or one cluster's."""
        return split_counts(len(self.evaluation.distinct_pointings))[0]


class Evaluator:
    """Evaluates set after set by the catalog, distortion, seed and defaults of a run.

    Equal questions are answered once.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.catalog = self.options.catalog or load_catalog()
        self.cache: dict[object, Evaluation] = {}

    def aperture(self, setup: Setup) -> Aperture:
        """Return the aperture of a setup, or raise an OpticsError."""
        return get_aperture(
            setup.aperture,
            setup.element,
            config=setup.config,
            distortion_file=self.options.distortion,
        )

    def view(
        self,
        setup: Setup,
        region: Region,
        *,
        prime: Setup | None = None,
        snr: float | None = None,
    ) -> View:
        """Return what sees a setup whose POS TARGs are those of `prime`; its own when left out.

        Raises
        ------
        OpticsError
            If the aperture or the spectral element is not known.
        """
        aperture, element = self.aperture(setup), get_element(setup.element, config=setup.config)
        frame = self.aperture(prime or setup).frame
        other = None if frame == aperture.frame else frame  # so that equal views are equal
        snr = snr or self.options.defaults.snr or SIGNAL_TO_NOISE
        return View(aperture, element, region, other, snr)

    def evaluate(
        self,
        exposures: ExposureSet,
        choice: PatternChoice | None = None,
        *,
        clusters: int | None = None,
    ) -> DitherGroup:
        """Evaluate a set of exposures by their POS TARGs as written.

        The receipts, or the proposal, say where the pattern comes from when `choice` is left out, and
        the receipts the number of clusters.

        Raises
        ------
        OpticsError
            If the aperture or the spectral element is not known.
        RefusalError
            If no part of the region is read.
        """
        dither_set, offsets = exposures.dither_set, exposures.offsets_arcsec
        snr = dither_set.request.snr if dither_set is not None else None
        view = self.view(exposures.setup, exposures.region, prime=exposures.prime, snr=snr)
        patterns = {receipt.pattern for receipt in exposures.receipts.values()}
        made = patterns.pop() if exposures.has_receipts and len(patterns) == 1 else None
        if clusters is None:
            clusters = len((made and sizes_of(made, exposures.n, self.catalog)) or (exposures.n,))
        if choice is None:
            choice = PatternChoice.of(
                offsets,
                name=made or "as planned",
                method=ChoiceMethod.RECEIPT if made else ChoiceMethod.PROPOSAL,
                source="the receipts in the proposal" if made else "the proposal",
                why="POS TARGs in the proposal",
            )
        return DitherGroup(
            exposures=exposures,
            choice=choice,
            clusters=clusters,
            evaluation=self.evaluation(offsets, view, exposures.base),
        )

    def evaluation(
        self, offsets_arcsec: FloatArray, view: View, base: PosTarg = NO_OFFSET
    ) -> Evaluation:
        """Return the evaluation of offsets from `base`; of equal ones the same."""
        key = (offsets_arcsec.tobytes(), view, base)
        if key not in self.cache:
            if len(self.cache) >= CACHE_SIZE:
                self.cache.clear()
            self.cache[key] = Evaluation(offsets_arcsec, view, base, seed=self.options.seed)
        return self.cache[key]

    def evaluate_pattern(
        self, choice: PatternChoice, setup: Setup, region: Region, prime: Setup | None = None
    ) -> DitherGroup:
        """Evaluate a pattern apart from any proposal: about the reference point, in one orbit."""
        pointings = tuple(
            Pointing(number=str(index), pos_targ=PosTarg(x_arcsec=x, y_arcsec=y))
            for index, (x, y) in enumerate(choice.offsets_arcsec, start=1)
        )
        exposures = ExposureSet(setup=setup, pointings=pointings, region=region, prime=prime)
        return self.evaluate(exposures, choice, clusters=1)


def coverage_map(group: DitherGroup, grid: int) -> Coverage:
    """Evaluate a group at its center and on a grid of `grid` x `grid` places of the whole aperture."""
    view = replace(group.evaluation.view, region=Region.full())
    offsets = group.evaluation.offsets_arcsec
    return evaluate(offsets, view, base=group.base.xy_arcsec, grid=grid)


def coverage_at(group: DitherGroup, field: FieldPoints) -> tuple[FloatArray, FloatArray]:
    """Return efficiency (P,) and packing distance over its limit (P,) at places."""
    view = group.evaluation.view
    offsets = offsets_at(group.evaluation.offsets_arcsec, view, field)
    efficiency = band_at(view, field).efficiency(offsets)
    return efficiency, packing_distance(offsets) / packing_limit(group.n)


def reconstruct_group(group: DitherGroup, *, errors: bool, seed: int = 0) -> Reconstruction:
    """Observe stars at a group's worst place, combine its exposures and measure.

    With `errors` they have the telescope's pointing errors and the noise of stars of `STAR_SNR`,
    both from `seed`. Without the package ``drizzle`` a UsageError is raised.
    """
    from aptdither.dither.reconstruction import reconstruct

    place, offsets = group.coverage.worst_place, group.evaluation.offsets_arcsec
    shifts = None
    if errors:
        orbits = np.array(group.exposures.orbits, dtype=float)
        rng = np.random.default_rng(seed)
        (shifts,) = shifts_arcsec(offsets, orbits, PointingBudget(), rng, 1)
    return reconstruct(
        offsets,
        group.evaluation.view,
        at=(place.x_pix, place.y_pix),
        chip=place.chip,
        errors_arcsec=shifts,
        star_snr=STAR_SNR if errors else None,
        seed=seed,
    )
