"""One setup's exposures, judged: what a summary, a report or a picture is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aptdither.dither.clusters import MAX_CLUSTER_SIZE
from aptdither.dither.coverage import Coverage, evaluate
from aptdither.dither.optimizer.optimize import possible_efficiency
from aptdither.dither.phases import min_separation, slew_seconds, span
from aptdither.dither.pointing_errors import PointingExpectation, expect
from aptdither.dither.views import View
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.optics.filters import SpectralElement, get_element
from aptdither.planning.choice import PatternChoice
from aptdither.types import PosTarg, Region

if TYPE_CHECKING:
    from pathlib import Path

    from aptdither.planning.pointings import ObservedSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One exposure of the new file and where it points.

    Attributes
    ----------
    number : str
        Its number in the new file.
    was : str or None
        Its number in the file that was read; None for a new copy, and outside a proposal.
    pos_targ : PosTarg
        The POS TARG as written.
    old_pos_targ : PosTarg or None
        The explicit POS TARG in the file that was read, if there was one.
    orbit : int or None
        The orbit that the file gives the exposure.
    dx_pix, dy_pix : float
        Offset from the base at the aperture's fiducial point, of the POS TARG as written.
    """

    number: str
    was: str | None
    pos_targ: PosTarg
    old_pos_targ: PosTarg | None
    orbit: int | None
    dx_pix: float = 0.0
    dy_pix: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DitherGroup:
    """One setup of one set: its pattern, its points and its coverage.

    Attributes
    ----------
    visit, tag : str or None
        Where it stands and what it asked for; None outside a proposal.
    aperture : Aperture
        The aperture with its distortion.
    element : SpectralElement
        The spectral element with the wavelength that its band is taken at.
    size : Region
        The region as asked for.
    region : Region
        Where the coverage is judged.
    choice : PatternChoice
        The pattern, how it was found and why it was taken.
    clusters : int
        Number of clusters.
    base : PosTarg
        What the offsets are added to.
    points : tuple of Point
        In document order.
    coverage : Coverage
        Of the POS TARGs as written.
    pointing : PointingExpectation
        What the telescope's pointing errors leave of it.
    min_separation_pix, span_pix : float
        Smallest and largest distance between two points at the fiducial point.
    slew_seconds : float
        Overhead of the moves.
    """

    visit: str | None
    tag: str | None
    aperture: Aperture
    element: SpectralElement
    size: Region
    region: Region
    choice: PatternChoice
    clusters: int
    base: PosTarg
    points: tuple[Point, ...]
    coverage: Coverage
    pointing: PointingExpectation
    min_separation_pix: float
    span_pix: float
    slew_seconds: float

    def best_efficiency(self) -> float:
        """Return the best worst-place efficiency that so many exposures could have.

        Beyond the nine points of a cluster it is 1: no band of the detector has more aliases.
        """
        n = len(self.points)
        if n > MAX_CLUSTER_SIZE:
            return 1.0
        base = (self.base.x_arcsec, self.base.y_arcsec)
        bound = possible_efficiency(n, View(self.aperture, self.element, self.region), base=base)
        # The bound is the best of many climbs; what climbed higher is the better bound.
        return max(bound, self.coverage.worst.efficiency)


