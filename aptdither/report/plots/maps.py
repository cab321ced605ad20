"""Maps of coverage over the detector, of one pattern or of several on one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aptdither.dither.coverage import evaluate
from aptdither.dither.phases import packing_limit
from aptdither.dither.views import View
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.plots.captions import facts_of, name_of
from aptdither.report.plots.geometry import center_of, corners_of, outline, steps_of
from aptdither.report.plots.style import (
    COLOR_MAP,
    MAP_INK,
    MAP_PAPER,
    SMALL_PT,
    closed,
    plain,
    stamp,
)
from aptdither.types import FloatArray, Region

PANEL_IN = 3.5
MARGIN_IN = (0.9, 1.0)
#: Places on a side of the map; contours between them are straight.
GRID = 15
_LEVELS = 11
_MOST_OWN_FACTS = 3
LEGEND = "dashed: the region,  +  its centre,  ×  its worst place"
#: A map that is flat to this is shown on a scale of this height, not as noise.
_LEAST_RANGE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One figure of coverage, and how a map names it."""

    name: str
    title: str


QUANTITIES = (
    Quantity(name="efficiency", title="De-aliasing efficiency E"),
    Quantity(name="packing", title="Packing distance over its limit, d/d_N"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldMap:
    """A figure over the whole readout (x, y by column and row) and over the region."""

    group: DitherGroup
    x_pix: FloatArray
    y_pix: FloatArray
    values: FloatArray
    center: float
    worst: float
    worst_pix: FloatArray


def size_of(groups: Sequence[DitherGroup]) -> tuple[float, float]:
    """Return the size of a picture of maps, inches."""
    return (
        len(QUANTITIES) * PANEL_IN + MARGIN_IN[0] * 2,
        len(groups) * (PANEL_IN + 0.25) + MARGIN_IN[1] / 2,
    )


def maps_of(group: DitherGroup, grid: int = GRID) -> dict[str, FieldMap]:
    """Return the maps of a group by the name of their quantity."""
    base = (group.base.x_arcsec, group.base.y_arcsec)
    whole = evaluate(
        steps_of(group), View(group.aperture, group.element, Region.full()), base=base, grid=grid
    )
    found = {}
    for quantity in QUANTITIES:
        scale = packing_limit(whole.n) if quantity.name == "packing" else 1.0
        over_region = getattr(group.coverage, quantity.name) / scale
        worst = int(np.argmin(over_region))
        field = group.coverage.field
        found[quantity.name] = FieldMap(
            group=group,
            x_pix=whole.field.x_pix[1:].reshape(grid, grid)[:, 0],
            y_pix=whole.field.y_pix[1:].reshape(grid, grid)[0],
            values=(getattr(whole, quantity.name)[1:] / scale).reshape(grid, grid),
            center=float(over_region[field.index_of_center]),
            worst=float(over_region[worst]),
            worst_pix=np.array([field.x_pix[worst], field.y_pix[worst]]),
        )
    return found


def draw_maps(figure: Figure, groups: Sequence[DitherGroup]) -> None:
    """Draw the maps of groups, a row each, every quantity on one scale for all of them."""
    panels = figure.subplots(len(groups), len(QUANTITIES), squeeze=False)
    maps = [maps_of(group) for group in groups]
    for column, quantity in zip(panels.T, QUANTITIES, strict=True):
        levels = levels_of([found[quantity.name].values for found in maps])
        for axes, found in zip(column, maps, strict=True):
            field_map = found[quantity.name]
            filled = draw_map(axes, field_map, levels)
            axes.set_title(f"{head_of(field_map, groups)}{quantity.title}\n{numbers_of(field_map)}")
        bar = figure.colorbar(filled, ax=list(column), shrink=0.9, aspect=30 * len(groups))
        bar.ax.tick_params(labelsize=SMALL_PT)
    names = " and ".join(name_of(group) for group in groups)
    stamp(figure, f"Coverage over the detector, {names}", [*_shared_facts(groups), LEGEND])


def head_of(field_map: FieldMap, groups: Sequence[DitherGroup]) -> str:
    """Return the line above a panel that tells groups apart; nothing for one alone."""
    if len(groups) == 1:
        return ""
    shared = _shared_facts(groups)
    own = [fact for fact in facts_of(field_map.group) if fact not in shared]
    return plain(", ".join((name_of(field_map.group), *own[:_MOST_OWN_FACTS]))) + "\n"


def _shared_facts(groups: Sequence[DitherGroup]) -> list[str]:
    """Return what is true of all groups."""
    return [
        fact for fact in facts_of(groups[0]) if all(fact in facts_of(group) for group in groups)
    ]


def numbers_of(field_map: FieldMap) -> str:
    """Return the figures at the centre and the worst place of the region."""
    return f"centre {field_map.center:.3f}, worst {field_map.worst:.3f}"


def levels_of(values: Sequence[FloatArray]) -> FloatArray:
    """Return the levels of a scale that holds all the values."""
    low = min(float(value.min()) for value in values)
    high = max(float(value.max()) for value in values)
    if high - low < _LEAST_RANGE:
        low, high = low - _LEAST_RANGE / 2, high + _LEAST_RANGE / 2
    ticks = MaxNLocator(_LEVELS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    # Both figures end at 1, where there is nothing more to show.
    return np.asarray([tick for tick in ticks if tick <= 1 + 1e-9])


def draw_map(axes: Axes, field_map: FieldMap, levels: FloatArray) -> Any:
    """Draw one map with labelled contours, the region, its centre and its worst place."""
    values = field_map.values.T
    filled = axes.contourf(field_map.x_pix, field_map.y_pix, values, levels=levels, cmap=COLOR_MAP)
    filled.set_edgecolor("face")  # no seams between the levels
    lines = axes.contour(
        field_map.x_pix, field_map.y_pix, values, levels=levels, colors=MAP_INK, linewidths=0.5
    )
    for text in axes.clabel(lines, fontsize=SMALL_PT - 0.5, fmt="%.3g", colors=MAP_INK):
        text.set_bbox({"facecolor": MAP_PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.3})
    group = field_map.group
    border = outline(group)
    if len(border):
        axes.plot(*closed(border).T, color=MAP_PAPER, linewidth=2.6, clip_on=False)
        axes.plot(
            *closed(border).T, color=MAP_INK, linewidth=1.4, linestyle=(0, (4, 2)), clip_on=False
        )
    for location, marker in ((center_of(group), "+"), (field_map.worst_pix, "x")):
        for color, width in ((MAP_PAPER, 3.4), (MAP_INK, 1.5)):
            axes.plot(
                *location,
                marker=marker,
                color=color,
                markersize=9,
                markeredgewidth=width,
                clip_on=False,
                zorder=6,
            )
    low, high = corners_of(group.aperture)[[0, 2]]
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect("equal")
    axes.set_xlabel("detector x, pixels")
    axes.set_ylabel("detector y, pixels")
    return filled
