"""Which exposures a tag covers, and what is refused."""

from __future__ import annotations

import re

import pytest

from aptdither.apt.reader import parse_proposal
from aptdither.errors import AptDitherError, raise_all
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.selection import select_sets
from aptdither.types import PosTarg
from tests.made import box_pattern, exposure, group, proposal, six, visit

ZERO = PosTarg(x_arcsec=0.0, y_arcsec=0.0)


def sets_of(source: bytes, **options: bool) -> tuple[DitherSet, ...]:
    selected = select_sets(parse_proposal(source), Options(sets=SetOptions(**options)))
    raise_all(selected.errors)
    return selected.sets


def share_of(dither_set: DitherSet) -> Share:
    (share,) = dither_set.shares
    return share


def numbers(dither_set: DitherSet) -> list[str]:
    return [member.exposure.number for share in dither_set.shares for member in share.members]


def test_a_tag_in_a_group_covers_the_innermost_group() -> None:
    inner = group(exposure(2, comments="@dither"), exposure(3))
    source = proposal(visit(group(exposure(1), inner, exposure(4)), exposure(5)))
    (found,) = sets_of(source)
    assert numbers(found) == ["2", "3"]


def test_other_channels_in_the_group_are_left_alone() -> None:
    first, third = (exposure(n, config="ACS/WFC", aperture="WFC", element="F814W") for n in (1, 3))
    first = first.replace("<Comments />", "<Comments>@dither</Comments>")
    other = exposure(2, config="ACS/HRC", aperture="HRC", element="F606W")
    (found,) = sets_of(proposal(visit(group(first, other, third))))
    assert numbers(found) == ["1", "3"]


def test_an_ungrouped_tag_covers_its_exposure_alone() -> None:
    (found,) = sets_of(proposal(visit(exposure(1), exposure(2, comments="@dither n=4"))))
    assert numbers(found) == ["2"]


def test_an_id_joins_ungrouped_exposures_and_visits() -> None:
    tags = ("@dither id=a n=2", "", "@dither id=a", "@dither id=b n=3")
    source = proposal(
        visit(*(exposure(i + 1, comments=tag) for i, tag in enumerate(tags))),
        visit(exposure(1, comments="@dither id=a"), number="02"),
    )
    first, second = sets_of(source)
    assert [numbers(first), numbers(second)] == [["1", "3", "1"], ["4"]]
    assert first.request.n == 2
    assert [share.visit.number for share in first.shares] == ["01", "02"]


def test_a_visit_tag_covers_each_group_and_the_ungrouped_as_one_set() -> None:
    source = proposal(
        visit(
            exposure(1),
            group(exposure(2), exposure(3)),
            exposure(4),
            group(exposure(5)),
            comments="@dither size=full",
        )
    )
    assert sorted(map(numbers, sets_of(source))) == [["1", "4"], ["2", "3"], ["5"]]


def test_setups_are_kept_apart_in_document_order() -> None:
    elements = ("F160W", "F125W", "F160W", "F125W")
    exposures = [
        exposure(i + 1, element=e, comments="@dither" if not i else "")
        for i, e in enumerate(elements)
    ]
    (found,) = sets_of(proposal(visit(group(*exposures))))
    assert [
        (setup.element, [member.exposure.number for member in members])
        for setup, members in share_of(found).by_setup().items()
    ] == [("F160W", ["1", "3"]), ("F125W", ["2", "4"])]


def test_the_base_is_the_common_pos_targ() -> None:
    source = proposal(
        visit(
            group(
                exposure(1, comments="@dither", postarg=("1.5", "-2")),
                exposure(2, same="1"),
                exposure(3, same="2"),
                exposure(4, postarg=("1.500", "-2.0")),
            )
        )
    )
    assert share_of(sets_of(source)[0]).base == PosTarg(x_arcsec=1.5, y_arcsec=-2.0)


def test_the_base_comes_from_the_receipt() -> None:
    text = "@dither\n@dithered 1/1 x base=0.612,-3.000 aptdither=0.1.0"
    source = proposal(visit(exposure(1, comments=text, postarg=("9", "9"))))
    assert share_of(sets_of(source)[0]).base == PosTarg(x_arcsec=0.612, y_arcsec=-3.0)


def test_different_bases_are_refused_unless_replaced() -> None:
    source = proposal(
        visit(group(exposure(1, comments="@dither", postarg=("1", "0")), exposure(2)))
    )
    with pytest.raises(AptDitherError, match=r"start from different POS TARGs .*--replace"):
        sets_of(source)
    assert share_of(sets_of(source, replace=True)[0]).base == PosTarg(x_arcsec=1.0, y_arcsec=0.0)


