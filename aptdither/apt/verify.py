"""The proof of a rewritten proposal: it differs from the old one where the plan says, and only there.

It trusts nothing that made the edits. What is shown, in this order:

1. the bytes outside the edits are the old file's; every edit lies among the exposures of a planned
   visit, or is the text of its TicDataCurrent;
2. the whole new file is well-formed;
3. the exposures of each planned visit are read again, old and new: every value that may change is
   what the plan wants, and once those values are left out both are the same canonical XML.

The old visits are read one at a time, so there is never more than one tree of a whole file.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NoReturn

from lxml import etree

from aptdither.apt.changes import NewExposure, VisitChange, matches_receipt, receipt_lines
from aptdither.apt.document import (
    Document,
    Edit,
    in_order,
    parse_bytes,
    spans_outside,
)
from aptdither.apt.proposal import Visit
from aptdither.apt.reader import read_pos_targ
from aptdither.apt.tags import LINE_END, LineKind, kind_of_line
from aptdither.errors import DocumentError, Location, RewriteError

_BESIDE_TAGS = re.compile(rb"(?<=>)[ \t\n]+|[ \t\n]+(?=<)")
_BLANKS = " \t\n"  # what XML makes of a file's blanks; a CR can only come from an entity
_MAY_CHANGE = ("PosTarg", "Comments", "TicDataCurrent")


def verify_rewrite(
    document: Document,
    all_visits: Sequence[Visit],
    edits: Sequence[Edit],
    plans: Sequence[VisitChange],
    result: bytes,
) -> None:
    """Prove a new file.

    Parameters
    ----------
    document : Document
        The old file.
    all_visits : sequence of Visit
        Its visits, in document order.
    edits : sequence of Edit
        What was spliced into its view.
    plans : sequence of VisitChange
        What was wanted, visits in document order.
    result : bytes
        The new file.

    Raises
    ------
    RewriteError
        If it is not what was wanted.
    """
    new_view = result
    if document.view is not document.source:
        new_view = result.decode(document.source_encoding).encode(document.encoding)
    ordered = in_order(document.view, edits)
    _prove_bytes(document.view, ordered, new_view)
    _prove_places(document, ordered, plans)
    try:
        root = parse_bytes(new_view, document.encoding, keep_blanks=False)
    except DocumentError as error:
        _fail(f"the new file cannot be read: {error}")
    visits = iter(
        visit
        for holder in root.iterchildren("Visits")
        for visit in holder.iterchildren("Visit", "HstQuadPattern")
    )
    by_node = {plan.visit.node: plan for plan in plans}
    for visit in all_visits:
        new = next(visits, None)
        if new is None:
            _fail("a visit is missing")
        plan = by_node.get(visit.node)
        if plan is not None:
            try:
                _VisitProof(plan, document).verify_rewrite(new)
            except RewriteError as error:
                raise error.located(Location(visit=visit.number)) from None
    if next(visits, None) is not None:
        _fail("there is a visit too many")


def _prove_bytes(old: bytes, edits: Sequence[Edit], new: bytes) -> None:
    at = 0
    lengths = [*(len(edit.new) for edit in edits), 0]
    for (start, stop), inserted in zip(spans_outside(edits, len(old)), lengths, strict=True):
        if new[at : at + stop - start] != old[start:stop]:
            _fail(f"bytes {start} to {stop} are not the old file's")
        at += stop - start + inserted
    if at != len(new):
        _fail(f"the new file has {len(new)} bytes instead of {at}")


def _prove_places(document: Document, edits: Sequence[Edit], plans: Sequence[VisitChange]) -> None:
    """Show that edits lie among exposures, but for one word in each visit's TicDataCurrent."""
    view = document.view
    waiting = 0
    for plan in plans:
        element = document.elements[plan.visit.node]
        head_stop = _first_exposure(document, plan.visit)
        while waiting < len(edits) and edits[waiting].stop <= element.close_start:
            edit = edits[waiting]
            around = view[max(element.start, edit.start - 100) : edit.start].rstrip()
            is_tic = (
                edit.start >= element.open_stop
                and edit.new == b"false"
                and b"<TicDataCurrent" in around
                and view[edit.stop : edit.stop + 100].lstrip().startswith(b"</TicDataCurrent")
            )
            if edit.start < head_stop and not is_tic:
                _fail(f"byte {edit.start} was edited, which the plan does not name")
            waiting += 1
    if waiting < len(edits):
        _fail(f"byte {edits[waiting].start} was edited outside the visits of the plan")


def _first_exposure(document: Document, visit: Visit) -> int:
    return document.elements[visit.children[0].node].start


