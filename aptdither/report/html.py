"""A proposal's dithers as one page: a file that needs no network and no script.

Text from the proposal goes through :func:`_safe`, and numbers are formatted here: nothing else
reaches the page. The page carries a content policy that lets it load nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from aptdither.findings import Finding
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.survey import Survey
from aptdither.report.format import (
    counted,
    decimals,
    extent_in_words,
    location_of,
    region_in_words,
)
from aptdither.report.plots.inline import inline_svg
from aptdither.report.plots.maps import (
    QUANTITIES,
    FieldMap,
    draw_map,
    levels_of,
    maps_of,
    numbers_of,
)
from aptdither.report.plots.pattern import draw_offsets, draw_phases
from aptdither.report.plots.style import Kind, render
from aptdither.report.sanitize import safe_line, safe_text
from aptdither.types import Progress
from aptdither.version import __version__

if TYPE_CHECKING:
    from aptdither.dither.coverage import Coverage

#: A picture on the page, inches: at its natural size on a telephone.
PICTURE_IN = (3.4, 3.4)
MAP_IN = (3.8, 3.4)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE_FILE = "page.css"


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
        As the proposal says them.
    """

    path: str
    sha256: str
    phase2_id: str
    apt_version: str


def html_report(
    subject: PageHeader,
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
    subject : PageHeader
        What it is about.
    survey : Survey
        Its groups, and the problems of planning them.
    maps : sequence of Coverage
        Of the whole aperture, one for each group.
    findings : sequence of Finding
        What the observer should know.
    diff : str
        The change that ``apply`` would make, unified; empty for none.
    progress : callable, optional
        Called with a fraction while pictures are drawn.

    Returns
    -------
    str
        HTML; the same input gives the same page.
    """
    title = f"Dithers of {_safe(subject.path)}"
    groups = survey.groups
    pictures = _Pictures(maps)
    sections = []
    for k, group in enumerate(groups):
        if progress is not None:
            progress(k / len(groups), f"pictures of group {k + 1} of {len(groups)}")
        sections.append(_group_section(group, k, pictures, is_planned=k < len(survey.planned)))
    style = files("aptdither").joinpath("report", _STYLE_FILE).read_text(encoding="utf-8")
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f'<meta name="generator" content="aptdither {__version__}">',
            '<link rel="icon" href="data:,">',
            f"<title>{title}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            _header(title, subject),
            "<main>",
            _summary(survey),
            *sections,
            _findings_section(findings, survey.problems),
            _diff_section(diff),
            "</main>",
            (
                f"<footer><p class=faint>Made by aptdither {__version__}. E is the de-aliasing "
                "efficiency (1: nothing is lost to aliasing); d is the smallest distance between two "
                "phases and d<sub>N</sub> the largest that N phases can have. The worst place is the "
                "worst over the region, for each figure on its own.</p></footer>"
            ),
            "</body>",
            "</html>\n",
        )
    )


def _header(title: str, subject: PageHeader) -> str:
    facts = [("Program", subject.phase2_id), ("APT", subject.apt_version)]
    items = [f"{name} {_safe(value)}" for name, value in facts if value.strip()]
    items.append(f"SHA-256 <code>{_safe(subject.sha256[:16])}…</code>")
    return f"<header><h1>{title}</h1><p class=faint>{' · '.join(items)}</p></header>"


# --- summary -------------------------------------------------------------------------------------


def _summary(survey: Survey) -> str:
    groups = survey.groups
    if not groups:
        words = "This proposal has no exposures that can be dithered here and judged."
        return f"<section><h2>Summary</h2><p>{words}</p></section>"
    sentence = (
        f"{counted(len(survey.planned), 'tagged group')} with the POS TARGs that "
        f"<code>aptdither apply</code> writes"
        if survey.planned
        else "Nothing is tagged with <code>@dither</code>"
    )
    if survey.observed:
        sentence += f"; {counted(len(survey.observed), 'set')} of exposures as they stand"
    heads = (
        ("Visit", False),
        ("Setup", False),
        ("Points", True),
        ("Pattern", False),
        ("Region", False),
        ("E centre", True),
        ("E worst", True),
        ("d/d<sub>N</sub> worst", True),
    )
    rows = []
    for k, group in enumerate(groups):
        worst = group.coverage.worst
        rows.append(
            _row(
                (f'<a href="#group-{k + 1}">{_safe(group.visit or "-")}</a>', False),
                (f"{_safe(group.aperture.name)} {_safe(group.element.name)}", False),
                (str(len(group.points)), True),
                (_safe(group.choice.name), False),
                (_safe(region_in_words(group.region)), False),
                (f"{group.coverage.center.efficiency:.3f}", True),
                (f"{worst.efficiency:.3f}", True),
                (f"{worst.packing_of_limit:.2f}", True),
            )
        )
    return (
        f"<section><h2>Summary</h2><p>{sentence}.</p>{_table('All groups', heads, rows)}</section>"
    )


# --- one group -----------------------------------------------------------------------------------


def _group_section(group: DitherGroup, k: int, pictures: _Pictures, *, is_planned: bool) -> str:
    title = (
        f"Visit {_safe(group.visit or '-')}: {_safe(group.aperture.name)} "
        f"{_safe(group.element.name)}, {counted(len(group.points), 'point')}"
    )
    facts = [
        ("Tag", f"<span class=tag>{_safe(group.tag)}</span>" if group.tag is not None else ""),
        ("Pattern", f"{_safe(group.choice.name)} ({_safe(group.choice.method)})"),
        ("Why", _safe(group.choice.why)),
        ("Source", _safe(group.choice.source)),
        ("Region", _safe(region_in_words(group.region))),
        ("Clusters", str(group.clusters) if group.clusters > 1 else ""),
        (
            "Base",
            group.base.text + " arcsec" if group.base.x_arcsec or group.base.y_arcsec else "",
        ),
        ("Layout", extent_in_words(group)),
        ("Pointing", _safe(group.pointing.sentence)),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value)
    return (
        f'<section id="group-{k + 1}"><h2>{title}</h2><dl>{listed}</dl>'
        f"<div class=columns>{_points_table(group, is_planned=is_planned)}"
        f"{_coverage_table(group)}</div>{pictures.of(group, k)}</section>"
    )


def _points_table(group: DitherGroup, *, is_planned: bool) -> str:

    is_new = any(point.was is None for point in group.points)
    had_one = any(point.old_pos_targ is not None for point in group.points)
    with_old = is_planned and (is_new or had_one)
    heads = [("Exposure", False), ("Δx, pix", True), ("Δy, pix", True)]
    if with_old:
        heads.append(("Was", True))
    heads += [("X, arcsec", True), ("Y, arcsec", True)]
    rows = []
    for point in group.points:
        old = point.old_pos_targ
        cells = [
            (_safe(point.number), False),
            (decimals(point.dx_pix), True),
            (decimals(point.dy_pix), True),
        ]
        if with_old:
            was = "new" if point.was is None else "-"
            cells.append((was if old is None else old.text, True))
        cells += [
            (decimals(point.pos_targ.x_arcsec), True),
            (decimals(point.pos_targ.y_arcsec), True),
        ]
        rows.append(_row(*cells))
    return _table("POS TARGs", heads, rows)


def _coverage_table(group: DitherGroup) -> str:
    places = (group.coverage.center, group.coverage.worst)
    figures: tuple[tuple[str, list[str]], ...] = (
        ("De-aliasing efficiency E", [f"{m.efficiency:.3f}" for m in places]),
        ("Packing distance d, pixels", [f"{m.packing:.3f}" for m in places]),
        ("d/d<sub>N</sub>", [f"{m.packing_of_limit:.2f}" for m in places]),
        ("Largest hole, pixels", [f"{m.hole:.3f}" for m in places]),
        (
            "Noise amplification",
            ["-" if m.amplification is None else f"{m.amplification:.2f}" for m in places],
        ),
        ("AliasingModel that is lost", [f"{m.lost_fraction:.0%}" for m in places]),
    )
    rows = [_row((name, False), *((value, True) for value in values)) for name, values in figures]
    return _table("Coverage", (("Figure", False), ("Centre", True), ("Worst", True)), rows)


class _Pictures:
    """The pictures of groups; what was drawn before is pointed to, not drawn again."""

    def __init__(self, maps: Sequence[Coverage]) -> None:
        self._maps = maps
        self._drawn: dict[object, int] = {}

    def of(self, group: DitherGroup, k: int) -> str:
        """Return the pictures of group `k`."""
        points = tuple((p.number, p.pos_targ) for p in group.points)
        key = (
            group.aperture.name,
            group.element.name,
            group.region,
            group.base,
            group.clusters,
            points,
        )
        if key in self._drawn:
            first = self._drawn[key] + 1
            return f'<p>The pictures are those of <a href="#group-{first}">group {first}</a>.</p>'
        self._drawn[key] = k
        figures = []
        for j, (title, text, size, draw) in enumerate(_drawings(group, self._maps[k]), start=1):
            svg = render(draw, size, Kind.SVG, title=title, searchable=True)
            figures.append(
                "<figure>"
                + inline_svg(svg, name=f"g{k + 1}p{j}", title=title, description=text)
                + f"<figcaption>{escape(text)}</figcaption></figure>"
            )
        return f"<div class=pictures>{''.join(figures)}</div>"


def _drawings(
    group: DitherGroup,
    whole: Coverage,
) -> Iterable[tuple[str, str, tuple[float, float], Callable[[Figure], None]]]:
    """Yield title, description, size and drawing of each picture of a group."""
    setup = f"{group.aperture.name} {group.element.name}, region: {region_in_words(group.region)}"
    held = "; each cluster by itself" if group.clusters > 1 else ""

    def offsets(figure: Figure) -> None:
        axes = figure.subplots()
        draw_offsets(axes, group)
        axes.set_title("")

    def phases(figure: Figure) -> None:
        axes = figure.subplots()
        draw_phases(axes, group)
        axes.set_title("")

    yield (
        "Offsets",
        (
            f"Offsets in pixels with the borders of whole pixels; outlines: what distortion makes of "
            f"them over the region{held}. {setup}."
        ),
        PICTURE_IN,
        offsets,
    )
    yield (
        "Phases",
        (
            "The same within one pixel (square), hollow in its neighbours. The dots are the centre of "
            "the region, the outlines its border."
        ),
        PICTURE_IN,
        phases,
    )
    maps = maps_of(group, whole)
    for quantity in QUANTITIES:
        field_map = maps[quantity.name]

        def over_detector(figure: Figure, field_map: FieldMap = field_map) -> None:
            axes = figure.subplots()
            filled = draw_map(axes, field_map, levels_of([field_map.values]))
            figure.colorbar(filled, ax=axes, shrink=0.8)

        yield (
            quantity.title,
            (
                f"{quantity.title}, over the detector: {numbers_of(field_map)}. Dashed: the region, "
                "plus: its centre, cross: its worst place."
            ),
            MAP_IN,
            over_detector,
        )


# --- findings and change -------------------------------------------------------------------------


def _findings_section(findings: Sequence[Finding], problems: Sequence[str]) -> str:
    items = [
        f"<li class=error><span class=code>problem</span> {_safe(line)}</li>" for line in problems
    ]
    for finding in findings:
        where = escape(location_of(finding))
        severity = str(finding.severity)
        items.append(
            f"<li class={severity}><span class=code>{_safe(finding.code)} {severity}</span> "
            f"{f'{where}: ' if where else ''}{_safe(finding.message)}</li>"
        )
    body = f"<ul class=findings>{''.join(items)}</ul>" if items else "<p>None.</p>"
    return f'<section id="findings"><h2>Findings</h2>{body}</section>'


_DIFF_CLASSES = {"+": "plus", "-": "minus", "@": "at"}


def _diff_section(diff: str) -> str:
    if not diff:
        words = "<code>aptdither apply</code> would not change this file."
        return f'<section id="change"><h2>Change</h2><p>{words}</p></section>'
    lines = []
    for line in diff.rstrip("\n").split("\n"):
        text = escape(safe_text(line.rstrip("\r"))) or " "
        kind = _DIFF_CLASSES.get(line[:1])
        lines.append(f"<span class={kind}>{text}</span>" if kind else text)
    return (
        '<section id="change"><h2>Change</h2><p>What <code>aptdither apply</code> changes in the '
        "file: lines with + come, lines with - go.</p><pre class=diff>"
        + "\n".join(lines)
        + "</pre></section>"
    )


# --- pieces --------------------------------------------------------------------------------------


def _table(caption: str, heads: Sequence[tuple[str, bool]], rows: Sequence[str]) -> str:
    """Return a table; one that is wider than the page scrolls by itself, by keyboard too."""
    head = "".join(
        f"<th scope=col{' class=n' if is_number else ''}>{name}</th>" for name, is_number in heads
    )
    return (
        f'<div class=scroll tabindex=0 role=group aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(*cells: tuple[str, bool]) -> str:
    first, *rest = cells
    others = "".join(
        f"<td{' class=n' if is_number else ''}>{text}</td>" for text, is_number in rest
    )
    return f"<tr><th scope=row>{first[0]}</th>{others}</tr>"


def _safe(text: str) -> str:
    """Return text of unknown origin for a page: no markup, no characters that do something."""
    return escape(safe_line(text))
