"""A picture of pixel phases made of characters: one pixel, and where the exposures fall in it.

Each exposure is a label of one or two characters at its phase; the dots around it are where
distortion moves that phase over the region. Dots are braille characters where the terminal has
them, and full stops where it does not. Exposures that share a place are shown by ``*`` and named
below the picture.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aptdither.report.sanitize import safe_line
from aptdither.report.summary import numbers_in_words
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
_BRAILLE = np.array([[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]])
_FRAME = "─│┌┐└┘┬┴├┤"
_ASCII = str.maketrans(_FRAME + "".join(map(chr, range(0x2800, 0x2900))), "-|++++++++" + 256 * ".")
_MAX_LABEL = 2

Phases: TypeAlias = "FloatArray | Sequence[tuple[float, float]]"
Cells: TypeAlias = "npt.NDArray[np.int_]"


def exposure_labels(numbers: Sequence[str]) -> tuple[list[str], str]:
    """Return a label for each exposure, and the caption that says what the labels are.

    The numbers in the proposal, where all are different and have one or two characters; else 1 to
    9, a to z, A to Z in the order of the exposures.

    >>> exposure_labels(["1", "3", "12"])
    (['1', '3', '12'], 'One pixel; the numbers are exposures')
    """
    are_short = all(0 < len(number) <= _MAX_LABEL for number in numbers)
    are_safe = all(number.isascii() and number.isalnum() for number in numbers)
    if are_short and are_safe and len(set(numbers)) == len(numbers):
        return list(numbers), "One pixel; the numbers are exposures"
    first, last = (safe_line(number, limit=12) for number in (numbers[0], numbers[-1]))
    meaning = f"One pixel; 1-9, a-z, A-Z are the exposures in order, from {first} to {last}"
    return [SIGNS[k % len(SIGNS)] for k in range(len(numbers))], meaning


def phase_map(
    center: Phases,
    elsewhere: Phases = (),
    *,
    labels: Sequence[str] | None = None,
    ascii_only: bool = False,
) -> list[str]:
    """Draw one pixel with the phases of a pattern, as lines of one length.

    The phases (N, 2) of the exposures have labels of one or two characters; those elsewhere in the
    region (M, 2) are dots; whole pixels do not matter. x grows to the right and y upwards, as on
    the detector; the phases 0 and 0.5 are marked on the frame, and below it are their scale and
    which exposures share a place.
    """
    if labels is None:
        labels = [SIGNS[k % len(SIGNS)] for k in range(len(center))]
    dots = np.zeros((ROWS, COLUMNS), dtype=int)
    rows, columns, bits = _cells(elsewhere)
    np.bitwise_or.at(dots, (rows, columns), bits)
    inside = [[chr(0x2800 + cell) if cell else " " for cell in row] for row in dots.tolist()]

    # With labels of two characters a place is two columns wide, so that labels do not overlap.
    width = max(map(len, labels), default=1)
    placed: dict[tuple[int, int], list[tuple[int, str]]] = {}
    rows, columns, _ = _cells(center)
    for label, row, column in zip(labels, rows.tolist(), columns.tolist(), strict=True):
        placed.setdefault((row, column // width), []).append((column, label))
    for (row, block), here in placed.items():
        column, text = here[0] if len(here) == 1 else (0, SHARED)
        start = column if len(here) == 1 and len(text) == 1 else block * width
        inside[row][start : start + len(text)] = text

    marked_rows, marked_columns, _ = _cells([(0.0, 0.0), (0.5, 0.5)])
    at_0, at_half = marked_columns.tolist()
    above, below = (
        "".join(mark if k in (at_0, at_half) else "─" for k in range(COLUMNS)) for mark in "┬┴"
    )
    lines = [f"┌{above}┐"]
    for k, row in enumerate(inside):
        left, right = ("├", "┤") if k in marked_rows else ("│", "│")
        lines.append(left + "".join(row) + right)
    scale = f"{'0'.rjust(at_0 + 2).ljust(at_half + 1)}0.5".ljust(COLUMNS - 3)
    lines += [f"└{below}┘", f"{scale}pixel"]
    shared = [[label for _, label in here] for here in placed.values() if len(here) > 1]
    if shared:
        text = f"{SHARED} is {'; '.join(map(numbers_in_words, shared))}"
        lines += textwrap.wrap(text, COLUMNS + 2, break_on_hyphens=False)
    lines = [line.ljust(COLUMNS + 2) for line in lines]
    return [line.translate(_ASCII) for line in lines] if ascii_only else lines


def _cells(phases: Phases) -> tuple[Cells, Cells, Cells]:
    """Return row, column and braille bit of phases; the first row is the top of the pixel."""
    counts = np.array([2 * COLUMNS, 4 * ROWS])
    parts = (np.reshape(phases, (-1, 2)) - PIXEL_START) % 1.0
    across, up = np.minimum((parts * counts).astype(int), counts - 1).T
    down = 4 * ROWS - 1 - up
    return down // 4, across // 2, _BRAILLE[across % 2, down % 4]
