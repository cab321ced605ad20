r"""Text from a file, made harmless for whoever shows it.

Targets, labels and comments may hold anything: a sequence that clears the terminal or renames its
window, marks that turn the reading direction round, characters that nobody sees. Such characters
are shown as what they are, ``\x1b`` for an escape, so that the text can be read and does nothing.

This is about characters. Markup is the caller's: text that goes into rich goes in as
``rich.text.Text(safe_line(text))``, which knows no markup; HTML gets
``html.escape(safe_text(text))``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Blank or invisible, though not of a category that says so (Unicode's Default_Ignorable and the
# empty braille cell).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# More marks on one letter than any language writes: they run over the lines above and below.
_MOST_MARKS = 4

# What a spreadsheet takes for the start of a formula, in ASCII and in full width.
_FORMULA_STARTS = frozenset("=+-@＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def safe_text(text: str, *, limit: int | None = None) -> str:
    """Return a text of several lines with every character that could do something made visible.

    Line feeds and tabs stay. Printable text comes back as it is, and so does text that was made
    safe before.

    Parameters
    ----------
    text : str
        Anything, lone surrogates among it.
    limit : int, optional
        The most characters that are returned; what is cut off is marked by ``...``.

    Returns
    -------
    str
        Text that can be encoded in UTF-8, shown in a terminal and put into any document.
    """
    return _made_safe(text, "\n\t", limit)


def safe_line(text: str, *, limit: int | None = None) -> str:
    r"""Return a text as one line: as :func:`safe_text`, with line feeds and tabs shown as well.

    Parameters
    ----------
    text : str
        Anything.
    limit : int, optional
        The most characters that are returned; what is cut off is marked by ``...``.

    Returns
    -------
    str
        One line; a line feed in it is ``\n`` in two characters.
    """
    return _made_safe(text, "", limit)


def csv_cell(text: str) -> str:
    """Return one line that a spreadsheet shows and does not carry out.

    A cell that starts like a formula and is not a number gets an apostrophe before it, which
    spreadsheets do not show. Quotes and commas are the CSV writer's.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
        The cell.
    """
    line = safe_line(text)
    if line.lstrip()[:1] in _FORMULA_STARTS and not _NUMBER.fullmatch(line):
        return f"'{line}"
    return line


def utf8_text(text: str) -> str:
    r"""Return a text that is valid Unicode: lone surrogates, as in odd file names, as ``\udcff``.

    For JSON, whose writer escapes everything else itself.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _made_safe(text: str, kept: str, limit: int | None) -> str:
    if limit is not None:
        text, whole_length = text[: limit + 1], len(text)
    if not (text.isascii() and text.isprintable()):
        text = "".join(_visible(text, kept))
    if limit is not None and max(len(text), whole_length) > limit:
        mark = "..."[:limit]
        text = text[: limit - len(mark)] + mark
    return text


def _visible(text: str, kept: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        # The separators that Python calls unprintable are but spaces of other widths.
        is_shown = character.isprintable() or unicodedata.category(character) == "Zs"
        if character in kept or (is_shown and marks <= _MOST_MARKS and not _is_unseen(character)):
            yield character
        else:
            yield character.encode("unicode_escape").decode("ascii")


def _is_unseen(character: str) -> bool:
    return _UNSEEN.match(character) is not None
