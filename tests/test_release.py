"""What a release says of itself: one version, one list of requirements, a recipe that is read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from aptdither import __version__

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / ".ci" / "conda" / "recipe.yaml"


def test_one_version() -> None:
    assert f'version: "{__version__}"' in RECIPE.read_text("utf-8")
    assert re.search(rf"^version: {re.escape(__version__)}$", _text("CITATION.cff"), re.MULTILINE)
    assert re.search(
        rf"^## \[({re.escape(__version__)}|Unreleased)\]", _text("CHANGELOG.md"), re.MULTILINE
    )


def test_recipe_requires_what_the_package_requires() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    run = RECIPE.read_text("utf-8").split("  run:")[1].split("tests:")[0]
    required = {line.strip("- ").replace(" ", "") for line in run.strip().splitlines()}
    expected = {f"python{project['requires-python']}", *project["dependencies"]}
    # conda-forge's astropy brings matplotlib and more; astropy-base is the package itself.
    assert {one.replace("astropy-base", "astropy") for one in required} == expected


def test_recipe_renders() -> None:
    """conda's own reader takes the recipe (nothing is built: that needs conda's channels)."""
    rattler_build = pytest.importorskip("rattler_build")
    recipe = rattler_build.Stage0Recipe.from_file(str(RECIPE))
    (rendered,) = recipe.render(rattler_build.VariantConfig.from_yaml("{}"))
    assert rendered.recipe.package.to_dict()["version"] == __version__


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")