PATTERN = ' Type="Pattern" Pattern="1"'
REFUSED = [
    pytest.param(
        proposal(
            visit(group(exposure(1, comments="@dither", positions=4), attributes=PATTERN)),
            patterns=box_pattern(),
        ),
        "replace_patterns",
        "APT pattern 1 .* would add.*--replace-patterns",
        id="in a pattern group",
    ),
    pytest.param(
        proposal(visit(exposure(1, comments="@dither n=3", iterations=3))),
        "split_iterations",
        "NumberOfIterations is 3.*--split-iterations",
        id="iterations",
    ),
    pytest.param(
        proposal(visit(exposure(1, comments="@dither n=3", scan=True))),
        None,
        "spatial scan",
        id="spatial scan",
    ),
    pytest.param(
        proposal(
            visit(
                exposure(1, comments="@dither", config="ACS/HRC", aperture="HRC", element="F606W")
            )
        ),
        None,
        "exposure of ACS/HRC; only WFC3/IR",
        id="another instrument",
    ),
    pytest.param(
        proposal(
            visit(
                group(
                    exposure(1, comments="@dither"),
                    exposure(2, config="ACS/WFC", aperture="WFC", element="F606W"),
                )
            )
        ),
        "parallels",
        "coordinated parallel.*--parallels.*id= joins",
        id="two instruments in one group",
    ),
    pytest.param(
        proposal(visit(group(exposure(1, comments="@dither"), attributes=' Type="Parallel"'))),
        None,
        "coordinated parallel.*Type 'Parallel'",
        id="a group that says parallel",
    ),
    pytest.param(
        proposal(visit(exposure(1, comments="@dither")))
        .replace(b"<Visit ", b"<HstQuadPattern ")
        .replace(b"</Visit>", b"</HstQuadPattern>"),
        None,
        "stands in a HstQuadPattern",
        id="mosaic",
    ),
    pytest.param(
        proposal(visit(group(exposure(1, comments="@dither"), exposure(2, target="M31")))),
        None,
        "several targets .'NGC-104', 'M31'",
        id="two targets",
    ),
    pytest.param(
        proposal(
            visit(group(exposure(1, comments="@dither"), exposure(2, comments="@dither n=2")))
        ),
        None,
        "two tags for one set",
        id="two tags in one group",
    ),
    pytest.param(
        proposal(visit(group(exposure(1, comments="@dither")), comments="@dither n=2")),
        None,
        "two tags for one set.*Comments of the visit",
        id="a visit tag and a group's own",
    ),
    pytest.param(
        proposal(
            visit(
                exposure(1, comments="@dither id=a n=2"), exposure(2, comments="@dither id=a n=3")
            )
        ),
        None,
        "contradicts '@dither id=a n=2' of the same id in 'n'",
        id="an id that contradicts itself",
    ),
    pytest.param(
        proposal(visit(exposure(1, comments="@dither n=2 sise=full"))),
        None,
        "unknown key .did you mean size.*; allowed: n, size, pattern, method, spacing, id",
        id="unknown key",
    ),
    pytest.param(
        proposal(visit(exposure(1, comments="@dither n=2", postarg=("nan", "0")))),
        None,
        "PosTarg X is 'nan'",
        id="POS TARG is no number",
    ),
    pytest.param(
        proposal(visit(group(exposure(1, comments="@dither", same="7"), exposure(2)))),
        None,
        "'7', a number that no exposure has",
        id="dangling SamePosAs",
    ),
    pytest.param(
        proposal(visit(group(exposure(1, comments="@dither", same="2"), exposure(2, same="1")))),
        None,
        "SamePosAs forms a circle",
        id="SamePosAs in a circle",
    ),
    pytest.param(
        proposal(visit(group(exposure(1, comments="@dither"), exposure(1)))),
        None,
        "number '1' occurs more than once",
        id="exposure number twice",
    ),
    pytest.param(
        proposal(visit(exposure(1, comments="@dither")), visit(exposure(1))),
        None,
        "two visits are numbered 01",
        id="visit number twice",
    ),
    pytest.param(
        proposal(
            visit(exposure(1, comments="@dither\n@dithered 1/2 tight-2 base=zero aptdither=0.1.0"))
        ),
        None,
        "is not a receipt that aptdither wrote",
        id="broken receipt",
    ),
    pytest.param(
        proposal(visit(exposure(1, config="STIS/CCD"), comments="@dither")),
        None,
        "covers no WFC3/IR or WFC3/UVIS or ACS/WFC or ACS/SBC exposure",
        id="a visit tag without a supported detector",
    ),
]


