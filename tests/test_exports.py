from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from aptdither.apt.reader import read_position, read_targets
from aptdither.cli import app
from aptdither.optics.aperture import aperture_names, get_aperture
from aptdither.optics.siaf import siaf_frame, sky_from_ideal
from tests.made import exposure, group, proposal, visit

BOX = [(0.0, 0.0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)]
TARGET = (
    '<Targets><FixedTarget Name="NGC-104"><EquatorialPosition Value="{}" /></FixedTarget></Targets>'
)


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return " ".join(result.stderr.split())


def made(tmp_path: Path, *, number: str = "1", location: str = "05 32 10.0 -66 12 00") -> Path:
    """Return a proposal of a box by hand."""
    source = proposal(
        visit(
            exposure(number, postarg=("0", "0")),
            *(exposure(k + 2, postarg=(str(x), str(y))) for k, (x, y) in enumerate(BOX[1:])),
        )
    )
    path = tmp_path / "in.apt"
    path.write_bytes(source.replace(b"<Visits>", TARGET.format(location).encode() + b"<Visits>"))
    return path


def test_astropy_reads_the_table_back_with_its_units() -> None:
    text = run("export", "--pattern", "WFC3-IR-DITHER-BOX-MIN", "--element", "F125W")
    table = QTable.read(text, format="ascii.ecsv")
    assert table["postarg_x"].unit == u.arcsec
    assert table["dx"].unit == u.pix
    written = np.stack(
        [table["postarg_x"].to_value("arcsec"), table["postarg_y"].to_value("arcsec")]
    )
    np.testing.assert_allclose(written.T, BOX, atol=1e-12)
    back = get_aperture("IR").offset_from_postarg(*written)
    np.testing.assert_allclose(back, [table["dx"].value, table["dy"].value], atol=1e-6)
    assert table.meta["groups"][0]["element"] == "F125W"
    assert 0.9 < table.meta["groups"][0]["efficiency_worst"] <= 1


def test_a_proposal_becomes_one_table(tmp_path: Path) -> None:
    table = QTable.read(run("export", "--proposal", made(tmp_path)), format="ascii.ecsv")
    assert list(table["exposure"].astype(str)) == ["1", "2", "3", "4"]
    assert set(table["visit"].astype(str)) == {"01"}


def test_markdown_has_a_row_for_each_exposure_and_the_numbers() -> None:
    lines = run(
        "export", "--pattern", "WFC3-IR-DITHER-BOX-MIN", "--format", "markdown"
    ).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:6]]
    assert len({len(row) for row in rows}) == 1
    assert [(row[-2], row[-1]) for row in rows[2:]] == [(f"{x:.3f}", f"{y:.3f}") for x, y in BOX]
    assert "efficiency" in lines[-1]


