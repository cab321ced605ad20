"""Every code: a proposal that triggers it and one beside it that does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import parse_size
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import UsageError
from aptdither.findings import Finding, Selection, Severity
from aptdither.planning.plan import make_plan
from aptdither.review.reviewer import Reviewer, ReviewOptions
from aptdither.review.rules import (
    GROUP_RULES,
    PLANNING_RULES,
    PROGRAM_RULES,
    RULES,
    VISIT_RULES,
    rule_of,
    rules_as_markdown,
)
from tests.made import box_pattern, exposure, group, proposal, visit

#: Said by ``apply`` alone.
BY_APPLY = {"ADT401", "ADT408", "ADT409", "ADT410"}

BOX = (("0", "0"), ("0.542", "0.182"), ("0.339", "0.485"), ("-0.203", "0.303"))
LINE = (("0", "0"), ("0.474", "0.424"))
LINE_3PT = (("0", "0"), ("0.451", "0.403"), ("0.902", "0.806"))
GO_13417 = (
    ("0.00000", "0.00000"),
    ("0.61181", "-0.00001"),
    ("0.30681", "0.27324"),
    ("0.91864", "0.27326"),
    ("0.00178", "0.54654"),
    ("0.61365", "0.54653"),
    ("0.30862", "0.81985"),
    ("0.92052", "0.81987"),
)
IN_PATTERN = ' Type="Pattern" Pattern="1"'
REVIEWER = Reviewer()


def review(made: bytes, *, size: str | None = None) -> tuple[Finding, ...]:
    reviewer = REVIEWER
    if size is not None:
        reviewer = Reviewer(ReviewOptions(size=parse_size(size)))
    return reviewer.review(parse_proposal(made)).findings


def codes(made: bytes, *, size: str | None = None) -> set[str]:
    return {finding.code for finding in review(made, size=size)}


def dithered(
    points: Sequence[tuple[str, str]], *, element: str = "F160W", visits: int = 1
) -> bytes:
    """Return a proposal with one exposure at each POS TARG, in each of its visits."""
    exposures = [exposure(i, element=element, postarg=p) for i, p in enumerate(points, 1)]
    return proposal(*(visit(*exposures, number=f"{k:02}") for k in range(1, visits + 1)))


def pattern(kind: str, points: int, spacing: float, angle: float, **sides: float) -> str:
    """Return an APT pattern of number 1."""
    return (
        f"<Pattern><Number>1</Number><PatternType>{kind}</PatternType>"
        f"<NumberOfPoints>{points}</NumberOfPoints><PointSpacing>{spacing}</PointSpacing>"
        f"<Orientation>{angle}</Orientation><CenterPattern>false</CenterPattern>"
        + "".join(f"<{key}>{value}</{key}>" for key, value in sides.items())
        + "</Pattern>"
    )


def on_uvis(*pos_targs: tuple[str, str], **parameters: str) -> bytes:
    """Return a proposal with a full-frame UVIS exposure at each POS TARG."""
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in parameters.items())
    exposures = [
        exposure(i, config="WFC3/UVIS", aperture="UVIS", element="F606W", postarg=at)
        for i, at in enumerate(pos_targs, 1)
    ]
    made = proposal(visit(*exposures)).decode()
    return made.replace(
        "<SubExposures>", f"<InstrumentParameters{written} />\n<SubExposures>"
    ).encode()


def in_pattern(*exposures: str, made: str = "") -> bytes:
    """Return a proposal whose exposures run an APT pattern, the stock box."""
    return proposal(visit(group(*exposures, attributes=IN_PATTERN)), patterns=made or box_pattern())


def crossed() -> bytes:
    """Return LINE x BOX-MIN as it was observed in GOODS-N: eight exposures, four phases."""
    sums = [
        (f"{float(a) + float(x):.3f}", f"{float(b) + float(y):.3f}")
        for a, b in LINE
        for x, y in BOX
    ]
    return dithered(sums, element="F105W")


def applied(tag: str = "@dither n=4 pattern=tight-4", element: str = "F160W") -> bytes:
    """Return what ``apply`` makes of one tagged exposure, its orbit plan brought up to date."""
    before = proposal(visit(exposure(1, comments=tag, element=element)))
    parsed = parse_proposal(before)
    after = rewrite_proposal(parsed, make_plan(parsed).changes)
    return after.replace(b"TicDataCurrent>false", b"TicDataCurrent>true")


def shifted(made: bytes) -> bytes:
    """Return the proposal with its second POS TARG moved by hand."""
    found = list(re.finditer(rb'<PosTarg\s+X="([^"]*)"', made))[1]
    return made[: found.start(1)] + b"0.777" + made[found.end(1) :]


TRIGGERS = {
    "ADT101": proposal(visit(exposure(1, comments="@dither size=huge"), exposure(2))),
    "ADT102": proposal(visit(exposure(1, comments="please @dither this"))),
    "ADT103": in_pattern(exposure(1, comments="@dither n=4")),
    "ADT104": proposal(visit(exposure(1, postarg=("0.1 arcsec", "0")), exposure(2))),
    "ADT105": proposal(visit(exposure(1), exposure(2, same="7"))),
    "ADT106": proposal(visit(exposure(1), exposure(1, element="F125W"))),
    "ADT107": proposal(visit(exposure(1, comments="@dither"))),
    "ADT108": in_pattern(exposure(1), made=pattern("SPIRAL", 5, 0.5, 10)),
    "ADT109": proposal(visit(exposure(1, comments="@dither n=4"))),
    "ADT110": applied().replace(b"@dither n=4 pattern=tight-4", b"@dither n=6"),
    "ADT201": crossed(),
    "ADT202": dithered(LINE, element="F125W"),
    "ADT203": dithered(LINE, element="F098M"),
    "ADT204": dithered(LINE_3PT),
    "ADT205": proposal(visit(exposure(1, iterations=4))),
    "ADT206": dithered(BOX, visits=2),
    "ADT209": dithered(BOX, element="F125W"),
    "ADT207": on_uvis(*LINE),
    "ADT208": on_uvis(*BOX, BIN="2"),
    "ADT301": dithered((("0", "0"), ("0.068", "0.061"))),
    "ADT302": dithered(BOX),
    "ADT303": dithered((("-40", "0"), ("40", "20"), ("-40", "-80"), ("40", "60"))),
    "ADT304": dithered((("0", "0"), ("95", "0"))),
    "ADT305": proposal(
        visit(*(exposure(i, postarg=p, orbits=(1 + i // 3,)) for i, p in enumerate(BOX, 1)))
    ),
    "ADT306": applied("@dither n=4 size=125arcsec pattern=wide-4"),
    "ADT307": dithered((("200", "0"), ("200.474", "0.424"))),
    "ADT308": on_uvis(("0", "0"), ("0", "-12")),
    "ADT402": proposal(
        visit(
            exposure(1, postarg=BOX[0]),
            exposure(2, postarg=BOX[1]),
            exposure(3, postarg=BOX[2]),
            exposure(4, postarg=BOX[3], same="1"),
        )
    ),
    "ADT403": in_pattern(exposure(1), exposure(2, postarg=("0.2", "0.1"))),
    "ADT404": proposal(visit(exposure(1), exposure(2, element="G141"))),
    "ADT405": proposal(visit(exposure(1)).replace("Current>true", "Current>false")),
    "ADT406": shifted(applied()),
    "ADT407": applied().replace(b"@dither n=4 pattern=tight-4\n", b""),
}

QUIET = {
    "ADT101": proposal(visit(exposure(1, comments="@dither size=full"), exposure(2))),
    "ADT102": proposal(visit(exposure(1, comments="dither n. this, and @ditherings too"))),
    "ADT103": proposal(visit(group(exposure(1, comments="@dither n=4")))),
    "ADT104": proposal(visit(exposure(1, postarg=("+.1e0", "0")), exposure(2))),
    "ADT105": proposal(visit(exposure(1), exposure(2, same="1"))),
    "ADT106": proposal(visit(exposure(1)), visit(exposure(1), number="02")),
    "ADT107": proposal(visit(group(exposure(1, comments="@dither"), exposure(2)))),
    "ADT108": in_pattern(exposure(1), made=pattern("LINE", 5, 0.5, 10)),
    "ADT109": applied(),
    "ADT110": applied(),
    "ADT201": dithered(GO_13417, element="F125W"),
    "ADT202": dithered(BOX, element="F125W"),
    "ADT203": dithered(LINE, element="F160W"),
    "ADT204": dithered(BOX),
    "ADT205": dithered(BOX),
    "ADT206": proposal(
        visit(*(exposure(i, postarg=p) for i, p in enumerate(BOX, 1))),
        visit(exposure(1, postarg=("0.03", "0.03")), number="02"),
    ),
    "ADT209": applied("@dither n=9 pattern=tight-9", element="F125W"),
    "ADT207": on_uvis(*LINE, CR_SPLIT="2"),
    "ADT208": on_uvis(*BOX, BIN="NONE"),
    "ADT301": dithered(BOX),
    "ADT302": applied(),
    "ADT303": dithered((("-30", "0"), ("30", "0"), ("0", "40"))),
    "ADT304": dithered((("-45", "0"), ("44", "0"))),
    "ADT305": proposal(
        visit(
            *(exposure(i, postarg=p) for i, p in enumerate(BOX, 1)),
            *(exposure(i, postarg=p, orbits=(2,)) for i, p in enumerate(BOX, 5)),
        )
    ),
    "ADT306": applied("@dither n=4 size=60arcsec pattern=wide-4"),
    "ADT307": dithered((("40", "0"), ("40.474", "0.424"))),
    "ADT308": on_uvis(*BOX),
    "ADT402": proposal(
        visit(
            *(
                one
                for i, p in enumerate(BOX)
                for one in (
                    exposure(2 * i + 1, postarg=p),
                    exposure(2 * i + 2, element="F125W", same=str(2 * i + 1)),
                )
            )
        )
    ),
    "ADT403": in_pattern(
        exposure(1, postarg=("20", "-5")), exposure(2, element="F125W", postarg=("20", "-5"))
    ),
    "ADT404": proposal(
        visit(exposure(1, aperture="GRISM1024"), exposure(2, element="G141", aperture="GRISM1024"))
    ),
    "ADT405": proposal(
        visit(exposure(1), status="completed").replace("Current>true", "Current>false")
    ),
    "ADT406": applied(),
    "ADT407": applied(),
}


def test_every_code_has_both_tests() -> None:
    assert set(TRIGGERS) == set(QUIET) == set(RULES) - BY_APPLY


@pytest.mark.parametrize("code", TRIGGERS)
def test_triggers(code: str) -> None:
    found = [finding for finding in review(TRIGGERS[code]) if finding.code == code]
    assert found
    for finding in found:
        assert finding.severity is RULES[code].severity
        assert finding.visit == "01"
        assert finding.line is not None
        line = TRIGGERS[code].splitlines()[finding.line - 1]
        assert line.startswith((b"<Exposure ", b"<Visit "))
        assert "\n" not in finding.message


@pytest.mark.parametrize("code", QUIET)
def test_is_quiet(code: str) -> None:
    assert code not in codes(QUIET[code])


# What the messages say ---------------------------------------------------------------------------


def message(made: bytes, code: str) -> str:
    (finding,) = [finding for finding in review(made) if finding.code == code]
    return finding.message


def test_line_times_box_has_four_phases_in_eight_exposures() -> None:
    said = message(crossed(), "ADT201")
    assert said.startswith("8 exposures of IR F105W have only 4 distinct phases")
    assert "1 and 8 (" in said
    assert "tight-8 has 0.9" in said


def test_repeated_phases_say_what_is_lost_and_at_which_signal() -> None:
    said = message(crossed(), "ADT201")
    assert re.search(
        r"In [1-9][0-9]?% of the band more aliases overlap than there are phases", said
    )
    assert "at S/N 10" in said


def test_cosmic_rays_are_rejected_by_three_pointings_or_splits() -> None:
    assert "CR-SPLIT=2) or 3 pointings" in message(on_uvis(*LINE), "ADT207")
    assert "CR-SPLIT=NO and more pointings" in message(on_uvis(*BOX, CR_SPLIT="2"), "ADT207")
    for made in (on_uvis(*BOX), on_uvis(*BOX, CR_SPLIT="NO"), dithered(LINE)):
        assert "ADT207" not in codes(made)


def test_go_13417_is_good_at_the_center_and_crowded_in_the_corner() -> None:
    """Figure 5 of the ISR: in the lower-left corner the sampling is much denser at one side."""
    said = message(dithered(GO_13417, element="F125W"), "ADT204")
    assert "at the target 1.000" in said
    assert re.search(r"at pixel \(\d, \d\), where", said)  # what every exposure sees
    assert "0.06 of the theoretical maximum" in said
    below = message(dithered(GO_13417, element="F125W"), "ADT202")
    assert "0.95" in below
    assert "tight-8 has 0.99" in below


def test_the_stock_box_is_hard_to_improve_on() -> None:
    """The ISR says so; what is left is a note about blobs, which a tag would silence."""
    for element in ("F125W", "F140W", "F160W"):
        assert codes(dithered(BOX, element=element)) - {"ADT203", "ADT209"} == {"ADT302"}


def test_three_point_line_loses_coherence() -> None:
    said = message(dithered(LINE_3PT), "ADT204")
    assert "over 9." in said
    assert "at pixel (" in said


def test_the_region_decides() -> None:
    made = dithered(GO_13417, element="F125W")
    assert {"ADT202", "ADT204"} <= codes(made)
    assert not {"ADT202", "ADT204"} & codes(made, size="10arcsec")
    assert "ADT302" in codes(made, size="10arcsec")


def test_a_tags_own_size_comes_before_the_option() -> None:
    made = applied("@dither n=4 size=10arcsec pattern=3d-hst", "F140W")
    assert not {"ADT202", "ADT204"} & codes(made, size="full")


def test_what_apply_makes_is_fine() -> None:
    for n in range(2, 10):
        assert codes(applied(f"@dither n={n} pattern=tight-{n}")) <= {"ADT203", "ADT209"}


def test_iterations_are_named() -> None:
    said = message(proposal(visit(exposure(1, iterations=4), exposure(2))), "ADT205")
    assert said.startswith("all 5 exposures of IR F160W are at one pointing")
    assert "exposure 1 by 4" in said
    assert "tight-5" in said


def test_same_pos_as_and_a_pos_targ_of_its_own() -> None:
    made = proposal(visit(exposure(1), exposure(2, postarg=("0.474", "0.424"), same="1")))
    said = message(made, "ADT402")
    assert "SamePosAs 1 overrides the POS TARG (0.474, 0.424)" in said
    assert "have 1 pointing" in said


@pytest.mark.parametrize("before", [(), BOX[1:3]])
def test_same_pos_as_alone_repeats_a_pointing(before: tuple[tuple[str, str], ...]) -> None:
    """It may be meant: a warning, whether or not other exposures are dithered."""
    others = [exposure(i, postarg=p) for i, p in enumerate(before, 3)]
    made = proposal(visit(exposure(1), exposure(2, same="1"), *others))
    assert "ADT205" in codes(made)
    assert "ADT402" not in codes(made)


def test_origin_of_the_grism_in_arcsec() -> None:
    assert "65 pixels (8.8 arcsec)" in message(TRIGGERS["ADT404"], "ADT404")


def test_followers_have_no_origin_and_no_pos_targ_of_their_own() -> None:
    """SamePosAs: the telescope does not move, whatever the aperture and the pattern."""
    grism = proposal(visit(exposure(1), exposure(2, element="G141", same="1")))
    assert "ADT404" not in codes(grism)
    placed = exposure(1, postarg=("20", "-5"))
    assert "ADT403" not in codes(in_pattern(placed, exposure(2, same="1")))


def test_receipt_says_where_it_should_be() -> None:
    said = message(TRIGGERS["ADT406"], "ADT406")
    assert "point 2 of 4 of tight-4" in said
    assert "has (0.777" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            (b"@dithered 3/4", b"@dithered 2/4"),
            "several exposures are the same point of the pattern: exposures 2, 3",
        ),
        (
            (b"@dithered 3/4", b"@dithered 3/5"),
            "its receipt says 5 points of tight-4, those of the other",
        ),
    ],
)
def test_receipts_that_contradict(change: tuple[bytes, bytes], said: str) -> None:
    made = applied()
    assert change[0] in made
    # A copy that follows nothing is refused by the tag's own rules; here they are plain exposures.
    found = review(made.replace(b" copy<", b"<").replace(*change))
    assert any(finding.code == "ADT406" and said in finding.message for finding in found)


def test_another_versions_catalogue_is_not_held_against_a_file() -> None:
    made = re.sub(rb"aptdither=\S+?([ <\n])", rb"aptdither=0.0.1\1", applied())
    moved = re.sub(rb'(<PosTarg\s+X=)"([^"]*)"', rb'\1"9\2"', made)
    assert "ADT406" not in codes(moved)
    assert "ADT406" in codes(shifted(made))


def test_tiles_of_a_mosaic_are_dithers_of_their_own() -> None:
    far = [(f"{70 + float(x):.3f}", y) for x, y in BOX]
    found = codes(dithered([*BOX, *far]))
    assert not found & {"ADT201", "ADT202", "ADT204", "ADT205"}


def test_more_than_nine_may_repeat_phases_but_not_places() -> None:
    """16 exposures as two clusters of 8, stepped apart: nothing to say; on one another: said."""
    twice = applied("@dither n=8 pattern=tight-8")
    assert codes(twice) == set()
    parsed = parse_proposal(proposal(visit(exposure(1, comments="@dither n=16"))))
    clusters = rewrite_proposal(parsed, make_plan(parsed).changes)
    assert codes(clusters) == {"ADT405"}
    points = [
        (f"{x:.3f}", f"{y:.3f}")
        for x, y in ((p.pos_targ.x_arcsec, p.pos_targ.y_arcsec) for p in _shots(twice))
    ]
    assert "ADT205" in codes(dithered([*points, *points]))


def _shots(made: bytes):  # type: ignore[no-untyped-def]
    return REVIEWER.review(parse_proposal(made)).groups[0].exposures.pointings


def test_nothing_about_other_instruments(apt_dir: Path) -> None:
    assert review((apt_dir / "go-15490.apt").read_bytes()) == ()


def test_a_real_proposal_with_exposures_of_the_sbc(apt_dir: Path) -> None:
    """Two and three iterations at one POS TARG: the far ultraviolet is beyond what they sample."""
    findings = review((apt_dir / "go-13012.apt").read_bytes())
    assert {finding.visit for finding in findings} == {"04"}
    assert [finding.code for finding in findings] == ["ADT203", "ADT205"] * 2


def test_made_by_hand(apt_dir: Path) -> None:
    made = (apt_dir / "made-by-hand.apt").read_bytes()
    assert codes(made) == {"ADT202", "ADT204", "ADT302"}


def test_a_set_is_judged_once() -> None:
    reviewer = Reviewer()
    made = parse_proposal(dithered(BOX))
    first, second = (reviewer.review(made).groups[0].coverage for _ in range(2))
    assert first is second


def test_memory_of_a_long_run_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aptdither.planning.evaluation.CACHE_SIZE", 3)
    reviewer = Reviewer()
    most = 0
    for number in range(10):
        reviewer.review(parse_proposal(dithered((("0", "0"), ("0.5", f"0.{number}")))))
        most = max(most, len(reviewer.evaluator.cache))
    assert most == 3


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(-2000, 2000), st.integers(-2000, 2000)), min_size=1, max_size=6),
    st.sampled_from(["F098M", "F160W", "G141"]),
)
def test_any_pos_targs_are_judged(points: list[tuple[int, int]], element: str) -> None:
    """Whatever the offsets, the rules say something or nothing, and never fail."""
    made = dithered([(f"{x / 100}", f"{y / 100}") for x, y in points], element=element)
    found = review(made)
    assert len(points) == 1 or found
    assert codes(made) <= set(RULES)


# The registry ------------------------------------------------------------------------------------


def test_registry_is_whole() -> None:
    for code, rule in RULES.items():
        assert re.fullmatch(r"ADT[1-4]\d\d", code)
        assert rule.code == code
        assert rule.title
        assert len(rule.explanation) > 80
        assert rule.source
        assert not rule.title.endswith(".")
    assert list(RULES) == sorted(RULES)


def test_severities() -> None:
    """What cannot have been meant is an error; what is merely poor, or done on purpose, is not."""
    errors = {code for code, rule in RULES.items() if rule.severity is Severity.ERROR}
    assert errors == {
        "ADT101",
        "ADT103",
        "ADT104",
        "ADT105",
        "ADT106",
        "ADT306",
        "ADT402",
        "ADT406",
    }


def test_check_foresees_refusals_that_need_a_pattern() -> None:
    """A spacing that moves the target off a subarray: apply refuses, and check says so before."""
    tags = ("@dither spacing=40pix size=3arcsec", "@dither size=3arcsec")
    far, near = (
        proposal(visit(group(*(exposure(i, aperture="IRSUB64", comments=tag) for i in (1, 2)))))
        for tag in tags
    )
    (refused,) = (finding for finding in review(far) if finding.code == "ADT103")
    assert refused.severity is Severity.ERROR
    assert "(ADT306)" in refused.message
    assert "a spacing of at most" in refused.message
    assert "ADT103" not in codes(near)


def test_check_plans_nothing_where_no_tag_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("check made a plan")

    monkeypatch.setattr("aptdither.review.reviewer.make_plan", forbidden)
    for made in (dithered(BOX), applied()):
        assert "ADT103" not in codes(made)


def test_every_code_has_one_rule() -> None:
    """One registration per code, and its function or the name of a constant beside it."""
    package = Path(__file__).parents[1] / "aptdither"
    registered = [
        code
        for path in package.rglob("*.py")
        for code in re.findall(
            r'\n(?:@(?:of_\w+|among)\((?:\s*GROUP_RULES,)?|\w+ = Rule\()\s*(?:code=)?"(ADT\d{3})"',
            path.read_text(encoding="utf-8"),
        )
    ]
    assert sorted(registered) == list(RULES)
    rules = (*VISIT_RULES, *GROUP_RULES, *PROGRAM_RULES, *PLANNING_RULES)
    assert sorted(rule.code for rule in rules) == list(RULES)
    by_planning = {rule.code for rule in PLANNING_RULES}
    assert by_planning == BY_APPLY
    functions = [rule.check for code, rule in RULES.items() if code not in by_planning]
    assert len(set(functions)) == len(functions)


def test_readme_has_the_table_of_codes() -> None:
    """Regenerate it with ``aptdither check --codes``."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    _, _, after = readme.partition("<!-- codes -->")
    table, _, _ = after.partition("<!-- end of codes -->")
    assert table.strip() == rules_as_markdown().strip()


def test_selection_by_prefix_and_the_longest_decides() -> None:
    chosen = Selection.of(["adt2,ADT301"], ["ADT20", "ADT202"], RULES)
    assert [code for code in RULES if code in chosen] == ["ADT301"]
    assert "ADT202" in Selection.of(["ADT202"], ["ADT2"], RULES)
    assert "ADT202" not in Selection.of(["ADT202"], ["ADT202"], RULES)
    assert all(code in Selection() for code in RULES)


def test_unknown_codes_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="no code begins with 'ADT9'"):
        Selection.of(["ADT9"], [], RULES)
    with pytest.raises(UsageError, match="no code 'E501'"):
        rule_of("E501")
