"""``aptdither convert``: pixels to POS TARGs and back."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from aptdither.cli.options import (
    EXIT_FINE,
    DistortionOption,
    NoColorOption,
    exit_on_error,
    out,
    parse_pairs,
    print_json,
    usage,
)
from aptdither.errors import UsageError


class ConvertFormat(StrEnum):
    """How ``convert`` prints its result."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("convert")(convert)


@exit_on_error
def convert(
    aperture: Annotated[str, typer.Option("--aperture", help="APT aperture.")] = "IR",
    element: Annotated[
        str | None,
        typer.Option("--element", help="Spectral element: IR has another origin for grisms."),
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option("--pixels", metavar='"DX,DY ..."', help="Offsets to convert, pixels."),
    ] = None,
    postargs: Annotated[
        str | None,
        typer.Option("--postargs", metavar='"X,Y ..."', help="POS TARGs to convert, arcsec."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="X,Y",
            help="Where on the detector, in pixels of the calibrated full-frame image "
            "(1014 x 1014, 1-based); the aperture's fiducial point.",
        ),
    ] = None,
    distortion: DistortionOption = None,
    fmt: Annotated[
        ConvertFormat, typer.Option("--format", help="Print as text, JSON or CSV.")
    ] = ConvertFormat.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Convert offsets in pixels to POS TARGs, or POS TARGs to offsets in pixels.

    A star at the given place moves by the offset when the exposure has the POS TARG. +X and +Y of a
    POS TARG run along the detector's columns and rows, nearly.
    """
    if (pixels is None) == (postargs is None):
        raise UsageError("give either --pixels or --postargs")
    import numpy as np

    from aptdither.optics.aperture import get_aperture

    with usage():
        found = get_aperture(aperture, element, distortion_file=distortion)
    location = (found.x_ref_pix, found.y_ref_pix)
    if at is not None:
        pairs = parse_pairs(at, "--at")
        if len(pairs) > 1:
            raise UsageError("--at takes one place: x and y joined by a comma")
        location = pairs[0]
    if pixels is not None:
        dx, dy = np.array(parse_pairs(pixels, "--pixels")).T
        x, y = found.postarg_from_offset(dx, dy, at=location)
    else:
        x, y = np.array(parse_pairs(postargs or "", "--postargs")).T
        dx, dy = found.offset_from_postarg(x, y, at=location)
    rows = [tuple(float(value) + 0.0 for value in row) for row in zip(dx, dy, x, y, strict=True)]

    names = ("dx_pix", "dy_pix", "postarg_x", "postarg_y")
    if fmt is ConvertFormat.JSON:
        from aptdither.report.json import REPORT_VERSION

        print_json(
            {
                "report_version": REPORT_VERSION,
                "aperture": found.name,
                "at": [float(value) for value in location],
                "points": [
                    dict(zip(names, (round(value, 9) for value in row), strict=True))
                    for row in rows
                ],
            }
        )
    elif fmt is ConvertFormat.CSV:
        lines = [",".join(names), *(",".join(f"{value:.9f}" for value in row) for row in rows)]
        sys.stdout.write("\n".join(lines) + "\n")
    else:
        from rich.text import Text

        from aptdither.report.text import offsets_table

        console = out(no_color=no_color)
        console.print(
            Text(f"{found.name} at ({location[0]:g}, {location[1]:g}) of the full-frame image")
        )
        console.print(offsets_table(rows))
    return EXIT_FINE
