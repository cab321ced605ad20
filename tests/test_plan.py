"""From tags to POS TARGs: what apply promises, on proposals that can be read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aptdither.apt.proposal import Proposal
from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import DitherRequest, parse_comments, parse_size
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import AptDitherError, Location
from aptdither.optics.aperture import get_aperture
from aptdither.planning.choice import PatternChooser
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import Plan, make_plan
from aptdither.types import PosTarg, RegionKind
from tests.made import box_pattern, exposure, group, proposal, six, visit

#: A pattern by name needs no search, which keeps these tests quick.
BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
LINE = "pattern=WFC3-IR-DITHER-LINE"
EIGHT = "pattern=go-13417"


def planned(source: bytes, options: Options | None = None) -> tuple[Plan, Proposal]:
    """Return the plan for a proposal and the proposal that comes of it."""
    before = parse_proposal(source)
    plan = make_plan(before, options)
    return plan, parse_proposal(rewrite_proposal(before, plan.changes))


def pos_targs(after: Proposal, visit_index: int = 0) -> list[tuple[float, float] | None]:
    return [
        None if e.pos_targ is None else (e.pos_targ.x_arcsec, e.pos_targ.y_arcsec)
        for e in after.visits[visit_index].exposures
    ]


def tagged(*elements: str, tag: str) -> bytes:
    return proposal(
        visit(
            group(
                *(
                    exposure(i + 1, element=element, comments=tag if i == 0 else "")
                    for i, element in enumerate(elements)
                )
            )
        )
    )


def test_each_exposure_takes_a_point_in_document_order() -> None:
    plan, after = planned(tagged(*["F160W"] * 4, tag=f"@dither {BOX}"))
    assert pos_targs(after) == [(0.0, 0.0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)]
    receipts = [parse_comments(e.comments).receipts[0] for e in after.visits[0].exposures]
    assert [(r.index, r.total, r.pattern, r.made_by) for r in receipts] == [
        (j, 4, "WFC3-IR-DITHER-BOX-MIN", "") for j in (1, 2, 3, 4)
    ]
    assert after.visits[0].tic_data_current == "false"
    (only,) = plan.groups
    assert only.choice.method == "catalog"
    assert only.slew_seconds == 60.0


def test_reported_pixels_are_those_of_what_is_written() -> None:
    plan, _ = planned(tagged(*["F160W"] * 4, tag=f"@dither {BOX}"))
    aperture = get_aperture("IR")
    for point in plan.groups[0].points:
        x, y = aperture.postarg_from_offset(point.dx_pix, point.dy_pix)
        written = point.pos_targ
        np.testing.assert_allclose((x, y), (written.x_arcsec, written.y_arcsec), atol=1e-9)


def test_setups_share_the_pattern_and_alternate_at_one_pointing() -> None:
    plan, after = planned(tagged("F125W", "F160W", "F125W", "F160W", tag=f"@dither {LINE}"))
    assert pos_targs(after) == [(0.0, 0.0), (0.0, 0.0), (0.474, 0.424), (0.474, 0.424)]
    assert [(g.element.name, len(g.points)) for g in plan.groups] == [("F125W", 2), ("F160W", 2)]


def test_direct_and_grism_share_pos_targs_though_not_the_reference_pixel() -> None:
    plan, after = planned(tagged("F140W", "G141", "F140W", "G141", tag=f"@dither {LINE}"))
    assert pos_targs(after)[0::2] == pos_targs(after)[1::2]
    direct, grism = (g.aperture for g in plan.groups)
    assert direct.reference_pix[0] - grism.reference_pix[0] == pytest.approx(65.0)


def test_a_base_is_kept_and_offsets_are_added() -> None:
    source = proposal(
        visit(
            group(
                exposure(1, comments=f"@dither {LINE}", postarg=("1.50000", "-2")),
                exposure(2, same="1"),
            )
        )
    )
    plan, after = planned(source)
    assert pos_targs(after) == [(1.5, -2.0), (1.974, -1.576)]
    assert after.visits[0].exposures[1].same_pos_as is None
    assert plan.groups[0].base == PosTarg(x_arcsec=1.5, y_arcsec=-2.0)
    assert plan.groups[0].points[0].dx_pix == 0.0


def test_a_base_with_many_digits_survives_in_the_receipt() -> None:
    source = proposal(
        visit(exposure(1, comments=f"@dither n=2 {LINE}", postarg=("0.61181", "-0.00001")))
    )
    _, after = planned(source)
    receipt = parse_comments(after.visits[0].exposures[1].comments).receipts[0]
    assert receipt.base.xy_arcsec == (0.61181, -0.00001)
    assert pos_targs(after)[1] == (1.086, 0.424)


def test_one_exposure_is_expanded_in_place_and_references_follow() -> None:
    source = proposal(
        visit(
            exposure(1),
            exposure(2, comments=f"keep me\n@dither n=4 {BOX}"),
            exposure(3, element="G141", same="2"),
            exposure(4, same="1"),
        )
    )
    plan, after = planned(source)
    exposures = after.visits[0].exposures
    assert [e.number for e in exposures] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [e.same_pos_as for e in exposures] == [None, None, None, None, None, "2", "1"]
    assert [e.spectral_element for e in exposures][5] == "G141"
    tags = [parse_comments(e.comments) for e in exposures]
    assert [len(t.tags) for t in tags] == [0, 1, 0, 0, 0, 0, 0]
    assert [t.receipts[0].made_by for t in tags[1:5]] == ["", "copy", "copy", "copy"]
    assert all("keep me" in e.comments for e in exposures[1:5])
    assert [p.number for p in plan.groups[0].points] == ["2", "3", "4", "5"]
    assert [p.was for p in plan.groups[0].points] == ["2", None, None, None]
    assert [f.code for f in plan.findings] == ["ADT401", "ADT410"]


def test_a_multiple_becomes_clusters_stepped_apart() -> None:
    plan, after = planned(tagged(*["F160W"] * 8, tag=f"@dither n=4 {BOX}"))
    (only,) = plan.groups
    assert only.clusters == 2
    points = np.array([(p.dx_pix, p.dy_pix) for p in only.points])
    between = np.hypot(*(points[:4, None] - points[None, 4:]).transpose(2, 0, 1))
    assert between.min() >= 15.0
    # Each cluster is the pattern, to the rounding of a POS TARG.
    np.testing.assert_allclose(points[4:] - points[4], points[:4] - points[0], atol=0.02)
    assert len(set(pos_targs(after))) == 8


@pytest.mark.parametrize(
    ("m", "sizes"), [(9, (9,)), (10, (5, 5)), (16, (8, 8)), (11, (6, 5)), (18, (9, 9))]
)
def test_many_exposures_are_split_into_the_fewest_clusters(
    m: int, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def stop(_chooser: object, asked: tuple[int, ...], _request: object) -> None:
        seen.append(tuple(asked))
        raise AptDitherError("seen")

    monkeypatch.setattr(PatternChooser, "choose", stop)
    with pytest.raises(AptDitherError, match="seen"):
        planned(tagged(*["F160W"] * m, tag="@dither"))
    assert seen == [sizes]


@pytest.mark.parametrize(
    ("m", "words", "message"),
    [
        (5, "n=4", "5 exposures of IR F160W do not fit n=4;"),
        (4, "n=5", "4 exposures of IR F160W do not fit n=5;"),
        (3, BOX, "3 exposures of IR F160W do not fit the 4 points of WFC3-IR-DITHER-BOX-MIN"),
        (6, f"n=6 {BOX}", "has 4 points, and 6 exposures .* no multiple"),
        (2, "pattern=tight-99", "there is no pattern 'tight-99'"),
    ],
)
def test_numbers_that_do_not_fit_are_both_said(m: int, words: str, message: str) -> None:
    with pytest.raises(AptDitherError, match=message) as caught:
        planned(tagged(*["F160W"] * m, tag=f"@dither {words}"))
    assert "visit 01, exposure 1" in str(caught.value)


def test_unknown_aperture_and_element_are_told_together() -> None:
    source = proposal(
        visit(exposure(1, aperture="IRSUB99", comments=f"@dither n=2 {LINE}")),
        visit(exposure(1, element="F814W", comments=f"@dither n=2 {LINE}"), number="02"),
    )
    with pytest.raises(AptDitherError) as caught:
        planned(source)
    first, second = caught.value.lines()
    assert "visit 01" in first
    assert "IRSUB99" in first
    assert "visit 02" in second
    assert "F814W" in second
    assert caught.value.notes() == ("nothing was written",)


def test_visits_whose_tags_are_fine_are_named_beside_the_error() -> None:
    tagged = [exposure(1, comments=f"@dither n=2 {LINE}")]
    source = proposal(
        visit(*tagged),
        visit(exposure(1, comments="@dither n=0\n@dither m=1"), number="02"),
        visit(*tagged, number="03"),
    )
    with pytest.raises(AptDitherError) as caught:
        planned(source)
    error = caught.value.located(Location(path="a.apt"))
    assert len(error.lines()) == 2
    assert error.notes() == ("a.apt: nothing was written; the tags of visits 01, 03 are fine",)


def test_setups_of_different_counts_have_patterns_of_their_own() -> None:
    source = proposal(
        visit(
            group(
                exposure(1, comments="@dither size=point method=catalog spacing=1pix"),
                exposure(2),
                exposure(3, element="F125W"),
            )
        )
    )
    plan, _ = planned(source)
    assert [len(g.points) for g in plan.groups] == [2]  # a single exposure stays as it is
    assert {f.code for f in plan.findings} == {"ADT107"}


def test_a_replaced_pattern_becomes_exposures_with_their_orbits() -> None:
    source = proposal(
        visit(
            group(
                exposure(1, comments=f"@dither {BOX}", positions=4),
                attributes=' Type="Pattern" Pattern="1"',
            ),
            exposure(2),
        ),
        patterns=box_pattern(),
    )
    options = Options(sets=SetOptions(replace_patterns=True))
    plan, after = planned(source, options)
    exposures = after.visits[0].exposures
    assert [e.number for e in exposures] == ["1", "2", "3", "4", "5"]
    assert [e.orbit_numbers for e in exposures] == [(1,), (2,), (3,), (4,), (1,)]
    assert [p.orbit for p in plan.groups[0].points] == [1, 2, 3, 4]
    assert b"PatternPosition" not in after.document.source
    inside = [groups for _, groups in after.visits[0].walk() if groups]
    assert [g.pattern_number for (g,) in inside] == [None] * 4


def test_split_iterations_become_exposures() -> None:
    source = proposal(visit(exposure(1, comments=f"@dither {BOX}", iterations=4), exposure(2)))
    options = Options(sets=SetOptions(split_iterations=True))
    _, after = planned(source, options)
    assert [e.iterations for e in after.visits[0].exposures] == [1, 1, 1, 1, 1]
    # Dithered again, with or without the option, they are what they are.
    new = rewrite_proposal(parse_proposal(source), planned(source, options)[0].changes)
    again = parse_proposal(new)
    assert rewrite_proposal(again, make_plan(again).changes) == new


def test_the_options_speak_for_silent_tags_only() -> None:
    options = Options(defaults=DitherRequest(pattern="go-13417", size=parse_size("point"), n=4))
    plan, _ = planned(tagged(*["F160W"] * 4, tag=f"@dither {BOX}"), options)
    (only,) = plan.groups
    assert only.choice.name == "WFC3-IR-DITHER-BOX-MIN"
    assert only.region.kind is RegionKind.POINT


def test_nothing_tagged_nothing_planned_and_the_very_same_bytes() -> None:
    source = proposal(visit(exposure(1), group(exposure(2))))
    before = parse_proposal(source)
    plan = make_plan(before)
    assert plan.groups == ()
    assert rewrite_proposal(before, plan.changes) is source


TAGS = [
    pytest.param(six, f"@dither n=2 {LINE}", f"@dither n=3 {LINE.replace('LINE', 'LINE-3PT')}"),
    pytest.param(
        lambda tag: proposal(visit(exposure(1), exposure(2, comments=tag), exposure(3, same="2"))),
        f"@dither n=4 {BOX}",
        f"@dither n=8 {EIGHT}",
    ),
    pytest.param(
        lambda tag: proposal(visit(exposure(1, comments=tag, postarg=("0.1234567", "3")))),
        f"@dither n=8 {EIGHT}",
        f"@dither n=2 {LINE}",
    ),
]


@pytest.mark.parametrize(("make", "first", "second"), TAGS)
def test_twice_is_once_and_a_changed_tag_starts_from_the_base(
    make: object, first: str, second: str
) -> None:
    assert callable(make)

    def applied(source: bytes) -> bytes:
        before = parse_proposal(source)
        return rewrite_proposal(before, make_plan(before).changes)

    once = applied(make(first))
    assert once != make(first)
    assert applied(once) == once
    changed = once.replace(first.encode(), second.encode())
    assert changed != once
    assert applied(changed) == applied(make(second))


def test_the_same_question_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = PatternChooser.choose

    def counting(*args: object, **kwargs: object) -> object:
        asked.append(args)
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(PatternChooser, "choose", counting)
    visits = [visit(exposure(1, comments=f"@dither n=4 {BOX}"), number=f"{i:02}") for i in range(5)]
    plan, _ = planned(proposal(*visits))
    assert len(plan.groups) == 5
    assert len(asked) == 1


def test_a_plan_is_frozen() -> None:
    plan, _ = planned(six(f"@dither n=2 {LINE}"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.groups = ()  # type: ignore[misc]


def test_a_first_pos_targ_that_stays_gets_three_decimals() -> None:
    exposures = [
        exposure(k, comments="@dither" if k == 1 else "", postarg=("0.5", "0")) for k in (1, 2)
    ]
    proposal_ = parse_proposal(proposal(visit(group(*exposures))))
    new = rewrite_proposal(proposal_, make_plan(proposal_).changes)
    first = new.partition(b"</Exposure>")[0]
    assert b'X="0.500"' in first
    assert b'Y="0.000"' in first
