"""``aptdither apply``: from a tagged proposal to explicit POS TARGs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from aptdither.cli import options as opt
from aptdither.cli.options import option
from aptdither.cli.outputs import Change, OutputInputs, change_files

if TYPE_CHECKING:
    from aptdither.apt.tags import DitherRequest
    from aptdither.io.files import Source
    from aptdither.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class TagInputs:
    """Options for what a tag does not set."""

    n: int | None = option(None, "Points, for tags without n.", "N", names="-n", min=1)
    size: str | None = option(None, "Region, for tags without size: full, point, 30arcsec.", "SIZE")
    pattern: str | None = option(None, "Catalog pattern, for tags without pattern.", "NAME")
    method: str | None = option(None, "auto, catalog, optimize; for tags without method.", "METHOD")
    spacing: str | None = option(None, "Smallest step, for tags without spacing: tight.", "STEP")
    snr: str | None = option(None, "Signal to noise of an exposure, for tags without snr.", "S/N")

    def request(self) -> DitherRequest:
        """Read the options with the grammar of the tags."""
        from aptdither.apt.tags import parse_tag

        words = [f"{key}={value}" for key, value in asdict(self).items() if value is not None]
        with opt.as_usage_error():
            return parse_tag(" ".join(["@dither", *words])).request


@dataclass(frozen=True, slots=True)
class SetInputs:
    """Options that allow more than the careful default: those of planning's SetOptions."""

    replace: bool = option(False, "Dither each set about its first exposure's POS TARG.")
    replace_patterns: bool = option(False, "Dither instead of an APT pattern.")
    split_iterations: bool = option(False, "Turn iterations into separate exposures.")
    rebase: bool = option(False, "Dither about today's POS TARGs, not those in receipts.")
    all_visits: bool = option(False, "Dither completed visits too.")
    parallels: bool = option(False, "Dither prime and parallel containers as one pointing.")


def apply_tags(
    outputs: OutputInputs,
    tags: TagInputs,
    sets: SetInputs,
    proposals: list[str] = opt.PROPOSALS,
    details: bool = opt.DETAILS,
    catalog: Path | None = opt.CATALOG,
    distortion: Path | None = opt.DISTORTION,
    seed: int = opt.SEED,
) -> int:
    """Give the tagged exposures of proposals explicit POS TARGs.

    Nothing else in a file changes. IN.apt gives IN.dithered.apt, and - standard output. Exit codes:
    0 done; 1 with --check, a file would change; 2 usage error; 3 a proposal is unusable or a tag is
    refused (nothing of that file is written, the others are).
    """
    from aptdither.apt.reader import parse_proposal
    from aptdither.dither.catalog import load_catalog
    from aptdither.planning.options import Options, SetOptions
    from aptdither.planning.plan import make_plan
    from aptdither.review.reviewer import accept_plan

    defaults = tags.request()
    options = Options(
        defaults=defaults,
        sets=SetOptions(**asdict(sets)),
        catalog=load_catalog(catalog),
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
