"""``aptdither report``: a page about a proposal."""

from __future__ import annotations

from pathlib import Path

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs, with_plot_extra
from aptdither.cli.options import option
from aptdither.errors import AptDitherError, UsageError, raise_all


def write_reports(
    proposals: list[str] = opt.PROPOSALS,
    output: str | None = option(
        None,
        "The page to write (default IN.html); - is standard output.",
        "FILE.html",
        names="-o --output",
    ),
    force: bool = opt.FORCE,
    size: str | None = opt.SIZE,
    snr: str | None = opt.SNR,
    catalog: Path | None = opt.CATALOG,
    distortion: Path | None = opt.DISTORTION,
    seed: int = opt.SEED,
) -> None:
    """Write an HTML page about each proposal.

    It shows the groups with their coverage and figures, the findings, and what apply would change.
    Exposures without a tag are evaluated as they are.
    """
    with with_plot_extra():
        import aptdither.report.html  # noqa: F401
    names = list(dict.fromkeys(proposals))
    inputs = GroupInputs(distortion=distortion, size=size, snr=snr, catalog=catalog, seed=seed)
    if len(names) > 1 and (output is not None or "-" in names):
        raise UsageError("-o and - are for one proposal; without -o each gets a page of its own")
    errors: list[AptDitherError] = []
    for name in names:
        page = output or (name if name == "-" else Path(name).with_suffix(".html"))
        try:
            _write_report(name, page, inputs, force=force)
        except AptDitherError as error:
            errors.append(error)
    raise_all(errors)


def _write_report(name: str, page: str | Path, inputs: GroupInputs, *, force: bool) -> None:
    from aptdither.apt.writer import rewrite_proposal
    from aptdither.findings import Selection
    from aptdither.io import files
    from aptdither.planning.evaluation import coverage_map
    from aptdither.report.diff import unified_diff
    from aptdither.report.html import html_report
    from aptdither.report.plots.maps import GRID
    from aptdither.review.reviewer import Reviewer, ReviewOptions
    from aptdither.review.rules import RULES

    source = files.read_input(name)
    files.check_output(page, source=source, force=force)
    parsed, survey = inputs.survey(source)
    before = inputs.survey(source, with_plan=False)[1].groups if survey.planned else ()
    # The page shows what apply makes of a tag: that it is not applied yet is no news.
    known = () if survey.plan is None else ("ADT109",)
    review = ReviewOptions(
        selection=Selection.of((), known, RULES),
        size=opt.read_word("size", inputs.size),
        snr=opt.read_word("snr", inputs.snr),
        catalog=inputs.catalog,
        distortion=inputs.distortion,
        seed=inputs.seed,
    )
    findings = list(Reviewer(review).review(parsed).findings)
    diff = ""
    if survey.plan is not None:
        findings = list(dict.fromkeys((*survey.plan.findings, *findings)))
        new = rewrite_proposal(parsed, survey.plan.changes)
        names = (source.path.name, files.default_output(source.path).name)
        encoding = parsed.document.source_encoding
        diff = unified_diff(source.data, new, encoding=encoding, names=names)
    with opt.progress_bar("drawing") as progress:
        maps = [coverage_map(group, GRID) for group in survey.groups]
        html = html_report(
            source,
            parsed,
            survey,
            maps,
            before=before,
            findings=findings,
            diff=diff,
            progress=progress,
        )
    opt.write_file(page, html, force=force)
