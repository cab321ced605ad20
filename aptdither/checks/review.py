"""From a proposal to findings: judge its sets and run every rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aptdither.apt.proposal import Proposal
from aptdither.apt.tags import Size
from aptdither.checks import phases, places, reading, steps
from aptdither.checks.judged import JudgedSet, Standards, tiles
from aptdither.checks.options import ReviewOptions
from aptdither.choose import Chosen
from aptdither.dither.clusters import split_counts
from aptdither.dither.pattern import load_catalog
from aptdither.errors import AptDitherError
from aptdither.findings import Finding, found
from aptdither.judge import Judge, PlannedExposure, PlannedGroup
from aptdither.observed import ObservedSet, observe
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element

#: After so many different layouts (some 20 kB each) what is remembered is dropped: this bounds the
#: memory of a long run.
REMEMBERED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was found in one proposal.

    Attributes
    ----------
    sets : tuple of JudgedSet
        In the order of the file.
    findings : tuple of Finding
        By visit, line and code; the wanted ones.
    """

    sets: tuple[JudgedSet, ...]
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
        self.judge = Judge(seed=self.options.seed)
        self.standards = Standards(self.catalog, self.judge)

    def review(self, proposal: Proposal) -> Review:
        """Judge the sets of a proposal and run every rule over them.

        Parameters
        ----------
        proposal : Proposal
            The proposal as read; what is wrong inside it becomes findings.
        """
        if self.standards.remembered > REMEMBERED:
            self._forget()
        visits = tuple(observe(proposal))
        numbers = tuple(reading.check_numbers(proposal, visits))
        sets: list[JudgedSet] = []
        findings: list[Finding] = []
        for visit in visits:
            own = [one for one in numbers if one.visit == visit.visit.number]
            numbers = tuple(one for one in numbers if one not in own)
            own += reading.check_values(visit)
            own += reading.check_tags(visit, self.catalog, own)
            own += reading.check_plan(visit)
            own += places.check_sums(visit)
            own += places.check_origins(visit)
            own += steps.check_moves(visit)
            for observed in visit.sets:
                judged, trouble = self._judge(observed)
                own += trouble
                sets += judged
                if judged:
                    own += places.check_receipts(observed, self.catalog, judged[0].aperture)
                for one in judged:
                    own += _rules(one)
            findings += sorted(
                (one for one in own if one.code in self.options.selection),
                key=lambda one: (one.line or 0, one.code),
            )
        return Review(sets=tuple(sets), findings=tuple(findings))

    def group(self, judged: JudgedSet) -> PlannedGroup:
        """Return a judged set as the group that reports are made from."""
        observed = judged.observed
        exposures = [
            PlannedExposure(
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
            size=judged.size,
            base=judged.base,
            chosen=_as_observed(judged),
            clusters=len(split_counts(judged.n)) if observed.is_dithered_by_us else 1,
            visit=observed.visit.number,
            tag=tag.tag if tag is not None else None,
        )

    def _judge(self, observed: ObservedSet) -> tuple[list[JudgedSet], list[Finding]]:
        setup = observed.setup
        asked = observed.dither_set.request.size if observed.dither_set is not None else None
        size = asked or self.options.size or Size(kind="full")
        judged: list[JudgedSet] = []
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
                JudgedSet(
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
            return judged, [found("ADT108", f"not judged: {error.message}", observed.place)]
        return judged, []


def _rules(judged: JudgedSet) -> Iterator[Finding]:
    if judged.is_pending:
        return
    yield from places.check_same_pos_as(judged)
    yield from phases.check_phases(judged)
    yield from steps.check_steps(judged)


def _as_observed(judged: JudgedSet) -> Chosen:
    receipt = judged.observed.receipts.get(judged.shots[0].exposure.node)
    by_us = judged.observed.is_dithered_by_us and receipt is not None
    return Chosen(
        name=receipt.pattern if by_us and receipt is not None else "as written",
        method="receipt" if by_us else "observed",
        source="the receipts in the proposal" if by_us else "the proposal",
        why="it is what the file says",
        offsets_arcsec=tuple((float(x), float(y)) for x, y in judged.offsets),
    )
