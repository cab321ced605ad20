"""``aptdither patterns``: the catalog, or one pattern."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs, RegionInputs
from aptdither.cli.options import argument, option

if TYPE_CHECKING:
    from aptdither.dither.pattern import Pattern


def list_patterns(
    inputs: RegionInputs,
    name: str | None = argument(None, "Show this pattern in full.", "[NAME]"),
    n: int | None = option(None, "Only patterns of N points.", "N", names="-n", min=1),
    catalog: Path | None = opt.CATALOG,
    seed: int = opt.SEED,
    fmt: opt.Format = opt.FORMAT,
) -> None:
    """List the pattern catalog with its coverage, or show one pattern.

    The list has the patterns of each detector, or of that of --config or --aperture, and their
    coverage of the region of --size. One pattern is shown in pixels and as POS TARGs, with its
    source and coverage.
    """
    from aptdither.dither.catalog import load_catalog

    known = load_catalog(catalog)
    groups = GroupInputs(**asdict(inputs), catalog=catalog, seed=seed)
    if name is not None:
        one = replace(groups, patterns=[name]).groups(with_plan=False)
        opt.print_groups("patterns", one, fmt, seed=seed, details=True)
        return
    from aptdither.optics.detector import supported_configs

    is_chosen = inputs.config is not None or inputs.aperture is not None
    configs = [inputs.setup().config] if is_chosen else supported_configs()
    wanted: dict[tuple[str, str], list[Pattern]] = {}
    for pattern in sorted(known, key=lambda pattern: pattern.n):
        for config in configs:
            if pattern.config in ("", config) and n in (None, pattern.n):
                wanted.setdefault((config, pattern.parallel), []).append(pattern)
    if fmt is opt.Format.JSON:
        from aptdither.report.json import catalog_report

        listed = {one.name for patterns in wanted.values() for one in patterns}
        opt.print_json(catalog_report(one for one in known if one.name in listed))
        return
    from aptdither.report.text import comparison_table

    tables: list[Any] = []
    with opt.progress_bar("evaluating") as progress:
        for config, parallel in sorted(wanted, key=lambda both: (both[1], configs.index(both[0]))):
            if progress is not None:
                progress(len(tables) / len(wanted), f"{config} {parallel}")
            own = replace(groups, patterns=[one.name for one in wanted[config, parallel]])
            own = own if parallel else replace(own, config=config)
            seen = own.groups(with_plan=False)
            # As the prime sees them, and as a parallel does where no detector was chosen.
            views = len(seen) // len(wanted[config, parallel])
            tables += [comparison_table(seen[k::views]) for k in range(views)]
    for table in tables:
        opt.stdout_console().print(table)
