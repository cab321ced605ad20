"""From a proposal to findings: judge its sets and run every rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aptdither.apt.proposal import Proposal
from aptdither.dither.catalog import load_catalog
from aptdither.dither.clusters import split_counts
from aptdither.errors import AptDitherError
from aptdither.findings import Finding
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.planning.choice import PatternChoice
from aptdither.planning.evaluation import DitherGroup, Evaluator, Point
from aptdither.planning.pointings import ObservedSet, observe
from aptdither.review import moves, positions, sampling, syntax
from aptdither.review.judged import CatalogReference, EvaluatedSet, tiles
from aptdither.review.options import ReviewOptions
from aptdither.types import Region

#: After so many different layouts (some 20 kB each) what is remembered is dropped: this bounds the
#: memory of a long run.
CACHE_SIZE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was found in one proposal.

    Attributes
    ----------
    sets : tuple of EvaluatedSet
        In the order of the file.
    findings : tuple of Finding
        By visit, line and code; the wanted ones.
    """

    sets: tuple[EvaluatedSet, ...]
    findings: tuple[Finding, ...]


class Reviewer:
    """Reviews proposal after proposal; equal sets are judged once.

    Parameters
    ----------
    options : ReviewOptions, optional
        How to review.
    """

    def __init__(self, options: ReviewOptions | None = None) -> None:
        self.options = options or ReviewOptions()
        self.catalog = load_catalog(self.options.catalog)
        self._forget()

    def _forget(self) -> None:
        self.judge = Evaluator(seed=self.options.seed)
        self.standards = CatalogReference(self.catalog, self.judge)

    def review(self, proposal: Proposal) -> Review:
        """Evaluate the sets of a proposal and run every rule over them.

        Parameters
        ----------
        proposal : Proposal
            The proposal as read; what is wrong inside it becomes findings.
        """
        if self.standards.remembered > CACHE_SIZE:
            self._forget()
        visits = tuple(observe(proposal))
        numbers = tuple(syntax.check_numbers(proposal, visits))
        sets: list[EvaluatedSet] = []
        findings: list[Finding] = []
        for visit in visits:
            own = [one for one in numbers if one.visit == visit.visit.number]
            numbers = tuple(one for one in numbers if one not in own)
            own += syntax.check_values(visit)
            own += syntax.check_tags(visit, self.catalog, own)
            own += syntax.check_plan(visit)
            own += positions.check_sums(visit)
            own += positions.check_origins(visit)
            own += moves.check_moves(visit)
            for observed in visit.sets:
                judged, trouble = self._judge(observed)
                own += trouble
                sets += judged
                if judged:
                    own += positions.check_receipts(observed, self.catalog, judged[0].aperture)
                for one in judged:
                    own += _rules(one)
            findings += sorted(
                (one for one in own if one.code in self.options.selection),
                key=lambda one: (one.line or 0, one.code),
            )
        return Review(sets=tuple(sets), findings=tuple(findings))

    def group(self, judged: EvaluatedSet) -> DitherGroup:
        """Return a judged set as the group that reports are made from."""
        observed = judged.observed
        exposures = [
            Point(
                number=shot.exposure.number,
                was=shot.exposure.number,
                pos_targ=shot.pos_targ,
                old_pos_targ=shot.exposure.pos_targ,
                orbit=shot.orbit,
            )
            for shot in judged.shots
        ]
        tag = observed.dither_set
        return self.judge.group(
            exposures,
            aperture=judged.aperture,
            element=judged.element,
            size=judged.region,
            base=judged.base,
            choice=_as_observed(judged),
            clusters=len(split_counts(judged.n)) if observed.has_receipts else 1,
            visit=observed.visit.number,
            tag=tag.tag if tag is not None else None,
        )

    def _judge(self, observed: ObservedSet) -> tuple[list[EvaluatedSet], list[Finding]]:
        setup = observed.setup
        asked = observed.dither_set.request.size if observed.dither_set is not None else None
        size = asked or self.options.size or Region.full()
        judged: list[EvaluatedSet] = []
        try:
            aperture = get_aperture(
                setup.aperture,
                setup.element,
                config=setup.config,
                distortion_file=self.options.distortion,
            )
            element = get_element(setup.element, config=setup.config)
            # A region that is not read, or a place off the detector, is said here too.
            judged += [
                EvaluatedSet(
                    observed,
                    shots,
                    aperture=aperture,
                    element=element,
                    size=size,
                    standards=self.standards,
                )
                for shots in tiles(observed.shots)
            ]
        except AptDitherError as error:
            return judged, [Finding.of("ADT108", f"not judged: {error.message}", observed.location)]
        return judged, []


def _rules(judged: EvaluatedSet) -> Iterator[Finding]:
    if judged.is_pending:
        return
    yield from positions.check_same_pos_as(judged)
    yield from sampling.check_phases(judged)
    yield from moves.check_steps(judged)


def _as_observed(judged: EvaluatedSet) -> PatternChoice:
    receipt = judged.observed.receipts.get(judged.shots[0].exposure.node)
    by_us = judged.observed.has_receipts and receipt is not None
    return PatternChoice(
        name=receipt.pattern if by_us and receipt is not None else "as written",
        method="receipt" if by_us else "observed",
        source="the receipts in the proposal" if by_us else "the proposal",
        why="it is what the file says",
        offsets_arcsec=tuple((float(x), float(y)) for x, y in judged.offsets),
    )
