"""``aptdither fit``: what the telescope really did (ISR WFC3 2016-14, section 3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aptdither.cli.inputs import (
    ApertureOption,
    ConfigOption,
    ElementOption,
    SetupInputs,
    fit_setup,
    one_position,
)
from aptdither.cli.options import (
    EXIT_FINE,
    DistortionOption,
    Format,
    FormatOption,
    NoColorOption,
    SizeOption,
    exit_on_error,
    parse_size_option,
    print_json,
    stdout_console,
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("fit")(fit_measurements)


@exit_on_error
def fit_measurements(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An ECSV table: postarg_x, postarg_y and x_pix, y_pix (or dx_pix, dy_pix); "
            "dataset where there are several.",
        ),
    ],
    config: ConfigOption = None,
    aperture: ApertureOption = None,
    element: ElementOption = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="X,Y", help="Where offsets count from; the aperture's reference point."
        ),
    ] = None,
    size: SizeOption = None,
    distortion: DistortionOption = None,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Fit the scale and roll of observed dithers, and evaluate the coverage that was achieved.

    A and B are the ISR's: pixels per arcsec in a frame without distortion. Scale and roll are
    against the SIAF: 1 and 0 for a perfect telescope.
    """
    from aptdither.dither.coverage import evaluate
    from aptdither.dither.views import View
    from aptdither.optics.pointing_fit import fit_dithers, read_measurements

    setup = SetupInputs(config=config, aperture=aperture, element=element, distortion=distortion)
    optics = fit_setup(setup).optics()
    position = one_position(at, optics[0])
    view = View(*optics, parse_size_option(size))
    fits = [fit_dithers(measured, optics[0]) for measured in read_measurements(file, at=position)]
    # Coverage counts from the first exposure, commanded and achieved alike.
    coverages = [
        tuple(
            evaluate(postargs - postargs[0], view)
            for postargs in (found.postargs_arcsec, found.achieved_arcsec)
        )
        for found in fits
    ]
    if fmt is Format.JSON:
        from aptdither.report.json import fit_report

        print_json(fit_report(fits, coverages, *optics))
        return EXIT_FINE
    from aptdither.report.text import fit_summary

    console = stdout_console(no_color=no_color)
    for found, pair in zip(fits, coverages, strict=True):
        console.print(fit_summary(found, pair, *optics))
    return EXIT_FINE