def test_apt_text_has_a_line_for_each_exposure_in_order(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    filters = [exposure(i, element=("F160W", "F125W")[i % 2]) for i in range(2, 5)]
    first = exposure(1, element="F125W", comments="@dither pattern=WFC3-IR-DITHER-LINE")
    path.write_bytes(proposal(visit(group(first, *filters)), visit(exposure(1), number="02")))
    assert run("export", "--proposal", path, "--visit", "01", "--format", "apt-text") == (
        "Visit 01\n"
        "Exposure 1: POS TARG 0.000,0.000\n"
        "Exposure 2: POS TARG 0.000,0.000\n"
        "Exposure 3: POS TARG 0.474,0.424\n"
        "Exposure 4: POS TARG 0.474,0.424\n"
    )


def test_text_of_a_proposal_cannot_break_a_table(tmp_path: Path) -> None:
    nasty = "1|\\input{/etc/passwd}$&amp;`x`}"
    path = made(tmp_path, number=nasty)
    markdown = run("export", "--proposal", path, "--format", "markdown").splitlines()
    assert len(re.findall(r"(?<!\\)\|", markdown[2])) == len(re.findall(r"(?<!\\)\|", markdown[0]))
    latex = run("export", "--proposal", path, "--format", "latex")
    assert r"\input" not in latex
    assert r"\textbackslash{}input\{/etc/passwd\}\$\&" in latex
    ds9 = run("export", "--proposal", path, "--format", "ds9-detector")
    assert all(
        line.count("{") == line.count("}") == 1 for line in ds9.splitlines() if "text=" in line
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX")
def test_latex_compiles(tmp_path: Path) -> None:
    table = run("export", "--pattern", "tight-4", "--format", "latex")
    page = f"\\documentclass{{article}}\\begin{{document}}{table}\\end{{document}}"
    (tmp_path / "t.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "t.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


# --- the sky ---------------------------------------------------------------------------------------


def polygons(text: str) -> list[np.ndarray]:
    return [
        np.array(found.split(","), dtype=float).reshape(-1, 2)
        for found in re.findall(r"polygon\(([^)]*)\)", text)
    ]


def test_footprints_move_on_the_sky_against_the_postargs(tmp_path: Path) -> None:
    text = run("export", "--proposal", made(tmp_path), "--format", "ds9-sky", "--orient", "210")
    found = polygons(text)
    assert len(found) == 4
    target = SkyCoord("05h32m10s -66d12m00s")
    aperture = get_aperture("IR")
    angle = np.radians(aperture.frame.y_axis_angle(210.0))
    corner = np.array(aperture.ideal_from_pixel(0.5, 0.5))
    for location, polygon in zip(BOX, found, strict=True):
        x, y = corner - location
        sky = SkyCoord(*polygon[0], unit="deg")
        east, north = (value.arcsec for value in target.spherical_offsets_to(sky))
        # A flat sky is right to some milliarcsec over a quarter of the field's diagonal.
        assert east == pytest.approx(-x * np.cos(angle) + y * np.sin(angle), abs=0.02)
        assert north == pytest.approx(x * np.sin(angle) + y * np.cos(angle), abs=0.02)


def test_the_field_has_its_size_on_the_sky(tmp_path: Path) -> None:
    text = run("export", "--proposal", made(tmp_path), "--format", "ds9-sky", "--orient", "0")
    polygon = polygons(text)[0]
    corners = SkyCoord(*polygon[::4].T, unit="deg")
    # The IR channel sees 136 x 123 arcsec (WFC3 IHB, chapter 7).
    assert corners[0].separation(corners[1]).arcsec == pytest.approx(137, abs=2)
    assert corners[1].separation(corners[2]).arcsec == pytest.approx(123, abs=2)


def test_orientation_agrees_with_pysiaf() -> None:
    rotations = pytest.importorskip("pysiaf.utils.rotations")
    import pysiaf

    siaf = pysiaf.Siaf("HST")
    ra, dec, pa_v3 = 80.0, -66.0, 37.0
    target, corner = (3.0, -5.0), (-60.0, 55.0)
    for name in ("IIR", "IIRFIX", "IIR1024G", "IIRUVIS"):
        aperture = siaf[name]
        attitude = rotations.attitude(*aperture.idl_to_tel(*target), ra, dec, pa_v3)
        expected = rotations.pointing(attitude, *aperture.idl_to_tel(*corner))[:2]
        found = sky_from_ideal(
            corner[0] - target[0],
            corner[1] - target[1],
            # U3, which ORIENT is the angle of, is the opposite of V3.
            y_angle_deg=siaf_frame("WFC3/IR", name).y_axis_angle(pa_v3 + 180.0),
            ra_deg=ra,
            dec_deg=dec,
        )
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_every_aperture_has_its_angle() -> None:
    for name in aperture_names("WFC3/IR"):
        for element in ("F160W", "G102", "G141"):
            angle = get_aperture(name, element).frame.y_axis_angle(180.0)
            assert angle == pytest.approx(44.7, abs=0.2)


@given(
    st.floats(0, 359.9),
    st.floats(-89, 89),
    st.floats(0, 360),
    st.floats(-90, 90),
    st.floats(-90, 90),
)
def test_distances_are_kept(ra: float, dec: float, angle: float, x: float, y: float) -> None:
    there = sky_from_ideal(x, y, y_angle_deg=angle, ra_deg=ra, dec_deg=dec)
    apart = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*there, unit="deg")).arcsec
    assert apart == pytest.approx(np.hypot(x, y), abs=1e-4)


def test_the_sky_needs_an_orientation_and_a_target(tmp_path: Path) -> None:
    path = made(tmp_path, location="somewhere")
    assert "--orient" in refused("export", "--proposal", path, "--format", "ds9-sky")
    words = ("export", "--proposal", path, "--format", "ds9-sky", "--orient", "10")
    assert "NGC-104" in refused(*words)
    assert "'north'" in refused(*words, "--position", "north")
    given = run(*words, "--position", "83.0416667 -66.2")
    assert given == run(
        "export",
        "--proposal",
        made(tmp_path),
        "--format",
        "ds9-sky",
        "--orient",
        "10",
        "--position",
        "83.0416667 -66.2",
    )


def test_targets_of_other_detectors_do_not_count(tmp_path: Path) -> None:
    words = ("export", "--format", "ds9-sky", "--orient", "10", "--proposal")
    path = made(tmp_path)
    alone = run(*words, path)
    other = exposure(5, config="STIS/CCD", aperture="50CCD", target="ELSEWHERE")
    path.write_bytes(path.read_bytes().replace(b"</Visit>", other.encode() + b"</Visit>"))
    assert run(*words, path) == alone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("05 32 10.00 -66 12 00.0", (83.0416667, -66.2)),
        ("05:32:10.00 -66:12:00.0", (83.0416667, -66.2)),
        ("00 00 04 -00 30 00", (0.0166667, -0.5)),
        ("83.5 +2.25", (83.5, 2.25)),
        ("05 72 10 -66 12 00", None),
        ("25 00 00 10 00 00", None),
        ("-05 32 10 10 00 00", None),
        ("400 10", None),
        ("10 91", None),
        ("nan 0", None),
        ("1 2 3", None),
        ("", None),
    ],
)
def test_positions(text: str, expected: tuple[float, float] | None) -> None:
    found = read_position(text)
    assert found is None if expected is None else found == pytest.approx(expected, abs=1e-6)


