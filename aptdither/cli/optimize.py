"""``aptdither optimize``: design a pattern."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

from aptdither.cli import options as opt
from aptdither.cli.inputs import ViewInputs
from aptdither.cli.options import option


def design_pattern(
    inputs: ViewInputs,
    n: Annotated[int, option("-n", "Number of points.", min=1, metavar="N")],
    spacing: opt.SpacingOption = None,
    tradeoff: Annotated[bool, option("--tradeoff", "List the coverage at each spacing.")] = False,
    output: opt.FileOption = None,
    name: Annotated[
        str | None, option("--name", "Name of the pattern in the file.", metavar="NAME")
    ] = None,
    force: opt.ForceOption = False,
    seed: opt.SeedOption = 0,
    details: opt.DetailsOption = False,
    fmt: opt.FormatOption = opt.Format.TEXT,
) -> None:
    """Design a dither pattern.

    It is optimized for the aperture, spectral element, region and smallest step given. With -o, the pattern is written as ECSV, for use with --catalog.
    """
    from aptdither.dither.catalog_ecsv import write_ecsv
    from aptdither.dither.pattern import check_name
    from aptdither.io import files
    from aptdither.report import json, text

    if output is not None:
        # A search can take a minute, so the name is checked first.
        files.check_output(output, force=force)
        with opt.as_usage_error():
            check_name(name or Path(output).stem)
    smallest = opt.parse_spacing_option(spacing)
    with opt.as_usage_error(), opt.progress_bar("searching") as progress:
        chooser = inputs.chooser(seed=seed, spacing=smallest, progress=progress)
        if not tradeoff:
            choice = chooser.design(n)
        else:
            curve = chooser.tradeoff(n)
    if tradeoff:
        optics = chooser.aperture, chooser.views[0].element
        opt.print_result(
            fmt,
            lambda: json.tradeoff_report(curve, *optics, seed=seed),
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
    groups = inputs.evaluate(choice, inputs.evaluator(seed))
    opt.print_groups("optimize", groups, fmt, seed=seed, details=details)
