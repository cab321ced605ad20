"""Write the changes of visits into a proposal, in the style of APT.

:func:`rewrite_proposal` turns the records of :mod:`aptdither.apt.changes` into edits, applies them
and has :mod:`aptdither.apt.verify` check the result. A value is edited only where it differs, so
rewriting a second time changes nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from aptdither.apt.changes import NewExposure, VisitChange, matches_receipt, receipt_lines
from aptdither.apt.document import Document, Edit, apply_edits
from aptdither.apt.limits import MAX_BYTES, MAX_COMMENTS
from aptdither.apt.proposal import Exposure, Proposal
from aptdither.apt.receipt import Receipt, format_base, parse_receipt
from aptdither.apt.spans import (
    Attribute,
    Child,
    Element,
    TextPlaces,
    find_attributes,
    find_children,
    find_text,
    first_attribute,
    space_after,
    space_before,
)
from aptdither.apt.tags import LineKind, lines_of
from aptdither.apt.verify import verify_rewrite
from aptdither.errors import Location, ProposalError
from aptdither.types import NO_OFFSET

#: What APT adds to the indentation for each level, and for the attributes of an element.
_INDENT = b"   "

#: Children of an Exposure that APT writes after its Comments.
_AFTER_COMMENTS = (b"InstrumentParameters", b"SubExposures")

_LINE_END = re.compile(rb"\r\n|\n|\r")


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
        The new file; the same object when nothing has to change. Every byte
        outside the edits is the old file's.

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
    result = proposal.document.apply(list(_all_edits(proposal.document, changes)))
    if result is not proposal.document.source:
        verify_rewrite(proposal, changes, result)
    return result


def _all_edits(document: Document, changes: Iterable[VisitChange]) -> Iterator[Edit]:
    size = len(document.view)
    for change in changes:
        edits = _VisitWriter(document, change).edits()
        size += _new_bytes(edits)
        if size > MAX_BYTES:
            raise _too_large(Location(visit=change.visit.number, line=change.visit.line))
        yield from edits


def is_unedited_copy(proposal: Proposal, source: Exposure, copy: Exposure) -> bool:
    """Whether an exposure is still as an earlier run wrote it: a copy without edits by hand.

    Parameters
    ----------
    proposal : Proposal
        The proposal of both exposures.
    source : Exposure
        The exposure that was copied.
    copy : Exposure
        The exposure to compare.

    Returns
    -------
    bool
        True if `copy` has the bytes that :func:`rewrite_proposal` writes for a copy of `source`
        with the Number, POS TARG and receipt of `copy`. Two things may differ, since APT changes
        them without an edit by hand: how the numbers of the POS TARG are written, and the
        SubExposures, which hold the orbit of each exposure.
    """
    receipts = receipt_lines(copy.comments)
    receipt = parse_receipt(receipts[0]) if len(receipts) == 1 else None
    if receipt is None or copy.pos_targ is None or copy.same_pos_as is not None:
        return False
    if any(kind in (LineKind.TAG, LineKind.TYPO) for *_, kind in lines_of(copy.comments)):
        return False
    try:
        as_source, as_copy = (
            _without_sub_exposures(
                _write_copy(
                    proposal.document,
                    NewExposure(
                        source=exposure,
                        copy=1,
                        number=copy.number,
                        pos_targ=copy.pos_targ,
                        receipt=receipt,
                    ),
                )
            )
            for exposure in (source, copy)
        )
    except ProposalError:  # markup runs through a tag or a receipt: apply has not written that
        return False
    return as_source == as_copy


def _without_sub_exposures(exposure: bytes) -> bytes:
    (element,) = find_children(exposure, 0, len(exposure))
    for child in find_children(exposure, element.open_stop, element.close_start):
        if child.name == b"SubExposures":
            return exposure[: child.start] + exposure[child.stop :]
    return exposure


# From records to edits --------------------------------------------------------------------------------


class _VisitWriter:
    """Writes the edits of one visit."""

    def __init__(self, document: Document, change: VisitChange) -> None:
        self.document = document
        self.view = document.view
        self.change = change
        self.element = document.elements[change.visit.node]

    def edits(self) -> list[Edit]:
        """Return the edits of the visit, in no order; none when nothing has to change."""
        edits: list[Edit] = []
        size = 0
        for new in self.change.exposures:
            location = Location(
                visit=self.change.visit.number, exposure=new.source.number, line=new.source.line
            )
            try:
                made = self._exposure_edits(new)
            except ProposalError as error:
                raise error.located(location) from None
            size += _new_bytes(made)
            if size > MAX_BYTES:
                raise _too_large(location)
            edits += made
        for exposure in self.change.removed:
            element = self.document.elements[exposure.node]
            start = space_before(self.view, element.start)
            edits.append(Edit(start=start, stop=element.stop, new=b""))
        for one in self.change.unwrapped:
            group = self.document.elements[one.node]
            attributes = find_attributes(self.view, group.start, group.open_stop)
            edits += [
                _removal(attributes[name]) for name in (b"Type", b"Pattern") if name in attributes
            ]
        is_moved = any(one.pos_targ is not None for one in self.change.exposures)
        if edits and (is_moved or self.change.removed):
            edits += self._stale_tic()
        if self.change.dropped:
            edits += self._visit_comments()
        return edits

    def _visit_comments(self) -> Iterator[Edit]:
        """Remove lines of the visit's own Comments."""
        for child in find_children(self.view, self.element.open_stop, self.element.close_start):
            if child.name == b"Comments":
                yield from _without_lines(self.document, child, self.change.dropped)
                return

    def _exposure_edits(self, new: NewExposure) -> list[Edit]:
        view = self.view
        element = self.document.elements[new.source.node]
        if new.copy == 0:
            return list(_ExposureWriter(self.document, new, element).edits())
        before = view[space_before(view, element.start) : element.start]
        copy = _write_copy(self.document, new)
        return [Edit(start=element.stop, stop=element.stop, new=before + copy)]

    def _stale_tic(self) -> list[Edit]:
        """Mark the result of the orbit planner as not current."""
        if self.change.visit.tic_data_current in (None, "", "false"):
            return []
        view, start, stop = self.view, self.element.open_stop, self.element.close_start
        at = view.find(b"<TicDataCurrent", start, stop)
        if view.find(b"<TicDataCurrent", at + 1, stop) < 0:
            return [_set_to_false(view, next(find_children(view, at, stop)))]
        for data in find_children(view, start, stop):
            for child in find_children(view, data.open_stop, data.close_start):
                if (data.name, child.name) == (b"TicData", b"TicDataCurrent"):
                    return [_set_to_false(view, child)]
        return []


