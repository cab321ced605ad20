from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from aptdither.apt.tags import parse_size
from aptdither.cli import app
from aptdither.dither.catalog import load_catalog
from aptdither.dither.optimizer.limits import Closeness, closeness
from aptdither.dither.views import View
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.types import Region, Setup
from tests.made import exposure, proposal, visit
from tests.tools.build_catalog import views_of

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from aptdither.cli.options import parse_pairs
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.optics.pointing_fit import Measured, fit_dithers
from aptdither.planning.choice import PatternChoice
from aptdither.planning.evaluation import coverage_map
from aptdither.report.plots import curves, field, geometry, maps, pattern, style

EXAMPLES = Path(__file__).parents[1] / "examples"
GO_13417 = "0,0 0.612,0 0.307,0.273 0.919,0.273 0.002,0.547 0.614,0.547 0.309,0.820 0.921,0.820"
KINDS = ("field", "map", "distortion", "fit", "scale", "limits", "tradeoff")


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def options(kind: str) -> list[str]:
    """Return a quick picture's options."""
    if kind in ("fit", "scale"):
        return ["--measured", str(EXAMPLES / "table2.ecsv"), "--aperture", "IR-FIX"]
    if kind == "distortion":
        return ["--aperture", "IR-FIX"]
    if kind == "limits":
        return ["--config", "ACS/WFC"]
    if kind == "tradeoff":
        return ["-n", "2", "--size", "point"]
    return ["--pattern", "WFC3-IR-DITHER-BOX-MIN", "--element", "F125W"]


def group(postargs: str = GO_13417, *, aperture: str = "IR-FIX", size: str = "full") -> DitherGroup:
    choice = PatternChoice.given(parse_pairs(postargs, "--postargs"))
    setup = Setup(config="WFC3/IR", aperture=aperture, element="F125W")
    return Evaluator().evaluate_pattern(choice, setup, parse_size(size))


def texts_of(svg: bytes) -> str:
    """Return the text of a searchable SVG."""
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode()))


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        *((f"{kind}.svg", b"<?xml") for kind in KINDS),
        ("layout.svg", b"<?xml"),
        ("layout.png", b"\x89PNG"),
        ("layout.PDF", b"%PDF-"),
    ],
)
def test_the_same_picture_again_whatever_a_users_own_style(
    name: str, begins: bytes, tmp_path: Path
) -> None:
    import matplotlib as mpl

    kind, _, ending = name.partition(".")
    one, two = tmp_path / f"one.{ending}", tmp_path / f"two.{ending}"
    words = ["plot", kind, *options(kind), "-o"]
    result = invoke(*words, one)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30, "text.color": "red"}):
        assert invoke(*words, two).exit_code == 0
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().startswith(begins)
    assert b"<dc:date>" not in one.read_bytes()


@pytest.mark.parametrize("name", ["picture.gif", "picture", "svg"])
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    result = invoke("plot", "layout", *options("layout"), "-o", tmp_path / name)
    assert result.exit_code == 2
    assert ".png, .svg, .pdf" in result.stderr
    assert not (tmp_path / name).exists()


