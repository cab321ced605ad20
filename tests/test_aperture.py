"""Apertures, their data, and the ISR's own numbers (WFC3 ISR 2016-14)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from aptdither.errors import OpticsError
from aptdither.optics.aperture import Aperture, aperture_names, get_aperture
from aptdither.optics.detector import get_detector, supported_configs
from aptdither.types import FloatArray

TOP = Path(__file__).resolve().parents[1]

#: Table 2: commanded POS TARGs (arcsec), observed and modelled positions of one star (pixels).
POSTARGS = np.array(
    [
        [0.00000, 0.00000],
        [0.61181, -0.00001],
        [0.30681, 0.27324],
        [0.91864, 0.27326],
        [0.00178, 0.54654],
        [0.61365, 0.54653],
        [0.30862, 0.81985],
        [0.92052, 0.81987],
    ]
)
OBSERVED = np.array(
    [
        [611.003, 484.382],
        [615.517, 484.346],
        [613.302, 486.590],
        [617.819, 486.590],
        [611.039, 488.886],
        [615.582, 488.895],
        [613.338, 491.215],
        [617.851, 491.194],
    ]
)
MODELLED = np.array(
    [
        [611.003, 484.382],
        [615.524, 484.360],
        [613.264, 486.632],
        [617.784, 486.610],
        [611.003, 488.904],
        [615.524, 488.882],
        [613.264, 491.154],
        [617.784, 491.132],
    ]
)
#: The eight places of Figure 1: edges and corners, 25 pixels inside.
EDGES = [(x, y) for y in (25.0, 507.0, 989.0) for x in (25.0, 507.0, 989.0) if (x, y) != (507, 507)]


def predicted(aperture: Aperture) -> FloatArray:
    """Put Table 2's star where the commanded POS TARGs should have put it."""
    moves = aperture.offset_from_postarg(*POSTARGS.T, at=(611.003, 484.382))
    return np.asarray(OBSERVED[0] + np.stack(moves, axis=-1))


# --- the data ------------------------------------------------------------------------------------


def test_every_aperture_of_apt_is_known() -> None:
    subarrays = [f"IRSUB{n}{fix}" for n in (64, 128, 256, 512) for fix in ("", "-FIX")]
    grism = [f"GRISM{n}" for n in (1024, 512, 256, 128, 64)]
    full = ["IR", "IR-FIX", "IR-UVIS", "IR-UVIS-CENTER", "IR-UVIS-FIX", "G102-REF", "G141-REF"]
    assert sorted(aperture_names("WFC3/IR")) == sorted(full + subarrays + grism)


