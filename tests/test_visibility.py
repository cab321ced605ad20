"""The target stays on the detector: in what is chosen, in what is refused, in what check finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from aptdither.apt.reader import parse_proposal
from aptdither.cli.app import app
from aptdither.dither.coverage import evaluate
from aptdither.dither.views import View
from aptdither.dither.visibility import largest_scale, seen_by_all, unseen_pix
from aptdither.errors import AptDitherError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.planning.plan import make_plan
from aptdither.review.reviewer import Reviewer, accept_plan
from aptdither.types import Region
from tests.made import exposure, group, proposal, six, visit

F160W = get_element("F160W", "WFC3/IR")
OFFSETS = st.lists(st.tuples(st.floats(-80, 80), st.floats(-80, 80)), min_size=1, max_size=6).map(
    lambda points: np.array(points)
)


def view(region: Region, aperture: str = "IR") -> View:
    return View(get_aperture(aperture), F160W, region)


@given(OFFSETS, st.floats(0.1, 60))
def test_seen_whole_is_seen_by_all(offsets: np.ndarray, diameter: float) -> None:
    disc = view(Region.disc(diameter_arcsec=diameter))
    beyond = unseen_pix(offsets, disc)
    assert beyond.shape == (len(offsets),)
    if not np.any(beyond):
        assert seen_by_all(offsets, disc) == 1.0
    if seen_by_all(offsets, disc) < 1.0:
        assert np.any(beyond > 0)


@given(OFFSETS)
def test_the_largest_scale_fits_and_a_little_more_does_not(offsets: np.ndarray) -> None:
    disc = view(Region.disc(diameter_arcsec=30))
    scale = largest_scale(offsets, disc)
    assert not np.any(unseen_pix(offsets * scale, disc))
    if scale < 1:
        assert np.any(unseen_pix(offsets * (scale + 0.001), disc))


def test_the_readout_of_a_subarray_counts() -> None:
    """IRSUB64 reads 64 pixels; its reference point is 10 pixels off their middle."""
    disc = view(Region.disc(diameter_arcsec=3), "IRSUB64")
    assert unseen_pix([(1.0, 0.0)], disc) == 0
    assert unseen_pix([(2.0, 0.0)], disc) > 0
    assert 0.5 < largest_scale([(0.0, 0.0), (2.0, 0.0)], disc) < 1.0
    assert unseen_pix([(-3.5, 0.0)], disc) == 0


def test_the_full_readout_loses_what_the_pattern_steps_over() -> None:
    share = seen_by_all([(0.0, 0.0), (13.56, 0.0)], view(Region.full()))
    assert share == pytest.approx(1 - 100 / 1014, abs=2e-3)
    assert seen_by_all([(0.0, 0.0)], view(Region.full())) == 1.0


def test_what_is_chosen_keeps_the_target_on_the_detector() -> None:
    tagged = (exposure(1, aperture="IRSUB64", comments="@dither size=3arcsec method=catalog"),)
    others = (exposure(i, aperture="IRSUB64") for i in range(2, 5))
    plan = make_plan(parse_proposal(proposal(visit(group(*tagged, *others)))))
    (only,) = plan.groups
    assert not np.any(only.evaluation.unseen_pix)
    assert only.evaluation.seen_by_all == 1.0


def test_a_requested_pattern_that_leaves_the_detector_is_refused() -> None:
    tag = "@dither size=3arcsec pattern=wide-9"
    made = proposal(
        visit(
            group(
                exposure(1, aperture="IRSUB64", comments=tag),
                *(exposure(i, aperture="IRSUB64") for i in range(2, 10)),
            )
        )
    )
    parsed = parse_proposal(made)
    with pytest.raises(AptDitherError, match=r"ADT306") as caught:
        accept_plan(parsed, make_plan(parsed))
    assert "a spacing of at most" in str(caught.value)


def test_a_size_larger_than_the_detector_is_refused() -> None:
    made = proposal(visit(exposure(1, comments="@dither n=3 size=500arcsec")))
    with pytest.raises(AptDitherError, match=r"keeps a region of 500arcsec on the detector"):
        make_plan(parse_proposal(made))


def test_a_target_off_the_detector_is_warned_of() -> None:
    tag = "@dither n=2 pattern=tight-2"
    made = proposal(visit(exposure(1, comments=tag, postarg=("200", "0"))))
    parsed = parse_proposal(made)
    _, plan = accept_plan(parsed, make_plan(parsed))
    assert "ADT307" in {finding.code for finding in plan.findings}


def test_what_apply_writes_has_no_error_of_check(tmp_path: Path) -> None:
    given, out = tmp_path / "in.apt", tmp_path / "out.apt"
    tagged = exposure(1, aperture="IRSUB64", comments="@dither n=4 size=3arcsec")
    given.write_bytes(proposal(visit(tagged)))
    ended = CliRunner().invoke(app, ["apply", str(given), "-o", str(out), "--format", "json"])
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["groups"][0]["coverage"]["seen_by_all"] == 1.0
    findings = Reviewer().review(parse_proposal(out.read_bytes())).findings
    assert [finding for finding in findings if finding.severity == "error"] == []


def test_the_gap_between_chips_is_not_the_edge() -> None:
    """A target wider than the way to the gap can be dithered; what falls in the gap is not seen."""
    uvis, element = get_aperture("UVIS"), get_element("F606W", "WFC3/UVIS")
    still = np.zeros((1, 2))
    wide = View(uvis, element, Region.disc(diameter_arcsec=40))
    assert unseen_pix(still, wide).max() == 0
    assert 0.9 < seen_by_all(still, wide) < 1
    # The reference point lies 250 rows above chip 1's lower edge: 10.3 arcsec below is the gap.
    point = View(uvis, element, Region.point())
    _, into_gap = uvis.ideal_from_pixel(2048.0, -14.0, chip=1)
    assert seen_by_all([(0.0, float(into_gap))], point) == 0
    assert unseen_pix([(0.0, float(into_gap))], point).max() == 0
    assert unseen_pix([(100.0, 0.0)], point).max() > 100


def test_what_was_planned_is_not_evaluated_again() -> None:
    parsed = parse_proposal(six("@dither method=catalog"))
    plan = make_plan(parsed)
    evaluated = len(plan.evaluator.cache)
    accept_plan(parsed, plan)
    assert len(plan.evaluator.cache) == evaluated == 1


def test_a_target_over_the_gap_is_judged_by_what_every_exposure_sees() -> None:
    view = View(
        get_aperture("WFC"), get_element("F814W", "ACS/WFC"), Region.disc(diameter_arcsec=30)
    )
    box = [(0.0, 0.0), (-0.451, -0.259), (-0.173, -0.651), (-0.673, -0.765)]
    coverage = evaluate(box, view)
    assert set(coverage.field.chip) == {1, 2}
    assert coverage.worst.efficiency > 0.9
    assert seen_by_all(box, view) < 1
