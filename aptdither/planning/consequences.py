"""What a plan means for the rest of a visit: copies that go, exposures that follow, old numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from aptdither.apt.changes import NewExposure, VisitChange, receipt_lines
from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.spans import find_attributes
from aptdither.apt.tags import LineKind, lines_of
from aptdither.apt.writer import is_unedited_copy
from aptdither.errors import AptDitherError, RefusalError
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.joint import Cluster
from aptdither.planning.receipts import EQUAL_ARCSEC, to_paste

FOLLOWER_MOVES = Rule(
    code="ADT401",
    severity=Severity.WARNING,
    title="SAME POS AS refers to a dithered exposure",
    explanation="Reported by `apply`. An exposure outside the set takes its position from an "
    "exposure inside. It moves with that exposure to one point of the pattern and is not dithered "
    "itself. Tag it, too, if it should be.",
    source="Phase II Proposal Instructions (SAME POS AS)",
)
OLD_NUMBER = Rule(
    code="ADT408",
    severity=Severity.WARNING,
    title="an exposure number may be out of date",
    explanation="Reported by `apply`. An expansion renumbers the exposures of its visit, and "
    "SamePosAs follows. Other text or attributes that seem to name an exposure by its old number "
    "are not changed: correct them in APT.",
    source="the .apt format",
)

#: Attributes of exposures and groups that name no other exposure, or that `apply` keeps up to date.
_KNOWN_ATTRIBUTES = frozenset(
    b"Number Label TargetName Config Opmode Aperture SpElement Wavelength NumberOfIterations EtcRunId "
    b"TimePerExposure SamePosAs RealtimeAnalysis RequiresUplink Expand LowSky Shadow NewAlignment "
    b"NewObset NewObsetFullAcq SpecialCommand Type Pattern".split()
)
_MENTION = re.compile(
    r"\bexp(?:osures?|s?\.?)\s*(?:no\.?|numbers?|#)?\s*"
    r"([0-9]+(?:(?:\s*(?:,|and|&|-|to|through)\s*)+[0-9]+)*)(?![\w.]*\w)",
    re.IGNORECASE,
)


def contradictions(proposal: Proposal, planned: Sequence[Cluster]) -> Iterator[AptDitherError]:
    """Yield what forbids an expansion: copies that would be lost, or are there already."""
    in_sets = {node for one in planned for node in one.becomes}
    for one in planned:
        visit = one.share.visit
        others = [exposure for exposure in visit.exposures if exposure.node not in in_sets]
        for member in one.share.members:
            source = member.exposure
            if source.node not in one.becomes:
                continue
            for copy in member.copies:
                if not one.becomes[copy.node] and not is_unedited_copy(proposal, source, copy):
                    yield RefusalError(
                        f"exposure {source.number} or this copy of it was edited since it was made, "
                        "and fewer points are requested now; undo the edits, delete the copy, or "
                        "give n= as many exposures as there are",
                        location=visit.location(copy),
                    )
            yield from _already_dithered(visit, one.becomes[source.node], others)


def _already_dithered(
    visit: Visit, becomes: Sequence[NewExposure], others: Iterable[Exposure]
) -> Iterator[AptDitherError]:
    """Yield an error where exposures in no set stand at the points that an expansion would add."""
    source = becomes[0].source
    there = {
        one: new.receipt
        for new in becomes
        for one in others
        if new.copy
        and new.pos_targ is not None
        and one.pos_targ is not None
        and (one.setup, one.target_name) == (source.setup, source.target_name)
        and (one.pos_targ - new.pos_targ).length_arcsec <= EQUAL_ARCSEC
    }
    if there:
        if not receipt_lines(source.comments):
            there = {source: becomes[0].receipt} | there
        yield RefusalError(
            f"exposure {source.number} would be expanded, but exposures of the same setup stand at "
            f"points of its pattern already; if they are its copies, {to_paste(there)}, behind "
            f"exposure {source.number}; if not, give all of them one id=, or delete them",
            location=visit.location(source),
        )


def followers(changes: Iterable[VisitChange]) -> Iterator[Finding]:
    """Yield a finding for each exposure outside a set that takes its place from one inside."""
    for change in changes:
        moved = {new.source.number for new in change.exposures if new.pos_targ is not None}
        for new in change.exposures:
            named = new.source.same_pos_as
            if new.pos_targ is None and named in moved:
                yield FOLLOWER_MOVES.finding(
                    f"SamePosAs {named} follows a dithered exposure to its new place (after an "
                    "expansion: to the first point); it is not dithered itself",
                    change.visit.location(new.source),
                )


def old_numbers(proposal: Proposal, changes: Iterable[VisitChange]) -> Iterator[Finding]:
    """Yield a finding for each place that seems to name an exposure by a number it had before."""
    for change in changes:
        visit = change.visit
        renumbered = {
            new.source.number: f"is exposure {new.number} now"
            for new in change.exposures
            if new.copy == 0 and new.number != new.source.number
        } | {exposure.number: "is removed" for exposure in change.removed}
        if not renumbered:
            continue
        exposures = [(one, visit.location(one)) for one in visit.exposures]
        groups = {group.node: group for _, around in visit.walk() for group in around}
        for comments, location in [
            (visit.comments, visit.location()),
            *((one.comments, location) for one, location in exposures),
        ]:
            for words, number in _mentions(comments, renumbered):
                yield OLD_NUMBER.finding(
                    f"the Comments mention {words!r}, and exposure {number} "
                    f"{renumbered[number]}; correct the Comments if that exposure is meant",
                    location,
                )
        for node, location in [
            *((one.node, location) for one, location in exposures),
            *((one.node, replace(visit.location(), line=one.line)) for one in groups.values()),
        ]:
            for name, number in _unknown_attributes(proposal, node, renumbered):
                yield OLD_NUMBER.finding(
                    f"{name}={number!r} may name exposure {number}, which {renumbered[number]}; "
                    "check it in APT",
                    location,
                )


def _mentions(comments: str, renumbered: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for start, stop, kind in lines_of(comments):
        if kind in (LineKind.OTHER, LineKind.STRAY):
            for found in _MENTION.finditer(comments, start, stop):
                number = next(
                    (one for one in re.findall("[0-9]+", found[1]) if one in renumbered), None
                )
                if number is not None:
                    yield found[0], number


def _unknown_attributes(
    proposal: Proposal, node: int, renumbered: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    view, element = proposal.document.view, proposal.document.elements[node]
    for name, at in find_attributes(view, element).items():
        value = view[at.value_start : at.value_stop].decode(proposal.document.encoding).strip()
        if name not in _KNOWN_ATTRIBUTES and value in renumbered:
            yield name.decode(proposal.document.encoding), value
