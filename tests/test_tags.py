"""Tags and receipts: what is read, what is refused and how that is said."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptdither.apt.limits import MAX_POINTS
from aptdither.apt.receipt import MadeBy, Receipt, parse_receipt
from aptdither.apt.tags import (
    KEYS,
    DitherRequest,
    LineKind,
    Method,
    Parallel,
    kind_of_line,
    lines_of,
    mentions_tag,
    near_miss,
    parse_comments,
    parse_size,
    parse_spacing,
    parse_tag,
)
from aptdither.errors import TagError
from aptdither.types import TIGHT, LengthUnit, PosTarg, Region, RegionKind, Spacing
from tests.strategies import NAMES

READ = [
    ("@dither", DitherRequest()),
    ("  @DITHER\t", DitherRequest()),
    ("@dither n=6 size=full", DitherRequest(n=6, size=Region.full())),
    ("@dither N=1", DitherRequest(n=1)),
    ("@dither size=30arcsec", DitherRequest(size=Region.disc(diameter_arcsec=30.0))),
    ("@dither size=0.5ArcMin", DitherRequest(size=Region.disc(diameter_arcsec=30.0))),
    ("@dither size=150pix id=a", DitherRequest(size=Region.disc(diameter_pix=150.0), id="a")),
    ("@dither size=POINT", DitherRequest(size=Region.point())),
    ("@dither spacing=tight", DitherRequest(spacing=TIGHT)),
    ("@dither spacing=1.5arcsec", DitherRequest(spacing=Spacing.of(1.5, LengthUnit.ARCSEC))),
    ("@dither spacing=1.2e1pix", DitherRequest(spacing=Spacing.of(12.0, LengthUnit.PIX))),
    ("@dither method=Optimize", DitherRequest(method=Method.OPTIMIZE)),
    ("@dither n=6, size=full", DitherRequest(n=6, size=Region.full())),
    ("@dither n=6,id=a ,  spacing=tight,", DitherRequest(n=6, id="a", spacing=TIGHT)),
    ("@dither snr=25 parallel=PRIME", DitherRequest(snr=25.0, parallel=Parallel.PRIME)),
    ("@dither n = 6", DitherRequest(n=6)),
    ("@dither n =6  size= full", DitherRequest(n=6, size=Region.full())),
    ("@dither(n=6)", DitherRequest(n=6)),
    ("@dither (n=6, size = full )", DitherRequest(n=6, size=Region.full())),
    ("@dither: n=6", DitherRequest(n=6)),
    ("@dither,n=6", DitherRequest(n=6)),
    ("@dither n=6, size=20 arcsec", DitherRequest(n=6, size=Region.disc(diameter_arcsec=20.0))),
    ('@dither size=20"', DitherRequest(size=Region.disc(diameter_arcsec=20.0))),
    ("@dither size=20'' n=3", DitherRequest(n=3, size=Region.disc(diameter_arcsec=20.0))),
    ("@dither size=1'", DitherRequest(size=Region.disc(diameter_arcsec=60.0))),
    ("@dither size=2 Arcmin id=a", DitherRequest(size=Region.disc(diameter_arcsec=120.0), id="a")),
    ("@dither size=150 pixels", DitherRequest(size=Region.disc(diameter_pix=150.0))),
    ("@dither pattern=tight-6.v2_b+c", DitherRequest(pattern="tight-6.v2_b+c")),
]


@pytest.mark.parametrize(("line", "request_"), READ, ids=[line for line, _ in READ])
def test_a_tag_is_read(line: str, request_: DitherRequest) -> None:
    assert parse_tag(line).request == request_
    assert parse_tag(line).text == line.strip()


REFUSED = [
    (
        "@dither m=4",
        "'m=4' has an unknown key; allowed: n, size, pattern, method, spacing, id, snr, parallel",
    ),
    ("@dither four", "'four' is not of the form key=value; put other text on a line of its own"),
    ("@dither n=", "'n=': allowed: a whole number from 1 to 1000"),
    ("@dither n=0", "'n=0': allowed: a whole number"),
    ("@dither n=-1", "'n=-1': allowed: a whole number"),
    ("@dither n=2.5", "'n=2.5': allowed: a whole number"),
    ("@dither size=1,5arcsec", "'size=1,5arcsec': allowed: full, point"),
    ("@dither n=٣", "'n=٣': allowed: a whole number"),
    (f"@dither n={MAX_POINTS + 1}", "allowed: a whole number from 1 to 1000"),
    ("@dither n=" + "9" * 5000, "allowed: a whole number from 1 to 1000"),
    ("@dither n=2 N=3", "'N=3' repeats the key n; give it once"),
    ("@dither size=0arcsec", "positive and finite"),
    ("@dither size=-3pix", "positive and finite"),
    ("@dither size=nanarcsec", "positive and finite"),
    ("@dither size=1e999arcsec", "positive and finite"),
    ("@dither size=1e307arcmin", "from 0.000001 to 1000000"),
    ("@dither size=1e-320pix", "from 0.000001 to 1000000"),
    ("@dither spacing=1e300pix", "from 0.000001 to 1000000"),
    ("@dither size=0x10pix", "positive and finite"),
    ("@dither size=3_0arcsec", "positive and finite"),
    ("@dither spacing=full", "allowed: tight, wide, or a distance"),
    ("@dither spacing=0.5arcmin", "allowed: tight, wide, or a distance"),
    ("@dither snr=0", "'snr=0': allowed: a number from 0.01 to 1000000, such as 10"),
    ("@dither snr=high", "'snr=high': allowed: a number from 0.01"),
    ("@dither parallel=none", "'parallel=none': allowed: both, prime"),
    ("@dither method=best", "allowed: auto, catalog, optimize"),
    ("@dither pattern=a/b", "allowed: a word of letters, digits and . _ + -"),
    ("@dither id=", "allowed: a word of letters"),
    ("@dithr", "'@dithr' is not @dither; write '@dither'"),
    ("@dithr: n = 4", "'@dithr' is not @dither; write '@dither n=4'"),
    (
        "@dither sizes=20pix",
        "'sizes=20pix' has an unknown key (did you mean size?); allowed: n, size",
    ),
    ("@dither sizes=20pix n=2", "lel; write '@dither size=20pix n=2'"),
    ("@dither size=20", "'size=20': the unit is missing; allowed: full, point, or a diameter"),
    ("@dither n=6 size= spacing=tight", "'size=': allowed: full, point"),
    ("@dither tight", "'tight' has no key; write '@dither spacing=tight'"),
    ("@dither id=a 6 full", "'6 full' have no key; write '@dither id=a n=6 size=full'"),
    ("@dither wide-4 optimize", "write '@dither pattern=wide-4 method=optimize'"),
    ("@dither uvis-tight-4", "write '@dither pattern=uvis-tight-4'"),
    (
        "@dither n = 6 for the field",
        "for the field' is not of the form key=value; put other text on a line of its own; write '@",
    ),
    ("@dither id=3 arcsec", "'id=3 arcsec': allowed: a word of letters"),
]


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[line[:30] for line, _ in REFUSED])
def test_what_a_tag_may_not_say(line: str, said: str) -> None:
    with pytest.raises(TagError) as caught:
        parse_tag(line)
    assert said in caught.value.message
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("line", ["@dither n=0 tight", "@dither n 6", "@dither n:6", "@dither m=2"])
def test_no_line_to_write_is_guessed(line: str) -> None:
    with pytest.raises(TagError) as caught:
        parse_tag(line)
    assert "write " not in caught.value.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "dither n=6",
            "'dither n=6' is not read as a tag: if it should be one, write '@dither n=6'",
        ),
        (" Dither: n = 6, tight", "write '@Dither: n = 6, tight'"),
        ("@ dither(size=full)", "write '@dither(size=full)'"),
        ("- dither pattern = tight-6", "write '@dither pattern = tight-6'"),
        ("please @dither n=6", "put @dither first, on a line of its own"),
    ],
)
def test_what_is_nearly_a_tag_is_noticed(line: str, said: str) -> None:
    assert parse_comments(f"Deep.\n{line}").strays == (line.strip(),)
    assert mentions_tag(line)
    assert said in near_miss(line)


def test_every_bad_word_of_a_line_is_named_at_once() -> None:
    (error,) = parse_comments("@dither n=0 foo bar=1 size=3mm").errors
    assert error.message == (
        "'@dither n=0 foo bar=1 size=3mm' cannot be read: "
        "'n=0': allowed: a whole number from 1 to 1000; "
        "'bar=1' has an unknown key; allowed: n, size, pattern, method, spacing, id, snr, parallel; "
        "'size=3mm': allowed: full, point, or a diameter such as 30arcsec, 0.5arcmin, 150pix; "
        "positive and finite; "
        "'foo' is not of the form key=value; put other text on a line of its own"
    )


def test_all_bad_lines_of_a_comment_are_named() -> None:
    found = parse_comments("@dither a=1\nfine\n@dither n=2\n@dither b=2")
    assert len(found.errors) == 2
    assert len(found.tags) == 1


def test_a_comment_is_sorted_into_tags_receipts_and_the_rest() -> None:
    found = parse_comments(
        "Deep field.\r\n@dither n=2\n"
        "@dithered 1/2 tight-2 base=0.000,-0.5 aptdither=0.1.0\n"
        "@dithered rubbish\nplease @dither this\nmail@dither.org, @dithers\n@dithered"
    )
    assert [tag.text for tag in found.tags] == ["@dither n=2"]
    assert [receipt.pattern for receipt in found.receipts] == ["tight-2"]
    assert found.bad_receipts == ("@dithered rubbish", "@dithered")
    assert found.strays == ("please @dither this",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@dither.org",
        "@ dither",
        "x\n\ny",
        "Dither pattern: WFC3-IR-DITHER-BOX-MIN",
        "dither by hand, n = 4",
        "dithered n=4",
        "We dither id est 4",
        "undither n=4",
    ],
)
def test_other_comments_say_nothing(text: str) -> None:
    assert parse_comments(text) == parse_comments("")


BAD_RECEIPTS = [
    "@dithered",
    "@dithered 3/6",
    "@dithered 0/6 p base=0,0 aptdither=1",
    "@dithered 7/6 p base=0,0 aptdither=1",
    "@dithered 3/6 p base=0 aptdither=1",
    "@dithered 3/6 p base=nan,0 aptdither=1",
    "@dithered 3/6 p base=0,1e999 aptdither=1",
    "@dithered 3/6 p base=0,0 aptdither=",
    "@dithered 3/6 p base=0,0 aptdither=1 copied",
    "@dithered 3/6 p base=0,0 aptdither=1 copy copy",
    "@dithered " + "9" * 5000 + "/1 p base=0,0 aptdither=1",
]


@pytest.mark.parametrize("line", BAD_RECEIPTS, ids=range(len(BAD_RECEIPTS)))
def test_a_bad_receipt_is_kept_apart(line: str) -> None:
    assert parse_receipt(line) is None
    assert parse_comments(line).bad_receipts == (line,)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.builds(
        lambda index, more, pattern, x, y, made_by: Receipt(
            index=index,
            total=index + more,
            pattern=pattern,
            base=PosTarg(x_arcsec=x, y_arcsec=y),
            version="0.1.0",
            made_by=made_by,
        ),
        st.integers(1, 999),
        st.integers(0, 99),
        NAMES,
        FINITE,
        FINITE,
        st.sampled_from(MadeBy),
    )
)
def test_a_receipt_reads_back_exactly(receipt: Receipt) -> None:
    assert parse_receipt(receipt.text) == receipt
    assert kind_of_line(receipt.text) is LineKind.RECEIPT


def test_how_a_receipt_is_written() -> None:
    receipt = Receipt(
        index=3,
        total=6,
        pattern="tight-6",
        base=PosTarg(x_arcsec=-0.0, y_arcsec=0.61181),
        version="0.1.0",
        made_by=MadeBy.COPY,
    )
    assert receipt.text == "@dithered 3/6 tight-6 base=0.000,0.61181 aptdither=0.1.0 copy"
    assert receipt.is_copy


def test_receipts_say_the_same_whatever_version_wrote_them() -> None:
    old = parse_receipt("@dithered 1/2 p base=0,0 aptdither=0.1.0")
    new = parse_receipt("@dithered 1/2 p base=0.000,0.000 aptdither=9")
    other = parse_receipt("@dithered 1/2 p base=0,0 aptdither=9 copy")
    assert old is not None
    assert new is not None
    assert other is not None
    assert old.equals_ignoring_version(new)
    assert not old.equals_ignoring_version(other)


POSITIVE = st.floats(min_value=1e-6, max_value=1e6)


@given(st.sampled_from(LengthUnit), POSITIVE)
def test_a_size_and_a_spacing_read_back_what_they_write(unit: LengthUnit, value: float) -> None:
    region = Region(kind=RegionKind.DISC, diameter=value, unit=unit)
    assert parse_size(region.text) == region
    assert parse_spacing(Spacing.of(value, unit).text) == Spacing.of(value, unit)


@pytest.mark.parametrize("kind", ["full", "point"])
def test_a_size_without_a_number(kind: str) -> None:
    assert parse_size(kind).text == kind


@given(st.text())
def test_any_text_is_read_or_refused_by_our_own_error(text: str) -> None:
    for comment in (text, f"@dither {text}", f"@dithered {text}", f"@dith{text}"):
        parse_comments(comment)


@given(st.text(alphabet="ab@ \n\r"))
def test_lines_and_their_ends_are_the_text(text: str) -> None:
    spans = list(lines_of(text))
    ends = [text[a[1] : b[0]] for a, b in itertools.pairwise(spans)]
    assert set(ends) <= {"\n", "\r\n", "\r"}
    joined = "".join(
        text[start:stop] + end for (start, stop, _), end in zip(spans, [*ends, ""], strict=True)
    )
    assert joined == text


def test_the_keys_are_those_of_a_request() -> None:
    assert set(KEYS) == set(DitherRequest.__slots__)
