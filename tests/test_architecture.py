"""The direction of imports, and who may know which package."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import aptdither

PACKAGE = Path(aptdither.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

#: The floors, ground first: a room imports from its own wing's earlier rooms and from lower floors.
FLOORS = (
    ("version", "errors", "findings", "types"),
    ("apt", "optics", "io"),
    ("dither",),
    ("planning",),
    ("review",),
    ("report",),
    ("cli",),
)
FLOOR_OF = {wing: level for level, wings in enumerate(FLOORS) for wing in wings}

#: Packages that only some wings may know.
ONLY_IN = {
    "typer": {"cli"},
    "rich": {"cli", "report"},
    "lxml": {"apt"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "markupsafe": {"report"},
    "astropy": {"optics", "dither", "report"},
    "distributed": {"cli"},
}

#: Wings of one floor that never meet.
STRANGERS = ({"apt", "optics"},)


def wing_of(module: Path) -> str:
    """Return the wing (top folder or room) of a module; "" for the package's face."""
    first = module.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py").replace("__init__", "").replace("__main__", "cli")


def imports(module: Path) -> Iterator[tuple[str, bool]]:
    """Yield what a module imports, and whether it does so when it is itself imported."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    top = set(ast.iter_child_nodes(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                name = node.module or ""
                # "from aptdither.optics import aperture" names a room as well.
                is_room = (PACKAGE.parent / f"{name}.{alias.name}".replace(".", "/")).with_suffix(
                    ".py"
                )
                yield (f"{name}.{alias.name}" if is_room.exists() else name), node in top


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_imports_point_down(module: Path) -> None:
    wing = wing_of(module)
    if not wing:
        return
    for name, _ in imports(module):
        first, _, rest = name.partition(".")
        assert wing in ONLY_IN.get(first, {wing}), f"{module} must not know {first}"
        if first != "aptdither" or not rest:
            continue
        other = rest.split(".")[0]
        if other == wing:
            continue
        assert FLOOR_OF[other] <= FLOOR_OF[wing], f"{module} reaches up to {rest}"
        assert {wing, other} not in STRANGERS, f"{module} must not meet {rest}"


#: Packages whose functions compute what a report shows: it gets their results.
COMPUTING = (
    "aptdither.dither.coverage",
    "aptdither.dither.pointing_errors",
    "aptdither.dither.bounds",
    "aptdither.dither.optimizer",
    "aptdither.planning",
)


@pytest.mark.parametrize(
    "module", sorted((PACKAGE / "report").rglob("*.py")), ids=lambda m: str(m.relative_to(PACKAGE))
)
def test_a_report_computes_nothing(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(COMPUTING):
            continue
        for alias in node.names:
            imported = getattr(importlib.import_module(node.module or ""), alias.name)
            is_value = isinstance(imported, type) or not callable(imported)
            assert is_value, f"{module} imports {alias.name} of {node.module}"


def test_every_wing_has_a_floor() -> None:
    assert {wing_of(module) for module in MODULES} - {""} <= set(FLOOR_OF)


def test_no_circles() -> None:
    names = {
        ".".join(("aptdither", *m.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): m
        for m in MODULES
    }
    graph = {
        name: {other for other, _ in imports(module) if other in names and other != name}
        for name, module in names.items()
    }
    while graph:
        free = [name for name, others in graph.items() if not others & graph.keys()]
        assert free, f"rooms that import each other: {sorted(graph)}"
        for name in free:
            del graph[name]


def test_help_needs_no_heavy_package() -> None:
    """The command line imports numpy, lxml and astropy inside its commands alone."""
    for module in MODULES:
        if wing_of(module) in ("cli", "", "errors", "findings"):
            heavy = {name.split(".")[0] for name, at_import in imports(module) if at_import} & {
                "numpy",
                "lxml",
                "astropy",
                "matplotlib",
                "rich",
            }
            assert not heavy, f"{module} imports {heavy} when it is imported"
