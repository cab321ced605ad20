"""The command that takes a dither out again: the output rules of apply, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from aptdither.cli import app
from tests.made import exposure, proposal, six, visit

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "schemas" / "report.schema.json").read_text(encoding="utf-8")
)


def invoke(*arguments: str | Path, data: bytes | None = None) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=data)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def dithered(tmp_path: Path) -> Path:
    """One exposure that became four."""
    path = tmp_path / "in.apt"
    path.write_bytes(proposal(visit(exposure(1, comments="@dither n=4 pattern=tight-4"))))
    assert invoke("apply", path, "--in-place").exit_code == 0
    return path


def test_strip_gives_back_what_apply_found(dithered: Path) -> None:
    before = dithered.with_name("in.apt.bak").read_bytes()
    result = invoke("strip", dithered)
    assert result.exit_code == 0
    stripped = dithered.with_name("in.stripped.apt").read_bytes()
    assert stripped == before.replace(b"Current>true", b"Current>false")
    assert "Visit 01: 1 exposure stripped, copies removed: 2, 3, 4" in result.stdout
    assert "in.stripped.apt" in result.stderr
    assert invoke("strip", dithered).exit_code == 2  # it exists
    assert invoke("apply", dithered.with_name("in.stripped.apt"), "-o", "-").stdout_bytes == (
        dithered.read_bytes()
    )


def test_tags_go_too(dithered: Path) -> None:
    assert b"@dither" not in invoke("strip", dithered, "--tags", "-o", "-").stdout_bytes
    assert b"@dither n=4" in invoke("strip", dithered, "-o", "-").stdout_bytes


def test_strip_in_place_and_in_a_pipe(dithered: Path) -> None:
    source = dithered.read_bytes()
    piped = invoke("strip", "-", data=source)
    assert invoke("strip", dithered, "--in-place").exit_code == 0
    assert dithered.read_bytes() == piped.stdout_bytes
    assert dithered.with_name("in.apt.bak2").read_bytes() == source
    assert invoke("strip", dithered, "--in-place").stderr == f"{dithered}: nothing was written\n"


def test_strip_checks_and_reports(dithered: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert invoke("strip", dithered, "--check").exit_code == 1
    assert invoke("strip", dithered, "--diff", "--dry-run").stdout.startswith("--- ")
    report = json.loads(invoke("strip", dithered, "--dry-run", "--format", "json").stdout)
    jsonschema.validate(report, SCHEMA)
    assert report["visits"] == [{"visit": "01", "stripped": ["1"], "removed": ["2", "3", "4"]}]
    other = tmp_path / "other.apt"
    other.write_bytes(six())
    both = json.loads(invoke("strip", dithered, other, "--dry-run", "--format", "json").stdout)
    jsonschema.validate(both, SCHEMA)
    assert [len(one["visits"]) for one in both["files"]] == [1, 0]
    other.unlink()
    assert sorted(tmp_path.iterdir()) == before


def test_an_edited_pos_targ_is_not_lost(dithered: Path) -> None:
    edited = dithered.read_bytes().replace(b'X="0.0', b'X="0.5', 1)
    result = invoke("strip", "-", data=edited)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("aptdither: standard input, visit 01")
