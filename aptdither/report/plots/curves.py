"""Efficiency against spacing, the limits of the catalog, and how dithers were executed.

The latter is after figures 3 to 5 of ISR WFC3 2016-14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from aptdither.dither.optimizer.limits import Closeness
from aptdither.dither.optimizer.optimize import WIDE_TOLERANCE, OptimizeResult
from aptdither.dither.optimizer.problem import EQUAL_EFFICIENCY
from aptdither.dither.phases import wrap
from aptdither.optics.pointing_fit import DitherFit
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.plots import style
from aptdither.report.plots.pattern import BORDER, NEIGHBORS, draw_pixel, frame_offsets
from aptdither.report.plots.style import BLUE, FAINT, INK, VERMILION
from aptdither.types import FloatArray

TRADEOFF_IN = (6.4, 5.6)
FIT_IN = (10.6, 4.2)
SCALE_IN = (8.6, 4.2)
_HEAD_IN = 0.5
_MIN_REACH_PIX = 0.01
_SPACE = 0.12  # above and below the curves, of their range
_MAX_NAME = 12
#: The series, by the end of their fields of `Closeness`: label, color, line, marker, and its size.
_SERIES = {
    "bound": ("worst place: bound", INK, "", "_", 14),
    "center": ("center: no distortion", style.GREEN, ":", "^", 4.5),
    "unrounded": ("worst place: not rounded", VERMILION, "-.", "s", 6),
    "worst": ("worst place: as written", BLUE, "-", "o", 3.5),
}
_LEAST_LOSS = 1e-6  # Chosen: below it an axis shows only that E is 1.
_LIMITS_FACTS = (
    f"not rounded: after a climb in d that may give {EQUAL_EFFICIENCY / 4:g} of E",
    f"a bound of 1 - E below {_LEAST_LOSS:f} is not drawn",
)


def draw_tradeoff(figure: Figure, results: Sequence[OptimizeResult], facts: Sequence[str]) -> None:
    """Draw worst-case efficiency and packing distance against the spacing, the tightest first."""
    figure.set_size_inches(TRADEOFF_IN)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    spacing = [result.asked_spacing_pix for result in results]
    worst = np.array([result.efficiency_worst for result in results])
    center = [result.coverage.center.efficiency for result in results]
    n, possible = results[0].n, results[0].possible_efficiency
    least = worst[0] - WIDE_TOLERANCE
    upper.plot(spacing, worst, "o-", color=BLUE, markersize=5, label="worst place of the region")
    upper.plot(spacing, center, "^:", color=VERMILION, markersize=4, label="center")
    for level, color, line, label in (
        (possible, INK, "--", f"best known for {n} exposures at one place"),
        (least, FAINT, "-.", f"{WIDE_TOLERANCE:g} below the tightest spacing"),
    ):
        upper.axhline(level, color=color, linestyle=line, linewidth=0.8, label=label)
    widest = max((k for k, value in enumerate(worst) if value >= least), key=spacing.__getitem__)
    upper.scatter(spacing[widest], worst[widest], s=130, facecolor="none", edgecolor=INK, zorder=4)
    upper.set_title(
        f"○ widest spacing within {WIDE_TOLERANCE:g} of the tightest: {spacing[widest]:g} pixels"
    )
    upper.set_ylabel("de-aliasing efficiency E")
    upper.legend(fontsize=style.SMALL_PT, loc="lower left", frameon=False)
    low, high = min(worst.min(), least), max(1.0, possible)
    upper.set_ylim(low - 4 * _SPACE * (high - low), high + _SPACE * (high - low))
    packing = [result.coverage.worst.packing_of_limit for result in results]
    lower.plot(spacing, packing, "s-", color=BLUE, markersize=4)
    lower.set_ylim(0, 1)
    lower.set_ylabel(f"{style.PACKING}, worst place")
    lower.set_xlabel("smallest distance between two points, pixels")
    for axes in (upper, lower):
        style.dotted_grid(axes)
    style.stamp(figure, f"Efficiency against spacing: {n} points", facts)


def draw_limits(figure: Figure, detectors: Mapping[str, Sequence[Closeness]]) -> None:
    """Draw 1 - E above and packing distance below against the number of points.

    The figures of each detector are by the title of their column.
    """
    figure.set_size_inches(max(3.3 * len(detectors) + 0.8, 6.6), 6.2)
    looks: dict[str, dict[str, Any]] = {
        name: {
            "label": label,
            "color": color,
            "linestyle": line,
            "marker": marker,
            "markersize": size,
        }
        for name, (label, color, line, marker, size) in _SERIES.items()
    }
    looks["bound"]["markeredgewidth"] = 1.4
    looks["unrounded"]["markerfacecolor"] = "none"
    panels = figure.subplots(2, len(detectors), sharex=True, sharey="row", squeeze=False)
    for (upper, lower), (title, found) in zip(panels.T, detectors.items(), strict=True):
        n = [one.n for one in found]
        for name, look in looks.items():
            loss = 1 - np.array([getattr(one, f"efficiency_{name}") for one in found])
            upper.plot(n, np.where(loss < _LEAST_LOSS, np.nan, loss), **look)
            packing = [getattr(one, f"packing_{name}", 1.0) for one in found]
            lower.plot(n, packing, **look)
        upper.set_title(style.plain(title))
        upper.set_yscale("log")
        lower.set_xlabel("N, points")
        lower.xaxis.set_major_locator(FixedLocator(n))
        for axes in (upper, lower):
            style.dotted_grid(axes)
    panels[0, 0].set_ylabel("loss of efficiency, 1 - E")
    panels[1, 0].set_ylabel(f"packing distance, {style.PACKING}")
    handles = [Line2D([], [], **look) for look in reversed(looks.values())]
    style.stamp(figure, "How close the tight patterns are to the limit", _LIMITS_FACTS, handles)


def draw_fits(figure: Figure, fits: Sequence[DitherFit], facts: Sequence[str]) -> None:
    """Draw observed and predicted positions, their phases, and the residuals, a row a dataset.

    Positions count from the first exposure's predicted one.
    """
    figure.set_size_inches(FIT_IN[0], FIT_IN[1] + (len(fits) - 1) * (FIT_IN[1] - _HEAD_IN))
    panels = figure.subplots(len(fits), 3, squeeze=False)
    for (left, middle, right), fit in zip(panels, fits, strict=True):
        labels = [str(k + 1) for k in range(len(fit.positions_pix))]
        predicted = fit.predicted_pix - fit.predicted_pix[0]
        observed = fit.positions_pix - fit.predicted_pix[0]
        half = frame_offsets(left, np.concatenate([predicted, observed]))
        _draw_both(left, predicted, observed)
        style.label_points(left, observed, labels, predicted, reach=0.11 * half)
        left.set_title(style.plain(f"{fit.dataset}: ● observed, ○ predicted"))
        draw_pixel(middle, BORDER)
        in_pixel = wrap(predicted - PIXEL_START) + PIXEL_START
        # An observed phase is drawn beside its prediction, also across the pixel's border.
        moved = in_pixel + (observed - predicted)
        for shift in NEIGHBORS:
            _draw_both(middle, in_pixel + shift, moved + shift, alpha=0.3 if shift.any() else 1.0)
        style.label_points(middle, moved, labels, in_pixel, reach=0.08)
        middle.set_title("Phases in one pixel")
        _draw_residuals(right, fit, labels)
    names = ", ".join(fit.dataset for fit in fits)
    style.stamp(figure, f"Predicted and observed positions: {names}", facts)


def _draw_residuals(axes: Axes, fit: DitherFit, labels: Sequence[str]) -> None:
    residual = fit.residual_pix
    reach = max(float(np.abs(residual).max()) * 1.35, _MIN_REACH_PIX)
    axes.axhline(0, color=FAINT, linewidth=0.6)
    axes.axvline(0, color=FAINT, linewidth=0.6)
    style.draw_marks(axes, residual, s=26, color=BLUE, zorder=3)
    style.label_points(axes, residual, labels, np.zeros((1, 2)), reach=0.12 * reach)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    x_rms, y_rms = fit.residual_rms_pix
    axes.set_title(f"Residuals: rms {x_rms:.3f}, {y_rms:.3f} pixels")
    axes.locator_params(nbins=5)
    axes.set(xlabel="x, pixels", ylabel="y, pixels")


def draw_solutions(figure: Figure, fits: Sequence[DitherFit], facts: Sequence[str]) -> None:
    """Draw A and B of every dataset with their errors (the ISR's figure 3)."""
    figure.set_size_inches(SCALE_IN)
    panels = figure.subplots(1, 2)
    rank = np.arange(1, len(fits) + 1)
    names = [style.plain(fit.dataset[:_MAX_NAME]) for fit in fits]
    for axes, key, (color, marker) in zip(panels, "ab", style.SERIES, strict=False):
        values = [getattr(fit.isr, key) for fit in fits]
        errors = [getattr(fit.isr, f"{key}_error") or 0.0 for fit in fits]
        bars: dict[str, Any] = {"ecolor": INK, "capsize": 2, "elinewidth": 0.8}
        axes.errorbar(rank, values, errors, fmt=marker, color=color, **bars)
        axes.set_ylabel(f"{key.upper()}, pixels per arcsec")
        axes.set_xticks(rank, names, rotation=60, ha="right")
        axes.margins(x=0.1, y=0.25)
    style.stamp(figure, "Scale A and rotation B of each dataset, with errors of one sigma", facts)


def _draw_both(
    axes: Axes, predicted: FloatArray, observed: FloatArray, *, alpha: float = 1.0
) -> None:
    hollow: dict[str, Any] = {"facecolor": "none", "edgecolor": INK, "linewidth": 0.9}
    style.draw_marks(axes, predicted, s=46, alpha=alpha, zorder=3, **hollow)
    style.draw_marks(axes, observed, s=16, color=BLUE, alpha=alpha, zorder=4)
