"""What distortion does over the detector: to a step, and to the phases of a pattern.

After figures 1 and 2 of ISR WFC3 2016-14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aptdither.dither.phases import wrap
from aptdither.dither.region import FieldPoints
from aptdither.optics.aperture import Aperture
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.plots import geometry, style
from aptdither.report.plots.pattern import draw_pixel, draw_repeated, labels_of, merged
from aptdither.report.plots.style import BLUE, INK, SMALL_PT, VERMILION
from aptdither.report.summary import decimals
from aptdither.types import FloatArray

#: Part of the neighboring pixels that the nine panels show.
NEIGHBORS = 0.4
_STEP_PANEL_IN = (4.8, 5.3)
_FIELD_IN = (8.2, 8.9)
#: The ISR's own example: ten pixels along each axis.
STEPS_PIX = ((10.0, 0.0), (0.0, 10.0))
_LONGEST_ARROW = 0.13  # of the aperture's side
_MAX_LABELS = 16
#: Phases so close get one label in the small panels.
_SAME_PLACE_PIX = 0.07
_SHORTEST_ARROW = 0.008
_INSIDE = 0.1
_ARROW = {
    "arrowstyle": "-|>",
    "color": BLUE,
    "linewidth": 1.3,
    "shrinkA": 0,
    "shrinkB": 0,
    "mutation_scale": 8,
}


def draw_distortion(
    figure: Figure, aperture: Aperture, steps_pix: Sequence[tuple[float, float]] = STEPS_PIX
) -> None:
    """Draw what steps (dx, dy), pixels, that are exact at the reference point become elsewhere."""
    figure.set_size_inches(len(steps_pix) * _STEP_PANEL_IN[0], _STEP_PANEL_IN[1])
    panels = np.atleast_1d(figure.subplots(1, len(steps_pix)))
    places = geometry.edges_and_corners(aperture)
    moves = [achieved(aperture, step, places) for step in steps_pix]
    worst = max(float(np.hypot(*(m - s).T).max()) for m, s in zip(moves, steps_pix, strict=True))
    borders = np.concatenate([border for _, border in geometry.chip_borders(aperture)])
    side = float(np.ptp(borders, axis=0).max())
    scale = _LONGEST_ARROW * side / max(worst, 1e-6)
    for axes, step, steps in zip(panels, steps_pix, moves, strict=True):
        _draw_step(axes, aperture, places, np.array(step), steps, scale, side)
    facts = (
        style.aperture_words(aperture),
        "numbers: the step there, pixels",
        f"arrows: its error, ×{scale:.0f}",
        "+: reference point",
    )
    style.stamp(figure, "Effect of distortion on a step", facts)


def achieved(aperture: Aperture, step_pix: tuple[float, float], places: FieldPoints) -> FloatArray:
    """Return what a step at the reference point is at places, pixels (P, 2)."""
    postarg = aperture.postarg_from_offset(*step_pix)
    steps = np.empty((len(places.chip), 2))
    for chip in aperture.chips:
        on = places.chip == chip.number
        at = (places.x_pix[on], places.y_pix[on])
        moved = aperture.offset_from_postarg(*postarg, at=at, chip=chip.number)
        steps[on] = np.stack(moved, axis=-1)
    return steps


def _draw_step(
    axes: Axes,
    aperture: Aperture,
    places: FieldPoints,
    step: FloatArray,
    steps: FloatArray,
    scale: float,
    side: float,
) -> None:
    drawn = [border for _, border in geometry.chip_borders(aperture)]
    borders = {chip.number: border for chip, border in zip(aperture.chips, drawn, strict=True)}
    for border in drawn:
        axes.plot(*style.closed(border).T, color=INK, linewidth=0.9)
    reference = FieldPoints.on_chip(aperture.reference_pix, aperture.chip().number)
    axes.plot(*geometry.on_picture(aperture, reference)[0], "+", color=VERMILION, markersize=8)
    errors = (steps - step) * scale
    located = geometry.on_picture(aperture, places)
    for location, number, moved, error in zip(located, places.chip, steps, errors, strict=True):
        # The places at the border are drawn a little inside, where the arrows have space.
        border = borders[int(number)]
        middle, size = (border.max(axis=0) + border.min(axis=0)) / 2, np.ptp(border, axis=0)
        at = location + np.sign(np.round(4 * (middle - location) / size)) * _INSIDE * size
        if np.hypot(*error) > _SHORTEST_ARROW * side:
            axes.annotate("", xy=at + error, xytext=at, arrowprops=_ARROW)
        axes.plot(*at, "o", color=INK, markersize=2.5)
        # The numbers are on the side to which the arrow does not point.
        up = 1 if error[1] < 0 else -1
        axes.text(
            at[0],
            at[1] + up * 0.03 * side,
            ", ".join(map(decimals, moved)),
            ha="center",
            va="bottom" if up > 0 else "top",
            fontsize=SMALL_PT,
            bbox=style.LABEL_BOX,
        )
    worst = float(np.hypot(*(steps - step).T).max())
    axes.set_title(f"Step of ({step[0]:g}, {step[1]:g}) pixels: error up to {worst:.3f} pixels")
    geometry.frame_detector(axes, aperture, 0.04)


def draw_field(
    figure: Figure, group: DitherGroup, efficiency: FloatArray, packing: FloatArray
) -> None:
    """Draw the phases of a group at nine places of its region, with E and d/d_N (9,) there."""
    figure.set_size_inches(_FIELD_IN)
    places = geometry.nine_places(group)
    offsets = geometry.offsets_over(group, places)
    panels = figure.subplots(3, 3, sharex=True, sharey=True)
    for k, axes in enumerate(panels.flat):
        phases = wrap(offsets[k] - PIXEL_START) + PIXEL_START
        draw_pixel(axes, NEIGHBORS)
        draw_repeated(axes, phases, geometry.clusters_of(group), size=20.0)
        if len(phases) <= _MAX_LABELS:
            style.label_points(
                axes, *merged(phases, labels_of(group), _SAME_PLACE_PIX), phases, reach=0.11
            )
        chips = group.aperture.chips
        chip = f"{group.aperture.chip(int(places.chip[k])).name} " if len(chips) > 1 else ""
        axes.set_title(
            f"{chip}({places.x_pix[k]:.0f}, {places.y_pix[k]:.0f})   E {efficiency[k]:.3f}   "
            f"{style.PACKING} {packing[k]:.2f}",
            fontsize=SMALL_PT,
        )
        axes.label_outer()
    facts = ("square: one pixel", "hollow: the same phases in neighboring pixels")
    style.stamp(
        figure, f"{style.name_of(group)}, phases at nine places", (*style.facts_of(group), *facts)
    )
