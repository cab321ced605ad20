"""The style of all pictures: colors, labels, title and footer, and reproducible files.

A picture is a function that draws on a figure; :func:`render` gives it a figure and returns the
file's bytes. The user's own matplotlib settings, the clock and the terminal have no effect: the
same input gives the same bytes (with the same matplotlib).

The colors are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any
kind of color blindness tell apart, and each comes with a marker of its own for prints in black and
white. Maps use cividis, whose lightness rises evenly.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from io import BytesIO
from pathlib import PurePath
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aptdither.errors import UsageError
from aptdither.types import FloatArray
from aptdither.version import __version__

Size = tuple[float, float]

INK = "#1a1a1a"
FAINT = "#8c8c8c"
PAPER = "#ffffff"
#: On a colored map: the same on every background, while a page may swap ink and paper.
MAP_INK = "#1a1a1b"
MAP_PAPER = "#fffffe"
BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#e69f00",
    "#56b4e9",
    "#cc79a7",
)
#: Color and marker of each cluster or series.
SERIES = tuple(zip((BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY), "os^DvP", strict=True))
COLOR_MAP = "cividis"

SMALL_PT = 7.0
TEXT_PT = 8.5
TITLE_PT = 10.5
PNG_DPI = 160

_EDGE_IN = 0.08
_HEAD_IN = 0.4
_FOOT_LINE_IN = 0.14
_FOOT_GAP_IN = 0.16
_LEGEND_IN = 0.3
_LETTERS_PER_IN = 18  # of the smallest text, on average
_SEPARATOR = "  ·  "

_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.0,
    "image.cmap": COLOR_MAP,
    "svg.hashsalt": "aptdither",
    "pdf.fonttype": 42,  # text that can be searched and copied
}


class Kind(StrEnum):
    """The formats of a picture file."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"


def kind_of(path: str | PurePath) -> Kind:
    """Return the format that a file's ending names.

    Raises
    ------
    UsageError
        If the ending is another; the message lists those that are allowed.
    """
    suffix = PurePath(path).suffix
    try:
        return Kind(suffix.removeprefix(".").lower())
    except ValueError:
        allowed = ", ".join(f".{kind}" for kind in Kind)
        ending = f"ends in {suffix}" if suffix else "has no ending"
        raise UsageError(f"{PurePath(path)} {ending}; a picture ends in {allowed}") from None


