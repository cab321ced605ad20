"""``aptdither apply``: from a tagged proposal to explicit POS TARGs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.options import (
    EXIT_FINDINGS,
    EXIT_FINE,
    CatalogOption,
    DistortionOption,
    ForceOption,
    Format,
    FormatOption,
    NoColorOption,
    SeedOption,
    SizeOption,
    SpacingOption,
    exit_on_error,
    open_catalog,
    print_json,
    print_status,
    progress_bar,
    require_distortion,
    stdout_console,
)
from aptdither.errors import AptDitherError, Location, UsageError

if TYPE_CHECKING:
    from aptdither.apt.tags import DitherRequest
    from aptdither.io.files import Source, Written
    from aptdither.planning.plan import Plan


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("apply")(apply_tags)


@exit_on_error
def apply_tags(
    proposal: Annotated[
        Path, typer.Argument(metavar="IN.apt", help="The proposal, as APT saves it.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Where to write; IN.dithered.apt."),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Write IN.apt itself and keep IN.apt.bak.")
    ] = False,
    force: ForceOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan and report; write nothing.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print a unified diff in place of the summary.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 1 if the file would change."),
    ] = False,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="Points, for tags that do not set n.")
    ] = None,
    size: SizeOption = None,
    pattern: Annotated[
        str | None,
        typer.Option("--pattern", help="Catalog pattern, for tags that do not set pattern."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", help="auto, catalog or optimize, for tags that do not set method."
        ),
    ] = None,
    spacing: SpacingOption = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Start all exposures of a set from the first's POS TARG."),
    ] = False,
    replace_patterns: Annotated[
        bool, typer.Option("--replace-patterns", help="Dither in place of an APT pattern.")
    ] = False,
    split_iterations: Annotated[
        bool,
        typer.Option("--split-iterations", help="Make iterations exposures of their own."),
    ] = False,
    all_visits: Annotated[
        bool, typer.Option("--all-visits", help="Dither completed visits too.")
    ] = False,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Give the tagged exposures of a proposal explicit POS TARGs.

    Every byte that need not change stays as it is. Exit codes: 0 fine, 1 --check would change the
    file, 2 usage, 3 the proposal is not usable or a tag is refused (then nothing is written).
    """
    if in_place and output is not None:
        raise UsageError("-o and --in-place name two places for one result; give one of them")
    if diff and fmt is Format.JSON:
        raise UsageError("--diff and --format json both want standard output; give one of them")

    from aptdither.apt.reader import parse_proposal
    from aptdither.apt.writer import rewrite_proposal
    from aptdither.io import files
    from aptdither.planning.plan import Options, make_plan
    from aptdither.planning.refusals import SetOptions

    options = Options(
        defaults=_defaults(n, size, pattern, method, spacing),
        sets=SetOptions(
            replace=replace,
            replace_patterns=replace_patterns,
            split_iterations=split_iterations,
            all_visits=all_visits,
        ),
        catalog=open_catalog(catalog),
        distortion=distortion,
        seed=seed,
    )
    require_distortion(distortion)
    source = files.read_input(proposal)
    may_write = not (dry_run or check)
    target = proposal if in_place else output or files.default_output(proposal)
    if may_write and output is not None:
        # Before a minute of searching, not after it. Without -o it is not known yet whether anything
        # will be written.
        files.check_output(target, source=source, force=force)
    try:
        parsed = parse_proposal(source.data, path=str(proposal))
        with progress_bar("planning") as progress:
            plan = make_plan(parsed, options, progress=progress)
        new = rewrite_proposal(parsed, plan.changes)
    except AptDitherError as error:
        raise error.located(Location(path=str(proposal))) from error

    written: files.Written | None = None
    if may_write and in_place:
        written = files.replace_input(source, new, force=force)
    elif may_write and (plan.groups or output is not None):
        written = files.write_output(target, new, source=source, force=force)

    if diff:
        from aptdither.report.diff import unified_diff
        from aptdither.report.sanitize import safe_text

        text = unified_diff(
            source.data, new, encoding=parsed.document.source_encoding, names=(proposal, target)
        )
        # What goes to another program is exact; what goes to a terminal is harmless.
        sys.stdout.write(safe_text(text) if sys.stdout.isatty() else text)
    elif fmt is Format.JSON:
        from aptdither.report.json import apply_report

        print_json(apply_report(plan, source=source, written=written))
    else:
        from aptdither.report.text import print_plan

        print_plan(stdout_console(no_color=no_color), plan, path=proposal)
    _print_outcome(plan, source, new, written, check=check)
    return EXIT_FINDINGS if check and new != source.data else EXIT_FINE


def _print_outcome(
    plan: Plan, source: Source, new: bytes, written: Written | None, *, check: bool
) -> None:
    """Print one line on standard error: what happened to which file."""
    changed = new != source.data
    if written is not None:
        kept = f"; {written.backup} is what it was" if written.backup else ""
        same = "" if changed else ", the same bytes as the input"
        print_status(f"wrote {written.path}{same}{kept}")
        if changed:
            print_status(
                "the orbit plan of the changed visits is out of date: run the Orbit Planner in APT"
            )
    elif not plan.groups:
        print_status("nothing was written")
    elif not changed:
        print_status(f"{source.path} is dithered already: nothing to change")
    elif check:
        print_status(f"{source.path} would change")
    else:
        print_status("dry run: nothing was written")


def _defaults(
    n: int | None,
    size: str | None,
    pattern: str | None,
    method: str | None,
    spacing: str | None,
) -> DitherRequest:
    """Read the options that speak for silent tags, with the grammar of the tags."""
    from aptdither.apt.tags import parse_tag
    from aptdither.errors import TagError

    words = [
        f"{key}={value}"
        for key, value in (
            ("n", n),
            ("size", size),
            ("pattern", pattern),
            ("method", method),
            ("spacing", spacing),
        )
        if value is not None
    ]
    try:
        return parse_tag(" ".join(["@dither", *words])).request
    except TagError as error:
        raise UsageError(error.message) from error
