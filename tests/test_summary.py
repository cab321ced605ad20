"""What a summary says first, what it leaves for later, and how many groups share a page."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from aptdither.apt.reader import parse_proposal
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.options import Options
from aptdither.planning.plan import Plan, make_plan, survey
from aptdither.report.summary import (
    FIGURES,
    LEGEND,
    MANY_LOST,
    PARTLY_RECOVERED,
    RECOVERED,
    SMALL_LOSS,
    blocks,
    findings_of,
    headline,
    numbers_in_words,
)
from aptdither.report.text import print_groups, print_plan
from tests.made import exposure, proposal, visit

BOX = "WFC3-IR-DITHER-BOX-MIN"


def printed(plan: Plan, *, details: bool = False, width: int = 80) -> str:
    file = io.StringIO()
    print_plan(Console(file=file, width=width), plan, path="in.apt", details=details)
    return file.getvalue()


def plan_of(*visits: str) -> Plan:
    return make_plan(parse_proposal(proposal(*visits)))


def as_they_stand(*postargs: tuple[str, str]) -> DitherGroup:
    made = visit(*(exposure(k + 1, postarg=p) for k, p in enumerate(postargs)))
    (group,) = survey(parse_proposal(proposal(made)), Options()).groups
    return group


@pytest.fixture(scope="module")
def two_filters() -> Plan:
    filters = ["F125W", "F160W"] * 4
    return plan_of(
        visit(
            *(exposure(k + 1, element=name) for k, name in enumerate(filters)),
            comments=f"@dither pattern={BOX}",
        )
    )


def test_setups_at_one_pointing_are_one_block_with_a_column_each(two_filters: Plan) -> None:
    (block,) = blocks(two_filters.groups)
    assert [group.element.name for group in block] == ["F125W", "F160W"]
    text = printed(two_filters)
    assert text.count("0.542, 0.182") == 1
    assert re.search(r"^ +3 +4 .*0\.542, 0\.182", text, re.MULTILINE)
    assert text.count("sampling") == 2
    # The picture's numbers are exposures, as in the table's first column.
    assert all(number in text.partition("One pixel")[2] for number in "1357")


def test_several_groups_are_a_line_each_until_details_are_wanted() -> None:
    tag = f"@dither pattern={BOX}"
    plan = plan_of(
        visit(exposure(1, comments=tag)),
        visit(exposure(1, comments=tag, element="F105W"), number="02"),
    )
    text = printed(plan)
    assert "0.542, 0.182" not in text
    assert len(re.findall(r"^0[12] +1-4 +IR F1", text, re.MULTILINE)) == 2
    assert "--details" in text
    long = printed(plan, details=True)
    assert long.count("0.542, 0.182") == 2
    assert "--details" not in long
    for term, meaning in LEGEND:
        assert " ".join(long.split()).count(meaning) == 1, term


def test_every_figure_is_one_option_away(two_filters: Plan) -> None:
    brief, long = printed(two_filters), printed(two_filters, details=True)
    for figure in FIGURES[1:]:
        assert figure.label not in brief
        assert figure.label in long
    assert max(map(len, long.splitlines())) <= 80


def test_old_numbers_and_postargs_have_a_column_where_they_differ() -> None:
    tag = f"@dither pattern={BOX}"
    plain = printed(plan_of(visit(*(exposure(k + 1) for k in range(4)), comments=tag)))
    assert "was" not in plain
    assert "old POS TARG" not in plain
    moved = visit(*(exposure(k + 1, postarg=("1", "1")) for k in range(4)), comments=tag)
    assert "old POS TARG" in printed(plan_of(moved))
    assert re.search(r"pixels +was", printed(plan_of(visit(exposure(1, comments=tag)))))


def test_the_answers_are_sampling_margin_and_limit() -> None:
    good = dict(
        headline(
            as_they_stand(("0", "0"), ("0.542", "0.182"), ("0.339", "0.485"), ("-0.203", "0.303"))
        )
    )
    assert list(good) == ["sampling", "margin", "limit"]
    assert good["sampling"].startswith("the scene is recovered at S/N 10 per exposure: E 0.9")
    assert "unrecoverable" not in good["limit"]
    bad = dict(headline(as_they_stand(("0", "0"), ("0.542", "0.182"))))
    assert "not recovered" in bad["sampling"]
    assert bad["limit"].startswith("the pattern costs 0.")
    assert bad["limit"].endswith("are unrecoverable, which counts at high S/N")


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_not_dithered_has_no_margin(count: int) -> None:
    answers = dict(headline(as_they_stand(*[("0", "0")] * count)))
    assert list(answers) == ["sampling", "limit"]
    assert "nothing is dithered" in answers["limit"]


def test_findings_stand_with_the_group_that_they_are_about(two_filters: Plan) -> None:
    from aptdither.findings import Finding, Severity

    def finding(number: str | None, in_visit: str = "01") -> Finding:
        return Finding(
            code="ADT201", severity=Severity.NOTE, message="", visit=in_visit, exposure=number
        )

    found = [finding("3"), finding("4"), finding(None), finding("3", "02")]
    first, second = two_filters.groups
    assert findings_of(first, found) == found[:1]
    assert findings_of(second, found) == found[1:2]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [(["1", "2", "3"], "1-3"), (["1", "2", "4"], "1,2,4"), (["1", "x", "2"], "1,x,2"), ([], "")],
)
def test_numbers_in_a_row_are_a_range(numbers: list[str], words: str) -> None:
    assert numbers_in_words(numbers) == words


def test_nothing_is_printed_of_no_groups() -> None:
    file = io.StringIO()
    print_groups(Console(file=file), [])
    assert file.getvalue() == ""


def test_the_page_on_numbers_has_the_thresholds_of_the_summary() -> None:
    page = Path(__file__).parents[1].joinpath("docs", "numbers.rst").read_text("utf-8")
    for words in (
        *(
            f"- {least:g}: {least**-0.5 - 1:.0%} more noise"
            for least in (RECOVERED, PARTLY_RECOVERED)
        ),
        f"to {RECOVERED:g} the summary gives the noise",
        f"each costs less than {SMALL_LOSS:g}, it says ``none``",
        f"unrecoverable fraction where it is above {MANY_LOST:g}",
    ):
        assert words in " ".join(page.split())
