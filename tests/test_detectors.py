"""Every detector through every command: one proposal with all of them in its visits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from typer.testing import CliRunner

from aptdither.apt.reader import parse_proposal
from aptdither.apt.writer import rewrite_proposal
from aptdither.cli.app import app
from aptdither.findings import Severity
from aptdither.optics.aperture import aperture_names, get_aperture
from aptdither.optics.detector import get_detector, supported_configs
from aptdither.planning.plan import make_plan
from aptdither.review.reviewer import Reviewer
from tests.made import exposure, group, proposal, visit

#: Visit -> config, aperture, element, exposures, tag; a subarray and a target on it too.
VISITS = {
    "01": ("WFC3/IR", "IR", "F160W", 4, "@dither method=catalog"),
    "02": ("WFC3/UVIS", "UVIS", "F606W", 4, "@dither method=catalog"),
    "03": ("ACS/WFC", "WFC", "F814W", 4, "@dither method=catalog"),
    "04": ("WFC3/UVIS", "UVIS2-C512C-SUB", "F275W", 3, "@dither size=5arcsec method=catalog"),
}
SBC = ("ACS/SBC", "SBC", "F165LP", 2, "@dither size=point method=catalog")


def made(setups: dict[str, tuple[str, str, str, int, str]]) -> bytes:
    visits = []
    for number, (config, aperture, element, count, tag) in setups.items():
        setup = {"config": config, "aperture": aperture, "element": element}
        first = exposure(1, comments=tag, **setup)  # type: ignore[arg-type]
        rest = [exposure(n, **setup) for n in range(2, count + 1)]  # type: ignore[arg-type]
        visits.append(visit(group(first, *rest), number=number))
    return proposal(*visits)


def run(*words: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == exit_code, result.output
    return result.stdout


@pytest.fixture(scope="module")
def dithered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The file that apply writes, and its report."""
    folder = tmp_path_factory.mktemp("detectors")
    source, path = folder / "in.apt", folder / "out.apt"
    source.write_bytes(made(VISITS))
    return path, json.loads(run("apply", source, "-o", path, "--format", "json"))


def test_apply_dithers_each_detector_in_its_own_frame(
    dithered: tuple[Path, dict[str, Any]],
) -> None:
    _, report = dithered
    found = [(g["visit"], g["config"], g["aperture"], g["element"]) for g in report["groups"]]
    assert found == [(number, *setup[:3]) for number, setup in VISITS.items()]
    for one in report["groups"]:
        aperture = get_aperture(one["aperture"], one["element"], config=one["config"])
        points = one["points"]
        postargs = np.array([(p["postarg_x"], p["postarg_y"]) for p in points])
        pixels = np.array([(p["dx_pix"], p["dy_pix"]) for p in points])
        moves = np.stack(aperture.offset_from_postarg(*postargs.T), axis=-1)
        assert_allclose(moves - moves[0], pixels, rtol=0, atol=1e-6)
        assert one["min_separation_pix"] > get_detector(one["config"]).tight_spacing_pix - 0.05
        assert (
            0.3 < one["coverage"]["worst"]["efficiency"] <= one["coverage"]["center"]["efficiency"]
        )
    by_visit = {one["visit"]: one["coverage"]["worst"]["efficiency"] for one in report["groups"]}
    assert min(by_visit[number] for number in ("01", "02", "03")) > 0.95


@pytest.mark.parametrize("config", supported_configs())
def test_every_aperture_and_subarray_can_be_dithered(config: str) -> None:
    """A visit for each aperture that APT offers: the plan reads it, and check accepts the file."""
    detector = get_detector(config)
    names = [
        name
        for name in aperture_names(config)
        if not name.startswith("GRISM") and not name.endswith("REF")  # of grisms alone
    ]
    visits = {
        f"{number:02}": (
            config,
            name,
            detector.default_element,
            2,
            "@dither method=catalog size=point",
        )
        for number, name in enumerate(names, start=1)
    }
    parsed = parse_proposal(made(visits))
    plan = make_plan(parsed)
    assert [group.aperture.name for group in plan.groups] == names
    assert all(0 < group.span_pix < 100 for group in plan.groups)
    written = parse_proposal(rewrite_proposal(parsed, plan.changes))
    findings = Reviewer().review(written).findings
    assert not [one for one in findings if one.severity is Severity.ERROR]


