"""The commands without a proposal: patterns, evaluate, optimize, convert, fit."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from aptdither.cli import app
from aptdither.dither import catalog
from aptdither.dither.catalog import load_catalog
from tests.made import box_pattern, exposure, group, proposal, visit

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "schemas" / "report.schema.json").read_text())
TABLE2 = ROOT / "examples" / "table2.ecsv"
TIGHT6 = ROOT / "examples" / "tight6.apt"


def invoke(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_patterns_lists_the_whole_catalogue() -> None:
    result = invoke("patterns")
    assert result.exit_code == 0
    for pattern in load_catalog():
        assert pattern.name in result.stdout
        assert f"{pattern.config}: " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    listed = json.loads(invoke("patterns", "--format", "json").stdout)
    jsonschema.validate(listed, SCHEMA)
    assert {one["name"] for one in listed["patterns"]} == set(load_catalog().names)


def test_patterns_are_filtered_and_evaluated_for_a_region() -> None:
    four = invoke("patterns", "-n", "4", "--config", "WFC3/IR")
    assert "tight-4" in four.stdout
    assert "tight-6" not in four.stdout
    assert "UVIS:" not in four.stdout
    small = invoke("patterns", "-n", "4", "--aperture", "IR", "--size", "5arcsec")
    assert "disc of 5 arcsec" in small.stdout
    numbers = [
        next(line for line in one.stdout.splitlines() if "wide-4" in line).split()
        for one in (four, small)
    ]
    assert float(numbers[0][3]) < float(numbers[1][3])  # E at the worst place
    uvis = json.loads(invoke("patterns", "--aperture", "UVIS", "--format", "json").stdout)
    assert {one["config"] for one in uvis["patterns"]} == {"WFC3/UVIS"}


def test_a_pattern_knows_its_detector() -> None:
    (only,) = json.loads(invoke("patterns", "wfc3-uvis-dither-box", "--format", "json").stdout)[
        "groups"
    ]
    assert (only["config"], only["aperture"]) == ("WFC3/UVIS", "UVIS")
    other = ("evaluate", "--pattern", "WFC3-UVIS-DITHER-BOX", "--config", "WFC3/IR")
    (seen,) = json.loads(invoke(*other, "--format", "json").stdout)["groups"]
    assert (seen["config"], seen["aperture"]) == ("WFC3/IR", "IR")
    page = " ".join(invoke("patterns", "tight-4").stdout.split())
    assert load_catalog().get("tight-4").source in page


def test_one_pattern_in_full() -> None:
    result = invoke("patterns", "wfc3-ir-dither-box-min", "--element", "F125W", "--format", "json")
    report = json.loads(result.stdout)
    jsonschema.validate(report, SCHEMA)
    (only,) = report["groups"]
    assert "visit" not in only
    assert only["pattern"]["name"] == "WFC3-IR-DITHER-BOX-MIN"
    assert only["points"][1]["postarg_x"] == 0.542
    # facts of the ISR's section 4: good at the centre, a little less at the edges
    assert only["coverage"]["center"]["efficiency"] == pytest.approx(0.999, abs=2e-3)
    assert only["coverage"]["worst"]["efficiency"] == pytest.approx(0.979, abs=3e-3)


def test_evaluate_takes_pos_targs_or_a_pattern_and_they_agree() -> None:
    given = invoke("evaluate", "--postargs", "0,0 0.474,0.424", "--format", "json")
    named = invoke("evaluate", "--pattern", "WFC3-IR-DITHER-LINE", "--format", "json")
    one, other = (json.loads(result.stdout)["groups"][0] for result in (given, named))
    jsonschema.validate(json.loads(given.stdout), SCHEMA)
    assert one["coverage"] == other["coverage"]
    assert json.loads(given.stdout)["command"] == "evaluate"


def test_every_view_of_a_dither_is_evaluated() -> None:
    """An offset on the sky is the same for a parallel, and its POS TARG is the prime's."""
    views = ("--view", "WFC3/UVIS:UVIS:F606W", "--view", "ACS/WFC:WFC:F814W:30arcsec")
    run = ("evaluate", "--postargs", "0,0 0.158,0.07", "--format", "json")
    uvis, wfc = json.loads(invoke(*run, *views).stdout)["groups"]
    (alone,) = json.loads(invoke(*run, "--aperture", "UVIS", "--element", "F606W").stdout)["groups"]
    assert uvis == alone
    assert (wfc["config"], wfc["size"], uvis["size"]) == ("ACS/WFC", "30arcsec", "full")
    for key in ("postarg_x", "postarg_y"):
        assert [one[key] for one in wfc["points"]] == [one[key] for one in uvis["points"]]
    (own,) = json.loads(invoke(*run, "--aperture", "WFC", "--size", "30arcsec").stdout)["groups"]
    assert own["points"] != wfc["points"]  # a POS TARG of the WFC's own frame
    moved = [np.hypot(*(one["points"][1][k] for k in ("dx_pix", "dy_pix"))) for one in (own, wfc)]
    assert moved[0] == pytest.approx(moved[1], rel=0.05)


