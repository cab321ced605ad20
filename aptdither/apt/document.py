"""The bytes of an XML file: read safely, and changed only by edits.

lxml parses the document (no DOCTYPE, no entities except XML's five, no network, bounded by
:mod:`aptdither.apt.limits`) and :mod:`aptdither.apt.spans` finds the byte offsets of its elements;
both must agree. Applying edits leaves every other byte unchanged.

A document is edited through its *view*: its own bytes, or, when they are UTF-16, the same text in
UTF-8. All offsets are offsets in the view.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Collection
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple, NoReturn

from lxml import etree

from aptdither.apt import limits
from aptdither.apt.spans import Element, find_elements
from aptdither.errors import DocumentError, Location, ProposalError, RewriteError

#: Names (case-folded) of the encodings that are read, and Python's codec for each. All but UTF-16
#: have ASCII's own bytes for ASCII. APT writes UTF-8, and ISO-8859-1 in its versions 14 to 17.
ENCODINGS = {
    **dict.fromkeys(("utf-8", "utf8"), "utf-8"),
    **dict.fromkeys(("us-ascii", "ascii"), "ascii"),
    **dict.fromkeys(("iso-8859-1", "latin1"), "iso-8859-1"),
    **dict.fromkeys(("utf-16", "utf-16le", "utf-16be"), "utf-16"),
    "windows-1252": "cp1252",
}

#: How a UTF-16 document begins: with a byte order mark or with ``<``.
_UTF16_STARTS = {
    "utf-16-le": (codecs.BOM_UTF16_LE, b"<\0"),
    "utf-16-be": (codecs.BOM_UTF16_BE, b"\0<"),
}

_DECLARATION = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]*)["']""")
_DOCTYPE = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL
)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOT_BLANK = re.compile(rb"[^ \t\r\n\0]")
_PARSER_PLACE = re.compile(r"\s*,? line \d+, column \d+.*$", re.DOTALL)


class Edit(NamedTuple):
    """Replace ``source[start:stop]`` by `new`; ``start == stop`` inserts."""

    start: int
    stop: int
    new: bytes = b""


def splice(source: bytes, start: int, stop: int, edits: Collection[Edit]) -> bytes:
    """Return ``source[start:stop]`` with edits, whose offsets are those of `source`.

    Insertions at one offset keep the order in which they are given. It is an error that two edits
    overlap or that one is outside the part.
    """
    pieces: list[bytes] = []
    done = start
    if not edits:
        return source[start:stop]
    for edit in sorted(edits, key=itemgetter(0, 1)):
        if not done <= edit.start <= edit.stop <= stop:
            raise RewriteError(
                f"bytes {edit.start} to {edit.stop} would be edited twice or do not exist; "
                "please report this file: nothing was written"
            )
        pieces += (source[done : edit.start], edit.new)
        done = edit.stop
    pieces.append(source[done:stop])
    return b"".join(pieces)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """An XML file that was read and found well-formed.

    Attributes
    ----------
    view : bytes
        The bytes that offsets refer to: `source` itself, or its text in UTF-8 when it is UTF-16.
    encoding, source_encoding : str
        Python's codecs of `view` and `source`; a byte order mark counts as a character.
    line_end : bytes
        The first line end of the file, LF where there is none.
    elements : tuple of Element
        The elements of the requested names, in document order.
    """

    source: bytes
    view: bytes
    encoding: str
    source_encoding: str
    line_end: bytes
    elements: tuple[Element, ...]

    def apply(self, edits: Collection[Edit]) -> bytes:
        """Return the file with edits of the view applied; the same object when there is none."""
        if not edits:
            return self.source
        new = splice(self.view, 0, len(self.view), edits)
        if self.view is self.source:
            return new
        return new.decode(self.encoding).encode(self.source_encoding)


def read_document(
    source: bytes, names: Collection[str], *, path: str = ""
) -> tuple[Document, etree._Element, dict[etree._Element, int]]:
    """Read an XML file.

    `names` are those of the elements whose byte offsets are needed; `path` is for messages.

    Returns
    -------
    document : Document
        Its bytes and the offsets of the elements.
    root : lxml element
        The parsed tree, without XML comments, processing instructions and white space between
        two pieces of markup: half of a dense proposal's nodes are its indentation.
    nodes : dict
        The index in :attr:`Document.elements` of each element of the requested names.

    Raises
    ------
    DocumentError, ProposalError
        If it is not XML that can be read safely, or a JWST .aptx file.
    """
    try:
        _check_bounds(source)
        view, encoding, source_encoding = _decode(source)
        # Entities can only be declared in a DOCTYPE, so without one there are none to expand or fetch.
        doctype = _DOCTYPE.match(view)
        if doctype is not None:
            _fail(
                "it has a DOCTYPE, which is refused because it can name other files and define "
                "entities; APT writes none: remove it",
                view.count(b"\n", 0, doctype.end()) + 1,
            )
        root = _parse(view, encoding)
        elements = find_elements(view, names)
        parsed = [
            element
            for element in root.iter(*(f"{{*}}{name}" for name in names))
            if element.prefix is None
        ]
        if [element.name for element in elements] != [
            element.tag.rpartition("}")[2].encode() for element in parsed
        ]:
            _fail(
                "internal error: the positions of its tags are ambiguous; please report this file"
            )
    except (DocumentError, ProposalError) as error:
        raise error.located(Location(path=path or None)) from error.__cause__
    line_end = _LINE_END.search(view)
    document = Document(
        source=source,
        view=view,
        encoding=encoding,
        source_encoding=source_encoding,
        line_end=line_end[0] if line_end else b"\n",
        elements=tuple(elements),
    )
    return document, root, {element: node for node, element in enumerate(parsed)}