def test_apply_again_changes_nothing(dithered: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, _ = dithered
    run("apply", path, "-o", tmp_path / "again.apt")
    assert (tmp_path / "again.apt").read_bytes() == path.read_bytes()


def test_check_finds_nothing_wrong(dithered: tuple[Path, dict[str, Any]]) -> None:
    path, _ = dithered
    (one,) = json.loads(run("check", path, "--format", "json"))["files"]
    assert {finding["severity"] for finding in one["findings"]} <= {"note"}
    assert [group["config"] for group in one["groups"]] == [setup[0] for setup in VISITS.values()]


def test_the_sbc_in_a_visit_of_its_own(tmp_path: Path) -> None:
    """Without the JSON report, whose `possible` takes seconds where dozens of aliases overlap."""
    source, path = tmp_path / "in.apt", tmp_path / "out.apt"
    source.write_bytes(made({"01": SBC}))
    assert "acs-sbc-line-subpix" in run("apply", source, "-o", path)
    assert b'X="0.084"' in path.read_bytes()
    assert "cannot recover the band of F165LP" in " ".join(run("check", path).split())


@pytest.mark.parametrize("number", VISITS)
def test_evaluate_agrees_with_apply(dithered: tuple[Path, dict[str, Any]], number: str) -> None:
    path, report = dithered
    (theirs,) = [one for one in report["groups"] if one["visit"] == number]
    evaluated = run("evaluate", "--proposal", path, "--visit", number, "--format", "json")
    (ours,) = json.loads(evaluated)["groups"]
    for where in ("center", "worst"):
        for name, value in theirs["coverage"][where].items():
            assert ours["coverage"][where][name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("fmt", ["ecsv", "markdown", "latex", "ds9-detector"])
@pytest.mark.parametrize("number", ["02", "03", "04"])
def test_export(dithered: tuple[Path, dict[str, Any]], fmt: str, number: str) -> None:
    assert run("export", "--proposal", dithered[0], "--visit", number, "--format", fmt)


def test_regions_of_both_chips_lie_in_one_image(dithered: tuple[Path, dict[str, Any]]) -> None:
    """That of UVIS1, below whose first row are the gap and UVIS2."""
    text = run("export", "--proposal", dithered[0], "--visit", "02", "--format", "ds9-detector")
    corners = [
        np.reshape([float(n) for n in line[8 : line.index(")")].split(",")], (-1, 2))
        for line in text.splitlines()
        if line.startswith("polygon(")
    ]
    one, two = corners[:2]
    assert_allclose((one[:, 1].min(), one[:, 1].max()), (0.5, 2051.5), atol=0.01)
    assert two[:, 1].max() == pytest.approx(0.5 - 31, abs=3)


@pytest.mark.parametrize("config", supported_configs())
def test_convert_and_back_by_the_config_alone(config: str) -> None:
    """The detector's own aperture is taken, and an offset is the POS TARG that gives it."""
    words = ("convert", "--config", config, "--format", "json")
    (point,) = json.loads(run(*words, "--pixels", "3.5,1.5"))["points"]
    x, y = point["postarg_x"], point["postarg_y"]
    (back,) = json.loads(run(*words, "--postargs", f"{x:.9f},{y:.9f}"))["points"]
    assert (back["dx_pix"], back["dy_pix"]) == pytest.approx((3.5, 1.5), abs=1e-5)


def test_report(tmp_path: Path) -> None:
    source = tmp_path / "in.apt"
    source.write_bytes(made({"02": VISITS["02"]}))
    run("report", source, "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "UVIS F606W" in page
    assert "UVIS2" in page