def _set_to_false(view: bytes, child: Child) -> Edit:
    content = view[child.open_stop : child.close_start]
    start = child.close_start - len(content.lstrip())
    return Edit(start=start, stop=start + len(content.strip()), new=b"false")


def _write_copy(document: Document, new: NewExposure) -> bytes:
    """Return the bytes of an exposure of the view, changed to what `new` holds."""
    element = document.elements[new.source.node]
    inside = [
        Edit(start=edit.start - element.start, stop=edit.stop - element.start, new=edit.new)
        for edit in _ExposureWriter(document, new, element).edits()
    ]
    return apply_edits(document.view[element.start : element.stop], inside)


class _ExposureWriter:
    """Writes the edits that make one exposure equal to a record."""

    def __init__(self, document: Document, new: NewExposure, element: Element) -> None:
        self.document = document
        self.view = document.view
        self.new = new
        self.element = element

    def edits(self) -> Iterator[Edit]:
        """Yield the edits, at their places in the document."""
        new, element, view = self.new, self.element, self.view
        differs = new.differs
        if not differs and (new.number, new.same_pos_as) == (
            new.source.number,
            new.source.same_pos_as,
        ):
            return
        wanted_values = {
            b"Number": (new.source.number, new.number),
            b"SamePosAs": (new.source.same_pos_as, new.same_pos_as),
            b"NumberOfIterations": (None, "1" if new.is_split else None),
        }
        if any(found != wanted for found, wanted in wanted_values.values()):
            attributes = find_attributes(view, element.start, element.open_stop)
            for name, (found, wanted) in wanted_values.items():
                if found != wanted and name in attributes:
                    yield from self._attribute_edits(attributes[name], wanted)
        if differs:
            children = self._children()
            if children:
                yield from self._in_children(children)
            else:
                yield self._without_children()
            if new.is_split:
                yield from self._split_sub_exposures(children)

    def _attribute_edits(self, attribute: Attribute, wanted: str | None) -> Iterator[Edit]:
        if wanted is None:
            yield _removal(attribute)
        elif self.view[attribute.value_start : attribute.value_stop] != wanted.encode():
            start, stop = attribute.value_start, attribute.value_stop
            yield Edit(start=start, stop=stop, new=wanted.encode())

    # Where there are children already -------------------------------------------------------------

    def _children(self) -> list[Child]:
        """Return the children, but none after those that must be changed."""
        new, element = self.new, self.element
        waiting = {b"Comments"}
        if new.source.pos_targ is not None or new.source.problems:
            waiting.add(b"PosTarg")
        if new.is_split:
            waiting.add(b"SubExposures")
        children: list[Child] = []
        for child in find_children(self.view, element.open_stop, element.close_start):
            children.append(child)
            waiting.discard(child.name)
            if child.name in (b"PosTarg", b"Comments") and (
                b"xmlns" in self.view[child.start : child.open_stop]
                and b"xmlns" in find_attributes(self.view, child.start, child.open_stop)
            ):
                raise ProposalError(
                    f"its {child.name.decode()} has an xmlns attribute, so it is not read; remove "
                    "the attribute"
                )
            if not waiting:
                break
        return children

    def _in_children(self, children: Sequence[Child]) -> Iterator[Edit]:
        open_stop = self.element.open_stop
        moved = self.new.pos_targ is not None
        is_bare = self.new.receipt is None and self.new.pos_targ == NO_OFFSET
        for child in children:
            if child.name != b"PosTarg":
                continue
            if is_bare:
                yield Edit(start=space_before(self.view, child.start), stop=child.stop, new=b"")
            elif moved:
                yield from self._existing_pos_targ(child)
            moved = False
            break
        if moved and not is_bare:
            separator = space_after(self.view, open_stop)
            new = separator + self._pos_targ(separator)
            yield Edit(start=open_stop, stop=open_stop, new=new)
        for child in children:
            if child.name == b"Comments":
                yield from self._existing_comments(child)
                return
        if self.new.receipt is not None:
            yield self._missing_comments(children)

    def _existing_pos_targ(self, child: Child) -> Iterator[Edit]:
        view = self.view
        attributes = find_attributes(view, child.start, child.open_stop)
        x, y = self._coordinates()
        for name, value in ((b"X", x), (b"Y", y)):
            if name in attributes:
                start, stop = attributes[name].value_start, attributes[name].value_stop
                if view[start:stop] != value:
                    yield Edit(start=start, stop=stop, new=value)
        if b"X" in attributes and b"Y" in attributes:
            return
        present = attributes.get(b"X") or attributes.get(b"Y")
        if present is None:
            at = child.start + len(b"<PosTarg")
            before = view[space_before(view, child.start) : child.start]
            new = self._coordinate_attributes(before)
        else:
            separator = view[present.before : present.name_start]
            quote = view[present.value_start - 1 : present.value_start]
            missing, value = (b"Y", y) if b"X" in attributes else (b"X", x)
            at = present.stop if missing == b"Y" else present.before
            new = separator + missing + b"=" + quote + value + quote
        yield Edit(start=at, stop=at, new=new)

    def _missing_comments(self, children: Sequence[Child]) -> Edit:
        view = self.view
        new = b"<Comments>" + self._receipt() + b"</Comments>"
        for child in children:
            if child.name in _AFTER_COMMENTS:
                before = view[space_before(view, child.start) : child.start]
                return Edit(start=child.start, stop=child.start, new=new + before)
        last = children[-1]
        before = view[space_before(view, last.start) : last.start]
        return Edit(start=last.stop, stop=last.stop, new=before + new)

    def _split_sub_exposures(self, children: Sequence[Child]) -> Iterator[Edit]:
        """Keep one SubExposure, without the attributes that number it."""
        view = self.view
        for holder in children:
            if holder.name != b"SubExposures":
                continue
            subs = [
                child
                for child in find_children(view, holder.open_stop, holder.close_start)
                if child.name == b"SubExposure"
            ]
            for index, sub in enumerate(subs):
                if index != min(self.new.kept_run, len(subs) - 1):
                    yield Edit(start=space_before(view, sub.start), stop=sub.stop, new=b"")
                    continue
                for name, attribute in find_attributes(view, sub.start, sub.open_stop).items():
                    if name == b"CopyNumber" or name.endswith(b"PatternPosition"):
                        yield _removal(attribute)
            return

    # Comments --------------------------------------------------------------------------------------

    def _existing_comments(self, child: Child) -> Iterator[Edit]:
        view = self.view
        if self.new.receipt is None:
            yield from _without_lines(self.document, child, self.new.dropped)
            return
        if child.is_self_closing:
            start = _end_of_attributes(view, child.open_stop)
            new = b">" + self._receipt() + b"</Comments>"
            yield Edit(start=start, stop=child.stop, new=new)
            return
        places = _comment_text(self.document, child)
        lines = list(lines_of(places.text))
        receipts = [i for i, line in enumerate(lines) if line[2] is LineKind.RECEIPT]
        tags = [i for i, line in enumerate(lines) if line[2] in (LineKind.TAG, LineKind.TYPO)]
        own = sorted(receipts + tags) if self.new.copy else receipts
        if own:
            start, stop, _ = lines[own[0]]
            line = places.text[start:stop]  # the white space around its words stays
            start, stop = stop - len(line.lstrip()), start + len(line.rstrip())
            if self.new.copy or not matches_receipt(places.text[start:stop], self._wanted()):
                yield _text_edit(view, places, start, stop, self._receipt())
            yield from _lines_removed(view, places, lines, own[1:])
        elif tags:
            yield self._line_after(places, lines[tags[0]][1])
        elif places.text.strip():
            full = [stop for start, stop, _ in lines if places.text[start:stop].strip()]
            yield self._line_after(places, full[-1])
        else:
            yield Edit(start=child.open_stop, stop=child.open_stop, new=self._receipt())

    def _line_after(self, places: TextPlaces, end: int) -> Edit:
        """Insert the receipt as a line after the text that ends at `end`."""
        at = places.stops[end - 1]
        return Edit(start=at, stop=at, new=self._line_end(places) + self._receipt())

    def _line_end(self, places: TextPlaces) -> bytes:
        """Return the line end of the comment, or the file's where it has none of its own."""
        index = places.text.find("\n")
        if index >= 0:
            raw = self.view[places.starts[index] : places.stops[index]]
            if not raw.startswith(b"&"):
                return raw
        return self.document.line_end

    # New elements in APT's style ------------------------------------------------------------------

    def _without_children(self) -> Edit:
        """Give an exposure that holds no element its PosTarg and its Comments."""
        view, element = self.view, self.element
        before = view[space_before(view, element.start) : element.start]
        end = _LINE_END.search(before)
        separator = closing = b""
        if end is not None:
            separator = before + _INDENT
            closing = end[0] + _last_line(before)
        comments = b"<Comments>" + self._receipt() + b"</Comments>"
        new = separator + self._pos_targ(separator) + separator + comments
        if element.is_self_closing:
            start = _end_of_attributes(view, element.open_stop)
            new = b">" + new + closing + b"</Exposure>"
            return Edit(start=start, stop=element.stop, new=new)
        if element.open_stop == element.close_start:
            new += closing
        return Edit(start=element.open_stop, stop=element.open_stop, new=new)

    def _pos_targ(self, before: bytes) -> bytes:
        return b"<PosTarg" + self._coordinate_attributes(before) + b" />"

    def _coordinate_attributes(self, before: bytes) -> bytes:
        """Return X and Y in the style of the exposure's own attributes.

        APT gives each attribute a line of its own, indented by one level more than its element.
        """
        view, start = self.view, self.element.start
        separator, quote = b" ", b'"'
        first = first_attribute(view, start, self.element.open_stop)
        if first is not None:
            quote = view[first.value_start - 1 : first.value_start]
            outer = view[space_before(view, start) : start]
            separator = _attribute_separator(outer, view[first.before : first.name_start], before)
        x, y = self._coordinates()
        x_part = separator + b"X=" + quote + x + quote
        return x_part + separator + b"Y=" + quote + y + quote

    def _coordinates(self) -> tuple[bytes, bytes]:
        pos_targ = self.new.pos_targ
        assert pos_targ is not None  # only exposures that move come here
        return format_base(pos_targ.x_arcsec).encode(), format_base(pos_targ.y_arcsec).encode()

    def _receipt(self) -> bytes:
        return self._wanted().text.encode("ascii")

    def _wanted(self) -> Receipt:
        assert self.new.receipt is not None  # only exposures that move come here
        return self.new.receipt


