"""The command that everyone runs: files, exit codes, stdout and stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from aptdither.cli import app
from tests.made import exposure, group, proposal, six, visit

BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
TAG = f"@dither n=4 {BOX}"
SCHEMA = Path(__file__).parents[1] / "schemas" / "report.schema.json"


def invoke(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    # A crash has an exception of its own; a refusal leaves by SystemExit.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """A proposal with one exposure that becomes four."""
    path = tmp_path / "one.apt"
    path.write_bytes(proposal(visit(exposure(1, comments=TAG), exposure(2, same="1"))))
    return path


def test_writes_beside_the_input_and_says_so(tagged: Path) -> None:
    before = tagged.read_bytes()
    result = invoke("apply", tagged)
    assert result.exit_code == 0
    written = tagged.with_name("one.dithered.apt")
    assert b"@dithered 4/4 WFC3-IR-DITHER-BOX-MIN base=0.000,0.000" in written.read_bytes()
    assert tagged.read_bytes() == before
    assert "one.dithered.apt" in result.stderr
    assert "Orbit Planner" in result.stderr
    for word in (
        "Visit 01",
        "recovered at S/N 10 per exposure: E ",
        "0.542, 0.182",
        "0.339, 0.485",
        "worst",
    ):
        assert word in result.stdout


def test_summary_fits_80_columns_without_colour(tagged: Path) -> None:
    result = invoke("apply", tagged, "--dry-run", "--no-color")
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "--dry-run"),
        ("apply", "--dry-run", "--details"),
        ("apply", "-o", "-"),
        ("check", "--statistics"),
        ("patterns", "-n", "4"),
        ("patterns", "tight-4"),
        ("evaluate", "--pattern", "tight-4"),
        ("convert", "--aperture", "IR-FIX", "--pixels", "3.5,1.5"),
    ],
)
def test_no_printed_line_ends_in_a_blank(tagged: Path, arguments: tuple[str, ...]) -> None:
    names = [tagged] if arguments[0] in ("apply", "check") else []
    result = invoke(*arguments, *names)
    printed = result.stderr if "-" in arguments else result.output
    assert len(printed.splitlines()) > 2
    assert not [line for line in printed.splitlines() if line != line.rstrip()]


def test_existing_output_is_kept_without_force(tagged: Path) -> None:
    written = tagged.with_name("one.dithered.apt")
    written.write_text("mine")
    result = invoke("apply", tagged)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--force" in result.stderr
    assert written.read_text() == "mine"
    assert invoke("apply", tagged, "--force").exit_code == 0
    assert written.read_text() != "mine"


def test_in_place_keeps_a_backup_and_twice_is_once(tagged: Path) -> None:
    before = tagged.read_bytes()
    assert invoke("apply", tagged, "--in-place").exit_code == 0
    once = tagged.read_bytes()
    backup = tagged.with_name("one.apt.bak")
    assert (once != before, backup.read_bytes()) == (True, before)
    result = invoke("apply", tagged, "--in-place")
    assert result.exit_code == 0
    assert (tagged.read_bytes(), backup.read_bytes()) == (once, before)
    assert "nothing to change" in result.stderr
    assert "wrote" not in result.stderr
    assert invoke("apply", tagged, "--in-place", "--format", "json").stdout.count('"output": null')


@pytest.mark.parametrize("flags", [["--dry-run"], ["--check"], ["--dry-run", "--diff"]])
def test_what_writes_nothing_writes_nothing(tagged: Path, flags: list[str]) -> None:
    before = sorted(tagged.parent.iterdir()), tagged.read_bytes()
    result = invoke("apply", tagged, *flags)
    assert result.exit_code == (1 if "--check" in flags else 0)
    assert (sorted(tagged.parent.iterdir()), tagged.read_bytes()) == before


def test_check_is_content_with_what_is_dithered(tagged: Path, tmp_path: Path) -> None:
    done = tmp_path / "done.apt"
    assert invoke("apply", tagged, "-o", done).exit_code == 0
    result = invoke("apply", done, "--check")
    assert result.exit_code == 0
    assert "nothing to change" in result.stderr


def test_diff_is_what_patch_applies(tagged: Path, tmp_path: Path) -> None:
    done = tmp_path / "done.apt"
    result = invoke("apply", tagged, "-o", done, "--diff")
    assert result.stdout.startswith("--- ")
    patched = subprocess.run(
        ["git", "apply", "-p0", "--unsafe-paths", "--directory", str(tmp_path), "-"],
        input=result.stdout.replace(str(tagged), "one.apt").replace(str(done), "one.apt"),
        text=True,
        cwd=tmp_path,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        capture_output=True,
        check=False,
    )
    assert patched.returncode == 0, patched.stderr
    assert tagged.read_bytes() == done.read_bytes()


def test_nothing_tagged(tmp_path: Path) -> None:
    path, out = tmp_path / "plain.apt", tmp_path / "out.apt"
    path.write_bytes(proposal(visit(exposure(1))))
    result = invoke("apply", path)
    assert result.exit_code == 0
    assert "tagged with @dither" in " ".join(result.stdout.split())
    assert sorted(tmp_path.iterdir()) == [path]
    assert invoke("apply", path, "-o", out).exit_code == 0
    assert out.read_bytes() == path.read_bytes()


def test_in_place_without_a_tag_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plain.apt"
    path.write_bytes(proposal(visit(exposure(1))))
    result = invoke("apply", path, "--in-place")
    assert (result.exit_code, result.stderr) == (0, f"{path}: nothing was written\n")
    assert list(tmp_path.iterdir()) == [path]


def test_an_option_that_a_tag_overrides_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(
        proposal(
            visit(exposure(1, comments="@dither n=4 size=full pattern=tight-4")),
            visit(exposure(1, comments="@dither n=4 size=full pattern=tight-4"), number="02"),
            visit(exposure(1, comments="@dither n=4 pattern=tight-4"), number="03"),
        )
    )
    result = invoke("apply", path, "--dry-run", "--size", "5arcsec", "-n", "3")
    n, size = (line for line in result.stderr.splitlines() if "is not used" in line)
    assert result.exit_code == 0
    assert n == "-n 3 is not used: the tags of visits 01, 02, 03 set n=4"
    assert size == "--size 5arcsec is not used: the tags of visits 01, 02 set size=full"
    same = invoke("apply", path, "--dry-run", "--size", "full", "-n", "4", "--spacing", "2pix")
    assert "is not used" not in same.stderr


def test_snr_is_that_of_the_tag_or_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    tag = "@dither n=4 pattern=tight-4"
    path.write_bytes(
        proposal(
            visit(exposure(1, comments=f"{tag} snr=3")),
            visit(exposure(1, comments=tag), number="02"),
        )
    )
    for command in ("apply", "check"):
        more = ["--dry-run"] if command == "apply" else []
        report = json.loads(invoke(command, path, *more, "--snr", "40", "--format", "json").stdout)
        groups = report["groups"] if command == "apply" else report["files"][0]["groups"]
        assert [group["snr"] for group in groups] == [3, 40]


def test_all_errors_are_listed_and_nothing_is_written(tmp_path: Path) -> None:
    path, out = tmp_path / "bad.apt", tmp_path / "out.apt"
    path.write_bytes(
        proposal(
            visit(exposure(1, comments="@dither n=0 speed=fast")),
            visit(exposure(1, comments=TAG), number="02"),
            visit(exposure(1, comments=TAG, iterations=2), number="03"),
        )
    )
    result = invoke("apply", path, "-o", out)
    assert (result.exit_code, result.stdout, out.exists()) == (3, "", False)
    first, second, note = result.stderr.splitlines()
    assert first.startswith(f"aptdither: {path}, visit 01, exposure 1, line ")
    assert "speed=fast" in first
    assert "n=0" in first
    assert "visit 03" in second
    assert note == f"aptdither: {path}: nothing was written; the tag of visit 02 is fine"


def piped(data: bytes, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=data)


def test_each_file_gets_its_own_output(tagged: Path, tmp_path: Path) -> None:
    other, plain = tmp_path / "other.apt", tmp_path / "plain.apt"
    other.write_bytes(tagged.read_bytes())
    plain.write_bytes(proposal(visit(exposure(1))))
    result = invoke("apply", tagged, other, plain, tagged)
    assert result.exit_code == 0
    made = [path.with_name(f"{path.stem}.dithered.apt").read_bytes() for path in (tagged, other)]
    assert made[0] == made[1]
    assert not plain.with_name("plain.dithered.apt").exists()
    said = " ".join(result.stdout.split())
    assert said.index("one.apt") < said.index("other.apt") < said.index("plain.apt")
    assert invoke("apply", tagged, other, "-o", tmp_path / "x.apt").exit_code == 2


def test_a_file_with_errors_does_not_stop_the_others(tagged: Path, tmp_path: Path) -> None:
    bad, missing = tmp_path / "bad.apt", tmp_path / "missing.apt"
    bad.write_bytes(proposal(visit(exposure(1, comments="@dither n=0"))))
    result = invoke("apply", bad, tagged, missing, "--check")
    assert result.exit_code == 3  # of 1 (would change) and 3 the worst
    assert result.stderr.splitlines()[0] == f"{tagged} would change"
    first, second, note = result.stderr.splitlines()[-3:]
    assert note == f"aptdither: {bad}: nothing was written"
    assert first.startswith(f"aptdither: {bad}, visit 01")
    assert second == f"aptdither: {missing}: no such file"
    report = json.loads(invoke("apply", bad, tagged, "--format", "json").stdout)
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    failed, written = report["files"]
    assert str(bad) in failed["error"]
    assert Path(written["output"]["path"]).exists()


@pytest.mark.parametrize("arguments", [("-",), ("-", "-o", "-")])
def test_standard_input_becomes_standard_output(tagged: Path, arguments: tuple[str, ...]) -> None:
    invoke("apply", tagged)
    expected = tagged.with_name("one.dithered.apt").read_bytes()
    result = piped(tagged.read_bytes(), "apply", *arguments)
    assert (result.exit_code, result.stdout_bytes) == (0, expected)
    assert "Visit 01" in result.stderr
    assert piped(tagged.read_bytes(), "apply", *arguments, "-q").stderr == ""
    assert piped(expected, "apply", *arguments).stdout_bytes == expected
    assert invoke("apply", tagged, "-o", "-").stdout_bytes == expected
    assert not [path for path in tagged.parent.iterdir() if path.name.startswith("-")]


def test_a_pipe_without_a_tag_gives_what_it_got() -> None:
    plain = proposal(visit(exposure(1)))
    assert piped(plain, "apply", "-").stdout_bytes == plain


def test_standard_input_with_an_error_writes_nothing() -> None:
    result = piped(proposal(visit(exposure(1, comments="@dither n=0"))), "apply", "-")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("aptdither: standard input, visit 01")


@pytest.mark.parametrize(
    "arguments",
    [["--in-place"], ["--diff"], ["--format", "json"], ["other.apt"]],
)
def test_standard_output_is_never_mixed(tagged: Path, arguments: list[str]) -> None:
    result = piped(tagged.read_bytes(), "apply", "-", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    dry = piped(tagged.read_bytes(), "apply", "-", "--dry-run", "--format", "json")
    assert json.loads(dry.stdout)["input"]["path"] == "-"


def test_json_obeys_its_schema(tagged: Path) -> None:
    result = invoke("apply", tagged, "--format", "json")
    report: dict[str, Any] = json.loads(result.stdout)
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["report_version"] == 2
    assert report["output"]["path"].endswith("one.dithered.apt")
    (only,) = report["groups"]
    assert [point["exposure"] for point in only["points"]] == ["1", "2", "3", "4"]
    assert only["points"][1]["postarg_x"] == 0.542
    assert only["size_arcsec"] is None
    assert report["findings"][0]["code"] == "ADT401"
    assert invoke("apply", tagged, "--dry-run", "--format", "json").stdout.count('"output": null')


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "x.apt", "--in-place"],
        ["--diff", "--format", "json"],
        ["--size", "big"],
        ["--method", "magic"],
        ["-n", "0"],
        ["--format", "yaml"],
    ],
)
def test_usage_errors_exit_2(tagged: Path, arguments: list[str]) -> None:
    result = invoke("apply", tagged, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"this is no XML", ""),
        (b"<a/>", "HST proposal"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><HSTProposal/>', "DOCTYPE"),
        (b"PK\x03\x04 a zip", "JWST"),
        (six()[:-30], ""),
    ],
)
def test_unusable_input_exits_3(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(content)
    result = invoke("apply", path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert str(path) in result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_distortion_file_that_is_none_is_told_once(tagged: Path) -> None:
    for name in ("none_idc.fits", tagged.name):
        result = invoke("apply", tagged, "--distortion", tagged.with_name(name), "--dry-run")
        assert (result.exit_code, result.stdout) == (3, "")
        (line,) = result.stderr.splitlines()
        assert name in line
        assert "IDCTAB" in line


def test_a_missing_input_exits_3(tmp_path: Path) -> None:
    result = invoke("apply", tmp_path / "none.apt")
    assert result.exit_code == 3
    assert "none.apt" in result.stderr


def test_text_from_the_file_cannot_drive_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil.apt"
    comments = f"{TAG}\nhello [red]@dither[/red] &#x9b;31m &#x202e;"
    path.write_bytes(proposal(visit(exposure(1, comments=comments))))
    result = invoke("apply", path, "--dry-run")
    assert "[red]@dither[/red]" in result.stdout.replace("\n", " ")
    assert "\x9b" not in result.stdout
    assert "\u202e" not in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "one.apt"),
        ("apply", "one.apt", "-o", "-"),
        ("check", "one.apt"),
        ("check", "--explain", "ADT205"),
        ("check", "--codes"),
        ("convert", "--pixels", "1,1", "--format", "json"),
        ("--version",),
    ],
    ids=" ".join,
)
def test_a_closed_pipe_ends_a_command_quietly(words: tuple[str, ...], tagged: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, "-m", "aptdither", *words],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tagged.parent,
    )
    os.close(write)
    assert run.returncode == (1 if words == ("--version",) else 141)
    assert "standard output" not in run.stderr
    assert "Traceback" not in run.stderr
    assert "Exception" not in run.stderr
    if words == ("apply", "one.apt"):
        assert tagged.with_name("one.dithered.apt").exists()


def test_what_an_earlier_run_made_is_not_read_beside_its_origin(tagged: Path) -> None:
    assert invoke("apply", tagged).exit_code == 0
    made = tagged.with_name("one.dithered.apt")
    result = invoke("apply", tagged, made, "--force", "--format", "json")
    assert result.exit_code == 0
    assert f"skipped, since their origin is given too: {made}" in result.stderr
    files = json.loads(result.stdout)["files"]
    assert [Path(one["input"]["path"]).name for one in files] == ["one.apt"]
    # Alone, or for strip, it is an input like any other.
    assert f"{made} is dithered already" in invoke("apply", made, "--dry-run").stderr
    assert "skipped" not in invoke("strip", tagged, made, "--dry-run").stderr


def test_the_same_command_prints_the_same(tagged: Path) -> None:
    first, second = (invoke("apply", tagged, "--dry-run").stdout for _ in range(2))
    assert first == second


def test_seed_decides_nothing_but_what_is_random(tmp_path: Path) -> None:
    path = tmp_path / "free.apt"
    path.write_bytes(
        proposal(
            visit(group(*(exposure(i, comments="@dither size=point" * (i == 1)) for i in (1, 2))))
        )
    )
    runs = [invoke("apply", path, "--dry-run", "--seed", "7", "--format", "json") for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout
    assert json.loads(runs[0].stdout)["seed"] == 7


def test_real_files_come_back_byte_for_byte(apt_dir: Path, tmp_path: Path) -> None:
    for path in sorted(apt_dir.glob("go-*.apt")):
        out = tmp_path / path.name
        assert invoke("apply", path, "-o", out).exit_code == 0
        assert out.read_bytes() == path.read_bytes()
