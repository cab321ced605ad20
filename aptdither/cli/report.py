"""``aptdither report``: a page about a proposal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aptdither.cli.inputs import survey_file, with_plot_extra
from aptdither.cli.options import (
    EXIT_FINE,
    CatalogOption,
    DistortionOption,
    ForceOption,
    SeedOption,
    SizeOption,
    exit_on_error,
    parse_size_option,
    print_status,
    progress_bar,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("report")(write_report)


@exit_on_error
def write_report(
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

    with with_plot_extra():
        from aptdither.report.html import PageHeader, html_report
        from aptdither.report.plots.maps import GRID
    source = files.read_input(proposal)
    files.check_output(output, source=source, force=force)
    region = None if size is None else parse_size_option(size)
    parsed, survey = survey_file(source, region, catalog=catalog, distortion=distortion, seed=seed)
    reviewer = Reviewer(
        ReviewOptions(size=region, catalog=catalog, distortion=distortion, seed=seed)
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
    with progress_bar("drawing") as progress:
        maps = [coverage_map(group, GRID) for group in survey.groups]
        page = html_report(subject, survey, maps, findings=findings, diff=diff, progress=progress)
    files.write_output(output, page.encode("utf-8"), force=force)
    print_status(f"wrote {output}")
    return EXIT_FINE
