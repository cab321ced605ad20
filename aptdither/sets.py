"""Which exposures are dithered together: tags and the exposures they cover, and what is refused.

Reading order: :func:`find_sets` walks the visits; `_Visit` collects the tags of one visit into
sets; `_refusals` says what stands in the way of one set. All errors of a proposal are gathered and
raised together, so that they can be mended together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from aptdither.apt.proposal import AptPattern, Exposure, ExposureGroup, PosTarg, Proposal, Visit
from aptdither.apt.tags import CommentTags, DitherRequest, Receipt, Tag, parse_comments
from aptdither.errors import (
    AptDitherError,
    Place,
    ProposalError,
    RefusalError,
    TagError,
    raise_all,
)
from aptdither.findings import Finding, found

#: The one configuration that is dithered today; others have their own optics and will come.
CONFIGS = ("WFC3/IR",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOptions:
    """What an observer allows beyond the careful default."""

    replace: bool = False
    replace_patterns: bool = False
    split_iterations: bool = False
    all_visits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Setup:
    """What makes exposures comparable: configuration, aperture, spectral element."""

    config: str
    aperture: str
    element: str

    @classmethod
    def of(cls, exposure: Exposure) -> Setup:
        """Return the setup of `exposure`."""
        return cls(
            config=exposure.config, aperture=exposure.aperture, element=exposure.spectral_element
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One exposure as the observer wrote it.

    Attributes
    ----------
    exposure : Exposure
        The exposure itself.
    copies : tuple of Exposure
        Copies that an earlier run made of it; they may be removed again.
    runs : int
        How many exposures it stands for: 1, or its iterations times its pattern's points.
    receipt : Receipt or None
        What an earlier run wrote into its Comments.
    """

    exposure: Exposure
    copies: tuple[Exposure, ...]
    runs: int
    receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DitherSet:
    """Exposures that are dithered together, and how.

    Attributes
    ----------
    visit : Visit
        The visit they belong to.
    units : tuple of Unit
        In document order.
    request : DitherRequest
        What the tag asks for.
    tag : str
        The tag as written.
    place : Place
        Where the tag stands.
    base : PosTarg
        The POS TARG that all had before they were dithered.
    unwrapped : tuple of ExposureGroup
        Pattern groups that become plain groups.
    """

    visit: Visit
    units: tuple[Unit, ...]
    request: DitherRequest
    tag: str
    place: Place
    base: PosTarg
    unwrapped: tuple[ExposureGroup, ...]

    def by_setup(self) -> dict[Setup, tuple[Unit, ...]]:
        """Return the units of each setup, setups in the order of their first exposure."""
        setups: dict[Setup, tuple[Unit, ...]] = {}
        for unit in self.units:
            setup = Setup.of(unit.exposure)
            setups[setup] = (*setups.get(setup, ()), unit)
        return setups


def find_sets(
    proposal: Proposal, options: SetOptions
) -> tuple[tuple[DitherSet, ...], tuple[Finding, ...]]:
    """Find the sets of exposures that tags ask to dither.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    options : SetOptions
        What is allowed beyond the default.

    Returns
    -------
    sets : tuple of DitherSet
        In document order of their first exposure.
    findings : tuple of Finding
        Words that look like a tag and are none.

    Raises
    ------
    AptDitherError
        Everything that stands in the way, listed together.
    """
    errors: list[AptDitherError] = []
    findings: list[Finding] = []
    sets: list[DitherSet] = []
    visit_numbers = Counter(visit.number for visit in proposal.visits)
    patterns = {pattern.number: pattern for pattern in proposal.patterns}
    for visit in proposal.visits:
        reader = _Visit(visit, patterns, options)
        findings.extend(reader.strays())
        drafts = reader.drafts()
        if drafts and visit_numbers[visit.number] > 1:
            reader.errors.append(
                ProposalError(
                    f"two visits are numbered {visit.number}; give each its own number in APT",
                    place=reader.place(),
                )
            )
        sets.extend(reader.settle(drafts))
        errors.extend(reader.errors)
    raise_all(errors)
    return tuple(sets), tuple(findings)