@pytest.mark.parametrize(("source", "way_out", "message"), REFUSED)
def test_refused(source: bytes, way_out: str | None, message: str) -> None:
    with pytest.raises(AptDitherError) as caught:
        sets_of(source)
    assert caught.value.exit_code == 3
    assert re.search(message, str(caught.value), re.DOTALL), caught.value
    assert "visit 01" in str(caught.value)
    if way_out is not None:
        assert sets_of(source, **{way_out: True})


def test_all_errors_are_listed_at_once() -> None:
    source = proposal(
        visit(exposure(1, comments="@dither what")),
        visit(exposure(1, comments="@dither n=2", scan=True, iterations=2), number="02"),
        visit(exposure(1, comments="@dither n=0"), number="03"),
    )
    with pytest.raises(AptDitherError) as caught:
        sets_of(source)
    lines = caught.value.lines()
    assert len(lines) == 4
    assert [line.split(",")[0] for line in lines] == [
        "visit 01",
        "visit 02",
        "visit 02",
        "visit 03",
    ]


def test_a_pattern_that_moves_others_too_is_not_replaced() -> None:
    first = exposure(
        1, config="ACS/WFC", aperture="WFC", element="F814W", comments="@dither", positions=4
    )
    other = exposure(2, config="ACS/HRC", aperture="HRC", element="F814W", positions=4)
    source = proposal(
        visit(group(first, other, attributes=PATTERN)),
        patterns=box_pattern(),
    )
    with pytest.raises(AptDitherError, match="also moves exposure 2"):
        sets_of(source, replace_patterns=True)


def test_a_replaced_pattern_counts_as_its_points() -> None:
    source = proposal(
        visit(group(exposure(1, comments="@dither", positions=4), attributes=PATTERN)),
        patterns=box_pattern(points=4),
    )
    (found,) = sets_of(source, replace_patterns=True)
    assert [member.runs for member in share_of(found).members] == [4]
    assert len(share_of(found).unwrapped) == 1


def test_the_same_tag_on_every_exposure_of_a_group_is_one_tag() -> None:
    source = proposal(visit(group(*(exposure(i, comments="@dither n=3") for i in (1, 2, 3)))))
    (found,) = sets_of(source)
    assert numbers(found) == ["1", "2", "3"]


def test_an_exposure_belongs_to_one_set() -> None:
    source = proposal(
        visit(
            exposure(1, comments="@dither id=a\n@dither id=b"), exposure(2, comments="@dither id=b")
        )
    )
    with pytest.raises(AptDitherError, match=r"exposure 1.*into different sets.*id=a.*id=b"):
        sets_of(source)


def test_one_wrong_set_does_not_hide_the_others() -> None:
    wrong = group(exposure(1, comments="@dither", scan=True), exposure(2))
    source = proposal(visit(wrong, group(exposure(3, comments="@dither"), exposure(4))))
    selected = select_sets(parse_proposal(source), Options())
    assert [numbers(found) for found in selected.sets] == [["3", "4"]]
    assert len(selected.errors) == 1


def test_words_that_only_look_like_tags_are_told() -> None:
    exposures = [exposure(1, comments="please @dither n=4"), exposure(2, comments="dither n=4")]
    labeled = exposure(3).replace("<Exposure", "<Exposure Label='@dither n=4'", 1)
    source = proposal(visit(*exposures, labeled).replace("<Visit", "<Visit Label='@dither'", 1))
    selected = select_sets(parse_proposal(source), Options())
    assert selected.sets == ()
    assert [(one.code, one.exposure, one.message) for one in selected.findings] == [
        ("ADT102", None, "no tag is read in a Label: move '@dither' into the Comments"),
        (
            "ADT102",
            "1",
            "'please @dither n=4' is not read as a tag: put @dither first, on a line of its own",
        ),
        (
            "ADT102",
            "2",
            "'dither n=4' is not read as a tag: if it should be one, write '@dither n=4'",
        ),
        ("ADT102", "3", "no tag is read in a Label: move '@dither n=4' into the Comments"),
    ]


def test_nothing_tagged_nothing_found() -> None:
    assert sets_of(proposal(visit(exposure(1), group(exposure(2))))) == ()


def test_six_are_one_set() -> None:
    (found,) = sets_of(six())
    assert numbers(found) == ["1", "2", "3", "4", "5", "6"]
    assert share_of(found).base == ZERO
