"""The frame of all pictures: colors, words above and below, labels, and reproducible files.

A picture is a function that draws on a figure; :func:`render` gives it a figure and returns the
file's bytes. The user's own matplotlib settings, the clock and the terminal have no effect: the
same input gives the same bytes (with the same matplotlib).

The colors are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with any
kind of color blindness tell apart, and each comes with a marker of its own for prints in black and
white. Maps use cividis, whose lightness rises evenly.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
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
from aptdither.optics.aperture import Aperture
from aptdither.optics.filters import SpectralElement
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.pointings import Pointing
from aptdither.report.sanitize import safe_line
from aptdither.report.summary import counted, region_in_words
from aptdither.types import FloatArray, Region
from aptdither.version import __version__

INK, FAINT, PAPER = "#1a1a1a", "#8c8c8c", "#ffffff"
#: On a colored map: the same on every background, while a page may swap ink and paper.
MAP_INK, MAP_PAPER = "#1a1a1b", "#fffffe"
BLUE, VERMILION, GREEN = "#0072b2", "#d55e00", "#009e73"
ORANGE, SKY, PURPLE = "#e69f00", "#56b4e9", "#cc79a7"
#: Color and marker of each cluster or series.
SERIES = tuple(zip((BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY), "os^DvP", strict=True))
COLOR_MAP = "cividis"

SMALL_PT = 7.0
TEXT_PT = 8.5
TITLE_PT = 10.5
PNG_DPI = 160
#: Behind labels that may lie on lines.
LABEL_BOX: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.4}
#: Fraction of the theoretical maximum, as matplotlib's mathematics.
PACKING = "$d/d_N$"

_EDGE_IN = 0.08
_HEAD_IN = 0.4
_FOOT_LINE_IN = 0.14
_FOOT_GAP_IN = 0.16
_LEGEND_IN = 0.3
_LETTERS_PER_IN = 18  # of the smallest text, on average
_SEPARATOR = "\u00a0\u00a0·  "  # at the end of a line, never at its start
_MAX_LABEL, _MAX_VISIT, _MAX_NAME = 6, 12, 48  # letters

_INKED = "axes.edgecolor axes.labelcolor axes.titlecolor xtick.color ytick.color text.color"
_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    **dict.fromkeys(_INKED.split(), INK),
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), PAPER),
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
    """Return the format that a file's ending names; another ending is a ``UsageError``."""
    suffix = PurePath(path).suffix
    try:
        return Kind(suffix.removeprefix(".").lower())
    except ValueError:
        allowed = ", ".join(f".{kind}" for kind in Kind)
        ending = f"ends in {suffix}" if suffix else "has no ending"
        raise UsageError(f"{PurePath(path)} {ending}; a picture ends in {allowed}") from None


def render(
    draw: Callable[[Figure], None],
    kind: Kind,
    *,
    title: str,
    size_in: tuple[float, float] | None = None,
    description: str = "",
    dpi: int = PNG_DPI,
    searchable: bool = False,
) -> bytes:
    """Draw a picture and return its file; without a size (inches) the picture sets its own.

    The title and the description (the numbers that it was drawn from) go into the file's metadata;
    `dpi` is for a PNG. An SVG that is searchable keeps text as text in the reader's own fonts;
    otherwise it becomes outlines, which look the same everywhere.
    """
    maker = f"aptdither {__version__}"
    metadata: dict[Kind, dict[str, Any]] = {
        Kind.PNG: {"Software": maker, "Description": description},
        Kind.SVG: {"Creator": maker, "Description": description, "Date": None},
        Kind.PDF: {
            "Creator": maker,
            "Producer": maker,
            "Subject": description,
            "CreationDate": None,
        },
    }
    buffer = BytesIO()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        mpl.rcParams["svg.fonttype"] = "none" if searchable else "path"
        figure = Figure(figsize=size_in, layout="constrained")
        draw(figure)
        # The last bits of the layout's positions differ from run to run: they are rounded.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axes in figure.axes:
            axes.set_position(np.round(axes.get_position(original=True).bounds, 5))
        words = {"Title": title, **metadata[kind]}
        figure.savefig(buffer, format=str(kind), dpi=dpi, metadata=words)
    return buffer.getvalue()


