"""The RELAX NG of the part of APT's XML that is read and written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aptdither.apt.reader import parse_proposal
from tests.strategies import Made, changes_of, proposals
from tests.wishes import rewrite

SCHEMA = etree.RelaxNG(
    etree.parse(Path(__file__).resolve().parents[1] / "schemas" / "apt-subset.rng")
)


def problems(source: bytes) -> str:
    """Return what the schema finds wrong; an empty text when nothing is."""
    root = etree.fromstring(source)
    return "" if SCHEMA.validate(root) else str(SCHEMA.error_log)


def test_real_and_made_files_obey(apt_dir: Path) -> None:
    paths = sorted(apt_dir.glob("*.apt"))
    assert paths
    assert {path.name: problems(path.read_bytes()) for path in paths} == {
        path.name: "" for path in paths
    }


@given(proposals(), st.data())
def test_what_is_written_obeys_when_what_was_read_did(made: Made, data: st.DataObject) -> None:
    assert problems(made.source) == ""
    proposal = parse_proposal(made.source)
    assert problems(rewrite(proposal, data.draw(changes_of(proposal)))) == ""


def _visit(exposure: str, more: str = "") -> bytes:
    return f"<HSTProposal><Visits><Visit Number='1'>{exposure}</Visit></Visits>{more}</HSTProposal>".encode()


ALLOWED = [
    pytest.param(b"<HSTProposal New='1'>text<New><Exposure/></New></HSTProposal>", id="unknown"),
    pytest.param(_visit("<Exposure Number='1' New=''><New/></Exposure>"), id="unknown inside"),
    pytest.param(_visit("<Exposure Number='1'><PosTarg Y='-3'/></Exposure>"), id="one-sided"),
    pytest.param(_visit("<ToolData><PosTarg X='abc'/></ToolData>"), id="look-alike"),
    pytest.param(
        _visit("<ExposureGroup><ExposureGroup Type='Pattern' Pattern='1'/></ExposureGroup>"),
        id="nested groups",
    ),
]


@pytest.mark.parametrize("source", ALLOWED)
def test_what_obeys(source: bytes) -> None:
    assert problems(source) == ""


FORBIDDEN = [
    pytest.param(b"<JwstProposal/>", id="another root"),
    pytest.param(b"<HSTProposal xmlns='u'/>", id="a namespace"),
    pytest.param(_visit("<Exposure/>"), id="no number"),
    pytest.param(_visit("<Exposure Number='1'><PosTarg X='1,5'/></Exposure>"), id="comma"),
    pytest.param(_visit("<Exposure Number='1'><PosTarg X=''/></Exposure>"), id="empty number"),
    pytest.param(_visit("<Exposure Number='1'><PosTarg/><PosTarg/></Exposure>"), id="two PosTargs"),
    pytest.param(_visit("<Exposure Number='1'><Comments><b/></Comments></Exposure>"), id="markup"),
    pytest.param(_visit("<Exposure Number='1' NumberOfIterations='0'/>"), id="no iteration"),
    pytest.param(_visit("<TicData><TicDataCurrent>old</TicDataCurrent></TicData>"), id="TIC"),
    pytest.param(
        _visit("", "<Patterns><Pattern><PointSpacing>wide</PointSpacing></Pattern></Patterns>"),
        id="pattern",
    ),
]


@pytest.mark.parametrize("source", FORBIDDEN)
def test_what_does_not_obey(source: bytes) -> None:
    assert problems(source) != ""