@dataclass(slots=True)
class _Draft:
    """A set while it is being collected."""

    exposures: list[Exposure]
    tags: list[tuple[Tag, Exposure | None]]
    group: ExposureGroup | None = None
    joins_by_id: bool = False


class _Visit:
    """One visit, its tags and its receipts."""

    def __init__(self, visit: Visit, patterns: dict[str, AptPattern], options: SetOptions) -> None:
        self.visit = visit
        self.patterns = patterns
        self.options = options
        self.errors: list[AptDitherError] = []
        self.slots: tuple[tuple[Exposure, tuple[ExposureGroup, ...]], ...] = tuple(visit.walk())
        self.groups_of = {exposure.node: groups for exposure, groups in self.slots}
        self.comments: dict[int, CommentTags] = {}
        for exposure, _ in self.slots:
            self.comments[exposure.node] = self._read(exposure.comments, self.place(exposure))
        self.visit_comments = self._read(visit.comments, self.place())

    def _read(self, text: str, place: Place) -> CommentTags:
        try:
            return parse_comments(text)
        except AptDitherError as error:
            self.errors.append(error.located(place))
            return parse_comments("")

    def place(self, exposure: Exposure | None = None) -> Place:
        """Return the place of the visit, or of one of its exposures."""
        if exposure is None:
            return Place(visit=self.visit.number, line=self.visit.line)
        return Place(visit=self.visit.number, exposure=exposure.number, line=exposure.line)

    def strays(self) -> Iterator[Finding]:
        """Yield the lines that hold the word @dither and are no tag."""
        held: list[tuple[Exposure | None, CommentTags]] = [(None, self.visit_comments)]
        held += [(exposure, self.comments[exposure.node]) for exposure, _ in self.slots]
        for exposure, comments in held:
            for stray in comments.strays:
                yield found(
                    "ADT102",
                    f"{stray.strip()!r} is not read as a tag: "
                    "@dither must be the first word of its line",
                    self.place(exposure),
                )

    def receipt(self, exposure: Exposure) -> Receipt | None:
        """Return what an earlier run wrote into the exposure's Comments."""
        receipts = self.comments[exposure.node].receipts
        return receipts[0] if receipts else None

    # From tags to drafts ------------------------------------------------------------------------

    def drafts(self) -> list[_Draft]:
        """Collect the sets that the visit's tags name, in document order."""
        drafts: dict[tuple[str, object], _Draft] = {}
        ungrouped = [exposure for exposure, groups in self.slots if not groups]
        for exposure, groups in self.slots:
            for tag in self.comments[exposure.node].tags:
                if not is_ours(exposure):
                    self.errors.append(
                        RefusalError(
                            f"{tag.text!r} stands on an exposure of {exposure.config or 'no Config'};"
                            f" only {' and '.join(CONFIGS)} can be dithered: move the tag",
                            place=self.place(exposure),
                        )
                    )
                    continue
                key, draft = self._draft_for(exposure, groups, tag, ungrouped)
                drafts.setdefault(key, draft).tags.append((tag, exposure))
        for tag in self.visit_comments.tags:
            self._spread_visit_tag(tag, drafts, ungrouped)
        # The one set of all ungrouped exposures and the sets of single ones overlap: say it.
        wide = drafts.get(("visit", None))
        if wide is not None:
            for key in [key for key in drafts if key[0] in ("alone", "id")]:
                wide.tags.extend(drafts.pop(key).tags)
        return list(drafts.values())

    def _draft_for(
        self,
        exposure: Exposure,
        groups: tuple[ExposureGroup, ...],
        tag: Tag,
        ungrouped: Sequence[Exposure],
    ) -> tuple[tuple[str, object], _Draft]:
        if groups:
            return ("group", groups[-1].node), self._group_draft(groups[-1])
        if tag.request.id is not None:
            wanted = tag.request.id
            members = [
                other
                for other in ungrouped
                if any(t.request.id == wanted for t in self.comments[other.node].tags)
            ]
            members = [e for m in members for e in (m, *self._made_from(m, ungrouped))]
            return ("id", wanted), _Draft(members, [], joins_by_id=True)
        return ("alone", exposure.node), _Draft(
            [exposure, *self._made_from(exposure, ungrouped)], []
        )

    def _group_draft(self, group: ExposureGroup) -> _Draft:
        members = [e for e, groups in self.slots if groups and groups[-1].node == group.node]
        return _Draft(members, [], group=group)

    def _spread_visit_tag(
        self,
        tag: Tag,
        drafts: dict[tuple[str, object], _Draft],
        ungrouped: Sequence[Exposure],
    ) -> None:
        covered = False
        for group in {groups[-1].node: groups[-1] for _, groups in self.slots if groups}.values():
            draft = self._group_draft(group)
            if any(is_ours(exposure) for exposure in draft.exposures):
                drafts.setdefault(("group", group.node), draft).tags.append((tag, None))
                covered = True
        if any(is_ours(exposure) for exposure in ungrouped):
            draft = _Draft(list(ungrouped), [])
            drafts.setdefault(("visit", None), draft).tags.append((tag, None))
            covered = True
        if not covered:
            self.errors.append(
                RefusalError(
                    f"{tag.text!r} covers no {' or '.join(CONFIGS)} exposure: "
                    "the visit has none; remove the tag",
                    place=self.place(),
                )
            )

    def _made_from(self, original: Exposure, siblings: Sequence[Exposure]) -> list[Exposure]:
        """Return the exposures that an earlier run made of `original`: they follow it."""
        start = next(i for i, e in enumerate(siblings) if e.node == original.node)
        made = []
        for exposure in siblings[start + 1 :]:
            receipt = self.receipt(exposure)
            if receipt is None or not receipt.made_by or self.comments[exposure.node].tags:
                break
            made.append(exposure)
        return made

    # From drafts to sets ------------------------------------------------------------------------

    def settle(self, drafts: Iterable[_Draft]) -> list[DitherSet]:
        """Turn drafts into sets; what stands in the way goes to :attr:`errors`."""
        settled = []
        numbers = Counter(exposure.number for exposure, _ in self.slots)
        repeated = sorted(number for number, count in numbers.items() if count > 1)
        drafts = list(drafts)
        if drafts and repeated:
            self.errors.append(
                ProposalError(
                    f"exposure number {', '.join(map(repr, repeated))} occurs more than once in "
                    "this visit; give each exposure its own number in APT",
                    place=self.place(),
                )
            )
        in_a_set = {e.node for draft in drafts for e in draft.exposures}
        for draft in drafts:
            before = len(self.errors)
            request = self._merged_request(draft)
            self.errors.extend(self._refusals(draft))
            if len(self.errors) > before or request is None:
                continue
            units = self._units(draft)
            base = self._base(units, in_a_set)
            if len(self.errors) > before or base is None:
                continue
            tag, holder = draft.tags[0]
            settled.append(
                DitherSet(
                    visit=self.visit,
                    units=units,
                    request=request,
                    tag=tag.text,
                    place=self.place(holder),
                    base=base,
                    unwrapped=tuple(self._pattern_groups(draft)),
                )
            )
        return settled

    def _merged_request(self, draft: _Draft) -> DitherRequest | None:
        first, holder = draft.tags[0]
        if len(draft.tags) == 1:
            return first.request
        if not draft.joins_by_id:
            places = "; ".join(
                f"{tag.text!r} ({self.place(exposure) if exposure else 'Comments of the visit'})"
                for tag, exposure in draft.tags
            )
            self.errors.append(
                TagError(
                    f"two tags for one set of exposures: {places}; keep one",
                    place=self.place(holder),
                )
            )
            return None
        merged = first.request
        for tag, exposure in draft.tags[1:]:
            for key in (field.name for field in fields(tag.request)):
                here, there = getattr(tag.request, key), getattr(merged, key)
                if here is not None and there is not None and here != there:
                    self.errors.append(
                        TagError(
                            f"{tag.text!r} contradicts {first.text!r} of the same id in {key!r}; "
                            "say it once",
                            place=self.place(exposure),
                        )
                    )
                    return None
                if there is None and here is not None:
                    merged = replace(merged, **{key: here})
        return merged

    def _pattern_groups(self, draft: _Draft) -> list[ExposureGroup]:
        """Return the enclosing groups that run an APT pattern, outermost first."""
        found = {}
        for exposure in draft.exposures:
            for group in self.groups_of[exposure.node]:
                if is_pattern_group(group):
                    found[group.node] = group
        return list(found.values())

    def _refusals(self, draft: _Draft) -> Iterator[AptDitherError]:
        visit, options = self.visit, self.options
        tag, holder = draft.tags[0]
        place = self.place(holder)
        ours = [exposure for exposure in draft.exposures if is_ours(exposure)]
        if visit.kind != "Visit":
            yield RefusalError(
                f"{tag.text!r} stands in a {visit.kind} (a mosaic): its pointings are the mosaic's; "
                "take the exposures out of it to dither them",
                place=place,
            )
        if visit.status.lower() == "completed" and not options.all_visits:
            yield RefusalError(
                "this visit is completed; remove its tag, or give --all-visits", place=place
            )
        yield from self._group_refusals(draft, place)
        targets = list(dict.fromkeys(exposure.target_name for exposure in ours))
        if len(targets) > 1:
            yield RefusalError(
                f"the set points at several targets ({', '.join(map(repr, targets))}); "
                "give each target its own group, or its own id",
                place=place,
            )
        for exposure in ours:
            where = self.place(exposure)
            if exposure.is_spatial_scan:
                yield RefusalError(
                    "a spatial scan moves during the exposure and cannot be dithered; "
                    "take it out of the set",
                    place=where,
                )
            if exposure.iterations > 1 and not options.split_iterations:
                yield RefusalError(
                    f"NumberOfIterations is {exposure.iterations}: they repeat at one pointing; "
                    "make them exposures of their own, or give --split-iterations",
                    place=where,
                )
            for problem in exposure.problems:
                yield ProposalError(
                    f"{problem.field} is {problem.found!r}; allowed: {problem.allowed}",
                    place=Place(visit=visit.number, exposure=exposure.number, line=problem.line),
                )
            if len(self.comments[exposure.node].receipts) > 1:
                yield ProposalError(
                    "the Comments hold two @dithered receipts; keep the right one, or remove both "
                    "and set the POS TARG that the exposure had before it was dithered",
                    place=where,
                )
            for text in self.comments[exposure.node].bad_receipts:
                yield ProposalError(
                    f"{text!r} is not a receipt that aptdither wrote; remove the line, and set the "
                    "POS TARG that the exposure had before it was dithered",
                    place=where,
                )

    def _group_refusals(self, draft: _Draft, place: Place) -> Iterator[AptDitherError]:
        members = {exposure.node for exposure in draft.exposures if is_ours(exposure)}
        for group in self._pattern_groups(draft):
            inside = [e for e, groups in self.slots if any(g.node == group.node for g in groups)]
            outside = [e.number for e in inside if e.node not in members]
            number = group.pattern_number or "?"
            if not self.options.replace_patterns:
                yield RefusalError(
                    f"the set is in a group with APT pattern {number} (line {group.line}), and the "
                    "offsets of both would add; remove the pattern in APT, or give "
                    "--replace-patterns",
                    place=place,
                )
            elif outside:
                yield RefusalError(
                    f"APT pattern {number} (line {group.line}) also moves exposure "
                    f"{', '.join(outside)}, which the tag does not cover, so it cannot be replaced;"
                    " move them out of the group",
                    place=place,
                )
            elif self._pattern_points(group) is None:
                yield ProposalError(
                    f"the group on line {group.line} names APT pattern {number}, whose number of "
                    "points cannot be read; give the pattern its NumberOfPoints in APT",
                    place=place,
                )
        seen: dict[int, ExposureGroup] = {}
        for exposure in draft.exposures:
            for group in self.groups_of[exposure.node]:
                seen[group.node] = group
        for group in seen.values():
            if may_be_parallel(group):
                yield RefusalError(
                    f"the group on line {group.line} is, or may be, a coordinated parallel"
                    f"{f' (Type {group.type!r})' if group.type else ''}: its exposures run at the "
                    "same time and must share one POS TARG; give the WFC3/IR exposures a group "
                    "of their own",
                    place=place,
                )

    def _pattern_points(self, group: ExposureGroup) -> int | None:
        pattern = self.patterns.get(group.pattern_number or "")
        points = 1
        while pattern is not None:
            if not pattern.number_of_points or pattern.number_of_points < 1:
                return None
            points *= pattern.number_of_points
            if pattern.sub is None:
                return points
            pattern = pattern.sub
        return None

    def _units(self, draft: _Draft) -> tuple[Unit, ...]:
        units: list[Unit] = []
        for exposure in draft.exposures:
            if not is_ours(exposure):
                continue
            receipt = self.receipt(exposure)
            if receipt is not None and receipt.made_by == "copy":
                last = units[-1] if units else None
                if (
                    last is None
                    or last.receipt is None
                    or receipt.index != len(last.copies) + 2
                    or Setup.of(last.exposure) != Setup.of(exposure)
                ):
                    self.errors.append(
                        ProposalError(
                            "its receipt says that it is a copy made by an earlier run, but it does"
                            " not follow the exposure it was copied from; remove the last word of"
                            " the receipt to keep it as an exposure of its own, or delete it",
                            place=self.place(exposure),
                        )
                    )
                    continue
                units[-1] = replace(last, copies=(*last.copies, exposure))
                continue
            runs = exposure.iterations
            for group in self.groups_of[exposure.node]:
                if is_pattern_group(group):
                    runs *= self._pattern_points(group) or 1
            units.append(Unit(exposure=exposure, copies=(), runs=runs, receipt=receipt))
        return tuple(units)

    # The base -----------------------------------------------------------------------------------

    def _base(self, units: tuple[Unit, ...], in_a_set: set[int]) -> PosTarg | None:
        bases = []
        for unit in units:
            try:
                bases.append(self._base_of(unit.exposure, in_a_set))
            except AptDitherError as error:
                self.errors.append(error.located(self.place(unit.exposure)))
        if len(bases) < len(units):
            return None
        if len(set(bases)) > 1 and not self.options.replace:
            listed = "; ".join(
                f"exposure {unit.exposure.number}: {base.x_arcsec:g},{base.y_arcsec:g}"
                for unit, base in zip(units, bases, strict=True)
            )
            self.errors.append(
                RefusalError(
                    f"the exposures of the set start from different POS TARGs ({listed}); make "
                    "them equal, or give --replace to start all from the first's",
                    place=self.place(units[0].exposure),
                )
            )
            return None
        return bases[0]

    def _base_of(self, exposure: Exposure, in_a_set: set[int]) -> PosTarg:
        receipt = self.receipt(exposure)
        if receipt is not None and exposure.node in in_a_set:
            return PosTarg(x_arcsec=receipt.base_x_arcsec, y_arcsec=receipt.base_y_arcsec)
        if exposure.same_pos_as is None:
            return exposure.pos_targ or PosTarg(x_arcsec=0.0, y_arcsec=0.0)
        if exposure.pos_targ is not None:
            raise ProposalError(
                f"it has a POS TARG and SamePosAs {exposure.same_pos_as!r}; which one holds is not "
                "known: keep one"
            )
        return self._base_of(self.visit.resolve_same_pos_as(exposure), in_a_set)


def is_ours(exposure: Exposure) -> bool:
    """Tell whether an exposure's configuration is one that is dithered."""
    return exposure.config in CONFIGS


def is_pattern_group(group: ExposureGroup) -> bool:
    """Tell whether a group runs an APT pattern."""
    return group.pattern_number is not None or (group.type or "").lower() == "pattern"


def may_be_parallel(group: ExposureGroup) -> bool:
    """Tell whether a group is, or cannot be told from, a coordinated parallel.

    The words that APT uses for such a group are not known. Two instruments in one group are taken
    for one: two channels of the same instrument never observe at the same time, two instruments do.
    """
    if "parallel" in (group.type or "").lower():
        return True
    return len({exposure.instrument for exposure in _exposures_in(group)}) > 1


def _exposures_in(group: ExposureGroup) -> Iterator[Exposure]:
    waiting = list(reversed(group.children))
    while waiting:
        child = waiting.pop()
        if isinstance(child, ExposureGroup):
            waiting.extend(reversed(child.children))
        else:
            yield child