def test_the_signal_to_noise_is_that_which_is_given() -> None:
    run = ("evaluate", "--postargs", "0,0 0.4,0.1", "--format", "json")
    faint, plain, bright = (
        json.loads(invoke(*run, *more).stdout)["groups"][0]
        for more in (("--snr", "1"), (), ("--snr", "100"))
    )
    assert (faint["snr"], plain["snr"], bright["snr"]) == (1, 10, 100)
    worst = [one["coverage"]["worst"]["efficiency"] for one in (faint, plain, bright)]
    assert worst == sorted(worst, reverse=True)
    assert worst[0] > worst[2]


def test_optimize_designs_for_all_views() -> None:
    run = ("optimize", "-n", "2", "--seed", "3", "--format", "json")
    views = ("--view", "WFC3/IR:IR:F160W:point", "--view", "ACS/WFC:WFC:F814W:point")
    both = json.loads(invoke(*run, *views).stdout)["groups"]
    (ir,) = json.loads(invoke(*run, "--aperture", "IR", "--size", "point").stdout)["groups"]
    postargs = " ".join(f"{one['postarg_x']},{one['postarg_y']}" for one in ir["points"])
    seen = json.loads(
        invoke("evaluate", "--postargs", postargs, *views, "--format", "json").stdout
    )["groups"]
    worst = [
        min(one["coverage"]["worst"]["efficiency"] for one in groups) for groups in (both, seen)
    ]
    assert [one["config"] for one in both] == ["WFC3/IR", "ACS/WFC"]
    assert worst[0] > worst[1]


def test_evaluate_takes_several_patterns() -> None:
    arguments = ("--pattern", "tight-4", "--pattern", "tight-6", "--format", "json")
    groups = json.loads(invoke("evaluate", *arguments).stdout)["groups"]
    assert [one["pattern"]["name"] for one in groups] == ["tight-4", "tight-6"]


def test_evaluate_judges_a_proposal_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(
        proposal(
            visit(
                group(exposure(1, positions=4), attributes=' Type="Pattern" Pattern="1"'),
            ),
            visit(
                exposure(1, postarg=("3", "0")),
                exposure(2, postarg=("3.474", "0.424")),
                number="02",
            ),
            patterns=box_pattern(),
        )
    )
    result = invoke("evaluate", "--proposal", path, "--format", "json")
    first, second = json.loads(result.stdout)["groups"]
    np.testing.assert_allclose(
        [(p["postarg_x"], p["postarg_y"]) for p in first["points"]],
        [(0, 0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)],
        atol=1e-3,
    )
    line = json.loads(
        invoke("evaluate", "--pattern", "WFC3-IR-DITHER-LINE", "--format", "json").stdout
    )["groups"][0]
    assert second["coverage"]["worst"] == pytest.approx(line["coverage"]["worst"])
    only = invoke("evaluate", "--proposal", path, "--visit", "02", "--format", "json")
    assert len(json.loads(only.stdout)["groups"]) == 1
    assert invoke("evaluate", "--proposal", path, "--visit", "09").exit_code == 2


def test_a_visit_with_nothing_to_evaluate_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(
        proposal(
            visit(exposure(1), exposure(2)),
            visit(exposure(1, config="STIS/CCD", aperture="50CCD", element="MIRVIS"), number="02"),
        )
    )
    result = invoke("evaluate", "--proposal", path, "--visit", "02")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        f"visit 02 of {path} has no exposures of a supported detector to evaluate\n"
    )