def _new_bytes(edits: Iterable[Edit]) -> int:
    return sum(len(edit.new) for edit in edits)


def _too_large(location: Location) -> ProposalError:
    return ProposalError(
        f"with its copies the new file would have more than {MAX_BYTES} bytes, the most that is read; "
        "request fewer points",
        location=location,
    )


def _removal(attribute: Attribute) -> Edit:
    """Remove an attribute and the white space before it: in APT's style its whole line."""
    return Edit(start=attribute.before, stop=attribute.stop, new=b"")


def _comment_text(document: Document, child: Child) -> TextPlaces:
    """Return the text of a Comments element."""
    size = child.close_start - child.open_stop
    if size > MAX_COMMENTS:
        raise ProposalError(
            f"its Comments take {size} bytes, and at most {MAX_COMMENTS} can be rewritten; shorten "
            "them"
        )
    return find_text(document.view, child.open_stop, child.close_start, document.encoding)


def _without_lines(
    document: Document, child: Child, dropped: frozenset[LineKind]
) -> Iterator[Edit]:
    """Remove the lines of some kinds from Comments; Comments without text become ``<Comments />``."""
    view = document.view
    places = _comment_text(document, child)
    lines = list(lines_of(places.text))
    indices = [index for index, (*_, kind) in enumerate(lines) if kind in dropped]
    if not indices:
        return
    if len(indices) == len(lines) and b"<" not in view[child.open_stop : child.close_start]:
        yield Edit(start=child.open_stop - 1, stop=child.stop, new=b" />")
    else:
        yield from _lines_removed(view, places, lines, indices)


