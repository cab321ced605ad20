"""The unified diff of a change, whatever the file's encoding."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from aptdither.cli import app
from tests.made import exposure, proposal, visit

SOURCE = proposal(visit(exposure(1, comments="@dither pattern=tight-2")))


def diff_of(path: Path) -> str:
    result = CliRunner().invoke(app, ["apply", str(path), "--dry-run", "--diff"])
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_has_the_diff_of_one_in_utf_8(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(SOURCE)
    expected = diff_of(path)
    assert "+@dithered 1/2" in expected.replace("+ ", "+")
    text = SOURCE.decode("utf-8").replace('encoding="UTF-8"', 'encoding="UTF-16"')
    path.write_bytes(text.encode(encoding))
    # The declaration is context of no change.
    assert diff_of(path) == expected
