"""``aptdither convert``: pixels to POS TARGs and back."""

from __future__ import annotations

import sys
from enum import StrEnum

from aptdither.cli import options as opt
from aptdither.cli.inputs import SetupInputs, one_position
from aptdither.cli.options import option
from aptdither.errors import UsageError


class ConvertFormat(StrEnum):
    """How ``convert`` prints its result."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def convert_offsets(
    inputs: SetupInputs,
    pixels: str | None = option(None, "Offsets to convert, pixels.", '"DX,DY ..."'),
    postargs: str | None = option(None, "POS TARGs, arcsec.", '"X,Y ..."'),
    at: str | None = option(
        None, "Pixel of the calibrated image (default: reference point).", "X,Y"
    ),
    chip: int | None = option(None, "Chip of --at (default: that of the reference point).", "1|2"),
    fmt: ConvertFormat = option(ConvertFormat.TEXT, "Text, JSON or CSV.", names="--format"),
) -> None:
    """Convert offsets in pixels to POS TARGs, or back.

    A star at the position --at moves by the offset when the exposure has the POS TARG. +X is
    roughly +x (increasing column), +Y roughly +y (increasing row). The position is a pixel of the
    calibrated image of its chip (FLT), 1-based; of the full frame (IR: 1014 x 1014).
    """
    if (pixels is None) == (postargs is None):
        raise UsageError("give either --pixels or --postargs")
    import numpy as np

    used, _ = inputs.optics()
    location, on = one_position(at, used, chip), used.chip(chip)
    if pixels is not None:
        dx, dy = np.array(opt.parse_pairs(pixels, "--pixels")).T
        x, y = used.postarg_from_offset(dx, dy, at=location, chip=chip)
    else:
        x, y = np.array(opt.parse_pairs(postargs or "", "--postargs")).T
        dx, dy = used.offset_from_postarg(x, y, at=location, chip=chip)
    rows = [tuple(float(value) + 0.0 for value in row) for row in zip(dx, dy, x, y, strict=True)]

    names = ("dx_pix", "dy_pix", "postarg_x", "postarg_y")
    if fmt is ConvertFormat.JSON:
        from aptdither.report.json import REPORT_VERSION

        points = [dict(zip(names, (round(value, 9) for value in row), strict=True)) for row in rows]
        at_pix = [float(value) for value in location]
        report = {"aperture": used.name, "chip": on.number, "at": at_pix, "points": points}
        opt.print_json({"report_version": REPORT_VERSION, **report})
    elif fmt is ConvertFormat.CSV:
        lines = [",".join(names), *(",".join(f"{value:.9f}" for value in row) for row in rows)]
        sys.stdout.write("\n".join(lines) + "\n")
    else:
        from aptdither.report.text import offsets_table

        console = opt.stdout_console()
        console.print(
            f"{used.name} at ({location[0]:g}, {location[1]:g}) of the calibrated "
            f"image of {on.name}",
            soft_wrap=True,
        )
        console.print(offsets_table(rows))