def stamp(figure: Figure, title: str, facts: Sequence[str], handles: Sequence[Line2D] = ()) -> None:
    """Write a picture's title above it, and what it was made from below it.

    The facts are setup, number of points, region and the like, to which the tool's version is
    added; `handles` make a legend above them.
    """
    width, height = figure.get_size_inches()
    line = _SEPARATOR.join([*map(plain, facts), f"aptdither\u00a0{__version__}"])
    lines = textwrap.wrap(line, int(width * _LETTERS_PER_IN), break_long_words=False)
    facts_in = len(lines) * _FOOT_LINE_IN + _EDGE_IN
    foot_in = facts_in + _FOOT_GAP_IN
    small: dict[str, Any] = {"fontsize": SMALL_PT}
    if handles:
        place = {"ncols": len(handles), "bbox_to_anchor": (0, facts_in / height)}
        legend = figure.legend(handles=handles, loc="lower left", frameon=False, **place, **small)
        legend.set_in_layout(False)
        foot_in += _LEGEND_IN
    inside = (0, foot_in / height, 1, 1 - (foot_in + _HEAD_IN) / height)
    figure.set_layout_engine("constrained", rect=inside)
    left, edge = _EDGE_IN / width, _EDGE_IN / height
    figure.text(left, 1 - edge, plain(title), va="top", fontsize=TITLE_PT, fontweight="bold")
    foot = "\n".join(lines).replace("\u00a0", " ")
    figure.text(left, edge, foot, va="bottom", linespacing=1.3, **small)


def plain(text: str) -> str:
    """Return text that matplotlib draws literally: a dollar sign is not mathematics."""
    return "".join(c if c.isprintable() else " " for c in text).replace("$", r"\$")


def name_of(group: DitherGroup) -> str:
    """Return a group's visit, its pattern and its number of points."""
    visit = "" if group.visit is None else f"Visit {safe_line(group.visit, limit=_MAX_VISIT)}, "
    pattern = safe_line(group.choice.name, limit=_MAX_NAME)
    return f"{visit}{pattern}: {counted(len(group.points), 'point')}"


def label_of(point: Pointing) -> str:
    """Return an exposure's number, short enough for a picture."""
    return safe_line(point.number, limit=_MAX_LABEL)


def facts_of(group: DitherGroup) -> list[str]:
    """Return setup, number of points, region and signal to noise."""
    facts = setup_facts(group.aperture, group.element, len(group.points), group.region)
    return [*facts, f"S/N {group.evaluation.view.snr:g} per exposure"]


def shared_facts(groups: Sequence[DitherGroup]) -> list[str]:
    """Return the facts that all groups have."""
    return [f for f in facts_of(groups[0]) if all(f in facts_of(group) for group in groups)]


def setup_facts(aperture: Aperture, element: SpectralElement, n: int, region: Region) -> list[str]:
    """Return setup, number of points and region, a few words each."""
    return [
        aperture_words(aperture),
        f"{element.name} ({element.wavelength_nm:.0f} nm)",
        f"N = {n}",
        f"region: {region_in_words(region)}",
    ]


def aperture_words(aperture: Aperture) -> str:
    """Return configuration and aperture: ``WFC3/IR IR-FIX``; ``WFC3/IR`` alone for aperture IR."""
    if aperture.config.endswith(f"/{aperture.name}"):
        return aperture.config
    return f"{aperture.config} {aperture.name}"


#: Directions from a point to its label, the preferred one first.
_ANGLES = np.deg2rad([45, 135, -45, -135, 90, 0, 180, -90])
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)


def label_points(
    axes: Axes, points: FloatArray, labels: Sequence[str], obstacles: FloatArray, reach: float
) -> None:
    """Write a label beside each of the points (N, 2), at `reach`, on the side with the most space.

    Labels avoid the points, each other and the obstacles (M, 2), all in data units.
    """
    taken = np.concatenate([points, obstacles.reshape(-1, 2)])
    for point, label in zip(points, labels, strict=True):
        places = point + reach * _DIRECTIONS
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
            bbox=LABEL_BOX,
        )


def draw_marks(axes: Axes, points: FloatArray, **look: Any) -> None:
    """Draw a marker at each of the points (N, 2)."""
    axes.scatter(points[:, 0], points[:, 1], **look)


def dotted_grid(axes: Axes) -> None:
    """Draw a grid that stays behind the data."""
    axes.grid(color=FAINT, linewidth=0.4, linestyle=(0, (1, 3)))


def closed(outline: FloatArray) -> FloatArray:
    """Return an outline (K, 2) with its first point repeated at the end."""
    return np.concatenate([outline, outline[:1]])
