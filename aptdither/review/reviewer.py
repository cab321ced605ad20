"""From a proposal to findings: evaluate its sets and run every rule.

What `check` calls an error, `apply` refuses: :func:`accept_plan` reviews the file to be written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from aptdither.apt.proposal import Proposal
from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import DitherRequest
from aptdither.apt.writer import rewrite_proposal
from aptdither.dither.catalog import load_catalog
from aptdither.errors import AptDitherError, Location, RefusalError, raise_all
from aptdither.findings import Finding, Selection, Severity
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.options import Options
from aptdither.planning.plan import Plan, make_plan
from aptdither.planning.pointings import observe
from aptdither.review.context import ReviewContext
from aptdither.review.rules import (
    GROUP_RULES,
    NOT_EVALUATED,
    OFF_DETECTOR,
    PENDING_RULES,
    PROGRAM_RULES,
    VISIT_RULES,
)
from aptdither.types import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """How to review: small enough to be sent to other processes."""

    #: Region and signal to noise of one exposure, for sets whose tag does not say.
    size: Region | None = None
    snr: float | None = None
    #: Which codes are wanted.
    selection: Selection = field(default_factory=Selection)
    #: A user's own patterns, and a distortion file in place of the SIAF's polynomials.
    catalog: Path | None = None
    distortion: Path | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was found: the evaluated sets in the order of the file, and the selected findings.

    Findings are sorted by visit, line and code.
    """

    groups: tuple[DitherGroup, ...]
    findings: tuple[Finding, ...]


class Reviewer:
    """Reviews proposal after proposal; equal sets are evaluated once.

    An `evaluator` that has answered before keeps its own catalog, distortion and seed.
    """

    def __init__(
        self, options: ReviewOptions | None = None, *, evaluator: Evaluator | None = None
    ) -> None:
        self.options = options or ReviewOptions()
        self.evaluator = evaluator or Evaluator(
            Options(
                defaults=DitherRequest(snr=self.options.snr),
                catalog=load_catalog(self.options.catalog),
                distortion=self.options.distortion,
                seed=self.options.seed,
            )
        )
        self.context = ReviewContext(self.evaluator)

    def review(
        self,
        proposal: Proposal,
        *,
        visits: Collection[str] | None = None,
        with_plan: bool = True,
    ) -> Review:
        """Evaluate the sets of a proposal, or of some of its visits, and run every rule over them.

        What is wrong inside it becomes findings. Tags that are still to be applied are planned, for
        refusals that need a pattern of the catalog, unless `with_plan` is false.
        """
        numbers = Counter(visit.number for visit in proposal.visits)
        refusals = cache(partial(self._refusals, proposal)) if with_plan else tuple
        context = replace(self.context, visit_numbers=numbers, refusals=refusals)
        groups: list[DitherGroup] = []
        by_visit: dict[str | None, list[Finding]] = {}
        defaults = DitherRequest(size=self.options.size)
        options = replace(self.evaluator.options, defaults=defaults)
        for visit in observe(proposal, options, visits=visits):
            own = by_visit.setdefault(visit.visit.number, [])
            own += (finding for rule in VISIT_RULES for finding in rule(visit, context))
            for exposures in visit.sets:
                try:
                    group = self.evaluator.evaluate(exposures)
                except RefusalError as error:
                    own.append(OFF_DETECTOR.finding(error.message, exposures.location))
                    continue
                except AptDitherError as error:
                    message = f"not evaluated: {error.message}"
                    own.append(NOT_EVALUATED.finding(message, exposures.location))
                    continue
                groups.append(group)
                rules = PENDING_RULES if exposures.is_pending else GROUP_RULES
                own += (finding for rule in rules for finding in rule(group, context))
        for rule in PROGRAM_RULES:
            for finding in rule(groups, context):
                by_visit.setdefault(finding.visit, []).append(finding)
        findings = [
            finding
            for own in by_visit.values()
            for finding in sorted(own, key=lambda one: (one.line or 0, one.code))
            if finding.code in self.options.selection
        ]
        return Review(groups=tuple(groups), findings=tuple(findings))

    def _refusals(self, proposal: Proposal) -> tuple[AptDitherError, ...]:
        """Return why `apply` would not carry out the tags of a proposal, or write the result."""
        size, options = self.options.size, self.evaluator.options
        options = replace(
            options,
            defaults=replace(options.defaults, size=size),
            sets=replace(options.sets, parallels=True),
        )
        try:
            plan = make_plan(proposal, options, progress=_do_not_search)
            accept_plan(proposal, plan, region=size)
        except AptDitherError as error:
            found = (inner for each in error.each() for inner in each.each())
            return tuple(one for one in found if not isinstance(one, SearchNeededError))
        return ()


class SearchNeededError(AptDitherError):
    """The pattern of a tag is not in the catalog, and a review searches none: that takes seconds."""


def _do_not_search(*_progress: object) -> None:
    raise SearchNeededError("the pattern needs a search")


def accept_plan(
    proposal: Proposal, plan: Plan, *, region: Region | None = None
) -> tuple[bytes, Plan]:
    """Return the new file of a plan, and the plan with the warnings of a review of that file.

    Only visits and exposures that the plan changes are looked at; `region` is for tags that do not
    say. A finding of severity error about an exposure that the plan points is a RefusalError.
    Without a change the new file is the very object that was read.
    """
    new_source = rewrite_proposal(proposal, plan.changes)
    if not plan.changes:
        return new_source, plan
    pointed = {
        change.visit.number: {new.number for new in change.exposures if new.pos_targ is not None}
        for change in plan.changes
    }
    reviewer = Reviewer(ReviewOptions(size=region), evaluator=plan.evaluator)
    review = reviewer.review(parse_proposal(new_source), visits=pointed.keys(), with_plan=False)
    concerned = [
        finding
        for finding in review.findings
        if finding.exposure in pointed.get(finding.visit or "", ())
    ]
    raise_all(
        RefusalError(
            f"the dithered file would have an error, so it is not written: {finding.message} "
            f"({finding.code})",
            location=Location(visit=finding.visit, exposure=finding.exposure),
        )
        for finding in concerned
        if finding.severity is Severity.ERROR
    )
    # Lines are those of the new file, which the reader of the report may not have.
    warnings = [
        replace(finding, line=None) for finding in concerned if finding.severity is Severity.WARNING
    ]
    return new_source, replace(plan, findings=(*plan.findings, *warnings))
