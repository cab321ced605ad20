"""The direction of imports, who may use which package, and the size and spelling of modules."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import aptdither

PACKAGE = Path(aptdither.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Modules beside the subpackages. Everything may import them; they import each other only.
BASE = {"errors", "findings", "types", "version"}

#: What each subpackage may import, beside itself and :data:`BASE`.
MAY_IMPORT = {
    "apt": set(),
    "io": {"apt"},
    "optics": {"io"},
    "dither": {"io", "optics"},
    "planning": {"apt", "optics", "dither"},
    "review": {"apt", "optics", "dither", "planning"},
    "report": {"apt", "io", "optics", "dither", "planning", "review"},
    "cli": {"apt", "io", "optics", "dither", "planning", "review", "report"},
}

#: Third-party packages, and the subpackages that may import them.
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

#: Lines of a module at most.
MAX_LINES = 450

#: British spellings, as regular expressions of what follows a non-letter.
BRITISH = (
    "centr(e[ds]?|ing)",
    "colour\\w*",
    "catalogue\\w*",
    "neighbour\\w*",
    "programmes?",
    "licences?",
    "(mis)?behaviour\\w*",
    "(favour|honour|flavour|labour|rumour|harbour|vapour|odour)\\w*",
    "artefacts?",
    "(label|model|travel|cancel|signal|channel|level)l(ed|ing|er)",
    "(milli|kilo|centi|nano)?metres?",
    "fibres?",
    "grey(s|ed|ing|scale)?",
    "analys(e[ds]?|ing)",
    "catalys(e[ds]?|ing)",
    "(real|recogn|normal|optim|minim|maxim|summar|organ|character|general|initial)is(e[ds]?|ing)",
    "(special|emphas|visual|util|final|serial|random|synchron|sanit|discret|priorit)is(e[ds]?|ing)",
    "(optim|normal|organ|initial|visual|discret)isations?",
    "(judge|acknowledge)ments?",
    "(defence|offence|pretence)s?",
    "(whilst|amongst|towards|afterwards)",
)


def subpackage_of(module: Path) -> str:
    """Return the subpackage or base module of a file; "" for the package's own names."""
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
                # "from aptdither.optics import aperture" names a module as well.
                path = (PACKAGE.parent / f"{name}.{alias.name}".replace(".", "/")).with_suffix(
                    ".py"
                )
                yield (f"{name}.{alias.name}" if path.exists() else name), node in top


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_imports_point_down(module: Path) -> None:
    here = subpackage_of(module)
    if not here:
        return
    for name, _ in imports(module):
        first, _, rest = name.partition(".")
        assert here in ONLY_IN.get(first, {here}), f"{module} must not import {first}"
        if first == "aptdither" and rest:
            allowed = MAY_IMPORT.get(here, set()) | BASE | {here}
            assert rest.split(".")[0] in allowed, f"{module} must not import {rest}"


def test_the_package_holds_its_subpackages_and_four_modules() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(MAY_IMPORT)
    assert {path.stem for path in PACKAGE.glob("*.py")} == BASE | {"__init__", "__main__"}


def test_the_readme_draws_each_part_above_what_it_imports() -> None:
    picture = ROOT.joinpath("README.md").read_text("utf-8").split("## How it is built")[1]
    drawn = re.findall(r"^│ (\w+) ", picture, re.MULTILINE)
    assert drawn == list(dict.fromkeys(drawn))
    assert set(drawn) == set(MAY_IMPORT)
    for part, others in MAY_IMPORT.items():
        assert all(drawn.index(part) < drawn.index(other) for other in others)


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


def test_no_circular_imports() -> None:
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
        assert free, f"modules that import each other: {sorted(graph)}"
        for name in free:
            del graph[name]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_private_names_stay_in_their_module(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in froms if (node.module or "").split(".")[0] == "aptdither"]
    taken = {alias.name for node in ours for alias in node.names if is_private(alias.name)}
    # "from aptdither.optics import aperture" and then "aperture._private".
    modules = {
        alias.asname or alias.name
        for node in ours
        for alias in node.names
        if (PACKAGE.parent / str(node.module).replace(".", "/") / f"{alias.name}.py").exists()
    }
    taken |= {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and is_private(node.attr)
    }
    assert not taken, f"{module} uses private names of other modules"


def is_private(name: str) -> bool:
    """Return whether a name is private to its module."""
    return name.startswith("_") and not name.startswith("__")


def test_no_module_is_long() -> None:
    lines = {
        module.relative_to(PACKAGE).as_posix(): module.read_text(encoding="utf-8").count("\n")
        for module in MODULES
    }
    assert not {name: count for name, count in lines.items() if count > MAX_LINES}


def test_help_needs_no_heavy_package() -> None:
    """The command line imports numpy, lxml and astropy inside its commands alone."""
    for module in MODULES:
        if subpackage_of(module) in ("cli", "", "errors", "findings"):
            heavy = {name.split(".")[0] for name, at_import in imports(module) if at_import} & {
                "numpy",
                "lxml",
                "astropy",
                "matplotlib",
                "rich",
            }
            assert not heavy, f"{module} imports {heavy} when it is imported"


def british(text: str) -> list[str]:
    """Return the British spellings of a text."""
    return [
        match[0] for match in re.finditer(rf"(?i)(?<![a-z])(?:{'|'.join(BRITISH)})(?![a-z])", text)
    ]


def test_british_spellings_are_seen() -> None:
    for word in (
        "centre",
        "Colours",
        "catalogues",
        "neighbouring",
        "no_colour",
        "analysed",
        "grey",
    ):
        assert british(f"a {word}, and"), word
    for word in (
        "center",
        "color",
        "catalog",
        "neighbor",
        "precise",
        "raised",
        "phase",
        "parallel",
    ):
        assert not british(f"a {word}, and"), word


def test_spelling_is_american() -> None:
    texts = [
        *(path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".md", ".css", ".j2"}),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ]
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if british(line)
    ]
    assert not wrong, "\n".join(wrong)
