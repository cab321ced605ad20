"""``aptdither fit``: what the telescope really did (ISR WFC3 2016-14, section 3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aptdither.cli.options import (
    EXIT_FINE,
    ApertureOption,
    DistortionOption,
    ElementOption,
    Format,
    FormatOption,
    NoColorOption,
    SizeOption,
    exit_on_error,
    out,
    parse_pairs,
    parse_size_option,
    print_json,
    usage,
)
from aptdither.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("fit")(fit)


@exit_on_error
def fit(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An ECSV table: postarg_x, postarg_y and x_pix, y_pix (or dx_pix, dy_pix); "
            "dataset where there are several.",
        ),
    ],
    aperture: ApertureOption = "IR-FIX",
    element: ElementOption = "F125W",
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="X,Y", help="Where offsets count from; the aperture's fiducial point."
        ),
    ] = None,
    size: SizeOption = None,
    distortion: DistortionOption = None,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Fit scale and turn of dithers that were observed, and judge what was achieved.

    A and B are the ISR's: pixels per arcsec in a frame without distortion. Scale and roll are
    against the SIAF: 1 and 0 for a perfect telescope.
    """
    from aptdither.dither.coverage import evaluate
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.filters import get_element
    from aptdither.optics.pointing_fit import fit_dithers, read_measurements

    with usage():
        where = get_aperture(aperture, element, distortion_file=distortion)
        optics = get_element(element)
        region = parse_size_option(size)
    location = (where.x_ref_pix, where.y_ref_pix)
    if at is not None:
        pairs = parse_pairs(at, "--at")
        if len(pairs) > 1:
            raise UsageError("--at takes one place: x and y joined by a comma")
        location = pairs[0]
    fits = [fit_dithers(measured, where) for measured in read_measurements(file, at=location)]
    # Coverage counts from the first exposure, commanded and achieved alike.
    coverages = [
        tuple(
            evaluate(postargs - postargs[0], where, optics, region)
            for postargs in (found.postargs_arcsec, found.achieved_arcsec)
        )
        for found in fits
    ]
    if fmt is Format.JSON:
        from aptdither.report.json import fit_report

        print_json(fit_report(fits, coverages, where, optics))
        return EXIT_FINE
    from aptdither.report.text import fit_summary

    console = out(no_color=no_color)
    for found, pair in zip(fits, coverages, strict=True):
        console.print(fit_summary(found, pair, where, optics))
    return EXIT_FINE
