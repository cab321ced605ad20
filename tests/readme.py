"""The parts of README.md that commands print: ``python -m tests.readme`` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aptdither.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
NUMBER = re.compile(r"-?\d+\.\d+")


def printed(*arguments: str) -> str:
    """Return what a command prints on standard output, as an indented block."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.stderr
    lines = [f"    {line}".rstrip() for line in result.stdout.splitlines()]
    return "\n".join(lines).strip("\n")


def summary() -> str:
    """Return what the README's first command prints."""
    return printed("apply", str(ROOT / "examples" / "tight6.apt"), "--dry-run")


def comparison() -> str:
    """Return the catalogue's coverage over the whole field."""
    return printed("patterns", "--config", "WFC3/IR", "--element", "F125W")


def codes() -> str:
    """Return the table of review codes."""
    result = CliRunner().invoke(app, ["check", "--codes"])
    return result.stdout.strip()


SECTIONS: dict[str, Callable[[], str]] = {
    "summary": summary,
    "comparison": comparison,
    "codes": codes,
}


def assert_alike(here: str, now: str) -> None:
    """Compare two texts; the last digit of a number may differ between processors."""
    assert NUMBER.sub("#", here).split() == NUMBER.sub("#", now).split()
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (here, now)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.0011)


def section_of(text: str, name: str) -> str:
    """Return what stands between the markers of a section."""
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    assert match is not None, f"README.md has no section {name}"
    return match[1]


def write() -> None:
    """Write every section anew."""
    text = README.read_text(encoding="utf-8")
    for name, make in SECTIONS.items():
        old = section_of(text, name)
        text = text.replace(
            f"<!-- {name} -->\n{old}<!-- end", f"<!-- {name} -->\n\n{make()}\n\n<!-- end"
        )
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
