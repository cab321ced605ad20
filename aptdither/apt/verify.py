"""Check a rewritten proposal before it is written: it differs from the old one only as planned.

The check uses nothing of the writer but its result:

1. The new file is read again as a proposal. Its exposures are those of the plan: numbers,
   SamePosAs, POS TARGs, receipts, and every other line of the comments.
2. All other bytes are the old file's. Only these may differ, and only in the visits of the plan:
   the PosTarg, the Comments and the Number, SamePosAs and NumberOfIterations of an exposure, the
   SubExposures of one whose iterations are split, exposures that are copied or removed, Type and
   Pattern of a group that is unwrapped, and TicDataCurrent. What may differ is cut out of both
   files; the rest must be equal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import NoReturn

from aptdither.apt.changes import NewExposure, VisitChange, matches_receipt
from aptdither.apt.document import Document, Edit, splice
from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.reader import open_proposal
from aptdither.apt.spans import (
    SPACE,
    Element,
    find_attributes,
    find_children,
    first_children,
    space_before,
    trimmed,
)
from aptdither.apt.tags import LINE_END, LineKind, kind_of_line
from aptdither.errors import DocumentError, Location, ProposalError, RewriteError
from aptdither.types import NO_OFFSET

#: Lines of the old Comments that the receipt takes the place of, in the exposure and in a copy.
_RECEIPT_LINES = frozenset({LineKind.RECEIPT})
_OWN_LINES = frozenset({LineKind.RECEIPT, LineKind.TAG, LineKind.TYPO})


def verify_rewrite(proposal: Proposal, changes: Sequence[VisitChange], result: bytes) -> None:
    """Check a new file against the old one and the planned changes, visits in document order.

    Raises
    ------
    RewriteError
        If it is not what was planned: an internal error.
    """
    try:
        new, _, new_visits = open_proposal(result)
    except (DocumentError, ProposalError) as error:
        _fail(f"the new file cannot be read: {error}")
    old = proposal.document
    if new.source_encoding != old.source_encoding:
        _fail("the new file has another encoding")
    by_node = {change.visit.node: change for change in changes}
    at_old = at_new = 0
    for visit, new_visit in zip_longest(proposal.visits, new_visits):
        if visit is None or new_visit is None:
            _fail("a visit was lost or gained")
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
    for wanted, exposure in zip(change.exposures, exposures, strict=True):
        if (exposure.number, exposure.same_pos_as) != (wanted.number, wanted.same_pos_as):
            _fail(f"exposure {wanted.number} has another Number or SamePosAs than planned")
        if wanted.receipt is not None or wanted.dropped:
            _verify_values(wanted, exposure)
        _verify_other_bytes(wanted, old, new, exposure)
    if change.dropped and _lines(visit.comments) != [
        line for line in _lines(change.visit.comments) if line[0] not in change.dropped
    ]:
        _fail("the Comments of the visit lost or gained a line")
    unwrapped = {group.node for group in change.unwrapped}
    removed = {exposure.node for exposure in change.removed}
    copies = {
        exposure.node
        for wanted, exposure in zip(change.exposures, exposures, strict=True)
        if wanted.copy
    }
    was, now = change.visit.tic_data_current, visit.tic_data_current
    may_differ = {b"Comments"} if change.dropped else set()
    if now == "false" and was not in (None, "false"):
        may_differ.add(b"TicDataCurrent")
    if _around_exposures(old, change.visit, removed, unwrapped, may_differ) != _around_exposures(
        new, visit, copies, set(), may_differ
    ):
        _fail("something beside the exposures changed")


def _verify_values(wanted: NewExposure, exposure: Exposure) -> None:
    """Compare an exposure as read from the new file with the plan."""
    has, pos_targ = exposure.pos_targ, wanted.pos_targ
    lines, dropped = _lines(exposure.comments), wanted.dropped
    if wanted.receipt is None:
        has = has or NO_OFFSET
    else:
        receipts = [line for kind, line in lines if kind is LineKind.RECEIPT]
        if len(receipts) != 1 or not matches_receipt(receipts[0], wanted.receipt):
            _fail(f"exposure {wanted.number} does not hold its receipt")
        lines = [line for line in lines if line[0] is not LineKind.RECEIPT]
        dropped = _OWN_LINES if wanted.copy else _RECEIPT_LINES
    if pos_targ is not None and has != pos_targ:
        _fail(f"exposure {wanted.number} has POS TARG {exposure.pos_targ}, not {pos_targ}")
    if lines != [line for line in _lines(wanted.source.comments) if line[0] not in dropped]:
        _fail(f"the Comments of exposure {wanted.number} lost or gained a line")
    if wanted.is_split and exposure.iterations != 1:
        _fail(f"exposure {wanted.number} still has iterations")


def _lines(comments: str) -> list[tuple[LineKind, str]]:
    """Return the lines of a comment that are not blank, with their kinds."""
    return [(kind_of_line(line), line) for line in LINE_END.split(comments) if line.strip()]


# Bytes that must not change -----------------------------------------------------------------------


def _verify_other_bytes(
    wanted: NewExposure, old: Document, new: Document, exposure: Exposure
) -> None:
    source = wanted.source
    attributes: list[bytes] = []
    children: list[bytes] = []
    if (source.number, source.same_pos_as) != (wanted.number, wanted.same_pos_as):
        attributes += (b"Number", b"SamePosAs")
    if wanted.is_split:
        attributes.append(b"NumberOfIterations")
        children.append(b"SubExposures")
    if wanted.receipt is not None or wanted.dropped:
        children += (b"Comments", b"PosTarg")
    had_pos_targ = source.pos_targ is not None or source.problems
    old_children = [name for name in children if had_pos_targ or name != b"PosTarg"]
    before, subs = _other_bytes(old.view, old.elements[source.node], attributes, old_children)
    after, new_subs = _other_bytes(new.view, new.elements[exposure.node], attributes, children)
    if before != after or new_subs != subs[wanted.kept_run(len(subs)) :][:1]:
        _fail(f"exposure {wanted.number} changed in more than planned")


def _other_bytes(
    view: bytes, element: Element, attributes: Collection[bytes], children: Collection[bytes]
) -> tuple[tuple[bytes, bytes, dict[bytes, bytes]], list[dict[bytes, bytes]]]:
    """Return what an exposure holds beside some attributes and the first child of some names.

    It is its start tag, its content and the attributes of its PosTarg that are not X or Y; and the
    attributes of each SubExposure that do not number it.
    """
    kept: list[bytes] = []
    pos_targ: dict[bytes, bytes] = {}
    subs: list[dict[bytes, bytes]] = []
    at = element.open_stop
    for child in first_children(view, element, children).values():
        kept.append(view[at : space_before(view, child.start)])
        at = child.stop
        if child.name == b"PosTarg":
            pos_targ = _attributes(view, child)
        elif child.name == b"SubExposures":
            subs = [
                _attributes(view, sub)
                for sub in find_children(view, child.open_stop, child.close_start)
                if sub.name == b"SubExposure"
            ]
    kept.append(view[at : element.close_start])
    content = b"".join(kept)
    tag_cuts = _attribute_cuts(view, element, attributes) if attributes else ()
    tag = splice(view, element.start, element.open_stop, tag_cuts).rstrip(b" \t\r\n/>")
    return (tag, content if content.strip(SPACE) else b"", pos_targ), subs


def _attributes(view: bytes, child: Element) -> dict[bytes, bytes]:
    """Return the attributes that are not a coordinate or a number of a SubExposure."""
    return {
        name: view[attribute.value_start : attribute.value_stop]
        for name, attribute in find_attributes(view, child).items()
        if name not in (b"X", b"Y", b"CopyNumber") and not name.endswith(b"PatternPosition")
    }


def _attribute_cuts(view: bytes, element: Element, names: Collection[bytes]) -> list[Edit]:
    attributes = find_attributes(view, element)
    return [
        Edit(space_before(view, attribute.start), attribute.stop)
        for name, attribute in attributes.items()
        if name in names
    ]


def _around_exposures(
    document: Document,
    visit: Visit,
    left_out: Collection[int],
    unwrapped: Collection[int],
    children: Collection[bytes],
) -> bytes:
    """Return a visit without its exposures.

    The spaces before the exposures of `left_out`, and Type and Pattern of the groups of
    `unwrapped`, are left out too; both are sets of nodes. So are the visit's own Comments and the
    text of its TicDataCurrent, where `children` names them.
    """
    view, elements = document.view, document.elements
    whole = elements[visit.node]
    cuts: list[Edit] = []
    for exposure in visit.exposures:
        element = elements[exposure.node]
        is_out = exposure.node in left_out
        start = space_before(view, element.start) if is_out else element.start
        cuts.append(Edit(start, element.stop))
    if b"Comments" in children:
        found = first_children(view, whole, (b"Comments",)).values()
        cuts += [Edit(child.start, child.stop) for child in found]
    if b"TicDataCurrent" in children and visit.tic_node is not None:
        cuts.append(Edit(*trimmed(view, elements[visit.tic_node])))
    for node in unwrapped:
        cuts += _attribute_cuts(view, elements[node], (b"Type", b"Pattern"))
    return splice(view, whole.start, whole.stop, cuts)


def _fail(message: str) -> NoReturn:
    raise RewriteError(
        f"internal error, please report it with this file: {message}; nothing was written"
    )
