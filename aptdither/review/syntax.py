"""Rules about what the file states: tags, values, references, numbers, the orbit plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from aptdither.apt.receipt import Receipt
from aptdither.errors import AptDitherError, Location, ProposalError, ReceiptError, TagError
from aptdither.findings import Message, Severity
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.planner import DOUBTFUL_TAG, SINGLE_POINT
from aptdither.planning.pointings import ExposureSet, Unresolved, VisitPointings
from aptdither.planning.receipts import UNCOVERED_RECEIPTS
from aptdither.planning.refusals import is_supported
from aptdither.planning.selection import STRAY_TAG
from aptdither.planning.sizes import cluster_sizes, sizes_of
from aptdither.review.context import (
    VISIT_RULES,
    ReviewContext,
    exposures_listed,
    listed_as,
    of_visit,
)

_TAG = "aptdither README, The tag"
_PHASE2 = "Phase II Proposal Instructions"


@of_visit(
    "ADT101",
    Severity.ERROR,
    title="malformed or contradictory tag",
    explanation="A line that begins with @dither has an unknown key or a bad value, or two tags "
    "cover one set of exposures and differ. `apply` changes nothing in the file until this is "
    "corrected. The message lists the allowed keys or values.",
    source=_TAG,
)
def malformed_tags(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report tags that cannot be read."""
    for error in visit.errors:
        if isinstance(error, TagError):
            yield error.location.inside(visit.visit.location()), error.message


