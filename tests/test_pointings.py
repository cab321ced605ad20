"""Where exposures really point: POS TARGs, SamePosAs, patterns, sub-patterns, iterations, orbits."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptdither.apt.patterns import pattern_points
from aptdither.apt.proposal import AptPattern
from aptdither.apt.reader import parse_proposal
from aptdither.dither.catalog import load_catalog
from aptdither.errors import ProposalError
from aptdither.optics.aperture import get_aperture
from aptdither.planning.pointings import MAX_POINTINGS, VisitPointings, observe
from tests.made import box_pattern, exposure, group, proposal, visit


def observed(*visits: str, patterns: str = "") -> VisitPointings:
    (found,) = observe(parse_proposal(proposal(*visits, patterns=patterns)))
    return found


def at(found: VisitPointings) -> list[list[tuple[str, float, float]]]:
    """Return for each set the exposures and where they point, in the order of time."""
    return [
        [
            (
                pointing.number,
                round(pointing.pos_targ.x_arcsec, 3) + 0.0,
                round(pointing.pos_targ.y_arcsec, 3) + 0.0,
            )
            for pointing in one.pointings
        ]
        for one in found.sets
    ]


def pattern(kind: str, **values: object) -> AptPattern:
    """Return an APT pattern; the stock line where nothing is said."""
    known: dict[str, object] = {
        "number": "1",
        "pattern_type": kind,
        "number_of_points": 2,
        "point_spacing": 0.636,
        "line_spacing": None,
        "orientation": 41.788,
        "angle_between_sides": None,
        "center_pattern": False,
        "sub": None,
        "coordinate_frame": "POS-TARG",
        "problems": (),
        "line": 7,
    }
    return AptPattern(**(known | values))  # type: ignore[arg-type]


BOX = {"point_spacing": 0.572, "orientation": 18.528, "number_of_points": 4}
BOX_SIDES = {"line_spacing": 0.365, "angle_between_sides": 74.653}


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (pattern("WFC3-IR-DITHER-LINE"), "WFC3-IR-DITHER-LINE"),
        (
            pattern("WFC3-IR-DITHER-LINE-3PT", number_of_points=3, point_spacing=0.605),
            "WFC3-IR-DITHER-LINE-3PT",
        ),
        (pattern("WFC3-IR-DITHER-BOX-MIN", **BOX, **BOX_SIDES), "WFC3-IR-DITHER-BOX-MIN"),
        (
            pattern(
                "WFC3-IR-DITHER-BLOB", point_spacing=5.183, orientation=41.8, center_pattern=True
            ),
            "WFC3-IR-DITHER-BLOB",
        ),
        (
            pattern(
                "WFC3-IR-DITHER-BOX-UVIS",
                number_of_points=4,
                point_spacing=23.02,
                orientation=0.714,
                line_spacing=35.21,
                angle_between_sides=89.288,  # what the POS TARGs say; 91.4 is found in places
                center_pattern=True,
            ),
            "WFC3-IR-DITHER-BOX-UVIS",
        ),
    ],
)
def test_parameters_give_the_published_pos_targs(made: AptPattern, name: str) -> None:
    """The catalogue's stock POS TARGs have another source than this geometry."""
    points = np.array([(p.x_arcsec, p.y_arcsec) for p in pattern_points(made)])
    wanted = load_catalog().get(name).postargs(get_aperture("IR"))
    assert np.abs(points - wanted).max() < 0.002


def test_the_acs_box_checks_the_geometry() -> None:
    """0.264 / 0.185 / 20.86 / 69.07: the box of another camera, published to 0.001 arcsec."""
    made = pattern(
        "ACS-WFC-DITHER-BOX",
        number_of_points=4,
        point_spacing=0.264,
        line_spacing=0.185,
        orientation=20.86,
        angle_between_sides=69.07,
    )
    points = np.array([(p.x_arcsec, p.y_arcsec) for p in pattern_points(made)])
    published = [(0.0, 0.0), (0.247, 0.094), (0.124, 0.232), (-0.124, 0.138)]
    assert np.abs(points - published).max() < 0.001


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            pattern("SPIRAL"),
            "'SPIRAL', whose geometry is not documented.*use a BOX or LINE pattern, or give",
        ),
        (pattern(""), "whose geometry is not documented"),
        (pattern("LINE", coordinate_frame="CELESTIAL"), "the roll is not known"),
        (pattern("LINE", point_spacing=None), "has no PointSpacing"),
        (pattern("LINE", number_of_points=None), "has no NumberOfPoints"),
        (pattern("BOX", **BOX), "has no LineSpacing, AngleBetweenSides"),
        (pattern("BOX", **(BOX | {"number_of_points": 5}), **BOX_SIDES), "a box of 5 points"),
    ],
)
def test_what_is_not_known_is_not_guessed(made: AptPattern, said: str) -> None:
    with pytest.raises(ProposalError, match=said):
        pattern_points(made)


