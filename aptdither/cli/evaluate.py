"""``aptdither evaluate``: the coverage of POS TARGs, of a pattern, or of a proposal as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aptdither.cli.inputs import (
    ApertureOption,
    ConfigOption,
    ElementOption,
    GroupInputs,
    SetupInputs,
    VisitOption,
)
from aptdither.cli.options import (
    EXIT_FINE,
    CatalogOption,
    DistortionOption,
    Format,
    FormatOption,
    NoColorOption,
    SeedOption,
    SizeOption,
    exit_on_error,
    print_groups,
    print_status,
)
from aptdither.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate")(evaluate_coverage)


@exit_on_error
def evaluate_coverage(
    postargs: Annotated[
        str | None,
        typer.Option("--postargs", metavar='"X,Y ..."', help="POS TARGs, arcsec."),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", metavar="NAME", help="A catalog pattern.")
    ] = None,
    proposal: Annotated[
        Path | None,
        typer.Option("--proposal", metavar="IN.apt", help="The exposures of a proposal."),
    ] = None,
    visit: VisitOption = None,
    config: ConfigOption = None,
    aperture: ApertureOption = None,
    element: ElementOption = None,
    size: SizeOption = None,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Evaluate the pixel-phase coverage of POS TARGs, at the center and at the worst place.

    With --proposal the aperture and the element are the exposures' own.
    """
    if sum(one is not None for one in (postargs, pattern, proposal)) != 1:
        raise UsageError("give one of --postargs, --pattern and --proposal")
    groups = GroupInputs(
        setup=SetupInputs(config=config, aperture=aperture, element=element, distortion=distortion),
        patterns=() if pattern is None else (pattern,),
        postargs=() if postargs is None else (postargs,),
        proposal=proposal,
        visit=visit,
        size=size,
        catalog=catalog,
        seed=seed,
    ).groups(with_plan=False)
    if not groups:
        where = f"visit {visit} of {proposal}" if visit is not None else str(proposal)
        print_status(f"{where} has no exposures of a supported detector to evaluate")
    print_groups("evaluate", groups, fmt, seed=seed, no_color=no_color)
    return EXIT_FINE
