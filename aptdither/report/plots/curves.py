"""What a spacing costs, and how well the telescope did what it was told.

The second is after figures 3 to 5 of ISR WFC3 2016-14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aptdither.dither.optimizer.optimize import WIDE_TOLERANCE, TradeoffPoint
from aptdither.dither.phases import wrap
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.plots.pattern import BORDER, draw_pixel
from aptdither.report.plots.style import (
    BLUE,
    FAINT,
    INK,
    SERIES,
    SMALL_PT,
    VERMILION,
    label_points,
    pixel_grid,
    plain,
    stamp,
)
from aptdither.types import FloatArray

TRADEOFF_IN = (6.4, 5.6)
FIT_IN = (10.6, 4.2)
SCALE_IN = (8.6, 4.2)
_HEAD_IN = 0.5
_MARGIN_PIX = 0.9
_LEAST_REACH_PIX = 0.01
_ROOM = 0.12  # above and below the curves, of their range


def draw_tradeoff(figure: Figure, points: Sequence[TradeoffPoint], facts: Sequence[str]) -> None:
    """Draw worst-case efficiency and packing distance against the spacing.

    Parameters
    ----------
    figure : Figure
    points : sequence of TradeoffPoint
        The tightest spacing first.
    facts : sequence of str
        Setup and region.
    """
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    spacing = [point.spacing_pix for point in points]
    results = [point.result for point in points]
    worst = np.array([result.efficiency_worst for result in results])
    n = results[0].n
    upper.plot(spacing, worst, "o-", color=BLUE, markersize=5, label="worst place of the region")
    upper.plot(
        spacing,
        [result.efficiency_center for result in results],
        "^:",
        color=VERMILION,
        markersize=4,
        label="centre",
    )
    upper.axhline(
        results[0].possible_efficiency,
        color=INK,
        linestyle="--",
        linewidth=0.8,
        label=f"most that {n} exposures reach at one place",
    )
    least = worst[0] - WIDE_TOLERANCE
    upper.axhline(
        least,
        color=FAINT,
        linestyle="-.",
        linewidth=0.8,
        label=f"{WIDE_TOLERANCE:g} below the tightest",
    )
    good = [k for k, value in enumerate(worst) if value >= least]
    widest = max(good, key=lambda k: spacing[k])
    upper.scatter(spacing[widest], worst[widest], s=130, facecolor="none", edgecolor=INK, zorder=4)
    upper.set_title(
        f"○ widest that costs at most {WIDE_TOLERANCE:g} of the tightest's: "
        f"{spacing[widest]:g} pixels"
    )
    upper.set_ylabel("de-aliasing efficiency E")
    upper.legend(fontsize=SMALL_PT, loc="lower left", frameon=False)
    low, high = min(worst.min(), least), max(1.0, results[0].possible_efficiency)
    upper.set_ylim(low - 4 * _ROOM * (high - low), high + _ROOM * (high - low))
    lower.plot(
        spacing,
        [result.packing_of_limit_worst for result in results],
        "s-",
        color=BLUE,
        markersize=4,
    )
    lower.set_ylim(0, 1)
    lower.set_ylabel("d/d_N, worst place")
    lower.set_xlabel("least distance between two points, pixels")
    for axes in (upper, lower):
        axes.grid(color=FAINT, linewidth=0.4, linestyle=(0, (1, 3)))
    stamp(figure, f"What spacing costs: {n} points", facts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StarPositions:
    """Positions of one star in the exposures of one dataset, against what was predicted.

    Attributes
    ----------
    name : str
        Of the dataset.
    labels : tuple of str
        One for each exposure.
    predicted_pix, observed_pix : (N, 2) float array
        Positions or offsets, pixels.
    """

    name: str
    labels: tuple[str, ...]
    predicted_pix: FloatArray
    observed_pix: FloatArray


def size_of_fit(tracks: Sequence[StarPositions]) -> tuple[float, float]:
    """Return the size of a picture of fits, inches."""
    return FIT_IN[0], FIT_IN[1] + (len(tracks) - 1) * (FIT_IN[1] - _HEAD_IN)


def draw_fits(figure: Figure, tracks: Sequence[StarPositions], facts: Sequence[str]) -> None:
    """Draw observed and predicted positions, their phases, and what is left, a row a dataset.

    Positions are counted from the first exposure's predicted one.
    """
    panels = figure.subplots(len(tracks), 3, squeeze=False)
    for row, track in zip(panels, tracks, strict=True):
        origin = track.predicted_pix[0]
        predicted, observed = track.predicted_pix - origin, track.observed_pix - origin
        _draw_positions(row[0], track, predicted, observed)
        _draw_fit_phases(row[1], track, predicted, observed)
        _draw_residuals(row[2], track, observed - predicted)
    names = ", ".join(track.name for track in tracks)
    stamp(figure, f"Predicted and observed positions: {names}", facts)


def _draw_positions(
    axes: Axes, track: StarPositions, predicted: FloatArray, observed: FloatArray
) -> None:
    both = np.concatenate([predicted, observed])
    low, high = both.min(axis=0), both.max(axis=0)
    half = float((high - low).max()) / 2 + _MARGIN_PIX
    middle = (low + high) / 2
    pixel_grid(axes, middle - half, middle + half)
    _draw_both(axes, predicted, observed)
    label_points(axes, observed, track.labels, predicted, reach=0.11 * half)
    axes.set_title(plain(f"{track.name}: ● observed, ○ predicted"))
    axes.set_xlabel("Δx, pixels")
    axes.set_ylabel("Δy, pixels")


def _draw_fit_phases(
    axes: Axes, track: StarPositions, predicted: FloatArray, observed: FloatArray
) -> None:
    draw_pixel(axes, BORDER)
    in_pixel = wrap(predicted - PIXEL_START) + PIXEL_START
    # An observed phase is drawn beside its prediction, also across the pixel's border.
    moved = in_pixel + (observed - predicted)
    for shift in product((-1, 0, 1), repeat=2):
        alpha = 1.0 if shift == (0, 0) else 0.3
        _draw_both(axes, in_pixel + np.array(shift), moved + np.array(shift), alpha=alpha)
    label_points(axes, moved, track.labels, in_pixel, reach=0.08)
    axes.set_title("Phases in one pixel")
    axes.set_xlabel("x phase, pixels")
    axes.set_ylabel("y phase, pixels")


def _draw_residuals(axes: Axes, track: StarPositions, residual: FloatArray) -> None:
    reach = max(float(np.abs(residual).max()) * 1.35, _LEAST_REACH_PIX)
    axes.axhline(0, color=FAINT, linewidth=0.6)
    axes.axvline(0, color=FAINT, linewidth=0.6)
    axes.scatter(residual[:, 0], residual[:, 1], s=26, color=BLUE, zorder=3)
    label_points(axes, residual, track.labels, np.zeros((1, 2)), reach=0.12 * reach)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    rms = np.sqrt(np.mean(residual**2, axis=0))
    axes.set_title(f"Observed minus predicted: rms {rms[0]:.3f}, {rms[1]:.3f} pixels")
    axes.locator_params(nbins=5)
    axes.set_xlabel("x, pixels")
    axes.set_ylabel("y, pixels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Scale and rotation of one dataset, pixels per arcsec, with errors where there are some."""

    name: str
    a: float
    b: float
    a_error: float | None
    b_error: float | None


