"""``aptdither report`` and ``export``: what others read and reuse."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.inputs import (
    DEFAULT_APERTURE,
    DEFAULT_ELEMENT,
    GroupOption,
    PatternsOption,
    PlotInputs,
    PostargsOption,
    ProposalOption,
    VisitOption,
    groups_of,
    surveyed,
    with_matplotlib,
)
from aptdither.cli.options import (
    EXIT_FINE,
    ApertureOption,
    CatalogOption,
    DistortionOption,
    ElementOption,
    ForceOption,
    SeedOption,
    SizeOption,
    exit_on_error,
    parse_size_option,
    progress_bar,
    say,
)
from aptdither.errors import UsageError

if TYPE_CHECKING:
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.report.tables import Sky


class ExportFormat(StrEnum):
    """What ``export`` writes."""

    ECSV = "ecsv"
    MARKDOWN = "markdown"
    LATEX = "latex"
    DS9_SKY = "ds9-sky"
    DS9_DETECTOR = "ds9-detector"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("report")(report)
    app.command("export")(export)


@exit_on_error
def report(
    proposal: Annotated[
        Path, typer.Argument(metavar="IN.apt", help="The proposal, as APT saves it.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.html", help="The page to write.")
    ],
    force: ForceOption = False,
    size: SizeOption = None,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
) -> int:
    """Write one page about a proposal: groups, pictures, findings and the change.

    The page needs no network and no script. It is written for untagged proposals too: what is
    there is judged as it stands.
    """
    from aptdither.apt.writer import rewrite_proposal
    from aptdither.io import files
    from aptdither.planning.evaluation import coverage_map
    from aptdither.report.diff import unified_diff
    from aptdither.review.options import ReviewOptions
    from aptdither.review.reviewer import Reviewer

    with with_matplotlib():
        from aptdither.report.html import PageHeader, html_report
        from aptdither.report.plots.maps import GRID
    source = files.read_input(proposal)
    files.check_output(output, source=source, force=force)
    asked_size = None if size is None else parse_size_option(size)
    with progress_bar("planning") as progress:
        parsed, survey = surveyed(
            source, asked_size, catalog=catalog, distortion=distortion, seed=seed
        )
        reviewer = Reviewer(
            ReviewOptions(size=asked_size, catalog=catalog, distortion=distortion, seed=seed)
        )
        findings = list(reviewer.review(parsed).findings)
        diff = ""
        if survey.plan is not None:
            findings = list(dict.fromkeys((*survey.plan.findings, *findings)))
            new = rewrite_proposal(parsed, survey.plan.changes)
            names = (proposal.name, files.default_output(proposal).name)
            encoding = parsed.document.source_encoding
            diff = unified_diff(source.data, new, encoding=encoding, names=names)
        subject = PageHeader(
            path=proposal.name,
            sha256=source.sha256,
            phase2_id=parsed.phase2_id,
            apt_version=parsed.apt_version,
        )
        maps = [coverage_map(group, GRID) for group in survey.groups]
        page = html_report(subject, survey, maps, findings=findings, diff=diff, progress=progress)
    files.write_output(output, page.encode("utf-8"), force=force)
    say(f"wrote {output}")
    return EXIT_FINE


@exit_on_error
def export(
    fmt: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="ecsv: a table with units. markdown, latex: to paste. ds9-sky, ds9-detector: "
            "footprints.",
        ),
    ] = ExportFormat.ECSV,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to; standard output."),
    ] = None,
    pattern: PatternsOption = None,
    postargs: PostargsOption = None,
    proposal: ProposalOption = None,
    visit: VisitOption = None,
    group: GroupOption = None,
    aperture: ApertureOption = DEFAULT_APERTURE,
    element: ElementOption = DEFAULT_ELEMENT,
    size: SizeOption = None,
    orient: Annotated[
        float | None,
        typer.Option("--orient", help="ds9-sky: APT's ORIENT, the angle of U3, degrees."),
    ] = None,
    position: Annotated[
        str | None,
        typer.Option(
            "--position",
            metavar='"RA DEC"',
            help="ds9-sky: the target, sexagesimal or degrees; the proposal's own.",
        ),
    ] = None,
    force: ForceOption = False,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
) -> int:
    """Write POS TARGs as a table, or footprints as DS9 regions."""
    from aptdither.io import files
    from aptdither.report import tables as exports

    if output is not None:
        files.check_output(output, force=force)
    asked = PlotInputs(
        patterns=pattern or (),
        postargs=postargs or (),
        proposal=proposal,
        visit=visit,
        group=group,
        aperture=aperture,
        element=element,
        size=size,
        catalog=catalog,
        distortion=distortion,
        seed=seed,
    )
    groups = groups_of(asked)
    match fmt:
        case ExportFormat.ECSV:
            text = exports.ecsv(groups)
        case ExportFormat.MARKDOWN:
            text = exports.markdown(groups)
        case ExportFormat.LATEX:
            text = exports.latex(groups)
        case ExportFormat.DS9_SKY:
            text = exports.ds9_sky(groups, _sky(asked, groups, orient, position))
        case ExportFormat.DS9_DETECTOR:
            text = exports.ds9_detector(groups)
    if output is None:
        sys.stdout.write(text)
        return EXIT_FINE
    files.write_output(output, text.encode("utf-8"), force=force)
    say(f"wrote {output}")
    return EXIT_FINE


def _sky(
    asked: PlotInputs, groups: Sequence[DitherGroup], orient: float | None, position: str | None
) -> Sky:
    import math

    from aptdither.apt.reader import parse_proposal, read_position, read_targets
    from aptdither.io import files
    from aptdither.report.tables import Sky

    if orient is None or not math.isfinite(orient):
        raise UsageError(
            "ds9-sky needs --orient, the ORIENT of the visit: the angle of U3, degrees"
        )
    if position is not None:
        location = read_position(position)
        if location is None:
            raise UsageError(
                f"--position is {position!r}; allowed: '05 32 10.0 -66 12 00' or '83.04 -66.2'"
            )
        return Sky(ra_deg=location[0], dec_deg=location[1], orient_deg=orient)
    if asked.proposal is None:
        raise UsageError("ds9-sky needs --position, the target's right ascension and declination")
    data = files.read_input(asked.proposal).data
    # The numbers in the file; a new copy has none there.
    numbers = {
        (group.visit, point.was or point.number)
        for group in groups
        for point in group.points
        if point.was is not None or all(other.was is None for other in group.points)
    }
    names = {
        exposure.target_name
        for visit in parse_proposal(data, path=str(asked.proposal)).visits
        for exposure in visit.exposures
        if (visit.number, exposure.number) in numbers
    }
    known = read_targets(data, path=str(asked.proposal))
    if len(names) != 1 or not names <= known.keys():
        raise UsageError(
            f"the exposures look at {', '.join(sorted(names)) or 'nothing'}, and the proposal has "
            f"positions of {', '.join(sorted(known)) or 'no fixed target'}; give --visit for one "
            "target, or --position"
        )
    ra_deg, dec_deg = known[names.pop()]
    return Sky(ra_deg=ra_deg, dec_deg=dec_deg, orient_deg=orient)
