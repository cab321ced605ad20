"""Text from a file does nothing in a terminal or a JSON file."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptdither.report.sanitize import safe_line, safe_text, utf8_text

# Half of it from what does harm: any text holds little of that.
_HARMFUL = (
    [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
    + list("\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\u00ad\u3164\u034f")
    + ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\ud800", "\udfff", "\U000e0041", "\u0301" * 9]
)
ANY_TEXT = st.lists(
    st.sampled_from(_HARMFUL) | st.characters(exclude_categories=()) | st.text(max_size=5)
).map("".join)


def does_something(character: str) -> bool:
    """Tell, by its category in Unicode, whether a character can act on a terminal."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@given(ANY_TEXT)
def test_nothing_that_acts_is_left(text: str) -> None:
    assert not [character for character in safe_line(text) if does_something(character)]
    shown = safe_text(text).replace("\n", "").replace("\t", "")
    assert not [character for character in shown if does_something(character)]


@given(ANY_TEXT)
def test_safe_text_is_valid_utf8(text: str) -> None:
    assert safe_text(text).encode("utf-8").decode("utf-8") == safe_text(text)


@given(ANY_TEXT, st.none() | st.integers(0, 30))
def test_safe_twice_is_safe_once(text: str, limit: int | None) -> None:
    for make_safe in (safe_text, safe_line):
        once = make_safe(text, limit=limit)
        assert make_safe(once, limit=limit) == once


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_is_unchanged(text: str) -> None:
    assert safe_text(text) == safe_line(text) == text


@pytest.mark.parametrize(
    "text", ["Größe 3″, µ Cephei", "銀河", "NGC 1068\u00a0A", "e\u0301 \u0915\u094d"]
)
def test_letters_of_all_languages_are_unchanged(text: str) -> None:
    assert safe_text(text) == safe_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;gone\x07", r"\x1b[2J\x1b]0;gone\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
        ("M31\u202eTPA.", r"M31\u202eTPA."),
        ("in\u200bvisible\ufeff", r"in\u200bvisible\ufeff"),
        ("one\u2028two", r"one\u2028two"),
        ("bad\ud800name", r"bad\ud800name"),
        ("over\rwritten", r"over\rwritten"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("z" + "\u0301" * 6, "z" + "\u0301" * 4 + r"\u0301\u0301"),
    ],
)
def test_what_acts_is_shown(text: str, shown: str) -> None:
    assert safe_text(text) == safe_line(text) == shown


def test_lines_and_tabs_stay_in_text_and_are_shown_in_a_line() -> None:
    assert safe_text("@dither n=6\n\tsecond") == "@dither n=6\n\tsecond"
    assert safe_line("@dither n=6\n\tsecond") == r"@dither n=6\n\tsecond"


@given(ANY_TEXT, st.integers(0, 40))
def test_a_limit_is_a_limit(text: str, limit: int) -> None:
    shown = safe_text(text, limit=limit)
    assert len(shown) <= limit
    whole = safe_text(text)
    assert shown == whole if len(whole) <= limit else shown.endswith("..."[:limit])


def test_a_limit_marks_what_is_cut_off() -> None:
    assert safe_line("x" * 20, limit=10) == "xxxxxxx..."
    assert safe_line("x" * 10, limit=10) == "x" * 10


@given(ANY_TEXT)
def test_json_of_any_text_is_valid_utf8(text: str) -> None:
    written = json.dumps(utf8_text(text), ensure_ascii=False).encode("utf-8")
    assert json.loads(written) == utf8_text(text)
    assert utf8_text(utf8_text(text)) == utf8_text(text)
