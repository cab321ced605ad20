from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aptdither.cli import app
from aptdither.report.summary import LEGEND
from tests.made import box_pattern, exposure, group, proposal, visit

pytest.importorskip("matplotlib")

from aptdither.report.html import inline_svg

VOID = {"meta", "link", "br", "img"}
EVIL = "</pre></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\x07\u202e"


class Checked(HTMLParser):
    """Holds a page to what a browser forgives: every element closed, every id once."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "xlink:href"):
                self.links.append(value or "")
            if name == "src":
                self.loads.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report(tmp_path: Path, source: bytes, *words: str) -> str:
    path, out = tmp_path / "in.apt", tmp_path / "out.html"
    path.write_bytes(source)
    result = CliRunner().invoke(app, ["report", str(path), "-o", str(out), "--force", *words])
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    return out.read_text(encoding="utf-8")


TAGGED = proposal(
    visit(
        exposure(1, comments="@dither pattern=WFC3-IR-DITHER-LINE"),
        exposure(2, element="F105W", postarg=("1.5", "-2")),
    )
)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(tmp_path_factory.mktemp("tagged"), TAGGED)


def test_a_page_is_whole_and_stands_alone(tagged: str) -> None:
    page = Checked(tagged)
    assert len(page.ids) == len(set(page.ids))
    assert not {"script", "iframe", "object", "img", "form"} & set(page.tags)
    assert page.loads == []
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert all(link.startswith(("#", "data:,")) for link in page.links)


def test_the_header_tells_the_program_where_the_file_has_it(tmp_path: Path, tagged: str) -> None:
    information = (
        "<ProposalInformation><Title>A &lt;b&gt; cluster</Title>"
        "<PrincipalInvestigator FirstName='An' LastName='Observer'/></ProposalInformation>"
    )
    source = proposal().replace(b"<Patterns>", information.encode() + b"<Patterns>")
    source = source.replace(b"<HSTProposal ", b"<HSTProposal Phase2ID='17999' ")
    header = report(tmp_path, source).partition("<main>")[0]
    assert "A &lt;b&gt; cluster" in header
    assert "PI An Observer" in header
    assert "Program 17999" in header
    assert not re.search("PI |Program ", tagged.partition("<main>")[0])


def test_no_address_is_loaded(tagged: str) -> None:
    page = tagged
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\s\"'<>)]*", page)) <= names
    assert "url(#" in page
    assert re.findall(r"url\((?!#)", page) == []
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_same_proposal_gives_the_same_page(tagged: str, tmp_path: Path) -> None:
    assert report(tmp_path, TAGGED) == tagged


def test_the_page_says_what_apply_writes(tagged: str) -> None:
    page = Checked(tagged).text
    for words in ("0.474", "0.424", "WFC3-IR-DITHER-LINE", "as planned", "1.500", "-2.000"):
        assert words in page, words
    assert "+@dithered 1/2" in page.replace("+ ", "+")
    assert "TicDataCurrent" in page


def test_nothing_of_a_hostile_proposal_is_markup(tmp_path: Path) -> None:
    escaped = EVIL.replace("&amp;", "&amp;amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.replace('"', "&quot;").replace("\x07", "")
    source = proposal(
        visit(
            exposure(escaped, target=escaped, comments=escaped),
            exposure("2", element="F125W", postarg=(escaped, "0")),
            exposure("3", aperture=escaped),
            number=escaped,
            comments=f"@dither {escaped}",
        ),
        visit(exposure(1, comments="@dither n=2 pattern=tight-2"), number=escaped + "2"),
    )
    page = Checked(report(tmp_path, source))
    assert not {"script", "img"} & set(page.tags)
    assert "alert(1)" in page.text
    assert "\u202e" not in page.text


def test_an_untagged_proposal_is_judged_as_it_stands(undrawn: None, tmp_path: Path) -> None:
    places = [("0", "0"), ("0.474", "0.424"), ("0.474", "0.424")]
    source = proposal(visit(*(exposure(k + 1, postarg=p) for k, p in enumerate(places))))
    page = Checked(report(tmp_path, source)).text
    assert "Nothing is tagged" in page
    assert "would not change this file" in page
    assert "ADT" in page


def test_a_malformed_tag_is_one_finding(undrawn: None, tmp_path: Path) -> None:
    text = Checked(report(tmp_path, proposal(visit(exposure(1, comments="@dither sizes=20"))))).text
    assert "Nothing is tagged" not in text
    assert "cannot be applied" in text
    assert text.count("'sizes=20'") == 1
    assert "problem" not in text


def test_findings_stand_with_what_they_are_about(undrawn: None, tmp_path: Path) -> None:
    repeated = [exposure(k + 1, postarg=(f"{k % 2}", "0")) for k in range(4)]
    page = report(
        tmp_path,
        proposal(visit(*repeated), visit(exposure(1), number="02", comments="@dither n=x")),
    )
    number = page.count("<span class=code>")
    assert f"<p>{number} finding" in page
    in_group = page[page.index('id="group-1"') : page.index('id="group-2"')]
    assert 0 < in_group.count("<span class=code>") < number
    assert page.index('id="findings"') < page.index('id="group-1"')


def test_before_stands_beside_after(undrawn: None, tmp_path: Path) -> None:
    made = visit(*(exposure(k + 1) for k in range(2)), comments="@dither pattern=tight-2")
    page = Checked(report(tmp_path, proposal(made))).text
    assert "E worst before" in page
    assert "Before, worst" in page
    assert "Phases before" in page
    assert "What to type" in page


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ([], "any ORIENT; drawn at 0"),
        ([(350, 20)], "drawn at ORIENT 5; dashed: the ends of the allowed 350 to 20"),
        (
            [(10, 10), (50, 60)],
            "drawn at ORIENT 10; dashed: the ends of the allowed 10 to 10 or 50",
        ),
    ],
)
def test_footprints_are_drawn_at_an_orient_that_the_visit_allows(
    ranges: list[tuple[int, int]], words: str, undrawn: None, tmp_path: Path
) -> None:
    orients = "".join(
        f'<Orient><From Degrees="{low}" /><To Degrees="{high}" /></Orient>' for low, high in ranges
    )
    page = Checked(report(tmp_path, proposal(visit(orients, exposure(1))))).text
    assert words in page


def test_figures_are_explained_and_compared_with_what_is_possible(tagged: str) -> None:
    text = Checked(tagged).text
    assert "Possible" in text
    for term, meaning in LEGEND:
        assert term in text
        assert meaning in text


def test_what_is_refused_is_told_and_the_rest_is_shown(undrawn: None, tmp_path: Path) -> None:
    pattern = group(
        exposure(1, comments="@dither", positions=4), attributes=' Type="Pattern" Pattern="1"'
    )
    page = report(tmp_path, proposal(visit(pattern), patterns=box_pattern()))
    text = Checked(page).text
    assert "--replace-patterns" in text
    assert "0.542" in text
    assert page.count("<figure>") == 5


def test_equal_groups_are_drawn_once(undrawn: None, tmp_path: Path) -> None:
    one = visit(exposure(1, comments="@dither pattern=tight-2"))
    two = visit(exposure(1, comments="@dither pattern=tight-2"), number="02")
    page = report(tmp_path, proposal(one, two))
    assert page.count("<figure>") == 6
    assert 'href="#group-1">group 1</a>' in page


def test_a_proposal_without_exposures_says_so(tmp_path: Path) -> None:
    assert "no exposures that can be dithered" in Checked(report(tmp_path, proposal())).text


def test_a_page_is_kept_unless_forced(tmp_path: Path) -> None:
    path, out = tmp_path / "in.apt", tmp_path / "out.html"
    path.write_bytes(proposal())
    out.write_text("mine", encoding="utf-8")
    result = CliRunner().invoke(app, ["report", str(path), "-o", str(out)])
    assert result.exit_code == 2
    assert out.read_text(encoding="utf-8") == "mine"
    same = CliRunner().invoke(app, ["report", str(path), "-o", str(path), "--force"])
    assert same.exit_code == 2
    assert path.read_bytes() == proposal()


def test_a_file_that_is_no_proposal_is_exit_3(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(b"<JwstProposal/>")
    result = CliRunner().invoke(app, ["report", str(path), "-o", str(tmp_path / "o.html")])
    assert result.exit_code == 3


def test_pictures_share_nothing_with_each_other() -> None:
    svg = (
        b'<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg width="1pt" viewBox="0 0 9 9">'
        b"<metadata>made</metadata><defs><style>*{stroke: red}</style></defs>"
        b'<path id="a"/><use xlink:href="#a"/><g clip-path="url(#a)" style="fill: #1a1a1a"/></svg>'
    )
    found = inline_svg(svg, name="g7", title="<t>", description="d & e")
    assert found.startswith('<svg viewBox="0 0 9 9" role="img"')
    assert 'id="g7-a"' in found
    assert '"#g7-a"' in found
    assert "url(#g7-a)" in found
    assert "var(--ink)" in found
    for gone in ("<?xml", "DOCTYPE", "metadata", "<style", "#1a1a1a", "1pt"):
        assert gone not in found
    assert "&lt;t&gt;" in found
    assert "d &amp; e" in found


def test_a_tag_that_is_not_applied_yet_is_no_finding_of_the_page(tagged: str) -> None:
    assert "ADT109" not in tagged
