"""Spectral elements and their wavelengths."""

from __future__ import annotations

import re

import pytest

from aptdither.errors import OpticsError
from aptdither.optics.detector import supported_configs
from aptdither.optics.filters import element_names, get_element


def test_every_element_of_apt_is_known() -> None:
    """The WFC3/IR spectral elements that APT offers for imaging and slitless spectra."""
    wide, medium = (
        {"F105W", "F110W", "F125W", "F140W", "F160W"},
        {"F098M", "F127M", "F139M", "F153M"},
    )
    narrow = {"F126N", "F128N", "F130N", "F132N", "F164N", "F167N"}
    assert set(element_names("WFC3/IR")) == wide | medium | narrow | {"G102", "G141"}


@pytest.mark.parametrize(
    ("config", "name", "pivot_nm"),
    [
        # WFC3 Instrument Handbook, table 7.2.
        ("WFC3/IR", "F098M", 986.4),
        ("WFC3/IR", "F105W", 1055.2),
        ("WFC3/IR", "F125W", 1248.6),
        ("WFC3/IR", "F160W", 1536.9),
        ("WFC3/IR", "F167N", 1664.2),
        # The same, table 6.2: of the system. F280N leaks red light: its own band's.
        ("WFC3/UVIS", "F606W", 588.92),
        ("WFC3/UVIS", "F814W", 803.91),
        ("WFC3/UVIS", "F280N", 279.7),
        # STScI ETC User Guide: of the system.
        ("ACS/WFC", "F814W", 806.0),
        ("ACS/SBC", "F150LP", 161.1),
    ],
)
def test_pivot_wavelengths(config: str, name: str, pivot_nm: float) -> None:
    element = get_element(name, config)
    assert element.wavelength_nm == pivot_nm
    assert element.kind == "filter"
    assert "pivot" in element.note


@pytest.mark.parametrize(
    ("config", "name"),
    [(config, n) for config in supported_configs() for n in element_names(config) if n[0] == "F"],
)
def test_a_filter_is_named_after_its_wavelength(config: str, name: str) -> None:
    """The digits are nanometers, of WFC3/IR hundredths of a micron: a slip of typing shows."""
    element = get_element(name, config)
    assert element.kind == "filter"
    found = re.fullmatch(r"FQ?(\d+)(LP|[NMWX])", name)
    assert found is not None
    nominal_nm = int(found[1]) * (10 if config == "WFC3/IR" else 1)
    if found[2] == "LP":  # the digits are where a long-pass filter begins
        assert nominal_nm < element.wavelength_nm < 3 * nominal_nm
    else:
        share = {"N": 0.012, "M": 0.045, "W": 0.065, "X": 0.065}[found[2]]
        assert abs(element.wavelength_nm / nominal_nm - 1) < share


def test_elements_stand_from_blue_to_red() -> None:
    for config in supported_configs():
        filters = [get_element(n, config) for n in element_names(config) if n[0] == "F"]
        wavelengths = [element.wavelength_nm for element in filters]
        assert wavelengths == sorted(wavelengths)


@pytest.mark.parametrize(
    ("name", "config", "reason"),
    [
        ("FR459M", "ACS/WFC", "a ramp filter"),
        ("POL0V", "ACS/WFC", "polarizers"),
        ("F606W, POL60V", "ACS/WFC", "polarizers"),
        ("G800L", "ACS/WFC", "no reference point"),
        ("PR110L", "ACS/SBC", "a prism"),
    ],
)
def test_what_is_not_supported_is_refused_by_name_with_a_way_out(
    name: str, config: str, reason: str
) -> None:
    with pytest.raises(
        OpticsError, match=f"'{name}' of {config} is not supported: .*{reason}"
    ) as e:
        get_element(name, config)
    assert "use APT's own patterns" in str(e.value)


@pytest.mark.parametrize(("name", "middle_nm"), [("G102", 975.0), ("G141", 1387.5)])
def test_a_grism_is_the_middle_of_its_range_and_says_so(name: str, middle_nm: float) -> None:
    element = get_element(name, "WFC3/IR")
    assert (element.kind, element.wavelength_nm) == ("grism", middle_nm)
    assert "middle of the grism's range" in element.note


def test_names_are_read_kindly() -> None:
    assert get_element(" f160w ", "WFC3/IR") is get_element("F160W", "WFC3/IR")


def test_unknown_names_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(OpticsError, match=r"'F999W' is not known for WFC3/IR; it is one of F098M,"):
        get_element("F999W", "WFC3/IR")
    with pytest.raises(OpticsError, match=r"no spectral elements are known for 'NICMOS'"):
        get_element("F160W", "NICMOS")
