"""Which pattern a set of exposures gets: one from the catalog, or one that is designed for it.

Candidates are ranked by the optimizer's rule (:mod:`aptdither.dither.optimizer.optimize`):
efficiency at the worst place of the region, then packing distance, then total extent. For a prime
and its parallel those that are designed for both come before all others.
``method=auto`` takes a catalog pattern that lies within `AUTO_MARGIN` (of two detectors, what counts
as equal) of what any pattern could have, without a search, or within it of what a search finds; else
the pattern that the search found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import offset_clusters
from aptdither.dither.coverage import Search, search_for
from aptdither.dither.optimizer.optimize import (
    EQUAL_PACKING,
    WIDE_TOLERANCE,
    OptimizeResult,
    equal_efficiency,
    optimize,
    possible_efficiency,
    tradeoff,
    widest_spacing,
)
from aptdither.dither.pattern import Pattern
from aptdither.dither.phases import min_separation, span
from aptdither.dither.views import View
from aptdither.dither.visibility import largest_scale
from aptdither.errors import RefusalError
from aptdither.optics.aperture import Aperture
from aptdither.types import (
    NO_OFFSET,
    TIGHT,
    WIDE,
    FloatArray,
    LengthUnit,
    PosTarg,
    Progress,
    RegionKind,
    Spacing,
    SpacingKind,
)
from aptdither.version import __version__

#: Worst-place efficiency that a catalog pattern may lack and still be taken: a pattern that others
#: know and have used is worth more than a difference that no observation can show. Steps that
#: repeat to 5 mas cost more (see :mod:`aptdither.dither.optimizer.optimize`).
AUTO_MARGIN = 0.005

#: Spacing that a catalog pattern may lack, pixels, to be taken for ``spacing=wide``.
AUTO_SPACING_MARGIN_PIX = 1.0

#: Spacing that a catalog pattern may lack, pixels: what three decimals of arcsec can cost.
ROUNDING_PIX = 0.01

#: Times that a search is repeated with a smaller spacing, to keep the target on the detector.
MAX_SHRINKS = 4


class ChoiceMethod(StrEnum):
    """Where the POS TARGs of a group come from."""

    CATALOG = "catalog"
    OPTIMIZE = "optimize"
    GIVEN = "given"
    RECEIPT = "receipt"
    PROPOSAL = "proposal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternChoice:
    """A pattern and why it was taken."""

    #: Its name in the catalog, or ``optimized-N``.
    name: str
    method: ChoiceMethod
    #: Who designed or used it.
    source: str
    #: One sentence.
    why: str
    #: POS TARG offsets from the base, three decimals, in the order of the exposures.
    offsets_arcsec: tuple[tuple[float, float], ...]

    @property
    def offsets(self) -> FloatArray:
        """The offsets as an array (N, 2), arcsec."""
        return np.array(self.offsets_arcsec, dtype=float)

    @classmethod
    def of(cls, offsets_arcsec: Iterable[Iterable[float]], **words: Any) -> PatternChoice:
        """Return offsets (N, 2), arcsec, with where they come from."""
        pairs = tuple((float(x), float(y)) for x, y in offsets_arcsec)
        return cls(offsets_arcsec=pairs, **words)

    @classmethod
    def from_catalog(
        cls, pattern: Pattern, aperture: Aperture, why: str = "requested"
    ) -> PatternChoice:
        """Return a catalog pattern as POS TARGs for one aperture."""
        return cls.of(
            pattern.postargs(aperture),
            name=pattern.name,
            method=ChoiceMethod.CATALOG,
            source=pattern.source,
            why=why,
        )

    @classmethod
    def given(cls, offsets_arcsec: Iterable[tuple[float, float]]) -> PatternChoice:
        """Return POS TARGs from the command line."""
        return cls.of(
            offsets_arcsec,
            name="postargs",
            method=ChoiceMethod.GIVEN,
            source="the command line",
            why="POS TARGs from the command line",
        )

    def as_pattern(self, name: str) -> Pattern:
        """Return it as an entry for a catalog; a name that no pattern can have is a CatalogError."""
        return Pattern(
            name=name,
            points=self.offsets_arcsec,
            frame="postarg",
            designed_for=self.why,
            source=self.source,
            version=__version__,
            meaning="POS TARG offsets from the first point, arcsec",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternChooser:
    """Chooses or designs patterns for what sees the dither, and a base."""

    #: What sees the dither, the prime first: its frame is that of the POS TARGs, and the worst place
    #: of all decides.
    views: tuple[View, ...]
    #: Smallest distance of two points; tight for the whole readout and wide for a target when None.
    spacing: Spacing | None = None
    #: What the offsets are added to: where the target lands.
    base: PosTarg = NO_OFFSET
    #: The patterns to choose from; None only designs.
    catalog: Catalog | None = None
    #: Of the search.
    seed: int = 0
    #: Called while searching.
    progress: Progress | None = None

    def choose(self, sizes: Sequence[int], request: DitherRequest) -> PatternChoice:
        """Choose the pattern of each cluster, by its number of points, and put the clusters together.

        Raises
        ------
        CatalogError
            If the pattern that is requested is not in the catalog.
        RefusalError
            If ``method=catalog`` finds none that keeps the spacing, or the clusters leave the field
            in which the guide stars are kept.
        """
        choices = {n: self._choose_one(n, request) for n in dict.fromkeys(sizes)}
        first = choices[sizes[0]]
        if len(sizes) == 1:
            return first
        offsets = offset_clusters(
            [choices[n].offsets for n in sizes], self.aperture, base=self.base.xy_arcsec
        )
        counts = " and ".join(str(n) for n in choices)
        return PatternChoice.of(
            offsets,
            name="+".join(dict.fromkeys(choices[n].name for n in sizes)),
            method=first.method,
            source=first.source,
            why=f"{len(sizes)} clusters of {counts} points, stepped apart so that an artifact hides at "
            f"most one cluster; {first.why}",
        )

    def design(self, n: int) -> PatternChoice:
        """Design a pattern of `n` points, whatever the catalog has.

        A number of points or a spacing that is out of range is a UsageError.
        """
        return self._designed(*self._search(n))

    def tradeoff(self, n: int) -> tuple[OptimizeResult, ...]:
        """Return what each spacing costs, the tightest first."""
        return tradeoff(n, self.views, **self._search_options(n))

    @property
    def aperture(self) -> Aperture:
        """The aperture of the prime."""
        return self.views[0].aperture

    @property
    def _spacing(self) -> Spacing:
        return self.spacing or (TIGHT if self.views[0].region.kind is RegionKind.FULL else WIDE)

    @property
    def _is_wide(self) -> bool:
        return self._spacing.kind is SpacingKind.WIDE

    @property
    def _least_pix(self) -> float:
        """Least distance of two points, pixels; for wide that of tight."""
        spacing = self._spacing
        if spacing.distance is None:
            return self.aperture.detector.tight_spacing_pix
        if spacing.unit is LengthUnit.PIX:
            return spacing.distance
        x_scale, y_scale = self.aperture.scale_at(*self.aperture.reference_pix)
        return float(spacing.distance / np.sqrt(x_scale * y_scale))

    def _of_catalog(self, n: int) -> tuple[Pattern, ...]:
        """Return the catalog's patterns of `n` points for these detectors."""
        configs = [view.aperture.config for view in self.views]
        parallel = next((config for config in configs if config != configs[0]), "")
        return self.catalog.of_size(n, configs[0], parallel) if self.catalog else ()

    def _choose_one(self, n: int, request: DitherRequest) -> PatternChoice:
        """Return the pattern of one cluster of `n` points."""
        if request.pattern is not None:
            return PatternChoice.from_catalog(self._requested(request.pattern), self.aperture)
        if n == 1:
            return PatternChoice.of(
                ((0.0, 0.0),),
                name="single",
                method=ChoiceMethod.CATALOG,
                source="one point",
                why="a single exposure: nothing to dither",
            )
        candidate = None if request.method == "optimize" else self._best_candidate(n)
        if request.method == "catalog":
            if candidate is None:
                region = self.views[0].region
                is_disc = region.kind is not RegionKind.FULL
                on_detector = f" and {region.text} on the detector" if is_disc else ""
                raise RefusalError(
                    f"no catalog pattern of {n} points keeps its points {self._least_pix:.3g} "
                    f"pixels apart{on_detector}; give a smaller "
                    f"{'spacing or size' if is_disc else 'spacing'}, or method=optimize"
                )
            why = "the best of the catalog for this region"
            return PatternChoice.from_catalog(candidate.pattern, self.aperture, why)
        if candidate is None:
            return self.design(n)
        own, margin = candidate.efficiency, max(AUTO_MARGIN, equal_efficiency(self.views))

        def is_near(efficiency: float, separation_pix: float) -> bool:
            least_pix = separation_pix - AUTO_SPACING_MARGIN_PIX if self._is_wide else 0.0
            return candidate.separation_pix >= least_pix and own >= efficiency - margin

        def taken(most: str) -> PatternChoice:
            why = f"its worst-place efficiency {own:.3f} is within {margin:g} of {most}"
            return PatternChoice.from_catalog(candidate.pattern, self.aperture, why)

        bound = possible_efficiency(n, self.views, base=self.base.xy_arcsec)
        if is_near(bound, self.aperture.detector.widest_spacing_pix):
            # The bound is the best of many climbs; a pattern may have climbed higher.
            return taken(f"{max(bound, own):.3f}, the maximum for {n} exposures")
        result, why = self._search(n)
        found = result.efficiency_worst
        if is_near(found, result.separation_pix):
            return taken(f"the best that a search finds ({max(found, own):.3f})")
        return self._designed(
            result,
            f"{why}; {candidate.pattern.name} has {own:.3f} with points "
            f"{candidate.separation_pix:.1f} pixels apart",
        )

    def _requested(self, name: str) -> Pattern:
        """Return the pattern of that name, unless it is for another detector."""
        assert self.catalog is not None
        pattern, config = self.catalog.get(name), self.aperture.detector.config
        if pattern.config not in ("", config):
            fitting = [own.name for own in self._of_catalog(pattern.n)]
            those = f"use {' or '.join(fitting)}" if fitting else "leave pattern= out"
            raise RefusalError(
                f"pattern {pattern.name} is for {pattern.config}, and these exposures are of "
                f"{config}, whose pixels and distortion differ; {those}"
            )
        return pattern

    # Candidates of the catalog ----------------------------------------------------------------

    def _best_candidate(self, n: int) -> _Candidate | None:
        candidates = []
        for pattern in self._of_catalog(n):
            postargs, pixels = pattern.postargs(self.aperture), pattern.offsets_pix(self.aperture)
            separation_pix = min_separation(pixels)
            if separation_pix < self._least_pix - ROUNDING_PIX or self._scale_to_fit(postargs) < 1:
                continue
            candidates.append(
                _Candidate(
                    pattern=pattern,
                    search=search_for(postargs, self.views, base=self.base.xy_arcsec),
                    separation_pix=separation_pix,
                    span_pix=span(pixels),
                )
            )
        if not candidates:
            return None
        candidates = [c for c in candidates if c.pattern.parallel] or candidates
        # The worst place costs a search: only those are searched that can come near the best.
        tolerance = WIDE_TOLERANCE if self._is_wide else equal_efficiency(self.views)
        least = max(c.efficiency_of_grid for c in candidates) - tolerance
        candidates = [c for c in candidates if c.efficiency_of_grid >= least]
        best = max(c.efficiency for c in candidates)
        good = [c for c in candidates if c.efficiency >= best - tolerance]
        if self._is_wide:
            widest_pix = self.aperture.detector.widest_spacing_pix
            return max(good, key=lambda c: min(c.separation_pix, widest_pix))
        packing = max(c.packing_of_limit for c in good)
        good = [c for c in good if c.packing_of_limit >= packing - EQUAL_PACKING]
        return min(good, key=lambda c: c.span_pix)

    def _scale_to_fit(self, postargs: FloatArray) -> float:
        """Return by how much a pattern must shrink for all exposures to see the region."""
        targets = [view for view in self.views if view.region.kind is not RegionKind.FULL]
        scales = [largest_scale(postargs, view, base=self.base.xy_arcsec) for view in targets]
        return min(scales, default=1.0)

    # The search -------------------------------------------------------------------------------

    def _search_options(self, n: int) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "base": self.base.xy_arcsec,
            "known": self._of_catalog(n) or None,
            "progress": self.progress,
        }

    def _search(self, n: int) -> tuple[OptimizeResult, str]:
        """Return what a search finds, and why it is what it is.

        A wide spacing gives way where the pattern would leave the detector.
        """
        options = self._search_options(n)
        if self._scale_to_fit(np.zeros((1, 2))) < 1.0:
            raise RefusalError(
                f"no pattern keeps a region of {self.views[0].region.text} on the detector: its base "
                f"({self.base.text}) alone does not; give a smaller size=, or a larger aperture"
            )
        if not self._is_wide:
            result = optimize(n, self.views, self._least_pix, **options)
            return result, (
                f"designed for this region: worst-place efficiency {result.efficiency_worst:.3f} with "
                f"points at least {self._least_pix:.3g} pixels apart"
            )
        result = widest_spacing(n, self.views, **options)
        widest = f"widest spacing that costs at most {WIDE_TOLERANCE:g} of the best efficiency"
        for _ in range(MAX_SHRINKS):
            scale = self._scale_to_fit(np.array(result.postargs))
            if scale == 1.0:
                break
            tight_pix, spacing_pix = self._least_pix, 0.95 * scale * result.separation_pix
            if spacing_pix < tight_pix:
                raise RefusalError(
                    f"no pattern of {n} points {tight_pix:g} pixels apart keeps a region of "
                    f"{self.views[0].region.text} on the detector (at most "
                    f"{scale * result.separation_pix:.1f} pixels apart they would); give a smaller "
                    "size=, or a larger aperture"
                )
            result = optimize(n, self.views, spacing_pix, **options)
            widest = "widest that keeps the target on the detector"
        return result, (
            f"designed for this region: points {result.separation_pix:.1f} pixels apart, the {widest}"
        )

    def _designed(self, result: OptimizeResult, why: str) -> PatternChoice:
        return PatternChoice.of(
            result.postargs,
            name=f"optimized-{result.n}",
            method=ChoiceMethod.OPTIMIZE,
            source=f"aptdither {__version__}, seed {self.seed}: {result.sentence()}",
            why=why,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A catalog pattern, measured over the region; its worst place is searched when asked for."""

    pattern: Pattern
    search: Search
    separation_pix: float
    span_pix: float

    @property
    def efficiency_of_grid(self) -> float:
        """The worst of the field points, which the worst place of all does not exceed."""
        return float(self.search.start.efficiency.min())

    @property
    def efficiency(self) -> float:
        """That of the worst place."""
        return self.search.coverage.worst.efficiency

    @property
    def packing_of_limit(self) -> float:
        """That of the worst place."""
        return self.search.coverage.worst.packing_of_limit
