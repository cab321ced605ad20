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


def safe_line(text: str, *, limit: int | None = None, kept: str = "") -> str:
    r"""Return a text as one line with every unsafe character made visible.

    Printable text, and text that is already safe, is returned unchanged; a line feed becomes
    ``\n`` in two characters, unless it is `kept`. A result longer than `limit` ends in ``...``.
    """
    # Only what is shown is looked at: a file can hold texts of any length.
    shown = text if limit is None else text[: limit + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(_visible(shown, kept))
    if limit is not None and len(shown) > limit:
        mark = "..."[:limit]
        shown = shown[: limit - len(mark)] + mark
    return shown


def safe_text(text: str, *, limit: int | None = None) -> str:
    """Return a text of several lines as :func:`safe_line` does; line feeds and tabs stay."""
    return safe_line(text, limit=limit, kept="\n\t")


def utf8_text(text: str) -> str:
    r"""Return a text that is valid Unicode: lone surrogates, as in odd file names, as ``\udcff``.

    For JSON, whose writer escapes everything else itself.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _visible(text: str, kept: str) -> Iterator[str]:
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        # Python calls spaces of other widths unprintable.
        is_seen = (character.isprintable() or category == "Zs") and not _UNSEEN.match(character)
        if character in kept or (is_seen and marks <= _MAX_MARKS):
            yield character
        else:
            yield character.encode("unicode_escape").decode("ascii")
