"""A proposal's dithers as one page: a file that needs no network and no script.

The page is the template ``page.html.j2``. Everything printed in it is escaped, and characters that
could act on a reader's machine are made visible; pictures and style are our own. A content policy
forbids the page to load anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from aptdither.findings import Finding
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.survey import Survey
from aptdither.report.format import (
    LEGEND,
    counted,
    decimals,
    extent_in_words,
    location_of,
    region_in_words,
)
from aptdither.report.plots.inline import inline_svg
from aptdither.report.plots.maps import QUANTITIES, FieldMap, draw_map, levels_of, maps_of
from aptdither.report.plots.pattern import draw_offsets, draw_phases
from aptdither.report.plots.style import Kind, render
from aptdither.report.sanitize import safe_text
from aptdither.report.summary import block_name, figures, headline
from aptdither.types import NO_OFFSET, Progress
from aptdither.version import __version__

if TYPE_CHECKING:
    from aptdither.dither.coverage import Coverage

#: A picture on the page, inches: at its natural size on a telephone.
PICTURE_IN = (3.4, 3.4)
MAP_IN = (3.8, 3.4)
_DIFF_CLASSES = {"+": "plus", "-": "minus", "@": "at"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHeader:
    """The proposal that a page is about.

    Attributes
    ----------
    path : str
        Its name.
    sha256 : str
        Of its bytes.
    phase2_id, apt_version : str
        As in the proposal.
    """

    path: str
    sha256: str
    phase2_id: str
    apt_version: str


def html_report(
    header: PageHeader,
    survey: Survey,
    maps: Sequence[Coverage],
    *,
    findings: Sequence[Finding] = (),
    diff: str = "",
    progress: Progress | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    header : PageHeader
        The proposal.
    survey : Survey
        Its groups, and the problems of planning them.
    maps : sequence of Coverage
        Of the whole aperture, one for each group.
    findings : sequence of Finding
        Of the proposal's review.
    diff : str
        The change that ``apply`` would make, unified; empty for none.
    progress : callable, optional
        Called with a fraction while pictures are drawn.

    Returns
    -------
    str
        HTML; the same input gives the same page.
    """
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_made_safe,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        counted=counted,
        decimals=decimals,
        extent=extent_in_words,
        block_name=lambda group: block_name([group]),
        figures=figures,
        headline=headline,
        location=location_of,
        region=region_in_words,
    )
    folder = files("aptdither").joinpath("report")
    template = environment.from_string(folder.joinpath("page.html.j2").read_text(encoding="utf-8"))
    messages = [finding.message for finding in findings]
    return template.render(
        header=header,
        survey=survey,
        groups=survey.groups,
        # A bad tag is a finding of the review and a problem of the plan: it is listed once.
        problems=[p for p in survey.problems if not any(p.endswith(m) for m in messages)],
        pictures=_pictures(survey.groups, maps, progress),
        findings=findings,
        diff=[
            (_DIFF_CLASSES.get(line[:1], ""), line.rstrip("\r"))
            for line in diff.removesuffix("\n").split("\n")
            if diff
        ],
        legend=list(LEGEND),
        no_offset=NO_OFFSET,
        style=Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        version=__version__,
    )


def _made_safe(value: Any) -> Any:
    """Return a value as the template prints it: no characters that could act."""
    return value if isinstance(value, Markup) else safe_text(str(value))


def _pictures(
    groups: Sequence[DitherGroup], maps: Sequence[Coverage], progress: Progress | None
) -> list[int | list[tuple[str, str, Markup]]]:
    """Return title, text and SVG of each group's pictures, or the index of a group with the same."""
    first: dict[object, int] = {}
    pictures: list[int | list[tuple[str, str, Markup]]] = []
    for k, (group, whole) in enumerate(zip(groups, maps, strict=True)):
        if progress is not None:
            progress(k / len(groups), f"pictures of group {k + 1} of {len(groups)}")
        points = tuple((point.number, point.pos_targ) for point in group.points)
        setup = (group.aperture.name, group.element.name, group.region, group.base, group.clusters)
        if first.setdefault((setup, points), k) != k:
            pictures.append(first[setup, points])
            continue
        drawn = []
        for j, (title, text, size, draw) in enumerate(_drawings(group, whole), start=1):
            svg = render(draw, size, Kind.SVG, title=title, searchable=True)
            name = f"g{k + 1}p{j}"
            drawn.append((title, text, inline_svg(svg, name=name, title=title, description=text)))
        pictures.append(drawn)
    return pictures


def _drawings(
    group: DitherGroup, whole: Coverage
) -> Iterator[tuple[str, str, tuple[float, float], Callable[[Figure], None]]]:
    """Yield title, text, size and drawing of each picture of a group."""
    each = ", each cluster by itself" if group.clusters > 1 else ""
    text = f"Dotted: the borders of pixels; outlines: the offsets over the region{each}"
    yield "Offsets", text, PICTURE_IN, lambda figure: draw_offsets(figure.subplots(), group)
    text = (
        "Square: one pixel; dots: the center of the region; outlines: its border, from the small "
        "circle at its upper right; gray: the same in neighboring pixels"
    )
    yield "Phases", text, PICTURE_IN, lambda figure: draw_phases(figure.subplots(), group)
    for name, field_map in maps_of(group, whole).items():

        def over_detector(figure: Figure, field_map: FieldMap = field_map) -> None:
            axes = figure.subplots()
            filled = draw_map(axes, field_map, levels_of([field_map.values]))
            figure.colorbar(filled, ax=axes, shrink=0.8)

        title = QUANTITIES[name].replace("$", "")
        text = f"{field_map.numbers}; dashed: the region, +: its center, ×: its worst place"
        yield title, text, MAP_IN, over_detector
