"""``aptdither optimize``: design a pattern."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

import typer

from aptdither.cli.inputs import ApertureOption, ConfigOption, ElementOption, SetupInputs
from aptdither.cli.options import (
    EXIT_FINE,
    DistortionOption,
    ForceOption,
    Format,
    FormatOption,
    NoColorOption,
    SeedOption,
    SizeOption,
    SpacingOption,
    as_usage_error,
    exit_on_error,
    parse_size_option,
    parse_spacing_option,
    print_groups,
    print_json,
    print_status,
    progress_bar,
    stdout_console,
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("optimize")(design_pattern)


@exit_on_error
def design_pattern(
    n: Annotated[int, typer.Option("-n", min=1, help="Number of points.")],
    config: ConfigOption = None,
    aperture: ApertureOption = None,
    element: ElementOption = None,
    size: SizeOption = None,
    spacing: SpacingOption = None,
    tradeoff: Annotated[
        bool, typer.Option("--tradeoff", help="List what each spacing costs, tight to wide.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the pattern as ECSV."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the pattern in the ECSV file.")
    ] = None,
    force: ForceOption = False,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Design a pattern for an aperture, a spectral element, a region and a spacing."""
    from aptdither.dither.pattern import check_name
    from aptdither.io import files
    from aptdither.planning.choice import PatternChooser
    from aptdither.planning.evaluation import Evaluator

    inputs = SetupInputs(config=config, aperture=aperture, element=element, distortion=distortion)
    region = parse_size_option(size)
    if output is not None:
        files.check_output(output, force=force)
        with as_usage_error():
            check_name(name or output.stem)  # before a minute of searching, not after it
    optics = inputs.optics()
    with as_usage_error(), progress_bar("searching") as progress:
        chooser = PatternChooser(
            aperture=optics[0],
            elements=(optics[1],),
            region=region,
            spacing=parse_spacing_option(spacing),
            seed=seed,
            progress=progress,
        )
        if tradeoff:
            curve = chooser.tradeoff(n)
        else:
            choice = chooser.design(n)
    if tradeoff:
        if fmt is Format.JSON:
            from aptdither.report.json import tradeoff_report

            print_json(tradeoff_report(curve, *optics, seed=seed))
        else:
            from aptdither.report.text import tradeoff_table

            stdout_console(no_color=no_color).print(tradeoff_table(curve, *optics))
        return EXIT_FINE
    if output is not None:
        from aptdither.dither.catalog_ecsv import write_ecsv

        text = io.StringIO()
        write_ecsv(choice.as_pattern(name or output.stem), text)
        files.write_output(output, text.getvalue().encode(), force=force)
        print_status(f"wrote {output}: use it with --catalog {output}")
    evaluator = Evaluator(seed=seed, distortion=distortion)
    group = evaluator.evaluate_pattern(choice, inputs.setup(), region)
    print_groups("optimize", [group], fmt, seed=seed, no_color=no_color)
    return EXIT_FINE
