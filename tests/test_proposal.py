"""Proposals: what is read, what is kept as a problem, and names that only look alike."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptdither.apt.proposal import AptPattern, Exposure, ExposureGroup, Proposal
from aptdither.apt.reader import parse_proposal, read_decimal
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import AptDitherError, ProposalError
from aptdither.types import PosTarg
from tests.strategies import Made, proposals


def wrap(visits: str, rest: str = "") -> bytes:
    """Return a proposal around what stands in its Visits."""
    return f"<HSTProposal>\n{rest}<Visits>\n{visits}</Visits></HSTProposal>".encode()


def one_visit(exposures: str) -> bytes:
    return wrap(f'<Visit Number="01" Status="implementation">\n{exposures}</Visit>')


def only_exposure(source: bytes) -> Exposure:
    (visit,) = parse_proposal(source).visits
    (exposure,) = visit.exposures
    return exposure


@given(proposals())
def test_what_was_put_in_is_read(made: Made) -> None:
    proposal = parse_proposal(made.source, "x.apt")
    assert proposal.apt_version == "Version 26.0.2"
    assert [visit.number for visit in proposal.visits] == [visit.number for visit in made.visits]
    for visit, wanted in zip(proposal.visits, made.visits, strict=True):
        assert visit.kind == "Visit"
        assert visit.comments == "visit @dither & co"
        for exposure, put in zip(visit.exposures, wanted.exposures, strict=True):
            assert exposure.number == put.number
            assert exposure.same_pos_as == put.same_pos_as
            assert exposure.pos_targ == put.pos_targ
            assert exposure.iterations == put.iterations
            assert exposure.comments.strip() == put.comments.strip()
            assert exposure.problems == ()
            assert exposure.instrument == "WFC3"


@given(proposals())
def test_a_proposal_that_nobody_changes_is_the_very_same_bytes(made: Made) -> None:
    assert rewrite_proposal(parse_proposal(made.source), ()) is made.source


@given(proposals())
def test_walking_shows_every_exposure_in_document_order(made: Made) -> None:
    for visit in parse_proposal(made.source).visits:
        walked = list(visit.walk())
        nodes = [exposure.node for exposure, _ in walked]
        assert nodes == sorted(set(nodes))
        assert tuple(exposure for exposure, _ in walked) == visit.exposures
        for exposure, groups in walked:
            holder: tuple[Exposure | ExposureGroup, ...] = visit.children
            for group in groups:
                assert group in holder
                holder = group.children
            assert exposure in holder


@given(proposals(), st.data())
def test_a_damaged_proposal_is_read_or_refused_by_our_own_errors(
    made: Made, data: st.DataObject
) -> None:
    source = bytearray(made.source)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(source) - 1))
        end = min(len(source), at + data.draw(st.sampled_from([0, 0, 1, 1, 40])))
        source[at:end] = data.draw(st.binary(max_size=2) | st.sampled_from([b"<", b"&", b'"']))
    with contextlib.suppress(AptDitherError):
        proposal = parse_proposal(bytes(source))
        for visit in proposal.visits:
            for exposure in visit.exposures:
                with contextlib.suppress(ProposalError):
                    visit.resolve_same_pos_as(exposure)


# Real files ---------------------------------------------------------------------------------------


def test_every_file_of_the_folder_comes_back_byte_for_byte(apt_dir: Path) -> None:
    paths = sorted(apt_dir.glob("*.apt"))
    assert paths
    for path in paths:
        source = path.read_bytes()
        proposal = parse_proposal(source, str(path))
        assert rewrite_proposal(proposal, ()) is source
        assert all(not exposure.problems for v in proposal.visits for exposure in v.exposures)


def test_a_real_file_with_one_sided_pos_targs(apt_dir: Path) -> None:
    proposal = parse_proposal((apt_dir / "go-13012.apt").read_bytes())
    exposures = [exposure for visit in proposal.visits for exposure in visit.exposures]
    assert len(proposal.visits) == 12
    assert len(exposures) == 21
    shifted = [exposure for exposure in exposures if exposure.pos_targ is not None]
    assert len(shifted) == 17
    first = exposures[0]
    assert (first.number, first.line, first.config) == ("1", 773, "STIS/FUV-MAMA")
    assert first.pos_targ == PosTarg(x_arcsec=0.0, y_arcsec=-3.0)
    assert (proposal.phase2_id, proposal.apt_version) == ("13012", "Version 20.2.3")


def test_a_real_file_with_a_pattern_group(apt_dir: Path) -> None:
    proposal = parse_proposal((apt_dir / "go-15490.apt").read_bytes())
    (visit,) = proposal.visits
    (group,) = (child for child in visit.children if isinstance(child, ExposureGroup))
    pattern = group.pattern
    assert pattern is not None
    assert group.pattern_number == pattern.number
    assert pattern.pattern_type == "STIS-PERP-TO-SLIT"
    assert pattern.sub is None


# Names that look alike ----------------------------------------------------------------------------

LOOK_ALIKES = [
    pytest.param("", '<Observations><Exposure Number="1"/></Observations>', id="Observations"),
    pytest.param("", '<AladinPhase1SubExposure0 PosTargX="1" PosTargY="2"/>', id="Phase I"),
    pytest.param("<ExposureTime/><Exposures/>", "", id="prefix of another name"),
    pytest.param('<!-- <Exposure Number="1"/> -->', "", id="XML comment"),
    pytest.param('<![CDATA[<Exposure Number="1"/>]]>', "", id="CDATA"),
    pytest.param('<ToolData><Exposure Number="1"/></ToolData>', "", id="in ToolData"),
    pytest.param('<q:Exposure xmlns:q="u"/><Exposure xmlns="u"/>', "", id="namespace"),
]


@pytest.mark.parametrize(("inside", "outside"), LOOK_ALIKES)
def test_what_only_looks_like_an_exposure_is_none(inside: str, outside: str) -> None:
    source = wrap(f'<Visit Number="01">{inside}</Visit>', outside)
    (visit,) = parse_proposal(source).visits
    assert visit.exposures == ()


def test_only_visits_in_visits_count() -> None:
    source = wrap(
        '<HstQuadPattern Number="02"><Exposure Number="1"/></HstQuadPattern>',
        '<Visit Number="09"/><Datasets><Visits><Visit Number="08"/></Visits></Datasets>',
    )
    (visit,) = parse_proposal(source).visits
    assert (visit.number, visit.kind, len(visit.exposures)) == ("02", "HstQuadPattern", 1)


def test_a_sub_exposure_s_pos_targ_is_not_the_exposure_s() -> None:
    exposure = only_exposure(
        one_visit(
            '<Exposure Number="1"><Sub><PosTarg X="1"/><Comments>x</Comments></Sub></Exposure>'
        )
    )
    assert exposure.pos_targ is None
    assert exposure.comments == ""


# Values -------------------------------------------------------------------------------------------

UNREADABLE = ["NaN", "inf", "-inf", "1e999", "0x10", "1,5", "3 arcsec", "", " ", "1_0", "٣", "--1"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_number_that_cannot_be_read_is_a_problem_of_its_exposure(text: str) -> None:
    source = one_visit(f'<Exposure\nNumber="1"><PosTarg X="1" Y="{text}"/></Exposure>')
    exposure = only_exposure(source)
    assert exposure.pos_targ is None
    (problem,) = exposure.problems
    assert (problem.field, problem.found, problem.line) == ("PosTarg Y", text, 4)
    assert "decimal number of arcsec" in problem.allowed
    assert rewrite_proposal(parse_proposal(source), ()) is source


READABLE = [
    ("1", 1.0),
    ("-3", -3.0),
    ("+.5", 0.5),
    ("5.", 5.0),
    (" 1.5\n", 1.5),
    ("1e-3", 0.001),
    ("1E+2", 100.0),
    ("0" * 400 + "7", 7.0),
]


@pytest.mark.parametrize(("text", "value"), READABLE, ids=range(len(READABLE)))
def test_a_decimal_number(text: str, value: float) -> None:
    assert read_decimal(text) == value


@pytest.mark.parametrize(
    ("attributes", "pos_targ"),
    [
        ('X="1.762" Y="1.483"', (1.762, 1.483)),
        ('Y="-3"', (0.0, -3.0)),
        ("X='2'", (2.0, 0.0)),
        ("", (0.0, 0.0)),
    ],
)
def test_an_axis_that_is_missing_is_no_offset(
    attributes: str, pos_targ: tuple[float, float]
) -> None:
    exposure = only_exposure(one_visit(f'<Exposure Number="1"><PosTarg {attributes}/></Exposure>'))
    assert exposure.pos_targ == PosTarg(x_arcsec=pos_targ[0], y_arcsec=pos_targ[1])


@pytest.mark.parametrize(
    ("exposure", "field"),
    [
        ('<Exposure Number="1" NumberOfIterations="two"/>', "NumberOfIterations"),
        ('<Exposure Number="1" NumberOfIterations="0"/>', "NumberOfIterations"),
        ('<Exposure Number="1" NumberOfIterations="1001"/>', "NumberOfIterations"),
        ('<Exposure Number="1" NumberOfIterations="1.5"/>', "NumberOfIterations"),
        ("<Exposure/>", "Number"),
        ('<Exposure Number="1"><PosTarg/><PosTarg X="1"/></Exposure>', "PosTarg"),
    ],
)
def test_other_problems(exposure: str, field: str) -> None:
    found = only_exposure(one_visit(exposure))
    assert [problem.field for problem in found.problems] == [field]
    assert found.iterations == 1


def test_what_sub_exposures_say() -> None:
    subs = "".join(f'<SubExposure PrimaryPatternPosition="{n}" OrbitNumber="{n}"/>' for n in (1, 2))
    exposure = only_exposure(
        one_visit(
            f'<Exposure Number="1"><SubExposures>{subs}</SubExposures><SpatialScan/></Exposure>'
        )
    )
    assert exposure.orbit_numbers == (1, 2)
    assert exposure.is_spatial_scan


def test_orbits_are_not_known_when_one_of_them_is_not() -> None:
    subs = '<SubExposure OrbitNumber="1"/><SubExposure OrbitNumber=""/>'
    exposure = only_exposure(
        one_visit(f'<Exposure Number="1"><SubExposures>{subs}</SubExposures></Exposure>')
    )
    assert exposure.orbit_numbers == ()
    assert exposure.problems == ()


def test_the_sum_of_two_pos_targs() -> None:
    total = PosTarg(x_arcsec=1.0, y_arcsec=2.0) + PosTarg(x_arcsec=0.5, y_arcsec=-2.0)
    assert total == PosTarg(x_arcsec=1.5, y_arcsec=0.0)


def test_groups_may_nest_as_deep_as_is_read() -> None:
    depth = 200
    source = one_visit(
        "<ExposureGroup>" * depth + '<Exposure Number="1"/>' + "</ExposureGroup>" * depth
    )
    ((_, groups),) = parse_proposal(source).visits[0].walk()
    assert len(groups) == depth


# SamePosAs ----------------------------------------------------------------------------------------


def _visit_of(*same_pos_as: str | None, extra: str = "") -> bytes:
    return one_visit(
        "".join(
            f'<Exposure Number="{i + 1}"' + (f' SamePosAs="{named}"' if named else "") + "/>\n"
            for i, named in enumerate(same_pos_as)
        )
        + extra
    )


def test_same_pos_as_is_followed_to_its_end() -> None:
    (visit,) = parse_proposal(_visit_of(None, "1", "2", None)).visits
    ends = [visit.resolve_same_pos_as(exposure).number for exposure in visit.exposures]
    assert ends == ["1", "1", "1", "4"]


def test_a_long_chain_of_same_pos_as_is_followed() -> None:
    count = 3000
    (visit,) = parse_proposal(_visit_of(None, *(str(i) for i in range(1, count)))).visits
    assert visit.resolve_same_pos_as(visit.exposures[-1]).number == "1"


SAME_POS_AS_PROBLEMS = [
    pytest.param(_visit_of("9"), "no exposure has", id="dangling"),
    pytest.param(_visit_of("1"), r"circle \(1 -> 1\)", id="itself"),
    pytest.param(_visit_of("2", "3", "1"), r"circle \(1 -> 2 -> 3 -> 1\)", id="circle"),
    pytest.param(
        _visit_of("2", None, extra='<Exposure Number="2"/>'), "2 exposures have", id="twice"
    ),
    pytest.param(
        _visit_of("2", None).replace(
            b'<Exposure Number="2"/>',
            b'<Exposure Number="2" SamePosAs="3"><PosTarg X="1"/></Exposure><Exposure Number="3"/>',
        ),
        "it has a POS TARG and SamePosAs '3'",
        id="contradiction",
    ),
]


@pytest.mark.parametrize(("source", "said"), SAME_POS_AS_PROBLEMS)
def test_same_pos_as_that_cannot_be_followed_says_where(source: bytes, said: str) -> None:
    (visit,) = parse_proposal(source).visits
    with pytest.raises(ProposalError, match=said) as caught:
        visit.resolve_same_pos_as(visit.exposures[0])
    assert caught.value.location.visit == "01"
    assert caught.value.location.exposure in ("1", "2")
    assert caught.value.location.line is not None


# Patterns and the whole -----------------------------------------------------------------------------


def _pattern(**texts: str) -> bytes:
    children = "".join(f"<{name}>{text}</{name}>" for name, text in texts.items())
    return (
        f"<HSTProposal><ProposalInformation PureParallelProposal='true'/><Patterns>\n"
        f"<Pattern>{children}</Pattern></Patterns>"
        f"<Visits><Visit Number='01'><ExposureGroup Type='Pattern' Pattern='1' /></Visit></Visits>"
        f"</HSTProposal>"
    ).encode()


def _pattern_of(proposal: Proposal) -> AptPattern:
    (group,) = proposal.visits[0].children
    assert isinstance(group, ExposureGroup)
    assert group.pattern is not None
    return group.pattern


def test_a_pattern_with_a_sub_pattern() -> None:
    texts = {
        "Sub-Pattern": "true",
        "Number": " 1 ",
        "PatternType": "WFC3-IR-DITHER-LINE",
        "NumberOfPoints": "2",
        "PointSpacing": "0.636",
        "Orientation": "41.788",
        "CenterPattern": "true",
        "SubpatternPatternType": "WFC3-IR-DITHER-BOX-MIN",
        "SubpatternNumberOfPoints": "4",
        "SubpatternLineSpacing": "0.365",
        "SubpatternCenterPattern": "false",
    }
    proposal = parse_proposal(_pattern(**texts))
    pattern = _pattern_of(proposal)
    assert (pattern.number, pattern.number_of_points, pattern.point_spacing) == ("1", 2, 0.636)
    assert pattern.center_pattern
    assert pattern.line == 2
    assert pattern.sub is not None
    assert (pattern.sub.pattern_type, pattern.sub.number_of_points) == (
        "WFC3-IR-DITHER-BOX-MIN",
        4,
    )
    assert (pattern.sub.line_spacing, pattern.sub.point_spacing) == (0.365, None)
    assert not pattern.sub.center_pattern
    assert proposal.is_pure_parallel


@pytest.mark.parametrize("text", ["x", "2.5", "0", "1001", "1e999"])
def test_a_pattern_whose_points_cannot_be_read_keeps_a_problem(text: str) -> None:
    pattern = _pattern_of(parse_proposal(_pattern(Number="1", NumberOfPoints=text)))
    assert pattern.number_of_points is None
    assert [problem.found for problem in pattern.problems] == [text]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"<html/>", "not an HST proposal: its root is 'html'"),
        (b"<JwstProposal xmlns='http://www.stsci.edu/JWST/APT'/>", "it is a JWST proposal"),
        (b"<j:JwstProposal xmlns:j='u'/>", "it is a JWST proposal"),
        (b"<HSTProposal xmlns='u'/>", "not an HST proposal"),
    ],
)
def test_what_is_no_hst_proposal_is_refused_by_name(source: bytes, said: str) -> None:
    with pytest.raises(ProposalError, match=said) as caught:
        parse_proposal(source, "x.apt")
    assert caught.value.location.path == "x.apt"


def test_ranges_of_orient_are_read() -> None:
    ranges = [("244", "254"), ("272", "290"), ("x", "3"), ("1", "")]
    orients = "".join(
        f'<Orient><From Degrees="{low}" /><To Degrees="{high}" /></Orient>' for low, high in ranges
    )
    (one,) = parse_proposal(one_visit(orients)).visits
    assert one.orients_deg == ((244.0, 254.0), (272.0, 290.0))
