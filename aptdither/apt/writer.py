"""Write the changes of visits into a proposal, in the style of APT.

:func:`rewrite_proposal` turns the records of :mod:`aptdither.apt.changes` into edits, applies them
and has :mod:`aptdither.apt.verify` check the result. A value is edited only where it differs, so
rewriting a second time changes nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Sequence

from aptdither.apt.changes import NewExposure, VisitChange, matches_receipt, receipt_lines
from aptdither.apt.document import Document, Edit, splice
from aptdither.apt.limits import MAX_BYTES, MAX_COMMENTS
from aptdither.apt.proposal import Exposure, Proposal
from aptdither.apt.receipt import format_base, parse_receipt
from aptdither.apt.spans import (
    Attribute,
    Element,
    TextPlaces,
    find_attributes,
    find_children,
    find_text,
    first_attribute,
    first_children,
    space_after,
    space_before,
    trimmed,
)
from aptdither.apt.tags import LineKind, lines_of
from aptdither.apt.verify import verify_rewrite
from aptdither.errors import Location, ProposalError
from aptdither.types import NO_OFFSET

#: What APT adds to the indentation for each level, and for the attributes of an element.
_INDENT = b"   "

#: Children of an Exposure that APT writes after its Comments.
_AFTER_COMMENTS = (b"InstrumentParameters", b"SubExposures")

_TAG_LINES = (LineKind.TAG, LineKind.TYPO)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_XMLNS = re.compile(rb"\sxmlns\s*=")


def rewrite_proposal(proposal: Proposal, changes: Sequence[VisitChange]) -> bytes:
    """Write what changes into a proposal.

    Parameters
    ----------
    proposal : Proposal
        As read; its document keeps the bytes.
    changes : sequence of VisitChange
        What the touched visits become.

    Returns
    -------
    bytes
        The new file; the same object when nothing has to change. Every byte outside the edits is
        the old file's.

    Raises
    ------
    ProposalError
        If markup runs through a line that must be changed, or the new file would be too large.
    RewriteError
        If the new file is not what was planned: an internal error.

    Examples
    --------
    >>> from aptdither.apt.changes import change_visit
    >>> from aptdither.apt.reader import parse_proposal
    >>> from aptdither.types import PosTarg
    >>> proposal = parse_proposal(
    ...     b"<HSTProposal><Visits><Visit Number='01'><Exposure Number='1' /></Visit></Visits>"
    ...     b"</HSTProposal>"
    ... )
    >>> (visit,) = proposal.visits
    >>> new = NewExposure(
    ...     source=visit.exposures[0],
    ...     pos_targ=PosTarg(x_arcsec=0.542, y_arcsec=-0.182),
    ...     receipt=parse_receipt("@dithered 1/1 single base=0,0 aptdither=0.1.0"),
    ... )
    >>> change = change_visit(visit, {new.source.node: [new]})
    >>> b"<PosTarg X='0.542' Y='-0.182' />" in rewrite_proposal(proposal, [change])
    True
    """
    writer = _Writer(proposal.document)
    for change in changes:
        writer.write_visit(change)
    result = proposal.document.apply(writer.edits)
    writer.edits.clear()  # the check needs the memory
    if result is not proposal.document.source:
        verify_rewrite(proposal, changes, result)
    return result


def is_unedited_copy(proposal: Proposal, source: Exposure, copy: Exposure) -> bool:
    """Whether an exposure is still as an earlier run wrote it: a copy without edits by hand.

    True if `copy` has the bytes that :func:`rewrite_proposal` writes for a copy of `source` with
    the Number, POS TARG and receipt of `copy`. Two things may differ, since APT changes them
    without an edit by hand: how the numbers of the POS TARG are written, and the SubExposures,
    which hold the orbit of each exposure.
    """
    receipts = receipt_lines(copy.comments)
    receipt = parse_receipt(receipts[0]) if len(receipts) == 1 else None
    if receipt is None or copy.pos_targ is None or copy.same_pos_as is not None:
        return False
    if any(kind in _TAG_LINES for *_, kind in lines_of(copy.comments)):
        return False
    written = []
    for exposure in (source, copy):
        new = NewExposure(
            source=exposure, copy=1, number=copy.number, pos_targ=copy.pos_targ, receipt=receipt
        )
        writer = _Writer(proposal.document)
        try:
            writer.write_exposure(new)
        except ProposalError:  # markup runs through a tag or a receipt: apply has not written that
            return False
        element = proposal.document.elements[exposure.node]
        for child in first_children(writer.view, element, (b"SubExposures",)).values():
            writer.edits.append(Edit(child.start, child.stop))
        written.append(writer.spliced(element))
    return written[0] == written[1]


class _Writer:
    """Collects the edits of a document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.view = document.view
        self.edits: list[Edit] = []
        self._size = len(document.view)

    def replace(self, start: int, stop: int, new: bytes) -> None:
        """Replace a part of the view."""
        self._size += len(new)
        if self._size > MAX_BYTES:
            raise ProposalError(
                f"with its copies the new file would have more than {MAX_BYTES} bytes, the most "
                "that is read; request fewer points"
            )
        self.edits.append(Edit(start, stop, new))

    def insert(self, at: int, new: bytes) -> None:
        """Insert at an offset of the view."""
        self.replace(at, at, new)

    def remove(self, place: Element | Attribute) -> None:
        """Remove an element or attribute and the space before it: in APT's style whole lines."""
        self.edits.append(Edit(space_before(self.view, place.start), place.stop))

    def spliced(self, element: Element) -> bytes:
        """Return an element with its edits."""
        return splice(self.view, element.start, element.stop, self.edits)

    def space_before(self, place: Element | Attribute) -> bytes:
        """Return the white space before an element or attribute."""
        return self.view[space_before(self.view, place.start) : place.start]

    def write_visit(self, change: VisitChange) -> None:
        """Write what a visit becomes; nothing when nothing has to change."""
        visit, elements = change.visit, self.document.elements
        before, at = len(self.edits), 0
        for new in change.exposures:
            source, element = new.source, elements[new.source.node]
            try:
                if new.copy == 0:
                    self.write_exposure(new)
                    at = element.stop
                else:
                    copy = _Writer(self.document)
                    copy.write_exposure(new)
                    self.insert(at, self.space_before(element) + copy.spliced(element))
            except ProposalError as error:
                raise error.located(
                    Location(visit=visit.number, exposure=source.number, line=source.line)
                ) from None
        for exposure in change.removed:
            self.remove(elements[exposure.node])
        for group in change.unwrapped:
            attributes = find_attributes(self.view, elements[group.node])
            for name in attributes.keys() & {b"Type", b"Pattern"}:
                self.remove(attributes[name])
        is_moved = change.removed or any(one.pos_targ is not None for one in change.exposures)
        has_edits, tic = len(self.edits) > before, visit.tic_node
        if is_moved and has_edits and tic and visit.tic_data_current not in ("", "false"):
            self.replace(*trimmed(self.view, elements[tic]), b"false")
        if change.dropped:
            found = first_children(self.view, elements[visit.node], (b"Comments",))
            if found:
                self._drop_lines(found[b"Comments"], change.dropped)

    def write_exposure(self, new: NewExposure) -> None:
        """Write the edits that make an exposure equal to a record."""
        source, element = new.source, self.document.elements[new.source.node]
        changed: dict[bytes, str | None] = {}
        if new.number != source.number:
            changed[b"Number"] = new.number
        if new.same_pos_as != source.same_pos_as:
            changed[b"SamePosAs"] = new.same_pos_as
        if new.is_split:
            changed[b"NumberOfIterations"] = "1"
        attributes = find_attributes(self.view, element) if changed else {}
        for name in changed.keys() & attributes.keys():
            attribute, value = attributes[name], changed[name]
            if value is None:
                self.remove(attribute)
            else:
                self._set_attribute(attribute, value.encode())
        if new.receipt is not None or new.dropped:
            self._write_children(new, element)

    def _set_attribute(self, attribute: Attribute, value: bytes) -> None:
        if self.view[attribute.value_start : attribute.value_stop] != value:
            self.replace(attribute.value_start, attribute.value_stop, value)

    def _write_children(self, new: NewExposure, element: Element) -> None:
        """Write the PosTarg, the Comments and the SubExposures of an exposure."""
        names = [b"Comments"]
        names += [b"SubExposures"] if new.is_split else []
        names += [b"PosTarg"] if new.source.pos_targ is not None or new.source.problems else []
        first = first_children(self.view, element, names)
        children: list[Element] = []
        if b"Comments" not in first:
            children += find_children(self.view, element.open_stop, element.close_start)
            first = {child.name: child for child in reversed(children)}
            if not children:
                self._fill(new, element)
                return
        for name in (b"PosTarg", b"Comments"):
            if name in first and _XMLNS.search(self.view, *first[name][1:3]):
                raise ProposalError(
                    f"its {name.decode()} has an xmlns attribute, so it is not read; remove the "
                    "attribute"
                )
        if new.pos_targ is not None and not new.is_written:
            self._write_pos_targ(new, element, first.get(b"PosTarg"))
        if b"Comments" in first:
            self._write_comments(new, first[b"Comments"])
        elif new.receipt is not None:
            after = [child for child in children if child.name in _AFTER_COMMENTS]
            if after:
                self.insert(after[0].start, _comments(new) + self.space_before(after[0]))
            else:
                self.insert(children[-1].stop, self.space_before(children[-1]) + _comments(new))
        if new.is_split and b"SubExposures" in first:
            self._split_sub_exposures(new, first[b"SubExposures"])

    def _fill(self, new: NewExposure, element: Element) -> None:
        """Give an exposure that holds no element its PosTarg and its Comments."""
        before = self.space_before(element)
        end = _LINE_END.search(before)
        separator = b"" if end is None else before + _INDENT
        closing = b"" if end is None else end[0] + _last_line(before)
        content = separator + self._new_pos_targ(new, element, separator)
        content += separator + _comments(new)
        if element.is_self_closing:
            self._open(element, content + closing)
        elif element.open_stop == element.close_start:
            self.insert(element.open_stop, content + closing)
        else:
            self.insert(element.open_stop, content)

    def _open(self, element: Element, content: bytes) -> None:
        """Give a self-closing element content."""
        start = space_before(self.view, element.open_stop - len(b"/>"))
        self.replace(start, element.stop, b">" + content + b"</" + element.name + b">")

    def _split_sub_exposures(self, new: NewExposure, holder: Element) -> None:
        """Keep one SubExposure, without the attributes that number it."""
        subs = [
            child
            for child in find_children(self.view, holder.open_stop, holder.close_start)
            if child.name == b"SubExposure"
        ]
        for index, sub in enumerate(subs):
            if index != new.kept_run(len(subs)):
                self.remove(sub)
                continue
            for name, attribute in find_attributes(self.view, sub).items():
                if name == b"CopyNumber" or name.endswith(b"PatternPosition"):
                    self.remove(attribute)

    def _write_pos_targ(self, new: NewExposure, element: Element, child: Element | None) -> None:
        if new.receipt is None and new.pos_targ == NO_OFFSET:
            if child is not None:
                self.remove(child)
            return
        if child is None:
            before = space_after(self.view, element.open_stop)
            self.insert(element.open_stop, before + self._new_pos_targ(new, element, before))
            return
        attributes = find_attributes(self.view, child)
        separator, quote = self._style(element, self.space_before(child))
        for attribute in list(attributes.values())[:1]:
            separator, quote = self.space_before(attribute), self._quote(attribute)
        at = child.start + len(b"<PosTarg")
        for name, value in _coordinates(new):
            if name in attributes:
                self._set_attribute(attributes[name], value)
                at = attributes[name].stop
            else:
                self.insert(at, separator + name + b"=" + quote + value + quote)

    def _new_pos_targ(self, new: NewExposure, element: Element, before: bytes) -> bytes:
        """Return a PosTarg that has the white space `before` before it."""
        separator, quote = self._style(element, before)
        attributes = (
            separator + name + b"=" + quote + value + quote for name, value in _coordinates(new)
        )
        return b"<PosTarg" + b"".join(attributes) + b" />"

    def _style(self, element: Element, before: bytes) -> tuple[bytes, bytes]:
        """Return the white space before each attribute of a new child, and the quote.

        APT gives each attribute a line of its own, indented by one level more than its element.
        `before` is the white space before the child.
        """
        first = first_attribute(self.view, element)
        if first is None:
            return b" ", b'"'
        own = self.space_before(first)
        separator = _attribute_separator(self.space_before(element), own, before)
        return separator, self._quote(first)

    def _quote(self, attribute: Attribute) -> bytes:
        return self.view[attribute.value_stop : attribute.stop]

    def _text_of(self, comments: Element) -> tuple[TextPlaces, list[tuple[int, int, LineKind]]]:
        """Return the text of a Comments element, and its lines."""
        size = comments.close_start - comments.open_stop
        if size > MAX_COMMENTS:
            raise ProposalError(
                f"its Comments take {size} bytes, and at most {MAX_COMMENTS} can be rewritten; "
                "shorten them"
            )
        places = find_text(self.view, comments, self.document.encoding)
        return places, list(lines_of(places.text))

    def _drop_lines(self, comments: Element, kinds: Collection[LineKind]) -> None:
        """Remove lines of some kinds; Comments without text become ``<Comments />``."""
        places, lines = self._text_of(comments)
        indices = [index for index, (*_, kind) in enumerate(lines) if kind in kinds]
        content = self.view[comments.open_stop : comments.close_start]
        if indices and len(indices) == len(lines) and b"<" not in content:
            self.replace(comments.open_stop - 1, comments.stop, b" />")
        else:
            self._remove_lines(places, lines, indices)

    def _write_comments(self, new: NewExposure, comments: Element) -> None:
        """Write the receipt in place of an old one (in a copy, of the tag), or after the tag."""
        if new.receipt is None:
            self._drop_lines(comments, new.dropped)
            return
        receipt = new.receipt.text.encode("ascii")
        if comments.is_self_closing:
            self._open(comments, receipt)
            return
        places, lines = self._text_of(comments)
        replaced = (LineKind.RECEIPT, *(_TAG_LINES if new.copy else ()))
        own = [index for index, (*_, kind) in enumerate(lines) if kind in replaced]
        tags = [stop for _, stop, kind in lines if kind in _TAG_LINES]
        full = [stop for start, stop, _ in lines if places.text[start:stop].strip()]
        if own:
            start, stop, _ = lines[own[0]]
            line = places.text[start:stop]
            if new.copy or not matches_receipt(line.strip(), new.receipt):
                # The white space around its words stays.
                start, stop = stop - len(line.lstrip()), start + len(line.rstrip())
                self._replace_text(places, start, stop, receipt)
            self._remove_lines(places, lines, own[1:])
        elif full:
            stop = tags[0] if tags else full[-1]
            self.insert(places.stops[stop - 1], self._line_end(places) + receipt)
        else:
            self.insert(comments.open_stop, receipt)

    def _remove_lines(
        self,
        places: TextPlaces,
        lines: Sequence[tuple[int, int, LineKind]],
        indices: Iterable[int],
    ) -> None:
        """Remove lines, each with the line end before it; at the beginning with that after it."""
        waiting = list(indices)
        while waiting:
            first = last = waiting.pop(0)
            while waiting and waiting[0] == last + 1:
                last = waiting.pop(0)
            start, stop = lines[first][0], lines[last][1]
            if first > 0:
                start = lines[first - 1][1]
            elif places.text[stop:].strip():  # the first receipt was put before white space alone
                stop = lines[last + 1][0]
            self._replace_text(places, start, stop, b"")

    def _replace_text(self, places: TextPlaces, start: int, stop: int, new: bytes) -> None:
        """Replace a part of the text, if it has no markup."""
        first, last = places.starts[start], places.stops[stop - 1]
        raw = self.view[first:last]
        if b"<" in raw or b"]]>" in raw:
            raise ProposalError(
                f"markup runs through the line {places.text[start:stop].strip()!r} of its Comments; "
                "save the proposal again in APT"
            )
        self.replace(first, last, new)

    def _line_end(self, places: TextPlaces) -> bytes:
        """Return the line end of the comment, or the file's where it has none of its own."""
        index = places.text.find("\n")
        raw = b"" if index < 0 else self.view[places.starts[index] : places.stops[index]]
        return self.document.line_end if raw[:1] in (b"", b"&") else raw


