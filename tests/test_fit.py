"""The ISR's section 3.2, and its misprint (WFC3 ISR 2016-14)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from aptdither.errors import OpticsError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.pointing_fit import (
    CorrectedFrame,
    Measured,
    fit_dithers,
    fit_similarity,
    read_measurements,
)
from aptdither.types import FloatArray

from .test_aperture import MODELLED, OBSERVED, POSTARGS

FIX = get_aperture("IR-FIX")


def table_2(positions: FloatArray) -> Measured:
    return Measured(dataset="ic9i04", postargs_arcsec=POSTARGS, positions_pix=positions)


def isr_positions(a: float, b: float) -> FloatArray:
    """Predict Table 2 as the ISR does: a step of (A, B) times POS TARG in its corrected frame."""
    frame = CorrectedFrame.of(FIX)
    u, v = frame.from_pixel(*OBSERVED[0])
    u_to = u + a * POSTARGS[:, 0] + b * POSTARGS[:, 1]
    v_to = v - b * POSTARGS[:, 0] + a * POSTARGS[:, 1]
    turn = np.array([[frame.a, frame.b], [-frame.b, frame.a]])
    x, y = np.linalg.solve(turn, np.array([u_to, v_to]))
    return np.stack(FIX.pixel_from_ideal(x, y), axis=-1)


# --- the ISR's frame and its A -------------------------------------------------------------------


def test_the_frame_derived_from_the_siaf_has_the_isrs_a_and_b() -> None:
    frame = CorrectedFrame.of(FIX)
    assert frame.a == pytest.approx(8.265, abs=0.005)
    assert frame.b == pytest.approx(0.025, abs=0.0005)


def test_section_3_1_the_corner_in_the_isrs_frame() -> None:
    """(25, 25) is at (-27.7932, 33.5927); the ISR counts from the corner, we from (507, 507)."""
    u, v = CorrectedFrame.of(FIX).from_pixel(25.0, 25.0)
    assert_allclose((u + 507.0, v + 507.0), (-27.7932, 33.5927), rtol=0, atol=0.1)
    x, y = FIX.ideal_from_pixel(25.0, 25.0)
    stated = 8.265 * x + 0.025 * y + 507.0, -0.025 * x + 8.265 * y + 507.0
    assert_allclose(stated, (-27.7932, 33.5927), rtol=0, atol=0.3)


def test_the_printed_a_is_a_misprint() -> None:
    """With A = 8.265 the ISR's model gives its Table 2; with the 8.625 of its text it does not."""
    assert np.abs(isr_positions(8.265, 0.025) - MODELLED).max() < 0.01
    assert np.abs(isr_positions(8.625, 0.025) - MODELLED).max() > 0.25


def test_table_2_fitted() -> None:
    modelled, observed = fit_dithers(table_2(MODELLED), FIX), fit_dithers(table_2(OBSERVED), FIX)
    assert modelled.isr.a == pytest.approx(8.27, abs=0.005)
    assert modelled.isr.b == pytest.approx(0.025, abs=0.0015)
    assert modelled.isr.rms < 0.002  # Table 2 has three decimals
    assert observed.isr.a == pytest.approx(8.32, abs=0.005)
    for fit in (modelled, observed):
        assert fit.isr.a_error is not None
        assert abs(fit.isr.a - 8.625) > 10 * fit.isr.a_error
    assert_allclose(observed.residual_rms_pix, (0.046, 0.035), atol=0.001)
    assert observed.siaf.scale == pytest.approx(1.0061, abs=0.0005)
    assert observed.siaf.turn_deg == pytest.approx(-0.18, abs=0.01)
    assert observed.siaf.turn_error_deg == pytest.approx(0.16, abs=0.01)


# --- laws ----------------------------------------------------------------------------------------


