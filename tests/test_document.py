"""Documents: what is refused before anything is made of it, where things stand, and edits."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Collection
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aptdither.apt import limits
from aptdither.apt.document import Edit, read_document, splice
from aptdither.apt.reader import PLACED, parse_proposal
from aptdither.apt.spans import (
    find_attributes,
    find_children,
    find_text,
    space_before,
)
from aptdither.errors import AptDitherError, DocumentError, ProposalError, RewriteError
from tests.strategies import Made, proposals

ROOT = b'<HSTProposal><Visits><Visit Number="01"><Exposure Number="1" /></Visit></Visits></HSTProposal>'


# Edits -------------------------------------------------------------------------------------------


def apply_edits(source: bytes, edits: Collection[Edit]) -> bytes:
    return splice(source, 0, len(source), edits)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_without_edits_the_very_same_bytes(encoding: str) -> None:
    source = ROOT.decode().encode(encoding)
    assert parse_proposal(source).document.apply([]) is source


@st.composite
def _edited(draw: st.DrawFn) -> tuple[bytes, list[Edit]]:
    source = draw(st.binary(max_size=60))
    bounds = sorted(draw(st.lists(st.integers(0, len(source)), max_size=8)))
    pairs = zip(bounds[::2], bounds[1::2], strict=False)
    return source, [
        Edit(start=start, stop=stop, new=draw(st.binary(max_size=4))) for start, stop in pairs
    ]


@given(_edited(), st.randoms())
def test_edits_are_spliced_where_they_stand_in_any_order(
    case: tuple[bytes, list[Edit]], random: object
) -> None:
    source, edits = case
    expected, done = b"", 0
    for edit in edits:
        expected += source[done : edit.start] + edit.new
        done = edit.stop
    expected += source[done:]
    assert apply_edits(source, edits) == expected
    apart = len({(edit.start, edit.stop) for edit in edits}) == len(edits)
    if apart:
        assert apply_edits(source, edits[::-1]) == expected


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(start=0, stop=3, new=b""), Edit(start=2, stop=4, new=b"")],
        [Edit(start=4, stop=9, new=b"")],
        [Edit(start=3, stop=2, new=b"")],
        [Edit(start=-1, stop=2, new=b"")],
    ],
    ids=["overlap", "beyond the end", "backwards", "before the start"],
)
def test_edits_that_cannot_be_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(RewriteError, match="edited twice or do not exist"):
        apply_edits(b"abcdef", edits)


# What is refused -----------------------------------------------------------------------------------

REFUSED = [
    pytest.param(b"", 1, "the file is empty", id="empty"),
    pytest.param(b"\n \n", 1, "the file is empty", id="blank"),
    pytest.param(b"\0" * 99, 1, "the file is empty", id="only NUL"),
    pytest.param(b"<HSTProposal>\n\0</HSTProposal>", 2, "NUL byte", id="NUL"),
    pytest.param(b"<HSTProposal>\n\n<Visits>", 3, "is the file complete", id="truncated"),
    pytest.param(b"<HSTProposal>\n<Vis", 2, "is the file complete", id="cut in a tag"),
    pytest.param(b"plain text", 1, "not well-formed", id="no XML"),
    pytest.param(
        b"<!DOCTYPE HSTProposal>\n" + ROOT, 1, "it has a DOCTYPE, which is refused", id="DOCTYPE"
    ),
    pytest.param(
        b'<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE a [\n<!ENTITY a "b">]>\n' + ROOT,
        3,
        "it has a DOCTYPE",
        id="entity",
    ),
    pytest.param(
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + ROOT, 1, "DOCTYPE", id="external DTD"
    ),
    pytest.param(
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"),
        1,
        "DOCTYPE",
        id="DOCTYPE in UTF-16",
    ),
    pytest.param(b"<HSTProposal>\n&foo;</HSTProposal>", 2, "not well-formed", id="own entity"),
    pytest.param(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<HSTProposal>\n caf\xe9</HSTProposal>',
        3,
        "not well-formed",
        id="says UTF-8, is ISO-8859-1",
    ),
    pytest.param(
        b'<?xml version="1.0" encoding="US-ASCII"?>\n<a>\xe9</a>',
        2,
        "byte 0xe9 is not ASCII",
        id="says US-ASCII, is not",
    ),
    pytest.param(
        b'<?xml version="1.0" encoding="UTF-16"?>' + ROOT,
        1,
        "declares the encoding UTF-16, but its bytes are not",
        id="says UTF-16, is ASCII",
    ),
    pytest.param(
        '<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"),
        1,
        "bytes are UTF-16, but it declares the encoding UTF-8",
        id="says UTF-8, is UTF-16",
    ),
    pytest.param(
        b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        1,
        "byte order mark",
        id="says ISO-8859-1, marked as UTF-8",
    ),
    pytest.param(
        b'<?xml version="1.0" encoding="EBCDIC-CP-US"?><a/>',
        1,
        "allowed: UTF-8, UTF-16",
        id="unknown encoding",
    ),
    pytest.param("<a>é</a>".encode("utf-32"), 1, "UTF-32", id="UTF-32"),
    pytest.param(
        '<?xml version="1.0" encoding="UTF-16"?>\n<a/>'.encode("utf-16")[:-1],
        2,
        "UTF-16 allows",
        id="UTF-16 cut in a character",
    ),
    pytest.param(
        b"<HSTProposal>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</HSTProposal>",
        1,
        "nested more than 256 deep",
        id="nesting",
    ),
    pytest.param(b"<a>" * 100_000, 1, "nested more than 256 deep", id="nesting without end"),
    pytest.param(
        b'<HSTProposal a="' + b"x" * limits.MAX_STRETCH + b'" />',
        1,
        "one text, attribute or tag has more than 9000000 bytes",
        id="huge attribute",
    ),
    pytest.param(
        b"<HSTProposal>\n<a>" + b"x" * limits.MAX_STRETCH + b"</a></HSTProposal>",
        2,
        "one text, attribute or tag",
        id="huge text",
    ),
    pytest.param(
        b"<HSTProposal>" + b"<a/>" * limits.MAX_MARKUP, None, "2000001 '<'", id="many elements"
    ),
    pytest.param(
        b"<a " + b"b='' " * (limits.MAX_EQUALS + 1), None, "3000001 '='", id="many attributes"
    ),
    pytest.param(
        b"<HSTProposal>" + b"<Exposure/>" * (limits.MAX_PLACED + 1) + b"</HSTProposal>",
        1,
        "more than 200000 visits, groups, exposures",
        id="many exposures",
    ),
    pytest.param(b"<" * 1_000_000, 1, "not well-formed", id="open tags"),
    pytest.param(b"&" * 1_000_000, 1, "not well-formed", id="ampersands"),
]


@pytest.mark.parametrize(("source", "line", "said"), REFUSED)
def test_what_is_refused_says_where_and_why(source: bytes, line: int | None, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_proposal(source, "x.apt")
    assert said in caught.value.message
    assert (caught.value.location.path, caught.value.location.line) == ("x.apt", line)


def test_a_file_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BYTES", 100)
    with pytest.raises(DocumentError, match="at most 100 are read"):
        parse_proposal(ROOT + b" " * 100)


def test_entities_are_never_expanded_or_fetched(tmp_path: object) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(20)
    )
    started = time.perf_counter()
    with pytest.raises(DocumentError, match="DOCTYPE"):
        parse_proposal(bomb + b"]><a>&u;</a>")
    assert time.perf_counter() - started < 5


def test_an_aptx_file_is_refused_by_name() -> None:
    with pytest.raises(ProposalError, match=r"zip file, as APT writes for JWST \(\.aptx\)"):
        parse_proposal(b"PK\x03\x04\x14\x00")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(b"<!-- <!DOCTYPE a> -->" + ROOT, id="DOCTYPE in a comment"),
        pytest.param(ROOT + b"\n<!-- the end -->\n", id="comment after the root"),
        pytest.param(b"\xef\xbb\xbf" + ROOT, id="UTF-8 with a byte order mark"),
        pytest.param(ROOT.decode().encode("utf-16"), id="UTF-16 without declaration"),
        pytest.param(ROOT.replace(b"><", b">\r<"), id="CR alone"),
        pytest.param(
            ROOT.replace(
                b"<Visits>", b"<Q xmlns='u:x'><Exposure/></Q><q:Visit xmlns:q='u'/><Visits>"
            ),
            id="namespaces elsewhere",
        ),
    ],
)
def test_what_is_read_all_the_same(source: bytes) -> None:
    proposal = parse_proposal(source)
    assert [visit.number for visit in proposal.visits] == ["01"]
    assert proposal.document.source is source


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_by_our_own_errors(source: bytes) -> None:
    for found in (source, ROOT[:40] + source + ROOT[60:]):
        with contextlib.suppress(AptDitherError):
            parse_proposal(found)


# Places -------------------------------------------------------------------------------------------


def _expat_elements(source: bytes) -> list[tuple[str, int, int]]:
    """Return name, start and line of each element that is looked for, as expat sees them."""
    parser = expat.ParserCreate()
    found: list[tuple[str, int, int]] = []

    def start(name: str, _: object) -> None:
        if name in PLACED:
            found.append((name, parser.CurrentByteIndex, parser.CurrentLineNumber))

    parser.StartElementHandler = start
    parser.Parse(source, True)
    return found


def _in_source(made: Made, view: bytes, offset: int) -> int:
    codec = {"UTF-16": "utf-16-le"}.get(made.layout.encoding)
    return offset if codec is None else len(view[:offset].decode().encode(codec))


@given(proposals())
def test_places_are_where_expat_sees_them(made: Made) -> None:
    document, _, _ = read_document(made.source, PLACED)
    mine = [
        (element.name.decode(), _in_source(made, document.view, element.start), element.line)
        for element in document.elements
    ]
    assert mine == _expat_elements(made.source)


@given(proposals())
def test_each_place_holds_exactly_its_element(made: Made) -> None:
    document, _, nodes = read_document(made.source, PLACED)
    for meant, node in nodes.items():
        location = document.elements[node]
        whole = etree.fromstring(
            document.view[location.start : location.stop],
            etree.XMLParser(encoding=document.encoding),
        )
        assert whole.tag == meant.tag
        assert dict(whole.attrib) == dict(meant.attrib)
        attributes = find_attributes(document.view, location)
        assert [name.decode() for name in attributes] == list(meant.attrib)
        assert document.view[location.start :].startswith(b"<" + location.name)
        if location.is_self_closing:
            continue
        children = list(find_children(document.view, location.open_stop, location.close_start))
        assert [child.name.decode() for child in children] == [child.tag for child in meant]
        for child, element in zip(children, meant, strict=True):
            if child.name == b"Comments":
                text = find_text(document.view, child, document.encoding)
                raw = document.view[child.start : child.stop]
                parser = etree.XMLParser(
                    encoding=document.encoding, remove_comments=True, remove_pis=True
                )
                assert text.text == (etree.fromstring(raw, parser).text or "")
                assert text.text.split() == (element.text or "").split()


@given(proposals())
def test_each_character_of_a_comment_stands_where_it_is_said(made: Made) -> None:
    document, _, _ = read_document(made.source, PLACED)
    view = document.view
    for location in document.elements:
        if location.name != b"Exposure" or location.is_self_closing:
            continue
        for child in find_children(view, location.open_stop, location.close_start):
            if child.name != b"Comments":
                continue
            text = find_text(view, child, document.encoding)
            for character, start, stop in zip(*text, strict=True):
                raw = view[start:stop]
                if raw in (b"\r\n", b"\r"):
                    assert character == "\n"
                elif raw.startswith(b"&") and len(raw) > 1:
                    assert character == etree.fromstring(b"<a>" + raw + b"</a>").text
                else:
                    assert character == raw.decode(document.encoding)


def test_blanks_before_a_place() -> None:
    view = b"<a>" + b" \r\n\t" * 100 + b"<b/>"
    assert space_before(view, view.index(b"<b")) == 3
    assert space_before(b"   ", 3) == 0
    assert space_before(view, 3) == 3


def test_lines_are_right_beyond_what_libxml2_counts() -> None:
    lines = 70_000
    source = ROOT.replace(b"<Visits>", b"\n" * lines + b"<Visits>")
    proposal = parse_proposal(source)
    assert proposal.visits[0].exposures[0].line == lines + 1


def test_a_greater_sign_and_a_tag_in_an_attribute_mislead_nothing() -> None:
    source = ROOT.replace(b'Number="1"', b"""Label='/> "x' A="&lt;Exposure>'" Number = '1'""")
    document, _, nodes = read_document(source, PLACED)
    assert [element.name for element in document.elements] == [b"Visit", b"Exposure"]
    location = document.elements[1]
    assert re.fullmatch(rb"<Exposure .* />", document.view[location.start : location.stop])
    attributes = find_attributes(source, location)
    number = attributes[b"Number"]
    assert source[number.value_start : number.value_stop] == b"1"
    assert list(nodes.values()) == [0, 1]
