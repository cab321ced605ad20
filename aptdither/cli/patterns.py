"""``aptdither patterns``: the catalog, or one pattern."""

from __future__ import annotations

from typing import Annotated

import typer

from aptdither.cli.inputs import (
    ApertureOption,
    ConfigOption,
    ElementOption,
    GroupInputs,
    SetupInputs,
)
from aptdither.cli.options import (
    EXIT_FINE,
    CatalogOption,
    DistortionOption,
    Format,
    FormatOption,
    NoColorOption,
    SeedOption,
    SizeOption,
    exit_on_error,
    open_catalog,
    print_groups,
    print_json,
    stdout_console,
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("patterns")(list_patterns)


@exit_on_error
def list_patterns(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One pattern, in full.")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="List the coverage of each pattern, to compare.")
    ] = False,
    config: ConfigOption = None,
    aperture: ApertureOption = None,
    element: ElementOption = None,
    size: SizeOption = None,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """List the catalog, or show one pattern: pixels, POS TARGs, source, coverage."""
    known = open_catalog(catalog)
    if name is None and not coverage:
        if fmt is Format.JSON:
            from aptdither.report.json import catalog_report

            print_json(catalog_report(known))
        else:
            from aptdither.report.text import catalog_table

            stdout_console(no_color=no_color).print(catalog_table(known))
        return EXIT_FINE
    names = [name] if name is not None else sorted(known.names, key=lambda one: known.get(one).n)
    groups = GroupInputs(
        setup=SetupInputs(config=config, aperture=aperture, element=element, distortion=distortion),
        patterns=names,
        size=size,
        catalog=catalog,
        seed=seed,
    ).groups(with_plan=False)
    if name is None and fmt is Format.TEXT:
        from aptdither.report.text import comparison_table

        stdout_console(no_color=no_color).print(comparison_table(groups))
    else:
        print_groups("patterns", groups, fmt, seed=seed, no_color=no_color)
    return EXIT_FINE
