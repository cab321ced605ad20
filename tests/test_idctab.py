"""A distortion file of the observer's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from aptdither.errors import OpticsError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.idctab import read_idctab
from aptdither.types import FloatArray

GRID = [axis.ravel() for axis in np.meshgrid(np.linspace(1, 1014, 12), np.linspace(1, 1014, 12))]


def coefficients(x_coef: FloatArray, y_coef: FloatArray) -> dict[str, float]:
    """Name them as an IDCTAB does: CXij multiplies dx**j dy**(i - j)."""
    order = len(x_coef) - 1
    return {
        f"C{axis}{i}{j}": float(coef[j, i - j])
        for axis, coef in (("X", x_coef), ("Y", y_coef))
        for i in range(1, order + 1)
        for j in range(i + 1)
    }


def fix_row(**changes: Any) -> dict[str, Any]:
    """A row that holds the SIAF's polynomial of IR-FIX."""
    distortion = get_aperture("IR-FIX").distortion
    row: dict[str, Any] = {"DETCHIP": 1, "DIRECTION": "FORWARD", "FILTER": "CLEAR"}
    row |= {"XSIZE": 1014, "YSIZE": 1014, "XREF": 507.0, "YREF": 507.0, "SCALE": 0.128}
    return row | coefficients(distortion.x_coef, distortion.y_coef) | changes


def scaled(row: dict[str, Any], factor: float, **changes: Any) -> dict[str, Any]:
    is_coefficient = {name for name in row if name[:2] in {"CX", "CY"}}
    return {k: v * factor if k in is_coefficient else v for k, v in row.items()} | changes


def write(path: Path, *rows: dict[str, Any], order: object = 4) -> Path:
    columns = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        kind = "12A" if isinstance(values[0], str) else "D" if isinstance(values[0], float) else "I"
        columns.append(fits.Column(name=name, format=kind, array=np.array(values)))
    primary = fits.PrimaryHDU()
    if order is not None:
        primary.header["NORDER"] = order
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(path, overwrite=True)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "own_idc.fits"


def test_the_siafs_polynomial_as_a_file_is_the_same_distortion(table: Path) -> None:
    write(table, fix_row())
    own, siaf = get_aperture("IR-FIX", distortion_file=table), get_aperture("IR-FIX")
    assert_allclose(own.ideal_from_pixel(*GRID), siaf.ideal_from_pixel(*GRID), rtol=0, atol=1e-10)
    ideal = siaf.ideal_from_pixel(*GRID)
    assert_allclose(own.pixel_from_ideal(*ideal), GRID, rtol=0, atol=1e-8)
    assert own.provenance["source"] == "IDCTAB own_idc.fits"
    assert own.readout == siaf.readout


@pytest.mark.parametrize(
    ("name", "element"), [("IR", None), ("IR", "G102"), ("GRISM256", "G141"), ("IR-UVIS", None)]
)
def test_other_apertures_keep_their_origin_and_their_axes(
    table: Path, name: str, element: str | None
) -> None:
    """Each SIAF aperture is the same polynomial, turned: the same but for the SIAF's last digits."""
    write(table, fix_row())
    own, siaf = get_aperture(name, element, distortion_file=table), get_aperture(name, element)
    assert own.reference_pix == siaf.reference_pix
    assert_allclose(own.ideal_from_pixel(*own.reference_pix), (0.0, 0.0), atol=1e-14)
    assert_allclose(own.ideal_from_pixel(*GRID), siaf.ideal_from_pixel(*GRID), rtol=0, atol=6e-4)


def test_a_turned_table_gives_the_same_postargs(table: Path) -> None:
    row, angle = fix_row(), np.radians(0.3)
    turned = {
        name: np.cos(angle) * value - np.sin(angle) * row["CY" + name[2:]]
        if name.startswith("CX")
        else np.sin(angle) * row["CX" + name[2:]] + np.cos(angle) * value
        for name, value in row.items()
        if name[:2] in {"CX", "CY"}
    }
    write(table, row | turned)
    own, siaf = get_aperture("IR-FIX", distortion_file=table), get_aperture("IR-FIX")
    assert_allclose(own.ideal_from_pixel(*GRID), siaf.ideal_from_pixel(*GRID), rtol=0, atol=1e-9)


def test_the_file_decides_the_scale(table: Path) -> None:
    write(table, scaled(fix_row(), 1.01))
    own, siaf = get_aperture("IR-FIX", distortion_file=table), get_aperture("IR-FIX")
    expected = 1.01 * np.array(siaf.ideal_from_pixel(*GRID))
    assert_allclose(own.ideal_from_pixel(*GRID), expected, rtol=0, atol=1e-9)


def scale_of(table: Path, element: str | None = None, **options: Any) -> float:
    distortion = read_idctab(table, element, reach_pix=510.0, **options).distortion
    return float(distortion.x_coef[1, 0] / get_aperture("IR-FIX").distortion.x_coef[1, 0])


