"""Everything that a proposal dithers: what tags ask for, and what stands there already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aptdither.apt.proposal import Proposal
from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog
from aptdither.errors import AptDitherError, UsageError
from aptdither.planning.evaluation import DitherGroup, Evaluator, evaluate_observed
from aptdither.planning.plan import Options, Plan, make_plan
from aptdither.planning.pointings import ObservedSet, ObservedVisit, observe
from aptdither.types import Progress, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found in a proposal.

    Attributes
    ----------
    planned : tuple of DitherGroup
        The groups of its tags, as they would be dithered.
    observed : tuple of DitherGroup
        The sets that no plan covers, as they stand.
    plan : Plan or None
        None when something stands in its way.
    problems : tuple of str
        What stands in the way of a plan, and of judging exposures, a line each.
    """

    planned: tuple[DitherGroup, ...]
    observed: tuple[DitherGroup, ...]
    plan: Plan | None
    problems: tuple[str, ...]

    @property
    def groups(self) -> tuple[DitherGroup, ...]:
        """All groups, the planned ones first."""
        return (*self.planned, *self.observed)


def survey(
    proposal: Proposal,
    *,
    visit: str | None = None,
    size: Region | None = None,
    catalog: Catalog | None = None,
    distortion: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Survey:
    """Plan what is tagged, and judge the rest as it stands.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    visit : str, optional
        One visit; all of them.
    size : Region, optional
        The region for tags that do not say, and for sets without a tag.
    catalog, distortion, seed, progress
        As for :func:`~aptdither.planning.plan.make_plan`.

    Raises
    ------
    UsageError
        If the proposal has no such visit.
    """
    seen = [found for found in observe(proposal) if visit in (None, found.visit.number)]
    if visit is not None and not any(visit == one.number for one in proposal.visits):
        numbers = ", ".join(one.number for one in proposal.visits) or "none"
        raise UsageError(f"the proposal has no visit {visit!r}; it has {numbers}")
    options = Options(
        defaults=DitherRequest(size=size), catalog=catalog, distortion=distortion, seed=seed
    )
    plan, problems = None, list[str]()
    try:
        plan = make_plan(proposal, options, progress=progress)
    except AptDitherError as error:
        problems.extend(error.lines())
    planned = () if plan is None else plan.groups
    judge = Evaluator(seed=seed)
    observed = []
    for found in _not_planned(seen, is_planned=plan is not None):
        try:
            observed.append(evaluate_observed(judge, found, size=size, distortion=distortion))
        except AptDitherError as error:
            problems.extend(error.located(found.location).lines())
    for one in seen:
        for unjudged in one.unjudged:
            listed = ", ".join(exposure.number for exposure in unjudged.exposures)
            problems.append(
                f"visit {one.visit.number}, exposure {listed}: not judged: {unjudged.reason}"
            )
    return Survey(
        planned=tuple(group for group in planned if visit in (None, group.visit)),
        observed=tuple(observed),
        plan=plan,
        problems=tuple(problems),
    )


def _not_planned(seen: Iterable[ObservedVisit], *, is_planned: bool) -> list[ObservedSet]:
    """Return the sets that no plan covers."""
    return [
        found for one in seen for found in one.sets if found.dither_set is None or not is_planned
    ]
