r"""Text from a file, made harmless for terminals and documents.

Targets, labels and comments may hold anything: a sequence that clears the terminal or renames its
window, marks that reverse the reading direction, invisible characters. Such characters are shown
as escapes, ``\x1b`` for an escape character, so that the text can be read and does nothing.

This is about characters; markup is up to the caller. Text for rich is
``rich.text.Text(safe_line(text))``, which knows no markup; templates of HTML escape by themselves.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Invisible, though not of a category of invisible characters (Unicode's Default_Ignorable and the
# empty braille cell).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# More combining marks on one letter than any language has: they cover the lines above and below.
_MAX_MARKS = 4


def safe_text(text: str, *, limit: int | None = None) -> str:
    """Return a text of several lines with every unsafe character made visible.

    Line feeds and tabs stay. Printable text is returned unchanged, and so is text that is already
    safe.

    Parameters
    ----------
    text : str
        Any text, also with lone surrogates.
    limit : int, optional
        The largest length of the result; a longer text ends in ``...``.

    Returns
    -------
    str
        Text that can be encoded in UTF-8 and shown in a terminal.
    """
    return _escape_unsafe(text, "\n\t", limit)


def safe_line(text: str, *, limit: int | None = None) -> str:
    r"""Return a text as one line: as :func:`safe_text`, with line feeds and tabs shown as well.

    Parameters
    ----------
    text : str
        Any text.
    limit : int, optional
        The largest length of the result; a longer text ends in ``...``.

    Returns
    -------
    str
        One line; a line feed in it is ``\n`` in two characters.
    """
    return _escape_unsafe(text, "", limit)


def utf8_text(text: str) -> str:
    r"""Return a text that is valid Unicode: lone surrogates, as in odd file names, as ``\udcff``.

    For JSON, whose writer escapes everything else itself.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _escape_unsafe(text: str, kept: str, limit: int | None) -> str:
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
        # Python calls spaces of other widths unprintable.
        is_shown = character.isprintable() or unicodedata.category(character) == "Zs"
        if character in kept or (is_shown and marks <= _MAX_MARKS and not _is_unseen(character)):
            yield character
        else:
            yield character.encode("unicode_escape").decode("ascii")


def _is_unseen(character: str) -> bool:
    return _UNSEEN.match(character) is not None
