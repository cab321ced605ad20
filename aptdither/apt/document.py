"""The bytes of an XML file: read safely, and changed only by edits.

lxml parses the document (no DOCTYPE, no entities except XML's five, no network, bounded by
:mod:`aptdither.apt.limits`) and :mod:`aptdither.apt.spans` finds the byte offsets of its elements;
both must agree. Applying edits leaves every other byte unchanged.

A document is edited through its *view*: its own bytes, or, when they are UTF-16, the same text in
UTF-8. All offsets are offsets in the view; :meth:`Document.apply` brings edits to the file's bytes.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from lxml import etree

from aptdither.apt import limits
from aptdither.apt.spans import Element, find_elements
from aptdither.errors import DocumentError, Location, ProposalError, RewriteError

#: Names (case-folded) of the encodings that are read, and Python's codec for each. All but UTF-16
#: have ASCII's own bytes for ASCII. APT writes UTF-8, and ISO-8859-1 in its versions 14 to 17.
ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16",
    "utf-16be": "utf-16",
}

_DECLARATION = re.compile(rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]*)["']""")
_DOCTYPE = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL
)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOT_BLANK = re.compile(rb"[^ \t\r\n\0]")
_PARSER_PLACE = re.compile(r"\s*,? line \d+, column \d+.*$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Replace ``source[start:stop]`` by `new`; ``start == stop`` inserts."""

    start: int
    stop: int
    new: bytes


def apply_edits(source: bytes, edits: Iterable[Edit]) -> bytes:
    """Splice edits into a document.

    Parameters
    ----------
    source : bytes
        The document.
    edits : iterable of Edit
        In any order; insertions at one offset keep the order in which they are given.

    Returns
    -------
    bytes
        The new document; the very same object when there is no edit.

    Raises
    ------
    RewriteError
        If two edits overlap or one is outside the document.
    """
    ordered = in_order(source, edits)
    if not ordered:
        return source
    pieces: list[bytes] = []
    done = 0
    for edit in ordered:
        pieces += (source[done : edit.start], edit.new)
        done = edit.stop
    pieces.append(source[done:])
    return b"".join(pieces)


def in_order(source: bytes, edits: Iterable[Edit]) -> list[Edit]:
    """Return edits ordered by their offset in `source`.

    Raises
    ------
    RewriteError
        If two edits overlap or one is outside the document.
    """
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.stop))
    done = 0
    for edit in ordered:
        if not done <= edit.start <= edit.stop <= len(source):
            raise RewriteError(
                f"bytes {edit.start} to {edit.stop} would be edited twice or do not exist; "
                "please report this file: nothing was written"
            )
        done = edit.stop
    return ordered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """An XML file that was read and found well-formed.

    Attributes
    ----------
    source : bytes
        The file.
    view : bytes
        The bytes that offsets refer to: `source` itself, or its text in UTF-8 when it is UTF-16.
    encoding : str
        Python's codec of `view`.
    source_encoding : str
        Python's codec of `source`; a byte order mark counts as a character.
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

    def apply(self, edits: Iterable[Edit]) -> bytes:
        """Return the file with edits of the view applied; the same object when there is none."""
        if self.view is self.source:
            return apply_edits(self.source, edits)
        moved = []
        at_view = at_source = 0
        for edit in in_order(self.view, edits):
            bounds = []
            for offset in (edit.start, edit.stop):
                at_source += len(self._in_source(self.view[at_view:offset]))
                at_view = offset
                bounds.append(at_source)
            moved.append(Edit(start=bounds[0], stop=bounds[1], new=self._in_source(edit.new)))
        return apply_edits(self.source, moved)

    def _in_source(self, view: bytes) -> bytes:
        return view.decode(self.encoding).encode(self.source_encoding)


def read_document(
    source: bytes, names: frozenset[str], *, path: str = ""
) -> tuple[Document, etree._Element, dict[etree._Element, Element]]:
    """Read an XML file.

    Parameters
    ----------
    source : bytes
        The file.
    names : frozenset of str
        Names of the elements whose byte offsets are needed.
    path : str
        Its name, for messages.

    Returns
    -------
    document : Document
        Its bytes and the offsets of the elements.
    root : lxml element
        The parsed tree, without XML comments, processing instructions and white space between
        two pieces of markup: half of a dense proposal's nodes are its indentation.
    places : dict
        The offsets of each element of the requested names.

    Raises
    ------
    DocumentError
        If it is not XML that can be read safely.
    ProposalError
        If it is a JWST .aptx file.
    """
    try:
        _check_bounds(source)
        view, encoding, source_encoding = _decode(source)
        _refuse_doctype(view)
        root = parse_bytes(view, encoding, keep_comments=False, keep_blanks=False)
        if root.getroottree().docinfo.internalDTD is not None:
            _fail("it has a DOCTYPE, which is not read: remove it", None)
        elements = find_elements(view, names)
        parsed = [
            element
            for element in root.iter(*(f"{{*}}{name}" for name in names))
            if element.prefix is None
        ]
        if [element.name for element in elements] != [_local_name(element) for element in parsed]:
            _fail(
                "internal error: the positions of its tags are ambiguous; please report this file",
                None,
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
    return document, root, dict(zip(parsed, elements, strict=True))


def parse_bytes(
    view: bytes, encoding: str, *, keep_comments: bool = True, keep_blanks: bool = True
) -> etree._Element:
    """Parse bytes that are in bounds and have no DOCTYPE; whatever they declare, `encoding` holds.

    Raises
    ------
    DocumentError
        If they are not well-formed; it names the line.
    """
    parser = _hardened_parser(encoding, keep_comments, keep_blanks)
    try:
        return etree.fromstring(view, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        if "Excessive depth" in (error.msg or ""):
            raise DocumentError(
                f"its elements are nested more than {limits.MAX_DEPTH} deep, which APT never does",
                location=Location(line=line or None),
            ) from error
        what = _PARSER_PLACE.sub("", error.msg or "").strip()
        raise DocumentError(
            f"it is not well-formed XML: {what} (column {column}); is the file complete? "
            "Save it again in APT",
            location=Location(line=line or None),
        ) from error


@functools.cache
def _hardened_parser(encoding: str, keep_comments: bool, keep_blanks: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        collect_ids=False,
        remove_comments=not keep_comments,
        remove_pis=not keep_comments,
        remove_blank_text=not keep_blanks,
    )


def _refuse_doctype(view: bytes) -> None:
    # Entities can only be declared in a DOCTYPE, so without one there are none to expand or fetch.
    doctype = _DOCTYPE.match(view)
    if doctype is not None:
        _fail(
            "it has a DOCTYPE, which is refused because it can name other files and define "
            "entities; APT writes none: remove it",
            view.count(b"\n", 0, doctype.end()) + 1,
        )


def _check_bounds(source: bytes) -> None:
    if not _NOT_BLANK.search(source):
        _fail("the file is empty", 1)
    if source.startswith(b"PK\x03\x04"):
        raise ProposalError(
            "it is a zip file, as APT writes for JWST (.aptx); only HST proposals (.apt) are read"
        )
    if len(source) > limits.MAX_BYTES:
        _fail(f"it has {len(source)} bytes; at most {limits.MAX_BYTES} are read", None)
    for mark, most, what in (
        (b"<", limits.MAX_MARKUP, "'<'"),
        (b"=", limits.MAX_EQUALS, "'='"),
    ):
        count = source.count(mark)
        if count > most:
            _fail(f"it has {count} {what}; at most {most} are read", None)
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
    declared = _DECLARATION.match(source.removeprefix(codecs.BOM_UTF8))
    name = declared[1].decode("ascii", "replace") if declared else None
    codec = _utf16_codec(source)
    if codec is not None:
        return _decode_utf16(source, codec)
    if b"\0" in source:
        line = source.count(b"\n", 0, source.index(b"\0")) + 1
        _fail("it holds a NUL byte, which no XML file may; is the file damaged?", line)
    codec = _codec_of(name)
    if codec == "utf-16":
        _fail(f"it declares the encoding {name}, but its bytes are not UTF-16", 1)
    if source.startswith(codecs.BOM_UTF8) and codec != "utf-8":
        _fail(f"it begins with UTF-8's byte order mark, but declares the encoding {name}", 1)
    if codec == "ascii" and not source.isascii():
        at = next(i for i, byte in enumerate(source) if byte > 127)
        line = source.count(b"\n", 0, at) + 1
        _fail(f"it declares the encoding {name}, but byte 0x{source[at]:02x} is not ASCII", line)
    return source, codec, codec


def _utf16_codec(source: bytes) -> str | None:
    if source.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        _fail("it is UTF-32; save it again in APT, which writes UTF-8", 1)
    if source.startswith((codecs.BOM_UTF16_LE, b"<\0")):
        return "utf-16-le"
    if source.startswith((codecs.BOM_UTF16_BE, b"\0<")):
        return "utf-16-be"
    return None


def _decode_utf16(source: bytes, codec: str) -> tuple[bytes, str, str]:
    try:
        text = source.decode(codec)
    except UnicodeDecodeError as error:
        line = source[: error.start // 2 * 2].decode(codec, "replace").count("\n") + 1
        _fail(f"it is not what UTF-16 allows ({error.reason}); is the file complete?", line)
    view = text.encode("utf-8")
    declared = _DECLARATION.match(view.removeprefix(codecs.BOM_UTF8))
    name = declared[1].decode("ascii", "replace") if declared else "utf-16"
    if _codec_of(name) != "utf-16":
        _fail(f"its bytes are UTF-16, but it declares the encoding {name}", 1)
    return view, "utf-8", codec


def _codec_of(name: str | None) -> str:
    if name is None:
        return "utf-8"
    codec = ENCODINGS.get(name.lower())
    if codec is None:
        allowed = "UTF-8, UTF-16, US-ASCII, ISO-8859-1, windows-1252"
        _fail(f"it declares the encoding {name!r}; allowed: {allowed}", 1)
    return codec


def _local_name(element: etree._Element) -> str:
    return str(element.tag.rpartition("}")[2])


def _fail(message: str, line: int | None) -> NoReturn:
    raise DocumentError(message, location=Location(line=line))