class Evaluator:
    """Judges group after group; equal questions are answered once.

    Parameters
    ----------
    seed : int
        Where the pointing errors come from.
    """

    def __init__(self, *, seed: int) -> None:
        self.seed = seed
        self._coverages: dict[object, Coverage] = {}
        self._expectations: dict[object, PointingExpectation] = {}

    def group(
        self,
        exposures: Sequence[Point],
        *,
        aperture: Aperture,
        element: SpectralElement,
        size: Region,
        base: PosTarg,
        choice: PatternChoice,
        clusters: int = 1,
        visit: str | None = None,
        tag: str | None = None,
    ) -> DitherGroup:
        """Evaluate the exposures of one setup by their POS TARGs as written.

        Parameters
        ----------
        exposures : sequence of Point
            In document order.
        aperture, element, size, base, choice, clusters, visit, tag
            As in :class:`DitherGroup`.

        Returns
        -------
        DitherGroup
        """
        written = np.array([(e.pos_targ.x_arcsec, e.pos_targ.y_arcsec) for e in exposures])
        # Away with what subtraction leaves in the last digits: equal offsets must be equal.
        offsets = np.round(written - (base.x_arcsec, base.y_arcsec), 9) + 0.0
        # An exposure without an orbit is taken to be in the first.
        orbits = tuple(exposure.orbit or 1 for exposure in exposures)
        region = size
        coverage = self.coverage(offsets, aperture, element, region, base)
        pointing = self.expectation(offsets, orbits, aperture, element, region, base)
        dx_pix, dy_pix = aperture.offset_from_postarg(offsets[:, 0], offsets[:, 1])
        pixels = np.round(np.stack([dx_pix, dy_pix], axis=-1), 9) + 0.0
        return DitherGroup(
            visit=visit,
            tag=tag,
            aperture=aperture,
            element=element,
            size=size,
            region=region,
            choice=choice,
            clusters=clusters,
            base=base,
            points=tuple(
                replace(exposure, dx_pix=float(dx), dy_pix=float(dy))
                for exposure, (dx, dy) in zip(exposures, pixels, strict=True)
            ),
            coverage=coverage,
            pointing=pointing,
            min_separation_pix=min_separation(pixels) if len(pixels) > 1 else 0.0,
            span_pix=span(pixels),
            slew_seconds=slew_seconds(offsets),
        )

    def coverage(
        self,
        offsets: NDArray[np.float64],
        aperture: Aperture,
        element: SpectralElement,
        region: Region,
        base: PosTarg,
    ) -> Coverage:
        """Return the coverage of offsets (N, 2) from `base`, arcsec."""
        key = (offsets.tobytes(), aperture, element.name, region, base)
        if key not in self._coverages:
            where = (base.x_arcsec, base.y_arcsec)
            self._coverages[key] = evaluate(offsets, View(aperture, element, region), base=where)
        return self._coverages[key]

    def expectation(
        self,
        offsets: NDArray[np.float64],
        orbits: tuple[int, ...],
        aperture: Aperture,
        element: SpectralElement,
        region: Region,
        base: PosTarg,
    ) -> PointingExpectation:
        """Return what pointing errors leave of the coverage of offsets (N, 2) from `base`."""
        key = (offsets.tobytes(), orbits, aperture, element.name, region, base)
        if key not in self._expectations:
            where = (base.x_arcsec, base.y_arcsec)
            self._expectations[key] = expect(
                offsets,
                View(aperture, element, region),
                orbits=orbits,
                base=where,
                seed=self.seed,
            )
        return self._expectations[key]


def evaluate_pattern(
    choice: PatternChoice, aperture: Aperture, element: SpectralElement, size: Region, seed: int
) -> DitherGroup:
    """Evaluate a pattern apart from any proposal: the target on the fiducial point, one orbit."""
    exposures = [
        Point(
            number=str(index),
            was=None,
            pos_targ=PosTarg(x_arcsec=x, y_arcsec=y),
            old_pos_targ=None,
            orbit=None,
        )
        for index, (x, y) in enumerate(choice.offsets_arcsec, start=1)
    ]
    return Evaluator(seed=seed).group(
        exposures,
        aperture=aperture,
        element=element,
        size=size,
        base=PosTarg(x_arcsec=0.0, y_arcsec=0.0),
        choice=choice,
    )


def evaluate_observed(
    judge: Evaluator,
    observed: ObservedSet,
    *,
    size: Region | None = None,
    distortion: Path | None = None,
) -> DitherGroup:
    """Evaluate exposures of a proposal as they stand.

    Parameters
    ----------
    judge : Evaluator
        Evaluates equal sets once.
    observed : ObservedSet
        The exposures and where they point.
    size : Region, optional
        The region; the tag's own, or the whole readout, when left out.
    distortion : Path, optional
        A distortion file in place of the SIAF's polynomials.

    Returns
    -------
    DitherGroup
        Its base is where the exposures were before they were dithered, as far as receipts tell;
        else their first place.
    """
    setup, tagged = observed.setup, observed.dither_set
    first = observed.shots[0].pos_targ
    is_supported = tagged is not None and observed.has_receipts
    base = tagged.base if tagged is not None and is_supported else first
    if size is None:
        asked = tagged.request.size if tagged is not None else None
        size = asked or Region.full()
    aperture = get_aperture(
        setup.aperture, setup.element, config=setup.config, distortion_file=distortion
    )
    x, y = base.x_arcsec, base.y_arcsec
    offsets = tuple(
        (shot.pos_targ.x_arcsec - x, shot.pos_targ.y_arcsec - y) for shot in observed.shots
    )
    receipts = [observed.receipts.get(exposure.node) for exposure in observed.exposures]
    names = {receipt.pattern for receipt in receipts if receipt is not None}
    choice = PatternChoice(
        name=names.pop() if is_supported and len(names) == 1 else "as observed",
        method="given",
        source="the proposal",
        why="it is what the proposal holds",
        offsets_arcsec=offsets,
    )
    return judge.group(
        [
            Point(
                number=shot.exposure.number,
                was=None,
                pos_targ=shot.pos_targ,
                old_pos_targ=None,
                orbit=shot.orbit,
            )
            for shot in observed.shots
        ],
        aperture=aperture,
        element=get_element(setup.element, config=setup.config),
        size=size,
        base=base,
        choice=choice,
        visit=observed.visit.number,
        tag=tagged.tag if tagged is not None else None,
    )