@given(
    scale=st.floats(0.9, 1.1),
    roll_deg=st.floats(-2.0, 2.0),
    at=st.tuples(st.floats(100.0, 900.0), st.floats(100.0, 900.0)),
)
def test_a_perfect_turn_is_found_without_error(
    scale: float, roll_deg: float, at: tuple[float, float]
) -> None:
    aperture = get_aperture("IR")
    roll = np.radians(roll_deg)
    turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    moved = POSTARGS @ turn.T
    moves = aperture.offset_from_postarg(*moved.T, at=at)
    positions = np.add(at, np.stack(moves, axis=-1))
    fit = fit_dithers(
        Measured(dataset="made", postargs_arcsec=POSTARGS, positions_pix=positions), aperture
    )
    assert fit.siaf.scale == pytest.approx(scale, abs=1e-9)
    assert fit.siaf.turn_deg == pytest.approx(roll_deg, abs=1e-7)
    assert fit.siaf.rms < 1e-9
    assert_allclose(fit.achieved_arcsec, moved, rtol=0, atol=1e-9)


def test_what_was_done_counts_from_the_first_exposures_own_postarg() -> None:
    """A dither about a base: a perfect telescope achieves what was commanded, base and all."""
    commanded = POSTARGS + np.array([10.0, -5.0])
    moves = FIX.offset_from_postarg(*commanded.T)
    positions = np.add(FIX.reference_pix, np.stack(moves, axis=-1))
    fit = fit_dithers(
        Measured(dataset="base", postargs_arcsec=commanded, positions_pix=positions), FIX
    )
    assert_allclose(fit.achieved_arcsec, commanded, rtol=0, atol=1e-9)
    assert_allclose(fit.residual_pix, 0.0, atol=1e-8)


def test_errors_are_those_of_the_scatter() -> None:
    """Over many noisy repeats the fitted a and b scatter as their errors say."""
    rng = np.random.default_rng(7)
    fits = [
        fit_similarity(POSTARGS, 8.0 * POSTARGS + rng.normal(0.0, 0.05, POSTARGS.shape))
        for _ in range(2000)
    ]
    for name in ("a", "b"):
        scatter = np.std([getattr(fit, name) for fit in fits])
        stated = np.sqrt(np.mean([getattr(fit, f"{name}_error") ** 2 for fit in fits]))
        assert scatter == pytest.approx(stated, rel=0.06)
    assert np.mean([fit.a for fit in fits]) == pytest.approx(8.0, abs=0.005)


def test_two_exposures_have_no_error_to_state() -> None:
    fit = fit_similarity(POSTARGS[:2], 8.0 * POSTARGS[:2] + 500.0)
    assert (fit.a, fit.b) == pytest.approx((8.0, 0.0), abs=1e-9)
    assert fit.a_error is None
    assert fit.turn_error_deg is None


@pytest.mark.parametrize(
    ("postargs", "found", "message"),
    [
        (POSTARGS[:1], OBSERVED[:1], "two exposures or more, found 1"),
        (np.zeros((3, 2)), OBSERVED[:3], "all its POS TARGs are the same"),
        (POSTARGS, np.full((8, 2), np.nan), "not a finite number"),
    ],
)
def test_what_cannot_be_fitted_says_why(
    postargs: FloatArray, found: FloatArray, message: str
) -> None:
    with pytest.raises(OpticsError, match=message):
        fit_similarity(postargs, found)


# --- tables --------------------------------------------------------------------------------------


def write(path: Path, **columns: object) -> Path:
    QTable(columns).write(path, format="ascii.ecsv")
    return path


def test_a_table_of_two_datasets_in_units_of_ones_own(tmp_path: Path) -> None:
    units = pytest.importorskip("astropy.units")
    path = write(
        tmp_path / "stars.ecsv",
        dataset=["b", "a", "b", "a"],
        postarg_x=POSTARGS[:4, 0] * 1000.0 * units.mas,
        postarg_y=POSTARGS[:4, 1] / 60.0 * units.arcmin,
        x_pix=OBSERVED[:4, 0] * units.pix,
        y_pix=OBSERVED[:4, 1],
    )
    first, second = read_measurements(path)
    assert (first.dataset, second.dataset) == ("b", "a")
    assert_allclose(first.postargs_arcsec, POSTARGS[[0, 2]], rtol=1e-12)
    assert_allclose(second.postargs_arcsec, POSTARGS[[1, 3]], rtol=1e-12)
    assert_allclose(second.positions_pix, OBSERVED[[1, 3]])


