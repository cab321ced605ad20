"""Byte offsets of elements, attributes and text in a well-formed XML document.

In a document that lxml found to be well-formed and that has no DOCTYPE, a ``<`` outside comments,
CDATA and processing instructions always opens a tag (XML 1.0, productions 10 and 14), so one
regular expression finds every tag, and :mod:`aptdither.apt.document` checks that lxml has the same
tags. It takes a tenth of the time of a second parser that calls Python for every element; the tests
compare it with expat's offsets.

Bytes here are a document's *view*: an encoding that has ASCII's own bytes for ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from aptdither.apt.limits import MAX_PLACED
from aptdither.errors import DocumentError, Location

#: White space, which has no meaning between two tags.
SPACE = b" \t\r\n"

_SKIPPED = rb"!--.*?-->|!\[CDATA\[.*?\]\]>|\?.*?\?>"
_REST_OF_TAG = rb"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>"""
_ANY_TAG = re.compile(rb"<(?:" + _SKIPPED + rb"|(/?)([^\s/>]+)" + _REST_OF_TAG + rb")", re.DOTALL)
_ATTRIBUTE = re.compile(rb"""\s([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
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
    start, open_stop : int
        Its start tag.
    close_start, stop : int
        Its end tag; both equal `open_stop` when it has none (``<X />``).
    line : int
        Line of its ``<``, 1-based; 0 for a child, whose line is not counted.
    """

    name: bytes
    start: int
    open_stop: int
    close_start: int
    stop: int
    line: int = 0

    @property
    def is_self_closing(self) -> bool:
        """Whether it is written as ``<X />``."""
        return self.open_stop == self.stop


class Attribute(NamedTuple):
    """Byte offsets of an attribute, and of its value without quotes."""

    start: int
    value_start: int
    value_stop: int
    stop: int


class TextPlaces(NamedTuple):
    """Text as a parser gives it; the first byte of each character, and the byte after its last."""

    text: str
    starts: range | list[int]
    stops: range | list[int]


def find_elements(view: bytes, names: Collection[str]) -> list[Element]:
    """Find the elements of some names (ASCII, without prefix), in document order.

    Raises
    ------
    DocumentError
        If there are more than :data:`aptdither.apt.limits.MAX_PLACED`.
    """
    listed = "|".join(sorted(names)).encode()
    tag = rb"(/?)(" + listed + rb")(?=[\s/>])" + _REST_OF_TAG
    token = re.compile(rb"<(?:" + _SKIPPED + rb"|" + tag + rb")", re.DOTALL)
    newline = b"\n" if b"\n" in view else b"\r"
    elements: list[Element] = []
    opened: list[int] = []
    line, counted = 1, 0
    for match in token.finditer(view):
        name = match[2]
        if name is None:
            continue
        start, stop = match.span()
        if match[1]:
            node = opened.pop()
            _, first, open_stop, _, _, at_line = elements[node]
            elements[node] = Element(name, first, open_stop, start, stop, at_line)
            continue
        line += view.count(newline, counted, start)
        counted = start
        if len(elements) == MAX_PLACED:
            raise DocumentError(
                f"it has more than {MAX_PLACED} visits, groups, exposures and patterns",
                location=Location(line=line),
            )
        if view[stop - 2] != _SLASH:  # its end tag is still to come
            opened.append(len(elements))
        elements.append(Element(name, start, stop, stop, stop, line))
    return elements


def find_children(view: bytes, start: int, stop: int) -> Iterator[Element]:
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
                yield Element(name, first, open_stop, match.start(), end)
        elif view[end - 2] == _SLASH:
            if depth == 0:
                yield Element(called, match.start(), end, end, end)
        else:
            if depth == 0:
                name, first, open_stop = called, match.start(), end
            depth += 1


def first_children(view: bytes, parent: Element, names: Collection[bytes]) -> dict[bytes, Element]:
    """Find the first child of each of some names, in document order; no further than needed."""
    found: dict[bytes, Element] = {}
    waiting = set(names)
    if waiting:
        for child in find_children(view, parent.open_stop, parent.close_start):
            if child[0] in waiting:
                found[child[0]] = child
                waiting.remove(child[0])
                if not waiting:
                    break
    return found


def find_attributes(view: bytes, element: Element) -> dict[bytes, Attribute]:
    """Find the attributes of an element, in their order."""
    found = _ATTRIBUTE.finditer(view, element.start, element.open_stop)
    return {match[1]: _attribute(match) for match in found}


def first_attribute(view: bytes, element: Element) -> Attribute | None:
    """Find the first attribute of an element: how it is written is the tag's style."""
    match = _ATTRIBUTE.search(view, element.start, element.open_stop)
    return None if match is None else _attribute(match)


def _attribute(match: re.Match[bytes]) -> Attribute:
    return Attribute(match.start(1), match.start(2) + 1, match.end(2) - 1, match.end())


def space_after(view: bytes, at: int) -> bytes:
    """Return the white space that begins at `at`."""
    match = _LEADING_SPACE.match(view, at)
    assert match is not None  # an empty run matches
    return match[0]


def space_before(view: bytes, at: int) -> int:
    """Return the offset where the white space that ends at `at` begins."""
    while True:
        chunk = view[max(0, at - 100) : at]
        kept = len(chunk.rstrip(SPACE))
        if kept or not chunk:
            return at - len(chunk) + kept
        at -= len(chunk)


def trimmed(view: bytes, element: Element) -> tuple[int, int]:
    """Return where the content of an element starts and stops without white space around it."""
    content = view[element.open_stop : element.close_start]
    start = element.close_start - len(content.lstrip(SPACE))
    return start, start + len(content.strip(SPACE))


def find_text(view: bytes, element: Element, encoding: str) -> TextPlaces:
    """Read the text of an element, up to the first child element.

    Entities, CDATA, comments and line ends are understood as a parser does.
    """
    start, stop = element.open_stop, element.close_start
    raw = view[start:stop]
    if raw.isascii() and not any(mark in raw for mark in (b"<", b"&", b"\r")):
        return TextPlaces(raw.decode("ascii"), range(start, stop), range(start + 1, stop + 1))
    found = list(_characters(view, start, stop, encoding))
    return TextPlaces(
        "".join(character for character, _, _ in found),
        [first for _, first, _ in found],
        [last for _, _, last in found],
    )


def _characters(
    view: bytes, start: int, stop: int, encoding: str
) -> Iterator[tuple[str, int, int]]:
    """Yield each character with its first byte and the byte after its last."""
    for piece in _TEXT_PIECE.finditer(view, start, stop):
        kind = piece.lastgroup
        if kind == "entity":
            yield _entity(piece["entity"]), piece.start(), piece.end()
        elif kind is not None:
            at = piece.start(kind)
            for character in re.findall(r"\r\n|.", piece[kind].decode(encoding), re.DOTALL):
                width = len(character.encode(encoding))
                yield "\n" if character[0] == "\r" else character, at, at + width
                at += width
        elif piece[0] == b"<":
            return


def _entity(name: bytes) -> str:
    if name.startswith(b"#"):
        # Zeros may lead in any number; Python's int refuses more than 4300 decimal digits.
        digits = name[1:].lstrip(b"0")
        return chr(int(digits[1:], 16) if digits.startswith(b"x") else int(digits))
    return _ENTITIES[name]
