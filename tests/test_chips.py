"""WFC3/UVIS, ACS/WFC and ACS/SBC: apertures, chips and the published pixels of stock patterns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from aptdither.dither.catalog import load_catalog
from aptdither.dither.coverage import evaluate
from aptdither.dither.views import View
from aptdither.errors import OpticsError
from aptdither.optics.aperture import Aperture, aperture_names, get_aperture
from aptdither.optics.filters import get_element
from aptdither.optics.siaf import siaf_tables
from aptdither.types import Region

CONFIGS = ("WFC3/UVIS", "ACS/WFC", "ACS/SBC")
APERTURES = [(config, name) for config in CONFIGS for name in aperture_names(config)]
#: Columns of overscan that the SIAF counts.
OVERSCAN_PIX = {"WFC3/UVIS": 25, "ACS/WFC": 24, "ACS/SBC": 0}
#: Rows of the SIAF whose V3IdlYAngle is not along the columns of their chip.
TURNED_ROWS = {"IUV1_2K4", "IUV2_2K4", "IUV1M1_512", "IUV2M1_512", "JSBCLODARK"}


def reference_slopes(aperture: Aperture) -> Any:
    return aperture.jacobian_at(*aperture.reference_pix)


def grid(aperture: Aperture, n: int = 16) -> Any:
    columns, rows = aperture.detector.image_pix
    return np.meshgrid(np.linspace(0.5, columns + 0.5, n), np.linspace(0.5, rows + 0.5, n))


# --- the data ------------------------------------------------------------------------------------


def test_every_aperture_of_apt_is_known() -> None:
    parts = ["2K2A", "2K2B", "2K4", "C512A", "C512B", "M512"]
    uvis = {f"UVIS{fix}" for fix in ("", "-FIX", "-CENTER", "-IR-FIX", "1", "1-FIX", "2", "2-FIX")}
    uvis |= {f"UVIS1-{part}-SUB" for part in parts} | {"G280-REF"}
    parts = ["2K2C", "2K2D", "2K4", "C512C", "C512D", "M512", "M512C", "C1K1C", "M1K1C"]
    uvis |= {f"UVIS2-{part}-SUB" for part in parts} | {"UVIS2-C512C-CTE", "UVIS2-C1K1C-CTE"}
    assert set(aperture_names("WFC3/UVIS")) == uvis
    wfc = {"WFC", "WFC-FIX", "WFCENTER", "WFC1", "WFC1-FIX", "WFC2", "WFC2-FIX", "WFC1-CTE"}
    wfc |= {"WFC1-512", "WFC1-1K", "WFC1-2K", "WFC2-2K"}
    wfc |= {f"WFC{where}-{n}" for where in ("1A", "1B", "2C", "2D") for n in ("512", "1K", "2K")}
    assert set(aperture_names("ACS/WFC")) == wfc
    assert set(aperture_names("ACS/SBC")) == {"SBC", "SBC-FIX", "SBC-LODARK"}


def test_a_name_says_its_config() -> None:
    for config, name in APERTURES:
        assert get_aperture(name).config == config
    with pytest.raises(OpticsError, match=r"UVIS-QUAD of WFC3/UVIS is not supported: .*2K2A-SUB"):
        get_aperture("UVIS-QUAD", "FQ437N")


def test_a_name_of_two_configs_needs_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(siaf_tables("ACS/SBC")["apertures"], "UVIS", {})
    with pytest.raises(OpticsError, match="UVIS exists in WFC3/UVIS and ACS/SBC; name the Config"):
        get_aperture("UVIS")
    assert get_aperture("UVIS", config="WFC3/UVIS").detector.config == "WFC3/UVIS"


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("UVIS", {1: (1, 4096, 1, 2051), 2: (1, 4096, 1, 2051)}),
        ("UVIS2", {1: (1, 4096, 1, 2051), 2: (1, 4096, 1, 2051)}),
        ("UVIS1-2K4-SUB", {1: (1, 4096, 1, 2051)}),
        ("UVIS2-C512C-SUB", {2: (1, 513, 1, 512)}),
        ("UVIS2-M1K1C-SUB", {2: (1025, 2048, 1028, 2051)}),
        ("UVIS2-C1K1C-CTE", {1: (1, 4096, 1, 2051), 2: (1, 4096, 1, 2051)}),
        ("WFC", {1: (1, 4096, 1, 2048), 2: (1, 4096, 1, 2048)}),
        ("WFC1-512", {1: (3585, 4096, 1537, 2048)}),
        ("WFC2D-1K", {2: (2049, 4096, 1, 1024)}),
        ("SBC", {1: (1, 1024, 1, 1024)}),
    ],
)
def test_what_is_read(name: str, reads: dict[int, tuple[int, ...]]) -> None:
    aperture = get_aperture(name)
    found = {
        chip.number: (r.x_min, r.x_max, r.y_min, r.y_max)
        for chip in aperture.chips
        for r in [chip.readout]
    }
    assert found == reads
    assert aperture.frame.chip in reads


@pytest.mark.parametrize(("config", "name"), APERTURES)
def test_the_target_lands_at_the_reference_point(config: str, name: str) -> None:
    aperture = get_aperture(name, config=config)
    assert_allclose(aperture.ideal_from_pixel(*aperture.reference_pix), (0, 0), rtol=0, atol=1e-12)
    assert_allclose(aperture.offset_from_postarg(0.0, 0.0), (0, 0), rtol=0, atol=1e-9)
    assert aperture.readout.distance(*aperture.reference_pix) == 0


def test_uvis_ir_fix_is_where_ir_fix_points() -> None:
    """Its pixel in the SIAF is 4.8 pixels from where its V2 and V3 are, which are those of IR-FIX."""
    one, other = get_aperture("UVIS-IR-FIX").frame, get_aperture("IR-FIX").frame
    miss = math.hypot(one.v2_arcsec - other.v2_arcsec, one.v3_arcsec - other.v3_arcsec)
    assert miss < 5e-5
    siafs = (2139.73 - 25, 35.788)
    assert math.dist(one.reference_pix, siafs) == pytest.approx(4.9, abs=0.1)


# --- distortion ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "name"), APERTURES)
def test_there_and_back_over_both_chips(config: str, name: str) -> None:
    aperture = get_aperture(name, config=config)
    x_pix, y_pix = grid(aperture)
    for chip in aperture.chips:
        x, y = aperture.ideal_from_pixel(x_pix, y_pix, chip=chip.number)
        x_back, y_back = aperture.pixel_from_ideal(x, y, chip=chip.number)
        assert np.hypot(x_back - x_pix, y_back - y_pix).max() < 1e-9


@pytest.fixture(scope="module")
def siaf() -> Any:
    return pytest.importorskip("pysiaf").Siaf("HST")


@pytest.mark.parametrize(("config", "name"), APERTURES)
def test_pixels_agree_with_pysiaf(siaf: Any, config: str, name: str) -> None:
    """The same through pysiaf: chip's row to (V2, V3), and from there to the aperture's row.

    (V2, V3) of the rows is rounded to 1e-4 arcsec, so differences of positions are compared.
    """
    aperture = get_aperture(name, config=config)
    row = siaf[aperture.siaf_name]
    chips = {chip["number"]: siaf[chip["siaf"]] for chip in siaf_tables(config)["chips"]}

    def theirs(number: int, x_pix: Any, y_pix: Any) -> Any:
        chip = chips[number]
        x, y = chip.sci_to_idl(np.asarray(x_pix) + OVERSCAN_PIX[config], np.asarray(y_pix))
        return np.stack(back_by_hand(row, *by_hand(chip, x, y)))

    zero = theirs(aperture.frame.chip, *aperture.reference_pix)[:, None, None]
    for chip in aperture.chips:
        ours = np.stack(aperture.ideal_from_pixel(*grid(aperture), chip=chip.number))
        miss_arcsec = ours - (theirs(chip.number, *grid(aperture)) - zero)
        assert np.abs(miss_arcsec).max() < 3e-11  # 1e-9 pixel


def by_hand(row: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Turn ideal positions into (V2, V3), in the plane and with parity -1."""
    angle = np.radians(row.V3IdlYAngle)
    return (
        row.V2Ref - x * np.cos(angle) + y * np.sin(angle),
        row.V3Ref + x * np.sin(angle) + y * np.cos(angle),
    )


