"""How close the catalog's patterns are to the limit, and what rounding and distortion cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from aptdither.dither.optimizer.limits import Closeness
from aptdither.dither.optimizer.strategy import EQUAL_EFFICIENCY
from aptdither.report.plots.captions import PACKING
from aptdither.report.plots.style import BLUE, FAINT, GREEN, INK, VERMILION, plain, stamp

#: What each series shows: the end of its fields of `Closeness`, its label and its style.
_SERIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "bound",
        "worst place: bound",
        {"color": INK, "linestyle": "", "marker": "_", "markersize": 14, "markeredgewidth": 1.4},
    ),
    (
        "center",
        "center: no distortion",
        {"color": GREEN, "linestyle": ":", "marker": "^", "markersize": 4.5},
    ),
    (
        "unrounded",
        "worst place: not rounded",
        {"color": VERMILION, "linestyle": "-.", "marker": "s", "markerfacecolor": "none"},
    ),
    ("worst", "worst place: as written", {"color": BLUE, "marker": "o", "markersize": 3.5}),
)
_LEAST_LOSS = 1e-6  # Chosen: below it an axis shows only that E is 1.
_FACTS = (
    f"not rounded: after a climb in d that may give {EQUAL_EFFICIENCY / 4:g} of E",
    f"a bound of 1 - E below {_LEAST_LOSS:f} is not drawn",
)


def size_of(columns: int) -> tuple[float, float]:
    """Return the size of a picture of so many detectors, inches."""
    return max(3.3 * columns + 0.8, 6.6), 6.2


def draw_limits(figure: Figure, detectors: Mapping[str, Sequence[Closeness]]) -> None:
    """Draw 1 - E above and packing distance below against the number of points.

    Parameters
    ----------
    figure : Figure
    detectors : mapping of str to sequence of Closeness
        By the title of their column.
    """
    panels = figure.subplots(2, len(detectors), sharex=True, sharey="row", squeeze=False)
    for (upper, lower), (title, found) in zip(panels.T, detectors.items(), strict=True):
        n = [one.n for one in found]
        for name, _, look in _SERIES:
            loss = 1 - np.array([getattr(one, f"efficiency_{name}") for one in found])
            upper.plot(n, np.where(loss < _LEAST_LOSS, np.nan, loss), **look)
            packing = [getattr(one, f"packing_{name}", 1.0) for one in found]
            lower.plot(n, packing, **look)
        upper.set_title(plain(title))
        upper.set_yscale("log")
        lower.set_xlabel("N, points")
        lower.xaxis.set_major_locator(FixedLocator(n))
        for axes in (upper, lower):
            axes.grid(color=FAINT, linewidth=0.4, linestyle=(0, (1, 3)))
    panels[0, 0].set_ylabel("loss of efficiency, 1 - E")
    panels[1, 0].set_ylabel(f"packing distance, {PACKING}")
    handles = [Line2D([], [], label=label, **look) for _, label, look in reversed(_SERIES)]
    stamp(figure, "How close the tight patterns are to the limit", _FACTS, handles)
