"""The ``@dither`` tag and the ``@dithered`` receipt: lines of a comment.

A tag is a line whose first word is ``@dither``; the words after it are ``key=value``, in any
order, keys and units in any case. Commas between the words, spaces around ``=`` and before a unit,
a colon after ``@dither`` and parentheses around the words do not matter. A receipt is a line whose
first word is ``@dithered``: `apply` writes it. This module reads text, not XML.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeAlias

from aptdither.apt.limits import MAX_COMMENTS, MAX_POINTS, MAX_QUOTED
from aptdither.apt.receipt import NAME, NUMBER, Receipt, parse_receipt
from aptdither.errors import TagError
from aptdither.types import LengthUnit, Region, RegionKind, Spacing, SpacingKind

#: How a line of a comment ends. XML has turned CRLF into LF, unless a CR was written as ``&#xD;``.
LINE_END = re.compile(r"\r\n|\n|\r")

#: The keys of a tag, in the order in which messages list them.
KEYS = ("n", "size", "pattern", "method", "spacing", "id", "snr", "parallel")

_ALLOWED_SIZE = "full, point, or a diameter such as 30arcsec, 0.5arcmin, 150pix"
_ALLOWED_SPACING = "tight, wide, or a distance such as 12pix, 1.5arcsec"

# Larger and smaller lengths are mistakes, and would overflow in later computations.
_LEAST, _MOST = 1e-6, 1e6  # arcsec or pixels
# Chosen: below, one exposure says nothing of the source; it also keeps its square finite.
_LEAST_SNR = 0.01

#: How a unit may be written, in lower case, and the unit.
_UNITS = {
    **dict.fromkeys(
        ("arcsec", "arcsecs", "arcsecond", "arcseconds", '"', "\u2033", "''"), "arcsec"
    ),
    **dict.fromkeys(("arcmin", "arcmins", "arcminute", "arcminutes", "'", "\u2032"), "arcmin"),
    **dict.fromkeys(("pix", "pixel", "pixels", "px"), "pix"),
}

_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_WITH_UNIT = re.compile(rf"({NUMBER})\s*(\S*)")
_LIKE_A_PATTERN = re.compile(r"wfc3-[a-z0-9._+-]{1,90}|[a-z][a-z-]{1,40}-[0-9]{1,5}")

#: First word of a tag, or what was meant as one, and what stands around the keys.
_HEAD = re.compile(r"\s*([^\s:,(]+)[\s:,(]*")
#: A key with its value, which may be a number and a unit; or any other word.
_WORD = re.compile(
    rf"([^\s,=]++)\s*+=(?:\s*((?i:{NUMBER}\s*(?:{_UNIT}))(?![\w.+-])|(?:[^\s,=]|,(?=[0-9]))++(?!\s*=)))?"
    r"|[^\s,]+"
)
#: The kinds of a line in lower case; the name of the group that matches is the kind.
_KINDS = re.compile(
    r"(?P<receipt>\s*@dithered(?!\S))|(?P<tag>\s*@dither(?![^\s:,(]))|(?P<typo>\s*@dith)"
    rf"|(?P<stray>.*(?<![\w.@])@dither\b|\W*dither\b\W*(?:{'|'.join(KEYS)})\s*=)"
)

_Value: TypeAlias = int | float | str | Region | Spacing


class LineKind(StrEnum):
    """Kinds of the lines of a comment.

    A typo begins like a tag; a stray holds ``@dither`` further on, or is a tag without its ``@``.
    """

    TAG = "tag"
    RECEIPT = "receipt"
    TYPO = "typo"
    STRAY = "stray"
    OTHER = "other"


class Method(StrEnum):
    """How a pattern is found."""

    AUTO = "auto"
    CATALOG = "catalog"
    OPTIMIZE = "optimize"


class Parallel(StrEnum):
    """Which detectors of a prime and its coordinated parallel decide how good a dither is."""

    BOTH = "both"
    PRIME = "prime"


@dataclass(frozen=True, slots=True, kw_only=True)
class DitherRequest:
    """What a tag requests; None for each key that it does not have.

    `snr` is the signal to noise of one exposure that the coverage is evaluated at.
    """

    n: int | None = None
    size: Region | None = None
    pattern: str | None = None
    method: Method | None = None
    spacing: Spacing | None = None
    id: str | None = None
    snr: float | None = None
    parallel: Parallel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One ``@dither`` line without white space at its ends, and what it means."""

    text: str
    request: DitherRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentTags:
    """The tags and receipts of a comment, in order, and the lines that are none.

    Attributes
    ----------
    bad_receipts : tuple of str
        Lines that begin with ``@dithered`` and are no receipt.
    strays : tuple of str
        Lines that may have been meant as a tag: see :func:`near_miss`.
    errors : tuple of TagError
        One for each line that breaks the grammar of tags.
    """

    tags: tuple[Tag, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    bad_receipts: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    errors: tuple[TagError, ...] = ()


def parse_comments(text: str) -> CommentTags:
    """Read the tags and receipts of a comment; nothing is raised."""
    if "dith" not in text.lower():
        return CommentTags()
    if len(text) > MAX_COMMENTS:
        error = TagError(
            f"the Comments hold {len(text)} characters; at most {MAX_COMMENTS} are read: keep the "
            "tag in short Comments"
        )
        return CommentTags(errors=(error,))
    tags: list[Tag] = []
    errors: list[TagError] = []
    others: defaultdict[LineKind, list[str]] = defaultdict(list)
    for line in map(str.strip, LINE_END.split(text)):
        kind = kind_of_line(line)
        if kind not in (LineKind.TAG, LineKind.TYPO):
            others[kind].append(line)
            continue
        try:
            tags.append(parse_tag(line))
        except TagError as error:
            errors.append(error)
    receipts = [(line, parse_receipt(line)) for line in others[LineKind.RECEIPT]]
    return CommentTags(
        tags=tuple(tags),
        receipts=tuple(receipt for _, receipt in receipts if receipt is not None),
        bad_receipts=tuple(line for line, receipt in receipts if receipt is None),
        strays=tuple(others[LineKind.STRAY]),
        errors=tuple(errors),
    )


def kind_of_line(line: str) -> LineKind:
    """Return the kind of one line of a comment."""
    match = _KINDS.match(line.lower())
    return LineKind(match.lastgroup) if match and match.lastgroup else LineKind.OTHER


def mentions_tag(text: str) -> bool:
    """Tell whether a text has a line of any kind but :attr:`LineKind.OTHER`."""
    return "dith" in text.lower() and any(kind != LineKind.OTHER for *_, kind in lines_of(text))


def near_miss(line: str) -> str:
    """Return why a line that may have been meant as a tag is none, and what to write."""
    text = line.strip()
    if "@dither" in text.lower():
        return f"{_quoted(text)} is not read as a tag: put @dither first, on a line of its own"
    tag = f"@{text[text.lower().index('dither') :]}"
    return f"{_quoted(text)} is not read as a tag: if it should be one, write {_quoted(tag)}"


def parse_tag(line: str) -> Tag:
    """Read one ``@dither`` line; its first word begins with ``@dith``.

    Raises one :class:`~aptdither.errors.TagError` that names every bad word of the line, what is
    allowed, and where it is certain the line to write.

    >>> parse_tag("@dither n=6, size=30 arcsec").request.size.text
    '30arcsec'
    """
    text = line.strip()
    head = _HEAD.match(text)
    first, words = (head[1], text[head.end() :]) if head else ("", "")
    if "(" in text[: len(text) - len(words)]:
        words = words.removesuffix(")")
    complaints: list[str] = []
    if first.lower() != "@dither":
        complaints.append(f"{_quoted(first)} is not @dither")
    values: dict[str, _Value] = {}
    corrected: list[str | None] = []  # None for a word whose correction is not certain
    others: list[str] = []
    for match in _WORD.finditer(words):
        word, key, value = match[0], match[1], match[2] or ""
        if key is None:
            others.append(word)
            continue
        complaint, known, parsed = _read_word(word, key.lower(), value, values)
        if complaint:
            complaints.append(complaint)
        if parsed is not None:
            values[known] = parsed
        corrected.append(None if parsed is None else f"{known}={''.join(value.split())}")
    if others:
        listed = _quoted(" ".join(others))
        hints = [_with_key(word) for word in others]
        if None not in hints and len(hints) <= len(KEYS):
            complaints.append(f"{listed} {'has' if len(others) == 1 else 'have'} no key")
            corrected += hints
        else:
            is_like_a_key = any(re.split(r"\W", word.lower())[0] in KEYS for word in others)
            advice = ", such as n=6" if is_like_a_key else "; put other text on a line of its own"
            complaints.append(f"{listed} is not of the form key=value{advice}")
            corrected += [None] if is_like_a_key or first.lower() != "@dither" else []
    if complaints:
        if None not in corrected:
            line_to_write = " ".join(["@dither", *filter(None, corrected)])
            complaints.append(f"write {_quoted(line_to_write)}")
        raise TagError(f"{_quoted(text)} cannot be read: {'; '.join(complaints)}")
    request = replace(DitherRequest(), **values)  # type: ignore[arg-type]
    return Tag(text=text, request=request)


def _read_word(
    word: str, key: str, value: str, before: Collection[str]
) -> tuple[str, str, _Value | None]:
    """Return what is wrong with ``key=value``, the key that is meant, and the value if it is read."""
    complaint = ""
    if key not in KEYS:
        near = get_close_matches(key[:MAX_QUOTED], KEYS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        complaint = f"{_quoted(word)} has an unknown key{hint}; allowed: {', '.join(KEYS)}"
        if not near:
            return complaint, "", None
        key = near[0]
    if key in before:
        return complaint or f"{_quoted(word)} repeats the key {key}; give it once", "", None
    try:
        return complaint, key, _READERS[key](value)
    except TagError as error:
        return complaint or f"{_quoted(word)}: {error.message}", "", None


def _with_key(word: str) -> str | None:
    """Return a bare word with the key that it can only belong to; None if there is none."""
    lower = word.lower()
    if lower in _KEY_OF_WORD:
        return f"{_KEY_OF_WORD[lower]}={lower}"
    if _LIKE_A_PATTERN.fullmatch(lower):
        return f"pattern={word}"
    return f"n={word}" if re.fullmatch(r"[0-9]{1,9}", word) else None


def parse_size(text: str) -> Region:
    """Read a size: ``full``, ``point``, ``30arcsec``, ``0.5arcmin``, ``150pix``; or raise TagError."""
    word = text.strip().lower()
    if word in ("full", "point"):
        return Region(kind=RegionKind(word))
    value, unit = _with_unit(word, ("pix", "arcsec", "arcmin"), _ALLOWED_SIZE)
    if unit == "pix":
        return Region.disc(diameter_pix=value)
    return Region.disc(diameter_arcsec=value * 60 if unit == "arcmin" else value)


def parse_spacing(text: str) -> Spacing:
    """Read a spacing: ``tight``, ``wide``, ``12pix``, ``1.5arcsec``; or raise TagError."""
    word = text.strip().lower()
    if word in ("tight", "wide"):
        return Spacing(kind=SpacingKind(word))
    value, unit = _with_unit(word, ("pix", "arcsec"), _ALLOWED_SPACING)
    return Spacing.of(value, LengthUnit(unit))


def _read_n(value: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", value) and 1 <= int(value) <= MAX_POINTS:
        return int(value)
    raise TagError(f"allowed: a whole number from 1 to {MAX_POINTS}")


def _read_name(value: str) -> str:
    if re.fullmatch(NAME, value):
        return value
    raise TagError("allowed: a word of letters, digits and . _ + -, at most 100 of them")


def _read_snr(value: str) -> float:
    if re.fullmatch(NUMBER, value) and _LEAST_SNR <= float(value) <= _MOST:
        return float(value)
    raise TagError(f"allowed: a number from {_LEAST_SNR} to {_MOST:.0f}, such as 10")


def _reader_of(words: type[Method | Parallel]) -> Callable[[str], Method | Parallel]:
    def read(value: str) -> Method | Parallel:
        if value.lower() in tuple(words):
            return words(value.lower())
        raise TagError(f"allowed: {', '.join(words)}")

    return read


#: What reads the value of each key.
_READERS: dict[str, Callable[[str], _Value]] = {
    "n": _read_n,
    "size": parse_size,
    "pattern": _read_name,
    "method": _reader_of(Method),
    "spacing": parse_spacing,
    "id": _read_name,
    "snr": _read_snr,
    "parallel": _reader_of(Parallel),
}

#: Words that are the value of one key alone.
_KEY_OF_WORD: dict[str, str] = {
    **dict.fromkeys(("tight", "wide"), "spacing"),
    **dict.fromkeys(("full", "point"), "size"),
    **dict.fromkeys(map(str, Method), "method"),
}


def _with_unit(word: str, units: tuple[str, ...], allowed: str) -> tuple[float, str]:
    match = _WITH_UNIT.fullmatch(word)
    unit = _UNITS.get(match[2], "") if match else ""
    problem = f"allowed: {allowed}; positive and finite"
    if match and unit in units:
        value = float(match[1])
        if _LEAST <= value * (60 if unit == "arcmin" else 1) <= _MOST:
            return value, unit
        if 0 < value < math.inf:
            problem = f"allowed: {allowed}; from {_LEAST:f} to {_MOST:.0f}"
    elif match and not match[2]:
        problem = f"the unit is missing; allowed: {allowed}"
    raise TagError(problem)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…")


def lines_of(text: str) -> Iterator[tuple[int, int, LineKind]]:
    """Yield the start, the end and the kind of each line of a comment.

    The line end (LF, CRLF or CR) is between the end of one line and the start of the next.
    """
    start = 0
    for end in LINE_END.finditer(text):
        yield start, end.start(), kind_of_line(text[start : end.start()])
        start = end.end()
    yield start, len(text), kind_of_line(text[start:])
