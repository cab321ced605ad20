"""The picture of a pattern: offsets on the pixel grid, phases, and the POS TARGs as a table.

After figures 6 to 11 of ISR WFC3 2016-14, with the outlines for any region and the efficiency.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aptdither.planning.evaluation import DitherGroup
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.format import decimals
from aptdither.report.plots.captions import facts_of, label_of, name_of
from aptdither.report.plots.geometry import (
    center_of,
    clusters_of,
    offsets_over,
    outline,
)
from aptdither.report.plots.style import (
    FAINT,
    INK,
    PAPER,
    SERIES,
    SMALL_PT,
    closed,
    label_points,
    pixel_grid,
    plain,
    stamp,
)
from aptdither.types import FloatArray

WIDTH_IN = 10.6
HEIGHT_IN = 4.2
_ROW_IN = 0.17  # height of a row of the table
_MARGIN_PIX = 0.9  # around the offsets, at least
_MARGIN_PART = 0.1
#: Part of the neighbouring pixels that is shown around one pixel.
BORDER = 0.25
_SAME_PLACE_PIX = 0.02  # phases so close get one label


def size_of(group: DitherGroup) -> tuple[float, float]:
    """Return the size of the picture, inches: long tables make it higher."""
    return WIDTH_IN, max(HEIGHT_IN, (len(group.points) + 14) * _ROW_IN)


def draw_layout(figure: Figure, group: DitherGroup) -> None:
    """Draw the three panels of a group."""
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.92))
    draw_offsets(left, group)
    draw_phases(middle, group)
    for axes in (left, middle):
        axes.set_anchor("N")
    draw_table(right, group)
    stamp(figure, name_of(group), facts_of(group))


def draw_offsets(axes: Axes, group: DitherGroup) -> None:
    """Draw the offsets in pixels with the borders of the pixels."""
    center, border = _centre_and_border(group)
    everything = np.concatenate([center, border.reshape(-1, 2)])
    low, high = everything.min(axis=0), everything.max(axis=0)
    reach = float((high - low).max())
    half = reach / 2 + max(_MARGIN_PIX, _MARGIN_PART * reach)
    middle = (low + high) / 2
    pixel_grid(axes, middle - half, middle + half)
    axes.plot(*center.T, color=FAINT, linewidth=0.8, zorder=1)
    _draw_outlines(axes, border, alpha=1.0)
    _draw_points(axes, center, clusters_of(group))
    label_points(
        axes,
        center,
        [label_of(point) for point in group.points],
        np.concatenate([_along(center), border.reshape(-1, 2)]),
        reach=0.11 * half,
    )
    axes.set_title("Offsets" + (f"; outlines: {_outline_words(group)}" if len(border) else ""))
    axes.set_xlabel("Δx, pixels")
    axes.set_ylabel("Δy, pixels")


def draw_phases(axes: Axes, group: DitherGroup) -> None:
    """Draw one pixel and a part of its neighbours with the phases of all exposures."""
    center, border = _centre_and_border(group)
    whole = np.floor(center - PIXEL_START)
    center, border = center - whole, border - whole[None]
    draw_pixel(axes, BORDER)
    for shift in product((-1, 0, 1), repeat=2):
        alpha = 1.0 if shift == (0, 0) else 0.35
        _draw_outlines(axes, border + np.array(shift), alpha=alpha)
    draw_repeated(axes, center, clusters_of(group))
    places, labels = merged(center, group)
    # Obstacles come from the neighbouring pixels as well.
    shifts = np.array(list(product((-1, 0, 1), repeat=2)), dtype=float)
    around = (np.concatenate([center, border.reshape(-1, 2)])[None] + shifts[:, None]).reshape(
        -1, 2
    )
    middle = PIXEL_START + 0.5
    near = around[np.all(np.abs(around - middle) < 0.5 + BORDER, axis=1)]
    label_points(axes, places, labels, near, reach=0.075)
    axes.set_title("Phases in one pixel" + ("; ○ upper right of the region" if len(border) else ""))
    axes.set_xlabel("x phase, pixels")
    axes.set_ylabel("y phase, pixels")


def draw_pixel(axes: Axes, border: float) -> None:
    """Draw the square of one pixel, with `border` of its neighbours around it."""
    low, high = PIXEL_START, 1 + PIXEL_START
    axes.plot([low, high, high, low, low], [low, low, high, high, low], color=INK, zorder=1)
    for line in (axes.axvline, axes.axhline):
        for phase in (0.0, 0.5):
            line(phase, color=FAINT, linewidth=0.6, linestyle=(0, (1, 2)), zorder=0)
    axes.set_xlim(low - border, high + border)
    axes.set_ylim(low - border, high + border)
    axes.set_aspect("equal")
    axes.set_xticks([0, 0.25, 0.5, 0.75])
    axes.set_yticks([0, 0.25, 0.5, 0.75])


def draw_repeated(axes: Axes, phases: FloatArray, series: FloatArray, size: float = 26.0) -> None:
    """Draw phases (N, 2) of one pixel, filled, and hollow in the neighbouring pixels."""
    for shift in product((-1, 0, 1), repeat=2):
        _draw_points(axes, phases + np.array(shift), series, is_filled=shift == (0, 0), size=size)


def draw_table(axes: Axes, group: DitherGroup) -> None:
    """Write offsets and POS TARGs, and the coverage below them."""
    axes.set_axis_off()
    axes.set_title("POS TARGs as written")
    rows = [
        f"{label_of(p):>5} {decimals(p.dx_pix):>8} {decimals(p.dy_pix):>8}"
        f" {decimals(p.pos_targ.x_arcsec):>9} {decimals(p.pos_targ.y_arcsec):>8}"
        for p in group.points
    ]
    center, worst = group.coverage.center, group.coverage.worst
    lines = [
        f"{'Exp.':>5} {'Δx':>8} {'Δy':>8} {'X':>9} {'Y':>8}",
        f"{'':>5} {'pixels':>8} {'pixels':>8} {'arcsec':>9} {'arcsec':>8}",
        "",
        *rows,
        "",
        f"{'Coverage':24} {'centre':>8} {'worst':>8}",
        f"{'efficiency E':24} {center.efficiency:8.3f} {worst.efficiency:8.3f}",
        f"{'packing distance d/d_N':24} {center.packing_of_limit:8.3f} {worst.packing_of_limit:8.3f}",
        f"{'largest hole, pixels':24} {center.hole:8.3f} {worst.hole:8.3f}",
        "",
        f"points at least {group.min_separation_pix:.1f} pixels apart,",
        f"the whole spans {group.span_pix:.1f} pixels",
    ]
    axes.text(
        0.0,
        1.0,
        "\n".join(map(plain, lines)),
        transform=axes.transAxes,
        family="DejaVu Sans Mono",
        fontsize=SMALL_PT,
        va="top",
        linespacing=1.45,
    )


def _along(points: FloatArray) -> FloatArray:
    """Return places (M, 2) along the path through points."""
    parts = np.linspace(0.0, 1.0, 12)[1:-1, None]
    pairs = pairwise(points)
    return np.reshape([one + (other - one) * parts for one, other in pairs], (-1, 2))


def _centre_and_border(group: DitherGroup) -> tuple[FloatArray, FloatArray]:
    """Return the offsets (N, 2) at the centre and (K, N, 2) along the border of the region.

    Clusters drift apart as a whole from place to place, by more than a phase; what has to hold
    together is each by itself (ISR section 7). So the border's offsets are those from the first
    exposure of the cluster.
    """
    center = offsets_over(group, center_of(group)[None])[0]
    places = outline(group)
    if not len(places):
        return center, np.empty((0, len(group.points), 2))
    border = offsets_over(group, places)
    series = clusters_of(group)
    for number in np.unique(series):
        members = series == number
        first = int(np.argmax(members))
        border[:, members] -= border[:, first, None] - center[first]
    return center, border


def _outline_words(group: DitherGroup) -> str:
    return "elsewhere, in each cluster" if group.clusters > 1 else "elsewhere in the region"


def _draw_outlines(axes: Axes, border: FloatArray, *, alpha: float) -> None:
    for j in range(border.shape[1] if len(border) else 0):
        if not _is_seen(axes, border[:, j]):
            continue
        axes.plot(*closed(border[:, j]).T, color=INK, linewidth=0.7, alpha=alpha, zorder=2)
        # The border begins at the upper right: which way an outline lies can be read from it.
        axes.scatter(
            border[0, j, 0],
            border[0, j, 1],
            s=9,
            facecolor=PAPER,
            edgecolor=INK,
            linewidth=0.7,
            alpha=alpha,
            zorder=3,
        )


def _is_seen(axes: Axes, points: FloatArray) -> bool:
    """Tell whether the box around points (K, 2) meets what the axes show."""
    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    return bool(np.all(points.max(axis=0) >= low) and np.all(points.min(axis=0) <= high))


def _draw_points(
    axes: Axes,
    points: FloatArray,
    series: FloatArray,
    *,
    is_filled: bool = True,
    size: float = 26.0,
) -> None:
    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    is_seen = np.all((points >= low) & (points <= high), axis=1)
    points, series = points[is_seen], series[is_seen]
    for number in np.unique(series):
        color, marker = SERIES[int(number) % len(SERIES)]
        axes.scatter(
            points[series == number][:, 0],
            points[series == number][:, 1],
            s=size,
            marker=marker,
            facecolor=color if is_filled else "none",
            edgecolor=color if is_filled else FAINT,
            linewidth=0.8,
            zorder=4 if is_filled else 3,
        )


def merged(
    phases: FloatArray, group: DitherGroup, same_place_pix: float = _SAME_PLACE_PIX
) -> tuple[FloatArray, list[str]]:
    """Return places and labels of phases (N, 2), those that coincide under one label."""
    kept: list[int] = []
    texts: list[str] = []
    for j, point in enumerate(group.points):
        step = phases[j] - phases[kept] if kept else np.empty((0, 2))
        near = np.flatnonzero(np.hypot(*(step - np.rint(step)).T) < same_place_pix)
        if len(near):
            texts[int(near[0])] += f", {label_of(point)}"
        else:
            kept.append(j)
            texts.append(label_of(point))
    return phases[kept], texts