@pytest.mark.parametrize(
    ("name", "element", "siaf_name", "reference_1024", "scales"),
    [
        ("IR", None, "IIR", (562, 562), (0.135601, 0.121307)),
        ("IR", "F160W", "IIR", (562, 562), (0.135601, 0.121307)),
        ("IR", "G102", "IIRGRSM102", (497, 562), (0.135603, 0.121308)),
        ("IR", "G141", "IIRGRSM141", (497, 562), (0.135603, 0.121308)),
        ("IR-FIX", "F125W", "IIRFIX", (512, 512), (0.135437, 0.120944)),
        ("IRSUB64-FIX", None, "IIRS64FIX", (512, 512), (0.135437, 0.120944)),
        ("IRSUB512", None, "IIRS512", (522, 522), (0.135470, 0.121017)),
        ("IRSUB64", None, "IIRS64", (522, 522), (0.135470, 0.121017)),
        ("G102-REF", "F105W", "IIR102REF", (497, 562), (0.135603, 0.121308)),
        ("G141-REF", "G141", "IIR141REF", (497, 562), (0.135603, 0.121308)),
        ("GRISM1024", "G141", "IIR1024G", (497, 562), (0.135603, 0.121308)),
        ("GRISM1024", "F140W", "IIR1024GRF", (497, 562), (0.135603, 0.121308)),
        ("GRISM512", "G102", "IIR512G", (505, 532), (0.135504, 0.121090)),
        ("GRISM512", "F140W", "IIR512GRF", (505, 532), (0.135504, 0.121090)),
        ("GRISM256", "G141", "IIR256G", (410, 532), (0.135508, 0.121091)),
        ("GRISM128", "G102", "IIR128G102", (376, 522), (0.13547, 0.12102)),
        ("GRISM128", "G141", "IIR128G141", (410, 522), (0.13547, 0.12102)),
        ("GRISM64", "F140W", "IIR64GRF", (496, 502), (0.13540, 0.12087)),
        ("IR-UVIS", None, "IIRUVIS", (490.94, 580.79), (0.135666, 0.121445)),
        ("IR-UVIS-FIX", None, "IIRUVISFIX", (490.94, 580.79), (0.135666, 0.121445)),
        ("IR-UVIS-CENTER", None, "IIRUVISCTR", (498.41, 487.86), (0.135357, 0.120769)),
    ],
)
def test_reference_pixels_and_scales_are_the_siafs(
    name: str,
    element: str | None,
    siaf_name: str,
    reference_1024: tuple[float, float],
    scales: tuple[float, float],
) -> None:
    """HST SIAF 1.90: reference pixel in its 1024 frame, scales at it in arcsec per pixel."""
    aperture = get_aperture(name, element)
    assert aperture.siaf_name == siaf_name
    assert_allclose(np.add(aperture.reference_pix, 5.0), reference_1024, atol=0.005)
    decimals = 1e-5 if scales[0] == 0.13547 and scales[1] == 0.12102 else 6e-6
    assert_allclose(aperture.scale_at(*aperture.reference_pix), scales, atol=decimals)
    assert_allclose(aperture.ideal_from_pixel(*aperture.reference_pix), (0.0, 0.0), atol=1e-15)


def test_scales_are_lengths_of_single_pixels() -> None:
    aperture = get_aperture("IR")
    for x, y in [(25.0, 25.0), (980.0, 300.0), (507.0, 1000.0)]:
        along_x = np.subtract(
            aperture.ideal_from_pixel(x + 0.5, y), aperture.ideal_from_pixel(x - 0.5, y)
        )
        along_y = np.subtract(
            aperture.ideal_from_pixel(x, y + 0.5), aperture.ideal_from_pixel(x, y - 0.5)
        )
        lengths = np.hypot(*along_x), np.hypot(*along_y)
        assert_allclose(aperture.scale_at(x, y), lengths, rtol=0, atol=1e-10)


def test_grism_and_direct_image_share_an_origin_only_where_the_siaf_says_so() -> None:
    assert get_aperture("IR", "G141").reference_pix != get_aperture("IR", "F140W").reference_pix
    grism, direct = get_aperture("GRISM1024", "G141"), get_aperture("GRISM1024", "F140W")
    assert grism.reference_pix == direct.reference_pix


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("IR", 1, 1014),
        ("GRISM1024", 1, 1014),
        ("IRSUB512", 252, 763),
        ("IRSUB64-FIX", 476, 539),
        ("GRISM256", 380, 635),
        ("GRISM128", 444, 571),
    ],
)
def test_what_is_read(name: str, first: int, last: int) -> None:
    readout = get_aperture(name).readout
    assert (readout.x_min, readout.x_max) == (readout.y_min, readout.y_max) == (first, last)
    assert readout.center == (507.5, 507.5)


def test_the_data_say_where_they_come_from() -> None:
    provenance = get_aperture("IR").provenance
    assert "siaf.dat-1.90" in provenance["source"]
    assert provenance["retrieved"] == "2026-11-23"
    assert len(provenance["sha256"]) == 64
    data = files("aptdither").joinpath("data")
    table = data.joinpath("README.md").read_text(encoding="utf-8")
    for name in ("wfc3ir-apertures.json", "spectral-elements.json"):
        assert f"`{name}`" in table
        assert json.loads(data.joinpath(name).read_text(encoding="utf-8"))["provenance"]["source"]


