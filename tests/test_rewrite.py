"""Rewriting: what changes, what is left alone, the laws, and that the proof sees through faults."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptdither.apt.document import Document, Edit
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.reader import parse_proposal
from aptdither.apt.receipt import MadeBy, Receipt, parse_receipt
from aptdither.apt.tags import parse_comments
from aptdither.apt.verify import verify_rewrite
from aptdither.apt.writer import is_unedited_copy
from aptdither.errors import ProposalError, RewriteError
from aptdither.types import NO_OFFSET, PosTarg
from tests.strategies import Made, changes_of, proposals
from tests.wishes import Position, Wish, rewrite, spans_outside

RECEIPT = "@dithered 1/2 tight-2 base=0.000,0.000 aptdither=0.1.0"


def receipt(index: int = 1, total: int = 2, made_by: MadeBy = MadeBy.OBSERVER) -> Receipt:
    return Receipt(
        index=index,
        total=total,
        pattern="tight-2",
        base=NO_OFFSET,
        version="0.1.0",
        made_by=made_by,
    )


def pointing(x: float, y: float, index: int = 1, made_by: MadeBy = MadeBy.OBSERVER) -> Position:
    return Position(
        pos_targ=PosTarg(x_arcsec=x, y_arcsec=y), receipt=receipt(index, made_by=made_by)
    )


def wrap(exposures: str, line_end: str = "\n", head: str = "") -> bytes:
    text = f"<HSTProposal><Visits><Visit\n   Number='01'>{head}{exposures}</Visit></Visits></HSTProposal>"
    return text.replace("\n", line_end).encode()


def exposures_of(proposal: Proposal) -> list[Exposure]:
    return [exposure for visit in proposal.visits for exposure in visit.exposures]


def point_first(source: bytes, x: float, y: float) -> bytes:
    """Point the first exposure of a proposal somewhere, with a receipt."""
    proposal = parse_proposal(source)
    change = Wish(exposure=exposures_of(proposal)[0], positions=(pointing(x, y),))
    return rewrite(proposal, (change,))


# What is written, byte for byte -------------------------------------------------------------------

TALL = """
      <Exposure
         Number="1">
         {before}
         <MaxDur />
         {between}
         {comments}
         
         <SubExposures />
      </Exposure>
   """
NEW = """
         <PosTarg
            X="0.542"
            Y="-0.182" />
         """


def tall(comments: str = "<Comments />", before: str = "", between: str = "") -> str:
    return TALL.format(comments=comments, before=before, between=between)


DONE = tall(f"<Comments>{RECEIPT}</Comments>", NEW)

CHANGED = [
    pytest.param(wrap(tall()), wrap(DONE), id="PosTarg first, Comments filled"),
    pytest.param(wrap(tall(), "\r\n"), wrap(DONE, "\r\n"), id="CRLF"),
    pytest.param(wrap(tall(), "\r"), wrap(DONE, "\r"), id="CR"),
    pytest.param(
        wrap(tall().replace('"', "'")), wrap(DONE.replace('"', "'")), id="the file's quotes"
    ),
    pytest.param(
        wrap(tall(before="\n         <PosTarg\n            Y='-3' />\n         ")),
        wrap(
            tall(
                f"<Comments>{RECEIPT}</Comments>",
                "\n         <PosTarg\n            X='0.542'\n            Y='-0.182' />\n         ",
            )
        ),
        id="one-sided PosTarg",
    ),
    pytest.param(
        wrap(tall(before="<PosTarg   X = '9'/>")),
        wrap(
            tall(
                f"<Comments>{RECEIPT}</Comments>",
                "<PosTarg   X = '0.542'   Y='-0.182'/>",
            )
        ),
        id="PosTarg with X alone, odd blanks",
    ),
    pytest.param(
        wrap(tall(before="\n         <PosTarg />\n         ")),
        wrap(DONE),
        id="PosTarg with no axis",
    ),
    pytest.param(
        wrap(tall(before='\n         <PosTarg X="NaN" Y="1,5"/>\n         ')),
        wrap(
            tall(
                f"<Comments>{RECEIPT}</Comments>",
                '\n         <PosTarg X="0.542" Y="-0.182"/>\n         ',
            )
        ),
        id="PosTarg that could not be read",
    ),
    pytest.param(
        wrap('<Exposure Number="1"><MaxDur/><Comments/></Exposure>'),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" /><MaxDur/>'
            f"<Comments>{RECEIPT}</Comments></Exposure>"
        ),
        id="compact",
    ),
    pytest.param(
        wrap('<Exposure Number="1" />'),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" />'
            f"<Comments>{RECEIPT}</Comments></Exposure>"
        ),
        id="self-closing",
    ),
    pytest.param(
        wrap('\n\n   <Exposure\n      Number="1" />\n'),
        wrap(
            '\n\n   <Exposure\n      Number="1">\n\n      <PosTarg\n         X="0.542"\n'
            f'         Y="-0.182" />\n\n      <Comments>{RECEIPT}</Comments>\n   </Exposure>\n'
        ),
        id="self-closing in APT's style",
    ),
    pytest.param(
        wrap('<Exposure Number="1"></Exposure>'),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" />'
            f"<Comments>{RECEIPT}</Comments></Exposure>"
        ),
        id="empty",
    ),
    pytest.param(
        wrap('<Exposure Number="1"><MaxDur/> <InstrumentParameters/></Exposure>'),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" /><MaxDur/> '
            f"<Comments>{RECEIPT}</Comments> <InstrumentParameters/></Exposure>"
        ),
        id="Comments made before InstrumentParameters",
    ),
    pytest.param(
        wrap('<Exposure Number="1"><MaxDur/>\n <MinDur/></Exposure>'),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" /><MaxDur/>\n <MinDur/>\n '
            f"<Comments>{RECEIPT}</Comments></Exposure>"
        ),
        id="Comments made at the end",
    ),
    pytest.param(
        wrap(tall("<Comments>\n  @dither n=2\nmore</Comments>")),
        wrap(tall(f"<Comments>\n  @dither n=2\n{RECEIPT}\nmore</Comments>", NEW)),
        id="receipt after the tag's line",
    ),
    pytest.param(
        wrap(tall("<Comments>text\n   </Comments>")),
        wrap(tall(f"<Comments>text\n{RECEIPT}\n   </Comments>", NEW)),
        id="receipt after the text",
    ),
    pytest.param(
        wrap(tall("<Comments>trailing \t\n  </Comments>")),
        wrap(tall(f"<Comments>trailing \t\n{RECEIPT}\n  </Comments>", NEW)),
        id="blanks at the end of the text",
    ),
    pytest.param(
        wrap(tall("<Comments>one line</Comments>"), "\r\n"),
        wrap(tall(f"<Comments>one line\n{RECEIPT}</Comments>", NEW), "\r\n"),
        id="the file's line end in Comments of one line",
    ),
    pytest.param(
        wrap(tall("<Comments><![CDATA[a<b\n@dither]]></Comments>")),
        wrap(tall(f"<Comments><![CDATA[a<b\n@dither\n{RECEIPT}]]></Comments>", NEW)),
        id="inside CDATA",
    ),
    pytest.param(
        wrap(tall("<Comments>&#64;dither&#10;R&amp;D</Comments>")),
        wrap(tall(f"<Comments>&#64;dither\n{RECEIPT}&#10;R&amp;D</Comments>", NEW)),
        id="between entities",
    ),
    pytest.param(
        wrap(tall("<Comments><!-- @dither -->x<!-- y --></Comments>")),
        wrap(tall(f"<Comments><!-- @dither -->x\n{RECEIPT}<!-- y --></Comments>", NEW)),
        id="between XML comments",
    ),
    pytest.param(
        wrap(tall("<Comments>@dither\n@dithered 9/9 old base=0,0 aptdither=0\n.</Comments>")),
        wrap(tall(f"<Comments>@dither\n{RECEIPT}\n.</Comments>", NEW)),
        id="receipt replaced",
    ),
    pytest.param(
        wrap(tall("<Comments>\t</Comments>")),
        wrap(tall(f"<Comments>{RECEIPT}\t</Comments>", NEW)),
        id="only a blank",
    ),
    pytest.param(
        wrap(tall("<Comments>  @dithered 9/9 old base=0,0 aptdither=0\t</Comments>")),
        wrap(tall(f"<Comments>  {RECEIPT}\t</Comments>", NEW)),
        id="receipt replaced between blanks",
    ),
    pytest.param(
        wrap(tall(f"<Comments>@dithered bad\n@dither\n{RECEIPT}\n@dithered</Comments>")),
        wrap(tall(f"<Comments>{RECEIPT}\n@dither</Comments>", NEW)),
        id="one receipt stays",
    ),
    pytest.param(
        wrap('<Exposure Number="1" SamePosAs="7" Z="1"><A/><Comments/></Exposure>'),
        wrap(
            '<Exposure Number="1" Z="1"><PosTarg X="0.542" Y="-0.182" /><A/>'
            f"<Comments>{RECEIPT}</Comments></Exposure>"
        ),
        id="SamePosAs goes",
    ),
    pytest.param(
        wrap(
            '<Exposure Number="1"><A/><Comments/></Exposure>',
            head="<TicData><TicDataCurrent> true\n</TicDataCurrent></TicData>",
        ),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" /><A/>'
            f"<Comments>{RECEIPT}</Comments></Exposure>",
            head="<TicData><TicDataCurrent> false\n</TicDataCurrent></TicData>",
        ),
        id="the orbit plan is stale",
    ),
    pytest.param(
        wrap(
            '<Exposure Number="1"><A/><Comments/></Exposure><TicData><TicDataCurrent>true'
            "</TicDataCurrent></TicData>"
        ),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" /><A/>'
            f"<Comments>{RECEIPT}</Comments></Exposure><TicData><TicDataCurrent>false"
            "</TicDataCurrent></TicData>"
        ),
        id="an orbit plan after the exposures",
    ),
    pytest.param(
        wrap('<Exposure Number="1">text<A/><Comments/></Exposure>'),
        wrap(
            '<Exposure Number="1"><PosTarg X="0.542" Y="-0.182" />text<A/>'
            f"<Comments>{RECEIPT}</Comments></Exposure>"
        ),
        id="text where none belongs",
    ),
]


@pytest.mark.parametrize(("source", "expected"), CHANGED)
def test_what_is_written(source: bytes, expected: bytes) -> None:
    result = point_first(source, 0.5421, -0.18200001)
    assert result.decode() == expected.decode()
    assert point_first(result, 0.542, -0.182) is result


LEFT_ALONE = [
    pytest.param(wrap(DONE), id="done already"),
    pytest.param(wrap(DONE.replace("=0.1.0", "=0.0.9")), id="done by another version"),
    pytest.param(wrap(DONE.replace('"0.542"', '" .542e0"')), id="the same number"),
    pytest.param(wrap(DONE.replace("base=0.000,0.000", "base=0,-0")), id="the same base"),
    pytest.param(wrap(DONE.replace("<Comments>", "<Comments>@dither n=2\n")), id="with a tag"),
]


@pytest.mark.parametrize("source", LEFT_ALONE)
def test_what_is_left_alone(source: bytes) -> None:
    assert point_first(source, 0.542, -0.182) is source


def test_an_exposure_that_shall_not_move_still_gets_its_receipt() -> None:
    result = point_first(wrap('<Exposure Number="1"><A/></Exposure>'), -0.0, -0.0004)
    assert b'<PosTarg X="0.000" Y="0.000" />' in result
    assert RECEIPT.encode() in result


def test_other_encodings_keep_their_bytes() -> None:
    text = (
        '<?xml version="1.0" encoding="{}"?>\n<!-- µ½ -->'
        + wrap(tall("<Comments>µm½\n@dither\né</Comments>")).decode()
    )
    for encoding, codec in (
        ("ISO-8859-1", "latin-1"),
        ("UTF-16", "utf-16"),
        ("UTF-8", "utf-8-sig"),
    ):
        source = text.format(encoding).encode(codec)
        result = point_first(source, 0.542, -0.182)
        assert f"µm½\n@dither\n{RECEIPT}\né" in result.decode(codec)
        assert result[:60] == source[:60]


# Copies, deletion, dealing, groups ----------------------------------------------------------------

TWO = wrap(
    """
   <Exposure Number="1" SamePosAs="3">
      <MaxDur />
      <Comments>Field.
