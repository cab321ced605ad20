"""Pictures inside of a page: an SVG that shares the page's names, colours and fonts with care.

matplotlib's SVG is a document of its own. In a page its ids would meet those of other pictures, its
style would reach everything, and its ink would vanish on a dark ground. All of it is our own
output, so plain substitutions are enough.
"""

from __future__ import annotations

import re
from html import escape

from aptdither.report.plots.style import BLUE, FAINT, INK, PAPER, VERMILION

_HEAD = re.compile(rb"^.*?(?=<svg\b)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_TITLE = re.compile(r"\s*<title>.*?</title>", re.DOTALL)
_STYLE = re.compile(r"\s*<style\b.*?</style>", re.DOTALL)
_OPENING = re.compile(r"<svg\b[^>]*>")
_VIEW_BOX = re.compile(r'viewBox="([-\d. ]+)"')
_NAME = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
_BLANKS = re.compile(r"\s*\n\s*")
_FONTS = (
    ("'DejaVu Sans Mono'", "'DejaVu Sans Mono', Menlo, Consolas, monospace"),
    ("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif"),
)

#: The page's own colours for what is ink and paper in a picture.
COLORS = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    PAPER: "var(--paper)",
    BLUE: "var(--blue)",
    VERMILION: "var(--vermilion)",
}


def inline_svg(svg: bytes, *, name: str, title: str, description: str) -> str:
    """Return a picture as an element of an HTML page.

    Parameters
    ----------
    svg : bytes
        As :func:`~aptdither.report.plots.style.render` makes it, searchable.
    name : str
        Prefix of its ids, unique in the page.
    title, description : str
        What it shows, for those who cannot see it.
    """
    text = _HEAD.sub(b"", svg).decode("utf-8")
    for unwanted in (_METADATA, _TITLE, _STYLE):
        text = unwanted.sub("", text)
    view_box = _VIEW_BOX.search(text)
    box = view_box[1] if view_box else "0 0 100 100"
    text = _NAME.sub(lambda found: f"{found[1]}{name}-{found[2]}", text)
    opening = (
        f'<svg viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-text" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-text">{escape(description)}</desc>'
    )
    text = _OPENING.sub(lambda _: opening, text, count=1)
    for color, variable in COLORS.items():
        text = text.replace(color, variable)
    for font, fallbacks in _FONTS:
        text = text.replace(font, fallbacks)
    return _BLANKS.sub(" ", text).strip()
