"""The catalogue: what is built in, what an observer adds, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from aptdither.dither.catalog import (
    DESIGNED_FILE,
    KNOWN_FILE,
    Catalog,
    load_catalog,
    patterns_from_json,
)
from aptdither.dither.catalog_ecsv import read_ecsv, write_ecsv
from aptdither.dither.pattern import Pattern
from aptdither.dither.phases import min_separation
from aptdither.errors import AptDitherError, CatalogError, ManyErrors
from aptdither.optics.aperture import get_aperture
from tests.tools.build_catalog import patterns_as_json

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "aptdither" / "data"
OWN = [f"{kind}-{n}" for kind in ("tight", "wide") for n in range(2, 10)]

# POS TARGs of the stock patterns, and the pixels the handbook says they are.
STOCK = {
    "WFC3-IR-DITHER-LINE": ([(0, 0), (0.474, 0.424)], [(0, 0), (3.5, 3.5)]),
    "WFC3-IR-DITHER-LINE-3PT": (
        [(0, 0), (0.451, 0.403), (0.902, 0.806)],
        [(0, 0), (3.33, 3.33), (6.67, 6.67)],
    ),
    "WFC3-IR-DITHER-BOX-MIN": (
        [(0, 0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303)],
        [(0, 0), (4, 1.5), (2.5, 4), (-1.5, 2.5)],
    ),
    "3d-hst": (
        [(0, 0), (1.355, 0.424), (0.881, 1.212), (-0.474, 0.788)],
        [(0, 0), (10, 3.5), (6.5, 10), (-3.5, 6.5)],
    ),
}


@pytest.mark.parametrize("name", STOCK)
def test_stock_patterns_are_the_sourced_pos_targs(name: str) -> None:
    postargs, pixels = STOCK[name]
    pattern = load_catalog().get(name)
    for aperture in (get_aperture("IR"), get_aperture("IR-FIX")):
        assert_allclose(pattern.postargs(aperture), postargs, atol=1e-12)
    # The handbook's pixels hold at the detector's centre, to the rounding of three decimals and
    # to its one plate scale for the whole of it.
    assert_allclose(pattern.offsets_pix(get_aperture("IR-FIX")), pixels, atol=0.06)


@pytest.mark.parametrize("file", [KNOWN_FILE, DESIGNED_FILE])
def test_the_data_files_obey_their_schema_and_say_where_they_come_from(file: str) -> None:
    data = json.loads((DATA / file).read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "schemas" / "patterns.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, schema)
    for pattern in load_catalog():
        assert pattern.config
        assert pattern.source
        assert pattern.rebuild
        assert pattern.version
        assert pattern.meaning


def test_our_own_patterns_are_all_there_begin_at_zero_and_keep_their_spacing() -> None:
    catalog = load_catalog()
    aperture = get_aperture("IR")
    assert [name for name in catalog.names if name in OWN] == OWN
    separation = {}
    for name in OWN:
        pattern = catalog.get(name)
        assert pattern.n == int(name[-1])
        assert pattern.points[0] == (0.0, 0.0)
        # A pattern that this project designs is never called the ISR's.
        assert "ISR" not in pattern.name
        written = pattern.postargs(aperture)
        x, y = aperture.offset_from_postarg(written[:, 0], written[:, 1])
        separation[name] = min_separation(np.stack([x, y], axis=-1))
    for n in range(2, 10):
        assert 2.0 <= separation[f"tight-{n}"] < separation[f"wide-{n}"]


def test_a_designed_file_is_written_as_it_is_read() -> None:
    text = (DATA / DESIGNED_FILE).read_text(encoding="utf-8")
    data = json.loads(text)
    again = patterns_as_json(
        patterns_from_json(text), description=data["description"], generated=data["generated"]
    )
    assert again == text


def test_pixel_patterns_go_through_the_polynomial_and_are_rounded() -> None:
    pattern = Pattern(name="p", points=((0.0, 0.0), (100.0, -40.25)), frame="pix")
    for name in ("IR", "IR-FIX"):
        aperture = get_aperture(name)
        exact = aperture.postarg_from_offset(100.0, -40.25)
        written = pattern.postargs(aperture)[1]
        assert_allclose(written, exact, atol=0.00051)
        assert_allclose(written, np.round(written, 3), atol=1e-15)
    ir, fix = (pattern.postargs(get_aperture(name))[1] for name in ("IR", "IR-FIX"))
    assert abs(ir[1] - fix[1]) > 0.005  # one plate scale for both would not do
    assert_allclose(pattern.offsets_pix(get_aperture("IR")), pattern.points)


def test_zero_is_never_negative() -> None:
    pattern = Pattern(name="p", points=((-0.0001, -0.0),), frame="postarg")
    assert str(pattern.postargs(get_aperture("IR")).tolist()) == "[[0.0, 0.0]]"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"name": "a b"}, "cannot be called 'a b'", id="space in name"),
        pytest.param({"name": ""}, "cannot be called ''", id="no name"),
        pytest.param({"name": "é"}, "cannot be called 'é'", id="not ASCII"),
        pytest.param({"points": ()}, "1 to 1000 points, not 0", id="no points"),
        pytest.param({"points": ((0.0, 0.0),) * 1001}, "not 1001", id="too many"),
        pytest.param({"points": ((0.0, float("nan")),)}, "point 1 is not two finite", id="NaN"),
        pytest.param({"frame": "deg"}, "the frame is pix or postarg, not 'deg'", id="frame"),
    ],
)
def test_patterns_that_cannot_be(changes: dict[str, object], message: str) -> None:
    values: dict[str, object] = {"name": "p", "points": ((0.0, 0.0),), "frame": "pix", **changes}
    with pytest.raises(CatalogError, match=message):
        Pattern(**values)  # type: ignore[arg-type]


# Names.


@pytest.mark.parametrize("name", ["TIGHT-6", "tight-6", "Tight-6"])
def test_case_does_not_matter(name: str) -> None:
    assert load_catalog().get(name).name == "tight-6"
    assert name in load_catalog()


def test_a_near_miss_is_told_what_is_near() -> None:
    with pytest.raises(CatalogError, match=r"no pattern 'tihgt-6' .* did you mean tight-6"):
        load_catalog().get("tihgt-6")
    with pytest.raises(CatalogError, match=r"did you mean WFC3-IR-DITHER-BOX-MIN"):
        load_catalog().get("BOX-min")
    with pytest.raises(CatalogError, match=r"`aptdither patterns` lists them"):
        load_catalog().get("zzzzzz")


def test_catalog_by_size() -> None:
    eight = load_catalog().of_size(8, "WFC3/IR")
    assert [pattern.name for pattern in eight] == ["go-13417", "tight-8", "wide-8"]
    four = [pattern.name for pattern in load_catalog().of_size(4, "ACS/WFC")]
    assert four == ["ACS-WFC-DITHER-BOX", "acs-wfc-udf-box", "wfc-tight-4", "wfc-wide-4"]


def test_a_pattern_of_any_detector_and_one_of_a_prime_with_its_parallel() -> None:
    def pattern(name: str, config: str, parallel: str = "") -> Pattern:
        points = ((0.0, 0.0),)
        return Pattern(name=name, points=points, frame="pix", config=config, parallel=parallel)

    catalog = Catalog(
        patterns=(
            pattern("any", ""),
            pattern("ir", "WFC3/IR"),
            pattern("both", "WFC3/IR", "ACS/WFC"),
        )
    )
    assert [p.name for p in catalog.of_size(1, "WFC3/IR")] == ["any", "ir"]
    assert [p.name for p in catalog.of_size(1, "WFC3/IR", "ACS/WFC")] == ["any", "ir", "both"]
    assert [p.name for p in catalog.of_size(1, "ACS/WFC")] == ["any"]


def test_two_of_one_name_are_refused() -> None:
    one, two = (Pattern(name=name, points=((0.0, 0.0),), frame="pix") for name in ("a", "A"))
    with pytest.raises(CatalogError, match="two patterns are called A"):
        Catalog(patterns=(one, two))


# An observer's own file.

names = st.from_regex(r"[A-Za-z0-9._+-]{1,20}", fullmatch=True)
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40
)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x + 0.0)


@given(
    names,
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12),
    st.sampled_from(["pix", "postarg"]),
    texts.filter(lambda text: bool(text)),
    texts,
)
def test_what_is_written_is_read_back(
    name: str, points: list[tuple[float, float]], frame: str, source: str, note: str
) -> None:
    pattern = Pattern(
        name=name,
        points=tuple(points),
        frame=frame,  # type: ignore[arg-type]
        source=source,
        note=note,
    )
    file = io.StringIO()
    write_ecsv(pattern, file)
    assert read_ecsv(file.getvalue().encode()) == (pattern,)


def test_astropy_reads_what_is_written_with_its_units() -> None:
    from astropy import units
    from astropy.table import QTable

    file = io.StringIO()
    write_ecsv(load_catalog().get("WFC3-IR-DITHER-LINE"), file)
    table = QTable.read(file.getvalue(), format="ascii.ecsv")
    assert table["x"].unit == units.arcsec
    assert table["y"][1] == 0.424 * units.arcsec
    assert "STIPS" in table.meta["source"]


def ecsv(
    *rows: str, columns: str = "pattern point x y", units: str = "pix", types: str = ""
) -> bytes:
    kinds = {"pattern": "string", "point": "int64", "x": "float64", "y": "float64"}
    header = [
        f"# - {{name: {name}, "
        + (f"unit: {units}, " if name in "xy" and units else "")
        + f"datatype: {types if types and name in 'xy' else kinds.get(name, 'string')}}}"
        for name in columns.split()
    ]
    return "\n".join(["# %ECSV 1.0", "# ---", "# datatype:", *header, columns, *rows, ""]).encode()


def test_a_catalogue_of_two_patterns() -> None:
    source = ecsv("b 2 1.5 2.5", "a 1 0 0", "b 1 0 0", "b 3 -3 1")
    b, a = read_ecsv(source)
    assert (b.name, b.points) == ("b", ((0.0, 0.0), (1.5, 2.5), (-3.0, 1.0)))
    assert (a.name, a.points, a.frame) == ("a", ((0.0, 0.0),), "pix")
    assert a.source == "a catalog file of the observer's own"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(ecsv(), "has no rows", id="empty"),
        pytest.param(ecsv("a 1 nan 0"), "row 1, column x is nan", id="NaN"),
        pytest.param(ecsv("a 1 0 0", "a 2 0 -inf"), "row 2, column y is -inf", id="infinite"),
        pytest.param(ecsv('a 1 0 ""'), "row 1, column y is empty", id="empty cell"),
        pytest.param(ecsv('"a b" 1 0 0'), "row 1, column pattern: .* called 'a b'", id="name"),
        pytest.param(ecsv("a 1 0 0", "A 2 0 0"), "row 2, column pattern: A and a", id="case"),
        pytest.param(ecsv("a 1 0 0", "a 1 1 1"), "row 2, column point: .* found 1", id="twice"),
        pytest.param(ecsv("a 1 0 0", "a 3 1 1"), "row 2, column point: .* found 3", id="gap"),
        pytest.param(ecsv("a 5 0 0"), "row 1, column point: .* found 5", id="late start"),
        pytest.param(ecsv("a 1 0 0", units="deg"), "column x is in deg", id="unit"),
        pytest.param(ecsv("a 1 0 0", units=""), "column x has no unit", id="no unit"),
        pytest.param(ecsv("a 1 p q", types="string"), "column x holds text: one number", id="text"),
        pytest.param(ecsv("a 1 0", columns="pattern point x"), "column y is missing", id="no y"),
        pytest.param(
            ecsv("a 0 0", "b 0 0", "a 1 1", columns="pattern x y"),
            r"pattern a do not stand together \(rows 1 and 3\)",
            id="twice without order",
        ),
        pytest.param(
            ecsv(*(f"a {k} 0 0" for k in range(1, 1002))), "1 to 1000 points, not 1001", id="many"
        ),
        pytest.param(b"pattern,x,y\na,0,0\n", "not ECSV: its first line", id="plain CSV"),
        pytest.param(b"\xff\xfe\x00", "not UTF-8", id="bytes"),
        pytest.param(b"# %ECSV 1.0\n# ---\n# {{{\na\n", "not readable as ECSV", id="YAML"),
        pytest.param(b"# %ECSV 1.0\n", "not readable as ECSV", id="cut short"),
    ],
)
def test_mistakes_in_a_catalogue_are_named(source: bytes, message: str) -> None:
    with pytest.raises(AptDitherError, match=message) as raised:
        read_ecsv(source, path="mine.ecsv")
    assert str(raised.value).startswith("mine.ecsv: ")


def test_all_mistakes_of_a_file_are_listed_with_their_place() -> None:
    with pytest.raises(ManyErrors) as raised:
        read_ecsv(ecsv("a 1 nan 0", "a 2 0 nan"), path="mine.ecsv")
    assert raised.value.lines() == (
        "mine.ecsv: row 1, column x is nan: no finite number",
        "mine.ecsv: row 2, column y is nan: no finite number",
    )


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_a_crash(garbage: bytes) -> None:
    with pytest.raises(AptDitherError):
        read_ecsv(b"# %ECSV 1.0\n# ---\n" + garbage)


def test_an_observers_patterns_come_after_the_built_in_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.ecsv"
    path.write_bytes(ecsv("mine 1 0 0", "mine 2 3.5 0.5"))
    catalog = load_catalog(path)
    assert catalog.names == (*load_catalog().names, "mine")
    assert catalog.get("MINE").n == 2
    assert len(load_catalog()) == len(catalog) - 1


def test_a_built_in_name_cannot_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.ecsv"
    path.write_bytes(ecsv("Tight-6 1 0 0"))
    with pytest.raises(CatalogError, match=r"mine\.ecsv: Tight-6 is the name of a built-in"):
        load_catalog(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="does not exist"):
        load_catalog(tmp_path / "absent.ecsv")
    with pytest.raises(CatalogError, match="is a directory or a device"):
        load_catalog(tmp_path)
    large = tmp_path / "large.ecsv"
    with large.open("wb") as file:
        file.truncate(5_000_001)
    with pytest.raises(CatalogError, match="larger than 5000000 bytes"):
        load_catalog(large)
