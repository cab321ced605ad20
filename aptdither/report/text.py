"""A plan as an observer reads it in a terminal: at 80 columns, with or without colour."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aptdither.dither.phases import COVERING_BEST, packing_limit
from aptdither.findings import Finding
from aptdither.report.ascii_map import phase_map, side_by_side
from aptdither.report.sanitize import safe_line
from aptdither.report.styles import STYLES
from aptdither.types import LengthUnit, PosTarg, RegionKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aptdither.dither.catalog import Catalog
    from aptdither.dither.coverage import Coverage, Metrics
    from aptdither.dither.optimizer.optimize import TradeoffPoint
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.optics.pointing_fit import DitherFit
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.plan import Plan


def print_plan(console: Console, plan: Plan, *, path: str | os.PathLike[str]) -> None:
    """Print the summary of a plan.

    Parameters
    ----------
    console : rich.console.Console
        Where to.
    plan : Plan
        The plan.
    path : str or path-like
        The proposal's name.
    """
    if not plan.groups:
        console.print(_plain(f"Nothing in {os.fspath(path)} is tagged with @dither."))
    for group in plan.groups:
        console.print(group_summary(group))
    print_findings(console, plan.findings)


def group_summary(group: DitherGroup) -> Group:
    """Return the summary of one group: what was done, the points, the coverage, a picture."""
    chosen = group.choice
    n = len(group.points)
    where = f"Visit {group.visit}, " if group.visit is not None else ""
    title = f"{where}{group.aperture.name} {group.element.name}: {_count(n, 'point')}"
    facts = [("pattern", f"{chosen.name} ({chosen.method})"), ("why", chosen.why)]
    if group.tag is not None:
        facts.insert(0, ("tag", group.tag))
    if chosen.source:
        facts.append(("source", chosen.source))
    if group.element.kind == "grism":
        facts.append(
            ("band", f"taken at {group.element.wavelength_nm:g} nm, the middle of its range")
        )
    if group.clusters > 1:
        facts.append(("clusters", f"{group.clusters}, each a pattern of its own"))
    facts.append(("region", region_words(group)))
    if group.base.x_arcsec or group.base.y_arcsec:
        facts.append(("base", f"POS TARG {_pair(group.base)}, kept: offsets are added to it"))
    facts.append(("layout", layout_words(group)))
    return Group(
        Rule(_plain(title), align="left", characters="─"),
        Padding(_facts(facts), (0, 0, 1, 2)),
        Padding(points_table(group), (0, 0, 1, 2)),
        Padding(coverage_table(group), (0, 0, 1, 2)),
        Padding(_plain(group.pointing.sentence), (0, 0, 1, 2)),
        Padding(PhasePicture(group.coverage), (0, 0, 1, 2)),
    )


def region_words(group: DitherGroup) -> str:
    """Say in words where the coverage is judged."""
    size = group.region
    if size.kind is RegionKind.FULL:
        return f"full: all that {group.aperture.name} reads"
    if size.kind is RegionKind.POINT:
        return "point: the place where the target lands"
    unit = "arcsec" if size.unit is LengthUnit.ARCSEC else "pixels"
    return f"a disc of {size.diameter:g} {unit} about the place where the target lands"


def layout_words(group: DitherGroup) -> str:
    """Say in words how far the points are apart and what the moves cost."""
    if len(group.points) == 1:
        return "one point"
    return (
        f"points at least {group.min_separation_pix:.1f} pixels apart, the whole spans "
        f"{group.span_pix:.1f}; the moves take about {group.slew_seconds:.0f} s"
    )


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
        old = "-" if point.old_pos_targ is None else _pair(point.old_pos_targ)
        was = [point.was or "new", old] if with_old else []
        table.add_row(
            *(
                _plain(cell)
                for cell in (
                    point.number,
                    _fixed(point.dx_pix),
                    _fixed(point.dy_pix),
                    *was,
                    _pair(point.pos_targ),
                )
            )
        )
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
    """Return the metrics at the centre and at the worst place, beside what is possible."""
    coverage, n = group.coverage, len(group.points)
    table = _table()
    table.add_column("Coverage")
    table.add_column("centre", justify="right")
    table.add_column("worst", justify="right")
    table.add_column("possible", justify="right")
    hole = f"{COVERING_BEST[n]:.3f}" if n in COVERING_BEST else "-"
    limit = packing_limit(n)
    places = (coverage.center, coverage.worst)
    rows: Iterable[tuple[str, list[str], str]] = (
        (
            "efficiency E",
            [f"{m.efficiency:.3f}" for m in places],
            f"{group.best_efficiency():.3f}",
        ),
        ("packing d, pixels", [f"{m.packing:.3f}" for m in places], f"{limit:.3f}"),
        ("  as part of the limit", [f"{m.packing_of_limit:.0%}" for m in places], "100%"),
        ("largest hole, pixels", [f"{m.hole:.3f}" for m in places], hole),
        ("noise amplification", [_amplification(m) for m in places], "-"),
        ("band that is lost", [f"{m.lost_fraction:.0%}" for m in places], "-"),
    )
    for name, cells, possible in rows:
        table.add_row(name, *cells, Text(possible, style="dim"))
    return table


class PhasePicture:
    """The phases at the centre with where distortion moves them, beside those at the worst place."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw with what the terminal can show, in the room that it has."""
        coverage = self.coverage
        plain = options.ascii_only
        everywhere = _points(coverage.phases.reshape(-1, 2))
        picture = phase_map(_points(coverage.center_phases), everywhere, ascii_only=plain)
        picture.insert(0, "At the centre; dots: elsewhere".ljust(len(picture[0])))
        if len(coverage.phases) > 1:
            worst = int(coverage.efficiency.argmin())
            other = phase_map(_points(coverage.phases[worst]), ascii_only=plain)
            x_pix, y_pix = coverage.field.x_pix[worst], coverage.field.y_pix[worst]
            other.insert(0, f"Worst E, pixel ({x_pix:.0f}, {y_pix:.0f})")
            both = side_by_side(picture, other)
            if max(map(len, both)) <= options.max_width:
                picture = both
        yield Text("One pixel, and where the exposures 1, 2, ... fall in it")
        for line in picture:
            yield Text(line)


