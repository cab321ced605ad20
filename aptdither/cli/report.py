"""``aptdither report``: a page about a proposal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs, with_plot_extra
from aptdither.cli.options import option


def write_report(
    proposal: opt.ProposalArgument,
    output: Annotated[Path, option("-o --output", "The page to write.", metavar="FILE.html")],
    force: opt.ForceOption = False,
    size: opt.SizeOption = None,
    catalog: opt.CatalogOption = None,
    distortion: opt.DistortionOption = None,
    seed: opt.SeedOption = 0,
) -> None:
    """Write an HTML page about a proposal.

    It shows the groups with their coverage and figures, the findings, and what apply would change.
    Exposures without a tag are evaluated as they are.
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
    region = opt.parse_size_option(size)
    inputs = GroupInputs(distortion=distortion, size=size, catalog=catalog, seed=seed)
    parsed, survey = inputs.survey(source)
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
    with opt.progress_bar("drawing") as progress:
        maps = [coverage_map(group, GRID) for group in survey.groups]
        page = html_report(subject, survey, maps, findings=findings, diff=diff, progress=progress)
    opt.write_file(output, page, force=force)
