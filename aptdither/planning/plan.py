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
from aptdither.apt.limits import MAX_POINTS, MAX_VISIT_EXPOSURES
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.tags import DitherRequest, Receipt
from aptdither.apt.writer import is_unedited_copy
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.dither.clusters import split_counts
from aptdither.errors import AptDitherError, Location, RefusalError, raise_all
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.choice import PatternChoice, PatternChooser
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.pointings import ExposureSet, Pointing
from aptdither.planning.refusals import SetOptions
from aptdither.planning.selection import DitherSet, Member, select_sets
from aptdither.types import PosTarg, Progress, Region, Setup
from aptdither.version import __version__

DOUBTFUL_TAG = Rule(
    code="ADT107",
    severity=Severity.WARNING,
    title="a tag may not do what was meant",
    explanation="Reported by `apply`. The tag covers a single exposure at one point, which is not "
    "a dither; or the setups have different numbers of exposures, so they cannot share one "
    "pattern. Give n=, join exposures with id=, or put the tag in the Visit's Comments.",
    source="aptdither README, The tag",
)
FOLLOWER_MOVES = Rule(
    code="ADT401",
    severity=Severity.WARNING,
    title="SAME POS AS refers to a dithered exposure",
    explanation="Reported by `apply`. An exposure outside the set takes its position from an "
    "exposure inside. It moves with that exposure to one point of the pattern and is not dithered "
    "itself. Tag it, too, if it should be.",
    source="Phase II Proposal Instructions (SAME POS AS)",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a proposal becomes.

    Attributes
    ----------
    groups : tuple of DitherGroup
        One for each setup of each tagged set.
    changes : tuple of VisitChange
        What every touched visit becomes.
    findings : tuple of Finding
        What the observer should know.
    seed : int
        The seed it was made with.
    """

    groups: tuple[DitherGroup, ...]
    changes: tuple[VisitChange, ...]
    findings: tuple[Finding, ...]
    seed: int


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
    # Searching takes seconds: with errors in hand, only what can be wrong is looked for.
    setups: list[_PlannedSetup] = []
    for dither_set in selected.sets:
        try:
            setups += planner.plan_set(dither_set, only_check=bool(errors))
        except AptDitherError as error:
            errors.append(error.located(dither_set.location))
    raise_all(errors)
    changes, errors = _changes(setups)
    raise_all([*_edited_copies(proposal, setups), *errors])
    return Plan(
        groups=tuple(planner.evaluate(setup, changes) for setup in setups),
        changes=tuple(changes.values()),
        findings=(*selected.findings, *planner.findings, *_followers(changes.values())),
        seed=options.seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlannedSetup:
    """One setup of a set: its pattern, and what its exposures become."""

    dither_set: DitherSet
    setup: Setup
    region: Region
    choice: PatternChoice
    clusters: int
    becomes: dict[int, tuple[NewExposure, ...]]


class _Planner:
    """Plans set after set; equal questions are answered once."""

    def __init__(self, options: Options, progress: Progress | None) -> None:
        self.options = options
        self.progress = progress
        self.catalog = options.catalog or load_catalog()
        self.findings: list[Finding] = []
        self.evaluator = Evaluator(
            seed=options.seed, distortion=options.distortion, catalog=self.catalog
        )
        self._choices: dict[object, PatternChoice] = {}

    def plan_set(self, dither_set: DitherSet, *, only_check: bool) -> list[_PlannedSetup]:
        """Choose patterns for one set and say what each of its exposures becomes.

        With `only_check` nothing is chosen: only errors are looked for.
        """
        request = dither_set.request
        setups = dither_set.by_setup()
        errors: list[AptDitherError] = []
        sharing: dict[tuple[int, ...], list[Setup]] = {}
        for setup, members in setups.items():
            try:
                self.evaluator.aperture(setup)
                self.evaluator.element(setup)
                sizes = cluster_sizes(request, setup, members, self.catalog)
                sharing.setdefault(sizes, []).append(setup)
            except AptDitherError as error:
                first = members[0].exposure
                location = replace(dither_set.location, exposure=first.number, line=first.line)
                errors.append(error.located(location))
        raise_all(errors)
        if only_check:
            return []
        if len(sharing) > 1:
            counts = "; ".join(
                f"{', '.join(setup.text for setup in alike)}: {sum(sizes)}"
                for sizes, alike in sharing.items()
            )
            self.findings.append(
                DOUBTFUL_TAG.finding(
                    f"the setups have different numbers of points ({counts}), so each has a "
                    "pattern of its own; give n= to share one",
                    dither_set.location,
                )
            )
        planned: list[_PlannedSetup] = []
        region = request.size or Region.full()
        for sizes, alike in sharing.items():
            if sum(sizes) == 1:
                self.findings.append(
                    DOUBTFUL_TAG.finding(
                        "a single exposure at one point is not dithered and stays as it is; give "
                        "n= to expand it, or id= to join exposures",
                        dither_set.location,
                    )
                )
                continue
            choice = self._choose(request, region, sizes, alike, dither_set.base)
            planned += [
                _PlannedSetup(
                    dither_set=dither_set,
                    setup=setup,
                    region=region,
                    choice=choice,
                    clusters=len(sizes),
                    becomes=_assign_points(setups[setup], dither_set.base, choice),
                )
                for setup in alike
            ]
        return planned

    def _choose(
        self,
        request: DitherRequest,
        region: Region,
        sizes: tuple[int, ...],
        setups: Sequence[Setup],
        base: PosTarg,
    ) -> PatternChoice:
        key = (request, region, sizes, tuple(setups), base)
        if key not in self._choices:
            chooser = PatternChooser(
                aperture=self.evaluator.aperture(setups[0]),
                elements=tuple(map(self.evaluator.element, setups)),
                region=region,
                spacing=request.spacing,
                base=base,
                catalog=self.catalog,
                seed=self.options.seed,
                progress=self.progress,
            )
            self._choices[key] = chooser.choose(sizes, request)
        return self._choices[key]

    def evaluate(self, planned: _PlannedSetup, changes: dict[int, VisitChange]) -> DitherGroup:
        """Evaluate one setup by what is written, with the numbers of the new file."""
        dither_set = planned.dither_set
        written = [
            new
            for new in changes[dither_set.visit.node].exposures
            if new.source.node in planned.becomes
        ]
        exposures = ExposureSet(
            setup=planned.setup,
            pointings=tuple(map(_pointing, written)),
            base=dither_set.base,
            region=planned.region,
            visit=dither_set.visit,
            target=written[0].source.target_name,
            dither_set=dither_set,
        )
        return self.evaluator.evaluate(exposures, planned.choice, clusters=planned.clusters)


def cluster_sizes(
    request: DitherRequest, setup: Setup, members: Sequence[Member], catalog: Catalog
) -> tuple[int, ...]:
    """Return the number of points of each cluster; their sum is the number of exposures.

    Raises
    ------
    RefusalError
        If the exposures do not fit the number of points, or the pattern.
    CatalogError
        If the pattern is not in the catalog.
    """
    m = sum(member.runs for member in members)
    of_pattern = catalog.get(request.pattern).n if request.pattern is not None else None
    n = request.n or of_pattern or m
    if m != 1 and m % n:
        requested = f"n={n}"
        if not request.n and of_pattern is not None:
            requested = f"the {n} points of {request.pattern}"
        raise RefusalError(
            f"{m} exposures of {setup.text} do not fit {requested}; allowed: 1 exposure (it is "
            f"expanded to {n}), {n}, or a multiple of {n}"
        )
    total = n if m == 1 else m
    if total > MAX_POINTS:
        raise RefusalError(
            f"{total} exposures of {setup.text} are to be dithered together; at most {MAX_POINTS} "
            "can be: give each cluster a group of its own"
        )
    if of_pattern is None:
        return split_counts(n) * (total // n)
    if total % of_pattern:
        raise RefusalError(
            f"pattern {request.pattern} has {of_pattern} points, and {total} exposures of "
            f"{setup.text} are no multiple of that; give n={of_pattern} or another pattern"
        )
    return (of_pattern,) * (total // of_pattern)


def _assign_points(
    members: Sequence[Member], base: PosTarg, choice: PatternChoice
) -> dict[int, tuple[NewExposure, ...]]:
    """Give the points to the exposures of one setup, in document order."""
    total = len(choice.offsets_arcsec)
    expands = len(members) == 1 and members[0].runs == 1 and total > 1
    points = iter(enumerate(choice.offsets_arcsec, start=1))

    def at_next_point(source: Exposure, copy: int, made_by: str, *, is_split: bool) -> NewExposure:
        index, (x_arcsec, y_arcsec) = next(points)
        return NewExposure(
            source=source,
            copy=copy,
            pos_targ=base + PosTarg(x_arcsec=x_arcsec, y_arcsec=y_arcsec),
            receipt=Receipt(
                index=index,
                total=total,
                pattern=choice.name,
                base_x_arcsec=base.x_arcsec,
                base_y_arcsec=base.y_arcsec,
                version=__version__,
                made_by=made_by,
            ),
            is_split=is_split,
        )

    becomes: dict[int, tuple[NewExposure, ...]] = {}
    for member in members:
        made_before = member.receipt.made_by if member.receipt is not None else ""
        if expands and len(member.copies) == total - 1:
            becomes[member.exposure.node] = (at_next_point(member.exposure, 0, "", is_split=False),)
            for copy in member.copies:
                becomes[copy.node] = (at_next_point(copy, 0, "copy", is_split=False),)
            continue
        count = total if expands else member.runs
        becomes[member.exposure.node] = tuple(
            at_next_point(
                member.exposure,
                copy,
                made_before if copy == 0 else "copy" if expands else "split",
                is_split=member.runs > 1,
            )
            for copy in range(count)
        )
        becomes |= {copy.node: () for copy in member.copies}  # of an earlier run: made anew
    return becomes


def _edited_copies(proposal: Proposal, setups: Iterable[_PlannedSetup]) -> list[AptDitherError]:
    """Return an error for each copy of an earlier run that would be removed with edits by hand."""
    return [
        RefusalError(
            f"exposure {member.exposure.number} or this copy of it was edited since it was made; undo "
            "the edits, delete the copies, or give n= as many exposures as there are",
            location=replace(planned.dither_set.location, exposure=copy.number, line=copy.line),
        )
        for planned in setups
        for member in planned.dither_set.members
        for copy in member.copies
        if planned.becomes.get(copy.node) == ()
        and not is_unedited_copy(proposal, member.exposure, copy)
    ]


def _changes(
    setups: Iterable[_PlannedSetup],
) -> tuple[dict[int, VisitChange], list[AptDitherError]]:
    """Return what the touched visits become, by their nodes, and what forbids it."""
    visits: dict[int, Visit] = {}
    becomes: dict[int, dict[int, tuple[NewExposure, ...]]] = {}
    unwrapped: dict[int, dict[int, ExposureGroup]] = {}
    for planned in setups:
        visit = planned.dither_set.visit
        visits[visit.node] = visit
        becomes.setdefault(visit.node, {}).update(planned.becomes)
        unwrapped.setdefault(visit.node, {}).update(
            {group.node: group for group in planned.dither_set.unwrapped}
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


def _followers(changes: Iterable[VisitChange]) -> Iterator[Finding]:
    """Yield a finding for each exposure outside a set that takes its place from one inside."""
    for change in changes:
        moved = {new.source.number for new in change.exposures if new.pos_targ is not None}
        for new in change.exposures:
            source = new.source
            if new.pos_targ is None and source.same_pos_as in moved:
                yield FOLLOWER_MOVES.finding(
                    f"SamePosAs {source.same_pos_as} follows a dithered exposure to its "
                    "new place (after an expansion: to the first point); it is not dithered itself",
                    Location(visit=change.visit.number, exposure=source.number, line=source.line),
                )
