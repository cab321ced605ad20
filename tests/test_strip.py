"""Strip: what apply wrote goes again, to the last byte where the file tells what was there."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import DitherRequest, Method, mentions_tag, parse_comments
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import AptDitherError
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import make_plan
from aptdither.planning.strip import strip_proposal
from tests.made import exposure, group, proposal, six, visit
from tests.programs import programs

#: What a receipt does not tell: see :mod:`aptdither.planning.strip`.
NOT_TOLD = re.compile(rb'SamePosAs=|Pattern="1"|NumberOfIterations="[^1]')


def applied(source: bytes, *, bold: bool = False) -> bytes:
    parsed = parse_proposal(source)
    options = Options(
        defaults=DitherRequest(method=Method.CATALOG),
        sets=SetOptions(replace_patterns=bold, split_iterations=bold, all_visits=bold),
    )
    return rewrite_proposal(parsed, make_plan(parsed, options).changes)


def stripped(source: bytes, *, tags: bool = False, all_visits: bool = False) -> bytes:
    return strip_proposal(parse_proposal(source), tags=tags, all_visits=all_visits).new


def as_apply_writes(source: bytes) -> bytes:
    """Return a program with exposures numbered from 1, three decimals and a stale orbit plan."""
    number = itertools.count(1)

    def renumbered(tag: re.Match[bytes]) -> bytes:
        nonlocal number
        if tag[0].startswith(b"<Visit"):
            number = itertools.count(1)
            return tag[0]
        return b'<Exposure Number="%d"' % next(number)

    source = re.sub(rb'<Visit |<Exposure Number="[^"]*"', renumbered, source)
    source = source.replace(b"<TicDataCurrent>true<", b"<TicDataCurrent>false<")
    return re.sub(rb'([XY]=")([^"]*)', lambda m: m[1] + b"%.3f" % float(m[2]), source)


@given(programs(), st.booleans())
@settings(max_examples=settings().max_examples // 2)  # each is planned: half as many
def test_strip_takes_back_what_apply_did(source: bytes, bold: bool) -> None:
    source = as_apply_writes(source)
    try:
        dithered = applied(source, bold=bold)
    except AptDitherError:
        event("refused")
        return
    again = stripped(dithered, all_visits=True)
    if NOT_TOLD.search(source):
        event("not told")
    else:
        event("dithered" if dithered != source else "nothing tagged")
        assert again == source
    assert stripped(again) is again or stripped(again) == again
    bare = parse_proposal(stripped(dithered, tags=True, all_visits=True))
    for one in bare.visits:
        texts = [one.comments, *(exposure.comments for exposure in one.exposures)]
        assert not any(parse_comments(text).tags or "@dithered" in text for text in texts)


@pytest.mark.parametrize(
    "name", ["tight6", "expand", "sixteen", "latin1", "two-filters-crlf"], ids=str
)
def test_files_in_the_style_of_apt_come_back(apt_dir: Path, name: str) -> None:
    source = (apt_dir / f"made-{name}.apt").read_bytes()
    dithered = applied(source)
    assert dithered != source
    # What the file does not tell any more: the orbit plan, and how a POS TARG was written.
    stale = source.replace(b"<TicDataCurrent>true<", b"<TicDataCurrent>false<")
    stale = stale.replace(b'X="5.0" />', b'X="5.000"\n               Y="0.000" />')
    assert stripped(dithered) == stale


def test_only_the_orbit_plan_stays_out_of_date() -> None:
    source = six()
    assert b"true" in source
    assert stripped(applied(source)) == source.replace(b"true", b"false")


def test_a_file_without_receipts_is_the_same_object() -> None:
    source = six("@dither n=6")
    assert stripped(source) is source
    assert mentions_tag("@dither")


def test_tags_go_everywhere() -> None:
    source = proposal(
        visit(
            group(exposure(1, comments="@dither n=2\nDeep.")),
            exposure(2, comments="A\n@dither n=2"),
            exposure(3, comments="@dither id=a", same="1"),
            comments="Visit.\n@dither n=6",
        )
    )
    expected = re.sub(rb"<Comments>@dither id=a</Comments>", b"<Comments />", source)
    expected = re.sub(rb"\n@dither[^<\n]*", b"", expected.replace(b"@dither n=2\nDeep", b"Deep"))
    assert stripped(source, tags=True) == expected
    assert stripped(source) is source


def test_an_edited_copy_stays_at_the_base() -> None:
    source = applied(proposal(visit(exposure(1, comments="@dither n=3 pattern=tight-3"))))
    edited = re.sub(rb'(Number="3".*?)F160W', rb"\1F125W", source, flags=re.DOTALL)
    result = strip_proposal(parse_proposal(edited))
    (left,) = parse_proposal(result.new).visits
    assert [(one.number, one.spectral_element) for one in left.exposures] == [
        ("1", "F160W"),
        ("2", "F125W"),
    ]
    assert [one.pos_targ for one in left.exposures] == [None, None]
    assert "exposure 3: this copy was edited" in result.notes[0]


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (rb'X="0\.\d+"', b'X="0.777"', "restore the POS TARG, or delete the receipt"),
        (rb"@dithered 2/6", b"@dithered two/6", "not a receipt"),
        (rb"(\n?@dithered 2/6[^<\n]*)", rb"\1\n\1", "two @dithered receipts"),
    ],
)
def test_what_a_receipt_does_not_explain_is_refused(was: bytes, now: bytes, said: str) -> None:
    edited = re.sub(was, now, applied(six()), count=1)
    with pytest.raises(AptDitherError, match=said) as caught:
        stripped(edited)
    assert "visit 01, exposure " in str(caught.value)
    assert caught.value.notes() == ("nothing was written",)


def test_completed_visits_stay() -> None:
    source = six().replace(b"implementation", b"completed")
    dithered = applied(source, bold=True)
    result = strip_proposal(parse_proposal(dithered))
    assert result.new is not None
    assert result.new == dithered
    assert result.notes == ("visit 01 is completed and stays as it is",)
    assert stripped(dithered, all_visits=True) == source.replace(b"true", b"false")
