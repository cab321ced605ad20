"""The picture of a pattern: offsets on the pixel grid, phases, and the POS TARGs as a table.

After figures 6 to 11 of ISR WFC3 2016-14, with outlines for any region, and the efficiency.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aptdither.planning.evaluation import DitherGroup
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.plots import style
from aptdither.report.plots.geometry import clusters_of, offsets_over, outline
from aptdither.report.plots.style import BLUE, FAINT, INK, PAPER
from aptdither.report.summary import FIGURES, decimals, figures
from aptdither.types import FloatArray

WIDTH_IN = 10.6
HEIGHT_IN = 4.6
_ROW_IN = 0.17  # height of a row of the table
_OTHER_ROWS = 17
_MARGIN_PIX = 0.9  # around the offsets, at least
_MARGIN_PART = 0.1
#: Part of the neighboring pixels that is shown around one pixel.
BORDER = 0.25
_SAME_PLACE_PIX = 0.02  # phases so close get one label
_PATH_STEPS = np.linspace(0.0, 1.0, 12)[1:-1, None]
_MAX_BORDERS = 24
_GRID_STEPS = (1, 5, 10, 50, 100, 500)
_DOTTED: dict[str, Any] = {"color": FAINT, "linewidth": 0.6, "linestyle": (0, (1, 2)), "zorder": 0}

#: The steps from a pixel to itself and to its neighbors.
NEIGHBORS = tuple(np.array(shift, dtype=float) for shift in product((-1, 0, 1), repeat=2))


def draw_layout(figure: Figure, *block: DitherGroup) -> None:
    """Draw the three panels of a group, or of groups that point alike with one aperture."""
    first = block[0]
    rows = len(first.points) + _OTHER_ROWS + (len(block) - 1) * (len(FIGURES) + 2)
    figure.set_size_inches(WIDTH_IN, max(HEIGHT_IN, rows * _ROW_IN))
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.92))
    draw_offsets(left, *block)
    draw_phases(middle, *block)
    left.set_title("Offsets")
    middle.set_title("Phases in one pixel (square)")
    for axes in (left, middle):
        axes.set_anchor("N")
    _draw_table(right, *block)
    dot: dict[str, Any] = {"marker": "o", "linestyle": ""}
    hollow = {**dot, "markerfacecolor": "none"}
    handles = [Line2D([], [], color=BLUE, markersize=5, label="region's center", **dot)]
    if outline(first):
        words = "rest of the region" + (", in each cluster" if first.clusters > 1 else "")
        handles += [
            Line2D([], [], color=INK, linewidth=0.7, label=f"outline: {words}"),
            Line2D([], [], color=INK, markersize=3, label="its upper right", **hollow),
        ]
    handles += [Line2D([], [], color=FAINT, label="phase in neighboring pixels", **hollow)]
    alike = zip(*map(style.facts_of, block), strict=True)
    facts = [" and ".join(dict.fromkeys(one)) for one in alike]
    style.stamp(figure, " + ".join(dict.fromkeys(map(style.name_of, block))), facts, handles)


def labels_of(*block: DitherGroup) -> list[str]:
    """Return the label of each point: the numbers of its exposures in each of the groups."""
    alike = zip(*(group.points for group in block), strict=True)
    return [", ".join(dict.fromkeys(map(style.label_of, points))) for points in alike]


def draw_offsets(axes: Axes, *block: DitherGroup) -> None:
    """Draw the offsets in pixels with the borders of the pixels."""
    center, borders = center_and_borders(block[0])
    half = frame_offsets(axes, _all_places(center, borders))
    axes.plot(*center.T, color=FAINT, linewidth=0.8, zorder=1)
    _draw_outlines(axes, borders, alpha=1.0)
    _draw_points(axes, center, clusters_of(block[0]))
    path = [one + (other - one) * _PATH_STEPS for one, other in pairwise(center)]
    obstacles = _all_places(np.reshape(path, (-1, 2)), borders)
    style.label_points(axes, center, labels_of(*block), obstacles, reach=0.11 * half)


def frame_offsets(axes: Axes, points: FloatArray) -> float:
    """Fix the axes around offsets (K, 2), with the borders of pixels; return half their side.

    With many borders only each fifth, tenth, ... is drawn.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    reach = float((high - low).max())
    half = reach / 2 + max(_MARGIN_PIX, _MARGIN_PART * reach)
    every = next((step for step in _GRID_STEPS if 2 * half <= _MAX_BORDERS * step), _GRID_STEPS[-1])
    limits = np.stack([(low + high) / 2 - half, (low + high) / 2 + half], axis=-1)
    for line, (start, stop) in zip((axes.axvline, axes.axhline), limits / every, strict=True):
        for border in range(int(np.ceil(start)), int(np.floor(stop)) + 1):
            line(border * every, **_DOTTED)
    axes.set(xlim=limits[0], ylim=limits[1], aspect="equal")
    axes.set(xlabel="Δx, pixels", ylabel="Δy, pixels")
    return half


def draw_phases(axes: Axes, *block: DitherGroup) -> None:
    """Draw one pixel and a part of its neighbors with the phases of all exposures."""
    center, borders = center_and_borders(block[0])
    whole = np.floor(center - PIXEL_START)
    center, borders = center - whole, [border - whole[None] for border in borders]
    draw_pixel(axes, BORDER)
    for shift in NEIGHBORS:
        moved = [border + shift for border in borders]
        _draw_outlines(axes, moved, alpha=0.35 if shift.any() else 1.0)
    draw_repeated(axes, center, clusters_of(block[0]))
    around = np.concatenate([_all_places(center, borders) + shift for shift in NEIGHBORS])
    near = around[np.all(np.abs(around - PIXEL_START - 0.5) < 0.5 + BORDER, axis=1)]
    style.label_points(axes, *merged(center, labels_of(*block)), near, reach=0.075)


