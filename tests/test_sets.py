"""Sets over several visits: whole clusters whose phases interleave, completed visits, ORIENT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import parse_comments
from aptdither.errors import AptDitherError
from aptdither.findings import Severity
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import Plan, make_plan
from aptdither.planning.strip import strip_proposal
from aptdither.report.summary import joined_headline, overlap_sentence
from aptdither.review.reviewer import Reviewer, accept_plan
from tests.made import exposure, group, proposal, visit

BOX = (("0", "0"), ("0.542", "0.182"), ("0.339", "0.485"), ("-0.203", "0.303"))
SAME = '<Orient><From Degrees="40" /><To Degrees="40" /></Orient>'
TURNED = SAME.replace("40", "75")


def four(
    number: str,
    *,
    tag: str = "@dither id=a pattern=tight-4",
    orient: str = SAME,
    status: str = "implementation",
    points: Sequence[tuple[str, str] | None] = (None,) * 4,
    element: str = "F160W",
) -> str:
    """Return a visit with a group of exposures, the first of them tagged."""
    exposures = [
        exposure(k, comments="" if k > 1 else tag, postarg=at, element=element)
        for k, at in enumerate(points, 1)
    ]
    return visit(orient, group(*exposures), number=number, status=status)


def applied(source: bytes, **options: bool) -> tuple[Plan, bytes]:
    before = parse_proposal(source)
    plan = make_plan(before, Options(sets=SetOptions(**options)))
    new, plan = accept_plan(before, plan)
    return plan, new


def visit_bytes(source: bytes, number: str) -> bytes:
    found = re.search(rb'<Visit Number="%s".*?</Visit>' % number.encode(), source, re.DOTALL)
    assert found is not None
    return found[0]


SETS = {
    "two visits of four": (proposal(four("01"), four("02")), 8),
    "three visits of two": (
        proposal(
            *(
                four(f"{k:02}", tag="@dither id=a pattern=tight-2", points=[None] * 2)
                for k in (1, 2, 3)
            )
        ),
        6,
    ),
    "one exposure in each of four": (
        proposal(*(four(f"{k:02}", tag="@dither id=a", points=[None]) for k in range(1, 5))),
        4,
    ),
}


@pytest.mark.parametrize(("source", "phases"), SETS.values(), ids=SETS)
def test_visits_of_a_set_have_all_phases(source: bytes, phases: int) -> None:
    plan, new = applied(source)
    (joined,) = plan.sets
    assert len(joined.evaluation.distinct_phases) == joined.n == phases
    assert joined.coverage.worst.packing_of_limit > 0.6
    assert joined.pointing.orbits == len(plan.groups)
    # Applied again no byte changes, strip gives the file back, and check is content with it.
    assert applied(new)[1] == new
    was_current = source.replace(b"Current>true", b"Current>false")
    assert strip_proposal(parse_proposal(new)).new == was_current
    assert not [
        one
        for one in Reviewer().review(parse_proposal(new)).findings
        if one.severity is not Severity.NOTE
    ]


def test_each_visit_has_its_own_pattern_and_a_receipt_that_says_the_shift() -> None:
    plan, new = applied(proposal(four("01"), four("02")))
    first, second = plan.groups
    own, other = (group.evaluation.offsets_arcsec for group in (first, second))
    np.testing.assert_allclose(own - own[0], other - other[0], atol=1e-9)
    assert 0.0 < np.hypot(*(other[0] - own[0])) < 0.13
    receipts = [
        parse_comments(one.comments).receipts[0]
        for each in parse_proposal(new).visits
        for one in each.exposures
    ]
    assert [one.shift.x_arcsec for one in receipts] == [0.0] * 4 + [other[0, 0]] * 4
    edited = re.sub(rb"shift=\S+ ", b"", new)
    with pytest.raises(AptDitherError, match="moved by"):
        applied(edited)


def test_without_ids_each_visit_is_planned_for_itself() -> None:
    joined = proposal(four("01"), four("02"))
    alone = joined.replace(b" id=a", b"")
    plan, new = applied(alone)
    assert plan.sets == ()
    assert visit_bytes(new, "01").count(b"shift=") == new.count(b"shift=") == 0
    first, second = (group.evaluation.offsets_arcsec for group in plan.groups)
    np.testing.assert_array_equal(first, second)
    # The ids taken away after the dither give the same as without it.
    assert applied(applied(joined)[1].replace(b" id=a", b""))[1] == new


@pytest.mark.parametrize("points", [BOX, (None,) * 4], ids=["by hand", "as they were"])
def test_a_completed_visit_gives_its_phases_and_stays_as_it_is(
    points: Sequence[tuple[str, str] | None],
) -> None:
    source = proposal(four("01", status="completed", points=points), four("02"))
    plan, new = applied(source)
    assert visit_bytes(new, "01") == visit_bytes(source, "01")
    (joined,) = plan.sets
    assert [visit.number for visit in joined.visits] == ["01", "02"]
    assert [group.visit for group in plan.groups] == ["02"]
    distinct = 8 if points == BOX else 5
    assert len(joined.evaluation.distinct_phases) == distinct
    assert applied(new)[1] == new


def test_a_completed_mosaic_gives_each_tile_its_phases() -> None:
    typed = [(f"{float(x) + 60 * tile:.3f}", y) for tile in (0, 1) for x, y in BOX]
    bases = [("0", "0")] * 4 + [("60", "0")] * 4
    source = proposal(four("01", status="completed", points=typed), four("02", points=bases))
    plan, new = applied(source)
    assert visit_bytes(new, "01") == visit_bytes(source, "01")
    assert [len(one.evaluation.distinct_phases) for one in plan.sets] == [8, 8]


def test_a_visit_completed_after_the_dither_changes_nothing() -> None:
    _, new = applied(proposal(four("01"), four("02")))
    done = new.replace(b'"01" Status="implementation"', b'"01" Status="completed"')
    assert applied(done)[1] == done


def test_a_set_of_completed_visits_alone_is_refused() -> None:
    source = proposal(four("01", status="completed"))
    with pytest.raises(AptDitherError, match="completed; remove its tag, or give --all-visits"):
        applied(source)
    assert applied(source, all_visits=True)[0].groups


def test_different_orients_are_planned_for_themselves() -> None:
    plan, new = applied(proposal(four("01"), four("02", orient=TURNED)))
    assert plan.sets == ()
    assert b"shift=" not in new
    assert [one.code for one in plan.findings] == ["ADT409"]


def test_an_orient_that_may_differ_is_said() -> None:
    plan, _ = applied(proposal(four("01"), four("02", orient="")))
    (finding,) = plan.findings
    assert finding.code == "ADT409"
    assert "their phases are independent: each is planned for itself" in finding.message
    # What they are worth at one ORIENT is said as that.
    (joined,) = plan.sets
    assert ("visits", "if they are observed at one ORIENT") in joined_headline(joined)
    assert [group.choice.name for group in plan.groups] == ["tight-4", "tight-4"]


def test_other_setups_do_not_interleave() -> None:
    plan, _ = applied(proposal(four("01"), four("02", element="F125W")))
    assert plan.sets == ()
    first, second = (group.evaluation.offsets_arcsec for group in plan.groups)
    np.testing.assert_array_equal(first[0], second[0])


# Tiles of a mosaic ----------------------------------------------------------------------------------

CORNERS = (("0", "0"), ("60", "0"), ("60", "60"), ("0", "60"))


@pytest.mark.parametrize("expands", [False, True], ids=["four exposures a tile", "expanded"])
def test_each_tile_gets_the_pattern_about_its_base(expands: bool) -> None:
    tag = "@dither id=a pattern=tight-4"
    if expands:
        made = [exposure(k, comments=tag, postarg=at) for k, at in enumerate(CORNERS, 1)]
    else:
        bases = [at for at in CORNERS for _ in range(4)]
        made = [
            exposure(k, comments="" if k > 1 else tag, postarg=at) for k, at in enumerate(bases, 1)
        ]
    plan, new = applied(proposal(visit(*made if expands else (group(*made),))))
    assert [group.base.xy_arcsec for group in plan.groups] == [
        (float(x), float(y)) for x, y in CORNERS
    ]
    for one in plan.groups[1:]:
        np.testing.assert_allclose(
            one.evaluation.offsets_arcsec, plan.groups[0].evaluation.offsets_arcsec, atol=1e-9
        )
    assert len(parse_proposal(new).visits[0].exposures) == 16
    assert min(one.coverage.worst.efficiency for one in plan.groups) > 0.99
    assert not any(one.code == "ADT307" for one in Reviewer().review(parse_proposal(new)).findings)
    assert applied(new)[1] == new


def tiled(step: float, config: str, element: str) -> bytes:
    """Return a proposal with two tiles of four exposures each, a step apart in y."""
    made = [
        exposure(
            k + 1,
            config=config,
            aperture=config.split("/")[1],
            element=element,
            comments="" if k else "@dither id=a",
            postarg=("0", f"{step * (k // 4)}"),
        )
        for k in range(8)
    ]
    return proposal(visit(group(*made)))


@pytest.mark.parametrize(
    ("step", "config", "element", "share"),
    [
        (60.0, "WFC3/IR", "F160W", 0.5),
        (150.0, "WFC3/UVIS", "F606W", 0.08),
        (40.0, "WFC3/UVIS", "F606W", 0.7),
    ],
    ids=["IR", "the other chip", "both chips"],
)
def test_where_tiles_overlap_their_phases_count_together(
    step: float, config: str, element: str, share: float
) -> None:
    plan, _ = applied(tiled(step, config, element))
    (overlap,) = plan.overlaps
    assert overlap.groups == plan.groups
    assert overlap.figures.share == pytest.approx(share, abs=0.05)
    assert 0.9 < overlap.figures.efficiency <= 1.0
    # Distortion moves the tiles' phases against each other: somewhere they meet.
    assert overlap.figures.packing_of_limit < 0.3
    assert "where they overlap" in overlap_sentence(overlap)


def test_tiles_apart_do_not_overlap() -> None:
    assert applied(tiled(200.0, "WFC3/IR", "F160W"))[0].overlaps == ()


def test_bases_that_differ_by_less_are_no_tiles() -> None:
    made = [exposure(k, postarg=(at, "0")) for k, at in enumerate(("0", "9.9"), 2)]
    source = proposal(visit(group(exposure(1, comments="@dither"), *made)))
    with pytest.raises(AptDitherError, match="start from different POS TARGs"):
        applied(source)


# Prime and parallel ---------------------------------------------------------------------------------


def container(number: int, tag: str = "@dither id=a pattern=WFC3-IR-DITHER-BOX-MIN") -> str:
    """Return a container with two exposures of WFC3/IR and one of ACS/WFC beside them."""
    beside = exposure(number + 2, config="ACS/WFC", aperture="WFC", element="F814W", target="ANY")
    return group(exposure(number, comments=tag), exposure(number + 1), beside)


CONTAINERS = proposal(visit(*(container(3 * k + 1) for k in range(4))))


def test_a_container_is_one_pointing_that_both_detectors_see() -> None:
    plan, new = applied(CONTAINERS, parallels=True)
    own, beside = plan.groups
    assert (own.n, beside.n) == (4, 4)
    assert (own.aperture.config, beside.aperture.config) == ("WFC3/IR", "ACS/WFC")
    # What BOX-MIN has on both: facts of the geometry of the two focal planes.
    assert own.coverage.worst.packing_of_limit == pytest.approx(0.81, abs=0.01)
    assert beside.coverage.worst.packing_of_limit == pytest.approx(0.12, abs=0.02)
    exposures = parse_proposal(new).visits[0].exposures
    assert [one.pos_targ is None for one in exposures] == [False, False, True] * 4
    assert [one.pos_targ for one in exposures[0::3]] == [one.pos_targ for one in exposures[1::3]]
    assert applied(new, parallels=True)[1] == new
    review = Reviewer().review(parse_proposal(new))
    assert not [one for one in review.findings if one.severity is Severity.ERROR]
    assert {group.aperture.config for group in review.groups} == {"WFC3/IR", "ACS/WFC"}


def test_containers_are_refused_without_the_option() -> None:
    with pytest.raises(AptDitherError, match=r"coordinated parallel.*give --parallels"):
        applied(CONTAINERS)


def test_a_container_is_not_copied() -> None:
    source = proposal(visit(container(1, tag="@dither n=4 pattern=WFC3-IR-DITHER-BOX-MIN")))
    with pytest.raises(AptDitherError, match="duplicate the container until there are 4") as caught:
        applied(source, parallels=True)
    assert "there is 1" in str(caught.value)
    assert "add id=a to its tag and then duplicate" in str(caught.value)


def test_copies_of_a_container_that_the_observer_makes_are_one_set() -> None:
    """What the refusal of a container with n= tells to do."""
    tag = "@dither n=4 pattern=WFC3-IR-DITHER-BOX-MIN id=a"
    made = proposal(visit(*(container(3 * k + 1, tag) for k in range(4))))
    _, new = applied(made, parallels=True)
    assert new == applied(CONTAINERS, parallels=True)[1].replace(
        b"@dither id=a pattern=WFC3-IR-DITHER-BOX-MIN", tag.encode()
    )


def test_check_names_the_option_that_dithers_containers() -> None:
    (note,) = (
        one
        for one in Reviewer().review(parse_proposal(CONTAINERS)).findings
        if one.code == "ADT109"
    )
    assert note.message.endswith("run aptdither apply --parallels")


def test_a_container_has_one_pos_targ() -> None:
    moved = CONTAINERS.replace(exposure(2).encode(), exposure(2, postarg=("1", "0")).encode())
    with pytest.raises(AptDitherError, match="a container is one pointing; make them equal"):
        applied(moved, parallels=True)


# Time -----------------------------------------------------------------------------------------------


def test_the_slews_of_a_visit_are_counted_before_and_after() -> None:
    made = [exposure(k, postarg=("0", "0.474") if k == 2 else None) for k in (1, 2)]
    tagged = [
        exposure(k, comments="@dither pattern=tight-4" if k == 3 else "") for k in range(3, 7)
    ]
    plan, _ = applied(proposal(visit(*made, group(*tagged))))
    (time,) = plan.times
    # One move there and one back; then three moves of the pattern, none beyond 1.25 arcsec.
    assert (time.before_seconds, time.after_seconds) == (40.0, 100.0)
    assert not plan.findings


def test_copies_may_not_fit_the_orbit() -> None:
    source = proposal(visit(exposure(1, comments="@dither n=4 pattern=tight-4", orbits=(2,))))
    plan, _ = applied(source)
    (finding,) = plan.findings
    assert finding.code == "ADT410"
    assert "3 more exposures and 60 s more of slews in orbit 2" in finding.message


def mosaic(
    spacing: float, elements: Sequence[str] = ("F160W",), tag: str = "@dither n=4 pattern=tight-4"
) -> bytes:
    """Return a proposal with a BOX pattern of 2 x 2 points around exposures."""
    made = [
        exposure(k, element=element, comments="" if k > 1 else tag, positions=4)
        for k, element in enumerate(elements, 1)
    ]
    pattern = (
        "<Pattern><Number>1</Number><PatternType>BOX</PatternType><NumberOfPoints>4</NumberOfPoints>"
        f"<PointSpacing>{spacing}</PointSpacing><LineSpacing>{spacing}</LineSpacing>"
        "<Orientation>0</Orientation><AngleBetweenSides>90</AngleBetweenSides>"
        "<CenterPattern>false</CenterPattern><Sub-Pattern>false</Sub-Pattern></Pattern>"
    )
    inside = group(*made, attributes=' Type="Pattern" Pattern="1"')
    return proposal(visit(inside, exposure(len(elements) + 1)), patterns=pattern)


def test_an_apt_pattern_of_far_points_stays_as_the_mosaic() -> None:
    plan, new = applied(mosaic(60), replace_patterns=True)
    assert [group.base.xy_arcsec for group in plan.groups] == [
        (float(x), float(y)) for x, y in CORNERS
    ]
    (before,) = parse_proposal(new).visits
    exposures = before.exposures[:-1]
    tile_of = [round(one.pos_targ.x_arcsec / 60) for one in exposures if one.pos_targ]
    assert tile_of == [0] * 4 + [1] * 8 + [0] * 4  # in the order of APT
    assert b"PatternPosition" not in new
    assert applied(new)[1] == applied(new, replace_patterns=True)[1] == new


def test_an_apt_pattern_of_near_points_is_replaced() -> None:
    plan, _ = applied(mosaic(0.5), replace_patterns=True)
    assert [group.n for group in plan.groups] == [4]


@pytest.mark.parametrize(
    ("tag", "elements", "points"),
    [
        ("@dither n=4", ("F160W", "F125W"), 4),
        ("@dither", ("F160W",) * 3, 1),
        ("@dither n=2", ("F160W",) * 2, 1),
    ],
)
def test_several_exposures_run_tile_after_tile_as_in_apt(
    tag: str, elements: tuple[str, ...], points: int
) -> None:
    plan, new = applied(mosaic(60, elements=elements, tag=tag), replace_patterns=True)
    (after,) = parse_proposal(new).visits
    exposures = after.exposures[:-1]
    assert [one.number for one in after.exposures] == [str(k) for k in range(1, len(exposures) + 2)]
    at = [one.pos_targ.xy_arcsec if one.pos_targ else (0.0, 0.0) for one in exposures]
    taken = [
        (60 * round(x / 60), 60 * round(y / 60), one.spectral_element)
        for (x, y), one in zip(at, exposures, strict=True)
    ]
    assert taken == [
        (int(x), int(y), element) for x, y in CORNERS for element in elements for _ in range(points)
    ]
    assert len(plan.groups) == 4 * len(set(elements))
    assert applied(new)[1] == applied(new, replace_patterns=True)[1] == new
    review = Reviewer().review(parse_proposal(new))
    assert not [one for one in review.findings if one.severity is Severity.ERROR]


def test_a_mosaic_around_several_groups_is_refused() -> None:
    inner = group(exposure(2, positions=4))
    made = mosaic(60, elements=("F160W",) * 2, tag="").replace(
        exposure(2, positions=4).encode(), inner.encode()
    )
    made = made.replace(b"<Comments />", b"<Comments>@dither id=a</Comments>", 1)  # the visit's own
    with pytest.raises(AptDitherError, match="mosaic of 4 tiles around several groups"):
        applied(made, replace_patterns=True)


def test_very_many_visits_are_not_joined() -> None:
    visits = [
        four(f"{k:02}", tag="@dither id=a n=9 pattern=tight-9", points=[None]) for k in range(30)
    ]
    with pytest.raises(AptDitherError, match=r"270 exposures .* at most 256 are joined"):
        applied(proposal(*visits))


def test_a_copied_visit_is_said_to_repeat() -> None:
    """A third visit that is a copy of the second adds nothing, though two visits differ."""
    source = Path(__file__).parents[1] / "examples" / "dithered" / "uvis-two-visits.apt"
    text = source.read_text("utf-8")
    start, end = text.rindex("      <Visit\n"), text.rindex("   </Visits>")
    copy = text[start:end].replace('Number="02"', 'Number="03"')
    parsed = parse_proposal((text[:end] + copy + text[end:]).encode())
    codes = [one.code for one in Reviewer().review(parsed).findings]
    assert "ADT206" in codes
    assert "ADT206" not in [
        one.code for one in Reviewer().review(parse_proposal(text.encode())).findings
    ]
