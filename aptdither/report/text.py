"""Plans, groups, searches and fits as an observer reads them in a terminal of 80 columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from aptdither.findings import Finding
from aptdither.report import summary as words
from aptdither.report.ascii_map import exposure_labels, phase_map
from aptdither.report.sanitize import safe_line

if TYPE_CHECKING:
    from aptdither.dither.coverage import Coverage
    from aptdither.dither.optimizer.optimize import OptimizeResult
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.optics.pointing_fit import DitherFit
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.plan import Plan

#: Beyond so many exposures the phases elsewhere would hide those at the center.
_MAX_WITH_DOTS = 9
_OVERVIEW = ("E\ncenter", "E\nworst", "d/d_N\ncenter", "d/d_N\nworst")
_POSTARG = "POS TARG\nX, Y arcsec"
#: How columns look that are not as the others.
_LOOKS = {
    "was": "dim",
    f"old {_POSTARG}": "dim",
    _POSTARG: "bold",
    f"new {_POSTARG}": "bold",
    "possible": "dim",
}


def print_plan(
    console: Console, plan: Plan, *, path: str | os.PathLike[str], details: bool = False
) -> None:
    """Print the summary of the plan of a proposal; with `details` all that is known of its groups."""
    if not plan.groups:
        nothing = f"Nothing in {os.fspath(path)} is tagged with @dither."
        console.print(_plain(nothing), soft_wrap=True)
    print_groups(console, plan.groups, findings=plan.findings, details=details)
    for joined in plan.sets:
        console.print(_section(words.joined_name(joined), [_facts(words.joined_headline(joined))]))
    for overlap in plan.overlaps:
        console.print(Padding(_plain(words.overlap_sentence(overlap)), (0, 0, 1, 2)))
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
    shown = words.blocks(groups)
    if len(shown) > 1:
        rows = [words.overview(group) for group in groups]
        for row, group in zip(rows, groups, strict=True):
            own = dict.fromkeys(finding.code for finding in words.findings_of(group, findings))
            row += [" ".join(own)] if findings else []
        headings = ["Visit", "Exp.", "Setup", "Pattern", *_OVERVIEW]
        console.print(_table(headings + (["Findings"] if findings else []), rows, left=4))
        if not details:
            console.print(Text("POS TARGs, coverage and phases of each: --details", style="dim"))
        console.print()
    if len(shown) == 1 or details:
        for k, block in enumerate(shown):
            console.print(_block_summary(block, details=details, with_legend=details and k == 0))


def _block_summary(block: Sequence[DitherGroup], *, details: bool, with_legend: bool) -> Group:
    """Return the summary of groups that point alike: what an observer asks, points, a picture."""
    parts: list[RenderableType] = []
    for group in block:
        setup = [("setup", words.setup_name(group))] if len(block) > 1 else []
        parts.append(_facts([*setup, *words.headline(group)]))
    parts += [_facts(words.facts(block[0], details=details)), _points_table(block)]
    if details:
        parts += [_coverage_table(block[k : k + 2]) for k in range(0, len(block), 2)]
    if with_legend:
        parts.append(_facts(words.LEGEND))
    pictured: dict[str, DitherGroup] = {}
    for group in block:  # those of one aperture have the same phases
        pictured.setdefault(group.aperture.name, group)
    for name, group in pictured.items():
        parts += [_plain(name)] if len(pictured) > 1 else []
        numbers = [point.number for point in group.points]
        parts.append(PhasePicture(group.coverage, numbers, words.worst_place(group)))
    return _section(words.block_name(block), parts)


def _points_table(block: Sequence[DitherGroup]) -> Table:
    """Return the exposures with their offsets in pixels and POS TARGs in arcsec.

    The number and the POS TARG that an exposure had have a column where they differ.
    """
    first = block[0]
    columns = [
        (
            f"Exp.\n{group.element.name}" if len(block) > 1 else "Exp.",
            [p.number for p in group.points],
        )
        for group in block
    ]
    columns += [
        ("dx\npixels", [words.decimals(point.dx_pix) for point in first.points]),
        ("dy\npixels", [words.decimals(point.dy_pix) for point in first.points]),
    ]
    if words.has_old_numbers(first):
        columns.append(("was", [point.was or "new" for point in first.points]))
    heading = _POSTARG
    if words.has_old_postargs(first):
        old = [point.old_pos_targ for point in first.points]
        columns.append((f"old {_POSTARG}", [one.text if one else "-" for one in old]))
        heading = f"new {_POSTARG}"
    written = [point.pos_targ.written for point in first.points]
    width = max(len(y) for _, y in written)
    columns.append((heading, [f"{x}, {y:>{width}}" for x, y in written]))
    headings, cells = zip(*columns, strict=True)
    return _table(headings, zip(*cells, strict=True), left=0)


def offsets_table(rows: Iterable[tuple[float, ...]]) -> Table:
    """Return offsets in pixels and POS TARGs in arcsec side by side, six decimals each."""
    headings = ("dx\npixels", "dy\npixels", "POS TARG X\narcsec", "POS TARG Y\narcsec")
    return _table(headings, ([f"{value:.6f}" for value in row] for row in rows), left=0)


def _coverage_table(block: Sequence[DitherGroup]) -> Table:
    """Return the figures of each setup at the center and the worst place; one setup's possible."""
    headings = ["Coverage"]
    for group in block:
        name = f"{group.element.name}\n" if len(block) > 1 else ""
        headings += [f"{name}center", "worst", "possible"]
    rows = zip(*map(words.figures, block), strict=True)
    return _table(
        headings, ([row[0].figure.label, *(c for r in row for c in r[1:])] for row in rows)
    )