@pytest.mark.skipif(importlib.util.find_spec("pysiaf") is None, reason="pysiaf is not installed")
def test_the_data_are_what_the_siaf_gives(tmp_path: Path) -> None:
    script = TOP / "tests" / "tools" / "rebuild_apertures.py"
    subprocess.run([sys.executable, str(script), "--output", str(tmp_path)], check=True, timeout=60)
    for config in supported_configs():
        name = get_detector(config).siaf_file
        kept = files("aptdither").joinpath("data", name)
        assert (tmp_path / name).read_bytes() == kept.read_bytes(), name


# --- asking for an aperture ----------------------------------------------------------------------


def test_names_are_read_kindly_and_apertures_are_kept() -> None:
    assert get_aperture(" ir-fix ", "f160w") is get_aperture("IR-FIX", "F160W")


@pytest.mark.parametrize(
    ("name", "element", "config", "message"),
    [
        ("IRR", None, "WFC3/IR", r"'IRR' is not known; for WFC3/IR it is one of IR, IR-FIX,"),
        ("IR", "F999W", "WFC3/IR", r"'F999W' is not known for WFC3/IR; it is one of F098M,"),
        ("HRC", None, "ACS/HRC", r"'ACS/HRC' is not supported; supported: WFC3/IR, WFC3/UVIS,"),
    ],
)
def test_unknown_names_are_refused_with_those_that_are_known(
    name: str, element: str | None, config: str, message: str
) -> None:
    with pytest.raises(OpticsError, match=message):
        get_aperture(name, element, config=config)


# --- POS TARGs -----------------------------------------------------------------------------------


@given(
    st.tuples(st.floats(1.0, 1014.0), st.floats(1.0, 1014.0)),
    st.tuples(st.floats(-30.0, 30.0), st.floats(-30.0, 30.0)),
)
def test_a_postarg_and_its_move_belong_together(
    at: tuple[float, float], postarg: tuple[float, float]
) -> None:
    aperture = get_aperture("IR")
    move = aperture.offset_from_postarg(*postarg, at=at)
    assert_allclose(aperture.postarg_from_offset(*move, at=at), postarg, rtol=0, atol=1e-9)
    x, y = aperture.ideal_from_pixel(*at)
    landed = aperture.pixel_from_ideal(x + postarg[0], y + postarg[1])
    assert_allclose(np.add(at, move), landed, rtol=0, atol=2e-9)


def test_postargs_do_not_accumulate_but_their_moves_do() -> None:
    """To go there in one step or in two is the same: POS TARGs add in the ideal frame."""
    aperture = get_aperture("IR-FIX")
    at = (25.0, 25.0)
    first = aperture.offset_from_postarg(0.6, 0.2, at=at)
    second = aperture.offset_from_postarg(0.3, -0.5, at=(at[0] + first[0], at[1] + first[1]))
    both = aperture.offset_from_postarg(0.9, -0.3, at=at)
    assert_allclose(np.add(first, second), both, rtol=0, atol=2e-9)


def test_moves_broadcast_over_postargs_and_places() -> None:
    aperture = get_aperture("IR")
    x_pix, y_pix = np.meshgrid(np.linspace(1, 1014, 9), np.linspace(1, 1014, 9))
    moves = aperture.offset_from_postarg(*POSTARGS.T[:, :, None, None], at=(x_pix, y_pix))
    assert moves[0].shape == moves[1].shape == (8, 9, 9)
    one = aperture.offset_from_postarg(*POSTARGS[3], at=(x_pix[2, 5], y_pix[2, 5]))
    assert_allclose([axis[3, 2, 5] for axis in moves], one, rtol=0, atol=2e-9)
    at_fiducial = aperture.offset_from_postarg(*POSTARGS[3])
    explicit = aperture.offset_from_postarg(*POSTARGS[3], at=aperture.reference_pix)
    assert_allclose(at_fiducial, explicit, rtol=0, atol=1e-12)


