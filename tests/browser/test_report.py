"""What a reader's browser makes of the report: it fits, it is quiet, and everyone can read it."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aptdither.cli import app
from tests.browser.chromium import Page, browser, find_chromium
from tests.made import exposure, proposal, visit

pytest.importorskip("matplotlib")
PROGRAM = find_chromium()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium")

WIDTHS = (380, 800, 1400)
#: Pixels that text may stick out of its picture: half a letter's shadow.
TOLERANCE = 1.5

HOSTILE = "</style><script>document.title = 'taken'</script><img src=http://127.0.0.1:9/x>"

TEXT_OUTSIDE = """
[...document.querySelectorAll('figure svg')].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const b = text.getBoundingClientRect();
    return b.left < box.left - %(t)f || b.right > box.right + %(t)f
        || b.top < box.top - %(t)f || b.bottom > box.bottom + %(t)f;
  }).map(text => text.textContent);
})
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of a tagged, a hand-dithered, a hostile and an empty proposal."""
    folder = tmp_path_factory.mktemp("reports")
    escaped = HOSTILE.replace("<", "&lt;").replace(">", "&gt;")
    made = {
        "tagged": proposal(
            visit(
                *(exposure(k + 1, element=name) for k, name in enumerate(["F160W", "F105W"] * 2)),
                comments="@dither pattern=WFC3-IR-DITHER-LINE",
            ),
            visit(exposure(1, comments="@dither pattern=WFC3-IR-DITHER-BOX-MIN"), number="02"),
        ),
        "by hand": proposal(
            visit(
                *(
                    exposure(k + 1, postarg=location)
                    for k, location in enumerate([("0", "0"), ("0.474", "0.424"), ("1", "1")])
                )
            )
        ),
        "hostile": proposal(
            visit(exposure(escaped, target=escaped, comments=escaped), number=escaped)
        ),
        "empty": proposal(),
    }
    found = {}
    for name, source in made.items():
        path = folder / f"{name}.apt"
        path.write_bytes(source)
        found[name] = folder / f"{name}.html"
        result = CliRunner().invoke(app, ["report", str(path), "-o", str(found[name])])
        assert result.exit_code == 0, result.output
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM is not None
    with browser(PROGRAM, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("name", ["tagged", "by hand", "hostile", "empty"])
def test_it_renders_quietly_and_fits(page: Page, pages: dict[str, Path], name: str) -> None:
    for width, scheme in zip(WIDTHS, ("light", "light", "dark"), strict=True):
        page.complaints.clear()
        page.requests.clear()
        page.open(pages[name], width=width, scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.complaints == []
        assert all(url.startswith(("file:", "data:")) for url in page.requests)
        assert page.evaluate("document.title") == f"Dithers of {name}.apt"
        assert page.evaluate(TEXT_OUTSIDE % {"t": TOLERANCE}) == []
    is_dark = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(is_dark) == "rgb(20, 22, 26)"


def test_pictures_are_there_and_have_names(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["tagged"], width=1400)
    heights = page.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height)"
    )
    assert len(heights) == 4 * 3 + 3 + 2
    assert min(heights) > 200
    duplicates = page.evaluate(
        "(() => {const seen = {}; document.querySelectorAll('[id]').forEach(e => "
        "{seen[e.id] = (seen[e.id] || 0) + 1}); "
        "return Object.keys(seen).filter(k => seen[k] > 1)})()"
    )
    assert duplicates == []
    dangling = page.evaluate(
        "[...document.querySelectorAll('use')].map(u => u.getAttribute('xlink:href').slice(1))"
        ".filter(id => !document.getElementById(id))"
    )
    assert dangling == []


def test_a_hostile_proposal_does_nothing(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["hostile"], width=1400)
    assert page.evaluate("document.querySelectorAll('script, img, iframe, object').length") == 0
    assert "document.title = 'taken'" in page.evaluate("document.body.innerText")


def test_it_prints(page: Page, pages: dict[str, Path]) -> None:
    page.open(pages["tagged"], width=1400, scheme="dark")
    printed = base64.b64decode(page.send("Page.printToPDF")["data"])
    assert printed.startswith(b"%PDF-")
    page.send("Emulation.setEmulatedMedia", media="print", features=[])
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.send("Emulation.setEmulatedMedia", media="", features=[])
    assert ground == "rgb(255, 255, 255)"


@pytest.mark.skipif("APTDITHER_AXE" not in os.environ, reason="no axe-core (APTDITHER_AXE)")
@pytest.mark.parametrize("name", ["tagged", "by hand", "hostile", "empty"])
def test_axe_finds_nothing(page: Page, pages: dict[str, Path], name: str) -> None:
    axe = Path(os.environ["APTDITHER_AXE"]).read_text(encoding="utf-8")
    for width, scheme in zip(WIDTHS, ("light", "dark", "light"), strict=True):
        page.open(pages[name], width=width, scheme=scheme)
        page.evaluate(axe + "; null")
        violations, passes = page.evaluate(
            "axe.run().then(r => [r.violations.map(v => [v.id, v.help, "
            "v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))]), r.passes.map(p => p.id)])"
        )
        assert violations == []
        assert "color-contrast" in passes
