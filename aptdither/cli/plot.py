"""``aptdither plot``: pictures, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

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
    fit_setup,
    too_many_groups,
    with_plot_extra,
)
from aptdither.cli.options import (
    EXIT_FINE,
    CatalogOption,
    DistortionOption,
    ForceOption,
    SeedOption,
    SizeOption,
    exit_on_error,
    parse_pairs,
    parse_size_option,
    print_status,
    progress_bar,
)
from aptdither.errors import UsageError

#: More rows of maps than this are no picture any more.
MOST_MAPS = 4
MOST_FITS = 4


class Picture(StrEnum):
    """What ``plot`` draws."""

    LAYOUT = "layout"
    FIELD = "field"
    MAP = "map"
    DISTORTION = "distortion"
    TRADEOFF = "tradeoff"
    FIT = "fit"
    SCALE = "scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotSpec:
    """A picture before it is drawn.

    Attributes
    ----------
    draw : callable
        Draws it on a figure of matplotlib's, which only the report knows.
    size_in : (float, float)
        Its size, inches.
    numbers : str
        What it is drawn from, for the file's metadata.
    """

    draw: Callable[[Any], None]
    size_in: tuple[float, float]
    numbers: str


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("plot")(draw_plot)


@exit_on_error
def draw_plot(
    kind: Annotated[
        Picture,
        typer.Argument(
            help="layout: offsets, phases, POS TARGs. field: phases at nine places. map: coverage "
            "over the detector. distortion: what a step becomes. tradeoff: what spacing costs. "
            "fit: predicted and observed positions. scale: A and B of each dataset."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A .png, .svg or .pdf file.")
    ],
    pattern: PatternsOption = None,
    postargs: PostargsOption = None,
    proposal: ProposalOption = None,
    visit: VisitOption = None,
    group: GroupOption = None,
    config: ConfigOption = None,
    aperture: ApertureOption = None,
    element: ElementOption = None,
    size: SizeOption = None,
    step: Annotated[
        str, typer.Option("--step", metavar='"DX,DY ..."', help="distortion: steps, pixels.")
    ] = "10,0 0,10",
    n: Annotated[int, typer.Option("-n", min=2, help="tradeoff: number of points.")] = 4,
    measured: Annotated[
        Path | None,
        typer.Option("--measured", metavar="FILE", help="fit, scale: the table that fit reads."),
    ] = None,
    dpi: Annotated[
        int, typer.Option("--dpi", min=50, max=600, help="Pixels per inch of a PNG.")
    ] = 160,
    force: ForceOption = False,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
) -> int:
    """Draw a picture: PNG, SVG or PDF by the file's ending."""
    from aptdither.io import files

    with with_plot_extra():
        from aptdither.report.plots.style import kind_of, render
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
    file_kind = kind_of(output)
    files.check_output(output, force=force)
    match kind:
        case Picture.LAYOUT | Picture.FIELD | Picture.MAP:
            spec = _spec_groups(kind, inputs)
        case Picture.DISTORTION:
            spec = _spec_distortion(inputs, step)
        case Picture.TRADEOFF:
            spec = _spec_tradeoff(inputs, n)
        case Picture.FIT | Picture.SCALE:
            spec = _spec_fit(kind, inputs, measured)
    data = render(
        spec.draw,
        spec.size_in,
        file_kind,
        title=f"aptdither plot {kind}",
        description=spec.numbers,
        dpi=dpi,
    )
    files.write_output(output, data, force=force)
    print_status(f"wrote {output}")
    return EXIT_FINE


# What pictures are of -----------------------------------------------------------------------------