def _points(phases: NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in phases]


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print findings, a paragraph each."""
    for finding in findings:
        where = ", ".join(
            words.format(safe_line(str(value)))
            for value, words in (
                (finding.visit, "visit {}"),
                (finding.exposure, "exposure {}"),
                (finding.line, "line {}"),
            )
            if value is not None
        )
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
        table.add_row(name, _plain(value))
    return table


def _table() -> Table:
    from rich import box

    return Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)


def _plain(text: str) -> Text:
    """Return text of unknown origin as it is: no markup, no control characters."""
    return Text(safe_line(text))


def _pair(pos_targ: PosTarg) -> str:
    return f"{_fixed(pos_targ.x_arcsec)}, {_fixed(pos_targ.y_arcsec)}"


def _fixed(value: float) -> str:
    """Return three decimals, never minus zero."""
    return f"{round(value, 3) + 0.0:.3f}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _amplification(metrics: Metrics) -> str:
    return "-" if metrics.amplification is None else f"{metrics.amplification:.2f}"


def catalog_table(catalog: Catalog) -> Table:
    """Return the catalogue, a line each."""
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
    """Return patterns side by side: efficiency and packing at the centre and the worst place."""
    table = _table()
    table.add_column("Pattern", no_wrap=True)
    for heading in ("N", "E\ncentre", "E\nworst", "d/d_N\ncentre", "d/d_N\nworst"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("apart\npix", "span\npix"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in groups:
        center, worst = group.coverage.center, group.coverage.worst
        table.add_row(
            _plain(group.choice.name),
            str(len(group.points)),
            f"{center.efficiency:.3f}",
            f"{worst.efficiency:.3f}",
            f"{center.packing_of_limit:.0%}",
            f"{worst.packing_of_limit:.0%}",
            f"{group.min_separation_pix:.1f}",
            f"{group.span_pix:.1f}",
        )
    return table


def tradeoff_table(
    curve: Sequence[TradeoffPoint], aperture: Aperture, element: SpectralElement
) -> Table:
    """Return what each spacing costs at the worst place of the region."""
    table = _table()
    table.title = f"{curve[0].result.n} points, {aperture.name} {element.name}, worst place"
    table.title_justify = "left"
    for heading in (
        "spacing\npixels",
        "efficiency\nE",
        "loss",
        "packing\nof limit",
        "span\npixels",
        "moves\nseconds",
    ):
        table.add_column(heading, justify="right")
    best = curve[0].result.efficiency_worst
    for point in curve:
        result = point.result
        table.add_row(
            f"{point.spacing_pix:.1f}",
            f"{result.efficiency_worst:.3f}",
            f"{max(best - result.efficiency_worst, 0.0):.3f}",
            f"{result.packing_of_limit_worst:.0%}",
            f"{result.span_pix:.1f}",
            f"{result.slew_seconds:.0f}",
        )
    return table


def fit_summary(fit: DitherFit, coverages: Sequence[Coverage]) -> Group:
    """Return how one dataset's dithers were carried out, and the coverage they achieved."""
    isr, siaf = fit.isr, fit.siaf
    x_rms, y_rms = fit.residual_rms_pix
    facts = [
        ("A", f"{_with_error(isr.a, isr.a_error)} pixels per arcsec"),
        ("B", f"{_with_error(isr.b, isr.b_error)} pixels per arcsec"),
        ("scale", f"{_with_error(siaf.scale, siaf.a_error, 4)} of what was commanded"),
        ("roll", f"{_with_error(siaf.turn_deg, siaf.turn_error_deg)} degrees against the SIAF"),
        ("residual", f"{x_rms:.3f}, {y_rms:.3f} pixels rms in x, y, against the SIAF's prediction"),
    ]
    table = _table()
    for heading in ("Coverage", "centre\ncommanded", "centre\nachieved"):
        table.add_column(heading, justify="left" if heading == "Coverage" else "right")
    for heading in ("worst\ncommanded", "worst\nachieved"):
        table.add_column(heading, justify="right")
    metrics = [c.center for c in coverages] + [c.worst for c in coverages]
    table.add_row("efficiency E", *(f"{m.efficiency:.3f}" for m in metrics))
    table.add_row("packing d, pixels", *(f"{m.packing:.3f}" for m in metrics))
    table.add_row("largest hole, pixels", *(f"{m.hole:.3f}" for m in metrics))
    return Group(
        Rule(
            _plain(f"{fit.dataset}: {_count(len(fit.positions_pix), 'exposure')}"),
            align="left",
        ),
        Padding(_facts(facts), (0, 0, 1, 2)),
        Padding(table, (0, 0, 1, 2)),
    )


def _with_error(value: float, error: float | None, digits: int = 3) -> str:
    shown = f"{value:.{digits}f}"
    return shown if error is None else f"{shown} +- {error:.{digits}f}"
