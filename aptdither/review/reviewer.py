"""From a proposal to findings: evaluate its sets and run every rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aptdither.apt.proposal import Proposal
from aptdither.dither.pattern import load_catalog
from aptdither.errors import AptDitherError
from aptdither.findings import Finding
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.pointings import observe
from aptdither.review import moves, positions, sampling, syntax
from aptdither.review.options import ReviewOptions
from aptdither.review.reference import CatalogReference


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
    """

    def __init__(self, options: ReviewOptions | None = None) -> None:
        self.options = options or ReviewOptions()
        self.catalog = load_catalog(self.options.catalog)
        self.evaluator = Evaluator(
            seed=self.options.seed, distortion=self.options.distortion, catalog=self.catalog
        )
        self.reference = CatalogReference(self.catalog, self.evaluator)

    def review(self, proposal: Proposal) -> Review:
        """Evaluate the sets of a proposal and run every rule over them.

        Parameters
        ----------
        proposal : Proposal
            The proposal as read; what is wrong inside it becomes findings.
        """
        visits = tuple(observe(proposal, region=self.options.size))
        numbers = tuple(syntax.check_numbers(proposal, visits))
        groups: list[DitherGroup] = []
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
            for exposures in visit.sets:
                try:
                    group = self.evaluator.evaluate(exposures)
                except AptDitherError as error:
                    own.append(
                        Finding.of("ADT108", f"not evaluated: {error.message}", exposures.location)
                    )
                    continue
                groups.append(group)
                own += self._group_findings(group)
            findings += sorted(
                (one for one in own if one.code in self.options.selection),
                key=lambda one: (one.line or 0, one.code),
            )
        return Review(groups=tuple(groups), findings=tuple(findings))

    def _group_findings(self, group: DitherGroup) -> Iterator[Finding]:
        yield from positions.check_receipts(group, self.catalog)
        if group.exposures.is_pending:
            return
        yield from positions.check_same_pos_as(group)
        yield from sampling.check_phases(group, self.reference)
        yield from moves.check_steps(group, self.reference)