def _spec_groups(kind: Picture, inputs: GroupInputs) -> PlotSpec:
    from aptdither.planning.evaluation import coverage_at, coverage_map
    from aptdither.report.plots import field, maps
    from aptdither.report.plots import pattern as pattern_plot
    from aptdither.report.plots.geometry import nine_places
    from aptdither.report.tables import coverage_sentence

    groups = inputs.groups(with_plan=True)
    if not groups:
        raise UsageError(f"{inputs.proposal} has no exposures of a supported detector")
    numbers = "; ".join(
        coverage_sentence(group)
        + ": "
        + " ".join(
            f"{point.pos_targ.x_arcsec:.3f},{point.pos_targ.y_arcsec:.3f}" for point in group.points
        )
        for group in groups
    )
    if kind is Picture.MAP:
        if len(groups) > MOST_MAPS:
            raise too_many_groups(groups, f"a map shows at most {MOST_MAPS} groups")
        coverages = [coverage_map(group, maps.GRID) for group in groups]
        draw = partial(maps.draw_maps, groups=groups, coverages=coverages)
        return PlotSpec(draw=draw, size_in=maps.size_of(groups), numbers=numbers)
    if len(groups) > 1:
        raise too_many_groups(groups, f"{kind} shows one group")
    (group,) = groups
    if kind is Picture.FIELD:
        efficiency, packing = coverage_at(group, nine_places(group))
        draw = partial(field.draw_field, group=group, efficiency=efficiency, packing=packing)
        return PlotSpec(draw=draw, size_in=field.FIELD_IN, numbers=numbers)
    draw = partial(pattern_plot.draw_layout, group=group)
    return PlotSpec(draw=draw, size_in=pattern_plot.size_of(group), numbers=numbers)


def _spec_distortion(inputs: GroupInputs, step: str) -> PlotSpec:
    from aptdither.report.plots import field

    steps = parse_pairs(step, "--step")
    aperture, _ = inputs.setup.optics()
    draw = partial(field.draw_distortion, aperture=aperture, steps_pix=steps)
    return PlotSpec(draw=draw, size_in=field.size_of_distortion(steps), numbers=f"steps {step}")


def _spec_tradeoff(inputs: GroupInputs, n: int) -> PlotSpec:
    from aptdither.planning.choice import PatternChooser
    from aptdither.report.plots import captions, curves

    aperture, element = inputs.setup.optics()
    region = parse_size_option(inputs.size)
    with progress_bar("searching") as progress:
        chooser = PatternChooser(
            aperture=aperture,
            elements=(element,),
            region=region,
            seed=inputs.seed,
            progress=progress,
        )
        curve = chooser.tradeoff(n)
    facts = [*captions.setup_facts(aperture, element, n, region), f"seed {inputs.seed}"]
    numbers = " ".join(f"{p.spacing_pix:g},{p.result.efficiency_worst:.4f}" for p in curve)
    draw = partial(curves.draw_tradeoff, points=curve, facts=facts)
    return PlotSpec(draw=draw, size_in=curves.TRADEOFF_IN, numbers=numbers)


def _spec_fit(kind: Picture, inputs: GroupInputs, measured: Path | None) -> PlotSpec:
    from aptdither.optics.pointing_fit import fit_dithers, read_measurements
    from aptdither.report.plots import curves
    from aptdither.report.plots.captions import aperture_words

    if measured is None:
        raise UsageError(f"{kind} needs --measured FILE, the table that `aptdither fit` reads")
    aperture, element = fit_setup(inputs.setup).optics()
    at = (aperture.x_ref_pix, aperture.y_ref_pix)
    fits = [fit_dithers(one, aperture) for one in read_measurements(measured, at=at)]
    counts = ", ".join(str(len(found.positions_pix)) for found in fits)
    facts = [aperture_words(aperture), element.name, f"N = {counts}"]
    numbers = " ".join(f"A={found.isr.a:.4f},B={found.isr.b:.4f}" for found in fits)
    if kind is Picture.SCALE:
        draw = partial(curves.draw_solutions, fits=fits, facts=facts)
        return PlotSpec(draw=draw, size_in=curves.SCALE_IN, numbers=numbers)
    if len(fits) > MOST_FITS:
        raise UsageError(f"{measured} has {len(fits)} datasets; fit shows at most {MOST_FITS}")
    draw = partial(curves.draw_fits, fits=fits, facts=facts)
    return PlotSpec(draw=draw, size_in=curves.size_of_fit(fits), numbers=numbers)
