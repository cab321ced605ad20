"""The tutorial of the documentation runs from top to bottom."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def test_the_tutorial_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell runs, and what a notebook would show of its last expression is something."""
    pytest.importorskip("jinja2")
    monkeypatch.chdir(DOCS)
    cells = json.loads((DOCS / "tutorial.ipynb").read_text("utf-8"))["cells"]
    names: dict[str, Any] = {}
    shown = 0
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        assert not cell["outputs"], "outputs are made when the documentation is built"
        *statements, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(statements, []), "tutorial", "exec"), names)  # noqa: S102
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "tutorial", "eval"), names)
            as_html = getattr(value, "_repr_html_", None)
            assert as_html() if as_html else repr(value)
            shown += 1
        else:
            exec(compile(ast.Module([last], []), "tutorial", "exec"), names)  # noqa: S102
    assert shown >= 4