class PhasePicture:
    """The phases at the center with where distortion moves them, beside those at the worst place."""

    def __init__(self, coverage: Coverage, numbers: Sequence[str], worst: str) -> None:
        """Take whose phases are drawn, the exposures' numbers, and the worst place in words."""
        self.coverage, self.worst = coverage, worst
        self.labels, self.meaning = exposure_labels(numbers)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw with the characters that the terminal can show, in the width that it has."""
        coverage, labels, plain = self.coverage, self.labels, options.ascii_only
        with_dots = coverage.n <= _MAX_WITH_DOTS and len(coverage.phases) > 1
        elsewhere = coverage.phases.reshape(-1, 2) if with_dots else ()
        head = "Center; dots: rest of region" if with_dots else "Center"
        picture = phase_map(coverage.center_phases, elsewhere, labels=labels, ascii_only=plain)
        pictures = [Text("\n".join([head, *picture]))]
        if len(coverage.phases) > 1:
            worst = int(coverage.efficiency.argmin())
            picture = phase_map(coverage.phases[worst], labels=labels, ascii_only=plain)
            pictures.append(Text("\n".join([f"Worst E, {self.worst}", *picture])))
        both = Table.grid(padding=(0, 4, 0, 0))
        both.add_row(*pictures)
        fits = Measurement.get(console, options, both).maximum <= options.max_width
        yield _plain(self.meaning)
        yield both if fits else pictures[0]


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print findings, a paragraph each."""
    for finding in findings:
        where = words.location_of(finding)
        code = (f"{finding.code} {finding.severity}", words.STYLES[finding.severity])
        text = f" {where}: " if where else ": "
        console.print(Text.assemble(code, text, safe_line(finding.message)))


def comparison_table(groups: Sequence[DitherGroup]) -> Group:
    """Return patterns of one setup and region side by side: E and d/d_N at center and worst place."""
    view = groups[0].evaluation.view
    region, snr = words.region_in_words(view.region), f"S/N {view.snr:g} per exposure"
    title = f"{view.aperture.config}: {words.setup_name(groups[0])}, {region}, {snr}"
    table = _table(
        ("Pattern", "N", *_OVERVIEW, "spacing\npixels", "extent\npixels"),
        (
            (
                group.choice.name,
                str(group.n),
                *words.overview_figures(group),
                words.decimals(group.min_separation_pix, 1),
                words.decimals(group.span_pix, 1),
            )
            for group in groups
        ),
    )
    table.padding = (0, 1, 0, 0)  # with the longest name, 80 columns
    return Group(Text(title, style="bold"), table, "")


