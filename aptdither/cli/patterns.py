"""``aptdither patterns``: the catalog, or one pattern."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs, SetupInputs
from aptdither.cli.options import option


def list_patterns(
    inputs: SetupInputs,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show this pattern in full.")
    ] = None,
    coverage: Annotated[bool, option("--coverage", "Compare the coverage of all.")] = False,
    size: opt.SizeOption = None,
    catalog: opt.CatalogOption = None,
    seed: opt.SeedOption = 0,
    fmt: opt.FormatOption = opt.Format.TEXT,
) -> None:
    """List the pattern catalog, or show one pattern.

    A pattern is shown in pixels and as POS TARGs, with its source and coverage.
    """
    from aptdither.report import json, text

    known = opt.open_catalog(catalog)
    if name is None and not coverage:
        opt.print_result(
            fmt,
            lambda: json.catalog_report(known),
            lambda: text.catalog_table(known),
        )
        return
    own = sorted(known.of_config(inputs.setup().config), key=lambda pattern: pattern.n)
    names = [name] if name is not None else [pattern.name for pattern in own]
    groups = GroupInputs(
        **asdict(inputs), patterns=names, size=size, catalog=catalog, seed=seed
    ).groups(with_plan=False)
    if name is None and fmt is opt.Format.TEXT:
        opt.stdout_console().print(text.comparison_table(groups))
    else:
        opt.print_groups("patterns", groups, fmt, seed=seed)
