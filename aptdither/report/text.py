"""A plan as an observer reads it in a terminal: at 80 columns, with or without color."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aptdither.findings import Finding
from aptdither.report.ascii_map import exposure_labels, phase_map, side_by_side
from aptdither.report.format import (
    FIGURE,
    LEGEND,
    STYLES,
    counted,
    decimals,
    location_of,
    region_in_words,
)
from aptdither.report.sanitize import safe_line
from aptdither.report.summary import (
    block_name,
    blocks,
    facts,
    figures,
    findings_of,
    has_old_numbers,
    has_old_postargs,
    headline,
    joined_name,
    overview,
    setup_name,
    worst_place,
)

if TYPE_CHECKING:
    from aptdither.dither.coverage import Coverage
    from aptdither.dither.optimizer.optimize import TradeoffPoint
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.optics.pointing_fit import DitherFit
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.plan import Plan


#: Beyond so many exposures the phases elsewhere would hide those at the center.
_MAX_WITH_DOTS = 9


#: Whose coverage the summary of a fit compares.
FIT_KINDS = ("commanded", "achieved")


def print_plan(
    console: Console, plan: Plan, *, path: str | os.PathLike[str], details: bool = False
) -> None:
    """Print the summary of a plan.

    Parameters
    ----------
    console : rich.console.Console
        The terminal.
    plan : Plan
        The plan.
    path : str or path-like
        The proposal's name.
    details : bool
        Print all that is known of every group.
    """
    if not plan.groups:
        nothing = f"Nothing in {os.fspath(path)} is tagged with @dither."
        console.print(_plain(nothing), soft_wrap=True)
    print_groups(console, plan.groups, findings=plan.findings, details=details)
    for joined in plan.sets:
        title = Rule(_plain(joined_name(joined)), align="left", characters="─")
        console.print(Group(title, Padding(_facts(headline(joined)), (0, 0, 1, 2))))
    for time in plan.times:
        slews = f"{time.before_seconds:.0f} s before, {time.after_seconds:.0f} s after"
        console.print(_plain(f"  Slew overhead of visit {time.visit}: {slews}"))
    print_findings(console, plan.findings)


def print_groups(
    console: Console,
    groups: Sequence[DitherGroup],
    *,
    findings: Sequence[Finding] = (),
    details: bool = False,
) -> None:
    """Print one block of groups that point alike in full, several as a table of a line a group.

    With `details`, every block follows with all its figures, which are explained once.
    """
    shown = blocks(groups)
    if len(shown) > 1:
        console.print(overview_table(groups, findings))
        if not details:
            console.print(Text("POS TARGs, coverage and phases of each: --details", style="dim"))
        console.print()
    if len(shown) == 1 or details:
        for k, block in enumerate(shown):
            console.print(block_summary(block, details=details, with_legend=details and k == 0))


def overview_table(groups: Sequence[DitherGroup], findings: Sequence[Finding] = ()) -> Table:
    """Return a line for each group: what it is, E and d/d_N at center and worst place, findings."""
    table = _table("Visit", "Exp.", "Setup", "Pattern", left=4)
    for heading in ("E\ncenter", "E\nworst", "d/d_N\ncenter", "d/d_N\nworst"):
        table.add_column(heading, justify="right", no_wrap=True)
    if findings:
        table.add_column("Findings")
    for group in groups:
        own = dict.fromkeys(finding.code for finding in findings_of(group, findings))
        table.add_row(*overview(group), *([" ".join(own)] if findings else []))
    return table


def block_summary(
    block: Sequence[DitherGroup], *, details: bool = False, with_legend: bool = False
) -> Group:
    """Return the summary of groups that point alike: what an observer asks, points, a picture.

    Parameters
    ----------
    block : sequence of DitherGroup
        Setups of one set.
    details : bool
        Add every figure of coverage, and where the pattern comes from.
    with_legend : bool
        Explain the figures.
    """
    first = block[0]
    parts: list[RenderableType] = []
    for group in block:
        answers = headline(group)
        if len(block) > 1:
            answers = [("setup", setup_name(group)), *answers]
        parts.append(_facts(answers))
    parts += [_facts(facts(first, details=details)), points_table(block)]
    if details:
        parts += [coverage_table(block[k : k + 2]) for k in range(0, len(block), 2)]
    if with_legend:
        parts.append(_facts(LEGEND))
    for name, group in _by_aperture(block).items():
        if len(_by_aperture(block)) > 1:
            parts.append(_plain(name))
        numbers = [point.number for point in group.points]
        parts.append(PhasePicture(group.coverage, numbers, worst_place(group)))
    title = Rule(_plain(block_name(block)), align="left", characters="─")
    return Group(title, *(Padding(part, (0, 0, 1, 2)) for part in parts))


def _by_aperture(block: Sequence[DitherGroup]) -> dict[str, DitherGroup]:
    """Return the first group of each aperture: others have the same phases."""
    found: dict[str, DitherGroup] = {}
    for group in block:
        found.setdefault(group.aperture.name, group)
    return found


def points_table(block: Sequence[DitherGroup]) -> Table:
    """Return the exposures with their offsets in pixels and POS TARGs in arcsec.

    The number and the POS TARG that an exposure had have a column where they differ.
    """
    first = block[0]
    names = [group.element.name for group in block] if len(block) > 1 else [""]
    table = _table(
        *(f"Exp.\n{name}".rstrip() for name in names), "dx\npixels", "dy\npixels", left=0
    )
    with_numbers, with_postargs = has_old_numbers(first), has_old_postargs(first)
    if with_numbers:
        table.add_column("was", justify="right", style="dim")
    if with_postargs:
        table.add_column("old POS TARG\nX, Y arcsec", justify="right", style="dim")
    heading = "new POS TARG" if with_postargs else "POS TARG"
    table.add_column(f"{heading}\nX, Y arcsec", justify="right", style="bold")
    for points in zip(*(group.points for group in block), strict=True):
        point = points[0]
        cells = [one.number for one in points]
        cells += [decimals(point.dx_pix), decimals(point.dy_pix)]
        cells += [point.was or "new"] if with_numbers else []
        cells += [point.old_pos_targ.text if point.old_pos_targ else "-"] if with_postargs else []
        table.add_row(*map(_plain, (*cells, point.pos_targ.text)))
    return table


def offsets_table(rows: Iterable[tuple[float, ...]]) -> Table:
    """Return offsets in pixels and POS TARGs in arcsec side by side, six decimals each."""
    table = _table("dx\npixels", "dy\npixels", "POS TARG X\narcsec", "POS TARG Y\narcsec", left=0)
    for row in rows:
        table.add_row(*(f"{value:.6f}" for value in row))
    return table


def coverage_table(block: Sequence[DitherGroup]) -> Table:
    """Return the figures of each setup at the center and the worst place; one setup's possible."""
    table = _table("Coverage")
    for group in block:
        name = f"{group.element.name}\n" if len(block) > 1 else ""
        table.add_column(f"{name}center", justify="right")
        table.add_column("worst", justify="right")
        table.add_column("possible", justify="right", style="dim")
    for rows in zip(*map(figures, block), strict=True):
        cells = (cell for row in rows for cell in (row.center, row.worst, row.possible))
        table.add_row(rows[0].figure.label, *cells)
    return table


