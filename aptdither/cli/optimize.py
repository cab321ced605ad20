"""``aptdither optimize``: design a pattern."""

from __future__ import annotations

import io
from pathlib import Path

from aptdither.cli import options as opt
from aptdither.cli.inputs import ViewInputs
from aptdither.cli.options import option


def design_pattern(
    inputs: ViewInputs,
    n: int = option(..., "Number of points.", "N", names="-n", min=1),
    spacing: str | None = option(None, "Smallest step: tight, wide, 12pix, 1.5arcsec.", "STEP"),
    tradeoff: bool = option(False, "List the coverage at each spacing."),
    output: str | None = opt.FILE,
    name: str | None = option(None, "Name of the pattern in the file.", "NAME"),
    force: bool = opt.FORCE,
    details: bool = opt.DETAILS,
    fmt: opt.Format = opt.FORMAT,
) -> None:
    """Design a dither pattern.

    It is optimized for the aperture, spectral element, region and smallest step given. With -o, the pattern is written as ECSV, for use with --catalog.
    """
    from aptdither.dither.catalog_ecsv import write_ecsv
    from aptdither.dither.pattern import check_name
    from aptdither.io import files
    from aptdither.report import json, text

    if output is not None:
        # A search takes seconds, so the name is checked first.
        files.check_output(output, force=force)
        with opt.as_usage_error():
            check_name(name or Path(output).stem)
    smallest = opt.read_word("spacing", spacing)
    with opt.as_usage_error(), opt.progress_bar("searching") as progress:
        chooser = inputs.chooser(spacing=smallest, progress=progress)
        if not tradeoff:
            choice = chooser.design(n)
        else:
            curve = chooser.tradeoff(n)
    if tradeoff:
        optics = chooser.aperture, chooser.views[0].element
        opt.print_result(
            fmt,
            lambda: json.tradeoff_report(curve, *optics, seed=inputs.seed),
            lambda: text.tradeoff_table(curve, *optics),
        )
        return
    if output is not None:
        table = io.StringIO()
        write_ecsv(choice.as_pattern(name or Path(output).stem), table)
        hint = f": use it with --catalog {output}"
        opt.write_file(output, table.getvalue(), force=force, hint=hint)
    if output == files.STANDARD:
        return
    groups = inputs.evaluate(choice, inputs.evaluator())
    opt.print_groups("optimize", groups, fmt, seed=inputs.seed, details=details)
