"""What distortion does over the detector: to a step, and to the phases of a pattern.

After figures 1 and 2 of ISR WFC3 2016-14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aptdither.dither.phases import packing_distance, packing_limit, wrap
from aptdither.dither.region import FieldPoints
from aptdither.dither.views import View, band_at
from aptdither.optics.aperture import Aperture
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.plots.captions import facts_of, name_of
from aptdither.report.plots.geometry import (
    INSET_PIX,
    clusters_of,
    corners_of,
    nine_places,
    offsets_over,
)
from aptdither.report.plots.pattern import draw_pixel, draw_repeated, merged
from aptdither.report.plots.style import BLUE, INK, SMALL_PT, VERMILION, label_points, stamp
from aptdither.types import FloatArray

#: Part of the neighbouring pixels that the nine panels show.
NEIGHBOURS = 0.4
_STEP_PANEL_IN = (4.8, 5.3)
FIELD_IN = (8.2, 8.9)
#: The ISR's own example: ten pixels along each axis.
STEPS_PIX = ((10.0, 0.0), (0.0, 10.0))
_LONGEST_ARROW = 0.13  # of the readout's side
_MOST_LABELS = 16
#: Phases so close get one label in the small panels.
_SAME_PLACE_PIX = 0.07
_LEAST_ARROW = 0.008
_INSIDE = 0.1
_ARROW = {
    "arrowstyle": "-|>",
    "color": BLUE,
    "linewidth": 1.3,
    "shrinkA": 0,
    "shrinkB": 0,
    "mutation_scale": 8,
}


def size_of_distortion(steps_pix: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the size of the picture of steps, inches."""
    return len(steps_pix) * _STEP_PANEL_IN[0], _STEP_PANEL_IN[1]


def draw_distortion(
    figure: Figure, aperture: Aperture, steps_pix: Sequence[tuple[float, float]] = STEPS_PIX
) -> None:
    """Draw what steps that are exact at the fiducial point become elsewhere.

    Parameters
    ----------
    figure : Figure
    aperture : Aperture
    steps_pix : sequence of (dx, dy)
        One panel each, pixels.
    """
    panels = np.atleast_1d(figure.subplots(1, len(steps_pix)))
    places = edges_and_corners(aperture)
    found = [achieved(aperture, step, places) for step in steps_pix]
    errors = [steps - np.array(step) for steps, step in zip(found, steps_pix, strict=True)]
    side = float(np.ptp(corners_of(aperture), axis=0).max())
    worst = max(float(np.hypot(*error.T).max()) for error in errors)
    scale = _LONGEST_ARROW * side / max(worst, 1e-6)
    for axes, step, steps in zip(panels, steps_pix, found, strict=True):
        _draw_step(axes, aperture, places, step, steps, scale)
    stamp(
        figure,
        "What distortion makes of a step",
        (
            f"{aperture.config} {aperture.name}",
            "numbers: the step achieved, pixels",
            f"arrows: its error, {scale:.0f} times enlarged",
        ),
    )


def achieved(aperture: Aperture, step_pix: tuple[float, float], places: FloatArray) -> FloatArray:
    """Return what a step at the fiducial point is at places (P, 2), pixels (P, 2)."""
    x_arcsec, y_arcsec = aperture.postarg_from_offset(*step_pix)
    dx, dy = aperture.offset_from_postarg(x_arcsec, y_arcsec, at=(places[:, 0], places[:, 1]))
    return np.stack([dx, dy], axis=-1)


def edges_and_corners(aperture: Aperture) -> FloatArray:
    """Return the middle, edges and corners (9, 2) of what is read, a little inside, pixels."""
    low, high = corners_of(aperture)[[0, 2]]
    reach = (high - low) / 2 - np.minimum(INSET_PIX, (high - low) / 8)
    steps = np.array([(x, y) for y in (1, 0, -1) for x in (-1, 0, 1)], dtype=float)
    return np.asarray((low + high) / 2 + steps * reach)


def _draw_step(
    axes: Axes,
    aperture: Aperture,
    places: FloatArray,
    step: tuple[float, float],
    steps: FloatArray,
    scale: float,
) -> None:
    low, high = corners_of(aperture)[[0, 2]]
    side = float((high - low).max())
    axes.plot(*_closed_box(low, high), color=INK, linewidth=0.9)
    axes.plot(aperture.x_ref_pix, aperture.y_ref_pix, "+", color=VERMILION, markersize=8)
    errors = (steps - step) * scale
    for location, moved, error in zip(places, steps, errors, strict=True):
        # What belongs to the border's places stands a little inside of it.
        at = location + np.sign(np.round((low + high) / 2 - location)) * _INSIDE * side
        if np.hypot(*error) > _LEAST_ARROW * side:
            axes.annotate("", xy=at + error, xytext=at, arrowprops=_ARROW)
        axes.plot(*at, "o", color=INK, markersize=2.5)
        # The numbers stand where the arrow does not point.
        up = 1 if error[1] < 0 else -1
        axes.text(
            at[0],
            at[1] + up * 0.03 * side,
            f"{moved[0]:.3f}, {moved[1]:.3f}".replace("-0.000", "0.000"),
            ha="center",
            va="bottom" if up > 0 else "top",
            fontsize=SMALL_PT,
        )
    worst = float(np.hypot(*(steps - step).T).max())
    axes.set_title(f"A step of ({step[0]:g}, {step[1]:g}) pixels: off by up to {worst:.3f} pixels")
    margin = 0.04 * side
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal")
    axes.set_xlabel("detector x, pixels")
    axes.set_ylabel("detector y, pixels")


def _closed_box(low: FloatArray, high: FloatArray) -> FloatArray:
    return np.array(
        [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]), tuple(low)]
    ).T


def draw_field(figure: Figure, group: DitherGroup) -> None:
    """Draw the phases of a group at nine places of its region."""
    places = nine_places(group)
    offsets = offsets_over(group, places)
    view = View(group.aperture, group.element, group.region)
    efficiency = band_at(view, FieldPoints.on_chip(places)).efficiency(offsets)
    packing = packing_distance(offsets) / packing_limit(offsets.shape[1])
    series = clusters_of(group)
    panels = figure.subplots(3, 3, sharex=True, sharey=True)
    for k, axes in enumerate(panels.flat):
        phases = wrap(offsets[k] - PIXEL_START) + PIXEL_START
        draw_pixel(axes, NEIGHBOURS)
        draw_repeated(axes, phases, series, size=20.0)
        if len(phases) <= _MOST_LABELS:
            label_points(axes, *merged(phases, group, _SAME_PLACE_PIX), phases, reach=0.11)
        axes.set_title(
            f"({places[k][0]:.0f}, {places[k][1]:.0f})   E {efficiency[k]:.3f}   "
            f"d/d_N {packing[k]:.2f}",
            fontsize=SMALL_PT,
        )
    for axes in panels[-1]:
        axes.set_xlabel("x phase, pixels")
    for axes in panels[:, 0]:
        axes.set_ylabel("y phase, pixels")
    stamp(
        figure,
        f"{name_of(group)}, the phases at nine places",
        (*facts_of(group), "hollow: the same in neighbouring pixels"),
    )