@listed_as(STRAY_TAG, VISIT_RULES)
def stray_tags(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report text that may have been meant as a tag."""
    yield from _said_by_selection(visit, STRAY_TAG.code)


@listed_as(UNCOVERED_RECEIPTS, VISIT_RULES)
def receipts_without_tag(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report receipts that no tag covers."""
    yield from _said_by_selection(visit, UNCOVERED_RECEIPTS.code)


def _said_by_selection(visit: VisitPointings, code: str) -> Iterator[Message]:
    for found in visit.findings:
        if found.code == code:
            location = Location(visit=found.visit, exposure=found.exposure, line=found.line)
            yield location, found.message


@of_visit(
    "ADT103",
    Severity.ERROR,
    title="tagged exposures cannot be dithered as they are",
    explanation="The tag is valid, but `apply` refuses the set: the exposures are in an APT "
    "pattern group, have NumberOfIterations above 1, are spatial scans or coordinated parallels, "
    "start from different POS TARGs, their number does not fit n, or the pattern does not fit the "
    "detector. The message gives the option or the edit that resolves it. Completed visits are "
    "exempt.",
    source=_TAG,
)
def refused_tags(visit: VisitPointings, context: ReviewContext) -> Iterator[Message]:
    """Report tags that `apply` refuses; what a plan shows is asked for those still to be applied."""
    others = (TagError, ProposalError, ReceiptError)  # findings of other codes
    refused = [error for error in visit.errors if not isinstance(error, others)]
    said = {error.message for error in visit.errors}
    tagged = _tagged(visit, context)
    for one in tagged:
        said.update(one.reasons)
        for reason in one.reasons:
            yield one.share.location, f"{one.dither_set.tag!r}: {reason}"
    for error in refused:
        yield error.location.inside(visit.visit.location()), error.message
    pending = [one.share.location for one in tagged if one.is_pending]
    for error in context.refusals() if pending else ():
        if error.location.visit == visit.visit.number and error.message not in said:
            yield error.location.inside(pending[0]), error.message


@of_visit(
    "ADT104",
    Severity.ERROR,
    title="unreadable value that affects the pointing",
    explanation="A POS TARG, NumberOfIterations, pattern parameter, aperture or @dithered receipt "
    "is not a valid value of its kind. The exposure is left out of its set, so the other findings "
    "about that set are incomplete. Correct the value in APT.",
    source=f"{_PHASE2} 6.3.3; the .apt format",
)
def unreadable_values(visit: VisitPointings, context: ReviewContext) -> Iterator[Message]:
    """Report values that cannot be read, each once."""
    reported = {
        (location.exposure, location.line)
        for other in (missing_references, repeated_numbers)
        for location, _ in other.check(visit, context)
    }
    for exposure in visit.visit.exposures:
        if not is_supported(exposure):
            continue
        location = visit.visit.location(exposure)
        for problem in exposure.problems:
            reported.add((exposure.number, problem.line))
            message = f"{problem.field} is {problem.found!r}; allowed: {problem.allowed}"
            yield replace(location, line=problem.line), message
        for text in visit.tags.comments[exposure.node].bad_receipts:
            reported.add((exposure.number, exposure.line))
            message = f"{text!r} is not a receipt that aptdither wrote; restore or delete that line"
            yield location, message
    for error in visit.errors:
        if isinstance(error, ProposalError):
            location = error.location.inside(visit.visit.location())
            if (location.exposure, location.line) not in reported:
                yield location, error.message


@of_visit(
    "ADT105",
    Severity.ERROR,
    title="reference to something that does not exist",
    explanation="SamePosAs names no exposure of its visit or refers back to itself, or a group "
    "names an APT pattern that the file does not have. The positions of these exposures are "
    "unknown. Correct the reference in APT.",
    source=f"{_PHASE2} (SAME POS AS refers to an exposure of the same visit)",
)
def missing_references(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report references that lead nowhere."""
    for unknown in visit.unresolved:
        if unknown.is_missing:
            yield _unknown_positions(visit, unknown, unknown.reason)


@of_visit(
    "ADT106",
    Severity.ERROR,
    title="duplicate visit or exposure number",
    explanation="SamePosAs and tags refer to visits and exposures by number. A number that occurs "
    "twice makes the reference ambiguous. Renumber in APT.",
    source=f"{_PHASE2}; the .apt format",
)
def repeated_numbers(visit: VisitPointings, context: ReviewContext) -> Iterator[Message]:
    """Report numbers that occur twice; only visits that can be dithered matter."""
    count = context.visit_numbers[visit.visit.number]
    if count > 1:
        message = (
            f"{count} visits are numbered {visit.visit.number!r}; give each its own number in APT"
        )
        yield visit.visit.location(), message
    numbers = Counter(exposure.number for exposure in visit.visit.exposures)
    for exposure in visit.visit.exposures:
        count = numbers.pop(exposure.number, 1)
        if count > 1:
            message = (
                f"{count} exposures are numbered {exposure.number!r}; give each its own number "
                "in APT"
            )
            yield visit.visit.location(exposure), message


@of_visit(
    "ADT108",
    Severity.NOTE,
    title="set not evaluated",
    explanation="The file does not determine where these exposures point: an APT pattern whose "
    "geometry is not modeled, or that is laid out on the sky while the roll is free; a coordinated "
    "or pure parallel, which follows its prime; a mosaic; or an aperture or spectral element "
    "without a model. The other rules skip the set.",
    source=f"{_PHASE2} (patterns, coordinated and pure parallels, mosaics); HST SIAF 1.90",
)
def not_evaluated(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report exposures whose positions do not follow from the file."""
    for unknown in visit.unresolved:
        if not unknown.is_missing:
            yield _unknown_positions(visit, unknown, f"not evaluated: {unknown.reason}")


@of_visit(
    "ADT109",
    Severity.NOTE,
    title="tagged, not dithered yet",
    explanation="The exposures have a tag and no receipts, so `aptdither apply` has not dithered "
    "them. The rules about sampling and moves skip them until then.",
    source=_TAG,
)
def unapplied_tags(visit: VisitPointings, context: ReviewContext) -> Iterator[Message]:
    """Report tags that `apply` would carry out."""
    for dither_set, share, is_pending, reasons, is_single in _tagged(visit, context):
        if not is_pending or reasons or is_single:
            continue
        exposures = [member.exposure for member in share.members]
        verb = "is" if len(exposures) == 1 else "are"
        option = " --parallels" if any(member.parallels for member in share.members) else ""
        message = (
            f"{exposures_listed(exposures)} {verb} tagged {dither_set.tag!r} and not dithered "
            f"yet; run aptdither apply{option}"
        )
        yield share.location, message


@listed_as(DOUBTFUL_TAG, VISIT_RULES)
def doubtful_tags(visit: VisitPointings, context: ReviewContext) -> Iterator[Message]:
    """Report tags of single exposures at one point."""
    for one in _tagged(visit, context):
        if one.is_pending and one.is_single:
            yield one.share.location, SINGLE_POINT


@of_visit(
    "ADT110",
    Severity.WARNING,
    title="tag or order changed since the dither",
    explanation="The exposures have receipts, but their tag requests another number of points or "
    "another pattern than those receipts say, or the exposures were put into another order. The "
    "next `aptdither apply` dithers them anew.",
    source=_TAG,
)
def changed_since(visit: VisitPointings, context: ReviewContext) -> Iterator[Message]:
    """Report dithered sets that a new run of apply would dither in another way."""
    for observed in visit.sets:
        tagged, share = observed.dither_set, observed.share
        if tagged is None or share is None or share.is_completed or not observed.has_receipts:
            continue
        receipts = [observed.receipts[exposure.node] for exposure in observed.exposures]
        receipt, request = receipts[0], tagged.request
        made = f"the receipts are for {receipt.total} points of {receipt.pattern}"
        names = receipt.pattern.casefold().split("+")
        if request.pattern is not None and request.pattern.casefold() not in names:
            message = f"the tag requests pattern={request.pattern}, but {made}"
        elif requested := _other_clusters(observed, receipt, context):
            message = f"the tag requests {requested}, but {made}"
        elif (order := [one.index for one in receipts]) != sorted(order):
            numbers = ", ".join(exposure.number for exposure in observed.exposures)
            points = ", ".join(map(str, order))
            message = f"exposures {numbers} were put into another order (points {points} now)"
        else:
            continue
        yield observed.location, f"{message}; run aptdither apply to dither them anew"


def _other_clusters(observed: ExposureSet, receipt: Receipt, context: ReviewContext) -> str:
    """Return the numbers of points that the tag requests, where the receipts have others."""
    dither_set, share = observed.dither_set, observed.share
    made = sizes_of(receipt.pattern, receipt.total, context.catalog)
    if dither_set is None or share is None or made is None or observed.n != receipt.total:
        return ""
    members = share.by_setup().get(observed.prime or observed.setup, ())
    try:
        sizes = cluster_sizes(dither_set.request, observed.setup, members, context.catalog)
    except AptDitherError:  # reported by ADT103
        return ""
    return "" if sizes == made else f"{' + '.join(map(str, sizes))} points"


@of_visit(
    "ADT405",
    Severity.NOTE,
    title="orbit plan is out of date",
    explanation="TicDataCurrent of the visit is false, so its orbit numbers and overheads are "
    "those of an earlier version; `apply` marks the visits that it changes so. Run the Orbit "
    "Planner in APT.",
    source="the .apt format (TicData)",
)
def stale_orbit_plan(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report visits whose orbit plan predates their exposures."""
    current, status = visit.visit.tic_data_current or "", visit.visit.status
    if current.lower() == "false" and status.lower() != "completed":
        message = (
            "the orbit numbers and overheads are those of an earlier version (TicDataCurrent is "
            "false); run the Orbit Planner in APT"
        )
        yield visit.visit.location(), message


class _Tagged(NamedTuple):
    """What a tag dithers in a visit."""

    dither_set: DitherSet
    share: Share
    is_pending: bool
    #: Why the number of exposures of a setup does not fit the tag.
    reasons: list[str]
    #: Whether it leaves one exposure at one point, which `apply` does not dither.
    is_single: bool


def _tagged(visit: VisitPointings, context: ReviewContext) -> list[_Tagged]:
    tagged: dict[int, _Tagged] = {}
    for observed in visit.sets:
        dither_set, share = observed.dither_set, observed.share
        if dither_set is None or share is None or share.is_completed or id(share) in tagged:
            continue
        totals, reasons = [], []
        for setup, members in share.by_setup().items():
            try:
                sizes = cluster_sizes(dither_set.request, setup, members, context.catalog)
                totals.append(sum(sizes))
            except AptDitherError as error:
                reasons.append(error.message)
        is_single = not reasons and set(totals) == {1} and not dither_set.is_joined(share)
        tagged[id(share)] = _Tagged(dither_set, share, observed.is_pending, reasons, is_single)
    return list(tagged.values())


def _unknown_positions(visit: VisitPointings, unknown: Unresolved, message: str) -> Message:
    first, *others = unknown.exposures
    also = f" (also {exposures_listed(others)})" if others else ""
    return visit.visit.location(first), f"{message}{also}"
