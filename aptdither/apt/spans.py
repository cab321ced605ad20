"""Byte offsets of elements, attributes and text in a well-formed XML document.

In a document that lxml found to be
well-formed and that has no DOCTYPE, a ``<`` outside comments, CDATA and processing instructions
always opens a tag (XML 1.0, productions 10 and 14), so one regular expression finds every tag, and
:mod:`aptdither.apt.document` checks that lxml has the same tags. It takes a tenth of the time
of a second parser that calls Python for every element; the tests compare it with expat's offsets.

Bytes here are a document's *view*: an encoding that has ASCII's own bytes for ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from aptdither.apt.limits import MAX_PLACED
from aptdither.errors import DocumentError, Location

#: White space, which has no meaning between two tags.
SPACE = b" \t\r\n"

_SKIPPED = rb"!--.*?-->|!\[CDATA\[.*?\]\]>|\?.*?\?>"
_REST_OF_TAG = rb"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>"""
_ANY_TAG = re.compile(rb"<(?:" + _SKIPPED + rb"|(/?)([^\s/>]+)" + _REST_OF_TAG + rb")", re.DOTALL)
_ATTRIBUTE = re.compile(rb"""(\s+)([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_LEADING_SPACE = re.compile(rb"[ \t\r\n]*")
_TEXT_PIECE = re.compile(
    rb"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(?P<cdata>.*?)\]\]>|&(?P<entity>[^;]*);|(?P<raw>[^<&]+)|<",
    re.DOTALL,
)
_SLASH = ord("/")
_ENTITIES = {b"amp": "&", b"lt": "<", b"gt": ">", b"quot": '"', b"apos": "'"}


class Element(NamedTuple):
    """Byte offsets of one element; a tuple, since a file can have 100,000.

    Attributes
    ----------
    node : int
        Rank among the elements of the requested names, in document order.
    name : str
        Its name.
    start, open_stop : int
        Its start tag.
    close_start, stop : int
        Its end tag; both equal `open_stop` when it has none (``<X />``).
    line : int
        Line of its ``<``, 1-based.
    """

    node: int
    name: str
    start: int
    open_stop: int
    close_start: int
    stop: int
    line: int

    @property
    def is_self_closing(self) -> bool:
        """Whether it is written as ``<X />``."""
        return self.open_stop == self.stop


class Child(NamedTuple):
    """Byte offsets of a child element, as in :class:`Element`."""

    name: bytes
    start: int
    open_stop: int
    close_start: int
    stop: int

    @property
    def is_self_closing(self) -> bool:
        """Whether it is written as ``<X />``."""
        return self.open_stop == self.stop


class Attribute(NamedTuple):
    """Byte offsets of an attribute: white space before it, name, value without quotes, end."""

    before: int
    name_start: int
    value_start: int
    value_stop: int
    stop: int


class TextPlaces(NamedTuple):
    """The text of an element and the byte offsets of its characters.

    Attributes
    ----------
    text : str
        The text as a parser gives it, up to the first child element.
    starts, stops : sequence of int
        First byte of each character, and the byte after its last.
    """

    text: str
    starts: range | list[int]
    stops: range | list[int]


def find_elements(view: bytes, names: frozenset[str]) -> list[Element]:
    """Find the elements of some names, in document order.

    Parameters
    ----------
    view : bytes
        A well-formed document.
    names : frozenset of str
        Names without prefix, ASCII.

    Raises
    ------
    DocumentError
        If there are more than :data:`aptdither.apt.limits.MAX_PLACED`.
    """
    listed = b"|".join(name.encode() for name in sorted(names))
    tag = rb"(/?)(" + listed + rb")(?=[\s/>])" + _REST_OF_TAG
    token = re.compile(rb"<(?:" + _SKIPPED + rb"|" + tag + rb")", re.DOTALL)
    known = {name.encode(): name for name in names}
    newline = b"\n" if b"\n" in view else b"\r"
    elements: list[Element] = []
    opened: list[tuple[int, str, int, int, int]] = []
    line, counted = 1, 0
    for match in token.finditer(view):
        name = match[2]
        if name is None:
            continue
        start, stop = match.span()
        if match[1]:
            node, called, first, open_stop, at_line = opened.pop()
            elements[node] = Element(node, called, first, open_stop, start, stop, at_line)
            continue
        line += view.count(newline, counted, start)
        counted = start
        node = len(elements)
        if node == MAX_PLACED:
            raise DocumentError(
                f"it has more than {MAX_PLACED} visits, groups, exposures and patterns",
                location=Location(line=line),
            )
        elements.append(Element(node, known[name], start, stop, stop, stop, line))
        if view[stop - 2] != _SLASH:  # its end tag is still to come
            opened.append((node, known[name], start, stop, line))
    return elements


def find_children(view: bytes, start: int, stop: int) -> Iterator[Child]:
    """Find the child elements in the content from `start` to `stop`, in order."""
    depth = 0
    name, first, open_stop = b"", 0, 0
    for match in _ANY_TAG.finditer(view, start, stop):
        closes, called = match.groups()
        if called is None:
            continue
        end = match.end()
        if closes:
            depth -= 1
            if depth == 0:
                yield Child(name, first, open_stop, match.start(), end)
        elif view[end - 2] == _SLASH:
            if depth == 0:
                yield Child(called, match.start(), end, end, end)
        else:
            if depth == 0:
                name, first, open_stop = called, match.start(), end
            depth += 1


def find_attributes(view: bytes, start: int, open_stop: int) -> dict[bytes, Attribute]:
    """Find the attributes of a start tag, in their order."""
    return {match[2]: _attribute(match) for match in _ATTRIBUTE.finditer(view, start, open_stop)}


def first_attribute(view: bytes, start: int, open_stop: int) -> Attribute | None:
    """Find the first attribute of a start tag: how it is written is the tag's style."""
    match = _ATTRIBUTE.search(view, start, open_stop)
    return None if match is None else _attribute(match)


def space_after(view: bytes, at: int) -> bytes:
    """Return the white space that begins at `at`."""
    match = _LEADING_SPACE.match(view, at)
    assert match is not None  # an empty run matches
    return match[0]


def space_before(view: bytes, at: int) -> int:
    """Return the offset where the white space that ends at `at` begins."""
    while at:
        chunk = view[max(0, at - 100) : at]
        kept = len(chunk.rstrip(SPACE))
        at -= len(chunk) - kept
        if kept:
            break
    return at


def find_text(view: bytes, start: int, stop: int, encoding: str) -> TextPlaces:
    """Read the text in a stretch of content, up to the first child element.

    Entities, CDATA, comments and line ends are understood as a parser does.
    """
    raw = view[start:stop]
    if raw.isascii() and not any(mark in raw for mark in (b"<", b"&", b"\r")):
        return TextPlaces(raw.decode("ascii"), range(start, stop), range(start + 1, stop + 1))
    characters: list[str] = []
    starts: list[int] = []
    stops: list[int] = []
    for character, first, last in _characters(view, start, stop, encoding):
        characters.append(character)
        starts.append(first)
        stops.append(last)
    return TextPlaces("".join(characters), starts, stops)


def _attribute(match: re.Match[bytes]) -> Attribute:
    return Attribute(
        match.start(), match.start(2), match.start(3) + 1, match.end(3) - 1, match.end()
    )


def _characters(
    view: bytes, start: int, stop: int, encoding: str
) -> Iterator[tuple[str, int, int]]:
    for piece in _TEXT_PIECE.finditer(view, start, stop):
        kind = piece.lastgroup
        if kind == "entity":
            yield _entity(piece["entity"]), piece.start(), piece.end()
        elif kind is not None:
            yield from _raw_characters(piece[kind], piece.start(kind), encoding)
        elif piece[0] == b"<":
            return


def _raw_characters(raw: bytes, at: int, encoding: str) -> Iterator[tuple[str, int, int]]:
    text = raw.decode(encoding)
    wide = len(text) != len(raw)
    skip = False
    for index, character in enumerate(text):
        width = len(character.encode(encoding)) if wide else 1
        if skip:  # the LF of a CRLF, which went with its CR
            skip = False
        elif character == "\r":
            skip = text[index + 1 : index + 2] == "\n"
            yield "\n", at, at + 1 + skip
        else:
            yield character, at, at + width
        at += width


def _entity(name: bytes) -> str:
    if name.startswith(b"#"):
        # Zeros may lead in any number; Python's int refuses more than 4300 decimal digits.
        digits = name[1:].lstrip(b"0")
        return chr(int(digits[1:], 16) if digits.startswith(b"x") else int(digits))
    return _ENTITIES[name]