def back_by_hand(row: Any, v2: Any, v3: Any) -> tuple[Any, Any]:
    angle, v2, v3 = np.radians(row.V3IdlYAngle), v2 - row.V2Ref, v3 - row.V3Ref
    return -v2 * np.cos(angle) + v3 * np.sin(angle), v2 * np.sin(angle) + v3 * np.cos(angle)


@pytest.mark.parametrize(
    ("name", "gap_pix"),
    # WFC3 Instrument Handbook, section 6.4.1; ACS Instrument Handbook: about 50 pixels.
    [("UVIS", 31), ("WFC", 50)],
)
def test_the_gap_between_the_chips(name: str, gap_pix: float) -> None:
    aperture = get_aperture(name)
    columns, rows = aperture.detector.image_pix
    edge = aperture.ideal_from_pixel(columns / 2, 0.5, chip=1)
    _, y_pix = aperture.pixel_from_ideal(*edge, chip=2)
    assert float(y_pix) - (rows + 0.5) == pytest.approx(gap_pix, abs=3)
    assert aperture.chip_at(0.0, 0.0).number == 1
    below = aperture.ideal_from_pixel(columns / 2, rows, chip=2)
    assert aperture.chip_at(*map(float, below)).number == 2


def test_the_other_chip_moves_about_where_the_target_would_land() -> None:
    aperture = get_aperture("UVIS")
    at = aperture.pixel_from_ideal(0.0, 0.0, chip=2)
    assert_allclose(
        aperture.offset_from_postarg(0.3, 0.2, chip=2),
        aperture.offset_from_postarg(0.3, 0.2, at=at, chip=2),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize(("name", "degrees"), [("UVIS", 86.2), ("WFC", 85.4)])
def test_the_pixel_axes_are_skew(name: str, degrees: float) -> None:
    """Ideal y lies along the columns and x does not lie along the rows (HPIOM 10.5.6)."""
    (xx, xy), (yx, yy) = reference_slopes(get_aperture(name))
    assert abs(xy / yy) < 4e-4
    assert 90 - math.degrees(math.atan2(yx, xx)) == pytest.approx(degrees, abs=0.05)


@pytest.mark.parametrize(("config", "name"), APERTURES)
def test_postargs_lie_along_the_columns_but_for_faulty_rows(config: str, name: str) -> None:
    aperture = get_aperture(name, config=config)
    (_, xy), (_, yy) = reference_slopes(aperture)
    lean_deg = abs(math.degrees(xy / yy))
    assert lean_deg < (0.29 if aperture.siaf_name in TURNED_ROWS else 0.02)
    assert (lean_deg > 0.16) == (aperture.siaf_name in TURNED_ROWS)


# --- stock patterns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "postargs", "pixels"),
    # STScI's pages of ACS dither patterns; those of the SBC are integer and half pixels there too.
    [
        (
            "WFC",
            [(0.247, 0.094), (0.124, 0.232), (-0.124, 0.138)],
            [(5, 1.5), (2.5, 4.5), (-2.5, 3)],
        ),
        ("WFC", [(0.148, 0.086), (0.222, 0.240), (0.074, 0.154)], [(3, 1.5), (4.5, 4.5), (1.5, 3)]),
        ("WFC", [(0.247, 2.984)], [(5.01, 60.03)]),
        ("SBC", [(0.067, 0.067), (0.084, 0.053)], [(2, 2), (2.5, 1.5)]),
        ("SBC", [(0.336, 0.333)], [(10.03, 10.02)]),
        ("SBC", [(0.078, 0.078), (0.157, 0.156)], [(2.33, 2.35), (4.69, 4.70)]),
    ],
)
def test_published_pixels_of_stock_patterns(
    name: str, postargs: list[tuple[float, float]], pixels: list[tuple[float, float]]
) -> None:
    moves = get_aperture(name).offset_from_postarg(*np.transpose(postargs))
    assert_allclose(np.stack(moves, axis=-1), pixels, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("name", "prime", "other", "alone", "along"),
    # Worst d / d_N over the full fields, found apart from this package with the SIAF 1.90.
    [
        ("WFC3-IR-DITHER-BOX-MIN", "IR", "WFC", 0.81, 0.12),
        ("WFC3-UVIS-DITHER-BOX", "UVIS", "WFC", 0.77, 0.15),
        ("ACS-WFC-DITHER-BOX", "WFC", "IR", 0.36, 0.41),
    ],
)
def test_a_pattern_of_one_detector_seen_by_another(
    name: str, prime: str, other: str, alone: float, along: float
) -> None:
    postargs = load_catalog().get(name).postargs(get_aperture(prime))
    frame = get_aperture(prime).frame
    for where, expected in ((prime, alone), (other, along)):
        aperture = get_aperture(where)
        element = get_element(aperture.detector.default_element, aperture.config)
        worst = evaluate(postargs, View(aperture, element, Region.full(), frame)).worst
        assert worst.packing_of_limit == pytest.approx(expected, abs=0.015)