def render(
    draw: Callable[[Figure], None],
    size_in: Size,
    kind: Kind,
    *,
    title: str,
    description: str = "",
    dpi: int = PNG_DPI,
    searchable: bool = False,
) -> bytes:
    """Draw a picture and return its file.

    Parameters
    ----------
    draw : callable
        Draws on the figure it is given.
    size_in : (width, height)
        Inches.
    kind : Kind
        PNG, SVG or PDF.
    title, description : str
        For the file's metadata: its name, and the numbers that it was drawn from.
    dpi : int
        Pixels per inch of a PNG.
    searchable : bool
        In an SVG, keep text as text in the reader's own fonts; otherwise it becomes outlines, which
        look the same everywhere.
    """
    with _own_settings(searchable=searchable):
        figure = Figure(figsize=size_in, layout="constrained")
        draw(figure)
        _fix_layout(figure)
        buffer = BytesIO()
        metadata = _metadata(kind, title, description)
        figure.savefig(buffer, format=str(kind), dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def _fix_layout(figure: Figure) -> None:
    """Round the positions of the layout, whose last bits differ from run to run."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(np.round(axes.get_position(original=True).bounds, 5))


@contextmanager
def _own_settings(*, searchable: bool) -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        mpl.rcParams["svg.fonttype"] = "none" if searchable else "path"
        yield


def _metadata(kind: Kind, title: str, description: str) -> dict[str, Any]:
    maker = f"aptdither {__version__}"
    words = {"Title": title, "Creator": maker}
    match kind:
        case Kind.PNG:
            return {"Software": maker, "Title": title, "Description": description}
        case Kind.SVG:
            return {**words, "Description": description, "Date": None}
        case Kind.PDF:
            return {**words, "Producer": maker, "Subject": description, "CreationDate": None}


def stamp(figure: Figure, title: str, facts: Sequence[str], handles: Sequence[Line2D] = ()) -> None:
    """Write a picture's title above it, and what it was made from below it.

    Parameters
    ----------
    figure : Figure
    title : str
        One line.
    facts : sequence of str
        Setup, number of points, region and the like; the tool's version is added.
    handles : sequence of Line2D
        A legend above the facts.
    """
    width, height = figure.get_size_inches()
    line = _SEPARATOR.join((*facts, f"aptdither {__version__}"))
    lines = textwrap.wrap(plain(line), int(width * _LETTERS_PER_IN), break_long_words=False)
    facts_in = len(lines) * _FOOT_LINE_IN + _EDGE_IN
    foot_in = facts_in + _FOOT_GAP_IN
    if handles:
        legend = figure.legend(
            handles=handles,
            ncols=len(handles),
            loc="lower left",
            bbox_to_anchor=(0, facts_in / height),
            fontsize=SMALL_PT,
            frameon=False,
        )
        legend.set_in_layout(False)
        foot_in += _LEGEND_IN
    inside = (0, foot_in / height, 1, 1 - (foot_in + _HEAD_IN) / height)
    figure.set_layout_engine("constrained", rect=inside)
    left = _EDGE_IN / width
    figure.text(
        left, 1 - _EDGE_IN / height, plain(title), va="top", fontsize=TITLE_PT, fontweight="bold"
    )
    figure.text(
        left, _EDGE_IN / height, "\n".join(lines), va="bottom", fontsize=SMALL_PT, linespacing=1.3
    )


_MAX_BORDERS = 24
_GRID_STEPS = (1, 5, 10, 50, 100, 500)


def plain(text: str) -> str:
    """Return text that matplotlib draws literally: a dollar sign is not mathematics."""
    return "".join(c if c.isprintable() else " " for c in text).replace("$", r"\$")


def pixel_grid(axes: Axes, low: FloatArray, high: FloatArray) -> None:
    """Draw the borders of whole pixels, dotted, and fix the limits of the axes.

    Parameters
    ----------
    axes : Axes
    low, high : (2,) array
        Corners of the axes, pixels. With many borders only each fifth, tenth, ... is drawn.
    """
    side = float((high - low).max())
    every = next((step for step in _GRID_STEPS if side / step <= _MAX_BORDERS), _GRID_STEPS[-1])
    for line, (start, stop) in zip(
        (axes.axvline, axes.axhline), zip(low, high, strict=True), strict=True
    ):
        for border in range(int(np.ceil(start)), int(np.floor(stop)) + 1):
            if border % every == 0:
                line(border, color=FAINT, linewidth=0.6, linestyle=(0, (1, 2)), zorder=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")


#: Directions from a point to its label, the preferred one first.
_DIRECTIONS = tuple(
    (float(np.cos(angle)), float(np.sin(angle)))
    for angle in np.deg2rad([45, 135, -45, -135, 90, 0, 180, -90])
)


def label_points(
    axes: Axes, points: FloatArray, labels: Sequence[str], obstacles: FloatArray, reach: float
) -> None:
    """Write a label beside each point, on the side with the most space.

    Parameters
    ----------
    axes : Axes
    points : (N, 2) array
        Data coordinates.
    labels : sequence of str
        One for each point.
    obstacles : (M, 2) array
        What labels should avoid, data coordinates.
    reach : float
        Distance of a label from its point, data units.
    """
    taken = np.concatenate([points, obstacles.reshape(-1, 2)])
    for point, label in zip(points, labels, strict=True):
        places = point + reach * np.array(_DIRECTIONS)
        space = np.hypot(*(places[:, None, :] - taken[None, :, :]).transpose(2, 0, 1)).min(axis=1)
        # Places with enough space are equal; then the preferred direction is taken.
        best = places[int(np.argmax(np.minimum(space, 0.9 * reach)))]
        taken = np.concatenate([taken, best[None, :]])
        axes.text(
            float(best[0]),
            float(best[1]),
            plain(label),
            ha="center",
            va="center",
            fontsize=SMALL_PT,
            zorder=5,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
        )


def draw_marks(axes: Axes, points: FloatArray, **style: Any) -> None:
    """Draw a marker at each of the points (N, 2)."""
    axes.scatter(points[:, 0], points[:, 1], **style)


def closed(outline: FloatArray) -> FloatArray:
    """Return an outline (K, 2) with its first point repeated at the end."""
    return np.concatenate([outline, outline[:1]])
