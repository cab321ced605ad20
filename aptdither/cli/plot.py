"""``aptdither plot``: pictures, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from aptdither.cli import pages
from aptdither.cli.inputs import (
    DEFAULT_APERTURE,
    DEFAULT_ELEMENT,
    GroupOption,
    PatternsOption,
    PlotInputs,
    PostargsOption,
    ProposalOption,
    VisitOption,
    groups_of,
    too_many,
    with_matplotlib,
)
from aptdither.cli.options import (
    EXIT_FINE,
    ApertureOption,
    CatalogOption,
    DistortionOption,
    ElementOption,
    ForceOption,
    SeedOption,
    SizeOption,
    exit_on_error,
    parse_pairs,
    parse_size_option,
    progress_bar,
    say,
    usage,
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
    """Add the commands to the application: pictures, and the pages and tables beside them."""
    app.command("plot")(plot)
    pages.register(app)


@exit_on_error
def plot(
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
    aperture: ApertureOption = DEFAULT_APERTURE,
    element: ElementOption = DEFAULT_ELEMENT,
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

    with with_matplotlib():
        from aptdither.report.plots.style import kind_of, render
    asked = PlotInputs(
        patterns=pattern or (),
        postargs=postargs or (),
        proposal=proposal,
        visit=visit,
        group=group,
        aperture=aperture,
        element=element,
        size=size,
        catalog=catalog,
        distortion=distortion,
        seed=seed,
    )
    file_kind = kind_of(output)
    files.check_output(output, force=force)
    match kind:
        case Picture.LAYOUT | Picture.FIELD | Picture.MAP:
            sketch = _sketch_groups(kind, asked)
        case Picture.DISTORTION:
            sketch = _sketch_distortion(asked, step)
        case Picture.TRADEOFF:
            sketch = _sketch_tradeoff(asked, n)
        case Picture.FIT | Picture.SCALE:
            sketch = _sketch_fit(kind, asked, measured)
    data = render(
        sketch.draw,
        sketch.size_in,
        file_kind,
        title=f"aptdither plot {kind}",
        description=sketch.numbers,
        dpi=dpi,
    )
    files.write_output(output, data, force=force)
    say(f"wrote {output}")
    return EXIT_FINE


# What pictures are of -----------------------------------------------------------------------------


def _sketch_groups(kind: Picture, asked: PlotInputs) -> PlotSpec:
    from aptdither.report.plots import field, maps
    from aptdither.report.plots import pattern as pattern_plot
    from aptdither.report.tables import coverage_sentence

    groups = groups_of(asked)
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
            raise too_many(groups, f"a map shows at most {MOST_MAPS} groups")
        draw = partial(maps.draw_maps, groups=groups)
        return PlotSpec(draw=draw, size_in=maps.size_of(groups), numbers=numbers)
    if len(groups) > 1:
        raise too_many(groups, f"{kind} shows one group")
    (group,) = groups
    if kind is Picture.FIELD:
        draw = partial(field.draw_field, group=group)
        return PlotSpec(draw=draw, size_in=field.FIELD_IN, numbers=numbers)
    draw = partial(pattern_plot.draw_layout, group=group)
    return PlotSpec(draw=draw, size_in=pattern_plot.size_of(group), numbers=numbers)


def _sketch_distortion(asked: PlotInputs, step: str) -> PlotSpec:
    from aptdither.optics.aperture import get_aperture
    from aptdither.report.plots import field

    steps = parse_pairs(step, "--step")
    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
    draw = partial(field.draw_distortion, aperture=aperture, steps_pix=steps)
    return PlotSpec(draw=draw, size_in=field.size_of_distortion(steps), numbers=f"steps {step}")


def _sketch_tradeoff(asked: PlotInputs, n: int) -> PlotSpec:
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.filters import get_element
    from aptdither.planning.choice import tradeoff_of
    from aptdither.report.plots import captions, curves

    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
        element = get_element(asked.element, aperture.config)
    size = parse_size_option(asked.size)
    with progress_bar("searching") as progress:
        curve = tradeoff_of(n, aperture, element, size, seed=asked.seed, progress=progress)
    facts = [*captions.setup_facts(aperture, element, n, size), f"seed {asked.seed}"]
    numbers = " ".join(f"{p.spacing_pix:g},{p.result.efficiency_worst:.4f}" for p in curve)
    draw = partial(curves.draw_tradeoff, points=curve, facts=facts)
    return PlotSpec(draw=draw, size_in=curves.TRADEOFF_IN, numbers=numbers)


def _sketch_fit(kind: Picture, asked: PlotInputs, measured: Path | None) -> PlotSpec:
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.pointing_fit import fit_dithers, read_measurements
    from aptdither.report.plots import curves

    if measured is None:
        raise UsageError(f"{kind} needs --measured FILE, the table that `aptdither fit` reads")
    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
    location = (aperture.x_ref_pix, aperture.y_ref_pix)
    fits = [fit_dithers(one, aperture) for one in read_measurements(measured, at=location)]
    counts = ", ".join(str(len(found.positions_pix)) for found in fits)
    facts = [f"{aperture.config} {aperture.name}", asked.element, f"N = {counts}"]
    numbers = " ".join(f"A={found.isr.a:.4f},B={found.isr.b:.4f}" for found in fits)
    if kind is Picture.SCALE:
        solutions = [
            curves.Solution(
                name=found.dataset,
                a=found.isr.a,
                b=found.isr.b,
                a_error=found.isr.a_error,
                b_error=found.isr.b_error,
            )
            for found in fits
        ]
        draw = partial(curves.draw_solutions, solutions=solutions, facts=facts)
        return PlotSpec(draw=draw, size_in=curves.SCALE_IN, numbers=numbers)
    if len(fits) > MOST_FITS:
        raise UsageError(f"{measured} has {len(fits)} datasets; fit shows at most {MOST_FITS}")
    tracks = [
        curves.StarPositions(
            name=found.dataset,
            labels=tuple(str(k + 1) for k in range(len(found.positions_pix))),
            predicted_pix=found.predicted_pix,
            observed_pix=found.positions_pix,
        )
        for found in fits
    ]
    draw = partial(curves.draw_fits, tracks=tracks, facts=facts)
    return PlotSpec(draw=draw, size_in=curves.size_of_fit(tracks), numbers=numbers)
