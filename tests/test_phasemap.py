from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aptdither.dither.views import View
from aptdither.report.ascii_map import (
    COLUMNS,
    PIXEL_START,
    ROWS,
    exposure_labels,
    phase_map,
)
from aptdither.report.text import PhasePicture
from aptdither.types import Region

phases = st.floats(-40, 40, allow_nan=False)
points = st.lists(st.tuples(phases, phases), max_size=12)
BOX = [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)]


def inside(lines: list[str]) -> list[str]:
    """Return what stands inside the frame."""
    return [line[1:-1] for line in lines[1 : ROWS + 1]]


@given(points, points, st.booleans())
def test_every_line_is_as_long_and_fits_twice_into_80_columns(
    center: list[tuple[float, float]], elsewhere: list[tuple[float, float]], ascii_only: bool
) -> None:
    lines = phase_map(center, elsewhere, ascii_only=ascii_only)
    assert {len(line) for line in lines} == {COLUMNS + 2}
    assert 2 * (COLUMNS + 2) + 4 <= 78
    if ascii_only:
        assert all(line.isascii() for line in lines)


@given(st.floats(0, 0.999), st.floats(0, 0.999), st.integers(-9, 9), st.integers(-9, 9))
def test_a_phase_stands_where_it_belongs_whatever_whole_pixels_it_has(
    x: float, y: float, whole_x: int, whole_y: int
) -> None:
    rows = inside(phase_map([(x + whole_x, y + whole_y)]))
    (row,) = (k for k, line in enumerate(rows) if "1" in line)
    column = rows[row].index("1")
    from_left, from_below = (x - PIXEL_START) % 1, (y - PIXEL_START) % 1
    assert abs(column + 0.5 - from_left * COLUMNS) <= 0.51
    # y grows upwards: the first row is the top of the pixel.
    assert abs(ROWS - row - 0.5 - from_below * ROWS) <= 0.51


def test_a_box_looks_like_a_box() -> None:
    rows = inside(phase_map(BOX, ascii_only=True))
    found = {
        sign: (r, c) for r, line in enumerate(rows) for c, sign in enumerate(line) if sign != " "
    }
    assert set(found) == set("1234")
    assert found["1"][0] == found["2"][0] > found["4"][0] == found["3"][0]
    assert found["1"][1] == found["4"][1] < found["2"][1] == found["3"][1]


def test_noise_of_the_last_digit_does_not_throw_a_phase_across_the_pixel() -> None:
    assert phase_map([(-1e-16, -1e-9)]) == phase_map([(0.0, 0.0)])


def test_exposures_that_share_a_place_are_named() -> None:
    lines = phase_map([(0.3, 0.3), (0.7, 0.7), (4.3, -2.7)])
    assert sum(line.count("*") for line in inside(lines)) == 1
    assert lines[-1].strip() == "* is 1,3"


def test_dots_are_braille_or_full_stops() -> None:
    elsewhere = [(0.25 + 0.01 * k, 0.75) for k in range(5)]
    braille = "".join(inside(phase_map([], elsewhere)))
    dots = sum((ord(c) - 0x2800).bit_count() for c in braille if "\u2800" <= c <= "\u28ff")
    # Five phases 0.01 apart, dots 1/56 apart.
    assert dots == len({math.floor((x - PIXEL_START) * 2 * COLUMNS) for x, _ in elsewhere})
    assert "." in "".join(inside(phase_map([], elsewhere, ascii_only=True)))


@pytest.mark.parametrize("count", [61, 62, 200])
def test_more_exposures_than_signs_begin_anew(count: int) -> None:
    lines = phase_map([(0.1, 0.1)] * count)
    assert any("*" in line for line in inside(lines))


@given(points, st.lists(st.sampled_from(["1", "3", "12", "2a"]), min_size=12, max_size=12))
def test_exposures_have_their_own_numbers(
    center: list[tuple[float, float]], numbers: list[str]
) -> None:
    lines = phase_map(center, labels=numbers[: len(center)])
    assert {len(line) for line in lines} == {COLUMNS + 2}
    named = "".join(inside(lines)) + "".join(lines[ROWS + 2 :])
    assert all(number in named for number in numbers[: len(center)])


@pytest.mark.parametrize(
    ("numbers", "labels"),
    [
        (["1", "3", "12"], ["1", "3", "12"]),
        (["1", "100"], ["1", "2"]),
        (["7", "7"], ["1", "2"]),
        (["\x1b[", "2"], ["1", "2"]),
    ],
)
def test_labels_are_numbers_where_they_fit(numbers: list[str], labels: list[str]) -> None:
    found, meaning = exposure_labels(numbers)
    assert found == labels
    assert ("in order" in meaning) == (found != numbers)
    assert "\x1b" not in meaning


@pytest.mark.parametrize(("width", "encoding"), [(80, "utf-8"), (80, "ascii"), (40, "utf-8")])
def test_the_summary_shows_the_centre_and_the_worst_place(width: int, encoding: str) -> None:
    from aptdither.dither.coverage import evaluate
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.filters import get_element

    view = View(get_aperture("IR"), get_element("F125W", "WFC3/IR"), Region.full())
    found = evaluate(BOX, view, grid=3)
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    worst = int(found.efficiency.argmin())
    location = f"pixel ({found.field.x_pix[worst]:.0f}, {found.field.y_pix[worst]:.0f})"
    picture = PhasePicture(found, list("1234"), location)
    Console(file=file, width=width, highlight=False).print(picture)
    text = raw.getvalue().decode(encoding)
    assert all(len(line) <= width for line in text.splitlines())
    assert (f"Worst E, {location}" in text) == (width == 80)
