"""A proposal's dithers as one page: a file that needs no network and no script.

The page is the template ``page.html.j2``. Everything printed in it is escaped, and characters that
could act on a reader's machine are made visible; pictures and style are our own. A content policy
forbids the page to load anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup
from matplotlib.figure import Figure

from aptdither.findings import Finding
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.plan import Survey
from aptdither.report.notebook import environment, page_file
from aptdither.report.plots import style
from aptdither.report.plots.maps import QUANTITIES, FieldMap, draw_map, levels_of, maps_of
from aptdither.report.plots.pattern import draw_offsets, draw_phases
from aptdither.report.plots.sky import draw_sky, orient_in_words, orients_of
from aptdither.report.sanitize import safe_line
from aptdither.report.summary import findings_of
from aptdither.types import Progress
from aptdither.version import __version__

if TYPE_CHECKING:
    from aptdither.apt.proposal import Proposal
    from aptdither.dither.coverage import Coverage
    from aptdither.io.files import Source

#: A picture on the page, inches: at its natural size on a telephone.
PICTURE_IN = (3.4, 3.4)
MAP_IN = (3.8, 3.4)


def html_report(
    source: Source,
    proposal: Proposal,
    survey: Survey,
    maps: Sequence[Coverage],
    *,
    before: Sequence[DitherGroup] = (),
    findings: Sequence[Finding] = (),
    diff: str = "",
    progress: Progress | None = None,
) -> str:
    """Return the page about a file and the proposal in it; the same input gives the same page.

    `maps` are the coverages of the whole aperture, one for each group; `before` are the proposal's
    sets as they are in the file; `findings` are of its review; `diff` is the change that ``apply``
    would make, unified.
    """
    messages = [finding.message for finding in findings]
    about = [finding for group in survey.groups for finding in findings_of(group, findings)]
    # The groups are the planned ones and then those that stand as they are.
    old = [before_of(group, before) for group in survey.planned]
    old += [None] * len(survey.observed)
    page = environment().get_template("page.html.j2")
    return page.render(
        source=source,
        proposal=proposal,
        survey=survey,
        before=old,
        # A bad tag is a finding of the review and a problem of the plan: it is listed once.
        problems=[p for p in survey.problems if not any(p.endswith(m) for m in messages)],
        pictures=_pictures(survey.groups, maps, old, progress),
        findings=findings,
        general=[finding for finding in findings if finding not in about],
        diff=diff,
        style=Markup(page_file("page.css")),
        version=__version__,
    )


def before_of(group: DitherGroup, before: Iterable[DitherGroup]) -> DitherGroup | None:
    """Return what the exposures of a planned group are in the file; None where it is not alike."""
    numbers = {point.was for point in group.points if point.was}
    for old in before:
        alike = old.visit == group.visit and old.exposures.setup == group.exposures.setup
        if alike and {point.number for point in old.points} == numbers:
            return old
    return None


def _pictures(
    groups: Sequence[DitherGroup],
    maps: Sequence[Coverage],
    before: Sequence[DitherGroup | None],
    progress: Progress | None,
) -> list[int | list[tuple[str, str, Markup]]]:
    """Return title, text and SVG of each group's pictures, or the index of a group with the same."""
    first: dict[object, int] = {}
    pictures: list[int | list[tuple[str, str, Markup]]] = []
    visits: dict[str | None, list[DitherGroup]] = {}
    for group in groups:
        visits.setdefault(group.visit, []).append(group)
    for k, (group, whole, old) in enumerate(zip(groups, maps, before, strict=True)):
        if progress is not None:
            progress(k / len(groups), f"pictures of group {k + 1} of {len(groups)}")
        points = tuple((point.number, point.pos_targ) for point in group.points)
        setup = (group.aperture.name, group.element.name, group.region, group.base, group.clusters)
        seen = (setup, points, orients_of(group), old and tuple(p.pos_targ for p in old.points))
        if first.setdefault(seen, k) != k:
            pictures.append(first[seen])
            continue
        drawn = []
        drawings = _drawings(group, whole, old, visits.pop(group.visit, []))
        for j, (title, text, size, draw) in enumerate(drawings, start=1):
            svg = style.render(draw, style.Kind.SVG, title=title, size_in=size, searchable=True)
            name = f"g{k + 1}p{j}"
            drawn.append((title, text, inline_svg(svg, name=name, title=title, description=text)))
        pictures.append(drawn)
    return pictures


def _drawings(
    group: DitherGroup,
    whole: Coverage,
    before: DitherGroup | None,
    in_visit: Sequence[DitherGroup],
) -> Iterator[tuple[str, str, tuple[float, float], Callable[[Figure], None]]]:
    """Yield title, text, size and drawing of each picture of a group.

    The first group of a visit has the footprints of all, `in_visit`.
    """
    each = ", each cluster by itself" if group.clusters > 1 else ""
    text = f"Dotted: the borders of pixels; outlines: the offsets over the region{each}"
    yield "Offsets", text, PICTURE_IN, lambda figure: draw_offsets(figure.subplots(), group)
    if before is not None:
        text = "The same exposures as they are in the proposal"
        yield "Phases before", text, PICTURE_IN, lambda f: draw_phases(f.subplots(), before)
    text = (
        "Square: one pixel; dots: the center of the region; outlines: its border, from the small "
        "circle at its upper right; gray: the same in neighboring pixels"
    )
    yield "Phases", text, PICTURE_IN, lambda figure: draw_phases(figure.subplots(), group)
    for name, field_map in maps_of(group, whole).items():
        if name == "packing" and (group.n == 1 or not whole.packing.any()):
            continue  # of a single phase, or of equal ones: the same everywhere

        def over_detector(figure: Figure, field_map: FieldMap = field_map) -> None:
            axes = figure.subplots()
            filled = draw_map(axes, field_map, levels_of([field_map.values]))
            figure.colorbar(filled, ax=axes, shrink=0.8)

        title = QUANTITIES[name].replace("$", "")
        text = f"{field_map.numbers}; dashed: the region, +: its center, ×: its worst place"
        yield title, text, MAP_IN, over_detector
    if in_visit and group.visit is not None:
        text = f"Of all exposures of visit {safe_line(group.visit)}: {orient_in_words(in_visit[0])}"
        yield "Footprints", text, PICTURE_IN, lambda f: draw_sky(f.subplots(), in_visit)


# --- pictures inside the page --------------------------------------------------------------------
# matplotlib's SVG is a document of its own. In a page its ids would meet those of other pictures,
# its style would reach everything, and its ink would vanish on a dark background.

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
    style.INK: "var(--ink)",
    style.FAINT: "var(--faint)",
    style.PAPER: "var(--paper)",
    style.BLUE: "var(--blue)",
    style.VERMILION: "var(--vermilion)",
}
_REPLACEABLE = re.compile("|".join(map(re.escape, _REPLACED)))


def inline_svg(svg: bytes, *, name: str, title: str, description: str) -> Markup:
    """Return a searchable picture as an element of an HTML page.

    `name` is the prefix of its ids, unique in the page; `title` and `description` are the picture
    in words, for those who cannot see it.
    """
    text = _UNWANTED.sub("", svg.decode("utf-8"))
    text = _NAME.sub(lambda match: f"{match[1]}{name}-{match[2]}", text)
    text = _REPLACEABLE.sub(lambda match: _REPLACED[match[0]], text)
    words = {"name": name, "title": title, "description": description}
    text = _OPENING.sub(lambda match: str(_OPENED.format(box=match[1], **words)), text, count=1)
    return Markup(_LINE_BREAK.sub(" ", text).strip())