@dither n=3
end</Comments>
   </Exposure>
   <!-- between -->
   <Exposure Number="2" SamePosAs="1" /><Exposure Number="3" SamePosAs='2'/>
"""
)
EXPANDED = wrap(
    f"""
   <Exposure Number="1">
      <PosTarg X="0.100" Y="0.200" />
      <MaxDur />
      <Comments>Field.
@dither n=3
{RECEIPT}
end</Comments>
   </Exposure>
   <Exposure Number="2">
      <PosTarg X="0.300" Y="0.400" />
      <MaxDur />
      <Comments>Field.
{RECEIPT.replace("1/2", "2/2")} copy
end</Comments>
   </Exposure>
   <!-- between -->
   <Exposure Number="3" SamePosAs="1" /><Exposure Number="4" SamePosAs='3'/>
"""
)


def test_an_expanded_exposure_is_copied_and_the_visit_renumbered() -> None:
    proposal = parse_proposal(TWO)
    change = Wish(
        exposure=exposures_of(proposal)[0],
        positions=(pointing(0.1, 0.2), pointing(0.3, 0.4, 2, MadeBy.COPY)),
    )
    result = rewrite(proposal, (change,))
    assert result.decode() == EXPANDED.decode()


def test_a_deleted_copy_leaves_no_trace() -> None:
    proposal = parse_proposal(EXPANDED)
    first, copy, *_ = exposures_of(proposal)
    changes = (
        Wish(exposure=first, positions=(pointing(0.1, 0.2),)),
        Wish(exposure=copy, positions=()),
    )
    assert rewrite(proposal, changes) == point_first(TWO, 0.1, 0.2)


COPIED = """
   <Exposure
      Number="1" NumberOfIterations="1">
      <TimePerExposure Value="{time}" />
      <Comments>{comment}</Comments>
      <InstrumentParameters
         NSAMP="12" />
      <SubExposures>
         <SubExposure OrbitNumber="1" />
      </SubExposures>
   </Exposure>