def _lines_removed(
    view: bytes,
    places: TextPlaces,
    lines: Sequence[tuple[int, int, LineKind]],
    indices: Iterable[int],
) -> Iterator[Edit]:
    """Remove lines, each with the line end before it; at the beginning with that after it."""
    waiting = list(indices)
    while waiting:
        first = last = waiting.pop(0)
        while waiting and waiting[0] == last + 1:
            last = waiting.pop(0)
        start, stop = lines[first][0], lines[last][1]
        if first > 0:
            start = lines[first - 1][1]
        elif places.text[
            stop:
        ].strip():  # white space alone is what the first receipt was put before
            stop = lines[last + 1][0]
        yield _text_edit(view, places, start, stop, b"")


def _text_edit(view: bytes, places: TextPlaces, start: int, stop: int, new: bytes) -> Edit:
    """Replace a part of the text, if it has no markup."""
    first = places.starts[start]
    last = places.stops[stop - 1]
    raw = view[first:last]
    if b"<" in raw or b"]]>" in raw:
        raise ProposalError(
            f"markup runs through the line {places.text[start:stop].strip()!r} of its Comments; "
            "save the proposal again in APT"
        )
    return Edit(start=first, stop=last, new=new)


def _end_of_attributes(view: bytes, open_stop: int) -> int:
    """Return the offset where the white space before the ``/>`` of a tag begins."""
    return space_before(view, open_stop - len(b"/>"))


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
