"""``aptdither export``: POS TARGs in other formats."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.inputs import (
    ApertureOption,
    ConfigOption,
    ElementOption,
    GroupInputs,
    GroupOption,
    PatternsOption,
    PostargsOption,
    ProposalOption,
    SetupInputs,
    VisitOption,
)
from aptdither.cli.options import (
    EXIT_FINE,
    CatalogOption,
    DistortionOption,
    ForceOption,
    SeedOption,
    SizeOption,
    exit_on_error,
    print_status,
)
from aptdither.errors import UsageError

if TYPE_CHECKING:
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.report.tables import Sky


class ExportFormat(StrEnum):
    """What ``export`` writes."""

    ECSV = "ecsv"
    MARKDOWN = "markdown"
    LATEX = "latex"
    DS9_SKY = "ds9-sky"
    DS9_DETECTOR = "ds9-detector"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("export")(export_groups)


@exit_on_error
def export_groups(
    fmt: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="ecsv: a table with units. markdown, latex: to paste. ds9-sky, ds9-detector: "
            "footprints.",
        ),
    ] = ExportFormat.ECSV,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to; standard output."),
    ] = None,
    pattern: PatternsOption = None,
    postargs: PostargsOption = None,
    proposal: ProposalOption = None,
    visit: VisitOption = None,
    group: GroupOption = None,
    config: ConfigOption = None,
    aperture: ApertureOption = None,
    element: ElementOption = None,
    size: SizeOption = None,
    orient: Annotated[
        float | None,
        typer.Option("--orient", help="ds9-sky: APT's ORIENT, the angle of U3, degrees."),
    ] = None,
    position: Annotated[
        str | None,
        typer.Option(
            "--position",
            metavar='"RA DEC"',
            help="ds9-sky: the target, sexagesimal or degrees; the proposal's own.",
        ),
    ] = None,
    force: ForceOption = False,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
) -> int:
    """Write POS TARGs as a table, or footprints as DS9 regions."""
    from aptdither.io import files
    from aptdither.report import tables

    if output is not None:
        files.check_output(output, force=force)
    inputs = GroupInputs(
        setup=SetupInputs(config=config, aperture=aperture, element=element, distortion=distortion),
        patterns=pattern or (),
        postargs=postargs or (),
        proposal=proposal,
        visit=visit,
        group=group,
        size=size,
        catalog=catalog,
        seed=seed,
    )
    groups = inputs.groups(with_plan=True)
    if not groups:
        raise UsageError(f"{proposal} has no exposures of a supported detector")
    match fmt:
        case ExportFormat.ECSV:
            text = tables.ecsv(groups)
        case ExportFormat.MARKDOWN:
            text = tables.markdown(groups)
        case ExportFormat.LATEX:
            text = tables.latex(groups)
        case ExportFormat.DS9_SKY:
            text = tables.ds9_sky(groups, _sky(proposal, groups, orient, position))
        case ExportFormat.DS9_DETECTOR:
            text = tables.ds9_detector(groups)
    if output is None:
        sys.stdout.write(text)
        return EXIT_FINE
    files.write_output(output, text.encode("utf-8"), force=force)
    print_status(f"wrote {output}")
    return EXIT_FINE


def _sky(
    proposal: Path | None, groups: Sequence[DitherGroup], orient: float | None, position: str | None
) -> Sky:
    import math

    from aptdither.apt.reader import read_position, read_targets
    from aptdither.io import files
    from aptdither.report.tables import Sky

    if orient is None or not math.isfinite(orient):
        raise UsageError(
            "ds9-sky needs --orient, the ORIENT of the visit: the angle of U3, degrees"
        )
    if position is not None:
        location = read_position(position)
        if location is None:
            raise UsageError(
                f"--position is {position!r}; allowed: '05 32 10.0 -66 12 00' or '83.04 -66.2'"
            )
        return Sky(ra_deg=location[0], dec_deg=location[1], orient_deg=orient)
    if proposal is None:
        raise UsageError("ds9-sky needs --position, the target's right ascension and declination")
    names = {group.exposures.target for group in groups}
    known = read_targets(files.read_input(proposal).data, path=str(proposal))
    if len(names) != 1 or not names <= known.keys():
        raise UsageError(
            f"the exposures look at {', '.join(sorted(names)) or 'nothing'}, and the proposal has "
            f"positions of {', '.join(sorted(known)) or 'no fixed target'}; give --visit for one "
            "target, or --position"
        )
    ra_deg, dec_deg = known[names.pop()]
    return Sky(ra_deg=ra_deg, dec_deg=dec_deg, orient_deg=orient)