def test_the_row_of_the_element_is_taken_or_the_one_for_all(table: Path) -> None:
    row = fix_row()
    write(
        table,
        row | {"DIRECTION": "INVERSE"},
        scaled(row, 1.01, FILTER="CLEAR"),
        scaled(row, 1.02, FILTER="F160W"),
        scaled(row, 1.03, FILTER="F160W", DETCHIP=2),
    )
    assert scale_of(table) == pytest.approx(1.01)
    assert scale_of(table, "F160W") == pytest.approx(1.02)
    assert scale_of(table, "F125W") == pytest.approx(1.01)
    assert scale_of(table, "F160W", chip=2) == pytest.approx(1.03)


def test_two_filter_columns_and_chip_for_all(table: Path) -> None:
    row = fix_row(FILTER1="CLEAR1L", FILTER2="F160W", DETCHIP=-999)
    del row["FILTER"]
    write(table, row)
    assert scale_of(table, "F160W") == pytest.approx(1.0)
    assert scale_of(table) == pytest.approx(1.0)  # the only row there is
    with pytest.raises(OpticsError, match=r"no FORWARD row of chip 1 for F125W.* rows for: F160W"):
        scale_of(table, "F125W")


def test_older_names_and_coefficients_in_units_of_scale(table: Path) -> None:
    row = fix_row()
    x_scale = row["CX11"]
    row = scaled(row, 1 / x_scale, SCALE=x_scale, CX11=1.0)
    old = {k.replace("CX", "A").replace("CY", "B"): v for k, v in row.items()}
    write(table, old)
    assert scale_of(table) == pytest.approx(1.0)


def test_a_file_that_changed_is_read_again(table: Path) -> None:
    write(table, fix_row())
    before = get_aperture("IR-FIX", distortion_file=table).scale_at(507.0, 507.0)
    write(table, scaled(fix_row(), 1.02, COMMENT="longer than before"))
    after = get_aperture("IR-FIX", distortion_file=table).scale_at(507.0, 507.0)
    assert_allclose(after, np.multiply(1.02, before))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CX11": np.nan}, r"column CX11 holds .*nan.*, not a finite number"),
        ({"XREF": np.inf}, r"column XREF holds .*inf.*, not a finite number"),
        ({"DIRECTION": "INVERSE"}, r"no FORWARD row of chip 1 for F160W; it has rows for: none"),
        ({"FILTER": "F098M"}, r"no FORWARD row of chip 1 for F160W; it has rows for: F098M"),
        ({"CX11": -0.1354}, r"no distortion of WFC3/IR"),
        ({"CX10": 0.12, "CY10": 0.0121, "CX11": 0.0135, "CY11": -0.135}, r"columns are turned by"),
        ({"CX11": 0.0}, r"folds over"),
    ],
)
def test_a_wrong_row_says_what_is_wrong(table: Path, changes: dict[str, Any], message: str) -> None:
    write(table, fix_row(**changes))
    with pytest.raises(OpticsError, match=message):
        get_aperture("IR-FIX", "F160W", distortion_file=table)


def test_missing_columns_are_named(table: Path) -> None:
    row = fix_row()
    write(table, {k: v for k, v in row.items() if k not in {"XREF", "CY11"}})
    with pytest.raises(OpticsError, match="has no column XREF, CX11, CY11"):
        scale_of(table)
    write(table, {k: v for k, v in row.items() if k != "CX21"})
    with pytest.raises(OpticsError, match="is of order 4 but has no column CX21"):
        scale_of(table)
    write(table, row, order=7)
    with pytest.raises(OpticsError, match="says NORDER = 7, but its columns reach order 4"):
        scale_of(table)
    write(table, row, order=None)
    assert scale_of(table) == pytest.approx(1.0)


def test_what_is_no_idctab(tmp_path: Path) -> None:
    for name, content in {"noise": b"not FITS at all", "empty": b"", "cut": b"SIMPLE  ="}.items():
        path = tmp_path / f"{name}_idc.fits"
        path.write_bytes(content)
        with pytest.raises(OpticsError, match="cannot be read as a FITS table"):
            get_aperture("IR", distortion_file=path)
    image = tmp_path / "image_idc.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(image)
    with pytest.raises(OpticsError, match="no table with rows"):
        get_aperture("IR", distortion_file=image)
    with pytest.raises(OpticsError, match="cannot be read as a FITS table: No such file"):
        get_aperture("IR", distortion_file=tmp_path / "missing_idc.fits")
    with pytest.raises(OpticsError, match="it is no regular file"):
        get_aperture("IR", distortion_file=tmp_path)


def test_a_table_that_claims_a_trillion_rows_is_refused(table: Path) -> None:
    write(table, fix_row())
    whole = table.read_bytes()
    claimed = whole.replace(b"NAXIS2  =                    1", b"NAXIS2  =        1000000000000")
    assert claimed != whole
    table.write_bytes(claimed)
    with pytest.raises(OpticsError):
        get_aperture("IR-FIX", distortion_file=table)


def test_a_truncated_table_is_refused(table: Path) -> None:
    write(table, fix_row())
    whole = table.read_bytes()
    for size in range(0, len(whole) - 2880, 700):
        table.write_bytes(whole[:size])
        with pytest.raises(OpticsError):
            get_aperture("IR-FIX", distortion_file=table)


