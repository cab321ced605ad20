"""From a proposal to findings: evaluate its sets and run every rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from aptdither.apt.proposal import Proposal
from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import load_catalog
from aptdither.errors import AptDitherError, RefusalError
from aptdither.findings import Finding
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.options import Options
from aptdither.planning.pointings import observe
from aptdither.review.moves import region_off_detector
from aptdither.review.options import ReviewContext, ReviewOptions
from aptdither.review.reference import CatalogReference
from aptdither.review.rules import GROUP_RULES, PENDING_RULES, PROGRAM_RULES, VISIT_RULES
from aptdither.review.syntax import not_evaluated


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was found in one proposal.

    Attributes
    ----------
    groups : tuple of DitherGroup
        What was evaluated, in the order of the file.
    findings : tuple of Finding
        By visit, line and code; the selected ones.
    """

    groups: tuple[DitherGroup, ...]
    findings: tuple[Finding, ...]


class Reviewer:
    """Reviews proposal after proposal; equal sets are evaluated once.

    Parameters
    ----------
    options : ReviewOptions, optional
        How to review.
    evaluator : Evaluator, optional
        One that has answered before; its catalog, distortion and seed hold.
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
        self.catalog = self.evaluator.catalog
        self.reference = CatalogReference(self.catalog, self.evaluator)

    def review(self, proposal: Proposal, *, visits: Collection[str] | None = None) -> Review:
        """Evaluate the sets of a proposal and run every rule over them.

        Parameters
        ----------
        proposal : Proposal
            The proposal as read; what is wrong inside it becomes findings.
        visits : collection of str, optional
            Numbers of the visits to look at; all of them when left out.
        """
        context = ReviewContext(
            visit_numbers=Counter(visit.number for visit in proposal.visits),
            catalog=self.catalog,
            evaluator=self.evaluator,
            reference=self.reference,
        )
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
                    own.append(region_off_detector.finding(error.message, exposures.location))
                    continue
                except AptDitherError as error:
                    message = f"not evaluated: {error.message}"
                    own.append(not_evaluated.finding(message, exposures.location))
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
