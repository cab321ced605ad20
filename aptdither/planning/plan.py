"""From a proposal to a plan: what every tagged exposure becomes, and what that is worth.

A plan says for every tagged set which pattern it gets, which POS TARG each exposure gets, how good
the phase coverage is, and what has to change in the file. Making it reads no disk, prints nothing
and takes randomness only from a seed.

Reading order: :func:`make_plan` selects the sets; `_Planner` chooses a pattern for each and says
what its exposures become; :func:`~aptdither.apt.changes.change_visit` numbers the exposures of the
touched visits; what is then written is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aptdither.apt.changes import NewExposure, VisitChange, change_visit
from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.proposal import ExposureGroup, Proposal, Visit
from aptdither.apt.tags import DitherRequest, Parallel
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.dither.views import View
from aptdither.errors import AptDitherError, Location, RefusalError, raise_all
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.choice import PatternChoice, PatternChooser
from aptdither.planning.consequences import (
    already_dithered,
    edited_copies,
    followers,
    old_numbers,
)
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.joint import (
    Cluster,
    JoinedSet,
    completed_sets,
    interleave,
    joined_sets,
    orient_findings,
)
from aptdither.planning.pointings import ExposureSet, Pointing
from aptdither.planning.points import assign_points, cluster_sizes
from aptdither.planning.refusals import SetOptions, is_supported
from aptdither.planning.selection import select_sets
from aptdither.types import Progress, Region, Setup, Shown

DOUBTFUL_TAG = Rule(
    code="ADT107",
    severity=Severity.WARNING,
    title="a tag may not do what was meant",
    explanation="The tag covers a single exposure at one point, which is not a dither; or the setups have different numbers of exposures, so they cannot share one "
    "pattern. Give n=, join exposures with id=, or put the tag in the Visit's Comments.",
    source="aptdither README, The tag",
)

#: What a tag of a single exposure at one point does.
SINGLE_POINT = (
    "a single exposure at one point is not dithered and stays as it is; give n= to expand it, or id= "
    "to join exposures"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is given beside the tags.

    Attributes
    ----------
    defaults : DitherRequest
        Values for tags that do not set them.
    sets : SetOptions
        What is allowed beyond the careful default.
    catalog : Catalog or None
        The patterns to choose from; None for the built-in catalog.
    distortion : pathlib.Path or None
        A distortion file (IDCTAB) in place of the SIAF's polynomials.
    seed : int
        Where all randomness comes from.
    """

    defaults: DitherRequest = field(default_factory=DitherRequest)
    sets: SetOptions = field(default_factory=SetOptions)
    catalog: Catalog | None = None
    distortion: Path | None = None
    seed: int = 0


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
    """

    groups: tuple[DitherGroup, ...]
    changes: tuple[VisitChange, ...]
    findings: tuple[Finding, ...]
    evaluator: Evaluator = field(repr=False, compare=False)
    sets: tuple[JoinedSet, ...] = ()

    def __repr__(self) -> str:
        """Return it in a line: the exposures of a plan fill pages."""
        sizes = ", ".join(f"{group.choice.name} x {group.n}" for group in self.groups)
        return f"<Plan of {len(self.groups)} groups ({sizes}), {len(self.findings)} findings>"

    @property
    def seed(self) -> int:
        """The seed it was made with."""
        return self.evaluator.seed


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
    planner = _Planner(options, progress)
    selected = select_sets(
        proposal, options.sets, defaults=options.defaults, catalog=planner.catalog
    )
    errors = list(selected.errors)
    try:
        planner.completed = completed_sets(proposal, selected.sets)
    except AptDitherError as error:
        errors.append(error)
    # Searching takes seconds: with errors in hand, only what can be wrong is looked for.
    setups: list[_PlannedSetup] = []
    for dither_set in selected.sets:
        try:
            setups += planner.plan_set(dither_set, only_check=bool(errors))
        except AptDitherError as error:
            errors.append(error.located(dither_set.location))
    raise_all(errors, note=_without_errors(selected.sets, errors))
    changes, errors = _changes(setups)
    errors = [*_contradictions(proposal, setups), *errors]
    raise_all(errors, note=_without_errors(selected.sets, errors))
    groups = tuple(group for setup in setups for group in planner.evaluate(setup, changes))
    return Plan(
        groups=groups,
        sets=tuple(
            joined for dither_set in selected.sets for joined in planner.join(dither_set, groups)
        ),
        changes=tuple(changes.values()),
        findings=(
            *selected.findings,
            *planner.findings,
            *followers(changes.values()),
            *old_numbers(proposal, changes.values()),
        ),
        evaluator=planner.evaluator,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlannedSetup:
    """One setup of a share: its pattern, and what its exposures become."""

    dither_set: DitherSet
    cluster: Cluster
    setup: Setup
    becomes: dict[int, tuple[NewExposure, ...]]

    @property
    def share(self) -> Share:
        """The exposures of a visit that it is of."""
        return self.cluster.share


class _Planner:
    """Plans set after set; equal questions are answered once."""

    def __init__(self, options: Options, progress: Progress | None) -> None:
        self.options = options
        self.progress = progress
        self.catalog = options.catalog or load_catalog()
        self.findings: list[Finding] = []
        self.evaluator = Evaluator(
            seed=options.seed,
            distortion=options.distortion,
            catalog=self.catalog,
            snr=options.defaults.snr,
        )
        self.completed: dict[int, list[ExposureSet]] = {}
        self._choices: dict[object, PatternChoice] = {}

    def plan_set(self, dither_set: DitherSet, *, only_check: bool) -> list[_PlannedSetup]:
        """Choose patterns for one set and say what each of its exposures becomes.

        With `only_check` nothing is chosen: only errors are looked for.
        """
        if dither_set.is_completed:
            raise RefusalError(
                "this visit is completed; remove its tag, or give --all-visits",
                location=dither_set.location,
            )
        shares = [share for share in dither_set.shares if not share.is_completed]
        errors: list[AptDitherError] = []
        sharing = [self._sharing(dither_set, share, errors) for share in shares]
        raise_all(errors)
        if only_check:
            return []
        clusters = [
            cluster
            for share, own in zip(shares, sharing, strict=True)
            for cluster in self._clusters(dither_set, share, own)
        ]
        if len(dither_set.shares) > 1:
            views = {
                setup: self.evaluator.view(setup, dither_set.region, snr=dither_set.request.snr)
                for cluster in clusters
                for setup in cluster.setups
            }
            interleave(clusters, self._completed(dither_set), views)
            self.findings += orient_findings(dither_set)
        return [
            _PlannedSetup(
                dither_set=dither_set,
                cluster=cluster,
                setup=setup,
                becomes=assign_points(
                    cluster.share.by_setup()[setup],
                    cluster.share.base,
                    cluster.choice,
                    cluster.shift,
                ),
            )
            for cluster in clusters
            for setup in cluster.setups
        ]

    def _completed(self, dither_set: DitherSet) -> list[ExposureSet]:
        """Return what the completed visits of a set did."""
        return [
            one
            for share in dither_set.shares
            if share.is_completed
            for one in self.completed.get(share.visit.node, ())
            if one.share is None or one.exposures[0] in share.exposures
        ]

    def join(self, dither_set: DitherSet, groups: Sequence[DitherGroup]) -> Iterator[JoinedSet]:
        """Yield what the groups of a set are worth together, over its visits."""
        if len(dither_set.shares) > 1:
            own = [group for group in groups if group.exposures.dither_set is dither_set]
            yield from joined_sets(dither_set, own, self._completed(dither_set), self.evaluator)

    def _sharing(
        self, dither_set: DitherSet, share: Share, errors: list[AptDitherError]
    ) -> dict[tuple[int, ...], list[Setup]]:
        """Return the setups that share a pattern, by the sizes of their clusters."""
        sharing: dict[tuple[int, ...], list[Setup]] = {}
        for setup, members in share.by_setup().items():
            try:
                self.evaluator.aperture(setup)
                self.evaluator.element(setup)
                sizes = cluster_sizes(dither_set.request, setup, members, self.catalog)
                sharing.setdefault(sizes, []).append(setup)
            except AptDitherError as error:
                first = members[0].exposure
                location = replace(share.location, exposure=first.number, line=first.line)
                errors.append(error.located(location))
        return sharing

    def _clusters(
        self, dither_set: DitherSet, share: Share, sharing: dict[tuple[int, ...], list[Setup]]
    ) -> Iterator[Cluster]:
        """Yield a cluster for the setups of a share that share a pattern."""
        if len(sharing) > 1:
            counts = "; ".join(
                f"{', '.join(setup.text for setup in alike)}: {sum(sizes)}"
                for sizes, alike in sharing.items()
            )
            self.findings.append(
                DOUBTFUL_TAG.finding(
                    f"the setups have different numbers of points ({counts}), so each has a "
                    "pattern of its own; give n= to share one",
                    share.location,
                )
            )
        for sizes, alike in sharing.items():
            if sum(sizes) == 1 and not dither_set.is_joined(share):
                self.findings.append(DOUBTFUL_TAG.finding(SINGLE_POINT, share.location))
                continue
            parallels = self._parallel_views(dither_set, share, alike)
            choice = self._choose(dither_set, share, sizes, alike, parallels)
            yield Cluster(
                share=share,
                sizes=sizes,
                setups=tuple(alike),
                choice=choice,
                parallels=parallels,
            )

    def _choose(
        self,
        dither_set: DitherSet,
        share: Share,
        sizes: tuple[int, ...],
        setups: Sequence[Setup],
        parallels: tuple[View, ...],
    ) -> PatternChoice:
        request, region, base = dither_set.request, dither_set.region, share.base
        key = (request, region, sizes, tuple(setups), parallels, base)
        if key not in self._choices:
            prime = self.evaluator.aperture(setups[0]).frame
            chooser = PatternChooser(
                views=(
                    *(
                        self.evaluator.view(setup, region, prime=prime, snr=request.snr)
                        for setup in setups
                    ),
                    *parallels,
                ),
                spacing=request.spacing,
                base=base,
                catalog=self.catalog,
                seed=self.options.seed,
                progress=self.progress,
            )
            self._choices[key] = chooser.choose(sizes, request)
        return self._choices[key]

    def _parallel_views(
        self, dither_set: DitherSet, share: Share, setups: Sequence[Setup]
    ) -> tuple[View, ...]:
        """Return what sees the parallel exposures of containers; they decide unless the tag says."""
        if dither_set.request.parallel is Parallel.PRIME:
            return ()
        parallels = {
            one.setup: None
            for setup in setups
            for member in share.by_setup()[setup]
            for one in member.parallels
            if is_supported(one)
        }
        return tuple(
            self.evaluator.view(
                setup,
                Region.full(),
                prime=self.evaluator.aperture(setups[0]).frame,
                snr=dither_set.request.snr,
            )
            for setup in parallels
        )

    def evaluate(
        self, planned: _PlannedSetup, changes: dict[int, VisitChange]
    ) -> Iterator[DitherGroup]:
        """Evaluate one setup by what is written, and what its containers hold beside it."""
        share, members = planned.share, planned.share.by_setup()[planned.setup]
        together = {one.node for member in members for one in member.together}
        new_exposures = changes[share.visit.node].exposures
        written = [
            new
            for new in new_exposures
            if new.source.node in planned.becomes and new.source.node not in together
        ]
        yield self._group(planned, planned.setup, None, map(_pointing, written))
        number_of = {new.source.node: new.number for new in new_exposures}
        pos_targ_of = {new.source.node: new.pos_targ for new in written}
        beside: dict[tuple[Setup, Setup | None], dict[int, Pointing]] = {}
        for member in members:
            node = member.exposure.node
            for one in (*member.together, *member.parallels):
                prime = planned.setup if one in member.parallels else None
                pos_targ = pos_targ_of[node]
                if one.setup != planned.setup and is_supported(one) and pos_targ is not None:
                    pointing = Pointing(
                        number=number_of[one.node],
                        pos_targ=pos_targ,
                        orbit=one.orbit_numbers[0] if one.orbit_numbers else None,
                        exposure=one,
                        was=one.number,
                        old_pos_targ=one.pos_targ,
                    )
                    beside.setdefault((one.setup, prime), {}).setdefault(node, pointing)
        for (setup, prime), pointings in beside.items():
            yield self._group(planned, setup, prime, pointings.values())

    def _group(
        self,
        planned: _PlannedSetup,
        setup: Setup,
        prime: Setup | None,
        pointings: Iterable[Pointing],
    ) -> DitherGroup:
        taken = tuple(pointings)
        exposures = ExposureSet(
            setup=setup,
            pointings=taken,
            base=planned.share.base,
            region=planned.dither_set.region if prime is None else Region.full(),
            visit=planned.share.visit,
            target=taken[0].exposure.target_name if taken[0].exposure is not None else "",
            dither_set=planned.dither_set,
            share=planned.share,
            prime=prime,
        )
        return self.evaluator.evaluate(
            exposures, planned.cluster.choice, clusters=len(planned.cluster.sizes)
        )


def _contradictions(
    proposal: Proposal, setups: Sequence[_PlannedSetup]
) -> Iterator[AptDitherError]:
    """Yield what forbids an expansion: copies that would be lost, or are there already."""
    in_sets = {node for planned in setups for node in planned.becomes}
    for planned in setups:
        visit, location = planned.share.visit, planned.share.location
        others = [exposure for exposure in visit.exposures if exposure.node not in in_sets]
        for member in planned.share.members:
            if member.exposure.node in planned.becomes:
                removed = [one for one in member.copies if planned.becomes[one.node] == ()]
                yield from edited_copies(proposal, member.exposure, removed, location)
                new = planned.becomes[member.exposure.node]
                yield from already_dithered(member.exposure, new, others, location)


def _changes(
    setups: Iterable[_PlannedSetup],
) -> tuple[dict[int, VisitChange], list[AptDitherError]]:
    """Return what the touched visits become, by their nodes, and what forbids it."""
    visits: dict[int, Visit] = {}
    becomes: dict[int, dict[int, tuple[NewExposure, ...]]] = {}
    unwrapped: dict[int, dict[int, ExposureGroup]] = {}
    for planned in setups:
        visit = planned.share.visit
        visits[visit.node] = visit
        becomes.setdefault(visit.node, {}).update(planned.becomes)
        unwrapped.setdefault(visit.node, {}).update(
            {group.node: group for group in planned.share.unwrapped}
        )
    changes: dict[int, VisitChange] = {}
    errors: list[AptDitherError] = []
    for node, visit in visits.items():
        try:
            changes[node] = change_visit(visit, becomes[node], tuple(unwrapped[node].values()))
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


def _pointing(new: NewExposure) -> Pointing:
    """Return where an exposure of the new file points."""
    source = new.source
    orbits = source.orbit_numbers
    assert new.pos_targ is not None  # only exposures of a set come here
    return Pointing(
        number=new.number,
        pos_targ=new.pos_targ,
        orbit=orbits[min(new.copy, len(orbits) - 1)] if orbits else None,
        exposure=source,
        was=source.number if new.copy == 0 else None,
        old_pos_targ=source.pos_targ if new.copy == 0 else None,
    )
