"""The package's face: what it exports, and that a file travels the road by three calls."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import aptdither
from aptdither.cli.app import COMMANDS, app
from tests.made import exposure, proposal, visit


def test_every_public_name_is_there_and_listed() -> None:
    for name in aptdither.__all__:
        assert getattr(aptdither, name) is not None
    assert dir(aptdither) == sorted(aptdither.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        aptdither.no_such_name  # noqa: B018


def test_the_road_by_three_calls() -> None:
    source = proposal(visit(exposure(1, comments="@dither pattern=WFC3-IR-DITHER-LINE")))
    read = aptdither.parse_proposal(source)
    new = aptdither.rewrite_proposal(read, aptdither.make_plan(read).changes)
    again = aptdither.parse_proposal(new)
    assert [e.pos_targ for e in again.visits[0].exposures] == [
        aptdither.PosTarg(x_arcsec=0.0, y_arcsec=0.0),
        aptdither.PosTarg(x_arcsec=0.474, y_arcsec=0.424),
    ]


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from aptdither.cli import app;"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0;"
        "print([m for m in ('numpy', 'lxml', 'astropy', 'matplotlib', 'rich') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns_and_is_whole(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert max(map(len, shown.stdout.splitlines())) <= 80
    cut_off = [line for line in shown.stdout.splitlines() if re.search(r"\w\.\.\.$", line)]
    assert cut_off == []


def test_module_runs_as_a_program() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "aptdither", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith(f"aptdither {aptdither.__version__} (HST SIAF 1.")


def test_the_citation_has_the_version() -> None:
    text = (Path(__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", text, re.MULTILINE) == [aptdither.__version__]
    assert "doi:" not in text