def test_a_picture_is_kept_unless_forced(undrawn: None, tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    path.write_text("mine", encoding="utf-8")
    assert invoke("plot", "layout", *options("layout"), "-o", path).exit_code == 2
    assert path.read_text(encoding="utf-8") == "mine"
    assert invoke("plot", "layout", *options("layout"), "-o", path, "--force").exit_code == 0


@pytest.mark.parametrize("command", [["plot", "layout"], ["report", str(EXAMPLES / "tight6.apt")]])
def test_without_matplotlib_one_line_says_what_to_do(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("aptdither.report.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path = tmp_path / ("p.svg" if command[0] == "plot" else "p.html")
    result = invoke(*command, "-o", path)
    assert result.exit_code == 2
    assert "pip install 'aptdither[plot]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not path.exists()


def test_the_layout_says_everything_that_it_is_of(tmp_path: Path) -> None:
    one = group(size="60arcsec")
    svg = style.render(
        lambda figure: pattern.draw_layout(figure, one),
        style.Kind.SVG,
        title="t",
        searchable=True,
    )
    text = texts_of(svg)
    for words in ("IR-FIX", "F125W", "N = 8", "60 arcsec", "aptdither ", "pixels", "arcsec"):
        assert words in text, words
    for point in one.points:
        assert f"{point.pos_targ.x_arcsec:.3f}" in text
    assert f"{one.coverage.worst.efficiency:.3f}" in text
    assert "-0.000" not in text


def test_text_of_a_proposal_is_drawn_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    number = "$\\frac{1}{0}$ &lt;b&gt;"
    path.write_bytes(
        proposal(visit(exposure(number), exposure("2", postarg=("1", "1")), number=number))
    )
    result = invoke("plot", "layout", "--proposal", path, "-o", tmp_path / "p.svg")
    assert result.exit_code == 0, result.output


def test_a_proposal_of_several_groups_asks_which(undrawn: None, tmp_path: Path) -> None:
    path, out = tmp_path / "in.apt", tmp_path / "p.svg"
    path.write_bytes(
        proposal(
            visit(
                exposure(1), exposure(2, element="F105W"), comments="@dither n=2 pattern=tight-2"
            ),
            visit(exposure(1, postarg=("1", "1")), exposure(2), number="02"),
        )
    )
    result = invoke("plot", "layout", "--proposal", path, "-o", out)
    assert result.exit_code == 2
    assert "F160W" in result.stderr
    assert "F105W" in result.stderr
    assert invoke("plot", "layout", "--proposal", path, "--group", 2, "-o", out).exit_code == 0
    only = invoke("plot", "layout", "--proposal", path, "--visit", "02", "-o", out, "--force")
    assert only.exit_code == 0
    assert invoke("plot", "layout", "--proposal", path, "--visit", "7", "-o", out).exit_code == 2
    assert invoke("plot", "map", "--proposal", path, "-o", tmp_path / "m.png").exit_code == 0


def test_a_tagged_group_is_drawn_as_it_will_be_dithered(undrawn: None, tmp_path: Path) -> None:
    path, out = tmp_path / "in.apt", tmp_path / "p.svg"
    path.write_bytes(proposal(visit(exposure(1, comments="@dither pattern=WFC3-IR-DITHER-LINE"))))
    assert invoke("plot", "layout", "--proposal", path, "-o", out).exit_code == 0
    assert "0.474,0.424" in out.read_text(encoding="utf-8")


# --- what is drawn ---------------------------------------------------------------------------------


def test_the_distortion_picture_has_the_numbers_of_figure_1() -> None:
    aperture = get_aperture("IR-FIX")
    nine = geometry.edges_and_corners(aperture)
    np.testing.assert_allclose((nine.x_pix[4], nine.y_pix[4]), (507.5, 507.5))
    np.testing.assert_allclose((nine.x_pix[6], nine.y_pix[6]), (25, 25))
    in_x = field.achieved(aperture, (10.0, 0.0), nine) - (10.0, 0.0)
    in_y = field.achieved(aperture, (0.0, 10.0), nine) - (0.0, 10.0)
    assert np.hypot(*in_x.T).max() == pytest.approx(0.147, abs=0.002)
    assert np.hypot(*in_y.T).max() == pytest.approx(0.33, abs=0.003)


def test_nine_places_are_in_the_region() -> None:
    small = group(size="20arcsec")
    nine, center = geometry.nine_places(small), small.coverage.field.center
    reach = np.hypot(nine.x_pix - center.x_pix, nine.y_pix - center.y_pix)
    assert reach[4] == 0
    # Ten arcsec are 74 to 83 pixels.
    assert np.all((reach[[0, 1, 2, 3, 5, 6, 7, 8]] > 70) & (reach[[0, 1, 2, 3, 5, 6, 7, 8]] < 86))
    assert geometry.outline(group(size="point")) == []
    (border,) = geometry.outline(group(aperture="IRSUB256"))
    np.testing.assert_allclose((border.x_pix.min(), border.x_pix.max()), (380, 635))


def test_the_border_of_the_region_moves_a_phase_as_coverage_says() -> None:
    one = group()
    (border,) = geometry.outline(one)
    np.testing.assert_allclose((border.x_pix[0], border.y_pix[0]), (1014, 1014))
    whole = coverage_map(one, 2)
    apart = geometry.offsets_over(one, whole.field) - whole.phases
    np.testing.assert_allclose(apart - np.rint(apart), 0, atol=1e-9)


def test_maps_hold_the_coverage_of_every_place() -> None:
    whole = coverage_map(group(), 5)
    found = maps.maps_of(group(), whole)["packing"]
    # Column by row: x first.
    assert found.values.shape == (1, 5, 5)
    x_pix, y_pix = found.places[0, 0, -1]
    assert x_pix < y_pix
    at = (whole.field.x_pix[1:] == x_pix) & (whole.field.y_pix[1:] == y_pix)
    expected = whole.packing[1:][at][0] / 0.36602540378443865
    assert found.values[0, 0, -1] == pytest.approx(expected)
    # Figure 5 of the ISR: the pattern is worst in the lower left corner.
    assert found.worst == pytest.approx(0.09, abs=0.01)
    assert found.worst_place.x_pix[0] < 50
    assert found.worst_place.y_pix[0] < 50


def test_two_patterns_share_one_scale() -> None:
    one, two = (
        maps.maps_of(one, coverage_map(one, 5)) for one in (group(), group("0,0 0.474,0.424"))
    )
    for name in ("efficiency", "packing"):
        values = [one[name].values, two[name].values]
        levels = maps.levels_of(values)
        assert levels[0] <= min(v.min() for v in values)
        assert max(v.max() for v in values) <= levels[-1] <= 1 + 1e-9
        assert np.all(np.diff(levels) > 0)


@pytest.mark.parametrize("value", [1.0, 0.5, 0.0, 0.99999])
def test_a_flat_map_has_a_scale(value: float) -> None:
    levels = maps.levels_of([np.full((3, 3), value)])
    assert len(levels) >= 2
    assert levels[0] <= value <= levels[-1]


def test_clusters_have_markers_of_their_own_and_outlines_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(
        proposal(visit(exposure(1, comments="@dither n=16 pattern=tight-8", element="F125W")))
    )
    from aptdither.apt.reader import parse_proposal
    from aptdither.planning.plan import make_plan

    (sixteen,) = make_plan(parse_proposal(path.read_bytes())).groups
    np.testing.assert_array_equal(geometry.clusters_of(sixteen), [0] * 8 + [1] * 8)
    center, (border,) = pattern.center_and_borders(sixteen)
    # The first exposure of each cluster stays; within a cluster phases move by fractions.
    for first in (0, 8):
        np.testing.assert_allclose(border[:, first], np.tile(center[first], (len(border), 1)))
    assert np.abs(border - center).max() < 0.5


def test_phases_that_coincide_get_one_label() -> None:
    one = group("0,0 0.474,0.424 0,0")
    phases = one.coverage.center_phases
    found, labels = pattern.merged(phases, pattern.labels_of(one))
    assert labels == ["1, 3", "2"]
    assert len(found) == 2


def test_filters_at_one_pointing_are_one_layout(undrawn: None, tmp_path: Path) -> None:
    filters = [exposure(k + 1, element="F125W" if k % 2 else "F160W") for k in range(8)]
    path, out = tmp_path / "in.apt", tmp_path / "p.svg"
    path.write_bytes(proposal(visit(*filters, comments="@dither pattern=tight-4")))
    assert invoke("plot", "layout", "--proposal", path, "-o", out).exit_code == 0
    assert "of IR F125W" in out.read_text(encoding="utf-8")
    assert "of IR F160W" in out.read_text(encoding="utf-8")


def test_labels_keep_off_points_and_each_other() -> None:
    axes = Figure().subplots()
    points = np.array([(0.0, 0.0), (0.1, 0.0), (0.0, 0.1), (0.1, 0.1)])
    style.label_points(axes, points, list("1234"), np.empty((0, 2)), reach=0.07)
    at = np.array([text.get_position() for text in axes.texts])
    everything = np.concatenate([points, at])
    apart = np.hypot(*(everything[:, None] - everything[None]).transpose(2, 0, 1))
    assert apart[np.triu_indices(8, 1)].min() > 0.05


def test_the_tradeoff_is_drawn_from_the_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aptdither.dither.optimizer.optimize import tradeoff
    from aptdither.planning import choice as choose

    view = View(get_aperture("IR"), get_element("F160W", "WFC3/IR"), Region.point())
    curve = tradeoff(2, view, (2.0, 15.0), seed=0)
    asked = []

    def two_spacings(n: int, *where: object, **options: object) -> object:
        asked.append(n)
        return curve

    monkeypatch.setattr(choose, "tradeoff", two_spacings)
    out = tmp_path / "t.svg"
    assert invoke("plot", "tradeoff", "-n", 2, "--size", "point", "-o", out).exit_code == 0
    assert asked == [2]
    svg = out.read_text(encoding="utf-8")
    for point in curve:
        assert f"{point.asked_spacing_pix:g},{point.efficiency_worst:.4f}" in svg


def test_the_fit_picture_counts_from_the_first_prediction() -> None:
    postargs = np.array([(0.0, 0.0), (0.542, 0.0)])
    measured = Measured(
        dataset="d",
        postargs_arcsec=postargs,
        positions_pix=np.array([(600.0, 480.0), (604.6, 480.2)]),
    )
    fit = fit_dithers(measured, get_aperture("IR-FIX"))
    draw = partial(curves.draw_fits, fits=[fit], facts=["here"])
    svg = style.render(draw, style.Kind.SVG, title="t", searchable=True)
    # Root mean square over both exposures; the first has no residual.
    x_rms, y_rms = np.abs(fit.residual_pix[1]) / np.sqrt(2)
    assert f"rms {x_rms:.3f}, {y_rms:.3f} pixels" in texts_of(svg)


def test_the_limits_picture_shows_the_closeness_of_the_catalogs_patterns(
    undrawn: None, tmp_path: Path
) -> None:
    out = tmp_path / "l.svg"
    assert invoke("plot", "limits", "--config", "WFC3/UVIS", "-o", out).exit_code == 0
    numbers = out.read_text(encoding="utf-8")
    assert "WFC3/UVIS" in numbers
    assert "WFC3/IR" not in numbers
    for n in (2, 9):
        near = closeness(load_catalog().get(f"uvis-tight-{n}"), views_of(f"uvis-tight-{n}"))
        assert f"{near.efficiency_worst:.4f},{near.packing_worst:.4f}" in numbers


def test_limits_draws_a_bound_only_where_it_is_below_one() -> None:
    shared = {"worst": 0.9, "unrounded": 0.91, "center": 0.95}
    figures = {f"{what}_{at}": v for what in ("efficiency", "packing") for at, v in shared.items()}
    found = [Closeness(n=n, efficiency_bound=bound, **figures) for n, bound in ((2, 0.96), (3, 1))]
    figure = Figure()
    curves.draw_limits(figure, {"a": found})
    upper, lower = figure.axes
    losses, packings = (
        [np.asarray(line.get_ydata(), float) for line in axes.lines] for axes in (upper, lower)
    )
    np.testing.assert_allclose(losses, [(0.04, np.nan), (0.05,) * 2, (0.09,) * 2, (0.1,) * 2])
    np.testing.assert_allclose(packings, [(1, 1), (0.95,) * 2, (0.91,) * 2, (0.9,) * 2])


def test_usage_errors_say_what_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "p.svg"
    assert "--measured" in invoke("plot", "fit", "-o", out).stderr
    assert invoke("plot", "layout", "-o", out).exit_code == 2
    assert "WFC3/IR" in invoke("plot", "limits", "--config", "ACS/SBC", "-o", out).stderr
    assert "--config" in invoke("plot", "limits", "--element", "F160W", "-o", out).stderr
    both = invoke("plot", "layout", "--pattern", "tight-2", "--pattern", "tight-3", "-o", out)
    assert both.exit_code == 2
    assert "--group" in both.stderr
    assert invoke("plot", "layout", "--pattern", "nothing-7", "-o", out).exit_code == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("kind", "aperture"),
    [("layout", "UVIS"), ("map", "WFC"), ("field", "UVIS"), ("distortion", "WFC")],
)
def test_two_chips_are_drawn_with_their_gap_and_their_names(
    kind: str, aperture: str, tmp_path: Path
) -> None:
    where = ["--aperture", aperture]
    if kind != "distortion":
        where += ["--postargs", "0,0 0.099,0.040", "--size", "60arcsec"]
    assert invoke("plot", kind, *where, "-o", tmp_path / "p.svg").exit_code == 0


def test_the_gap_lies_between_the_chips() -> None:
    (_, upper), (_, lower) = sorted(
        geometry.chip_borders(get_aperture("UVIS")), key=lambda one: -one[1][:, 1].mean()
    )
    # 31 pixels of 0.04 arcsec.
    apart = upper[np.argmin(upper[:, 0]), 1]
    assert upper[:, 1].min() > lower[np.argmin(lower[:, 0]), 1]
    assert apart > lower[:, 1].mean()
    one = Evaluator().evaluate_pattern(
        PatternChoice.given([(0.0, 0.0), (0.099, 0.04)]),
        Setup(config="WFC3/UVIS", aperture="UVIS", element="F606W"),
        parse_size("60arcsec"),
    )
    (rim,) = geometry.outline(one)
    assert set(rim.chip) == {1, 2}
    found = maps.maps_of(one, coverage_map(one, 3))["efficiency"]
    assert found.values.shape == (2, 3, 3)
    assert found.where.startswith(("UVIS1 pixel", "UVIS2 pixel"))
