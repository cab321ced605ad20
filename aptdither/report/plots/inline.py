"""Pictures inside a page: matplotlib's SVG, adapted to the page's ids, colors and fonts.

matplotlib's SVG is a document of its own. In a page its ids would meet those of other pictures, its
style would reach everything, and its ink would vanish on a dark background.
"""

from __future__ import annotations

import re

from markupsafe import Markup

from aptdither.report.plots.style import BLUE, FAINT, INK, PAPER, VERMILION

#: What comes before the picture, and what belongs to a document of its own.
_UNWANTED = re.compile(r"^.*?(?=<svg\b)|\s*<(metadata|title|style)\b.*?</\1>", re.DOTALL)
_OPENING = re.compile(r'<svg\b[^>]*?viewBox="([-\d. ]+)"[^>]*>')
_NAME = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
_LINE_BREAK = re.compile(r"\s*\n\s*")
_OPENED = Markup(
    '<svg viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-text" '
    'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    '<title id="{name}-title">{title}</title><desc id="{name}-text">{description}</desc>'
)

#: What replaces matplotlib's fonts, and its ink and paper, in a page.
_REPLACED = {
    "'DejaVu Sans Mono'": "'DejaVu Sans Mono', Menlo, Consolas, monospace",
    "'DejaVu Sans'": "'DejaVu Sans', Verdana, sans-serif",
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    PAPER: "var(--paper)",
    BLUE: "var(--blue)",
    VERMILION: "var(--vermilion)",
}
_REPLACEABLE = re.compile("|".join(map(re.escape, _REPLACED)))


def inline_svg(svg: bytes, *, name: str, title: str, description: str) -> Markup:
    """Return a picture as an element of an HTML page.

    Parameters
    ----------
    svg : bytes
        From :func:`~aptdither.report.plots.style.render`, searchable.
    name : str
        Prefix of its ids, unique in the page.
    title, description : str
        The picture in words, for those who cannot see it.
    """
    text = _UNWANTED.sub("", svg.decode("utf-8"))
    text = _NAME.sub(lambda match: f"{match[1]}{name}-{match[2]}", text)
    text = _REPLACEABLE.sub(lambda match: _REPLACED[match[0]], text)
    words = {"name": name, "title": title, "description": description}
    text = _OPENING.sub(lambda match: str(_OPENED.format(box=match[1], **words)), text, count=1)
    return Markup(_LINE_BREAK.sub(" ", text).strip())
