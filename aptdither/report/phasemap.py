"""A picture of pixel phases made of characters: one pixel, and where the exposures fall in it.

Each exposure is a sign (1 to 9, then letters) at its phase at the centre of the region; the dots
around it are where distortion moves that phase over the region. Braille dots where the terminal
has them, full stops where it has not.
"""

from __future__ import annotations

from collections.abc import Sequence

SIGNS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#: Bits of the eight dots of a braille cell, by column and row within the cell (Unicode, U+2800).
_BRAILLE = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))

Point = tuple[float, float]


def phase_map(
    center: Sequence[Point],
    elsewhere: Sequence[Point] = (),
    *,
    columns: int = 28,
    rows: int = 12,
    ascii_only: bool = False,
) -> list[str]:
    """Draw one pixel with the phases of a pattern.

    Parameters
    ----------
    center : sequence of (x, y)
        Phase of each exposure at the centre of the region, pixels; whole pixels do not matter.
    elsewhere : sequence of (x, y)
        Phases at other places of the region.
    columns, rows : int
        Size of the inside of the picture in characters.
    ascii_only : bool
        Draw with plain characters alone.

    Returns
    -------
    list of str
        The lines, frame included; x grows to the right and y upwards, as on the detector.
    """
    dots: dict[tuple[int, int], int] = {}
    for x, y in elsewhere:
        column, row, bit = _cell(x, y, columns, rows)
        dots[row, column] = dots.get((row, column), 0) | bit
    signs: dict[tuple[int, int], str] = {}
    for sign, (x, y) in zip(_endless(len(center)), center, strict=True):
        column, row, _ = _cell(x, y, columns, rows)
        # Two exposures in one cell are what a reader must not miss.
        signs[row, column] = sign if (row, column) not in signs else "*"
    horizontal, vertical, corners = ("-", "|", "++++") if ascii_only else ("─", "│", "┌┐└┘")
    lines = [corners[0] + horizontal * columns + corners[1]]
    for row in range(rows):
        cells = []
        for column in range(columns):
            bits = dots.get((row, column), 0)
            dot = " " if not bits else "." if ascii_only else chr(0x2800 + bits)
            cells.append(signs.get((row, column), dot))
        lines.append(vertical + "".join(cells) + vertical)
    lines.append(corners[2] + horizontal * columns + corners[3])
    return lines


def _cell(x: float, y: float, columns: int, rows: int) -> tuple[int, int, int]:
    """Return column, row and braille bit of a phase."""
    across = min(int((x % 1.0) * columns * 2), columns * 2 - 1)
    # The picture's first row is the top of the pixel.
    down = rows * 4 - 1 - min(int((y % 1.0) * rows * 4), rows * 4 - 1)
    return across // 2, down // 4, _BRAILLE[across % 2][down % 4]


def _endless(count: int) -> str:
    return (SIGNS * (count // len(SIGNS) + 1))[:count]
