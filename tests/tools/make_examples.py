"""Make ``examples/dithered/``: the output of apply for each example, and its diff.

Run ``python -m tests.tools.make_examples`` after the catalog has changed;
``tests/test_examples.py`` compares.
"""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from aptdither.cli import app
from aptdither.report.diff import unified_diff

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OUTPUTS = EXAMPLES / "dithered"
#: Without the outputs that the README's first command leaves beside them.
PROPOSALS = tuple(
    sorted(path for path in EXAMPLES.glob("*.apt") if not path.stem.endswith(".dithered"))
)


def dither(proposal: Path, output: Path) -> None:
    """Run apply as an observer does."""
    result = CliRunner().invoke(app, ["apply", str(proposal), "-o", str(output), "--force"])
    assert result.exit_code == 0, result.stderr


def main() -> None:
    """Write every output and every diff anew."""
    OUTPUTS.mkdir(exist_ok=True)
    for proposal in PROPOSALS:
        output = OUTPUTS / proposal.name
        dither(proposal, output)
        diff = unified_diff(
            proposal.read_bytes(),
            output.read_bytes(),
            encoding="utf-8",
            names=(f"examples/{proposal.name}", f"examples/dithered/{proposal.name}"),
        )
        output.with_suffix(".diff").write_text(diff, encoding="utf-8")


if __name__ == "__main__":
    main()
