"""Every command's JSON obeys its schema, and says what the terminal says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from aptdither.cli import app
from tests.made import exposure, proposal, visit

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "schemas" / "report.schema.json").read_text(encoding="utf-8"))

COMMANDS = (
    "apply in.apt --dry-run",
    "check in.apt --statistics",
    "patterns",
    "patterns tight-4",
    "evaluate --pattern tight-2",
    "evaluate --postargs 0,0",
    "evaluate --postargs 0,0 --aperture UVIS",
    "evaluate --proposal in.apt",
    "optimize -n 2 --size point",
    "optimize -n 2 --size point --tradeoff",
    f"fit {ROOT / 'examples' / 'table2.ecsv'}",
    "convert --pixels 3.5,1.5",
    "convert --postargs 1,2 --at 30,40",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = proposal(
        visit(exposure(1, comments="@dither pattern=tight-2"), exposure(2, postarg=("1", "1")))
    )
    (tmp_path / "in.apt").write_bytes(source)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report_of(command: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*command.split(), "--format", "json"])
    assert result.exit_code in (0, 1), result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_report_obeys_the_schema(command: str, folder: Path) -> None:
    report = report_of(command)
    jsonschema.validate(report, SCHEMA)
    assert report["report_version"] == 2


def test_a_set_over_visits_names_its_groups_and_what_they_are_worth(
    undrawn: None, folder: Path
) -> None:
    visits = [
        visit(exposure(1), exposure(2), comments="@dither id=deep pattern=tight-2", number=number)
        for number in ("01", "02")
    ]
    (folder / "in.apt").write_bytes(proposal(*visits))
    report = report_of("apply in.apt --dry-run")
    jsonschema.validate(report, SCHEMA)
    (joined,) = report["sets"]
    assert (joined["id"], joined["groups"]) == ("deep", [0, 1])
    alone = report["groups"][0]["coverage"]["worst"]["efficiency"]
    assert joined["coverage"]["worst"]["efficiency"] > alone
    text = CliRunner().invoke(app, ["apply", "in.apt", "--dry-run"]).stdout
    assert "Together, visits 01, 02, IR F160W: 4 exposures (id=deep)" in text
    page = CliRunner().invoke(app, ["report", "in.apt", "-o", "-"])
    assert "Together, visits 01, 02" in page.stdout


def test_tiles_that_overlap_are_named_with_what_they_are_worth_there(folder: Path) -> None:
    tiles = [exposure(k, postarg=(x, "0")) for k, x in enumerate(("0", "0", "60", "60"), 1)]
    source = proposal(visit(*tiles, comments="@dither pattern=tight-2"))
    (folder / "in.apt").write_bytes(source)
    report = report_of("apply in.apt --dry-run")
    jsonschema.validate(report, SCHEMA)
    (overlap,) = report["overlaps"]
    assert overlap["groups"] == [0, 1]
    assert 0.4 < overlap["share"] < 0.6
    for args in (["apply", "in.apt", "--dry-run"], ["report", "in.apt", "-o", "-"]):
        said = " ".join(CliRunner().invoke(app, args).stdout.split())
        assert "Tiles about POS TARG 0.000, 0.000 and 60.000, 0.000 of visit 01, IR F160W" in said


@pytest.mark.parametrize(("aperture", "chips"), [("UVIS", {"UVIS1", "UVIS2"}), ("IR", {None})])
def test_the_worst_place_names_its_chip_where_there_are_two(
    aperture: str, chips: set[str | None], folder: Path
) -> None:
    (group,) = report_of(f"evaluate --postargs 0,0 --aperture {aperture}")["groups"]
    assert group["coverage"]["worst"].get("chip") in chips
    assert "chip" not in group["coverage"]["center"]


@pytest.mark.parametrize("key", ["config", "snr", "points", "coverage"])
def test_the_schema_wants_every_key(key: str, folder: Path) -> None:
    report = report_of("evaluate --pattern tight-2")
    del report["groups"][0][key]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMA)


@pytest.mark.parametrize("n", [1, 2, 3, 12])
@pytest.mark.parametrize("element", ["F160W", "F105W"])
def test_no_result_beats_what_is_possible(n: int, element: str, folder: Path) -> None:
    postargs = " ".join(f"{0.474 * k:.3f},{0.424 * k:.3f}" for k in range(n))
    command = ["evaluate", "--postargs", postargs, "--element", element, "--format", "json"]
    (group,) = json.loads(CliRunner().invoke(app, command).stdout)["groups"]
    coverage = group["coverage"]
    possible = coverage["possible"]
    for place in ("center", "worst"):
        assert coverage[place]["efficiency"] <= possible["efficiency"] <= 1 + 1e-9
        assert coverage[place]["packing"] <= possible["packing"]
        assert coverage[place]["packing_of_limit"] <= possible["packing_of_limit"] == 1
        assert possible["hole"] is None or coverage[place]["hole"] >= possible["hole"]


@pytest.mark.parametrize(("pattern", "digits"), [("tight-3", 2), ("tight-4", 3)])
def test_the_terminal_shows_the_same_figures(pattern: str, digits: int, folder: Path) -> None:
    (group,) = report_of(f"evaluate --pattern {pattern}")["groups"]
    text = " ".join(CliRunner().invoke(app, ["evaluate", "--pattern", pattern]).stdout.split())
    center, worst = (group["coverage"][place]["efficiency"] for place in ("center", "worst"))
    assert f"E {worst:.{digits}f} at the worst place" in text
    assert f"{center:.{digits}f} at the center" in text
    assert f"phases {group['coverage']['worst']['packing_of_limit']:.0%} of the maximum" in text
