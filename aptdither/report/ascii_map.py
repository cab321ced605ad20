"""A picture of pixel phases made of characters: one pixel, and where the exposures fall in it.

Each exposure is a label of one or two characters at its phase; the dots around it are where
distortion moves that phase over the region. Dots are braille characters where the terminal has
them, and full stops where it does not. Exposures that share a place are shown by ``*`` and named
below the picture.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeAlias

from aptdither.report.format import numbers_in_words
from aptdither.report.sanitize import safe_line
from aptdither.types import FloatArray

SIGNS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHARED = "*"

#: Inside of a picture in characters: a terminal's cell is about twice as high as wide, so this is
#: near a square, and two of them stand side by side in 80 columns.
COLUMNS = 28
ROWS = 13

#: Phase at the left and lower border of a picture, pixels. Patterns begin at phase 0 and like halves,
#: thirds and quarters: a border a little below 0 keeps them all off the border.
PIXEL_START = -0.08

#: Bits of the eight dots of a braille cell, by column and row within the cell (Unicode, U+2800).
_BRAILLE = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_DOTS_ACROSS, _DOTS_DOWN = 2, 4

#: Phases that are marked on the border.
_MARKED = (0.0, 0.5)

_MAX_LABEL = 2

Phases: TypeAlias = "FloatArray | Sequence[tuple[float, float]]"
Cell = tuple[int, int]


def exposure_labels(numbers: Sequence[str]) -> tuple[list[str], str]:
    """Return a label for each exposure, and what the labels are.

    Parameters
    ----------
    numbers : sequence of str
        The exposures' numbers in the proposal.

    Returns
    -------
    labels : list of str
        The numbers, where all are different and have one or two characters; else 1 to 9, a to z,
        A to Z in the order of the exposures.
    meaning : str
        The caption of the picture.

    Examples
    --------
    >>> exposure_labels(["1", "3", "12"])
    (['1', '3', '12'], 'One pixel; the numbers are exposures')
    """
    are_short = all(0 < len(number) <= _MAX_LABEL for number in numbers)
    are_safe = all(number.isascii() and number.isalnum() for number in numbers)
    if are_short and are_safe and len(set(numbers)) == len(numbers):
        return list(numbers), "One pixel; the numbers are exposures"
    count = len(numbers)
    signs = list((SIGNS * (count // len(SIGNS) + 1))[:count])
    first, last = (safe_line(number, limit=12) for number in (numbers[0], numbers[-1]))
    meaning = f"One pixel; 1-9, a-z, A-Z are the exposures in order, from {first} to {last}"
    return signs, meaning


def phase_map(
    center: Phases,
    elsewhere: Phases = (),
    *,
    labels: Sequence[str] | None = None,
    ascii_only: bool = False,
) -> list[str]:
    """Draw one pixel with the phases of a pattern.

    Parameters
    ----------
    center : (N, 2) array or sequence of (x, y)
        Phase of each exposure, pixels; whole pixels do not matter.
    elsewhere : (M, 2) array or sequence of (x, y)
        Phases at other places of the region.
    labels : sequence of str, optional
        One or two characters for each exposure; 1, 2, ... when left out.
    ascii_only : bool
        Draw with plain characters alone.

    Returns
    -------
    list of str
        Lines of one length: the frame of one pixel with the phases 0 and 0.5 marked on it, their
        scale, and which exposures share a place. x grows to the right and y upwards, as on the
        detector.
    """
    if labels is None:
        labels, _ = exposure_labels([str(k + 1) for k in range(len(center))])
    dots: dict[Cell, int] = {}
    for x, y in elsewhere:
        cell, bit = _cell(x, y)
        dots[cell] = dots.get(cell, 0) | bit
    # With labels of two characters a place is two columns wide, so that labels do not overlap.
    width = max(map(len, labels), default=1)
    placed: dict[Cell, list[tuple[int, str]]] = {}
    for label, (x, y) in zip(labels, center, strict=True):
        (row, column), _ = _cell(x, y)
        placed.setdefault((row, column // width), []).append((column, label))
    inside = [
        [_dot(dots.get((row, column), 0), ascii_only=ascii_only) for column in range(COLUMNS)]
        for row in range(ROWS)
    ]
    for (row, block), here in placed.items():
        text = here[0][1] if len(here) == 1 else SHARED
        start = here[0][0] if len(text) == 1 else block * width
        inside[row][start : start + len(text)] = text

    across, down, *corners = list("-|++++" if ascii_only else "─│┌┐└┘")
    mark_top, mark_bottom, mark_left, mark_right = list("++++" if ascii_only else "┬┴├┤")
    marked_columns = {_cell(phase, 0.0)[0][1] for phase in _MARKED}
    marked_rows = {_cell(0.0, phase)[0][0] for phase in _MARKED}

    def edge(mark: str) -> str:
        return "".join(mark if column in marked_columns else across for column in range(COLUMNS))

    lines = [corners[0] + edge(mark_top) + corners[1]]
    for row in range(ROWS):
        left, right = (mark_left, mark_right) if row in marked_rows else (down, down)
        lines.append(left + "".join(inside[row]) + right)
    lines.append(corners[2] + edge(mark_bottom) + corners[3])
    lines.append(_scale())
    shared = [[label for _, label in here] for here in placed.values() if len(here) > 1]
    if shared:
        text = f"{SHARED} is {'; '.join(map(numbers_in_words, shared))}"
        lines += textwrap.wrap(text, COLUMNS + 2, break_on_hyphens=False)
    return [line.ljust(COLUMNS + 2) for line in lines]


def side_by_side(left: Sequence[str], right: Sequence[str], *, gap: int = 4) -> list[str]:
    """Put two pictures beside each other; the shorter one is filled with spaces."""
    width = max(map(len, left), default=0)
    return [
        f"{one.ljust(width)}{' ' * gap}{other}".rstrip()
        for one, other in zip_longest(left, right, fillvalue="")
    ]


def _dot(bits: int, *, ascii_only: bool) -> str:
    if not bits:
        return " "
    return "." if ascii_only else chr(0x2800 + bits)


def _scale() -> str:
    """Return the line below a picture: the marked phases under their marks."""
    line = [" "] * (COLUMNS + 2)
    for phase in _MARKED:
        start = 1 + _cell(phase, 0.0)[0][1]
        for k, character in enumerate(f"{phase:g}"):
            line[min(start + k, COLUMNS + 1)] = character
    unit = "pixel"
    line[-len(unit) :] = unit
    return "".join(line)


def _cell(x: float, y: float) -> tuple[Cell, int]:
    """Return row and column of a phase, and its braille bit there."""
    x, y = ((phase - PIXEL_START) % 1.0 for phase in (x, y))
    across = min(int(x * COLUMNS * _DOTS_ACROSS), COLUMNS * _DOTS_ACROSS - 1)
    # The picture's first row is the top of the pixel.
    from_below = min(int(y * ROWS * _DOTS_DOWN), ROWS * _DOTS_DOWN - 1)
    down = ROWS * _DOTS_DOWN - 1 - from_below
    bit = _BRAILLE[across % _DOTS_ACROSS][down % _DOTS_DOWN]
    return (down // _DOTS_DOWN, across // _DOTS_ACROSS), bit