class _VisitProof:
    """Compares the exposures of one visit, old and new, with its plan."""

    def __init__(self, plan: VisitChange, document: Document) -> None:
        self.plan = plan
        self.document = document

    def verify_rewrite(self, new: etree._Element) -> None:
        """Raise RewriteError unless the new exposures are the old ones changed as planned."""
        tic = new.findtext("TicData/TicDataCurrent")
        was = self.plan.visit.tic_data_current
        if tic is not None and tic.strip() not in ("", "false", was):
            _fail(f"TicDataCurrent is {tic!r}")
        old = self._read_old()
        _keep_exposures(new)
        self._prove_exposures(old, new)
        for root in (old, new):
            # Leaving elements out here, in C, costs less than skipping them in a comparison.
            etree.strip_elements(root, *_MAY_CHANGE, with_tail=False)
        if not _are_equal(old, new):
            _fail("something changed that the plan does not name")

    def _read_old(self) -> etree._Element:
        """Read what the old visit holds from its first exposure on."""
        document, visit = self.document, self.plan.visit
        stop = document.elements[visit.node].close_start
        inside = document.view[_first_exposure(document, visit) : stop]
        name = visit.kind.encode()
        try:
            return parse_bytes(
                b"<" + name + b">" + inside + b"</" + name + b">",
                document.encoding,
                keep_blanks=False,
            )
        except DocumentError as error:
            _fail(f"a visit cannot be read: {error}")

    def _prove_exposures(self, old: etree._Element, new: etree._Element) -> None:
        old_elements, new_elements = _exposures(old), _exposures(new)
        exposures = self.plan.visit.exposures
        rows = self.plan.exposures
        if len(old_elements) != len(exposures) or len(new_elements) != len(rows):
            _fail(f"it has {len(new_elements)} exposures instead of {len(rows)}")
        by_node = {
            exposure.node: element
            for exposure, element in zip(exposures, old_elements, strict=True)
        }
        copies = []
        for row, element in zip(rows, new_elements, strict=True):
            was = by_node[row.source.node]
            _prove_exposure(row, was, element)
            if row.copy:
                copies.append((was, element))
        for exposure in self.plan.removed:
            _remove(by_node[exposure.node])
        for element in (*old_elements, *new_elements):
            for name in ("Number", "SamePosAs"):
                element.attrib.pop(name, None)
        for row, element in zip(rows, new_elements, strict=True):
            if row.is_split:
                _leave_out_sub_exposures(by_node[row.source.node])
                _leave_out_sub_exposures(element)
        for was, made in copies:
            if not _are_equal(_bare(was), _bare(made)):
                _fail("a copy differs from its exposure in more than the plan names")
            _remove(made)
        if len(_groups(old)) != len(_groups(new)):
            _fail("it has lost or gained a group")
        if self.plan.unwrapped:
            self._prove_unwrapped(old, new)

    def _prove_unwrapped(self, old: etree._Element, new: etree._Element) -> None:
        names = ("Type", "Pattern")
        elements, node = self.document.elements, self.plan.visit.node
        inside = itertools.takewhile(
            lambda element: element.start < elements[node].stop, elements[node:]
        )
        nodes = [element.node for element in inside if element.name == "ExposureGroup"]
        for at, was, element in zip(nodes, _groups(old), _groups(new), strict=True):
            if at in {group.node for group in self.plan.unwrapped}:
                if any(name in element.attrib for name in names):
                    _fail("a pattern group was not unwrapped")
                for name in names:
                    was.attrib.pop(name, None)


def _prove_exposure(row: NewExposure, was: etree._Element, element: etree._Element) -> None:
    told = (element.get("Number", ""), element.get("SamePosAs") or None)
    if told != (row.number, row.same_pos_as):
        _fail(f"exposure {row.number} has another Number or SamePosAs than planned")
    new_pos_targ, new_text = _what_may_change(element)
    old_pos_targ, old_text = _what_may_change(was)
    if row.receipt is None:
        if _attributes(new_pos_targ) != _attributes(old_pos_targ) or new_text != old_text:
            _fail(f"exposure {row.number} changed, which the plan does not name")
        return
    found = None if new_pos_targ is None else read_pos_targ(new_pos_targ, 0)[0]
    if found != row.pos_targ:
        _fail(f"exposure {row.number} points to {found}, not to {row.pos_targ}")
    axes = {"X", "Y"}
    if _attributes(new_pos_targ).keys() - axes != _attributes(old_pos_targ).keys() - axes:
        _fail(f"the PosTarg of exposure {row.number} has other attributes than before")
    receipts = receipt_lines(new_text)
    if len(receipts) != 1 or not matches_receipt(receipts[0], row.receipt):
        _fail(f"exposure {row.number} does not hold its receipt")
    dropped = {LineKind.RECEIPT}
    if list(_lines(new_text, dropped)) != list(
        _lines(old_text, dropped | {LineKind.TAG, LineKind.TYPO} if row.copy else dropped)
    ):
        _fail(f"the Comments of exposure {row.number} lost or gained a line")
    if row.is_split:
        _prove_dealt(row, was, element)


