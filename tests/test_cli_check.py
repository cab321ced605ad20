"""``aptdither check``: formats, selection, exit codes, folders, processes, Ctrl-C, a cluster."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from aptdither.cli import app
from aptdither.findings import Severity
from aptdither.review.rules import RULES
from tests.made import exposure, proposal, visit
from tests.test_checks import BOX, GO_13417, TRIGGERS, applied, dithered
from tests.watched import run

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "schemas" / "report.schema.json").read_text(encoding="utf-8")
)
ONE_LINE = {**SCHEMA, "oneOf": [{"$ref": "#/$defs/checked"}]}


def invoke(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, ["check", *map(str, arguments)])
    # A crash has an exception of its own; an exit code leaves by SystemExit.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four proposals, one of them no proposal."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "by-hand.apt").write_bytes(dithered(GO_13417, element="F125W"))
    (tmp_path / "broken.apt").write_bytes(b"<HSTProposal><Visits>")
    (tmp_path / "deep" / "box.apt").write_bytes(dithered(BOX))
    (tmp_path / "deep" / "fine.apt").write_bytes(applied())
    return tmp_path


def test_nothing_found_is_one_line_on_standard_error(folder: Path) -> None:
    result = invoke(folder / "deep" / "fine.apt")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "1 file checked, no findings\n"
    for fmt in ("json", "jsonl", "sarif"):
        assert invoke(folder / "deep" / "fine.apt", "--format", fmt).stderr == ""


def test_files_without_a_supported_detector_are_counted(apt_dir: Path, folder: Path) -> None:
    result = invoke(folder / "deep" / "fine.apt", apt_dir / "go-15490.apt")
    assert (result.exit_code, result.stdout) == (0, "")
    (line,) = result.stderr.splitlines()
    assert line == "2 files checked, 1 without supported exposures, no findings"


def test_notes_alone_are_fine_unless_they_are_made_to_fail(folder: Path) -> None:
    notes, warnings = folder / "deep" / "box.apt", folder / "by-hand.apt"
    assert "note" in invoke(notes).stdout
    codes = {
        fail_on: [invoke(path, *fail_on).exit_code for path in (notes, warnings)]
        for fail_on in [(), ("--strict",), *(("--fail-on", s) for s in Severity)]
    }
    assert codes == {
        (): [0, 1],
        ("--strict",): [1, 1],
        ("--fail-on", "note"): [1, 1],
        ("--fail-on", "warning"): [0, 1],
        ("--fail-on", "error"): [0, 0],
    }
    assert invoke(notes, "--fail-on", "never").exit_code == 2
    assert invoke(folder / "broken.apt", "--fail-on", "error").exit_code == 3


def test_text_is_grouped_by_visit_and_fits_80_columns(tmp_path: Path) -> None:
    path = tmp_path / "two.apt"
    children = [exposure(i, postarg=p) for i, p in enumerate(BOX, 1)]
    others = [exposure(i, postarg=p, target="M31") for i, p in enumerate(BOX, 1)]
    path.write_bytes(proposal(visit(*children), visit(*others, number="02"), visit(number="03")))
    result = invoke(path)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1] == "  Visit 01"
    assert lines[2].split() == ["ADT302", "note", "exposure", "1,", "line", "10"]
    assert sum(line.startswith("  Visit") for line in lines) == 2
    assert result.stderr == "1 file checked, 2 findings in 1 file (2 notes)\n"
    assert max(map(len, lines[1:])) <= 80
    assert not any(line.endswith(" ") for line in lines)
    assert "\x1b" not in result.stdout


def test_a_bad_file_does_not_stop_the_others(folder: Path) -> None:
    result = invoke(folder)
    assert result.exit_code == 3
    failed, summary = result.stderr.splitlines()
    assert "broken.apt: line 1" in failed
    assert summary == (
        "3 files checked, 1 not readable, 4 findings in 2 files (2 warnings, 2 notes)"
    )
    assert "by-hand.apt" in result.stdout
    assert "box.apt" in result.stdout


@pytest.mark.parametrize("name", ["missing.apt", "two\nlines\x1b[31m.apt"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    result = invoke(tmp_path / name)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.count("\n") == 2  # the error and the summary
    assert "\x1b" not in result.stderr
    assert "no such file" in result.stderr


def test_json_obeys_the_schema_and_keeps_the_order(folder: Path) -> None:
    result = invoke(folder, "--format", "json", "--statistics")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    jsonschema.validate(report, SCHEMA)
    names = [Path(file["input"]["path"]).name for file in report["files"]]
    assert names == ["broken.apt", "by-hand.apt", "box.apt", "fine.apt"]
    broken, by_hand, box, fine = report["files"]
    assert "line 1" in broken["error"]
    assert broken["input"]["sha256"] is not None  # it was read, and is no proposal
    assert [finding["code"] for finding in by_hand["findings"]] == [
        "ADT202",
        "ADT204",
        "ADT302",
    ]
    assert by_hand["groups"][0]["coverage"]["worst"]["packing_of_limit"] < 0.07
    assert len(box["groups"][0]["points"]) == 4
    assert fine["groups"][0]["tag"].startswith("@dither n=4")
    assert fine["groups"][0]["pattern"]["name"] == "tight-4"
    assert report["statistics"] == {"ADT202": 1, "ADT204": 1, "ADT302": 2}


def test_json_of_nothing_is_json(tmp_path: Path) -> None:
    result = invoke(tmp_path, "--format", "json")
    assert result.exit_code == 0
    jsonschema.validate(json.loads(result.stdout), SCHEMA)
    assert json.loads(result.stdout)["files"] == []


def test_json_lines_are_one_file_each(folder: Path) -> None:
    result = invoke(folder, "--format", "jsonl", "-j", "2")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 4
    for line in lines:
        jsonschema.validate(line, ONE_LINE)


def test_standard_input_is_checked_alone(folder: Path) -> None:
    data = (folder / "by-hand.apt").read_bytes()
    piped = CliRunner().invoke(app, ["check", "-"], input=data)
    named = invoke(folder / "by-hand.apt")
    assert (piped.exit_code, piped.stderr) == (named.exit_code, named.stderr)
    assert piped.stdout.splitlines()[1:] == named.stdout.splitlines()[1:]
    sarif = CliRunner().invoke(app, ["check", "-", "--format", "sarif"], input=data)
    assert len(json.loads(sarif.stdout)["runs"][0]["results"]) > 0
    assert invoke("-", folder / "by-hand.apt").exit_code == 2
    assert CliRunner().invoke(app, ["check", "-"], input=b"").exit_code == 3


def test_quiet_and_verbose(folder: Path) -> None:
    path = folder / "by-hand.apt"
    quiet, plain, verbose = (invoke(path, *more) for more in (["-q"], [], ["-v"]))
    assert quiet.stdout == plain.stdout == verbose.stdout
    assert quiet.stderr == ""
    assert verbose.stderr.startswith(plain.stderr)
    assert "HST SIAF 1." in verbose.stderr
    assert "no such file" in invoke(folder / "none.apt", "-q").stderr


def test_sarif_points_at_lines_of_the_file(folder: Path) -> None:
    result = invoke(folder, "--format", "sarif")
    assert result.exit_code == 3
    (run,) = json.loads(result.stdout)["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    assert {one["ruleId"] for one in run["results"]} == {"ADT202", "ADT204", "ADT302"}
    for one in run["results"]:
        (location,) = one["locations"]
        path = Path(location["physicalLocation"]["artifactLocation"]["uri"].removeprefix("file://"))
        line = location["physicalLocation"]["region"]["startLine"]
        assert path.read_text().splitlines()[line - 1].startswith('<Exposure Number="1"')
    assert run["invocations"][0]["executionSuccessful"] is False


def test_processes_print_what_one_prints(folder: Path) -> None:
    for fmt in ("text", "json", "sarif"):
        assert (
            invoke(folder, "--format", fmt, "-j", "2").stdout
            == invoke(folder, "--format", fmt).stdout
        )


def test_select_ignore_and_exit_zero(folder: Path) -> None:
    path = folder / "by-hand.apt"
    assert "ADT204" not in invoke(path, "--ignore", "ADT204,ADT3").stdout
    assert invoke(path, "--select", "ADT4,ADT301").exit_code == 0
    assert invoke(path, "--ignore", "ADT2,ADT302").exit_code == 0
    assert invoke(path, "--exit-zero").exit_code == 0
    assert "ADT204" in invoke(path, "--exit-zero").stdout
    assert invoke(folder / "broken.apt", "--exit-zero").exit_code == 3
    result = invoke(path, "--select", "ADT8")
    assert result.exit_code == 2
    assert "no code begins with 'ADT8'" in result.stderr


def test_size_is_the_region(folder: Path) -> None:
    result = invoke(folder / "by-hand.apt", "--size", "10arcsec", "--select", "ADT2")
    assert result.exit_code == 0
    result = invoke(folder / "by-hand.apt", "--size", "10parsec")
    assert result.exit_code == 2
    assert "30arcsec" in result.stderr


def test_statistics(folder: Path) -> None:
    result = invoke(folder / "by-hand.apt", folder / "deep", "--statistics")
    assert "1  ADT204  warning  the pattern loses coherence over the region" in result.stdout
    streamed = invoke(folder / "by-hand.apt", "--statistics", "--format", "jsonl")
    assert len(streamed.stdout.splitlines()) == 1
    assert "ADT204" in streamed.stderr


@pytest.mark.parametrize("code", RULES)
def test_explain(code: str) -> None:
    result = invoke("--explain", code.lower())
    assert result.exit_code == 0
    assert RULES[code].source.split()[0] in result.stdout
    assert " ".join(RULES[code].explanation.split()[:3]) in " ".join(result.stdout.split())


def test_codes_and_usage() -> None:
    assert invoke("--codes").stdout.count("| ADT") == len(RULES)
    assert invoke().exit_code == 2
    assert invoke("--explain", "ADT999").exit_code == 2


def test_every_finding_can_be_printed(tmp_path: Path) -> None:
    for code, made in TRIGGERS.items():
        (tmp_path / f"{code}.apt").write_bytes(made)
    result = invoke(tmp_path)
    assert result.exit_code == 1
    assert all(code in result.stdout for code in TRIGGERS)


def test_what_a_file_says_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "[red]name.apt"
    path.write_bytes(
        proposal(visit(exposure(1, comments="@dither q=&#x9b;31m[bold]x"), number="[b]1"))
    )
    result = invoke(path)
    assert "\x9b" not in result.stdout
    assert "[bold]x" in result.stdout
    assert "Visit [b]1" in result.stdout
    assert "[red]name.apt" in result.stdout


# Whole processes ---------------------------------------------------------------------------------


def test_a_closed_pipe_stops_a_run_quietly(folder: Path) -> None:
    for number in range(200):
        (folder / f"{number}.apt").write_bytes(dithered(BOX))
    with subprocess.Popen(
        [sys.executable, "-m", "aptdither", "check", str(folder), "--format", "jsonl", "-j", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == 141
    assert said == ""


def many(folder: Path, count: int) -> None:
    """Write proposals that are all unlike, so that none is judged from memory."""
    for number in range(count):
        points = [
            ("0", f"{number / 500}"),
            *((f"{float(x) + number / 1000:.3f}", y) for x, y in BOX),
        ]
        (folder / f"{number:03}.apt").write_bytes(dithered(points))


@pytest.mark.slow
@pytest.mark.parametrize("killed_by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_stops_everything(folder: Path, killed_by: signal.Signals) -> None:
    many(folder, 600)
    with subprocess.Popen(
        [sys.executable, "-m", "aptdither", "check", str(folder), "--format", "jsonl", "-j", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        if killed_by is signal.SIGINT:
            os.killpg(process.pid, killed_by)  # a terminal sends it to all of them
        else:
            process.send_signal(killed_by)
        started = time.monotonic()
        rest = process.stdout.read().decode()
        said = process.stderr.read().decode()
        process.wait(30)
    assert time.monotonic() - started < 20
    assert "Traceback" not in said
    assert _are_gone(process.pid, seconds=10)  # nobody is left behind
    if killed_by is signal.SIGINT:
        assert process.returncode == 130
        assert "aptdither: stopped after" in said
        for line in rest.splitlines():
            json.loads(line)


def _are_gone(group: int, *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_long_temporary_folder_is_no_obstacle(tmp_path: Path) -> None:
    """The server that forks workers has a socket there, whose name must be short."""
    many(tmp_path, 4)
    temporary = tmp_path / ("long" * 30)
    temporary.mkdir()
    command = ("check", tmp_path, "--format", "jsonl", "-j", "2")
    ended = run(*command, environment={"TMPDIR": str(temporary)})
    assert ended.said == ""
    assert len(ended.out.splitlines()) == 4


def test_progress_is_on_a_terminals_standard_error_alone(folder: Path) -> None:
    for number in range(30):
        (folder / f"{number}.apt").write_bytes(dithered(BOX))
    ours, theirs = pty.openpty()
    said = b""
    with (
        (folder / "out").open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "aptdither", "check", str(folder), "--format", "jsonl"],
            stdout=out,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        ) as process,
    ):
        os.close(theirs)
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    said += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
    os.close(ours)
    assert len((folder / "out").read_text().splitlines()) == 34
    assert b"checking" in said
    assert b"34/34" in said


# A cluster ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_says_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed: Any = pytest.importorskip("distributed")
    monkeypatch.chdir(folder.parent)
    relative = folder.name
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        there = invoke(relative, "--format", "json", "--dask", cluster.scheduler_address)
    here = invoke(relative, "--format", "json")
    assert there.exit_code == here.exit_code == 3
    assert json.loads(there.stdout) == json.loads(here.stdout)


@pytest.mark.filterwarnings("ignore")
def test_no_cluster_is_a_usage_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = invoke(folder, "--dask", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert "aptdither[dask]" in result.stderr
