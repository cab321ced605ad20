"""The ``@dither`` tag and the ``@dithered`` receipt: lines of a comment.

A tag is a line whose first word is ``@dither``; the words after it are ``key=value``, in any
order, keys and units in any case, commas between the words or not. A receipt is a line whose first
word is ``@dithered``: `apply` writes it. This module reads text, not XML.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum

from aptdither.apt.limits import MAX_COMMENTS, MAX_POINTS, MAX_QUOTED
from aptdither.errors import TagError, raise_all
from aptdither.types import LengthUnit, Region, RegionKind, Spacing, SpacingKind

#: How a line of a comment ends. XML has turned CRLF into LF, unless a CR was written as ``&#xD;``.
LINE_END = re.compile(r"\r\n|\n|\r")

#: The keys of a tag, in the order in which messages list them.
KEYS = ("n", "size", "pattern", "method", "spacing", "id", "snr", "parallel")

_ALLOWED_SIZE = "full, point, or a diameter such as 30arcsec, 0.5arcmin, 150pix"
_ALLOWED_SPACING = "tight, wide, or a distance such as 12pix, 1.5arcsec"
_ALLOWED_NAME = "a word of letters, digits and . _ + -, at most 100 of them"

# Larger and smaller lengths are mistakes, and would overflow in later computations.
_LEAST, _MOST = 1e-6, 1e6  # arcsec or pixels
# Chosen: below, one exposure says nothing of the source; it also keeps its square finite.
_LEAST_SNR = 0.01

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NAME = re.compile(r"[A-Za-z0-9._+-]{1,100}")
_IS_NUMBER = re.compile(_NUMBER)
_NEXT_KEY = re.compile(r",(?=[A-Za-z]+=)")
_LIKE_A_PATTERN = re.compile(r"(?:tight|wide|wfc3)-[A-Za-z0-9._+-]{1,90}", re.IGNORECASE)
_UNITS = ("arcsec", "arcmin", "pix")
_LENGTHS = ("size", "spacing")
_WITH_UNIT = re.compile(rf"({_NUMBER})([A-Za-z]+)")
_STRAY = re.compile(r"(?<![\w.@])@dither\b", re.IGNORECASE)
_RECEIPT = re.compile(
    rf"@dithered\s+([0-9]{{1,6}})/([0-9]{{1,6}})\s+({_NAME.pattern})\s+"
    rf"base=({_NUMBER}),({_NUMBER})\s+aptdither=(\S+)(?:\s+(copy|split))?",
    re.IGNORECASE,
)


class LineKind(StrEnum):
    """Kinds of the lines of a comment."""

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


class MadeBy(StrEnum):
    """How an exposure came to be: written by the observer, copied, or split off another one.

    An exposure is split off where an iteration or a position of an APT pattern became an exposure.
    """

    OBSERVER = ""
    COPY = "copy"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class DitherRequest:
    """What a tag requests; None for each key that it does not have.

    Attributes
    ----------
    snr : float or None
        Signal to noise of one exposure that the coverage is evaluated at.
    parallel : Parallel or None
        Which detectors of a prime and its parallel decide.
    """

    n: int | None = None
    size: Region | None = None
    pattern: str | None = None
    method: Method | str | None = None
    spacing: Spacing | None = None
    id: str | None = None
    snr: float | None = None
    parallel: Parallel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One ``@dither`` line.

    Attributes
    ----------
    text : str
        The line without white space at its ends.
    line_index : int
        Which line of the comment it is, 0-based.
    words : tuple of str
        The words after ``@dither``, as given.
    request : DitherRequest
        What they mean.
    """

    text: str
    line_index: int
    words: tuple[str, ...]
    request: DitherRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What `apply` writes into the Comments of an exposure that it dithered.

    Attributes
    ----------
    index, total : int
        Which point of how many, 1-based.
    pattern : str
        Name of the pattern.
    base_x_arcsec, base_y_arcsec : float
        POS TARG that the exposure had before, arcsec.
    version : str
        The version of aptdither that wrote it.
    made_by : MadeBy
        How the exposure came to be.
    """

    index: int
    total: int
    pattern: str
    base_x_arcsec: float
    base_y_arcsec: float
    version: str
    made_by: MadeBy | str = MadeBy.OBSERVER

    @property
    def is_copy(self) -> bool:
        """Whether the exposure may be deleted again, since an expansion made it."""
        return self.made_by == MadeBy.COPY

    @property
    def text(self) -> str:
        """The receipt's line."""
        base = f"{format_base(self.base_x_arcsec)},{format_base(self.base_y_arcsec)}"
        words = f"@dithered {self.index}/{self.total} {self.pattern} base={base}"
        made_by = f" {self.made_by}" if self.made_by else ""
        return f"{words} aptdither={self.version}{made_by}"

    def equals_ignoring_version(self, other: Receipt) -> bool:
        """Whether both are equal except for the version of aptdither that wrote them."""
        return (self.index, self.total, self.pattern, self.made_by) == (
            other.index,
            other.total,
            other.pattern,
            other.made_by,
        ) and (self.base_x_arcsec, self.base_y_arcsec) == (
            other.base_x_arcsec,
            other.base_y_arcsec,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentTags:
    """The tags and receipts of a comment.

    Attributes
    ----------
    tags : tuple of Tag
        Its tags.
    receipts : tuple of Receipt
        Its receipts.
    bad_receipts : tuple of str
        Lines that begin with ``@dithered`` and are no receipt.
    strays : tuple of str
        Lines that have the word ``@dither``, but not as the first word.
    """

    tags: tuple[Tag, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    bad_receipts: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()


_NOTHING = CommentTags()


def parse_comments(text: str) -> CommentTags:
    r"""Read the tags and receipts of a comment.

    Parameters
    ----------
    text : str
        The whole comment.

    Returns
    -------
    CommentTags
        In order; empty for a comment without tags and receipts.

    Raises
    ------
    TagError
        For each line that breaks the grammar (several: :class:`aptdither.errors.ManyErrors`).

    Examples
    --------
    >>> comment = parse_comments("Deep field.\n@dither n=4\nsee @dither")
    >>> [tag.text for tag in comment.tags], comment.strays
    (['@dither n=4'], ('see @dither',))
    """
    if "@dith" not in text.lower():
        return _NOTHING
    if len(text) > MAX_COMMENTS:
        raise TagError(
            f"the Comments hold {len(text)} characters; at most {MAX_COMMENTS} are read: keep the "
            "tag in short Comments"
        )
    tags: list[Tag] = []
    receipts: list[Receipt] = []
    bad_receipts: list[str] = []
    strays: list[str] = []
    errors: list[TagError] = []
    for index, line in enumerate(LINE_END.split(text)):
        match kind_of_line(line):
            case LineKind.TAG | LineKind.TYPO:
                try:
                    tags.append(parse_tag(line, line_index=index))
                except TagError as error:
                    errors.append(error)
            case LineKind.RECEIPT:
                receipt = parse_receipt(line)
                if receipt is None:
                    bad_receipts.append(line.strip())
                else:
                    receipts.append(receipt)
            case LineKind.STRAY:
                strays.append(line.strip())
            case LineKind.OTHER:
                pass
    raise_all(errors)
    return CommentTags(
        tags=tuple(tags),
        receipts=tuple(receipts),
        bad_receipts=tuple(bad_receipts),
        strays=tuple(strays),
    )


def kind_of_line(line: str) -> LineKind:
    """Return the kind of one line of a comment."""
    words = line.split(None, 1)
    first = words[0].lower() if words else ""
    if first == "@dither":
        return LineKind.TAG
    if first == "@dithered":
        return LineKind.RECEIPT
    if first.startswith("@dith"):
        return LineKind.TYPO
    return LineKind.STRAY if _STRAY.search(line) else LineKind.OTHER


def parse_tag(line: str, *, line_index: int = 0) -> Tag:
    """Read one ``@dither`` line.

    Parameters
    ----------
    line : str
        The line; its first word begins with ``@dith``.
    line_index : int
        Which line of its comment it is, 0-based.

    Raises
    ------
    TagError
        One error that names every bad word of the line and what is allowed.

    Examples
    --------
    >>> parse_tag("@dither n=6, size=30arcsec").request.size.text
    '30arcsec'
    >>> parse_tag("@dither n = 6")
    Traceback (most recent call last):
    aptdither.errors.TagError: '@dither n = 6' has spaces around =; write '@dither n=6'
    """
    text = line.strip()
    first, *words = text.split() or [""]
    words = [part for word in words for part in _NEXT_KEY.split(word.strip(",")) if part]
    complaints: list[str] = []
    if first.lower() != "@dither":
        complaints.append(
            f"{_quoted(first)} is not @dither; write @dither, a space, and then the keys "
            f"{', '.join(KEYS)} as key=value"
        )
    joined = " ".join(words)
    closed = joined.replace(" =", "=").replace("= ", "=")
    if closed != joined:
        raise TagError(f"{_quoted(text)} has spaces around =; write {_quoted(f'@dither {closed}')}")
    values: dict[str, int | float | str | Region | Spacing] = {}
    others: list[str] = []
    for word, before in zip(words, ["", *words], strict=False):
        key, equals, value = word.partition("=")
        key = key.lower()
        size, _, number = before.partition("=")
        if word.lower() in _UNITS and size.lower() in _LENGTHS and _IS_NUMBER.fullmatch(number):
            # The number without a unit was the last complaint.
            complaints[-1] = f"write {_quoted(before + word)}, without a space"
        elif not equals:
            others.append(word)
        elif key not in KEYS:
            near = get_close_matches(key[:MAX_QUOTED], KEYS, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            complaints.append(
                f"{_quoted(word)} has an unknown key{hint}; allowed: {', '.join(KEYS)}"
            )
        elif key in values:
            complaints.append(f"{_quoted(word)} repeats the key {key}; give it once")
        else:
            values[key] = value
            try:
                values[key] = _parse_value(key, value)
            except TagError as error:
                complaints.append(f"{_quoted(word)}: {error.message}")
    if others:
        complaints.append(_without_key(others))
    if complaints:
        raise TagError(f"{_quoted(text)} cannot be read: {'; '.join(complaints)}")
    request = replace(DitherRequest(), **values)  # type: ignore[arg-type]
    return Tag(text=text, line_index=line_index, words=tuple(words), request=request)


def parse_size(text: str) -> Region:
    """Read the size of a region: ``full``, ``point``, ``30arcsec``, ``0.5arcmin``, ``150pix``.

    Raises
    ------
    TagError
        If it is none of these, or not from a millionth to a million.
    """
    word = text.strip().lower()
    if word in ("full", "point"):
        return Region(kind=RegionKind(word))
    value, unit = _with_unit(word, _UNITS, _ALLOWED_SIZE)
    if unit == "pix":
        return Region.disc(diameter_pix=value)
    return Region.disc(diameter_arcsec=value * 60 if unit == "arcmin" else value)


def parse_spacing(text: str) -> Spacing:
    """Read a spacing: ``tight``, ``wide``, ``12pix``, ``1.5arcsec``.

    Raises
    ------
    TagError
        If it is none of these, or not from a millionth to a million.
    """
    word = text.strip().lower()
    if word in ("tight", "wide"):
        return Spacing(kind=SpacingKind(word))
    value, unit = _with_unit(word, ("pix", "arcsec"), _ALLOWED_SPACING)
    return Spacing.of(value, LengthUnit(unit))


def parse_receipt(line: str) -> Receipt | None:
    """Read one ``@dithered`` line; None if it is not one that this tool writes."""
    match = _RECEIPT.fullmatch(line.strip())
    if match is None:
        return None
    index, total = int(match[1]), int(match[2])
    x_arcsec, y_arcsec = float(match[4]), float(match[5])
    if not (1 <= index <= total and math.isfinite(x_arcsec) and math.isfinite(y_arcsec)):
        return None
    return Receipt(
        index=index,
        total=total,
        pattern=match[3],
        base_x_arcsec=x_arcsec,
        base_y_arcsec=y_arcsec,
        version=match[6],
        made_by=MadeBy((match[7] or "").lower()),
    )


def format_base(arcsec: float) -> str:
    """Return a base coordinate exactly: three decimals or as many as it needs; never -0.000."""
    arcsec += 0.0
    short = f"{arcsec:.3f}"
    return short if float(short) == arcsec else repr(arcsec)


def _without_key(words: Sequence[str]) -> str:
    """Return what to write for words that are not of the form key=value."""
    hints = [hint for word in words if (hint := _key_for(word))]
    if len(hints) == len(words) <= len(KEYS):
        return "; ".join(
            f"{_quoted(word)} has no key: write {hint}"
            for word, hint in zip(words, hints, strict=True)
        )
    return (
        f"{_quoted(' '.join(words))} is not of the form key=value; put other text on a line of its "
        "own"
    )


def _key_for(word: str) -> str:
    """Return a bare word with the key that it can only belong to; empty if there is none."""
    lower = word.lower()
    if lower in ("tight", "wide"):
        return f"spacing={lower}, or pattern={lower}-6 for the pattern of that name"
    if lower in ("full", "point"):
        return f"size={lower}"
    if lower in tuple(Method):
        return f"method={lower}"
    if _LIKE_A_PATTERN.fullmatch(word):
        return f"pattern={word}"
    if re.fullmatch(r"[0-9]{1,9}", word):
        return f"n={word}"
    return ""


def _parse_value(key: str, value: str) -> int | float | str | Region | Spacing:
    match key:
        case "n":
            return _parse_n(value)
        case "size":
            return parse_size(value)
        case "spacing":
            return parse_spacing(value)
        case "method" | "parallel":
            words = Method if key == "method" else Parallel
            if value.lower() not in tuple(words):
                raise TagError(f"allowed: {', '.join(words)}")
            return words(value.lower())
        case "snr":
            if _IS_NUMBER.fullmatch(value) and _LEAST_SNR <= float(value) <= _MOST:
                return float(value)
            raise TagError(f"allowed: a number from {_LEAST_SNR} to {_MOST:.0f}, such as 10")
        case _:
            if not _NAME.fullmatch(value):
                raise TagError(f"allowed: {_ALLOWED_NAME}")
            return value


def _parse_n(value: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", value) and 1 <= int(value) <= MAX_POINTS:
        return int(value)
    raise TagError(f"allowed: a whole number from 1 to {MAX_POINTS}")


def _with_unit(word: str, units: tuple[str, ...], allowed: str) -> tuple[float, str]:
    match = _WITH_UNIT.fullmatch(word)
    if match is not None and match[2] in units:
        value = float(match[1])
        if _LEAST <= value * (60 if match[2] == "arcmin" else 1) <= _MOST:
            return value, match[2]
        if 0 < value < math.inf:
            raise TagError(f"allowed: {allowed}; from {_LEAST:f} to {_MOST:.0f}")
    raise TagError(f"allowed: {allowed}; positive and finite")


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
