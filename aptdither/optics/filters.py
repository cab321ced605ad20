"""Spectral elements, and the one wavelength that stands for each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from aptdither.errors import OpticsError


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralElement:
    """A filter or grism.

    Parameters
    ----------
    name : str
        As APT writes it, such as ``F160W``.
    kind : str
        ``filter`` or ``grism``.
    wavelength_nm : float
        A filter's pivot wavelength; of a grism the middle of its useful range.
    note : str
        For people: which of the two it is.
    """

    name: str
    kind: str
    wavelength_nm: float
    note: str


def element_names(config: str = "WFC3/IR") -> tuple[str, ...]:
    """Give the names of all spectral elements of a configuration, bluest filter first.

    Raises
    ------
    OpticsError
        For a configuration that is not known.
    """
    return tuple(_elements(config))


def get_element(name: str, config: str = "WFC3/IR") -> SpectralElement:
    """Give a spectral element by the name that APT writes, in any case.

    Raises
    ------
    OpticsError
        For a name or configuration that is not known; the message lists those that are.
    """
    elements = _elements(config)
    try:
        return elements[name.strip().upper()]
    except KeyError:
        raise OpticsError(
            f"spectral element {name!r} is not known for {config}; it is one of "
            + ", ".join(elements)
        ) from None


@cache
def _elements(config: str) -> dict[str, SpectralElement]:
    configs: dict[str, Any] = json.loads(
        files("aptdither").joinpath("data", "spectral-elements.json").read_text(encoding="utf-8")
    )["configs"]
    if config not in configs:
        raise OpticsError(
            f"no spectral elements are known for {config!r}, only for {', '.join(configs)}"
        )
    return {name: _element(name, facts) for name, facts in configs[config].items()}


def _element(name: str, facts: dict[str, Any]) -> SpectralElement:
    if facts["kind"] == "grism":
        blue, red = facts["range_nm"]
        wavelength = (blue + red) / 2
        note = f"middle of the grism's range, {blue:.0f} to {red:.0f} nm"
    else:
        wavelength = facts["pivot_nm"]
        note = "pivot wavelength"
    return SpectralElement(name=name, kind=facts["kind"], wavelength_nm=wavelength, note=note)
