"""From a proposal to a plan: what every tagged exposure becomes, and what that is worth.

A plan says for every tagged set which pattern it gets, which POS TARG each exposure gets, how good
the phase coverage is, and what has to change in the file. Making it reads no disk, prints nothing
and takes randomness only from a seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from aptdither.apt.changes import NewExposure, VisitChange, change_visit
from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.proposal import Proposal
from aptdither.apt.receipt import MadeBy
from aptdither.dither.phases import slew_seconds
from aptdither.errors import AptDitherError, Location, RefusalError, UsageError, raise_all
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.consequences import contradictions, followers, old_numbers
from aptdither.planning.dither_sets import DitherSet
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.joint import Cluster, JoinedSet, Overlap, joined_sets, overlaps
from aptdither.planning.options import Options
from aptdither.planning.planner import Planner
from aptdither.planning.pointings import Pointing, VisitPointings, observe, pointing_of
from aptdither.planning.selection import select_sets
from aptdither.types import Progress, Shown

#: Slews added to an orbit that are said to be able to push it over, seconds. Chosen: 4 % of the
#: about 50 minutes that a target is visible in an orbit; a compact dither of 4 adds half of it.
MUCH_SECONDS = 120.0

MORE_TIME = Rule(
    code="ADT410",
    severity=Severity.NOTE,
    title="the dither may not fit its orbit",
    explanation="Reported by `apply`. Copies of exposures were made, or slews of 2 minutes or more "
    "are added to one orbit, by the orbit numbers that the file has. How full an orbit is, the file "
    "does not say: run the Orbit Planner in APT.",
    source="COS Instrument Handbook 9.2 (a move under 1.25 arcsec takes 20 s, under 10 arcsec 30 s, "
    "under 90 arcsec 60 s)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitTime:
    """The slew overhead of a visit, by the handbook's table.

    The moves between consecutive exposures of one target with one detector count.
    """

    visit: str
    before_seconds: float
    after_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Shown):
    """What a proposal becomes.

    Attributes
    ----------
    groups : tuple of DitherGroup
        One for each setup of each tagged set.
    changes : tuple of VisitChange
        What every touched visit becomes.
    findings : tuple of Finding
        What the observer should know.
    evaluator : Evaluator
        What evaluated it; it has the seed and the catalog.
    sets : tuple of JoinedSet
        What groups of several visits are worth together.
    overlaps : tuple of Overlap
        What tiles of mosaics are worth where they overlap, the worst of each visit and setup.
    times : tuple of VisitTime
        The slew overhead of each visit that changes, before and after.
    """

    groups: tuple[DitherGroup, ...]
    changes: tuple[VisitChange, ...]
    findings: tuple[Finding, ...]
    evaluator: Evaluator = field(repr=False, compare=False)
    sets: tuple[JoinedSet, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    times: tuple[VisitTime, ...] = ()

    def __repr__(self) -> str:
        """Return it in a line: the exposures of a plan fill pages."""
        sizes = ", ".join(f"{group.choice.name} x {group.n}" for group in self.groups)
        return f"<Plan of {len(self.groups)} groups ({sizes}), {len(self.findings)} findings>"

    @property
    def seed(self) -> int:
        """The seed it was made with."""
        return self.evaluator.options.seed


def make_plan(
    proposal: Proposal, options: Options | None = None, *, progress: Progress | None = None
) -> Plan:
    """Plan the dithers that the tags of a proposal ask for.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    options : Options, optional
        What is given beside the tags.
    progress : callable, optional
        Called with a fraction and a few words while a pattern is being searched.

    Returns
    -------
    Plan
        Empty when nothing is tagged.

    Raises
    ------
    AptDitherError
        Everything that forbids the plan, listed together; nothing is planned then.

    Examples
    --------
    >>> from pathlib import Path
    >>> from aptdither import make_plan, parse_proposal
    >>> proposal = parse_proposal(Path("examples/tight6.apt").read_bytes())
    >>> plan = make_plan(proposal)
    >>> [(point.number, point.pos_targ.text) for point in plan.groups[0].points][:2]
    [('1', '0.000, 0.000'), ('2', '0.322, 0.044')]
    """
    options = options or Options()
    evaluator = Evaluator(options)
    selected = select_sets(proposal, options)
    numbers = {share.visit.number for one in selected.sets for share in one.shares}
    observed = {one.visit.node: one for one in observe(proposal, options, visits=numbers)}
    planner = Planner(evaluator=evaluator, observed=observed, progress=progress)
    # Searching takes seconds: with errors in hand, only what can be wrong is looked for.
    errors = list(selected.errors)
    clusters: list[Cluster] = []
    for dither_set in selected.sets:
        try:
            clusters += planner.plan_set(dither_set, only_check=bool(errors))
        except AptDitherError as error:
            errors.append(error.located(dither_set.location))
    raise_all(errors, note=_without_errors(selected.sets, errors))
    changes, errors = _changes(clusters)
    errors = [*contradictions(proposal, clusters), *errors]
    raise_all(errors, note=_without_errors(selected.sets, errors))
    groups = tuple(group for cluster in clusters for group in planner.evaluate(cluster, changes))
    times, time_findings = visit_times(list(changes.values()), observed)
    return Plan(
        groups=groups,
        changes=tuple(changes.values()),
        findings=(
            *selected.findings,
            *planner.findings,
            *followers(changes.values()),
            *old_numbers(proposal, changes.values()),
            *time_findings,
        ),
        evaluator=evaluator,
        sets=tuple(
            joined
            for one in selected.sets
            for joined in joined_sets(one, groups, observed, evaluator)
        ),
        overlaps=tuple(overlaps(groups)),
        times=tuple(times),
    )


def _without_errors(sets: Iterable[DitherSet], errors: Iterable[AptDitherError]) -> str:
    """Say that nothing is written, and the tags of which visits have no error."""
    wrong = {error.location.visit for error in errors}
    tagged = dict.fromkeys(share.visit.number for one in sets for share in one.shares)
    fine = [number for number in tagged if number not in wrong]
    if not fine:
        return "nothing was written"
    listed = ", ".join(fine[:20]) + (", …" if len(fine) > 20 else "")
    tags = "tag of visit" if len(fine) == 1 else "tags of visits"
    return f"nothing was written; the {tags} {listed} {'is' if len(fine) == 1 else 'are'} fine"


def _of_tiles(
    before: Sequence[NewExposure], more: Sequence[NewExposure]
) -> tuple[NewExposure, ...]:
    """Return what one exposure becomes at several tiles of an APT pattern, tile after tile."""
    new_exposures = (*before, *more)
    return tuple(
        replace(
            new,
            copy=copy,
            receipt=new.receipt and replace(new.receipt, made_by=MadeBy.SPLIT),
            is_split=True,
            # Each tile has as many of the runs that the pattern made.
            run=copy * len(new.source.orbit_numbers) // len(new_exposures),
        )
        for copy, new in enumerate(new_exposures)
    )


def _changes(
    clusters: Sequence[Cluster],
) -> tuple[dict[int, VisitChange], list[AptDitherError]]:
    """Return what the touched visits become, by their nodes, and what forbids it."""
    by_visit: defaultdict[int, list[Cluster]] = defaultdict(list)
    for cluster in clusters:
        by_visit[cluster.share.visit.node].append(cluster)
    changes: dict[int, VisitChange] = {}
    errors: list[AptDitherError] = []
    for node, own in by_visit.items():
        visit = own[0].share.visit
        becomes: dict[int, tuple[NewExposure, ...]] = {}
        at_tiles: set[int] = set()
        for cluster in own:
            for source, new in cluster.becomes.items():
                before = becomes.get(source)
                becomes[source] = new if before is None else _of_tiles(before, new)
                at_tiles |= set() if before is None else {source}
        tiled = {one.node: groups[-1].node for one, groups in visit.walk() if one.node in at_tiles}
        unwrapped = {group.node: group for cluster in own for group in cluster.share.unwrapped}
        try:
            changes[node] = change_visit(visit, becomes, tuple(unwrapped.values()), tiled=tiled)
        except AptDitherError as error:
            errors.append(error)
            continue
        count = len(changes[node].exposures)
        if count > MAX_VISIT_EXPOSURES:
            errors.append(
                RefusalError(
                    f"the visit would have {count} exposures; at most {MAX_VISIT_EXPOSURES} are "
                    "handled: ask for fewer points, or split the visit",
                    location=Location(visit=visit.number, line=visit.line),
                )
            )
    return changes, errors


def visit_times(
    changes: Sequence[VisitChange], observed: Mapping[int, VisitPointings]
) -> tuple[list[VisitTime], list[Finding]]:
    """Return the slew overhead of each visit that changes, and what may not fit its orbit.

    `observed` is what the visits do as they stand, by the node of the visit.
    """
    times: list[VisitTime] = []
    findings: list[Finding] = []
    for change in changes:
        before: list[Pointing] = []
        for exposures in observed[change.visit.node].sets:
            if exposures.prime is None:  # parallels move with their primes
                before += exposures.pointings
        before.sort(key=lambda one: one.when)
        taken: defaultdict[int | None, list[Pointing]] = defaultdict(list)
        for one in before:
            taken[one.exposure.node if one.exposure else None].append(one)
        after: list[Pointing] = []
        for new in change.exposures:
            if new.pos_targ is None:
                after += taken[new.source.node]
            else:
                after.append(pointing_of(new, new.pos_targ))
        old, seconds = _by_orbit(before), _by_orbit(after)
        number, line = change.visit.number, change.visit.line
        times.append(
            VisitTime(
                visit=number,
                before_seconds=sum(old.values()),
                after_seconds=sum(seconds.values()),
            )
        )
        copies = sum(new.copy > 0 and not new.is_split for new in change.exposures)
        more = {orbit: seconds[orbit] - old.get(orbit, 0.0) for orbit in seconds}
        worst = max(more, key=lambda orbit: more[orbit], default=0)
        most = more.get(worst, 0.0)
        if copies or most >= MUCH_SECONDS:
            parts = [f"{copies} more exposures"] if copies else []
            parts += [f"{most:.0f} s more of slews in orbit {worst}"] if most > 0 else []
            message = (
                f"the dither adds {' and '.join(parts)}: run the Orbit Planner in APT, and see "
                "whether the orbits hold them"
            )
            findings.append(MORE_TIME.finding(message, Location(visit=number, line=line)))
    return times, findings


def _by_orbit(pointings: Iterable[Pointing]) -> dict[int, float]:
    """Return the slew overhead in each orbit, seconds; a move counts for the orbit it ends in."""
    seconds: dict[int, float] = {}
    for one, other in pairwise(pointings):
        first, second = one.exposure, other.exposure
        if first is None or second is None:
            continue
        if (first.target_name, first.config) == (second.target_name, second.config):
            cost = slew_seconds([one.pos_targ.xy_arcsec, other.pos_targ.xy_arcsec])
            orbit = other.orbit or 1
            seconds[orbit] = seconds.get(orbit, 0.0) + cost
    return seconds


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
    """Plan what is tagged, and evaluate the rest as it stands; all of it without a plan.

    The default size and signal to noise hold for sets without a tag, too. A visit that the proposal
    lacks is a UsageError.
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