@given(st.text(max_size=40))
def test_any_text_is_a_position_or_none(text: str) -> None:
    found = read_position(text)
    assert found is None or (0 <= found[0] < 360 and -90 <= found[1] <= 90)


def test_targets_of_a_proposal(tmp_path: Path) -> None:
    assert read_targets(made(tmp_path).read_bytes())["NGC-104"] == pytest.approx(
        (83.0416667, -66.2)
    )
    assert read_targets(proposal()) == {}


# --- the detector ----------------------------------------------------------------------------------


def test_footprints_on_the_detector(tmp_path: Path) -> None:
    text = run("export", "--proposal", made(tmp_path), "--format", "ds9-detector")
    first, second, *_ = polygons(text)
    np.testing.assert_allclose(first[0], (0.5, 0.5))
    np.testing.assert_allclose(first[8], (1014.5, 1014.5))
    # With POS TARG +X the target moves to larger x, so what is read lies at smaller x on the sky.
    dx, dy = get_aperture("IR").offset_from_postarg(*BOX[1])
    np.testing.assert_allclose(second.mean(axis=0) - first.mean(axis=0), (-dx, -dy), atol=0.05)
    crosses = np.array(re.findall(r"point\(([\d.]+),([\d.]+)\)", text), dtype=float)
    np.testing.assert_allclose(crosses[1] - crosses[0], (dx, dy), atol=2e-3)


def test_a_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "t.md"
    words = ("export", "--pattern", "tight-2", "--format", "markdown", "-o", path)
    run(*words)
    before = path.read_bytes()
    assert "force" in refused(*words)
    assert path.read_bytes() == before
    run(*words, "--force")


def test_what_is_exported_must_be_named() -> None:
    assert "--pattern" in refused("export")
    assert "--visit" in refused("export", "--pattern", "tight-2", "--visit", "01")
    assert "no group 2" in refused("export", "--pattern", "tight-2", "--group", "2")
