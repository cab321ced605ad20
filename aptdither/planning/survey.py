"""Every dither of a proposal: what tags ask for, and what the exposures do as they stand."""

from __future__ import annotations

from dataclasses import dataclass

from aptdither.apt.proposal import Proposal
from aptdither.errors import AptDitherError, UsageError
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.options import Options
from aptdither.planning.plan import Plan, make_plan
from aptdither.planning.pointings import observe
from aptdither.types import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a proposal dithers."""

    #: The groups of its tags, as they would be dithered.
    planned: tuple[DitherGroup, ...]
    #: The sets that no plan covers, as they stand.
    observed: tuple[DitherGroup, ...]
    #: None when something forbids it, or none was wanted.
    plan: Plan | None
    #: What forbids a plan, and what exposures could not be evaluated, a line each.
    problems: tuple[str, ...]

    @property
    def groups(self) -> tuple[DitherGroup, ...]:
        """All groups, the planned ones first."""
        return (*self.planned, *self.observed)


def survey(
    proposal: Proposal,
    options: Options,
    *,
    visit: str | None = None,
    with_plan: bool = True,
    progress: Progress | None = None,
) -> Survey:
    """Plan what is tagged, and evaluate the rest as it stands.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    options : Options
        Its default size and signal to noise hold for sets without a tag, too.
    visit : str, optional
        One visit; all of them when left out. One that the proposal lacks is a UsageError.
    with_plan : bool
        Whether tags are carried out; without it all exposures are evaluated as they stand.
    progress : callable, optional
        As for :func:`~aptdither.planning.plan.make_plan`.
    """
    numbers = [one.number for one in proposal.visits]
    if visit is not None and visit not in numbers:
        raise UsageError(
            f"the proposal has no visit {visit!r}; it has {', '.join(numbers) or 'none'}"
        )
    problems: list[str] = []
    plan = None
    if with_plan:
        try:
            plan = make_plan(proposal, options, progress=progress)
        except AptDitherError as error:
            problems += error.lines()
    evaluator = plan.evaluator if plan is not None else Evaluator(options)
    observed: list[DitherGroup] = []
    unresolved: list[str] = []
    for one in observe(proposal, options):
        if visit not in (None, one.visit.number):
            continue
        for exposures in one.sets:
            if plan is None or exposures.dither_set is None:
                try:
                    observed.append(evaluator.evaluate(exposures))
                except AptDitherError as error:
                    problems += error.located(exposures.location).lines()
        for unknown in one.unresolved:
            listed = ", ".join(exposure.number for exposure in unknown.exposures)
            unresolved.append(
                f"visit {one.visit.number}, exposure {listed}: not evaluated: {unknown.reason}"
            )
    planned = plan.groups if plan is not None else ()
    return Survey(
        planned=tuple(group for group in planned if visit in (None, group.visit)),
        observed=tuple(observed),
        plan=plan,
        problems=(*problems, *unresolved),
    )
