"""``aptdither convert``: pixels to POS TARGs and back."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.inputs import ApertureOption, ConfigOption, SetupInputs, one_position
from aptdither.cli.options import (
    EXIT_FINE,
    DistortionOption,
    NoColorOption,
    as_usage_error,
    exit_on_error,
    parse_pairs,
    print_json,
    stdout_console,
)
from aptdither.errors import UsageError

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture


class ConvertFormat(StrEnum):
    """How ``convert`` prints its result."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("convert")(convert_offsets)


@exit_on_error
def convert_offsets(
    config: ConfigOption = None,
    aperture: ApertureOption = None,
    element: Annotated[
        str | None,
        typer.Option(
            "--element", help="Spectral element: a grism moves the reference point of IR."
        ),
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
            "(1-based; IR: 1014 x 1014); the aperture's reference point by default.",
        ),
    ] = None,
    distortion: DistortionOption = None,
    fmt: Annotated[
        ConvertFormat, typer.Option("--format", help="Print as text, JSON or CSV.")
    ] = ConvertFormat.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Convert offsets in pixels to POS TARGs, or POS TARGs to offsets in pixels.

    A star at the given place moves by the offset when the exposure has the POS TARG. +X of a POS
    TARG is roughly +x (increasing column), +Y roughly +y (increasing row).
    """
    if (pixels is None) == (postargs is None):
        raise UsageError("give either --pixels or --postargs")
    import numpy as np

    found = _aperture(config, aperture, element, distortion)
    location = one_position(at, found)
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

        console = stdout_console(no_color=no_color)
        console.print(
            Text(f"{found.name} at ({location[0]:g}, {location[1]:g}) of the full-frame image")
        )
        console.print(offsets_table(rows))
    return EXIT_FINE


def _aperture(
    config: str | None, name: str | None, element: str | None, distortion: Path | None
) -> Aperture:
    """Return the aperture; without an element as it is used for direct images."""
    from aptdither.optics.aperture import get_aperture

    setup = SetupInputs(config=config, aperture=name).setup()
    with as_usage_error():
        return get_aperture(
            setup.aperture, element, config=setup.config, distortion_file=distortion
        )
