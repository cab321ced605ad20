"""Maps of coverage over the detector, of one pattern or of several on one color scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aptdither.dither.phases import packing_limit
from aptdither.dither.region import FieldPoints
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.plots import style
from aptdither.report.plots.geometry import chip_borders, frame_detector, on_picture, outline
from aptdither.report.plots.style import MAP_INK, MAP_PAPER, SMALL_PT
from aptdither.report.summary import place_in_words
from aptdither.types import FloatArray

if TYPE_CHECKING:
    from aptdither.dither.coverage import Coverage

PANEL_IN = 3.5
MARGIN_IN = (0.9, 1.0)
#: Places on a side of the map; contours between them are straight.
GRID = 15
_LEVELS = 11
_MAX_OWN_FACTS = 3
LEGEND = (
    "dashed: the region,  +  its center,  ×  its worst place,  white: not seen by all exposures"
)
#: A map that is flat to this is shown on a scale of this height, not as noise.
_MIN_RANGE = 0.005
#: Contour labels so close to the border, as part of the side, would be cut.
_LABEL_MARGIN = 0.06
#: Contour labels so close to each other, as part of the side, would overlap.
_LABELS_APART = 0.09

#: The figures that are mapped, with their titles.
QUANTITIES = {
    "efficiency": "De-aliasing efficiency E",
    "packing": f"Packing distance over its maximum, {style.PACKING}",
}
_LABEL_BOX: dict[str, Any] = {"facecolor": MAP_PAPER, "edgecolor": "none", "alpha": 0.8}


class FieldMap(NamedTuple):
    """A figure over the whole aperture, and its worst place in a group's region.

    Where each chip's grid is drawn (C, G, G, 2), by column and row, and its values (C, G, G); the
    worst place in words, and the figure at the region's center and there.
    """

    group: DitherGroup
    places: FloatArray
    values: FloatArray
    worst: float
    worst_place: FieldPoints
    where: str
    numbers: str


def maps_of(group: DitherGroup, whole: Coverage) -> dict[str, FieldMap]:
    """Return the maps of a group by the name of their quantity.

    `whole` is its coverage of the whole aperture, from
    :func:`~aptdither.planning.evaluation.coverage_map`.
    """
    field, chips = group.coverage.field, len(group.aperture.chips)
    # The first place is the center; then come the grids of the chips.
    side = isqrt((len(whole.field.x_pix) - 1) // chips)
    shape, grids = (chips, side, side), slice(1, 1 + chips * side * side)
    drawn = on_picture(group.aperture, whole.field)[grids].reshape(*shape, 2)
    maps = {}
    for name in QUANTITIES:
        scale = packing_limit(whole.n) if name == "packing" else 1.0
        over_region = getattr(group.coverage, name) / scale
        index = int(np.argmin(over_region))
        center, worst = float(over_region[0]), float(over_region[index])
        at = int(field.chip[index]), float(field.x_pix[index]), float(field.y_pix[index])
        where = place_in_words(group.aperture, *at)
        maps[name] = FieldMap(
            group=group,
            places=drawn,
            values=(getattr(whole, name)[grids] / scale).reshape(shape),
            worst=worst,
            worst_place=field.at([index]),
            where=where,
            numbers=f"center {center:.3f}, worst {worst:.3f} ({where})",
        )
    return maps


def draw_maps(figure: Figure, groups: Sequence[DitherGroup], coverages: Sequence[Coverage]) -> None:
    """Draw the maps of groups, a row each, every quantity on one scale for all of them.

    The coverages are of the whole aperture, one for each group.
    """
    width_in = len(QUANTITIES) * PANEL_IN + MARGIN_IN[0] * 2
    figure.set_size_inches(width_in, len(groups) * (PANEL_IN + 0.25) + MARGIN_IN[1] / 2)
    panels = figure.subplots(len(groups), len(QUANTITIES), squeeze=False)
    maps = [maps_of(*pair) for pair in zip(groups, coverages, strict=True)]
    shared = style.shared_facts(groups)
    for column, (name, heading) in zip(panels.T, QUANTITIES.items(), strict=True):
        levels = levels_of([of_group[name].values for of_group in maps])
        for axes, group, of_group in zip(column, groups, maps, strict=True):
            filled = draw_map(axes, of_group[name], levels)
            title = f"{heading}\n{of_group[name].numbers}"
            if len(groups) > 1:
                # Its name has the number of points already.
                own = [
                    f for f in style.facts_of(group) if f not in shared and f != f"N = {group.n}"
                ]
                above = filter(None, (style.name_of(group), ", ".join(own[:_MAX_OWN_FACTS])))
                title = "\n".join([*map(style.plain, above), title])
            axes.set_title(title)
        bar = figure.colorbar(filled, ax=list(column), shrink=0.9, aspect=30 * len(groups))
        bar.ax.tick_params(labelsize=SMALL_PT)
    what = f", {style.name_of(groups[0])}" if len(groups) == 1 else ""
    style.stamp(figure, f"Coverage over the detector{what}", [*shared, LEGEND])


def levels_of(values: Sequence[FloatArray]) -> FloatArray:
    """Return the levels of a scale that holds all the values."""
    low = min(float(value.min()) for value in values)
    high = max(float(value.max()) for value in values)
    if high - low < _MIN_RANGE:
        low = max(0.0, low - _MIN_RANGE / 2)
        high = max(high + _MIN_RANGE / 2, low + _MIN_RANGE)
    ticks = MaxNLocator(_LEVELS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    # Both figures lie between 0 and 1.
    return np.asarray([tick for tick in ticks if -1e-9 <= tick <= 1 + 1e-9])


def draw_map(axes: Axes, field_map: FieldMap, levels: FloatArray) -> Any:
    """Draw one map with labeled contours, the region, its center and its worst place."""
    group, aperture = field_map.group, field_map.group.aperture
    for places, values, (name, border) in zip(
        field_map.places, field_map.values, chip_borders(aperture), strict=True
    ):
        grid = (places[..., 0], places[..., 1], values)
        filled = axes.contourf(*grid, levels=levels, cmap=style.COLOR_MAP)
        filled.set_edgecolor("face")  # no seams between the levels
        lines = axes.contour(*grid, levels=levels, colors=MAP_INK, linewidths=0.5)
        low, high = border.min(axis=0), border.max(axis=0)
        shown = np.empty((0, 2))
        for text in axes.clabel(lines, fontsize=SMALL_PT - 0.5, fmt="%.3g", colors=MAP_INK):
            text.set_bbox({**_LABEL_BOX, "pad": 0.3})
            part = (np.array(text.get_position()) - low) / (high - low)
            is_inside = np.all(np.abs(part - 0.5) < 0.5 - _LABEL_MARGIN)
            is_free = np.all(np.hypot(*(shown - part).T) > _LABELS_APART)
            text.set_visible(bool(is_inside and is_free))
            if is_inside and is_free:
                shown = np.vstack([shown, part])
        if len(field_map.values) > 1:
            corner = border[len(border) // 2]  # the upper right one
            label = axes.annotate(name, tuple(corner), (-4, -9), textcoords="offset points")
            label.set(fontsize=SMALL_PT, ha="right", va="top", color=MAP_INK, zorder=7)
            label.set_bbox({**_LABEL_BOX, "pad": 1})
    for places in outline(group):
        line = style.closed(on_picture(aperture, places)).T
        axes.plot(*line, color=MAP_PAPER, linewidth=2.6, clip_on=False)
        axes.plot(*line, color=MAP_INK, linewidth=1.4, linestyle=(0, (4, 2)), clip_on=False)
    mark: dict[str, Any] = {"markersize": 9, "clip_on": False, "zorder": 6}
    for place, marker in ((group.coverage.field.center, "+"), (field_map.worst_place, "x")):
        at = on_picture(aperture, place)[0]
        for color, width in ((MAP_PAPER, 3.4), (MAP_INK, 1.5)):
            axes.plot(*at, marker=marker, color=color, markeredgewidth=width, **mark)
    frame_detector(axes, aperture, 0.0 if len(aperture.chips) == 1 else 0.03)
    return filled