def draw_solutions(figure: Figure, solutions: Sequence[Solution], facts: Sequence[str]) -> None:
    """Draw A and B of every dataset with their errors (the ISR's figure 3)."""
    panels = figure.subplots(1, 2)
    rank = np.arange(1, len(solutions) + 1)
    for axes, key in zip(panels, ("a", "b"), strict=True):
        values = np.array([getattr(solution, key) for solution in solutions])
        errors = np.array([getattr(solution, f"{key}_error") or 0.0 for solution in solutions])
        color, marker = SERIES[0 if key == "a" else 1]
        axes.errorbar(
            rank, values, errors, fmt=marker, color=color, ecolor=INK, capsize=2, elinewidth=0.8
        )
        mean = float(values.mean())
        axes.axhline(mean, color=FAINT, linestyle="--", linewidth=0.8)
        axes.set_title(f"{key.upper()}: mean {mean:.4f} pixels per arcsec")
        axes.set_ylabel(f"{key.upper()}, pixels per arcsec")
        axes.set_xticks(
            rank, [plain(solution.name[:12]) for solution in solutions], rotation=60, ha="right"
        )
        axes.margins(x=0.1, y=0.25)
    stamp(figure, "Scale and rotation of each dataset", facts)


def _draw_both(
    axes: Axes, predicted: FloatArray, observed: FloatArray, *, alpha: float = 1.0
) -> None:
    axes.scatter(
        predicted[:, 0],
        predicted[:, 1],
        s=46,
        facecolor="none",
        edgecolor=INK,
        linewidth=0.9,
        alpha=alpha,
        zorder=3,
    )
    axes.scatter(observed[:, 0], observed[:, 1], s=16, color=BLUE, alpha=alpha, zorder=4)