@given(
    st.integers(1, 9),
    st.floats(0.01, 50),
    st.floats(-360, 360),
    st.floats(0.01, 50),
    st.floats(1, 179),
)
def test_centring_moves_all_points_alike_to_a_mean_of_zero(
    n: int, spacing: float, angle: float, side: float, corner: float
) -> None:
    sub = pattern(
        "BOX",
        number_of_points=4,
        point_spacing=side,
        line_spacing=side,
        angle_between_sides=corner,
    )
    plain, centred = (
        np.array(
            [
                (p.x_arcsec, p.y_arcsec)
                for p in pattern_points(
                    pattern(
                        "LINE",
                        number_of_points=n,
                        point_spacing=spacing,
                        orientation=angle,
                        center_pattern=center,
                        sub=sub,
                    )
                )
            ]
        )
        for center in (False, True)
    )
    assert len(plain) == 4 * n
    moved = centred - plain
    assert np.allclose(moved, moved[0], atol=1e-9)
    # Only the outer pattern is centred: what is left is the mean of the sub-pattern.
    assert np.allclose(centred.mean(axis=0), plain[:4].mean(axis=0), atol=1e-9)


def test_pos_targs_one_sided_and_missing() -> None:
    found = observed(
        visit(exposure(1), exposure(2, postarg=("0.5", "-0.25")), exposure(3, postarg=("0", "3")))
    )
    assert at(found) == [[("1", 0.0, 0.0), ("2", 0.5, -0.25), ("3", 0.0, 3.0)]]


def test_pattern_points_add_to_pos_targs_and_run_all_exposures_at_each_point() -> None:
    found = observed(
        visit(
            group(
                exposure(1, postarg=("1.0", "0.0")),
                exposure(2, element="F125W"),
                attributes=' Type="Pattern" Pattern="1"',
            )
        ),
        patterns=box_pattern(),
    )
    box = [(0.0, 0.0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)]
    first, second = at(found)
    assert first == [("1", round(1 + x, 3), y) for x, y in box]
    assert second == [("2", x, y) for x, y in box]
    order = sorted(
        (pointing for one in found.sets for pointing in one.pointings), key=lambda s: s.when
    )
    assert [pointing.number for pointing in order] == ["1", "2"] * 4


def test_same_pos_as_shares_the_place_point_by_point() -> None:
    found = observed(
        visit(
            group(
                exposure(1, postarg=("1.0", "0.0")),
                exposure(2, element="F125W", same="1"),
                attributes=' Type="Pattern" Pattern="1"',
            ),
            exposure(3, element="F140W", postarg=("0.1", "0.2")),
            exposure(4, element="F140W", same="3"),
        ),
        patterns=box_pattern(),
    )
    first, second, third = at(found)
    assert [location[1:] for location in first] == [location[1:] for location in second]
    assert third == [("3", 0.1, 0.2), ("4", 0.1, 0.2)]
    assert {node: source.number for node, source in found.sets[2].followers.items()} == {
        found.sets[2].exposures[1].node: "3"
    }


def test_iterations_repeat_and_orbits_are_dealt_out() -> None:
    found = observed(visit(exposure(1, iterations=3, orbits=(2,)), exposure(2, orbits=(2, 3))))
    pointings = found.sets[0].pointings
    assert [(one.number, one.orbit) for one in pointings] == [
        ("1", 2),
        ("1", 2),
        ("1", 2),
        ("2", None),  # two orbits for one exposure: which one is not known
    ]


