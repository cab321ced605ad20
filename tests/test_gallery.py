"""Every picture of the examples is made by the command beside it, from today's numbers.

The numbers are those that a picture keeps of what it was drawn from; `test_plots.py` draws.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from aptdither.cli import app
from tests.readme import assert_alike
from tests.tools.make_gallery import PAGES, Command, commands

pytest.importorskip("matplotlib")
pytest.importorskip("drizzle")
Image = pytest.importorskip("PIL.Image")

REMAKE = "run: python -m tests.tools.make_gallery"
MOST_BYTES = 3_000_000
ALL = [(page, command) for page in PAGES for command in commands(page)]


def numbers_of(picture: Path) -> str:
    """Return what a picture says that it was drawn from."""
    with Image.open(picture) as image:
        return str(image.text["Description"])


@pytest.mark.parametrize(("page", "command"), ALL, ids=lambda value: getattr(value, "picture", ""))
def test_the_picture_has_todays_numbers(
    page: Path,
    command: Command,
    undrawn: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(page.parent)
    made = tmp_path / command.picture
    result = CliRunner().invoke(app, command.arguments(made))
    assert result.exit_code == 0, result.output
    assert made.read_text("utf-8") == numbers_of(page.parent / command.picture), REMAKE


@pytest.mark.parametrize("page", list(PAGES), ids=lambda page: page.parent.name)
def test_the_page_has_todays_numbers(page: Path) -> None:
    assert_alike(page.read_text(encoding="utf-8"), PAGES[page]())


@pytest.mark.parametrize("page", list(PAGES), ids=lambda page: page.parent.name)
def test_every_picture_is_shown_and_none_is_left_over(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    pictures = {path.name for path in page.parent.glob("*.png")}
    assert pictures == {command.picture for command in commands(page)}
    assert all(f"]({name})" in text for name in pictures)


def test_the_pictures_are_small() -> None:
    sizes = [path.stat().st_size for page in PAGES for path in page.parent.glob("*.png")]
    assert 0 < sum(sizes) < MOST_BYTES