# --- two chips -----------------------------------------------------------------------------------


def uvis_rows(**changes: Any) -> list[dict[str, Any]]:
    """A row for each chip: the SIAF's polynomials, positions in (V2, V3), and no filter."""
    rows = []
    for number in (1, 2):
        chip = get_aperture(f"UVIS{number}")
        distortion, frame = chip.chip().distortion, chip.frame
        row: dict[str, Any] = {"DETCHIP": number, "DIRECTION": "FORWARD", "FILTER": "CLEAR"}
        row |= dict(zip(("XREF", "YREF"), frame.reference_pix, strict=True)) | {"SCALE": 0.0396}
        row |= {"V2REF": frame.v2_arcsec, "V3REF": frame.v3_arcsec}
        rows.append(row | coefficients(distortion.x_coef, distortion.y_coef) | changes)
    return rows


CHIP_GRID = [axis.ravel() for axis in np.meshgrid(np.linspace(1, 4096, 9), np.linspace(1, 2051, 9))]


@pytest.mark.parametrize("name", ["UVIS", "UVIS-CENTER", "UVIS2-C512C-SUB", "UVIS-IR-FIX"])
def test_the_siafs_two_chips_as_a_file_are_the_same(table: Path, name: str) -> None:
    one, two = uvis_rows()
    write(table, two, one)
    own, siaf = get_aperture(name, distortion_file=table), get_aperture(name)
    for chip in siaf.chips:
        expected = siaf.ideal_from_pixel(*CHIP_GRID, chip=chip.number)
        found = own.ideal_from_pixel(*CHIP_GRID, chip=chip.number)
        assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_a_table_without_positions_keeps_the_siafs(table: Path) -> None:
    rows = [{k: v for k, v in row.items() if k not in {"V2REF", "V3REF"}} for row in uvis_rows()]
    write(table, *rows)
    own, siaf = get_aperture("UVIS", distortion_file=table), get_aperture("UVIS")
    expected = siaf.ideal_from_pixel(*CHIP_GRID, chip=2)
    assert_allclose(own.ideal_from_pixel(*CHIP_GRID, chip=2), expected, rtol=0, atol=1e-9)


def test_the_tables_positions_move_the_second_chip(table: Path) -> None:
    one, two = uvis_rows()
    write(table, one, two | {"V2REF": two["V2REF"] + 0.3, "V3REF": two["V3REF"] - 0.2})
    own, siaf = get_aperture("UVIS", distortion_file=table), get_aperture("UVIS")
    for number, moved in ((1, (0.0, 0.0)), (2, siaf.frame.to_v2v3.T @ (0.3, -0.2))):
        found = np.subtract(
            own.ideal_from_pixel(*CHIP_GRID, chip=number),
            siaf.ideal_from_pixel(*CHIP_GRID, chip=number),
        )
        assert_allclose(found, np.broadcast_to(np.reshape(moved, (2, 1)), found.shape), atol=1e-9)


def test_the_target_stays_at_the_reference_pixel_of_its_chip(table: Path) -> None:
    """Which is far from the one about which the chip's polynomial is expanded."""
    write(table, *(scaled(row, 1.01) for row in uvis_rows()))
    own, siaf = get_aperture("UVIS", distortion_file=table), get_aperture("UVIS")
    assert_allclose(own.ideal_from_pixel(*own.reference_pix), (0.0, 0.0), rtol=0, atol=1e-12)
    expected = 1.01 * np.array(siaf.ideal_from_pixel(*CHIP_GRID))
    assert_allclose(own.ideal_from_pixel(*CHIP_GRID), expected, rtol=0, atol=1e-9)


def test_a_table_of_one_chip_does_not_do_for_two(table: Path) -> None:
    write(table, uvis_rows()[0])
    with pytest.raises(OpticsError, match="no FORWARD row of chip 2"):
        get_aperture("UVIS", distortion_file=table)
    assert get_aperture("UVIS1-C512A-SUB", distortion_file=table).chips[0].number == 1
    write(table, fix_row(DETCHIP=-999))
    with pytest.raises(
        OpticsError, match=r"no distortion of WFC3/UVIS: .* pixels of UVIS1 are 3\.3"
    ):
        get_aperture("UVIS", distortion_file=table)


def test_receipts_are_compared_with_the_distortion_that_made_them(tmp_path: Path) -> None:
    """Clusters are laid out in pixels: another distortion gives them other POS TARGs."""
    from aptdither.apt.reader import parse_proposal
    from aptdither.planning.options import Options
    from aptdither.planning.plan import make_plan
    from aptdither.review.reviewer import accept_plan
    from tests.made import exposure, proposal, visit

    path = write(tmp_path / "x_idc.fits", scaled(fix_row(), 1.01))
    made = [exposure(i, aperture="IR-FIX") for i in range(1, 19)]
    source = proposal(visit(*made, comments="@dither method=catalog"))
    options = Options(distortion=path)
    parsed = parse_proposal(source)
    once, _ = accept_plan(parsed, make_plan(parsed, options))
    again = parse_proposal(once)
    assert accept_plan(again, make_plan(again, options))[0] == once != source