class PhasePicture:
    """The phases at the center with where distortion moves them, beside those at the worst place.

    Parameters
    ----------
    coverage : Coverage
        Whose phases are drawn.
    numbers : sequence of str
        The exposures' numbers.
    worst : str
        The worst place in words.
    """

    def __init__(self, coverage: Coverage, numbers: Sequence[str], worst: str) -> None:
        self.coverage, self.worst = coverage, worst
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
            other.insert(0, f"Worst E, {self.worst}")
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


def _facts(pairs: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, _plain(value))
    return table


def _table(*headings: str, left: int = 1) -> Table:
    """Return a table with columns of numbers after the first `left` columns of text."""
    from rich import box

    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        show_edge=False,
        title_justify="left",
        collapse_padding=True,
    )
    for k, heading in enumerate(headings):
        justify: Literal["left", "right"] = "left" if k < left else "right"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=k == 0)
    return table


def _plain(text: str) -> Text:
    """Return text from a file literally: no markup, no control characters."""
    return Text(safe_line(text))


def comparison_table(groups: Sequence[DitherGroup]) -> Group:
    """Return patterns side by side: efficiency and packing at the center and the worst place.

    Parameters
    ----------
    groups : sequence of DitherGroup
        At least one; all of one setup and region.
    """
    headings = ("E\ncenter", "E\nworst", "d/d_N\ncenter", "d/d_N\nworst")
    table = _table("Pattern", "N", *headings, "spacing\npixels", "extent\npixels")
    table.padding = (0, 1, 0, 0)  # with the longest name, 80 columns
    view = groups[0].evaluation.view
    region, snr = region_in_words(view.region), f"S/N {view.snr:g} per exposure"
    title = f"{view.aperture.config}: {setup_name(groups[0])}, {region}, {snr}"
    for group in groups:
        table.add_row(
            _plain(group.choice.name),
            str(group.n),
            *overview(group)[-4:],
            decimals(group.min_separation_pix, 1),
            decimals(group.span_pix, 1),
        )
    return Group(Text(title, style="bold"), table, "")


def tradeoff_table(
    curve: Sequence[TradeoffPoint], aperture: Aperture, element: SpectralElement
) -> Table:
    """Return what each spacing costs at the worst place of the region."""
    headings = ("spacing\npixels", "efficiency\nE", "loss of E", "d/d_N", "extent\npixels")
    table = _table(*headings, "slews\nseconds", left=0)
    table.title = f"{curve[0].result.n} points, {aperture.name} {element.name}, worst place"
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
    columns = [f"{place}\n{kind}" for place in ("center", "worst") for kind in FIT_KINDS]
    table = _table("Coverage", *columns)
    metrics = [c.center for c in coverages] + [c.worst for c in coverages]
    n = len(fit.positions_pix)
    for figure in map(FIGURE.__getitem__, ("efficiency", "packing", "hole")):
        table.add_row(figure.label, *(figure.text(one, n) for one in metrics))
    count = counted(n, "exposure")
    title = Rule(_plain(f"{fit.dataset}: {count}, {aperture.name} {element.name}"), align="left")
    return Group(title, Padding(_facts(facts), (0, 0, 1, 2)), Padding(table, (0, 0, 1, 2)))


def _with_error(value: float, error: float | None, digits: int = 3) -> str:
    text = decimals(value, digits)
    return text if error is None else f"{text} +- {decimals(error, digits)}"