def test_optimize_writes_a_catalogue_that_apply_reads(tmp_path: Path) -> None:
    path, source = tmp_path / "mine.ecsv", tmp_path / "in.apt"
    run = ("optimize", "-n", "2", "--size", "point", "--spacing", "3pix", "--seed", "5")
    result = invoke(*run, "-o", path, "--name", "mine-2", "--format", "json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    jsonschema.validate(report, SCHEMA)
    (only,) = report["groups"]
    assert only["min_separation_pix"] >= 2.99
    source.write_bytes(proposal(visit(exposure(1, comments="@dither pattern=mine-2 size=point"))))
    applied = invoke("apply", source, "--catalog", path, "--dry-run", "--format", "json")
    points = json.loads(applied.stdout)["groups"][0]["points"]
    assert [(p["postarg_x"], p["postarg_y"]) for p in points] == [
        (p["postarg_x"], p["postarg_y"]) for p in only["points"]
    ]
    assert invoke(*run, "-o", path).exit_code == 2
    assert invoke(*run, "--format", "json").stdout == invoke(*run, "--format", "json").stdout


@pytest.mark.slow
def test_tradeoff_prints_the_whole_curve() -> None:
    run = ("optimize", "-n", "2", "--size", "point", "--tradeoff")
    curve = json.loads(invoke(*run, "--format", "json").stdout)["tradeoff"]
    spacings = [point["spacing_pix"] for point in curve]
    assert spacings == sorted(spacings)
    assert spacings[0] == 2.0
    assert spacings[-1] == 15.0
    assert all(p["min_separation_pix"] >= p["spacing_pix"] - 0.01 for p in curve)
    assert "spacing" in invoke(*run).stdout


def test_words_are_read_without_the_library_that_validates_numbers() -> None:
    """Its import would cost a quick command as much as numpy."""
    code = (
        "import sys; from aptdither.cli import app\n"
        "try: app(['convert', '--pixels', '1,1', '--at', '2,3'])\n"
        "except SystemExit as ended: print(ended.code, 'pydantic' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "0 False"
    assert invoke("convert", "--pixels", "1,1", "--format", "yaml").exit_code == 2
    assert invoke("check", "--jobs", "many", TIGHT6).exit_code == 2


def test_completion_is_offered() -> None:
    wanted = {"_APTDITHER_COMPLETE": "source_bash"}
    script = CliRunner().invoke(app, [], prog_name="aptdither", env=wanted).stdout
    assert "aptdither" in script
    assert "complete" in script
    assert "--install-completion" in invoke("--help").stdout


def test_an_interrupt_is_one_line_and_exit_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalog, "load_catalog", interrupted)
    result = invoke("patterns")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "aptdither: stopped\n")


def test_convert_there_and_back() -> None:
    there = json.loads(
        invoke(
            "convert", "--aperture", "IR-FIX", "--pixels", "3.5,1.5 -2,40", "--format", "json"
        ).stdout
    )
    jsonschema.validate(there, SCHEMA)
    assert there["at"] == [507.0, 507.0]
    words = " ".join(f"{p['postarg_x']},{p['postarg_y']}" for p in there["points"])
    back = json.loads(
        invoke("convert", "--aperture", "IR-FIX", "--postargs", words, "--format", "json").stdout
    )
    np.testing.assert_allclose(
        [(p["dx_pix"], p["dy_pix"]) for p in back["points"]], [(3.5, 1.5), (-2, 40)], atol=1e-6
    )


