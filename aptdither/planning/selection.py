"""Which exposures are dithered together: from the tags of a proposal to disjoint sets.

A tag on an exposure in a group is for the innermost group, on an ungrouped exposure for that
exposure; in the Comments of a visit it is for each group and for the ungrouped exposures as one
set. An ``id`` joins what bears it in the whole proposal. :class:`~aptdither.planning.set_builder.
SetBuilder` builds the sets, or says what forbids one. Nothing is raised: errors are returned
together, so that they can be corrected together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.proposal import Exposure, Proposal
from aptdither.apt.receipt import MadeBy
from aptdither.apt.tags import DitherRequest
from aptdither.errors import (
    AptDitherError,
    Location,
    ProposalError,
    ReceiptError,
    RefusalError,
    TagError,
)
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.dither_sets import DitherSet
from aptdither.planning.options import Options
from aptdither.planning.receipts import UNCOVERED_RECEIPTS, dither_of, grouped
from aptdither.planning.refusals import CONFIGS, is_supported
from aptdither.planning.set_builder import SetBuilder
from aptdither.planning.visit_tags import Claim, VisitTags

STRAY_TAG = Rule(
    code="ADT102",
    severity=Severity.WARNING,
    title="text that looks like a tag, but is not read as one",
    explanation="Only a line of Comments whose first word is @dither is a tag. A line with @dither "
    "further on, one that begins with dither n= without the @, and a Label have no effect. If a "
    "tag was meant, write it as a line of the Comments.",
    source="aptdither README, The tag",
)

#: What a tag covers, or a set: a group, an exposure, a visit or an id.
_Key = tuple[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedSets:
    """What the tags of a proposal ask for.

    The `sets` are disjoint, in document order of their tags; `errors` forbid others. The `findings`
    are about lines that look like a tag and are none, and receipts that no tag covers.
    """

    visits: tuple[VisitTags, ...]
    sets: tuple[DitherSet, ...]
    errors: tuple[AptDitherError, ...]
    findings: tuple[Finding, ...]


def select_sets(proposal: Proposal, options: Options) -> SelectedSets:
    """Return the sets of exposures that tags ask to dither, and the errors of those that may not."""
    visits = tuple(map(VisitTags, proposal.visits))
    visit_numbers = Counter(visit.number for visit in proposal.visits)
    errors: list[AptDitherError] = []
    candidates: dict[_Key, list[Claim]] = {}
    seen: set[tuple[_Key, _Key, DitherRequest]] = set()
    for tags in visits:
        errors += tags.errors
        if not tags.has_tags:
            continue
        if len(tags.slots) > MAX_VISIT_EXPOSURES:
            message = (
                f"the visit has {len(tags.slots)} exposures; at most {MAX_VISIT_EXPOSURES} are "
                "handled: remove its tags, or split the visit"
            )
            errors.append(RefusalError(message, location=tags.visit.location()))
            continue
        errors += _repeated_numbers(tags, visit_numbers)
        for place, claim in _claims(tags, errors):
            request = claim.tag.request
            key = place if request.id is None else ("id", request.id)
            # The same tag on each exposure of a group is one tag.
            if (key, place, request) not in seen:
                seen.add((key, place, request))
                candidates.setdefault(key, []).append(claim)
    errors += _overlaps(candidates)
    errors += _not_joined(candidates, options.defaults)
    claimed = {
        one.node for claims in candidates.values() for claim in claims for one in claim.exposures
    }
    builder = SetBuilder(proposal, options, claimed)
    sets: list[DitherSet] = []
    for claims in candidates.values():
        try:
            sets.append(builder.build(claims))
        except AptDitherError as error:
            errors += error.each()
    refused = {error.location for error in errors if isinstance(error, ReceiptError)}
    return SelectedSets(
        visits=visits,
        sets=tuple(sets),
        errors=tuple(sorted(errors, key=lambda error: error.location.line or 0)),
        findings=tuple(
            finding for tags in visits for finding in _line_findings(tags, claimed, refused)
        ),
    )


def _claims(tags: VisitTags, errors: list[AptDitherError]) -> Iterator[tuple[_Key, Claim]]:
    """Yield what the tags of a visit cover, and the key of that place."""
    loose: _Key = ("visit", tags.visit.node)
    innermost: defaultdict[_Key, list[Exposure]] = defaultdict(list)
    for exposure, groups in tags.slots:
        innermost[("group", groups[-1].node) if groups else loose].append(exposure)
    for exposure, groups in tags.slots:
        location = tags.visit.location(exposure)
        for tag in tags.comments[exposure.node].tags:
            if not is_supported(exposure):
                message = (
                    f"{tag.text!r} stands on an exposure of {exposure.config or 'no Config'}; only "
                    f"{' and '.join(CONFIGS)} can be dithered: move the tag"
                )
                errors.append(RefusalError(message, location=location))
                continue
            place: _Key = ("group", groups[-1].node) if groups else ("alone", exposure.node)
            covered = innermost[place] if groups else _family(exposure, innermost[loose], tags)
            yield place, Claim(tag=tag, tags=tags, location=location, exposures=covered)
    wholes = sorted(innermost.items(), key=lambda whole: whole[0][0])  # groups first
    wholes = [whole for whole in wholes if any(map(is_supported, whole[1]))]
    location = tags.visit.location()
    for tag in tags.comments[tags.visit.node].tags:
        for place, covered in wholes:
            yield place, Claim(tag=tag, tags=tags, location=location, exposures=covered)
        if not wholes:
            message = (
                f"{tag.text!r} covers no {' or '.join(CONFIGS)} exposure: the visit has none; remove "
                "the tag"
            )
            errors.append(RefusalError(message, location=location))


def _family(first: Exposure, ungrouped: Sequence[Exposure], tags: VisitTags) -> list[Exposure]:
    """Return an ungrouped exposure and those that an earlier run made of it, after it."""

    def is_made(one: Exposure) -> bool:
        receipt = tags.receipt(one)
        is_own = receipt is None or receipt.made_by is MadeBy.OBSERVER
        return not is_own and not tags.comments[one.node].tags

    return [first, *takewhile(is_made, ungrouped[ungrouped.index(first) + 1 :])]


def _overlaps(candidates: Mapping[_Key, Sequence[Claim]]) -> Iterator[AptDitherError]:
    """Yield an error for each exposure that two sets claim."""
    owners: dict[int, Sequence[Claim]] = {}
    for claims in candidates.values():
        places = {one.node: (claim.tags, one) for claim in claims for one in claim.exposures}
        for node, (tags, exposure) in places.items():
            other = owners.setdefault(node, claims)
            if other is not claims:
                yield TagError(
                    f"two tags put it into different sets ({other[0].tag.text!r} and "
                    f"{claims[0].tag.text!r}); an exposure belongs to one set: keep one",
                    location=tags.visit.location(exposure),
                )


def _not_joined(
    candidates: dict[_Key, list[Claim]], defaults: DitherRequest
) -> Iterator[AptDitherError]:
    """Drop sets of one exposure at one point that share a setup and a target; yield errors."""
    alike: defaultdict[object, list[tuple[_Key, Claim]]] = defaultdict(list)
    for key, (claim, *_) in candidates.items():
        request, first = claim.tag.request, claim.exposures[0]
        is_one_point = (request.n or defaults.n or 1) == 1 and not request.pattern
        if key[0] == "alone" and is_one_point and len(claim.exposures) == 1:
            alike[claim.tags, first.setup, first.target_name].append((key, claim))
    for lone in alike.values():
        if len(lone) < 2:
            continue
        for key, _ in lone:
            del candidates[key]
        claim = lone[0][1]
        numbers = ", ".join(one.exposures[0].number for _, one in lone[:12])
        yield RefusalError(
            f"exposures {numbers} of {claim.exposures[0].setup.text} are tagged one by one and are "
            "not in a group, so each would be a dither of one point; to dither them together put "
            "the tag in the Visit's Comments, or put them in a group in APT, or add id=a to each "
            f"({claim.tag.text} id=a)",
            location=claim.location,
        )


def _line_findings(
    tags: VisitTags, claimed: Collection[int], refused: Collection[Location]
) -> Iterator[Finding]:
    """Yield a finding for lines that are no tag, and receipts without one that no error says."""
    for location, message in tags.near_misses():
        yield STRAY_TAG.finding(message, location)
    receipts = {one: said for one, said in tags.receipts.items() if one.node not in claimed}
    for dither in grouped(receipts, dither_of):
        first, receipt = next(iter(dither.items()))
        location = tags.visit.location(first)
        if location not in refused:
            listed = ", ".join(exposure.number for exposure in dither)
            yield UNCOVERED_RECEIPTS.finding(
                f"exposures {listed} have receipts ({receipt.total} points of {receipt.pattern}), "
                "but no tag covers them; restore the tag, or delete the receipts to keep the POS "
                "TARGs as they are",
                location,
            )


def _repeated_numbers(
    tags: VisitTags, visit_numbers: Mapping[str, int]
) -> Iterator[AptDitherError]:
    number = tags.visit.number
    if visit_numbers[number] > 1:
        yield ProposalError(
            f"two visits are numbered {number}; give each its own number in APT",
            location=tags.visit.location(),
        )
    repeated = sorted(number for number, own in tags.visit.by_number.items() if len(own) > 1)
    if repeated:
        yield ProposalError(
            f"exposure number {', '.join(map(repr, repeated))} occurs more than once in "
            "this visit; give each exposure its own number in APT",
            location=tags.visit.location(),
        )