def test_a_star_on_the_other_chip(tmp_path: Path) -> None:
    aperture, at = get_aperture("UVIS"), (1000.0, 1500.0)
    found = np.add(at, np.stack(aperture.offset_from_postarg(*POSTARGS.T, at=at, chip=2), axis=-1))
    columns = {
        "postarg_x": POSTARGS[:, 0],
        "postarg_y": POSTARGS[:, 1],
        "x_pix": found[:, 0],
        "y_pix": found[:, 1],
    }
    path = write(tmp_path / "chip.ecsv", **columns, chip=np.full(len(found), 2))
    (measured,) = read_measurements(path)
    fit = fit_dithers(measured, aperture)
    assert (fit.siaf.scale, fit.siaf.turn_deg) == pytest.approx((1.0, 0.0), abs=1e-8)
    assert_allclose(fit.residual_pix, 0.0, atol=1e-8)
    path = write(tmp_path / "mixed.ecsv", **columns, chip=np.array([1] + [2] * 7))
    with pytest.raises(OpticsError, match="dataset 'mixed' has several values of chip"):
        read_measurements(path)
    path = write(tmp_path / "third.ecsv", **columns, chip=np.full(len(found), 1.5))
    with pytest.raises(OpticsError, match=r"UVIS does not read chip 1\.5; it reads chip 1, 2"):
        fit_dithers(read_measurements(path)[0], aperture)


def test_a_table_of_offsets_counts_from_a_place(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ic9i04.ecsv",
        postarg_x=POSTARGS[:, 0],
        postarg_y=POSTARGS[:, 1],
        dx_pix=OBSERVED[:, 0] - OBSERVED[0, 0],
        dy_pix=OBSERVED[:, 1] - OBSERVED[0, 1],
    )
    (measured,) = read_measurements(path, at=(611.003, 484.382))
    assert measured.dataset == "ic9i04"
    assert_allclose(measured.positions_pix, OBSERVED)
    with pytest.raises(OpticsError, match="give the pixel from which they count"):
        read_measurements(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"postarg_x": [0.0], "x_pix": [1.0], "y_pix": [1.0]}, "no column postarg_y; needed are"),
        ({"postarg_x": [0.0], "postarg_y": [0.0]}, "no column dx_pix, dy_pix"),
        (
            {"postarg_x": ["a"], "postarg_y": [0.0], "x_pix": [1.0], "y_pix": [1.0]},
            "column postarg_x must hold numbers in arcsec",
        ),
        (
            {"postarg_x": [0.0, np.nan], "postarg_y": [0.0] * 2, "x_pix": [1.0] * 2}
            | {"y_pix": [1.0] * 2},
            "column postarg_x has no finite number in row 2",
        ),
    ],
)
def test_a_wrong_table_says_which_column(
    tmp_path: Path, columns: dict[str, list[object]], message: str
) -> None:
    path = tmp_path / "wrong.ecsv"
    Table(columns).write(path, format="ascii.ecsv")
    with pytest.raises(OpticsError, match=message):
        read_measurements(path)


def test_a_wrong_unit_or_a_masked_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.ecsv"
    table = Table({"postarg_x": [0.0], "postarg_y": [0.0], "x_pix": [1.0], "y_pix": [1.0]})
    table["postarg_x"].unit = "s"
    table.write(path, format="ascii.ecsv")
    with pytest.raises(OpticsError, match="in a unit that converts to it"):
        read_measurements(path)
    masked = Table(
        {"postarg_x": [0.0], "postarg_y": [0.0], "x_pix": [1.0], "y_pix": [1.0]}, masked=True
    )
    masked["y_pix"].mask = [True]
    masked.write(path, format="ascii.ecsv", overwrite=True)
    with pytest.raises(OpticsError, match="column y_pix has no finite number in row 1"):
        read_measurements(path)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"# %ECSV 1.0\n# ---\n"])
def test_a_file_that_is_no_ecsv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.ecsv"
    path.write_bytes(content)
    with pytest.raises(OpticsError, match=r"ECSV|not UTF-8"):
        read_measurements(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpticsError, match="does not exist"):
        read_measurements(tmp_path / "missing.ecsv")
    with pytest.raises(OpticsError, match="is a directory"):
        read_measurements(tmp_path)
