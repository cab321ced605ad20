"""``aptdither apply``: from a tagged proposal to explicit POS TARGs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from aptdither.cli import options as opt
from aptdither.cli.options import option
from aptdither.errors import AptDitherError, Location, UsageError

if TYPE_CHECKING:
    from aptdither.apt.tags import DitherRequest
    from aptdither.io.files import Source, Written
    from aptdither.planning.plan import Plan


def apply_tags(
    proposal: opt.ProposalArgument,
    output: Annotated[
        Path | None, option("-o --output", "Write to this file (default IN.dithered.apt).")
    ] = None,
    in_place: Annotated[bool, option("--in-place", "Overwrite IN.apt; keep IN.apt.bak.")] = False,
    force: opt.ForceOption = False,
    dry_run: Annotated[bool, option("--dry-run", "Plan and report; write nothing.")] = False,
    diff: Annotated[bool, option("--diff", "Print a diff instead of the summary.")] = False,
    check: Annotated[
        bool, option("--check", "Write nothing; exit 1 if the file would change.")
    ] = False,
    n: Annotated[int | None, option("-n", "Points, for tags without n.", min=1)] = None,
    size: Annotated[
        str | None, option("--size", "Region, for tags without size: full, point, 30arcsec.")
    ] = None,
    pattern: Annotated[
        str | None, option("--pattern", "Catalog pattern, for tags without pattern.")
    ] = None,
    method: Annotated[
        str | None, option("--method", "auto, catalog, optimize; for tags without method.")
    ] = None,
    spacing: Annotated[
        str | None, option("--spacing", "Smallest step, for tags without spacing: tight, 12pix.")
    ] = None,
    replace: Annotated[
        bool, option("--replace", "Dither each set about its first exposure's POS TARG.")
    ] = False,
    replace_patterns: Annotated[
        bool, option("--replace-patterns", "Dither instead of an APT pattern.")
    ] = False,
    split_iterations: Annotated[
        bool, option("--split-iterations", "Turn iterations into separate exposures.")
    ] = False,
    rebase: Annotated[
        bool, option("--rebase", "Dither about today's POS TARGs, not those in receipts.")
    ] = False,
    all_visits: Annotated[bool, option("--all-visits", "Dither completed visits too.")] = False,
    catalog: opt.CatalogOption = None,
    distortion: opt.DistortionOption = None,
    seed: opt.SeedOption = 0,
    fmt: opt.FormatOption = opt.Format.TEXT,
    no_color: opt.NoColorOption = False,
) -> int:
    """Give the tagged exposures of a proposal explicit POS TARGs.

    Nothing else in the file changes. Exit codes: 0 done; 1 with --check, the file would change; 2
    usage error; 3 the proposal is unusable or a tag is refused (nothing is written).
    """
    if in_place and output is not None:
        raise UsageError("give either -o or --in-place, not both")
    if diff and fmt is opt.Format.JSON:
        raise UsageError("give either --diff or --format json, not both")

    from aptdither.apt.reader import parse_proposal
    from aptdither.io import files
    from aptdither.planning.plan import Options, make_plan
    from aptdither.planning.refusals import SetOptions
    from aptdither.review.acceptance import accept_plan

    defaults = _defaults(n=n, size=size, pattern=pattern, method=method, spacing=spacing)
    options = Options(
        defaults=defaults,
        sets=SetOptions(
            replace=replace,
            replace_patterns=replace_patterns,
            split_iterations=split_iterations,
            all_visits=all_visits,
            rebase=rebase,
        ),
        catalog=opt.open_catalog(catalog),
        distortion=distortion,
        seed=seed,
    )
    opt.require_distortion(distortion)
    source = files.read_input(proposal)
    may_write = not (dry_run or check)
    target = proposal if in_place else output or files.default_output(proposal)
    if may_write and output is not None:
        # A search can take a minute, so this comes first. Without -o it is not known yet whether
        # anything will be written.
        files.check_output(target, source=source, force=force)
    try:
        parsed = parse_proposal(source.data, path=str(proposal))
        with opt.progress_bar("planning") as progress:
            plan = make_plan(parsed, options, progress=progress)
            new, plan = accept_plan(parsed, plan, region=defaults.size)
    except AptDitherError as error:
        raise error.located(Location(path=str(proposal))) from error

    written: files.Written | None = None
    if may_write and in_place and new != source.data:
        written = files.replace_input(source, new, force=force)
    elif may_write and not in_place and (plan.groups or output is not None):
        written = files.write_output(target, new, source=source, force=force)

    if diff:
        from aptdither.report.diff import unified_diff
        from aptdither.report.sanitize import safe_text

        text = unified_diff(
            source.data, new, encoding=parsed.document.source_encoding, names=(proposal, target)
        )
        # Unsafe characters are escaped for a terminal only: another program needs the exact text.
        sys.stdout.write(safe_text(text) if sys.stdout.isatty() else text)
    elif fmt is opt.Format.JSON:
        from aptdither.report.json import apply_report

        opt.print_json(apply_report(plan, source=source, written=written))
    else:
        from aptdither.report.text import print_plan

        print_plan(opt.stdout_console(no_color=no_color), plan, path=proposal)
    for line in _unused_options(plan, defaults):
        opt.print_status(line)
    _print_outcome(plan, source, new, written, check=check)
    return opt.EXIT_FINDINGS if check and new != source.data else opt.EXIT_FINE


def _print_outcome(
    plan: Plan, source: Source, new: bytes, written: Written | None, *, check: bool
) -> None:
    """Print on standard error which file was written, or why none was."""
    changed = new != source.data
    if written is not None:
        kept = f"; the original is in {written.backup}" if written.backup else ""
        same = "" if changed else ", identical to the input"
        opt.print_status(f"wrote {written.path}{same}{kept}")
        if changed:
            opt.print_status(
                "the orbit plan of the changed visits is out of date: run the Orbit Planner in APT"
            )
    elif not plan.groups:
        opt.print_status("nothing was written")
    elif not changed:
        opt.print_status(f"{source.path} is dithered already: nothing to change")
    elif check:
        opt.print_status(f"{source.path} would change")
    else:
        opt.print_status("dry run: nothing was written")


def _defaults(**values: int | str | None) -> DitherRequest:
    """Read the options for what a tag does not set, with the grammar of the tags."""
    from aptdither.apt.tags import parse_tag

    words = [f"{key}={value}" for key, value in values.items() if value is not None]
    with opt.as_usage_error():
        return parse_tag(" ".join(["@dither", *words])).request


def _unused_options(plan: Plan, defaults: DitherRequest) -> Iterator[str]:
    """Yield a line for each option that tags override, with their visits."""
    visits: dict[tuple[str, str], list[str]] = {}
    for group in plan.groups:
        assert group.exposures.dither_set is not None  # groups of a plan have a tag
        request = group.exposures.dither_set.request
        for key in (field.name for field in fields(defaults)):
            given, own = (getattr(one, key) for one in (defaults, request))
            if None not in (given, own) and own != given:
                option, value = (getattr(one, "text", one) for one in (given, own))
                line = f"{'-' if key == 'n' else '--'}{key} {option}", f"{key}={value}"
                visits.setdefault(line, []).append(str(group.visit))
    for (option, value), numbers in visits.items():
        listed = ", ".join(dict.fromkeys(numbers))
        tags = f"tags of visits {listed} set" if "," in listed else f"tag of visit {listed} sets"
        yield f"{option} is not used: the {tags} {value}"
