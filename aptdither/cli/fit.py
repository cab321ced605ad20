"""``aptdither fit``: scale and roll of observed dithers (ISR WFC3 2016-14, section 3.2)."""

from __future__ import annotations

from pathlib import Path

from aptdither.cli import options as opt
from aptdither.cli.inputs import SetupInputs, one_position
from aptdither.cli.options import argument, option
from aptdither.types import Region


def fit_measurements(
    inputs: SetupInputs,
    file: Path = argument(
        ...,
        "An ECSV table with columns postarg_x, postarg_y and x_pix, y_pix (or dx_pix, dy_pix); also "
        "dataset if there are several, and chip of two-chip detectors.",
        "FILE",
    ),
    at: str | None = option(None, "Origin of dx_pix, dy_pix (default: reference point).", "X,Y"),
    size: str | None = opt.SIZE,
    snr: str | None = opt.SNR,
    fmt: opt.Format = opt.FORMAT,
) -> None:
    """Fit the scale and roll of observed dithers.

    The achieved coverage is evaluated too. A and B are those of ISR WFC3 2016-14: pixels per arcsec in a frame without distortion. Scale
    and roll are relative to the SIAF: 1 and 0 if the telescope executes the dithers exactly.
    """
    from rich.console import Group

    from aptdither.dither.coverage import evaluate
    from aptdither.dither.sampling import SIGNAL_TO_NOISE
    from aptdither.dither.views import View
    from aptdither.optics.pointing_fit import fit_dithers, read_measurements
    from aptdither.report import json
    from aptdither.report.text import fit_summary

    optics = inputs.optics(for_fit=True)
    region, noise = opt.read_word("size", size), opt.read_word("snr", snr)
    view = View(*optics, region or Region.full(), snr=noise or SIGNAL_TO_NOISE)
    tables = read_measurements(file, at=one_position(at, optics[0]))
    fits = [fit_dithers(measured, optics[0]) for measured in tables]
    # Both the commanded and the achieved offsets are relative to the first exposure.
    coverages = [
        tuple(
            evaluate(postargs - postargs[0], view)
            for postargs in (fit.postargs_arcsec, fit.achieved_arcsec)
        )
        for fit in fits
    ]
    opt.print_result(
        fmt,
        lambda: json.fit_report(fits, coverages, *optics),
        lambda: Group(
            *(fit_summary(fit, pair, *optics) for fit, pair in zip(fits, coverages, strict=True))
        ),
    )