def test_quantities_are_welcome_at_the_door() -> None:
    units = pytest.importorskip("astropy.units")
    aperture = get_aperture("IR")
    plain = aperture.offset_from_postarg(0.9, 0.3, at=(100.0, 200.0))
    given_units = aperture.offset_from_postarg(
        0.015 * units.arcmin, 300.0 * units.mas, at=(100.0 * units.pix, 200.0)
    )
    assert_allclose(given_units, plain, rtol=0, atol=1e-9)
    with pytest.raises(OpticsError, match="a value in arcsec is needed"):
        aperture.offset_from_postarg(0.9 * units.s, 0.3)


def test_optics_cost_no_astropy() -> None:
    code = (
        "import sys; from aptdither.optics.aperture import get_aperture;"
        "get_aperture('IR', 'F160W').offset_from_postarg(0.5, 0.5);"
        "assert not {'astropy', 'pysiaf', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- the ISR's numbers ---------------------------------------------------------------------------


def test_table_2_modelled_positions() -> None:
    assert np.abs(predicted(get_aperture("IR-FIX")) - MODELLED).max() < 0.004


def test_table_2_observed_positions() -> None:
    rms = np.sqrt(np.mean((predicted(get_aperture("IR-FIX")) - OBSERVED) ** 2, axis=0))
    assert_allclose(rms, (0.046, 0.035), atol=0.001)


@pytest.mark.parametrize(
    ("step", "worst", "where"), [((10.0, 0.0), 0.147, (989.0, 25.0)), ((0.0, 10.0), 0.331, None)]
)
def test_figure_1_ten_pixels_at_the_centre_are_not_ten_elsewhere(
    step: tuple[float, float], worst: float, where: tuple[float, float] | None
) -> None:
    """How far, in pixels, the step at the detector's edges and corners is from the wanted one."""
    aperture = get_aperture("IR-FIX")
    postarg = aperture.postarg_from_offset(*step, at=(507.0, 507.0))
    got = np.stack(aperture.offset_from_postarg(*postarg, at=tuple(np.array(EDGES).T)), axis=-1)
    misses = np.hypot(*(got - step).T)
    assert misses.max() == pytest.approx(worst, abs=0.0015)
    x_corner, y_corner = EDGES[int(np.argmax(misses))]
    assert {x_corner, y_corner} <= {25.0, 989.0}
    assert where is None or (x_corner, y_corner) == where


def test_figure_2_a_square_pattern_is_even_only_in_the_middle() -> None:
    """3 x 3 points over 10 x 10 pixels: steps of 4 2/3, so that all phases are thirds."""
    aperture = get_aperture("IR-FIX")
    steps = np.array([0.0, 14.0 / 3.0, 28.0 / 3.0])
    dx, dy = (grid.ravel() for grid in np.meshgrid(steps, steps))
    postargs = aperture.postarg_from_offset(dx, dy, at=(507.0, 507.0))

    def closest_phases(at: tuple[float, float]) -> float:
        phases = np.stack(aperture.offset_from_postarg(*postargs, at=at), axis=-1)
        gaps = phases[:, None] - phases
        gaps -= np.round(gaps)
        distances = np.hypot(gaps[..., 0], gaps[..., 1])
        return float(distances[np.triu_indices(9, 1)].min())

    assert closest_phases((507.0, 507.0)) == pytest.approx(1 / 3, abs=1e-9)
    for at in EDGES:
        if at[1] == 507.0:  # left and right it stays even; at the bottom and the top it does not
            assert closest_phases(at) > 0.33
        else:
            assert closest_phases(at) < 0.21
