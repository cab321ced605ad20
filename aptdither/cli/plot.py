"""``aptdither plot``: pictures, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs, too_many_groups, with_plot_extra
from aptdither.cli.options import argument, option
from aptdither.errors import UsageError

#: Most rows of a figure.
MOST_ROWS = 4


class Picture(StrEnum):
    """What ``plot`` draws."""

    LAYOUT = "layout"
    FIELD = "field"
    MAP = "map"
    RECONSTRUCTION = "reconstruction"
    DISTORTION = "distortion"
    TRADEOFF = "tradeoff"
    FIT = "fit"
    SCALE = "scale"
    LIMITS = "limits"


#: A figure before it is drawn: how to, and its numbers for the metadata.
PlotSpec: TypeAlias = tuple[Callable[[Any], None], str]


def draw_plot(
    inputs: GroupInputs,
    kind: Picture = argument(
        ...,
        "layout: offsets, phases and POS TARGs. field: phases at nine positions. map: "
        "coverage over the detector. reconstruction: stars at the worst place, drizzled and "
        "measured. distortion: how a step varies over the detector. "
        "tradeoff: coverage against spacing. fit: predicted and observed positions. scale: A "
        "and B of each dataset. limits: how close the tight patterns are to the best possible.",
    ),
    output: Path = option(..., "A .png, .svg or .pdf file.", "FILE", names="-o --output"),
    step: str = option("10,0 0,10", "distortion: steps, pixels.", '"DX,DY ..."'),
    n: int = option(4, "tradeoff: number of points.", names="-n", min=2),
    measured: Path | None = option(None, "fit, scale: table as for aptdither fit.", "FILE"),
    errors: bool = option(False, "reconstruction: with pointing errors and stars of S/N 100."),
    dpi: int = option(160, "Pixels per inch of a PNG.", min=50, max=600),
    force: bool = opt.FORCE,
) -> None:
    """Draw a figure as PNG, SVG or PDF."""
    from aptdither.io import files

    with with_plot_extra():
        from aptdither.report.plots.style import kind_of, render
    file_kind = kind_of(output)
    files.check_output(output, force=force)
    match kind:
        case Picture.LAYOUT | Picture.FIELD | Picture.MAP:
            draw, numbers = _spec_groups(kind, inputs)
        case Picture.RECONSTRUCTION:
            draw, numbers = _spec_reconstruction(inputs, errors=errors)
        case Picture.DISTORTION:
            draw, numbers = _spec_distortion(inputs, step)
        case Picture.TRADEOFF:
            draw, numbers = _spec_tradeoff(inputs, n)
        case Picture.FIT | Picture.SCALE:
            draw, numbers = _spec_fit(kind, inputs, measured)
        case Picture.LIMITS:
            draw, numbers = _spec_limits(inputs)
    data = render(
        draw,
        file_kind,
        title=f"aptdither plot {kind}",
        description=numbers,
        dpi=dpi,
    )
    opt.write_file(output, data, force=force)


def _spec_groups(kind: Picture, inputs: GroupInputs) -> PlotSpec:
    from aptdither.planning.evaluation import coverage_at, coverage_map
    from aptdither.report.plots import field, maps
    from aptdither.report.plots import pattern as pattern_plot
    from aptdither.report.plots.geometry import nine_places
    from aptdither.report.summary import coverage_sentence

    groups = inputs.groups(with_plan=True)
    numbers = "; ".join(
        coverage_sentence(group)
        + ": "
        + " ".join(
            f"{point.pos_targ.x_arcsec:.3f},{point.pos_targ.y_arcsec:.3f}" for point in group.points
        )
        for group in groups
    )
    if kind is Picture.MAP:
        if len(groups) > MOST_ROWS:
            raise too_many_groups(groups, f"a map shows at most {MOST_ROWS} groups")
        coverages = [coverage_map(group, maps.GRID) for group in groups]
        draw = partial(maps.draw_maps, groups=groups, coverages=coverages)
        return draw, numbers
    if kind is Picture.FIELD and len(groups) > 1:
        raise too_many_groups(groups, "field shows one group")
    group = groups[0]
    alike = {
        (one.aperture.name, one.region, one.base, tuple(point.pos_targ for point in one.points))
        for one in groups
    }
    if len(alike) > 1:
        raise too_many_groups(groups, "layout shows groups of one aperture at the same pointings")
    if kind is Picture.FIELD:
        efficiency, packing = coverage_at(group, nine_places(group))
        draw = partial(field.draw_field, group=group, efficiency=efficiency, packing=packing)
        return draw, numbers
    return lambda figure: pattern_plot.draw_layout(figure, *groups), numbers


def _spec_reconstruction(inputs: GroupInputs, *, errors: bool) -> PlotSpec:
    from aptdither.planning.evaluation import reconstruct_group
    from aptdither.report.plots import sky

    groups = inputs.groups(with_plan=True)
    if len(groups) > MOST_ROWS:
        raise too_many_groups(groups, f"reconstruction shows at most {MOST_ROWS} groups")
    images = [reconstruct_group(group, errors=errors, seed=inputs.seed) for group in groups]
    facts = (
        ["HST's pointing errors, star S/N 100 per exposure"] if errors else ["no noise or errors"]
    )
    numbers = "; ".join(
        f"{group.choice.name} false ellipticity {image.false_ellipticity:.4f}"
        for group, image in zip(groups, images, strict=True)
    )
    draw = partial(sky.draw_reconstructions, groups=groups, images=images, facts=facts)
    return draw, numbers


def _spec_distortion(inputs: GroupInputs, step: str) -> PlotSpec:
    from aptdither.report.plots import field

    steps = opt.parse_pairs(step, "--step")
    aperture, _ = inputs.optics()
    draw = partial(field.draw_distortion, aperture=aperture, steps_pix=steps)
    return draw, f"steps {step}"


def _spec_tradeoff(inputs: GroupInputs, n: int) -> PlotSpec:
    from aptdither.report.plots import curves, style

    with opt.progress_bar("searching") as progress:
        chooser = inputs.chooser(progress=progress)
        curve = chooser.tradeoff(n)
    setup = style.setup_facts(
        chooser.aperture, chooser.views[0].element, n, chooser.views[0].region
    )
    facts = [*setup, f"seed {inputs.seed}"]
    numbers = " ".join(f"{p.asked_spacing_pix:g},{p.efficiency_worst:.4f}" for p in curve)
    draw = partial(curves.draw_tradeoff, results=curve, facts=facts)
    return draw, numbers


def _spec_fit(kind: Picture, inputs: GroupInputs, measured: Path | None) -> PlotSpec:
    from aptdither.optics.pointing_fit import fit_dithers, read_measurements
    from aptdither.report.plots import curves
    from aptdither.report.plots.style import aperture_words

    if measured is None:
        raise UsageError(f"{kind} needs --measured FILE, the table that `aptdither fit` reads")
    aperture, element = inputs.optics(for_fit=True)
    at = aperture.reference_pix
    fits = [fit_dithers(one, aperture) for one in read_measurements(measured, at=at)]
    counts = ", ".join(str(len(fit.positions_pix)) for fit in fits)
    facts = [aperture_words(aperture), element.name, f"N = {counts}"]
    numbers = " ".join(f"A={fit.isr.a:.4f},B={fit.isr.b:.4f}" for fit in fits)
    if kind is Picture.SCALE:
        draw = partial(curves.draw_solutions, fits=fits, facts=facts)
        return draw, numbers
    if len(fits) > MOST_ROWS:
        raise UsageError(f"{measured} has {len(fits)} datasets; fit shows at most {MOST_ROWS}")
    draw = partial(curves.draw_fits, fits=fits, facts=facts)
    return draw, numbers


def _spec_limits(inputs: GroupInputs) -> PlotSpec:
    from aptdither.dither.catalog import load_catalog
    from aptdither.dither.optimizer.limits import POINTS, TIGHT, closeness
    from aptdither.report.plots import curves

    if any((inputs.aperture, inputs.element, inputs.views, inputs.size, inputs.snr)):
        raise UsageError(
            "limits takes no option about what is seen but --config: each pattern is shown for the "
            "aperture, spectral element and region that it is designed for"
        )
    shown = {
        name: family for name, family in TIGHT.items() if inputs.config in (None, *family.configs)
    }
    if not shown:
        allowed = ", ".join(family.configs[0] for family in TIGHT.values())
        raise UsageError(f"limits has no detector {inputs.config}; allowed: {allowed}")
    catalog, detectors = load_catalog(), {}
    for name, family in shown.items():
        title = f"{family.configs[0]}: {family.few[0]} (2 and 3 points), {family.many[0]}"
        detectors[title] = [closeness(catalog.get(f"{name}-{n}"), family.views(n)) for n in POINTS]
    numbers = "; ".join(
        f"{title}: "
        + " ".join(",".join(f"{value:.4f}" for value in astuple(one)[1:]) for one in found)
        for title, found in detectors.items()
    )
    draw = partial(curves.draw_limits, detectors=detectors)
    return draw, numbers
