"""The sky as exposures see it: a visit's footprints, and stars drizzled from a pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from aptdither.dither.reconstruction import HALF_FIELD_PIX, Reconstruction
from aptdither.optics.aperture import Aperture
from aptdither.optics.siaf import sky_from_ideal
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.plots import style
from aptdither.report.plots.geometry import footprints
from aptdither.report.plots.style import FAINT, INK, SMALL_PT, VERMILION
from aptdither.types import FloatArray, PosTarg

PANEL_IN = 2.6
#: Half of the side of the picture of one star, detector pixels.
ZOOM_PIX = 4.0
#: A whisker of this length, detector pixels, is a false ellipticity of `WHISKER_ELLIPTICITY`.
WHISKER_PIX, WHISKER_ELLIPTICITY = 4.0, 0.03
#: The stretch of a star: faint parts are drawn with the square root.
_GAMMA = 0.5
LEGEND = (
    f"whiskers: false ellipticity of each star, {WHISKER_PIX:g} pixels long for "
    f"{WHISKER_ELLIPTICITY:g}"
)


def orients_of(group: DitherGroup) -> tuple[tuple[float, float], ...]:
    """Return the ranges of ORIENT that a group's visit allows, degrees; empty for any."""
    visit = group.exposures.visit
    return () if visit is None else visit.orients_deg


def orient_in_words(group: DitherGroup) -> str:
    """Return at which ORIENT the footprints are drawn, and which are allowed."""
    ranges = orients_of(group)
    if not ranges:
        return "the visit allows any ORIENT; drawn at 0"
    allowed = " or ".join(f"{low:g} to {high:g}" for low, high in ranges)
    return f"drawn at ORIENT {_drawn_orient(group):g}; dashed: the ends of the allowed {allowed}"


def _drawn_orient(group: DitherGroup) -> float:
    """Return the middle of the first range of ORIENT, which may pass through 0 degrees."""
    low, high = (orients_of(group) or ((0.0, 0.0),))[0]
    return (low + ((high - low) % 360) / 2) % 360


def draw_sky(axes: Axes, groups: Sequence[DitherGroup]) -> None:
    """Draw the footprints of groups of one visit: east to the left, the target at the origin."""
    orient = _drawn_orient(groups[0])
    ends = [end for ends in orients_of(groups[0]) for end in ends if ends[0] != ends[1]]
    drawn: dict[object, str] = {}
    for group in groups:
        color = style.SERIES[len(drawn) % len(style.SERIES)][0]
        color = drawn.setdefault(group.aperture.name, color)
        for end in ends:
            for border in _on_sky(group.aperture, group.points[0].pos_targ, end):
                axes.plot(*border.T, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
        for point in group.points:
            for border in _on_sky(group.aperture, point.pos_targ, orient):
                axes.plot(*border.T, color=color, linewidth=0.8)
    axes.plot(0, 0, "+", color=INK, markersize=8)
    for name, color in drawn.items():
        axes.plot([], [], color=color, label=name)
    axes.legend(fontsize=SMALL_PT, loc="lower left", frameon=False)
    style.dotted_grid(axes)
    axes.set(xlabel="east of the target, arcsec", ylabel="north of the target, arcsec")
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)
    axes.invert_xaxis()


def _on_sky(aperture: Aperture, pos_targ: PosTarg, orient_deg: float) -> list[FloatArray]:
    """Return each chip's footprint, closed, arcsec east and north of the target."""
    angle = aperture.frame.y_axis_angle(orient_deg)
    borders = []
    for border in footprints(aperture):
        ideal = (border - pos_targ.xy_arcsec).T
        ra, dec = sky_from_ideal(*ideal, y_angle_deg=angle, ra_deg=0.0, dec_deg=0.0)
        east = (ra + 180) % 360 - 180
        borders.append(style.closed(np.stack([east, dec], axis=-1) * 3600))
    return borders


def draw_reconstructions(
    figure: Figure,
    groups: Sequence[DitherGroup],
    images: Sequence[Reconstruction],
    facts: Sequence[str],
) -> None:
    """Draw for each pattern, a column each, one star, all stars with whiskers, and their measures.

    The facts are what was simulated.
    """
    figure.set_size_inches(max(len(groups), 2) * PANEL_IN + 0.4, 2 * PANEL_IN + 1.9)
    panels = figure.subplots(2, len(groups), squeeze=False)
    for (star, field), group, image in zip(panels.T, groups, images, strict=True):
        _draw_star(star, image)
        _draw_whiskers(field, image)
        worst = group.coverage.worst.efficiency
        star.set_title(style.plain(style.name_of(group)) + f"\nworst E {worst:.2f}")
        field.set_xlabel(
            f"false ellipticity {image.false_ellipticity:.3f}\n"
            f"FWHM {image.fwhm_pix.mean():.2f} $\\pm$ {image.fwhm_scatter_pix:.3f} pix\n"
            f"peak $\\pm$ {image.peak_scatter:.1%}, centroid $\\pm$ {image.centroid_scatter_pix:.3f} pix",
            fontsize=SMALL_PT,
        )
    style.stamp(
        figure, "Stars at the worst place, drizzled", [*style.shared_facts(groups), *facts, LEGEND]
    )


def _draw_star(axes: Axes, image: Reconstruction) -> None:
    """Draw the star nearest to the middle, its brightest pixel white."""
    middle = (np.array(image.image.shape) - 1) / 2
    x, y = image.stars[int(np.argmin(np.hypot(*(image.stars - middle).T)))]
    half = round(ZOOM_PIX / image.output_pix)
    column, row = round(float(x)), round(float(y))
    cut = image.image[row - half : row + half + 1, column - half : column + half + 1]
    axes.imshow(np.clip(cut / cut.max(), 0, 1) ** _GAMMA, origin="lower", cmap=style.COLOR_MAP)
    axes.set(xticks=[], yticks=[])


def _draw_whiskers(axes: Axes, image: Reconstruction) -> None:
    """Draw a whisker at each star: along the axis that is too long, as long as it is wrong."""
    places = image.stars * image.output_pix - HALF_FIELD_PIX
    wrong = image.ellipticity - image.ellipticity.mean(axis=0)
    angle = 0.5 * np.arctan2(wrong[:, 1], wrong[:, 0])
    length = np.hypot(*wrong.T) / WHISKER_ELLIPTICITY * WHISKER_PIX
    half = 0.5 * length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    for place, step in zip(places, half, strict=True):
        axes.add_patch(Circle(tuple(place), 0.6, facecolor="none", edgecolor=FAINT, linewidth=0.5))
        ends = np.stack([place - step, place + step], axis=-1)
        axes.plot(*ends, color=VERMILION, linewidth=1.4, solid_capstyle="round")
    limits = (-HALF_FIELD_PIX, HALF_FIELD_PIX)
    axes.set(xlim=limits, ylim=limits, aspect="equal", xticks=[], yticks=[])