def draw_pixel(axes: Axes, border: float) -> None:
    """Draw the square of one pixel, with `border` of its neighbors around it."""
    low, high = PIXEL_START, 1 + PIXEL_START
    axes.plot([low, high, high, low, low], [low, low, high, high, low], color=INK, zorder=1)
    for line, phase in product((axes.axvline, axes.axhline), (0.0, 0.5)):
        line(phase, **_DOTTED)
    limits, ticks = (low - border, high + border), (0, 0.25, 0.5, 0.75)
    axes.set(xlim=limits, ylim=limits, aspect="equal", xticks=ticks, yticks=ticks)
    axes.set(xlabel="x phase, pixels", ylabel="y phase, pixels")


def draw_repeated(axes: Axes, phases: FloatArray, series: FloatArray, size: float = 26.0) -> None:
    """Draw phases (N, 2) of one pixel, filled, and hollow in the neighboring pixels."""
    for shift in NEIGHBORS:
        _draw_points(axes, phases + shift, series, is_filled=not shift.any(), size=size)


def _draw_table(axes: Axes, *block: DitherGroup) -> None:
    """Write offsets and POS TARGs, and the coverage below them."""
    axes.set_axis_off()
    axes.set_title("POS TARGs as written")
    first, labels = block[0], labels_of(*block)
    columns = f"{{:>{max(5, *map(len, labels))}}} {{:>8}} {{:>8}} {{:>9}} {{:>8}}"
    lines = [
        columns.format("Exp.", "Δx", "Δy", "X", "Y"),
        columns.format("", "pixels", "pixels", "arcsec", "arcsec"),
        "",
    ]
    for label, point in zip(labels, first.points, strict=True):
        offset = decimals(point.dx_pix), decimals(point.dy_pix)
        lines.append(columns.format(label, *offset, *point.pos_targ.written))
    for group in block:
        what = f"Coverage, {group.element.name}" if len(block) > 1 else "Coverage"
        rows = [(row.figure.label, row.center, row.worst) for row in figures(group)]
        lines.append("")
        lines += [f"{a:26} {b:>7} {c:>7}" for a, b, c in ((what, "center", "worst"), *rows)]
    extent = f"total extent {first.span_pix:.1f} pixels"
    lines += ["", f"closest pair {first.min_separation_pix:.1f}, {extent}"]
    axes.text(
        0.0,
        1.0,
        "\n".join(map(style.plain, lines)),
        transform=axes.transAxes,
        family="DejaVu Sans Mono",
        fontsize=style.SMALL_PT,
        va="top",
        linespacing=1.45,
    )


def center_and_borders(group: DitherGroup) -> tuple[FloatArray, list[FloatArray]]:
    """Return the offsets (N, 2) at the center and (K, N, 2) along each border of the region.

    Clusters drift apart as a whole from place to place, by more than a phase; what has to hold
    together is each by itself (ISR section 7). So the borders' offsets are those from the first
    exposure of the cluster.
    """
    center = offsets_over(group, group.coverage.field.center)[0]
    borders = [offsets_over(group, places) for places in outline(group)]
    series = clusters_of(group)
    for number in np.unique(series):
        members = series == number
        first = int(np.argmax(members))
        for border in borders:
            border[:, members] -= border[:, first, None] - center[first]
    return center, borders


def _all_places(points: FloatArray, borders: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate([points, *(border.reshape(-1, 2) for border in borders)])


def _draw_outlines(axes: Axes, borders: Sequence[FloatArray], *, alpha: float) -> None:
    look: dict[str, Any] = {"linewidth": 0.7, "alpha": alpha}
    low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
    for line in (line for border in borders for line in np.moveaxis(border, 1, 0)):
        if np.any(line.max(axis=0) < low) or np.any(line.min(axis=0) > high):
            continue
        axes.plot(*style.closed(line).T, color=INK, zorder=2, **look)
        # The first place is the upper right one: it shows how the outline is oriented.
        style.draw_marks(axes, line[:1], s=9, facecolor=PAPER, edgecolor=INK, zorder=3, **look)


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
    for number in np.unique(series[is_seen]):
        color, marker = style.SERIES[int(number) % len(style.SERIES)]
        look = {"facecolor": color, "edgecolor": color, "zorder": 4}
        if not is_filled:
            look = {"facecolor": "none", "edgecolor": FAINT, "zorder": 3}
        shown = points[is_seen & (series == number)]
        style.draw_marks(axes, shown, s=size, marker=marker, linewidth=0.8, **look)


def merged(
    phases: FloatArray, labels: Sequence[str], same_place_pix: float = _SAME_PLACE_PIX
) -> tuple[FloatArray, list[str]]:
    """Return places and labels of phases (N, 2), those that coincide under one label."""
    kept: list[int] = []
    texts: list[str] = []
    for j, label in enumerate(labels):
        step = phases[j] - phases[kept]
        near = np.flatnonzero(np.hypot(*(step - np.rint(step)).T) < same_place_pix)
        if len(near):
            texts[int(near[0])] += f", {label}"
        else:
            kept.append(j)
            texts.append(label)
    return phases[kept], texts
