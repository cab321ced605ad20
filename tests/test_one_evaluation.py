"""Every command says the same of the same exposures: they ask one evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table
from typer.testing import CliRunner

from aptdither.cli.app import app
from tests.made import box_pattern, exposure, group, proposal, six, visit

RUNNER = CliRunner()

PATTERN = ' Type="Pattern" Pattern="1"'
TAGGED = {
    "six": six(),
    "expanded": proposal(visit(exposure(1, comments="@dither n=4 size=20arcsec pattern=wide-4"))),
    "a base": proposal(
        visit(group(*(exposure(i, comments="@dither", postarg=("3.1", "-2")) for i in (1, 2, 3))))
    ),
    "clusters": proposal(visit(group(*(exposure(i) for i in range(1, 13))), comments="@dither")),
    "two setups": proposal(
        visit(
            group(
                *(exposure(i, element="F125W" if i % 2 else "F160W") for i in range(1, 9)),
            ),
            comments="@dither",
        )
    ),
}
AS_WRITTEN = {
    "by hand": proposal(
        visit(exposure(1, postarg=("0.1", "0.2")), exposure(2, postarg=("0.5", "0.45")))
    ),
    "off the reference point": proposal(
        visit(exposure(1, postarg=("9", "3")), exposure(2, postarg=("9.45", "3.4")))
    ),
    "a stock pattern": proposal(
        visit(group(exposure(1, positions=4), attributes=PATTERN)), patterns=box_pattern()
    ),
    "a mosaic": proposal(
        visit(
            exposure(1, postarg=("-40", "0")),
            exposure(2, postarg=("-39.5", "0.4")),
            exposure(3, postarg=("40", "0")),
            exposure(4, postarg=("40.5", "0.4")),
        )
    ),
}


def run_json(*arguments: str) -> Any:
    ended = RUNNER.invoke(app, [*arguments, "--format", "json"])
    assert ended.exit_code in (0, 1), ended.output
    return json.loads(ended.stdout)


def groups_of_check(path: Path) -> list[dict[str, Any]]:
    (checked,) = run_json("check", str(path))["files"]
    groups: list[dict[str, Any]] = checked["groups"]
    return groups


def exported(path: Path) -> list[dict[str, Any]]:
    ended = RUNNER.invoke(app, ["export", "--proposal", str(path)])
    assert ended.exit_code == 0, ended.output
    facts: list[dict[str, Any]] = Table.read(ended.stdout, format="ascii.ecsv").meta["groups"]
    return facts


def without_origin(group: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs on purpose: where the pattern comes from."""
    return {key: value for key, value in group.items() if key != "pattern"} | {
        "pattern": group["pattern"]["name"]
    }


@pytest.mark.parametrize("name", TAGGED)
def test_the_report_of_apply_is_what_the_file_gives(name: str, tmp_path: Path) -> None:
    given, written = tmp_path / "in.apt", tmp_path / "out.apt"
    given.write_bytes(TAGGED[name])
    applied = run_json("apply", str(given), "-o", str(written))["groups"]
    evaluated = run_json("evaluate", "--proposal", str(written))["groups"]
    assert list(map(without_origin, applied)) == list(map(without_origin, evaluated))
    assert groups_of_check(written) == evaluated
    again = run_json("apply", str(written), "--dry-run")["groups"]
    assert again == applied


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_check_evaluate_and_export_agree(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(AS_WRITTEN[name])
    evaluated = run_json("evaluate", "--proposal", str(path))["groups"]
    assert evaluated
    assert groups_of_check(path) == evaluated
    for facts, group_ in zip(exported(path), evaluated, strict=True):
        for place in ("center", "worst"):
            metrics = group_["coverage"][place]
            assert facts[f"efficiency_{place}"] == pytest.approx(metrics["efficiency"], abs=1e-4)
            assert facts[f"packing_of_limit_{place}"] == pytest.approx(
                metrics["packing_of_limit"], abs=1e-4
            )


def test_a_mosaic_has_a_group_for_each_tile(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(AS_WRITTEN["a mosaic"])
    groups = run_json("evaluate", "--proposal", str(path))["groups"]
    assert [[point["exposure"] for point in one["points"]] for one in groups] == [
        ["1", "2"],
        ["3", "4"],
    ]


@pytest.mark.parametrize("name", ["six", "two setups"])
def test_the_page_and_the_figure_show_the_figures_of_apply(
    name: str, undrawn: None, tmp_path: Path
) -> None:
    given, page, picture = (tmp_path / file for file in ("in.apt", "out.html", "out.svg"))
    given.write_bytes(TAGGED[name])
    groups = run_json("apply", str(given), "--dry-run")["groups"]
    assert RUNNER.invoke(app, ["report", str(given), "-o", str(page)]).exit_code == 0
    shown = page.read_text(encoding="utf-8")
    for group_ in groups:
        for place in ("center", "worst"):
            assert f"{group_['coverage'][place]['efficiency']:.3f}" in shown
        for point in group_["points"]:
            assert f"{point['postarg_x']:.3f}" in shown
            assert f"{point['postarg_y']:.3f}" in shown
    drawn = ["plot", "layout", "--proposal", str(given), "--group", str(len(groups))]
    assert RUNNER.invoke(app, [*drawn, "-o", str(picture)]).exit_code == 0
    last = groups[-1]
    numbers = picture.read_text(encoding="utf-8")
    assert " ".join(f"{p['postarg_x']:.3f},{p['postarg_y']:.3f}" for p in last["points"]) in numbers
    center, worst = (last["coverage"][place]["efficiency"] for place in ("center", "worst"))
    assert f"efficiency {center:.3f} at the center and {worst:.3f}" in numbers


@pytest.mark.parametrize("name", TAGGED)
def test_nothing_beats_what_is_possible(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(TAGGED[name].replace(b"@dither", b"@dither method=catalog"))
    for group_ in run_json("apply", str(path), "--dry-run")["groups"]:
        coverage = group_["coverage"]
        for place in ("center", "worst"):
            assert coverage[place]["efficiency"] <= coverage["possible"]["efficiency"]
            assert coverage[place]["packing"] <= coverage["possible"]["packing"]
            assert coverage["possible"]["hole"] is None or (
                coverage[place]["hole"] >= coverage["possible"]["hole"]
            )


def test_pointing_errors_improve_nothing(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(proposal(visit(*(exposure(i, postarg=("0", "0")) for i in (1, 2, 3)))))
    ended = RUNNER.invoke(app, ["evaluate", "--proposal", str(path)])
    assert ended.exit_code == 0
    assert "with HST's pointing errors" not in ended.stdout
    path.write_bytes(six("@dither method=catalog"))
    pointing = run_json("apply", str(path), "--dry-run")["groups"][0]["coverage"]["pointing"]
    assert pointing["efficiency_median"] <= pointing["efficiency_nominal"]


def test_fit_and_its_picture_give_one_scale(undrawn: None, tmp_path: Path) -> None:
    table = str(Path(__file__).parents[1] / "examples" / "table2.ecsv")
    fit = run_json("fit", table)
    picture = tmp_path / "scale.svg"
    drawn = RUNNER.invoke(app, ["plot", "scale", "--measured", table, "-o", str(picture)])
    assert drawn.exit_code == 0
    shown = picture.read_text(encoding="utf-8")
    assert f"A={fit['datasets'][0]['a']:.4f},B={fit['datasets'][0]['b']:.4f}" in shown
    assert fit["aperture"] == "IR-FIX"
