"""What the README says is true: its commands run, its tables are what they print."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import README, ROOT, SECTIONS, assert_alike, section_of

TEXT = README.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SECTIONS)
def test_sections_are_what_the_commands_print(name: str) -> None:
    assert_alike(section_of(TEXT, name), SECTIONS[name]())


def test_the_run_command_runs(tmp_path: Path) -> None:
    """The last of the chained commands; the ones before it install, as .ci/run does."""
    line = next(line for line in TEXT.splitlines() if "aptdither apply examples/" in line)
    program, *arguments = shlex.split(line.split("&&")[-1])
    assert program == ".venv/bin/aptdither"
    for name in ("tight6.apt",):
        (tmp_path / "examples").mkdir()
        (tmp_path / "examples" / name).write_bytes((ROOT / "examples" / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "aptdither", *arguments],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "examples" / "tight6.dithered.apt").exists()


def test_the_diff_is_what_apply_does() -> None:
    shown = [
        line[1:].strip()
        for line in TEXT.split("```diff\n")[1].split("```")[0].splitlines()
        if line.startswith("+") and line[1:].strip()
    ]
    written = (ROOT / "examples" / "dithered" / "tight6.apt").read_text(encoding="utf-8")
    for line in shown:
        assert line in written


def test_the_python_example_runs() -> None:
    code = TEXT.split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_misprint_is_told() -> None:
    assert "8.625" in TEXT
    assert "8.265" in TEXT
    assert "misprint" in TEXT
