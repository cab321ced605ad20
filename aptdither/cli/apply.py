"""``aptdither apply``: from a tagged proposal to explicit POS TARGs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated

from aptdither.cli import options as opt
from aptdither.cli.options import option
from aptdither.cli.outputs import Change, OutputInputs, change_files

if TYPE_CHECKING:
    from aptdither.apt.tags import DitherRequest
    from aptdither.io.files import Source
    from aptdither.planning.plan import Plan


def apply_tags(
    proposals: opt.ProposalsArgument,
    outputs: OutputInputs,
    n: Annotated[
        int | None, option("-n", "Points, for tags without n.", min=1, metavar="N")
    ] = None,
    size: Annotated[
        str | None,
        option("--size", "Region, for tags without size: full, point, 30arcsec.", metavar="SIZE"),
    ] = None,
    pattern: Annotated[
        str | None,
        option("--pattern", "Catalog pattern, for tags without pattern.", metavar="NAME"),
    ] = None,
    method: Annotated[
        str | None,
        option("--method", "auto, catalog, optimize; for tags without method.", metavar="METHOD"),
    ] = None,
    spacing: Annotated[
        str | None,
        option("--spacing", "Smallest step, for tags without spacing: tight.", metavar="STEP"),
    ] = None,
    snr: Annotated[
        str | None,
        option("--snr", "Signal to noise of an exposure, for tags without snr.", metavar="S/N"),
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
    parallels: Annotated[
        bool, option("--parallels", "Dither prime and parallel containers as one pointing.")
    ] = False,
    details: opt.DetailsOption = False,
    catalog: opt.CatalogOption = None,
    distortion: opt.DistortionOption = None,
    seed: opt.SeedOption = 0,
) -> int:
    """Give the tagged exposures of proposals explicit POS TARGs.

    Nothing else in a file changes. IN.apt gives IN.dithered.apt, and - standard output. Exit codes:
    0 done; 1 with --check, a file would change; 2 usage error; 3 a proposal is unusable or a tag is
    refused (nothing of that file is written, the others are).
    """
    from aptdither.apt.reader import parse_proposal
    from aptdither.planning.options import Options, SetOptions
    from aptdither.planning.plan import make_plan
    from aptdither.review.acceptance import accept_plan

    defaults = _defaults(n=n, size=size, pattern=pattern, method=method, spacing=spacing, snr=snr)
    options = Options(
        defaults=defaults,
        sets=SetOptions(
            replace=replace,
            replace_patterns=replace_patterns,
            split_iterations=split_iterations,
            all_visits=all_visits,
            rebase=rebase,
            parallels=parallels,
        ),
        catalog=opt.open_catalog(catalog),
        distortion=distortion,
        seed=seed,
    )
    opt.require_distortion(distortion)

    def change(source: Source) -> Change:
        from aptdither.report.json import apply_report
        from aptdither.report.text import print_plan

        parsed = parse_proposal(source.data, path=source.name)
        with opt.progress_bar("planning") as progress:
            plan = make_plan(parsed, options, progress=progress)
            new, plan = accept_plan(parsed, plan, region=defaults.size)
        return Change(
            proposal=parsed,
            new=new,
            has_work=bool(plan.groups),
            as_json=lambda source, written: apply_report(plan, source=source, written=written),
            print_text=lambda console: print_plan(console, plan, path=source.name, details=details),
            notes=tuple(_unused_options(plan, defaults)),
        )

    return change_files(proposals, outputs, "apply", change)


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