def test_convert_csv_has_six_decimals_and_more() -> None:
    result = invoke("convert", "--pixels", "1,1", "--at", "25,25", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert float(row["dx_pix"]) == 1.0
    assert len(row["postarg_x"].split(".")[1]) >= 6


def test_convert_says_which_chip() -> None:
    report = json.loads(invoke("convert", "--pixels", "1,0", "--format", "json").stdout)
    assert report["chip"] == 1
    same = json.loads(
        invoke("convert", "--pixels", "1,0", "--chip", "1", "--format", "json").stdout
    )
    assert same == report
    assert "image of WFC3/IR" in invoke("convert", "--pixels", "1,0").stdout
    uvis = ("convert", "--aperture", "UVIS", "--pixels", "1,0", "--at", "9,9", "--format", "json")
    one, two, own = (
        json.loads(invoke(*uvis, *chip).stdout) for chip in (["--chip", "1"], ["--chip", "2"], [])
    )
    assert (one["chip"], two["chip"]) == (1, 2)
    assert one["points"] != two["points"]
    assert own in (one, two)


def test_fit_finds_the_scale_of_table_2_and_not_the_misprint() -> None:
    report = json.loads(invoke("fit", TABLE2, "--format", "json").stdout)
    observed, modelled = report["datasets"]
    assert modelled["a"] == pytest.approx(8.27, abs=0.005)
    assert observed["a"] == pytest.approx(8.32, abs=0.005)
    assert abs(observed["a"] - 8.625) > 10 * observed["a_error"]
    assert "8.319" in invoke("fit", TABLE2).stdout


def test_fit_and_its_figures_agree(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    fitted = json.loads(invoke("fit", TABLE2, "--format", "json").stdout)
    numbers = " ".join(f"A={one['a']:.4f},B={one['b']:.4f}" for one in fitted["datasets"])
    heading = invoke("fit", TABLE2).stdout
    assert "IR-FIX F125W" in heading
    for kind in ("fit", "scale"):
        path = tmp_path / f"{kind}.svg"
        assert invoke("plot", kind, "--measured", TABLE2, "-o", path).exit_code == 0
        picture = path.read_text(encoding="utf-8")
        assert numbers in picture
        assert "IR-FIX" in picture
        assert "F125W" in picture


@pytest.mark.parametrize(
    "arguments",
    [
        ["patterns", "NO-SUCH"],
        ["patterns", "go-13417", "--aperture", "IRSUB99"],
        ["patterns", "go-13417", "--element", "F814W"],
        ["patterns", "go-13417", "--size", "-3arcsec"],
        ["evaluate"],
        ["evaluate", "--pattern", "go-13417", "--postargs", "0,0"],
        ["evaluate", "--postargs", "0,0 1e999,3"],
        ["evaluate", "--postargs", "0;0"],
        ["evaluate", "--postargs", "0,0", "--snr", "loud"],
        ["evaluate", "--postargs", "0,0", "--snr", "0"],
        ["evaluate", "--postargs", "0,0", "--view", "WFC3/IR"],
        ["evaluate", "--postargs", "0,0", "--view", "WFC3/IR:IR:F606W"],
        ["evaluate", "--postargs", "0,0", "--view", "WFC3/IR:IR:F160W:big"],
        ["evaluate", "--postargs", "0,0", "--view", ":IR:F160W", "--aperture", "IR"],
        ["evaluate", "--pattern", "go-13417", "--visit", "01"],
        ["optimize", "-n", "99"],
        ["optimize", "-n", "3", "--spacing", "huge"],
        ["convert", "--aperture", "IR"],
        ["convert", "--aperture", "nowhere", "--pixels", "1,1"],
        ["convert", "--pixels", "1,1", "--at", "1,2 3,4"],
        ["convert", "--pixels", "nan,1"],
        ["convert", "--postargs", "1,0", "--at", "2000,5"],
        ["convert", "--pixels", "1,0", "--at", "0,500"],
        ["convert", "--pixels", "1,1", "--element", "F999W"],
        ["convert", "--pixels", "1,1", "--chip", "2"],
        ["convert", "--pixels", "1,1", "--chip", "3", "--at", "5,5"],
        ["fit", str(TABLE2), "--aperture", "nowhere"],
    ],
    ids=" ".join,
)
def test_usage_errors_are_one_line_and_exit_2(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("aptdither: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "none.ecsv"],
        ["evaluate", "--proposal", "none.apt"],
        ["evaluate", "--proposal", str(TIGHT6), "--catalog", "none.ecsv"],
        ["check", str(TIGHT6), "--catalog", "none.ecsv"],
        ["apply", str(TIGHT6), "--dry-run", "--catalog", "none.ecsv"],
    ],
    ids=" ".join,
)
def test_missing_files_exit_3(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "none." in result.stderr