"""
COMMENTS = ["", "@dither n=2", "µm.\n@dither n=2\nend", "only text", "a &amp; b\n  @dither n=2  "]


def expanded(comment: str, line_end: str, encoding: str) -> bytes:
    """Return a file in which an exposure was expanded to two."""
    text = wrap(COPIED.format(time="DEF", comment=comment)).decode()
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'.replace("\n", line_end)
    proposal = parse_proposal(text.encode(encoding))
    wish = Wish(
        exposure=exposures_of(proposal)[0],
        positions=(pointing(0.1, 0.2), pointing(0.3, 0.4, 2, MadeBy.COPY)),
    )
    return rewrite(proposal, (wish,))


def is_unedited(source: bytes) -> bool:
    proposal = parse_proposal(source)
    first, copy = exposures_of(proposal)
    return is_unedited_copy(proposal, first, copy)


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("comment", COMMENTS)
def test_a_copy_that_nobody_edited(comment: str, line_end: str, encoding: str) -> None:
    assert is_unedited(expanded(comment, line_end, encoding))


APT_S_OWN = [(b'Y="0.400"', b'Y="0.4"'), (b'OrbitNumber="1"', b'OrbitNumber="2"')]
BY_HAND = [
    (b'NSAMP="12"', b'NSAMP="13"'),
    (b"end", b"End"),
    (b'Value="DEF"', b'Value="20"'),
    (b"2/2 tight", b"2/2  @ tight"),
    (b"end", b"@dither n=3"),
    (b'Number="2"', b'Number="2" SamePosAs="1"'),
    (b'NumberOfIterations="1"', b'NumberOfIterations="2"'),
]


@pytest.mark.parametrize(("old", "new"), APT_S_OWN + BY_HAND)
def test_a_copy_that_was_edited(old: bytes, new: bytes) -> None:
    before, mark, copy = expanded(COMMENTS[2], "\n", "UTF-8").partition(b'Number="2"')
    after = before + (mark + copy).replace(old, new, 1)
    assert old in mark + copy
    assert is_unedited(after) == ((old, new) in APT_S_OWN)


PATTERN = wrap(
    """
   <ExposureGroup
      Type="Pattern"
      Pattern="1">
      <Exposure Number="1" NumberOfIterations="2"><MaxDur/><SubExposures>
         <SubExposure
            CopyNumber="1"
            PrimaryPatternPosition="1"
            OrbitNumber="1" />
         <SubExposure CopyNumber="1" SubPatternPosition="2" OrbitNumber="2" />
      </SubExposures></Exposure>
   </ExposureGroup>
