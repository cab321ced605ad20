"""Every data file tells its own story, the table tells all of them, and the wheel carries them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

DATA = Path(str(files("aptdither"))) / "data"
FILES = sorted(DATA.glob("*.json"))
TABLE = (DATA / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_data_file_says_where_it_comes_from(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    if "patterns" in content:
        assert content["description"]
        for pattern in content["patterns"]:
            for key in ("source", "version", "rebuild", "meaning"):
                assert pattern[key], f"{path.name}: {pattern['name']} does not say its {key}"
    else:
        for key in ("source", "version", "license", "rebuild"):
            assert content["provenance"][key], f"{path.name} does not say its {key}"
        assert content["meaning"]
    assert f"`{path.name}`" in TABLE


def test_the_table_lists_no_file_that_is_not_there() -> None:
    cells = [row.split("|")[1] for row in TABLE.splitlines() if row.startswith("| `")]
    listed = {name for cell in cells for name in cell.split("`")[1::2]}
    assert listed == {path.name for path in FILES}


def test_designed_patterns_are_never_called_the_reports() -> None:
    designed = json.loads((DATA / "patterns-designed.json").read_text(encoding="utf-8"))
    for pattern in designed["patterns"]:
        assert "--seed" in pattern["rebuild"]
        assert "ISR" not in pattern["name"]
        assert "not a pattern of it" in pattern["source"]
