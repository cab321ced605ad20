"""``aptdither export``: POS TARGs in other formats."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs
from aptdither.cli.options import option
from aptdither.errors import UsageError

if TYPE_CHECKING:
    from aptdither.io.files import Source
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.report.tables import Sky


class ExportFormat(StrEnum):
    """What ``export`` writes."""

    ECSV = "ecsv"
    MARKDOWN = "markdown"
    LATEX = "latex"
    APT_TEXT = "apt-text"
    DS9_SKY = "ds9-sky"
    DS9_DETECTOR = "ds9-detector"


def export_groups(
    inputs: GroupInputs,
    fmt: ExportFormat = option(
        ExportFormat.ECSV,
        "Table (ecsv, markdown, latex), POS TARG lines (apt-text), or DS9 regions.",
        names="--format",
    ),
    output: str | None = opt.FILE,
    orient: float | None = option(None, "ds9-sky: ORIENT of the visit (angle of U3), degrees."),
    position: str | None = option(
        None, "ds9-sky: target position (default: the proposal's).", '"RA DEC"'
    ),
    force: bool = opt.FORCE,
) -> None:
    """Write POS TARGs as tables or text, or footprints as DS9 regions."""
    from aptdither.io import files
    from aptdither.report import tables

    if output is not None:
        files.check_output(output, force=force)
    source = None if inputs.proposal is None else files.read_input(inputs.proposal)
    groups = inputs.groups(with_plan=True, source=source)
    if fmt is ExportFormat.DS9_SKY:
        text = tables.ds9_sky(groups, _sky(source, groups, orient, position))
    else:
        text = getattr(tables, fmt.replace("-", "_"))(groups)
    if output is None:
        sys.stdout.write(text)
    else:
        opt.write_file(output, text, force=force)


def _sky(
    source: Source | None, groups: Sequence[DitherGroup], orient: float | None, position: str | None
) -> Sky:
    from aptdither.apt.reader import read_position, read_targets
    from aptdither.report.tables import Sky

    if orient is None or not math.isfinite(orient):
        raise UsageError("ds9-sky needs --orient, the ORIENT of the visit (angle of U3), degrees")
    if position is not None:
        location = read_position(position)
        if location is None:
            raise UsageError(
                f"--position is {position!r}; allowed: '05 32 10.0 -66 12 00' or '83.04 -66.2'"
            )
        return Sky(ra_deg=location[0], dec_deg=location[1], orient_deg=orient)
    if source is None:
        raise UsageError("ds9-sky needs --position, the target's right ascension and declination")
    names = {group.exposures.target for group in groups}
    known = read_targets(source.data, path=source.name)
    if len(names) != 1 or not names <= known.keys():
        raise UsageError(
            f"the targets of the exposures are {', '.join(sorted(names)) or 'not known'}; the proposal has "
            f"positions of {', '.join(sorted(known)) or 'no fixed target'}; select one target with "
            "--visit, or give --position"
        )
    ra_deg, dec_deg = known[names.pop()]
    return Sky(ra_deg=ra_deg, dec_deg=dec_deg, orient_deg=orient)
