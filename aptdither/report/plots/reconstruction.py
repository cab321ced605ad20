"""Stars at the worst place of each pattern, observed, combined and measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from aptdither.dither.reconstruction import HALF_FIELD_PIX, Reconstruction
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.plots.captions import facts_of, name_of
from aptdither.report.plots.style import COLOR_MAP, FAINT, SMALL_PT, VERMILION, plain, stamp

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


def size_of(count: int) -> tuple[float, float]:
    """Return the size of a picture of so many patterns, inches."""
    return max(count, 2) * PANEL_IN + 0.4, 2 * PANEL_IN + 1.9


def draw_reconstructions(
    figure: Figure,
    groups: Sequence[DitherGroup],
    images: Sequence[Reconstruction],
    facts: Sequence[str],
) -> None:
    """Draw for each pattern one star, all stars with whiskers, and what was measured.

    Parameters
    ----------
    figure : Figure
    groups : sequence of DitherGroup
        The patterns, a column each.
    images : sequence of Reconstruction
        Their stars.
    facts : sequence of str
        What was simulated.
    """
    panels = figure.subplots(2, len(groups), squeeze=False)
    for (star, field), group, image in zip(panels.T, groups, images, strict=True):
        _draw_star(star, image)
        _draw_whiskers(field, image)
        worst = group.coverage.worst.efficiency
        star.set_title(plain(name_of(group)) + f"\nworst E {worst:.2f}")
        field.set_xlabel(
            f"false ellipticity {image.false_ellipticity:.3f}\n"
            f"FWHM {image.fwhm_pix.mean():.2f} $\\pm$ {image.fwhm_scatter_pix:.3f} pix\n"
            f"peak $\\pm$ {image.peak_scatter:.1%}, centroid $\\pm$ {image.centroid_scatter_pix:.3f} pix",
            fontsize=SMALL_PT,
        )
    shared = [f for f in facts_of(groups[0]) if all(f in facts_of(group) for group in groups)]
    stamp(figure, "Stars at the worst place, drizzled", [*shared, *facts, LEGEND])


def _draw_star(axes: Axes, image: Reconstruction) -> None:
    """Draw the star nearest to the middle, its brightest pixel white."""
    middle = (np.array(image.image.shape) - 1) / 2
    x, y = image.stars[int(np.argmin(np.hypot(*(image.stars - middle).T)))]
    half = round(ZOOM_PIX / image.output_pix)
    column, row = round(float(x)), round(float(y))
    cut = image.image[row - half : row + half + 1, column - half : column + half + 1]
    axes.imshow(np.clip(cut / cut.max(), 0, 1) ** _GAMMA, origin="lower", cmap=COLOR_MAP)
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
