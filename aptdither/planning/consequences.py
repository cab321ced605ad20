"""What a plan means for the rest of a visit: copies that go, exposures that follow, old numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from aptdither.apt.changes import NewExposure, VisitChange, receipt_lines
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal
from aptdither.apt.spans import find_attributes
from aptdither.apt.tags import LineKind, lines_of
from aptdither.apt.writer import is_unedited_copy
from aptdither.errors import AptDitherError, Location, RefusalError
from aptdither.findings import Finding, Rule, Severity
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
    (
        *(b"Number", b"Label", b"TargetName", b"Config", b"Opmode", b"Aperture", b"SpElement"),
        *(b"Wavelength", b"NumberOfIterations", b"EtcRunId", b"TimePerExposure", b"SamePosAs"),
        *(b"RealtimeAnalysis", b"RequiresUplink", b"Expand", b"LowSky", b"Shadow"),
        *(b"NewAlignment", b"NewObset", b"NewObsetFullAcq", b"SpecialCommand"),
        *(b"Type", b"Pattern"),
    )
)
_MENTION = re.compile(
    r"\bexp(?:osures?|s?\.?)\s*(?:no\.?|numbers?|#)?\s*"
    r"([0-9]+(?:(?:\s*(?:,|and|&|-|to|through)\s*)+[0-9]+)*)(?![\w.]*\w)",
    re.IGNORECASE,
)


def edited_copies(
    proposal: Proposal, source: Exposure, copies: Iterable[Exposure], location: Location
) -> Iterator[AptDitherError]:
    """Yield an error for each copy of an earlier run that would go although it was edited."""
    for copy in copies:
        if not is_unedited_copy(proposal, source, copy):
            yield RefusalError(
                f"exposure {source.number} or this copy of it was edited since it was made, and "
                "fewer points are requested now; undo the edits, delete the copy, or give n= as "
                "many exposures as there are",
                location=Location(visit=location.visit, exposure=copy.number, line=copy.line),
            )


def already_dithered(
    source: Exposure, becomes: Sequence[NewExposure], others: Iterable[Exposure], location: Location
) -> Iterator[AptDitherError]:
    """Yield an error where other exposures stand at the points that an expansion would add.

    Parameters
    ----------
    source : Exposure
        The exposure that is expanded.
    becomes : sequence of NewExposure
        What it becomes.
    others : iterable of Exposure
        The exposures of its visit that are in no set.
    location : Location
        Where the set's tag stands.
    """
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
            location=Location(visit=location.visit, exposure=source.number, line=source.line),
        )


def followers(changes: Iterable[VisitChange]) -> Iterator[Finding]:
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
        at_visit = Location(visit=visit.number, line=visit.line)
        places = [(visit.comments, at_visit)] + [
            (one.comments, Location(visit=visit.number, exposure=one.number, line=one.line))
            for one in visit.exposures
        ]
        for comments, location in places:
            for words, number in _mentions(comments, renumbered):
                yield OLD_NUMBER.finding(
                    f"the Comments mention {words!r}, and exposure {number} "
                    f"{renumbered[number]}; correct the Comments if that exposure is meant",
                    location,
                )
        elements: list[Exposure | ExposureGroup] = [*visit.exposures, *_groups(visit.children)]
        for element in elements:
            for name, number in _unknown_attributes(proposal, element.node, renumbered):
                own = element.number if isinstance(element, Exposure) else None
                yield OLD_NUMBER.finding(
                    f"{name}={number!r} may name exposure {number}, which {renumbered[number]}; "
                    "check it in APT",
                    Location(visit=visit.number, exposure=own, line=element.line),
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


def _groups(children: Iterable[Exposure | ExposureGroup]) -> Iterator[ExposureGroup]:
    for child in children:
        if isinstance(child, ExposureGroup):
            yield child
            yield from _groups(child.children)
