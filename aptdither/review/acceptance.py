"""What `check` calls an error, `apply` refuses: the file to be written is reviewed first."""

from __future__ import annotations

from dataclasses import replace

from aptdither.apt.proposal import Proposal
from aptdither.apt.reader import parse_proposal
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import Location, RefusalError, raise_all
from aptdither.findings import Severity
from aptdither.planning.plan import Plan
from aptdither.review.options import ReviewOptions
from aptdither.review.reviewer import Reviewer
from aptdither.types import Region


def accept_plan(
    proposal: Proposal, plan: Plan, *, region: Region | None = None
) -> tuple[bytes, Plan]:
    """Write a plan into a proposal, and review what was written by the rules of `check`.

    Only the visits and exposures that the plan changes are looked at.

    Parameters
    ----------
    proposal : Proposal
        As read.
    plan : Plan
        What it becomes.
    region : Region, optional
        Where coverage matters, for tags that do not say; the whole readout when left out.

    Returns
    -------
    new_source : bytes
        The new file; the very same object when nothing changes.
    plan : Plan
        The plan with the warnings of the review among its findings.

    Raises
    ------
    RefusalError
        If a finding of severity error concerns an exposure that the plan points.
    AptDitherError
        As :func:`~aptdither.apt.writer.rewrite_proposal`.
    """
    new_source = rewrite_proposal(proposal, plan.changes)
    if not plan.changes:
        return new_source, plan
    pointed = {
        change.visit.number: {new.number for new in change.exposures if new.pos_targ is not None}
        for change in plan.changes
    }
    reviewer = Reviewer(ReviewOptions(size=region), evaluator=plan.evaluator)
    review = reviewer.review(parse_proposal(new_source), visits=pointed.keys())
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
