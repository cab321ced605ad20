"""Every dither of a proposal: what tags ask for, and what the exposures do as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aptdither.apt.proposal import Proposal
from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog
from aptdither.errors import AptDitherError, UsageError
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.options import Options
from aptdither.planning.plan import Plan, make_plan
from aptdither.planning.pointings import ExposureSet, VisitPointings, observe
from aptdither.types import Progress, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a proposal dithers.

    Attributes
    ----------
    planned : tuple of DitherGroup
        The groups of its tags, as they would be dithered.
    observed : tuple of DitherGroup
        The sets that no plan covers, as they stand.
    plan : Plan or None
        None when something forbids it, or none was wanted.
    problems : tuple of str
        What forbids a plan, and what exposures could not be evaluated, a line each.
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
    region: Region | None = None,
    snr: float | None = None,
    with_plan: bool = True,
    catalog: Catalog | None = None,
    distortion: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Survey:
    """Plan what is tagged, and evaluate the rest as it stands.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    visit : str, optional
        One visit; all of them when left out.
    region : Region, optional
        Where coverage matters, for tags that do not say and for sets without a tag.
    snr : float, optional
        Signal to noise of one exposure, for the same.
    with_plan : bool
        Whether tags are carried out; without it all exposures are evaluated as they stand.
    catalog, distortion, seed, progress
        As for :func:`~aptdither.planning.plan.make_plan`.

    Raises
    ------
    UsageError
        If the proposal has no such visit.
    """
    numbers = [one.number for one in proposal.visits]
    if visit is not None and visit not in numbers:
        raise UsageError(
            f"the proposal has no visit {visit!r}; it has {', '.join(numbers) or 'none'}"
        )
    seen = [
        one
        for one in observe(proposal, region=region, catalog=catalog, distortion=distortion)
        if visit in (None, one.visit.number)
    ]
    problems: list[str] = []
    plan = None
    if with_plan:
        options = Options(
            defaults=DitherRequest(size=region, snr=snr),
            catalog=catalog,
            distortion=distortion,
            seed=seed,
        )
        try:
            plan = make_plan(proposal, options, progress=progress)
        except AptDitherError as error:
            problems.extend(error.lines())
    planned = () if plan is None else plan.groups
    evaluator = (
        Evaluator(seed=seed, distortion=distortion, catalog=catalog, snr=snr)
        if plan is None
        else plan.evaluator
    )
    observed: list[DitherGroup] = []
    for exposures in _not_planned(seen, is_planned=plan is not None):
        try:
            observed.append(evaluator.evaluate(exposures))
        except AptDitherError as error:
            problems.extend(error.located(exposures.location).lines())
    for one in seen:
        for unresolved in one.unresolved:
            listed = ", ".join(exposure.number for exposure in unresolved.exposures)
            problems.append(
                f"visit {one.visit.number}, exposure {listed}: not evaluated: {unresolved.reason}"
            )
    return Survey(
        planned=tuple(group for group in planned if visit in (None, group.visit)),
        observed=tuple(observed),
        plan=plan,
        problems=tuple(problems),
    )


def _not_planned(seen: Iterable[VisitPointings], *, is_planned: bool) -> Sequence[ExposureSet]:
    """Return the sets that no plan covers."""
    return [
        exposures
        for one in seen
        for exposures in one.sets
        if exposures.dither_set is None or not is_planned
    ]
