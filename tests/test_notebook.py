"""Results in a notebook: HTML that stands alone, tables with units, pictures on given axes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from aptdither import load_catalog, make_plan, parse_proposal
from aptdither.planning.plan import Plan
from aptdither.types import Shown
from tests.made import exposure, proposal, visit

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

from aptdither.report.notebook import part_of, table_of

EVIL = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture(scope="module")
def plan() -> Plan:
    made = visit(exposure(1, comments="@dither pattern=tight-4"), number=EVIL)
    return make_plan(parse_proposal(proposal(made)))


def shown(plan: Plan) -> list[Shown]:
    (group,) = plan.groups
    return [plan, group, group.coverage, load_catalog().get("tight-4")]


@pytest.mark.parametrize("which", range(4))
def test_it_shows_itself_as_html_without_markup_of_a_file(which: int, plan: Plan) -> None:
    html = shown(plan)[which]._repr_html_()
    assert html is not None
    assert html.startswith('<div class="aptdither">')
    assert html.count("<table>") == html.count("</table>") > 0
    assert "<script" not in html
    assert ("tight-4" in html) == (which != 2)


def test_without_jinja_a_notebook_shows_the_plain_text(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "aptdither.report.notebook")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert plan._repr_html_() is None
    assert len(repr(plan)) < 200


def test_tables_have_a_row_for_each_with_units(plan: Plan) -> None:
    (group,) = plan.groups
    table = plan.to_table()
    assert len(table) == group.n == 4
    assert str(table["postarg_x"].unit) == "arcsec"
    np.testing.assert_allclose(table["postarg_x"], [p.pos_targ.x_arcsec for p in group.points])
    assert list(group.to_table()["dx"]) == list(table["dx"])
    places = group.coverage.to_table()
    assert len(places) == len(group.coverage.efficiency)
    assert places["efficiency"].min() == group.coverage.worst.efficiency
    points = load_catalog().get("WFC3-IR-DITHER-BOX-MIN").to_table()
    assert (len(points), str(points["x"].unit)) == (4, "arcsec")


@pytest.mark.parametrize("kind", ["phases", "offsets", "efficiency", "packing", "sky"])
def test_pictures_are_drawn_on_given_axes(kind: str, plan: Plan) -> None:
    axes = Figure().subplots()
    assert plan.groups[0].plot(kind, ax=axes) is axes
    assert axes.has_data()


def test_what_has_no_such_face_says_so(plan: Plan) -> None:
    for face in (part_of, table_of):
        with pytest.raises(TypeError, match="PosTarg"):
            face(plan.groups[0].base)
    with pytest.raises(ValueError, match="phases, offsets"):
        plan.groups[0].plot("face", ax=Figure().subplots())
