"""Which exposures are dithered together: from the tags of a proposal to disjoint sets.

A tag on an exposure in a group is for the innermost group, on an ungrouped exposure for those of
its id or for that exposure alone; in the Comments of a visit it is for each group and for the
ungrouped exposures as one set.

Reading order: :class:`~aptdither.planning.visit_tags.VisitTags` holds the Comments of a visit;
:func:`select_sets` turns tags
into candidates, asks :mod:`aptdither.planning.refusals` what forbids each, and builds the
:class:`DitherSet` of those that may be dithered. Nothing is raised: errors are returned together,
so that they can be corrected together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.patterns import AptPattern, is_pattern_group
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.receipt import MadeBy, Receipt
from aptdither.apt.tags import DitherRequest, Tag
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.errors import (
    AptDitherError,
    Location,
    ProposalError,
    ReceiptError,
    RefusalError,
    TagError,
)
from aptdither.findings import Finding, Rule, Severity
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.planning.receipts import (
    UNCOVERED_RECEIPTS,
    ProblemKind,
    base_of,
    lost_receipts,
    offset_of,
    receipt_problems,
    to_paste,
    uncovered_receipts,
)
from aptdither.planning.refusals import (
    CONFIGS,
    SetOptions,
    is_supported,
    pattern_groups,
    refusals,
    runs_of,
)
from aptdither.planning.visit_tags import SetCandidate, VisitTags
from aptdither.types import NO_OFFSET, PosTarg, Setup

STRAY_TAG = Rule(
    code="ADT102",
    severity=Severity.WARNING,
    title="text that looks like a tag, but is not read as one",
    explanation="Only a line of Comments whose first word is @dither is a tag. A line with @dither "
    "further on, one that begins with dither n= without the @, and a Label have no effect. If a "
    "tag was meant, write it as a line of the Comments.",
    source="aptdither README, The tag",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One exposure of a set, as the observer wrote it.

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

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """The exposure and its copies."""
        return (self.exposure, *self.copies)


@dataclass(frozen=True, slots=True, kw_only=True)
class DitherSet:
    """Exposures that are dithered together, and how.

    Attributes
    ----------
    visit : Visit
        The visit they belong to.
    members : tuple of Member
        In document order.
    request : DitherRequest
        What the tag asks for, with the defaults of the run.
    tag : str
        The tag as written.
    location : Location
        Where the tag stands.
    base : PosTarg
        The POS TARG that all had before they were dithered.
    unwrapped : tuple of ExposureGroup
        Pattern groups that become plain groups.
    """

    visit: Visit
    members: tuple[Member, ...]
    request: DitherRequest
    tag: str
    location: Location
    base: PosTarg
    unwrapped: tuple[ExposureGroup, ...]

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """Every exposure of the set, copies of earlier runs too, in document order."""
        return tuple(exposure for member in self.members for exposure in member.exposures)

    def by_setup(self) -> dict[Setup, tuple[Member, ...]]:
        """Return the members of each setup, setups in the order of their first exposure."""
        setups: dict[Setup, tuple[Member, ...]] = {}
        for member in self.members:
            setup = member.exposure.setup
            setups[setup] = (*setups.get(setup, ()), member)
        return setups


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedSets:
    """What the tags of a proposal, or of some of its visits, ask for.

    Attributes
    ----------
    sets : tuple of DitherSet
        Disjoint, in document order of their tags.
    errors : tuple of AptDitherError
        What forbids other sets, in document order.
    findings : tuple of Finding
        Lines that look like a tag and are none.
    """

    sets: tuple[DitherSet, ...] = ()
    errors: tuple[AptDitherError, ...] = ()
    findings: tuple[Finding, ...] = ()


def select_sets(
    proposal: Proposal,
    options: SetOptions | None = None,
    *,
    defaults: DitherRequest | None = None,
    catalog: Catalog | None = None,
    visits: Iterable[VisitTags] | None = None,
    visit_numbers: Mapping[str, int] | None = None,
) -> SelectedSets:
    """Find the sets of exposures that tags ask to dither.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    options : SetOptions, optional
        What is allowed beyond the default.
    defaults : DitherRequest, optional
        Values for tags that do not set them.
    catalog : Catalog, optional
        The patterns that receipts name; the built-in catalog when left out.
    visits : iterable of VisitTags, optional
        The visits to look at; all of them when left out.
    visit_numbers : Mapping of str to int, optional
        How many visits have each number; counted when left out.

    Returns
    -------
    SelectedSets
        The sets that may be dithered, and the errors of those that may not.
    """
    options = options or SetOptions()
    defaults = defaults or DitherRequest()
    patterns = {pattern.number: pattern for pattern in proposal.patterns}
    if visit_numbers is None:
        visit_numbers = Counter(visit.number for visit in proposal.visits)
    sets: list[DitherSet] = []
    errors: list[AptDitherError] = []
    findings: list[Finding] = []
    for tags in map(VisitTags, proposal.visits) if visits is None else visits:
        findings += [
            STRAY_TAG.finding(message, location) for location, message in tags.near_misses()
        ]
        errors.extend(tags.errors)
        if not tags.has_tags:
            findings += _uncovered(tags, set(), ())
            continue
        if len(tags.slots) > MAX_VISIT_EXPOSURES:
            errors.append(_too_many_exposures(tags))
            continue
        errors.extend(_repeated_numbers(tags, visit_numbers))
        candidates, problems = _Claims(tags, defaults).candidates()
        errors.extend(problems)
        claimed = {exposure.node for candidate in candidates for exposure in candidate.exposures}
        for candidate in candidates:
            builder = _Builder(
                candidate, patterns, options, defaults, catalog or load_catalog(), claimed
            )
            built = builder.build(proposal)
            if isinstance(built, DitherSet):
                sets.append(built)
            else:
                errors.extend(built)
        findings += _uncovered(tags, claimed, errors)
    return SelectedSets(sets=tuple(sets), errors=tuple(errors), findings=tuple(findings))


def _uncovered(
    tags: VisitTags, claimed: Collection[int], errors: Iterable[AptDitherError]
) -> Iterator[Finding]:
    """Yield a finding for receipts that no tag covers, where no error says it."""
    refused = {error.location for error in errors if isinstance(error, ReceiptError)}
    receipts = {
        exposure: receipt
        for exposure, _ in tags.slots
        if exposure.node not in claimed and (receipt := tags.receipt(exposure)) is not None
    }
    for exposure, message in uncovered_receipts(receipts):
        location = tags.location(exposure)
        if location not in refused:
            yield UNCOVERED_RECEIPTS.finding(message, location)


def _too_many_exposures(tags: VisitTags) -> AptDitherError:
    return RefusalError(
        f"the visit has {len(tags.slots)} exposures; at most {MAX_VISIT_EXPOSURES} are handled: "
        "remove its tags, or split the visit",
        location=tags.location(),
    )


def _repeated_numbers(
    tags: VisitTags, visit_numbers: Mapping[str, int]
) -> Iterator[AptDitherError]:
    number = tags.visit.number
    if visit_numbers[number] > 1:
        yield ProposalError(
            f"two visits are numbered {number}; give each its own number in APT",
            location=tags.location(),
        )
    counts = Counter(exposure.number for exposure, _ in tags.slots)
    repeated = sorted(number for number, count in counts.items() if count > 1)
    if repeated:
        yield ProposalError(
            f"exposure number {', '.join(map(repr, repeated))} occurs more than once in "
            "this visit; give each exposure its own number in APT",
            location=tags.location(),
        )


# From tags to the exposures that they cover ---------------------------------------------------


class _Claims:
    """Collects, for each set that the tags of a visit name, its exposures and its tags."""

    def __init__(self, tags: VisitTags, defaults: DitherRequest) -> None:
        self.tags = tags
        self.defaults = defaults
        self.errors: list[AptDitherError] = []
        self.ungrouped = [exposure for exposure, groups in tags.slots if not groups]
        self.in_group: dict[int, list[Exposure]] = {}
        for exposure, groups in tags.slots:
            if groups:
                self.in_group.setdefault(groups[-1].node, []).append(exposure)
        self.families = self._families()

    def candidates(self) -> tuple[list[SetCandidate], list[AptDitherError]]:
        """Return the sets that tags name, in document order, and what is wrong with the tags."""
        candidates: dict[tuple[str, object], SetCandidate] = {}
        joined = self._joined_by_id()
        for exposure, groups in self.tags.slots:
            for tag in self.tags.comments[exposure.node].tags:
                if not is_supported(exposure):
                    self.errors.append(self._unsupported(tag, exposure))
                    continue
                key: tuple[str, object]
                if groups:
                    key, covered = ("group", groups[-1].node), self.in_group[groups[-1].node]
                elif tag.request.id is not None:
                    key, covered = ("id", tag.request.id), joined[tag.request.id]
                else:
                    key, covered = ("alone", exposure.node), self.families[exposure.node]
                self._claim(candidates, key, covered, tag, exposure)
        for tag in self.tags.visit_comments.tags:
            self._claim_for_visit(candidates, tag)
        # One set of all ungrouped exposures overlaps the sets of single ones: their tags contradict.
        whole = candidates.get(("visit", None))
        if whole is not None:
            for key in [key for key in candidates if key[0] in ("alone", "id")]:
                whole.tags.extend(candidates.pop(key).tags)
        self.errors.extend(self._overlaps(candidates))
        for lone in self._lone_tags(candidates):
            self.errors.append(self._not_joined([candidates.pop(key) for key in lone]))
        return list(candidates.values()), self.errors

    def _lone_tags(
        self, candidates: Mapping[tuple[str, object], SetCandidate]
    ) -> list[list[tuple[str, object]]]:
        """Return the sets of one exposure at one point each that share a setup and a target."""
        alike: dict[object, list[tuple[str, object]]] = {}
        for key, candidate in candidates.items():
            request = candidate.tags[0][0].request
            if key[0] == "alone" and (request.n or self.defaults.n or 1) == 1:
                first = candidate.exposures[0]
                if len(candidate.exposures) == 1 and request.pattern is None:
                    alike.setdefault((first.setup, first.target_name), []).append(key)
        return [keys for keys in alike.values() if len(keys) > 1]

    def _not_joined(self, candidates: Sequence[SetCandidate]) -> AptDitherError:
        exposures = [candidate.exposures[0] for candidate in candidates]
        return RefusalError(
            f"exposures {', '.join(one.number for one in exposures[:12])} of "
            f"{exposures[0].setup.text} are tagged one by one and are not in a group, so each would "
            "be a dither of one point; to dither them together put the tag in the Visit's Comments, "
            f"or put them in a group in APT, or add id=a to each ({candidates[0].tags[0][0].text} "
            "id=a)",
            location=self.tags.location(exposures[0]),
        )

    def _claim(
        self,
        candidates: dict[tuple[str, object], SetCandidate],
        key: tuple[str, object],
        covered: list[Exposure],
        tag: Tag,
        holder: Exposure | None,
    ) -> None:
        candidate = candidates.get(key)
        if candidate is None:
            candidate = SetCandidate(tags_of_visit=self.tags, exposures=covered)
            candidates[key] = candidate
        # The same tag on each exposure of a group is one tag.
        if tag.request not in candidate.requests:
            candidate.requests.add(tag.request)
            candidate.tags.append((tag, holder))
        candidate.joins_by_id = key[0] == "id"

    def _claim_for_visit(
        self, candidates: dict[tuple[str, object], SetCandidate], tag: Tag
    ) -> None:
        wholes: list[tuple[tuple[str, object], list[Exposure]]] = [
            (("group", node), members) for node, members in self.in_group.items()
        ]
        wholes.append((("visit", None), self.ungrouped))
        wholes = [(key, members) for key, members in wholes if any(map(is_supported, members))]
        for key, members in wholes:
            self._claim(candidates, key, members, tag, None)
        if not wholes:
            self.errors.append(
                RefusalError(
                    f"{tag.text!r} covers no {' or '.join(CONFIGS)} exposure: "
                    "the visit has none; remove the tag",
                    location=self.tags.location(),
                )
            )

    def _unsupported(self, tag: Tag, exposure: Exposure) -> AptDitherError:
        return RefusalError(
            f"{tag.text!r} stands on an exposure of {exposure.config or 'no Config'}; only "
            f"{' and '.join(CONFIGS)} can be dithered: move the tag",
            location=self.tags.location(exposure),
        )

    def _overlaps(
        self, candidates: Mapping[tuple[str, object], SetCandidate]
    ) -> Iterator[AptDitherError]:
        """Yield an error for each exposure that two sets claim; a set takes it once."""
        claimed: dict[int, SetCandidate] = {}
        for candidate in candidates.values():
            for exposure in dict.fromkeys(candidate.exposures):
                other = claimed.setdefault(exposure.node, candidate)
                if other is not candidate:
                    yield TagError(
                        f"two tags put it into different sets ({other.tags[0][0].text!r} and "
                        f"{candidate.tags[0][0].text!r}); an exposure belongs to one set: keep one",
                        location=self.tags.location(exposure),
                    )

    def _joined_by_id(self) -> dict[str, list[Exposure]]:
        joined: dict[str, list[Exposure]] = {}
        for exposure in self.ungrouped:
            for tag in self.tags.comments[exposure.node].tags:
                members = joined.setdefault(tag.request.id or "", [])
                members += [one for one in self.families[exposure.node] if one not in members]
        return joined

    def _families(self) -> dict[int, list[Exposure]]:
        """Return each ungrouped exposure with those that an earlier run made of it, after it."""
        families: dict[int, list[Exposure]] = {}
        family: list[Exposure] = []
        for exposure in self.ungrouped:
            receipt = self.tags.receipt(exposure)
            is_made = receipt is not None and receipt.made_by is not MadeBy.OBSERVER
            if not is_made or self.tags.comments[exposure.node].tags:
                family = []
            family.append(exposure)
            families[exposure.node] = family if family[0] is exposure else [exposure]
        return families


# From a candidate to a set ---------------------------------------------------------------------


@dataclass(slots=True)
class _Builder:
    """Builds the set of one candidate, or gathers what forbids it."""

    candidate: SetCandidate
    patterns: Mapping[str, AptPattern]
    options: SetOptions
    defaults: DitherRequest
    catalog: Catalog
    claimed: set[int]
    errors: list[AptDitherError] = field(default_factory=list)

    @property
    def tags(self) -> VisitTags:
        return self.candidate.tags_of_visit

    def build(self, proposal: Proposal) -> DitherSet | list[AptDitherError]:
        """Return the set, or the errors that forbid it."""
        request = self._request()
        self.errors += refusals(self.candidate, proposal, self.patterns, self.options)
        if self.errors:
            return self.errors
        members = self._members()
        if not self.errors:
            self.errors += self._receipt_errors(members)
        base = self._base(members) if not self.errors else NO_OFFSET
        if self.errors:
            return self.errors
        tag, holder = self.candidate.tags[0]
        return DitherSet(
            visit=self.tags.visit,
            members=members,
            request=_with_defaults(request, self.defaults),
            tag=tag.text,
            location=self.tags.location(holder),
            base=base,
            unwrapped=pattern_groups(self.candidate),
        )

    def _request(self) -> DitherRequest:
        """Return what the tags of the set ask for together."""
        (first, holder), *others = self.candidate.tags
        if not others:
            return first.request
        if not self.candidate.joins_by_id:
            listed = "; ".join(
                f"{tag.text!r} ({self.tags.location(at) if at else 'Comments of the visit'})"
                for tag, at in self.candidate.tags
            )
            self.errors.append(
                TagError(
                    f"two tags for one set of exposures: {listed}; keep one",
                    location=self.tags.location(holder),
                )
            )
            return first.request
        merged = first.request
        for tag, at in others:
            for key in (one.name for one in fields(tag.request)):
                new, old = getattr(tag.request, key), getattr(merged, key)
                if new is not None and old is not None and new != old:
                    self.errors.append(
                        TagError(
                            f"{tag.text!r} contradicts {first.text!r} of the same id in {key!r}; "
                            "give it once",
                            location=self.tags.location(at),
                        )
                    )
                    return merged
                if old is None and new is not None:
                    merged = replace(merged, **{key: new})
        return merged

    def _members(self) -> tuple[Member, ...]:
        members: list[Member] = []
        for exposure in filter(is_supported, self.candidate.exposures):
            receipt = self.tags.receipt(exposure)
            if receipt is None or not receipt.is_copy:
                runs = runs_of(exposure, self.tags.groups_of[exposure.node], self.patterns)
                members.append(Member(exposure=exposure, copies=(), runs=runs, receipt=receipt))
                continue
            last = members[-1] if members else None
            if (
                last is None
                or last.receipt is None
                or receipt.index != last.receipt.index + len(last.copies) + 1
                or last.exposure.setup != exposure.setup
            ):
                self.errors.append(
                    ReceiptError(
                        "its receipt says that it is a copy made by an earlier run, but it does not"
                        " follow the exposure it was copied from; remove the last word of the "
                        "receipt to keep it as an exposure of its own, or delete it",
                        location=self.tags.location(exposure),
                    )
                )
                continue
            members[-1] = replace(last, copies=(*last.copies, exposure))
        return tuple(members)

    def _aperture(self, members: Sequence[Member]) -> Aperture | None:
        """Return the aperture that the POS TARGs of the set are made for: its first exposure's."""
        return _aperture_of(members[0].exposure)

    def _receipt_errors(self, members: Sequence[Member]) -> Iterator[AptDitherError]:
        """Yield what contradicts in the receipts of the set, or of exposures beside it."""
        aperture = self._aperture(members)
        if aperture is None:
            return
        receipts = {
            exposure: receipt
            for member in members
            for exposure in member.exposures
            if (receipt := self.tags.receipt(exposure)) is not None and receipt.total > 1
        }
        for setup in {exposure.setup: None for exposure in receipts}:
            own = {exposure: one for exposure, one in receipts.items() if exposure.setup == setup}
            for problem in receipt_problems(own, self.catalog, aperture, must_be_complete=False):
                is_moved = problem.kind is ProblemKind.MOVED
                if problem.kind is ProblemKind.INCOMPLETE or (is_moved and self.options.rebase):
                    continue
                yield ReceiptError(
                    f"{problem.message}; {problem.way_out}",
                    location=self.tags.location(problem.exposure),
                )
            yield from self._stray_receipts(own)

    def _stray_receipts(self, own: Mapping[Exposure, Receipt]) -> Iterator[AptDitherError]:
        """Yield an error where exposures outside the set have receipts of the same dither."""
        first, receipt = next(iter(own.items()))
        dither = (receipt.pattern, receipt.total, base_of(receipt))
        strays = [
            exposure
            for exposure, _ in self.tags.slots
            if exposure.node not in self.claimed
            and exposure.setup == first.setup
            and exposure.target_name == first.target_name
            and (other := self.tags.receipt(exposure)) is not None
            and (other.pattern, other.total, base_of(other)) == dither
        ]
        if strays:
            yield ReceiptError(
                f"exposures {', '.join(one.number for one in strays[:12])} have receipts of the "
                f"same dither ({receipt.total} points of {receipt.pattern}), but no tag covers "
                "them; put them into the set again (a group in APT, the tag in the Visit's "
                "Comments, or id=), or delete their receipts, or delete the exposures",
                location=self.tags.location(strays[0]),
            )

    def _base(self, members: Sequence[Member]) -> PosTarg:
        """Return the POS TARG that all had before they were dithered."""
        bases: list[PosTarg] = []
        by_number = self.tags.visit.by_number()
        aperture = self._aperture(members)
        for member in members:
            try:
                bases.append(self._base_of(member.exposure, by_number, aperture))
            except AptDitherError as error:
                self.errors.append(error.located(self.tags.location(member.exposure)))
        if self.errors:
            return NO_OFFSET
        if len(set(bases)) > 1 and not self.options.replace:
            listed = "; ".join(
                f"exposure {member.exposure.number}: {base.x_arcsec:g},{base.y_arcsec:g}"
                for member, base in zip(members, bases, strict=True)
            )
            lost = self._lost_receipts(members, aperture)
            self.errors.append(
                RefusalError(
                    f"the exposures of the set start from different POS TARGs ({listed}); {lost}make "
                    "them equal, or give --replace to start all from the first's",
                    location=self.tags.location(members[0].exposure),
                )
            )
        return bases[0]

    def _lost_receipts(self, members: Sequence[Member], aperture: Aperture | None) -> str:
        """Tell which receipts to restore, where the POS TARGs are those of an earlier dither."""
        lost: dict[Exposure, Receipt] = {}
        for setup in {member.exposure.setup: None for member in members} if aperture else ():
            own = [one for member in members for one in member.exposures if one.setup == setup]
            receipts = {one: found for one in own if (found := self.tags.receipt(one)) is not None}
            if aperture is not None:
                lost |= lost_receipts(own, receipts, self.catalog, aperture)
        return f"if these were dithered before, {to_paste(lost)}; or " if lost else ""

    def _base_of(
        self,
        exposure: Exposure,
        by_number: Mapping[str, list[Exposure]],
        aperture: Aperture | None,
    ) -> PosTarg:
        receipt = self.tags.receipt(exposure)
        if receipt is not None and exposure.node in self.claimed:
            if not self.options.rebase or aperture is None:
                return base_of(receipt)
            offset = offset_of(receipt, self.catalog, aperture)
            if offset is None:
                raise ReceiptError(
                    f"the offset of point {receipt.index} of {receipt.pattern} is not known here, "
                    "so --rebase cannot tell its base; delete the receipt and set the POS TARG that "
                    "the exposure shall have without the dither"
                )
            return ((exposure.pos_targ or NO_OFFSET) - offset).rounded()
        if exposure.same_pos_as is None:
            return exposure.pos_targ or NO_OFFSET
        if exposure.pos_targ is not None:
            raise ProposalError(
                f"it has a POS TARG and SamePosAs {exposure.same_pos_as!r}; which one holds is not "
                "known: keep one"
            )
        source = self.tags.visit.resolve_same_pos_as(exposure, by_number)
        self._require_same_origin(exposure, source)
        return self._base_of(source, by_number, aperture)

    def _require_same_origin(self, exposure: Exposure, source: Exposure) -> None:
        """Refuse a SamePosAs whose position is not that of the same POS TARG.

        A POS TARG counts from the aperture's reference point and from the target; an APT pattern
        adds to it.
        """
        named = f"SamePosAs {exposure.same_pos_as} names exposure {source.number}"
        own, other = _aperture_of(exposure), _aperture_of(source)
        patterns = (
            [group.node for group in self.tags.groups_of[one.node] if is_pattern_group(group)]
            for one in (exposure, source)
        )
        if source.target_name != exposure.target_name:
            reason = f"{named} of another target ({source.target_name!r})"
        elif own is None or other is None or own.siaf_name != other.siaf_name:
            reason = (
                f"{named} through {source.config} {source.setup.text}, whose reference point is "
                "another place on the sky"
            )
        elif len({tuple(nodes) for nodes in patterns}) > 1:
            reason = f"{named} of another APT pattern"
        else:
            return
        raise RefusalError(
            f"{reason}, so its POS TARG is not the same position; give this exposure a POS TARG of "
            "its own and remove SamePosAs, or take it out of the set"
        )


def _aperture_of(exposure: Exposure) -> Aperture | None:
    """Return the aperture of an exposure; None for one that is not known."""
    try:
        return get_aperture(exposure.aperture, exposure.spectral_element, config=exposure.config)
    except AptDitherError:  # reported with the set
        return None


def _with_defaults(request: DitherRequest, defaults: DitherRequest) -> DitherRequest:
    unset = {
        key.name: getattr(defaults, key.name)
        for key in fields(request)
        if getattr(request, key.name) is None
    }
    return replace(request, **unset)
