"""A plan as an observer reads it in a terminal: at 80 columns, with or without color."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aptdither.findings import Finding
from aptdither.report.ascii_map import exposure_labels, phase_map, side_by_side
from aptdither.report.format import (
    FIGURE,
    FIGURES,
    LEGEND,
    STYLES,
    counted,
    decimals,
    extent_in_words,
    group_name,
    location_of,
    region_in_words,
)
from aptdither.report.sanitize import safe_line
from aptdither.types import NO_OFFSET

if TYPE_CHECKING:
    from aptdither.dither.catalog import Catalog
    from aptdither.dither.coverage import Coverage
    from aptdither.dither.optimizer.optimize import TradeoffPoint
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.optics.pointing_fit import DitherFit
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.plan import Plan


#: Beyond so many exposures the phases elsewhere would hide those at the center.
_MAX_WITH_DOTS = 9


def print_plan(console: Console, plan: Plan, *, path: str | os.PathLike[str]) -> None:
    """Print the summary of a plan.

    Parameters
    ----------
    console : rich.console.Console
        The terminal.
    plan : Plan
        The plan.
    path : str or path-like
        The proposal's name.
    """
    if not plan.groups:
        console.print(
            _plain(f"Nothing in {os.fspath(path)} is tagged with @dither."), soft_wrap=True
        )
    print_groups(console, plan.groups)
    print_findings(console, plan.findings)


def print_groups(console: Console, groups: Iterable[DitherGroup]) -> None:
    """Print the summaries of groups; the first explains its figures."""
    for k, group in enumerate(groups):
        console.print(group_summary(group, with_legend=k == 0))


def group_summary(group: DitherGroup, *, with_legend: bool = True) -> Group:
    """Return the summary of one group: what was done, the points, the coverage, a picture."""
    choice = group.choice
    facts = [
        ("tag", group.tag or ""),
        ("pattern", f"{choice.name} ({choice.method})"),
        ("why", choice.why),
        ("source", choice.source),
    ]
    if group.element.kind == "grism":
        facts.append(("band", f"evaluated at {group.element.wavelength_nm:g} nm, its middle"))
    if group.clusters > 1:
        facts.append(("clusters", f"{group.clusters}, each a pattern by itself"))
    facts.append(("region", region_in_words(group.region)))
    if group.base != NO_OFFSET:
        facts.append(("base", f"POS TARG {group.base.text}; the offsets are added to it"))
    facts.append(("extent", extent_in_words(group)))
    parts: list[RenderableType] = [_facts(facts), points_table(group), coverage_table(group)]
    if with_legend:
        parts.append(legend())
    parts += [
        _plain(group.pointing.sentence),
        PhasePicture(group.coverage, [point.number for point in group.points]),
    ]
    title = Rule(_plain(group_name(group)), align="left", characters="─")
    return Group(title, *(Padding(part, (0, 0, 1, 2)) for part in parts))


def points_table(group: DitherGroup) -> Table:
    """Return the exposures with their offsets in pixels and POS TARGs in arcsec, old and new."""
    table = _table()
    table.add_column("Exp.", justify="right")
    with_old = any(point.was is not None for point in group.points)
    for heading in ("dx", "dy"):
        table.add_column(f"{heading}\npixels", justify="right")
    if with_old:
        table.add_column("was", justify="right")
        table.add_column("old POS TARG\nX, Y arcsec", justify="right", style="dim")
    heading = "new POS TARG" if with_old else "POS TARG"
    table.add_column(f"{heading}\nX, Y arcsec", justify="right", style="bold")
    for point in group.points:
        old = "-" if point.old_pos_targ is None else point.old_pos_targ.text
        was = [point.was or "new", old] if with_old else []
        offset = [decimals(point.dx_pix), decimals(point.dy_pix)]
        table.add_row(*map(_plain, (point.number, *offset, *was, point.pos_targ.text)))
    return table


def offsets_table(rows: Iterable[tuple[float, ...]]) -> Table:
    """Return offsets in pixels and POS TARGs in arcsec side by side, six decimals each."""
    table = _table()
    for heading in ("dx\npixels", "dy\npixels", "POS TARG X\narcsec", "POS TARG Y\narcsec"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.6f}" for value in row))
    return table


def coverage_table(group: DitherGroup) -> Table:
    """Return the metrics at the center and at the worst place, beside what is possible."""
    coverage, possible = group.coverage, group.possible
    table = _table()
    table.add_column("Coverage")
    for heading in ("center", "worst", "possible"):
        table.add_column(heading, justify="right")
    for figure in FIGURES:
        is_part = figure.name == "packing_of_limit"
        table.add_row(
            f"  {figure.label}" if is_part else figure.label,
            figure.text(coverage.center),
            figure.text(coverage.worst),
            Text(figure.text(possible), style="dim"),
        )
    return table


def legend() -> Table:
    """Return what the words of a table of coverage mean, a line each."""
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(style="dim")
    for term, meaning in LEGEND:
        table.add_row(term, meaning)
    return table


class PhasePicture:
    """The phases at the center with where distortion moves them, beside those at the worst place.

    Parameters
    ----------
    coverage : Coverage
        Whose phases are drawn.
    numbers : sequence of str
        The exposures' numbers.
    """

    def __init__(self, coverage: Coverage, numbers: Sequence[str]) -> None:
        self.coverage = coverage
        self.labels, self.meaning = exposure_labels(numbers)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw with the characters that the terminal can show, in the width that it has."""
        coverage, labels, plain = self.coverage, self.labels, options.ascii_only
        with_dots = coverage.n <= _MAX_WITH_DOTS and len(coverage.phases) > 1
        elsewhere = coverage.phases.reshape(-1, 2) if with_dots else ()
        picture = phase_map(coverage.center_phases, elsewhere, labels=labels, ascii_only=plain)
        head = "Center; dots: rest of region" if with_dots else "Center"
        picture.insert(0, head.ljust(len(picture[0])))
        if len(coverage.phases) > 1:
            worst = int(coverage.efficiency.argmin())
            other = phase_map(coverage.phases[worst], labels=labels, ascii_only=plain)
            x_pix, y_pix = coverage.field.x_pix[worst], coverage.field.y_pix[worst]
            other.insert(0, f"Worst E, at pixel ({x_pix:.0f}, {y_pix:.0f})")
            both = side_by_side(picture, other)
            if max(map(len, both)) <= options.max_width:
                picture = both
        yield _plain(self.meaning)
        for line in picture:
            yield Text(line)


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print findings, a paragraph each."""
    for finding in findings:
        where = location_of(finding)
        text = Text()
        text.append(f"{finding.code} {finding.severity}", style=STYLES[finding.severity])
        text.append(f" {where}: " if where else ": ")
        text.append(safe_line(finding.message))
        console.print(text)


def _facts(facts: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, _plain(value))
    return table


def _table() -> Table:
    from rich import box

    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        show_edge=False,
        title_justify="left",
    )


def _plain(text: str) -> Text:
    """Return text from a file literally: no markup, no control characters."""
    return Text(safe_line(text))


def catalog_table(catalog: Catalog) -> Table:
    """Return the catalog, a line for each pattern."""
    table = _table()
    table.add_column("Pattern", no_wrap=True)
    table.add_column("points", justify="right")
    table.add_column("designed for")
    table.add_column("source", overflow="fold")
    for pattern in catalog:
        table.add_row(
            _plain(pattern.name),
            str(pattern.n),
            _plain(pattern.designed_for),
            _plain(pattern.source),
        )
    return table


def comparison_table(groups: Sequence[DitherGroup]) -> Table:
    """Return patterns side by side: efficiency and packing at the center and the worst place."""
    table = _table()
    if groups:
        setup = f"{groups[0].aperture.name} {groups[0].element.name}"
        table.title = f"{setup}, region: {region_in_words(groups[0].region)}"
    table.add_column("Pattern", no_wrap=True)
    headings = ("N", "E\ncenter", "E\nworst", "d/d_N\ncenter", "d/d_N\nworst")
    for heading in (*headings, "closest\npixels", "extent\npixels"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in groups:
        places = (group.coverage.center, group.coverage.worst)
        table.add_row(
            _plain(group.choice.name),
            str(len(group.points)),
            *(FIGURE[name].text(m) for name in ("efficiency", "packing_of_limit") for m in places),
            decimals(group.min_separation_pix, 1),
            decimals(group.span_pix, 1),
        )
    return table


def tradeoff_table(
    curve: Sequence[TradeoffPoint], aperture: Aperture, element: SpectralElement
) -> Table:
    """Return what each spacing costs at the worst place of the region."""
    table = _table()
    table.title = f"{curve[0].result.n} points, {aperture.name} {element.name}, worst place"
    headings = ("spacing\npixels", "efficiency\nE", "loss of E", "d/d_N", "extent\npixels")
    for heading in (*headings, "slews\nseconds"):
        table.add_column(heading, justify="right")
    best = curve[0].result.efficiency_worst
    for point in curve:
        result = point.result
        table.add_row(
            decimals(point.spacing_pix, 1),
            decimals(result.efficiency_worst),
            decimals(max(best - result.efficiency_worst, 0.0)),
            f"{result.packing_of_limit_worst:.0%}",
            decimals(result.span_pix, 1),
            f"{result.slew_seconds:.0f}",
        )
    return table


def fit_summary(
    fit: DitherFit, coverages: Sequence[Coverage], aperture: Aperture, element: SpectralElement
) -> Group:
    """Return how well one dataset's dithers were executed, and the coverage they achieved.

    Parameters
    ----------
    fit : DitherFit
        The fit.
    coverages : sequence of Coverage
        As commanded, and as achieved.
    aperture, element : Aperture, SpectralElement
        What the fit and the coverage are for.
    """
    isr, siaf = fit.isr, fit.siaf
    residual = ", ".join(map(decimals, fit.residual_rms_pix))
    facts = [
        ("A", f"{_with_error(isr.a, isr.a_error)} pixels per arcsec"),
        ("B", f"{_with_error(isr.b, isr.b_error)} pixels per arcsec"),
        ("scale", f"{_with_error(siaf.scale, siaf.a_error, 4)} of the commanded offsets"),
        ("roll", f"{_with_error(siaf.turn_deg, siaf.turn_error_deg)} degrees from the SIAF"),
        ("residual", f"{residual} pixels rms in x, y from the SIAF's prediction"),
    ]
    table = _table()
    table.add_column("Coverage")
    for place in ("center", "worst"):
        for kind in ("commanded", "achieved"):
            table.add_column(f"{place}\n{kind}", justify="right")
    metrics = [c.center for c in coverages] + [c.worst for c in coverages]
    for figure in map(FIGURE.__getitem__, ("efficiency", "packing", "hole")):
        table.add_row(figure.label, *map(figure.text, metrics))
    count = counted(len(fit.positions_pix), "exposure")
    title = Rule(_plain(f"{fit.dataset}: {count}, {aperture.name} {element.name}"), align="left")
    return Group(title, Padding(_facts(facts), (0, 0, 1, 2)), Padding(table, (0, 0, 1, 2)))


def _with_error(value: float, error: float | None, digits: int = 3) -> str:
    text = decimals(value, digits)
    return text if error is None else f"{text} +- {decimals(error, digits)}"