def _parse(view: bytes, encoding: str) -> etree._Element:
    """Parse bytes that are in bounds and have no DOCTYPE; whatever they declare, `encoding` holds."""
    try:
        return etree.fromstring(view, _hardened_parser(encoding))
    except etree.XMLSyntaxError as error:
        line, column = error.position
        what = _PARSER_PLACE.sub("", error.msg or "").strip()
        message = (
            f"it is not well-formed XML: {what} (column {column}); is the file complete? "
            "Save it again in APT"
        )
        if "Excessive depth" in what:
            message = (
                f"its elements are nested more than {limits.MAX_DEPTH} deep, which APT never does"
            )
        raise DocumentError(message, location=Location(line=line or None)) from error


@functools.cache
def _hardened_parser(encoding: str) -> etree.XMLParser:
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        collect_ids=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,
    )


def _check_bounds(source: bytes) -> None:
    if not _NOT_BLANK.search(source):
        _fail("the file is empty", 1)
    if source.startswith(b"PK\x03\x04"):
        raise ProposalError(
            "it is a zip file, as APT writes for JWST (.aptx); only HST proposals (.apt) are read"
        )
    for count, most, what in (
        (len(source), limits.MAX_BYTES, "bytes"),
        (source.count(b"<"), limits.MAX_MARKUP, "'<'"),
        (source.count(b"="), limits.MAX_EQUALS, "'='"),
    ):
        if count > most:
            _fail(f"it has {count} {what}; at most {most} are read")
    at = 0
    while len(source) - at > limits.MAX_STRETCH:
        following = source.rfind(b"<", at + 1, at + limits.MAX_STRETCH)
        if following < 0:
            _fail(
                f"one text, attribute or tag has more than {limits.MAX_STRETCH} bytes",
                source.count(b"\n", 0, at) + 1,
            )
        at = following


def _decode(source: bytes) -> tuple[bytes, str, str]:
    """Return the view, its codec and the codec of the source."""
    if source.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        _fail("it is UTF-32; save it again in APT, which writes UTF-8", 1)
    for codec, starts in _UTF16_STARTS.items():
        if source.startswith(starts):
            return _decode_utf16(source, codec)
    if b"\0" in source:
        line = source.count(b"\n", 0, source.index(b"\0")) + 1
        _fail("it holds a NUL byte, which no XML file may; is the file damaged?", line)
    name, codec = _declared(source, default="utf-8")
    if codec == "utf-16":
        _fail(f"it declares the encoding {name}, but its bytes are not UTF-16", 1)
    if source.startswith(codecs.BOM_UTF8) and codec != "utf-8":
        _fail(f"it begins with UTF-8's byte order mark, but declares the encoding {name}", 1)
    if codec == "ascii" and not source.isascii():
        at = next(i for i, byte in enumerate(source) if byte > 127)
        line = source.count(b"\n", 0, at) + 1
        _fail(f"it declares the encoding {name}, but byte 0x{source[at]:02x} is not ASCII", line)
    return source, codec, codec


def _decode_utf16(source: bytes, codec: str) -> tuple[bytes, str, str]:
    try:
        view = source.decode(codec).encode()
    except UnicodeDecodeError as error:
        line = source[: error.start // 2 * 2].decode(codec, "replace").count("\n") + 1
        _fail(f"it is not what UTF-16 allows ({error.reason}); is the file complete?", line)
    name, declared = _declared(view, default="utf-16")
    if declared != "utf-16":
        _fail(f"its bytes are UTF-16, but it declares the encoding {name}", 1)
    return view, "utf-8", codec


def _declared(view: bytes, *, default: str) -> tuple[str, str]:
    """Return the encoding that a document declares, and Python's codec for it."""
    declared = _DECLARATION.match(view)
    name = declared[1].decode("ascii", "replace") if declared else default
    codec = ENCODINGS.get(name.lower())
    if codec is None:
        allowed = "UTF-8, UTF-16, US-ASCII, ISO-8859-1, windows-1252"
        _fail(f"it declares the encoding {name!r}; allowed: {allowed}", 1)
    return name, codec


def _fail(message: str, line: int | None = None) -> NoReturn:
    raise DocumentError(message, location=Location(line=line))
