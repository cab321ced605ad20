"""A picture of pixel phases made of characters: one pixel, and where the exposures fall in it.

Each exposure is a sign (1 to 9, then letters) at its phase; the dots around it are where distortion
moves that phase over the region. Braille dots where the terminal has them, full stops where it has
not. Exposures that share a character are shown by ``*`` and named below the picture.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

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

Point = tuple[float, float]
Cell = tuple[int, int]


def phase_map(
    center: Sequence[Point],
    elsewhere: Sequence[Point] = (),
    *,
    columns: int = COLUMNS,
    rows: int = ROWS,
    ascii_only: bool = False,
) -> list[str]:
    """Draw one pixel with the phases of a pattern.

    Parameters
    ----------
    center : sequence of (x, y)
        Phase of each exposure, pixels; whole pixels do not matter.
    elsewhere : sequence of (x, y)
        Phases at other places of the region.
    columns, rows : int
        Size of the inside of the picture in characters.
    ascii_only : bool
        Draw with plain characters alone.

    Returns
    -------
    list of str
        Lines of one length: the frame of one pixel with the phases 0 and 0.5 marked on it, their
        scale, and what shares a character. x grows to the right and y upwards, as on the detector.
    """
    dots: dict[Cell, int] = {}
    for x, y in elsewhere:
        cell, bit = _cell(x, y, columns, rows)
        dots[cell] = dots.get(cell, 0) | bit
    signs: dict[Cell, str] = {}
    for sign, (x, y) in zip(_endless(len(center)), center, strict=True):
        cell, _ = _cell(x, y, columns, rows)
        signs[cell] = signs.get(cell, "") + sign

    def character(cell: Cell) -> str:
        here, bits = signs.get(cell, ""), dots.get(cell, 0)
        if here:
            return here if len(here) == 1 else SHARED
        if not bits:
            return " "
        return "." if ascii_only else chr(0x2800 + bits)

    across, down, *corners = list("-|++++" if ascii_only else "─│┌┐└┘")
    mark_top, mark_bottom, mark_left, mark_right = list("++++" if ascii_only else "┬┴├┤")
    marked_columns = {_cell(phase, 0.0, columns, rows)[0][1] for phase in _MARKED}
    marked_rows = {_cell(0.0, phase, columns, rows)[0][0] for phase in _MARKED}

    def edge(mark: str) -> str:
        return "".join(mark if column in marked_columns else across for column in range(columns))

    lines = [corners[0] + edge(mark_top) + corners[1]]
    for row in range(rows):
        inside = "".join(character((row, column)) for column in range(columns))
        left, right = (mark_left, mark_right) if row in marked_rows else (down, down)
        lines.append(left + inside + right)
    lines.append(corners[2] + edge(mark_bottom) + corners[3])
    lines.append(_scale(columns, rows))
    shared = [here for _, here in sorted(signs.items()) if len(here) > 1]
    if shared:
        lines += _wrapped(f"{SHARED} " + ", ".join("=".join(here) for here in shared), columns + 2)
    return [line.ljust(columns + 2) for line in lines]


def side_by_side(left: Sequence[str], right: Sequence[str], *, gap: int = 4) -> list[str]:
    """Put two pictures beside each other; the shorter one ends in blanks."""
    width = max(map(len, left), default=0)
    return [
        f"{one.ljust(width)}{' ' * gap}{other}".rstrip()
        for one, other in zip_longest(left, right, fillvalue="")
    ]


def _scale(columns: int, rows: int) -> str:
    """Return the line below a picture: the marked phases under their marks."""
    line = [" "] * (columns + 2)
    for phase in _MARKED:
        start = 1 + _cell(phase, 0.0, columns, rows)[0][1]
        for k, character in enumerate(f"{phase:g}"):
            line[min(start + k, columns + 1)] = character
    unit = "pixel"
    line[-len(unit) :] = unit
    return "".join(line)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _cell(x: float, y: float, columns: int, rows: int) -> tuple[Cell, int]:
    """Return row and column of a phase, and its braille bit there."""
    x, y = ((phase - PIXEL_START) % 1.0 for phase in (x, y))
    across = min(int(x * columns * _DOTS_ACROSS), columns * _DOTS_ACROSS - 1)
    # The picture's first row is the top of the pixel.
    from_below = min(int(y * rows * _DOTS_DOWN), rows * _DOTS_DOWN - 1)
    down = rows * _DOTS_DOWN - 1 - from_below
    bit = _BRAILLE[across % _DOTS_ACROSS][down % _DOTS_DOWN]
    return (down // _DOTS_DOWN, across // _DOTS_ACROSS), bit


def _endless(count: int) -> str:
    return (SIGNS * (count // len(SIGNS) + 1))[:count]