def test_sets_are_of_one_target_and_setup() -> None:
    found = observed(
        visit(
            exposure(1),
            exposure(2, target="M-31"),
            exposure(3, element="F125W"),
            exposure(4, aperture="IR-FIX"),
            exposure(5),
        )
    )
    assert [[e.number for e in one.exposures] for one in found.sets] == [
        ["1", "5"],
        ["2"],
        ["3"],
        ["4"],
    ]


def test_a_tagged_set_is_one_by_itself() -> None:
    found = observed(
        visit(
            group(exposure(1, comments="@dither"), exposure(2)),
            group(exposure(3, comments="@dither"), exposure(4)),
            exposure(5),
            exposure(6),
        )
    )
    assert [
        ([e.number for e in one.exposures], one.dither_set is not None) for one in found.sets
    ] == [(["1", "2"], True), (["3", "4"], True), (["5", "6"], False)]


def test_one_visits_bad_tag_does_not_hide_the_others() -> None:
    made = proposal(
        visit(exposure(1, comments="@dither q=1"), exposure(2)),
        visit(exposure(1, comments="@dither n=4"), number="02"),
    )
    first, second = observe(parse_proposal(made))
    assert len(first.errors) == 1
    assert not second.errors
    assert second.sets[0].dither_set is not None


def test_what_looks_at_no_sky_or_moves_by_itself_is_left_out() -> None:
    found = observed(
        visit(
            exposure(1, target="DARK", element="BLANK"),
            exposure(2, target="TUNGSTEN"),
            exposure(3, scan=True),
            exposure(4),
        )
    )
    assert at(found) == [[("4", 0.0, 0.0)]]
    assert not found.unresolved


@pytest.mark.parametrize(
    ("children", "said", "is_missing"),
    [
        ([exposure(1, same="9")], "no exposure has", True),
        ([exposure(1, same="2"), exposure(2, same="1")], "circle", True),
        ([group(exposure(1), attributes=' Pattern="7"')], "which the file does not have", True),
        (
            [group(exposure(1), attributes=' Type="Parallel"')],
            "coordinated parallel",
            False,
        ),
        ([exposure(1, iterations=MAX_POINTINGS + 1)], "more than", False),
    ],
)
def test_what_cannot_be_followed_is_said(children: list[str], said: str, is_missing: bool) -> None:
    found = observed(visit(*children))
    assert not found.sets
    assert said in found.unresolved[0].reason
    assert found.unresolved[0].is_missing is is_missing


def test_nested_patterns_of_any_size_cost_nothing() -> None:
    """1000 points in 1000 points in ...: refused by counting, not by listing."""
    inner = exposure(1)
    for _ in range(30):
        inner = group(inner, attributes=' Type="Pattern" Pattern="1"')
    line = box_pattern(points=1000).replace("BOX-MIN", "LINE")
    found = observed(visit(inner), patterns=line)
    assert not found.sets
    assert "more than" in found.unresolved[0].reason


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(1, 3))
def test_the_number_of_shots_is_the_product(sizes: list[int], iterations: int) -> None:
    inner = exposure(1, iterations=iterations)
    made = ""
    for number, size in enumerate(sizes, start=1):
        inner = group(inner, attributes=f' Type="Pattern" Pattern="{number}"')
        made += box_pattern(number, points=size).replace("BOX-MIN", "LINE")
    found = observed(visit(inner), patterns=made)
    assert len(found.sets[0].pointings) == iterations * np.prod(sizes)
    times = [pointing.when for pointing in found.sets[0].pointings]
    assert all(before < after for before, after in itertools.pairwise(times))


def test_real_proposals(apt_dir: Path) -> None:
    """GO 13012 has three ACS/SBC exposures beside STIS, GO 15490 has STIS alone."""
    assert not list(observe(parse_proposal((apt_dir / "go-15490.apt").read_bytes())))
    (found,) = observe(parse_proposal((apt_dir / "go-13012.apt").read_bytes()))
    assert found.visit.number == "04"
    assert [one.setup.element for one in found.sets] == ["F140LP", "F115LP", "F165LP"]
    pointings = [one.pos_targ.xy_arcsec for one_set in found.sets for one in one_set.pointings]
    assert set(pointings) == {(-3.0, 0.0)}