def _prove_dealt(row: NewExposure, was: etree._Element, element: etree._Element) -> None:
    if element.get("NumberOfIterations", "1") != "1":
        _fail(f"exposure {row.number} still has iterations")
    subs, kept = (
        was.findall("SubExposures/SubExposure"),
        element.findall("SubExposures/SubExposure"),
    )
    if len(kept) != min(len(subs), 1):
        _fail(f"exposure {row.number} has {len(kept)} SubExposures")
    for sub in kept:
        dealt = dict(subs[min(row.copy, len(subs) - 1)].attrib)
        wanted = {
            name: value
            for name, value in dealt.items()
            if name != "CopyNumber" and not name.endswith("PatternPosition")
        }
        if dict(sub.attrib) != wanted:
            _fail(f"exposure {row.number} has another SubExposure than planned")


def _exposures(visit: etree._Element) -> list[etree._Element]:
    """Return the exposures of a visit in document order."""
    exposures = []
    waiting = list(visit.iterchildren("Exposure", "ExposureGroup", reversed=True))
    while waiting:
        element = waiting.pop()
        if element.tag == "Exposure":
            exposures.append(element)
        else:
            waiting.extend(element.iterchildren("Exposure", "ExposureGroup", reversed=True))
    return exposures


def _groups(visit: etree._Element) -> list[etree._Element]:
    return [group for group in visit.iter("{*}ExposureGroup") if group.prefix is None]


def _keep_exposures(visit: etree._Element) -> None:
    """Leave out what stands before the first exposure: its bytes were compared."""
    visit.attrib.clear()
    visit.text = None
    for child in visit:
        if child.tag in ("Exposure", "ExposureGroup"):
            return
        visit.remove(child)


def _remove(element: etree._Element) -> None:
    """Remove an element and the blanks before it, as the bytes were."""
    parent, previous = element.getparent(), element.getprevious()
    tail = element.tail or ""
    if previous is not None:
        joined = (previous.tail or "").rstrip(_BLANKS) + tail
        parent.remove(element)
        previous.tail = joined
    else:
        joined = (parent.text or "").rstrip(_BLANKS) + tail
        parent.remove(element)
        parent.text = joined


def _leave_out_sub_exposures(element: etree._Element) -> None:
    element.attrib.pop("NumberOfIterations", None)
    for holder in element.findall("SubExposures"):
        holder.text = None
        for sub in holder.findall("SubExposure"):
            holder.remove(sub)


def _bare(element: etree._Element) -> etree._Element:
    bare = copy.copy(element)
    bare.tail = None
    etree.strip_elements(bare, *_MAY_CHANGE, with_tail=False)
    return bare


def _are_equal(old: etree._Element, new: etree._Element) -> bool:
    before, after = (etree.tostring(root, method="c14n") for root in (old, new))
    if before == after:
        return True
    # Blanks were left out by the parser, but it keeps them beside text and in empty elements: where
    # text stands among the elements of an exposure, a new element's blanks join it.
    return _BESIDE_TAGS.sub(b"", before) == _BESIDE_TAGS.sub(b"", after)


def _attributes(element: etree._Element | None) -> dict[str, str]:
    return {} if element is None else dict(element.attrib)


def _what_may_change(exposure: etree._Element) -> tuple[etree._Element | None, str]:
    """Return the PosTarg of an exposure and the text of its Comments."""
    pos_targ = comments = None
    for child in exposure.iterchildren("PosTarg", "Comments"):
        if child.tag == "Comments":
            comments = child if comments is None else comments
        else:
            pos_targ = child if pos_targ is None else pos_targ
    return pos_targ, "" if comments is None else _text(comments)


def _text(element: etree._Element) -> str:
    """Return the text up to the first child element; comments and the like do not end it."""
    text = element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            break
        text += child.tail or ""
    return text


def _lines(comments: str, dropped: set[LineKind]) -> Iterator[str]:
    for line in LINE_END.split(comments):
        if line.strip() and kind_of_line(line) not in dropped:
            yield line


def _fail(message: str) -> NoReturn:
    raise RewriteError(
        f"the new proposal failed its proof: {message}; nothing was written. This is a fault of "
        "aptdither: please report it with the file"
    )