def tradeoff_table(
    curve: Sequence[OptimizeResult], aperture: Aperture, element: SpectralElement
) -> Table:
    """Return what each spacing costs at the worst place of the region."""
    headings = ("spacing\npixels", "efficiency\nE", "loss of E", "d/d_N", "extent\npixels")
    best = curve[0].efficiency_worst
    rows = (
        (
            words.decimals(point.asked_spacing_pix, 1),
            words.decimals(point.efficiency_worst),
            words.decimals(max(best - point.efficiency_worst, 0.0)),
            f"{point.coverage.worst.packing_of_limit:.0%}",
            words.decimals(point.span_pix, 1),
            f"{point.slew_seconds:.0f}",
        )
        for point in curve
    )
    table = _table((*headings, "slews\nseconds"), rows, left=0)
    table.title = f"{curve[0].n} points, {aperture.name} {element.name}, worst place"
    return table


def fit_summary(
    fit: DitherFit, coverages: Sequence[Coverage], aperture: Aperture, element: SpectralElement
) -> Group:
    """Return how well one dataset's dithers were executed, and the coverage they achieved.

    The coverages are those as commanded and as achieved.
    """
    isr, siaf, n = fit.isr, fit.siaf, len(fit.positions_pix)
    residual = ", ".join(map(words.decimals, fit.residual_rms_pix))
    found = [
        ("A", f"{_with_error(isr.a, isr.a_error)} pixels per arcsec"),
        ("B", f"{_with_error(isr.b, isr.b_error)} pixels per arcsec"),
        ("scale", f"{_with_error(siaf.scale, siaf.a_error, 4)} of the commanded offsets"),
        ("roll", f"{_with_error(siaf.turn_deg, siaf.turn_error_deg)} degrees from the SIAF"),
        ("residual", f"{residual} pixels rms in x, y from the SIAF's prediction"),
    ]
    places = [
        f"{place}\n{kind}" for place in ("center", "worst") for kind in ("commanded", "achieved")
    ]
    metrics = [one.center for one in coverages] + [one.worst for one in coverages]
    table = _table(
        ["Coverage", *places],
        (
            [words.FIGURE[name].label, *(words.FIGURE[name].text(one, n) for one in metrics)]
            for name in ("efficiency", "packing", "hole")
        ),
    )
    title = f"{fit.dataset}: {words.counted(n, 'exposure')}, {aperture.name} {element.name}"
    return _section(title, [_facts(found), table])


def _with_error(value: float, error: float | None, digits: int = 3) -> str:
    text = words.decimals(value, digits)
    return text if error is None else f"{text} +- {words.decimals(error, digits)}"


def _section(title: str, parts: Iterable[RenderableType]) -> Group:
    """Return parts below a title, each indented and with a blank line after it."""
    rule = Rule(Text(safe_line(title), style="bold"), align="left", characters="─")
    return Group(rule, *(Padding(part, (0, 0, 1, 2)) for part in parts))


def _facts(pairs: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=len("sampling"))  # tables of a block line up
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, _plain(value))
    return table


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> Table:
    """Return a table with columns of numbers after the first `left` columns of text."""
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        show_edge=False,
        title_justify="left",
        collapse_padding=True,
    )
    for k, heading in enumerate(headings):
        table.add_column(
            heading,
            justify="left" if k < left or heading == "Findings" else "right",
            style=_LOOKS.get(heading, ""),
            overflow="fold",
            no_wrap=k == 0 or heading in _OVERVIEW,
        )
    for row in rows:
        table.add_row(*map(_plain, row))
    return table


def _plain(text: str) -> Text:
    """Return text from a file literally: no markup, no control characters."""
    return Text(safe_line(text))