def _comments(new: NewExposure) -> bytes:
    """Return Comments that hold the receipt alone."""
    assert new.receipt is not None  # only exposures that are dithered get new Comments
    return b"<Comments>" + new.receipt.text.encode("ascii") + b"</Comments>"


def _coordinates(new: NewExposure) -> tuple[tuple[bytes, bytes], ...]:
    """Return the attributes of the PosTarg, and their values."""
    assert new.pos_targ is not None  # only exposures that move have them
    x_arcsec, y_arcsec = new.pos_targ.xy_arcsec
    return (b"X", format_base(x_arcsec).encode()), (b"Y", format_base(y_arcsec).encode())


@functools.lru_cache(maxsize=100)
def _attribute_separator(outer: bytes, own: bytes, before: bytes) -> bytes:
    """Return the white space before each attribute of a new child.

    `outer` is the white space before its parent, `own` that before the parent's first attribute,
    `before` that before the child.
    """
    end = _LINE_END.search(before)
    if end is None or not _LINE_END.search(own):
        return b" "
    indent = _last_line(own).removeprefix(_last_line(outer)) or _INDENT
    return end[0] + _last_line(before) + indent


def _last_line(space: bytes) -> bytes:
    return space[max(space.rfind(b"\n"), space.rfind(b"\r")) + 1 :]