"""
)


def test_iterations_and_pattern_positions_are_dealt_out() -> None:
    proposal = parse_proposal(PATTERN)
    (group,) = proposal.visits[0].children
    assert isinstance(group, ExposureGroup)
    change = Wish(
        exposure=exposures_of(proposal)[0],
        positions=tuple(
            pointing(j, j, j + 1, MadeBy.SPLIT if j else MadeBy.OBSERVER) for j in range(3)
        ),
        is_split=True,
    )
    # A receipt's index may not exceed its total.
    change = Wish(
        exposure=change.exposure,
        positions=tuple(
            Position(pos_targ=p.pos_targ, receipt=receipt(j + 1, 3, p.receipt.made_by))
            for j, p in enumerate(change.positions)
        ),
        is_split=True,
    )
    result = rewrite(proposal, (change,), (group,))
    text = result.decode()
    assert "<ExposureGroup>" in text
    assert text.count('NumberOfIterations="1"') == 3
    assert "CopyNumber" not in text
    assert "PatternPosition" not in text
    assert '<SubExposure\n            OrbitNumber="1" />\n      </SubExposures>' in text
    orbits = [exposure.orbit_numbers for exposure in exposures_of(parse_proposal(result))]
    assert orbits == [(1,), (2,), (2,)]


def test_a_group_is_unwrapped_by_itself() -> None:
    proposal = parse_proposal(PATTERN)
    (group,) = proposal.visits[0].children
    assert isinstance(group, ExposureGroup)
    result = rewrite(proposal, (), (group,))
    assert result == PATTERN.replace(b'\n      Type="Pattern"\n      Pattern="1"', b"")
    again = parse_proposal(result)
    (group,) = again.visits[0].children
    assert isinstance(group, ExposureGroup)
    assert rewrite(again, (), (group,)) is result


CANNOT_RENUMBER = [
    pytest.param('<Exposure Number="2" SamePosAs="9"/>', "'9', a number that 0", id="dangling"),
    pytest.param(
        '<Exposure Number="2"/><Exposure Number="2"/><Exposure Number="4" SamePosAs="2"/>',
        "'2', a number that 2 exposures",
        id="twice",
    ),
    pytest.param("<Exposure/>", "it has no Number", id="no number"),
]


@pytest.mark.parametrize(("others", "said"), CANNOT_RENUMBER)
def test_a_visit_that_cannot_be_renumbered_is_refused(others: str, said: str) -> None:
    proposal = parse_proposal(wrap(f'<Exposure Number="1"><A/></Exposure>{others}'), "x.apt")
    pointings = (pointing(0, 0), pointing(1, 1, 2, MadeBy.COPY))
    change = Wish(exposure=exposures_of(proposal)[0], positions=pointings)
    with pytest.raises(ProposalError, match=said) as caught:
        rewrite(proposal, (change,))
    assert (caught.value.location.path, caught.value.location.visit) == ("x.apt", "01")


def test_a_reference_to_a_copy_that_goes_is_refused() -> None:
    proposal = parse_proposal(EXPANDED.replace(b'SamePosAs="1"', b'SamePosAs="2"'))
    change = Wish(exposure=exposures_of(proposal)[1], positions=())
    with pytest.raises(ProposalError, match="an exposure that would be removed"):
        rewrite(proposal, (change,))


def test_markup_in_the_middle_of_a_receipt_is_refused() -> None:
    source = wrap(tall("<Comments>@dithered 1/<![CDATA[9]]> x</Comments>"))
    with pytest.raises(ProposalError, match="markup runs through the line") as caught:
        point_first(source, 0, 0)
    assert caught.value.location.exposure == "1"


@pytest.mark.parametrize(
    ("arcsec", "text"),
    [(0.0, "0.000"), (-0.0, "0.000"), (-0.0004, "0.000"), (0.5421, "0.542"), (-13, "-13.000")],
)
def test_how_a_coordinate_is_written(arcsec: float, text: str) -> None:
    assert PosTarg(x_arcsec=arcsec, y_arcsec=0.0).written == (text, "0.000")


def test_exposures_in_an_unknown_element_are_counted_and_prevent_new_numbers() -> None:
    inner = '<Exposure Number="2" /><ExposureGroup><Exposure Number="3" /></ExposureGroup>'
    source = wrap(f'<Exposure Number="1"><A/></Exposure><NewGroup>{inner}</NewGroup>' + inner)
    proposal = parse_proposal(source)
    (visit,) = proposal.visits
    assert visit.unread_exposures == 2
    assert len(visit.exposures) == 3
    assert parse_proposal(TWO).visits[0].unread_exposures == 0
    positions = (pointing(0.1, 0.2), pointing(0.3, 0.4, 2, MadeBy.COPY))
    with pytest.raises(ProposalError, match=r"visit 01.* 2 exposures inside .*in APT"):
        rewrite(proposal, (Wish(exposure=visit.exposures[0], positions=positions),))
    assert b"NewGroup" in rewrite(
        proposal, (Wish(exposure=visit.exposures[0], positions=positions[:1]),)
    )


@pytest.mark.parametrize("name", ["PosTarg", "Comments"])
def test_an_element_of_another_namespace_is_refused(name: str) -> None:
    source = wrap(f'<Exposure Number="1"><{name} xmlns="foo" /></Exposure>')
    with pytest.raises(ProposalError, match=rf"exposure 1.*{name} has an xmlns.*remove"):
        point_first(source, 1, 2)


BLANKS = " " * 8_000_000
ODD = [
    pytest.param('<Exposure Number="1"><X xmlns="foo" /></Exposure>', id="relative namespace"),
    pytest.param('<Exposure Number="1" xmlns:p="foo"><p:X /></Exposure>', id="relative prefix"),
    pytest.param(f'<Exposure Number="1">{BLANKS}<A/></Exposure>', id="blanks in an exposure"),
    pytest.param(f'{BLANKS}<Exposure Number="1" />{BLANKS}', id="blanks around it"),
    pytest.param(f'<Exposure{BLANKS}Number="1"><A/>x{BLANKS}</Exposure>', id="blanks in its tag"),
]


def test_an_orbit_plan_between_many_blanks_becomes_stale() -> None:
    head = f"<TicData><TicDataCurrent>{BLANKS}true</TicDataCurrent></TicData>"
    result = point_first(wrap('<Exposure Number="1" />', head=head), 1, 2)
    assert f"<TicDataCurrent>{BLANKS}false</TicDataCurrent>".encode() in result


@pytest.mark.parametrize("exposure", ODD)
def test_odd_but_valid_markup_is_rewritten(exposure: str) -> None:
    (changed,) = exposures_of(parse_proposal(point_first(wrap(exposure), 1, 2)))
    assert changed.pos_targ == PosTarg(x_arcsec=1.0, y_arcsec=2.0)


# Laws ---------------------------------------------------------------------------------------------


def mapped(result: Proposal, before: Proposal, changes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    """Return the same wishes for the exposures of the rewritten proposal."""
    wanted = {change.exposure.node: change.positions for change in changes}
    again = []
    for old, new in zip(before.visits, result.visits, strict=True):
        waiting = iter(new.exposures)
        for exposure in old.exposures:
            for wish in wanted.get(exposure.node, (None,)):
                became = next(waiting)
                if wish is not None:
                    again.append(Wish(exposure=became, positions=(wish,)))
        assert next(waiting, None) is None
    return tuple(again)


@given(proposals(), st.data())
def test_twice_is_once(made: Made, data: st.DataObject) -> None:
    before = parse_proposal(made.source)
    changes = data.draw(changes_of(before))
    result = rewrite(before, changes)
    after = parse_proposal(result)
    assert rewrite(after, mapped(after, before, changes)) is result


@given(proposals(), st.data())
def test_what_is_read_back_is_what_was_wanted(made: Made, data: st.DataObject) -> None:
    before = parse_proposal(made.source)
    changes = data.draw(changes_of(before))
    after = parse_proposal(rewrite(before, changes))
    for change in mapped(after, before, changes):
        (wish,) = change.positions
        assert change.exposure.pos_targ == wish.pos_targ
        assert change.exposure.same_pos_as is None
        assert parse_comments(change.exposure.comments).receipts == (wish.receipt,)


@given(proposals(), st.data())
def test_numbers_stay_unique_and_references_right(made: Made, data: st.DataObject) -> None:
    before = parse_proposal(made.source)
    changes = data.draw(changes_of(before))
    after = parse_proposal(rewrite(before, changes))
    counts = {change.exposure.node: len(change.positions) for change in changes}
    for old, new in zip(before.visits, after.visits, strict=True):
        numbers = [exposure.number for exposure in new.exposures]
        assert len(set(numbers)) == len(numbers)
        became: dict[str, str] = {}
        at = 0
        for exposure in old.exposures:
            became[exposure.number] = numbers[at]
            at += counts.get(exposure.node, 1)
        if len(numbers) == len(old.exposures):
            assert numbers == [exposure.number for exposure in old.exposures]
        else:
            assert numbers == [str(i + 1) for i in range(len(numbers))]
        new_by_number = {exposure.number: exposure for exposure in new.exposures}
        for exposure in old.exposures:
            if exposure.node not in counts and exposure.same_pos_as is not None:
                follower = new_by_number[became[exposure.number]]
                assert follower.same_pos_as == became[exposure.same_pos_as]


@given(proposals(tidy=True), st.data())
def test_expanding_and_deleting_the_copies_is_not_expanding(
    made: Made, data: st.DataObject
) -> None:
    before = parse_proposal(made.source)
    drawn = data.draw(changes_of(before))
    changes = tuple(Wish(exposure=change.exposure, positions=change.positions) for change in drawn)
    plain = tuple(
        Wish(exposure=change.exposure, positions=change.positions[:1]) for change in changes
    )
    expanded = parse_proposal(rewrite(before, changes))
    wishes = mapped(expanded, before, changes)
    deletions = tuple(
        Wish(
            exposure=change.exposure,
            positions=() if change.positions[0].receipt.made_by else change.positions,
        )
        for change in wishes
    )
    assert rewrite(expanded, deletions) == rewrite(before, plain)


@given(proposals(), st.data())
def test_a_changed_wish_is_as_if_it_had_been_the_first(made: Made, data: st.DataObject) -> None:
    before = parse_proposal(made.source)
    first = data.draw(changes_of(before, expand=False))
    second = tuple(
        Wish(exposure=change.exposure, positions=(pointing(0.5, 1.25),)) for change in first
    )
    after = parse_proposal(rewrite(before, first))
    assert rewrite(after, mapped(after, before, second)) == rewrite(before, second)


@given(proposals(), st.data())
def test_bytes_outside_the_edits_are_the_input_s(made: Made, data: st.DataObject) -> None:
    before = parse_proposal(made.source)
    changes = data.draw(changes_of(before))
    asked: list[Edit] = []
    original = Document.apply

    def apply(self: Document, edits: list[Edit]) -> bytes:
        asked.extend(edits)
        return original(self, edits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Document, "apply", apply)
        result = rewrite(before, changes)
    view = before.document.view
    ordered = sorted(asked, key=lambda edit: edit[:2])
    codec, source_codec = before.document.encoding, before.document.source_encoding
    new_view = result.decode(source_codec).encode(codec)
    at = 0
    news = [*(edit.new for edit in ordered), b""]
    for (start, stop), new in zip(spans_outside(ordered, len(view)), news, strict=True):
        assert new_view[at : at + stop - start] == view[start:stop]
        at += stop - start
        assert new_view[at : at + len(new)] == new
        at += len(new)
    assert at == len(new_view)
    assert (result is made.source) == (not asked)


@given(proposals(), st.data())
def test_a_second_parser_sees_nothing_else_changed(made: Made, data: st.DataObject) -> None:
    """The whole tree, by another parser, once what a plan may change is left out."""
    before = parse_proposal(made.source)
    changes = data.draw(changes_of(before))
    result = rewrite(before, changes)
    counts = {change.exposure.node: len(change.positions) for change in changes}
    dealt = {change.exposure.node for change in changes if change.is_split}
    copies_of = [
        [(counts.get(e.node, 1), e.node in dealt) for e in visit.exposures]
        for visit in before.visits
    ]
    assert list(_neutral(result, None)) == list(_neutral(made.source, copies_of))


def _neutral(
    source: bytes, copies_of: list[list[tuple[int, bool]]] | None
) -> Iterator[tuple[object, ...]]:
    """Yield every element with its attributes and text, but for what a plan may change."""
    root = ET.fromstring(source.decode("latin-1") if source[:1] == b"\0" else source)
    touched: list[ET.Element] = []
    for index, visit in enumerate(root.findall("Visits/Visit")):
        exposures = list(visit.iter("Exposure"))
        for tic in visit.iter("TicDataCurrent"):
            tic.text = "?"
        if copies_of is not None:
            parents = {child: parent for parent in visit.iter() for child in parent}
            for (count, _), element in reversed(
                list(zip(copies_of[index], exposures, strict=True))
            ):
                location = list(parents[element]).index(element)
                for _ in range(count - 1):
                    parents[element].insert(location, element)
        touched += list(visit.iter("Exposure"))
    for element in {id(element): element for element in touched}.values():
        for name in ("Number", "SamePosAs", "NumberOfIterations"):
            element.attrib.pop(name, None)
        for child in list(element):
            if child.tag in ("PosTarg", "Comments", "SubExposures"):
                element.remove(child)
    for element in root.iter():
        text, tail = (element.text or "").strip(), (element.tail or "").strip()
        yield element.tag, tuple(element.attrib.items()), text, tail


# The proof ----------------------------------------------------------------------------------------

PROVEN = wrap(
    '<Exposure Number="1" LowSky="false"><MaxDur/><Comments>wx</Comments></Exposure>'
    '<Exposure Number="2" LowSky="false"><PosTarg X="1"/><Comments/></Exposure>',
    head="<ToolData/><TicData><TicDataCurrent>true</TicDataCurrent></TicData>",
)


def _sabotage(old: bytes, new: bytes) -> Callable[[bytes], Edit]:
    def edit(view: bytes) -> Edit:
        start = view.index(old)
        return Edit(start=start, stop=start + len(old), new=new)

    return edit


SABOTAGE = [
    pytest.param(_sabotage(b' LowSky="false"', b""), id="attribute lost"),
    pytest.param(_sabotage(b"<MaxDur/>", b""), id="element lost"),
    pytest.param(_sabotage(b"<MaxDur/>", b"<MaxDur/><MinDur/>"), id="element gained"),
    pytest.param(_sabotage(b">wx", b">yx"), id="comment changed"),
    pytest.param(_sabotage(b'X="1"', b'X="2"'), id="another exposure's PosTarg"),
    pytest.param(_sabotage(b'Number="2"', b'Number="3"'), id="another exposure's number"),
    pytest.param(_sabotage(b"<Comments/>", b"<Comments>@dithered</Comments>"), id="its Comments"),
    pytest.param(_sabotage(b"<ToolData/>", b""), id="before the exposures"),
    pytest.param(_sabotage(b"<HSTProposal>", b"<HSTProposal a='1'>"), id="outside the visit"),
    pytest.param(_sabotage(b"</Visits>", b"<Visit/></Visits>"), id="a visit gained"),
    pytest.param(_sabotage(b"<MaxDur/>", b"<MaxDur>"), id="not well-formed"),
    pytest.param(
        _sabotage(b"</Exposure>", b'</Exposure><Exposure Number="9"/>'), id="exposure gained"
    ),
]


@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_the_proof_finds_an_edit_that_nobody_planned(
    sabotage: Callable[[bytes], Edit], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Document.apply

    def apply(self: Document, edits: Collection[Edit]) -> bytes:
        return honest(self, [*edits, sabotage(self.view)])

    monkeypatch.setattr(Document, "apply", apply)
    with pytest.raises(RewriteError, match=r"internal error, please report.*nothing was written"):
        point_first(PROVEN, 1, 2)


WRONG = [
    pytest.param(b'Y="2.000"', b'Y="2.001"', id="coordinates"),
    pytest.param(b"@dithered 1/2", b"@dithered 2/2", id="receipt"),
    pytest.param(RECEIPT.encode(), b"", id="no receipt"),
    pytest.param(RECEIPT.encode(), b"more\n" + RECEIPT.encode(), id="a line more"),
]


@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_the_proof_finds_a_wrong_value(
    right: bytes, wrong: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Document.apply

    def apply(self: Document, edits: Collection[Edit]) -> bytes:
        assert any(right in edit.new for edit in edits)
        return honest(self, [edit._replace(new=edit.new.replace(right, wrong)) for edit in edits])

    monkeypatch.setattr(Document, "apply", apply)
    with pytest.raises(RewriteError, match="internal error"):
        point_first(PROVEN, 1, 2)


def test_the_proof_finds_bytes_that_moved() -> None:
    proposal = parse_proposal(PROVEN)
    for result in (PROVEN + b"\n", PROVEN[:-1], PROVEN.replace(b"ToolData", b"ToolDatb")):
        with pytest.raises(RewriteError, match="internal error"):
            verify_rewrite(proposal, [], result)


def test_the_honest_rewriting_of_the_same_file_is_proven() -> None:
    result = point_first(PROVEN, 1, 2)
    assert (
        parse_receipt(RECEIPT)
        == parse_comments(exposures_of(parse_proposal(result))[0].comments).receipts[0]
    )


# Real files ---------------------------------------------------------------------------------------


def test_real_files_change_only_where_asked(apt_dir: Path) -> None:
    for path in sorted(apt_dir.glob("*.apt")):
        source = path.read_bytes()
        before = parse_proposal(source)
        changes = tuple(
            Wish(exposure=exposure, positions=(pointing(0.5, -0.25),))
            for exposure in exposures_of(before)
        )
        result = rewrite(before, changes)
        after = parse_proposal(result)
        assert rewrite(after, mapped(after, before, changes)) is result
        _only_asked_lines_differ(source, result)


def _only_asked_lines_differ(source: bytes, result: bytes) -> None:
    asked = (
        b"PosTarg",
        b"SamePosAs",
        b"X=",
        b"Y=",
        b"@dithered",
        b"<Comments",
        b"</Comments",
        b"TicDataCurrent",
    )
    kept = iter(result.splitlines(keepends=True))
    for line in source.splitlines(keepends=True):
        if line.strip() and not any(word in line for word in asked):
            assert any(line == other for other in kept), line


def test_visits_and_lines_are_in_order(apt_dir: Path) -> None:
    for path in sorted(apt_dir.glob("*.apt")):
        visits: tuple[Visit, ...] = parse_proposal(path.read_bytes()).visits
        lines = [exposure.line for visit in visits for exposure in visit.exposures]
        assert all(a < b for a, b in pairwise(lines))
