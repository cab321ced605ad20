"""Check a rewritten proposal before it is written: it differs from the old one only as planned.

The check uses nothing of the writer but its result:

1. The new file is read again as a proposal. Its exposures are those of the plan: numbers,
   SamePosAs, POS TARGs, receipts, and every other line of the comments.
2. All other bytes are the old file's. Only these may differ, and only in the visits of the plan:
   the PosTarg, the Comments and the Number, SamePosAs and NumberOfIterations of an exposure, the
   SubExposures of one whose iterations are split, exposures that are copied or removed, Type and
   Pattern of a group that is unwrapped, and TicDataCurrent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

from aptdither.apt.changes import NewExposure, VisitChange, matches_receipt, receipt_lines
from aptdither.apt.document import Document
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.reader import read_visits
from aptdither.apt.spans import (
    SPACE,
    Child,
    Element,
    find_attributes,
    find_children,
    space_before,
)
from aptdither.apt.tags import LINE_END, LineKind, kind_of_line
from aptdither.errors import DocumentError, Location, ProposalError, RewriteError
from aptdither.types import NO_OFFSET

_Cut = tuple[int, int]


def verify_rewrite(proposal: Proposal, changes: Sequence[VisitChange], result: bytes) -> None:
    """Check a new file.

    Parameters
    ----------
    proposal : Proposal
        The old file.
    changes : sequence of VisitChange
        What was planned, visits in document order.
    result : bytes
        The new file.

    Raises
    ------
    RewriteError
        If it is not what was planned: an internal error.
    """
    old = proposal.document
    by_node = {change.visit.node: change for change in changes}
    at_old = at_new = 0
    try:
        new, new_visits = read_visits(result)
    except (DocumentError, ProposalError) as error:
        _fail(f"the new file cannot be read: {error}")
    if new.source_encoding != old.source_encoding:
        _fail("the new file has another encoding")
    for visit in proposal.visits:
        new_visit = next(new_visits, None)
        if new_visit is None:
            _fail("a visit is missing")
        change = by_node.get(visit.node)
        if change is None:
            continue
        before, after = old.elements[visit.node], new.elements[new_visit.node]
        if old.view[at_old : before.start] != new.view[at_new : after.start]:
            _fail(f"something before visit {visit.number} changed")
        at_old, at_new = before.stop, after.stop
        try:
            _verify_visit(change, old, new, new_visit)
        except RewriteError as error:
            raise error.located(Location(visit=visit.number)) from None
    if old.view[at_old:] != new.view[at_new:]:
        _fail("something after the changed visits changed")


def _verify_visit(change: VisitChange, old: Document, new: Document, visit: Visit) -> None:
    exposures = visit.exposures
    if len(exposures) != len(change.exposures):
        _fail(f"it has {len(exposures)} exposures instead of {len(change.exposures)}")
    copies = set()
    for wanted, exposure in zip(change.exposures, exposures, strict=True):
        _verify_values(wanted, exposure)
        _verify_other_bytes(wanted, old, new, exposure)
        if wanted.copy:
            copies.add(exposure.node)
    unwrapped = {group.node for group in change.unwrapped}
    groups = zip(_groups(change.visit.children), _groups(visit.children), strict=False)
    for before, group in groups if unwrapped else ():
        if before.node in unwrapped and (group.type, group.pattern_number) != (None, None):
            _fail("a pattern group was not unwrapped")
    removed = {exposure.node for exposure in change.removed}
    comments = {b"Comments"} if change.dropped else set()
    if change.dropped and (
        list(_lines(visit.comments, set()))
        != list(_lines(change.visit.comments, set(change.dropped)))
    ):
        _fail("the Comments of the visit lost or gained a line")
    around = _around_exposures(old, change.visit, removed, unwrapped, comments)
    new_around = _around_exposures(new, visit, copies, set(), comments)
    if around != new_around and not _became_stale(change.visit, around, visit, new_around):
        _fail("something beside the exposures changed")


def _verify_values(wanted: NewExposure, exposure: Exposure) -> None:
    """Compare an exposure as read from the new file with the plan."""
    if (exposure.number, exposure.same_pos_as) != (wanted.number, wanted.same_pos_as):
        _fail(f"exposure {wanted.number} has another Number or SamePosAs than planned")
    if wanted.receipt is None and not wanted.dropped:
        return
    has = exposure.pos_targ or (NO_OFFSET if wanted.receipt is None else None)
    if wanted.pos_targ is not None and has != wanted.pos_targ:
        _fail(f"exposure {wanted.number} has POS TARG {exposure.pos_targ}, not {wanted.pos_targ}")
    receipts = receipt_lines(exposure.comments)
    dropped = {LineKind.RECEIPT}
    if wanted.receipt is None:
        dropped = set()
    elif len(receipts) != 1 or not matches_receipt(receipts[0], wanted.receipt):
        _fail(f"exposure {wanted.number} does not hold its receipt")
    old_dropped = dropped | {LineKind.TAG, LineKind.TYPO} if wanted.copy else dropped
    lines = list(_lines(exposure.comments, dropped))
    if lines != list(_lines(wanted.source.comments, old_dropped | wanted.dropped)):
        _fail(f"the Comments of exposure {wanted.number} lost or gained a line")
    if wanted.is_split and exposure.iterations != 1:
        _fail(f"exposure {wanted.number} still has iterations")


def _lines(comments: str, dropped: set[LineKind]) -> Iterator[str]:
    for line in LINE_END.split(comments):
        if line.strip() and kind_of_line(line) not in dropped:
            yield line


def _groups(children: Iterable[Exposure | ExposureGroup]) -> Iterator[ExposureGroup]:
    for child in children:
        if isinstance(child, ExposureGroup):
            yield child
            yield from _groups(child.children)


# Bytes that must not change -----------------------------------------------------------------------


def _verify_other_bytes(
    wanted: NewExposure, old: Document, new: Document, exposure: Exposure
) -> None:
    source = wanted.source
    numbers = (source.number, source.same_pos_as) != (wanted.number, wanted.same_pos_as)
    attributes = [b"Number", b"SamePosAs"] if numbers else []
    changes = wanted.receipt is not None or wanted.dropped
    children = {b"PosTarg", b"Comments"} if changes else set()
    if wanted.is_split:
        attributes.append(b"NumberOfIterations")
        children.add(b"SubExposures")
    was, element = old.elements[source.node], new.elements[exposure.node]
    has_pos_targ = source.pos_targ is not None or source.problems
    old_children = children if has_pos_targ else children - {b"PosTarg"}
    before = _other_bytes(old.view, was, attributes, old_children)
    if before != _other_bytes(new.view, element, attributes, children):
        _fail(f"exposure {wanted.number} changed in more than planned")
    if wanted.is_split:
        subs = _sub_exposures(old.view, was)
        if _sub_exposures(new.view, element) != subs[min(wanted.kept_run, len(subs) - 1) :][:1]:
            _fail(f"exposure {wanted.number} has another SubExposure than planned")


def _other_bytes(
    view: bytes, element: Element, attributes: Sequence[bytes], children: Iterable[bytes]
) -> tuple[bytes, bytes, dict[bytes, bytes]]:
    """Return what an exposure holds beside some attributes and the first child of some names.

    It is its start tag, its content and the attributes of its PosTarg that are not X or Y.
    """
    waiting = set(children)
    cuts: list[_Cut] = []
    pos_targ: dict[bytes, bytes] = {}
    if waiting:
        for child in find_children(view, element.open_stop, element.close_start):
            if child.name not in waiting:
                continue
            cuts.append((space_before(view, child.start), child.stop))
            if child.name == b"PosTarg":
                pos_targ = _attributes(view, child, except_for=(b"X", b"Y"))
            waiting.remove(child.name)
            if not waiting:
                break
    tag = view[element.start : element.open_stop]
    if attributes:
        cuts_in_tag = _attribute_cuts(view, element, attributes)
        tag = _without(view, element.start, element.open_stop, cuts_in_tag)
    content = _without(view, element.open_stop, element.close_start, cuts)
    return tag.rstrip(SPACE + b"/>"), content if content.strip(SPACE) else b"", pos_targ


def _sub_exposures(view: bytes, element: Element) -> list[dict[bytes, bytes]]:
    """Return the attributes of each SubExposure, except for those that number them."""
    for holder in find_children(view, element.open_stop, element.close_start):
        if holder.name == b"SubExposures":
            subs = [
                _attributes(view, child)
                for child in find_children(view, holder.open_stop, holder.close_start)
                if child.name == b"SubExposure"
            ]
            return [
                {
                    name: value
                    for name, value in sub.items()
                    if name != b"CopyNumber" and not name.endswith(b"PatternPosition")
                }
                for sub in subs
            ]
    return []


def _around_exposures(
    document: Document,
    visit: Visit,
    left_out: set[int],
    unwrapped: set[int],
    children: set[bytes],
) -> bytes:
    """Return a visit without its exposures.

    The spaces before the exposures of `left_out`, and Type and Pattern of the groups of
    `unwrapped`, are left out too; both are sets of nodes. So are the first children of some names.
    """
    view, elements = document.view, document.elements
    cuts: list[_Cut] = []
    for exposure in visit.exposures:
        element = elements[exposure.node]
        start = element.start
        cuts.append(
            (space_before(view, start) if exposure.node in left_out else start, element.stop)
        )
    whole = elements[visit.node]
    for child in find_children(view, whole.open_stop, whole.close_start) if children else ():
        if child.name in children:
            cuts.append((child.start, child.stop))
            break
    for node in unwrapped:
        cuts += _attribute_cuts(view, elements[node], (b"Type", b"Pattern"))
    return _without(view, elements[visit.node].start, elements[visit.node].stop, sorted(cuts))


def _became_stale(was: Visit, old: bytes, now: Visit, new: bytes) -> bool:
    """Tell whether a visit's TicDataCurrent became false, and nothing else of it changed."""
    if now.tic_data_current != "false" or was.tic_data_current in (None, "false"):
        return False
    mark, end = b"</TicDataCurrent", -1
    while (end := new.find(mark, end + 1)) >= 0:
        start = new.rfind(b">", 0, end) + 1
        if old.startswith(new[:start]) and old[start:].endswith(new[end:]):
            return mark not in old[start : end - len(new)]
    return False


def _attributes(view: bytes, child: Child, except_for: Iterable[bytes] = ()) -> dict[bytes, bytes]:
    return {
        name: view[attribute.value_start : attribute.value_stop]
        for name, attribute in find_attributes(view, child.start, child.open_stop).items()
        if name not in except_for
    }


def _attribute_cuts(view: bytes, element: Element, names: Sequence[bytes]) -> list[_Cut]:
    attributes = find_attributes(view, element.start, element.open_stop)
    return [(place.before, place.stop) for name, place in attributes.items() if name in names]


def _without(view: bytes, start: int, stop: int, cuts: Iterable[_Cut]) -> bytes:
    """Return the bytes from `start` to `stop` without the cuts, which are in order."""
    pieces: list[bytes] = []
    for cut_start, cut_stop in cuts:
        pieces.append(view[start:cut_start])
        start = cut_stop
    pieces.append(view[start:stop])
    return b"".join(pieces)


def _fail(message: str) -> NoReturn:
    raise RewriteError(
        f"internal error, please report it with this file: {message}; nothing was written"
    )
