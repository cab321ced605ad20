"""Spectral elements, and the one wavelength that represents each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from aptdither.errors import OpticsError


class ElementKind(StrEnum):
    """What a spectral element is."""

    FILTER = "filter"
    GRISM = "grism"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralElement:
    """A filter or grism.

    Attributes
    ----------
    name : str
        As APT writes it, such as ``F160W``.
    kind : ElementKind
    wavelength_nm : float
        A filter's pivot wavelength; of a grism the middle of its useful range.
    note : str
        For people: what the wavelength is.
    """

    name: str
    kind: ElementKind
    wavelength_nm: float
    note: str


def element_names(config: str) -> tuple[str, ...]:
    """Return the names of all spectral elements of a configuration, bluest filter first."""
    return tuple(_elements(config))


def get_element(name: str, config: str) -> SpectralElement:
    """Return a spectral element by the name that APT writes, in any case.

    Raises
    ------
    OpticsError
        For a name or configuration that is not known, with those that are; for an element of APT
        that is not supported, with the reason.

    Examples
    --------
    >>> get_element("f160w", "WFC3/IR").wavelength_nm
    1536.9
    """
    elements, wanted = _elements(config), name.strip().upper()
    if wanted in elements:
        return elements[wanted]
    refused = _tables()["refused"].get(config, {})
    for word in re.findall(r"\w+", wanted):  # APT may give a filter and a polarizer
        if word in refused:
            raise OpticsError(
                f"spectral element {name!r} of {config} is not supported: {refused[word]}"
            )
    raise OpticsError(
        f"spectral element {name!r} is not known for {config}; it is one of {', '.join(elements)}"
    )


@cache
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(
        files("aptdither").joinpath("data", "spectral-elements.json").read_text(encoding="utf-8")
    )
    return tables


@cache
def _elements(config: str) -> dict[str, SpectralElement]:
    configs = _tables()["configs"]
    if config not in configs:
        raise OpticsError(
            f"no spectral elements are known for {config!r}, only for {', '.join(configs)}"
        )
    return {name: _element(name, facts) for name, facts in configs[config].items()}


def _element(name: str, facts: dict[str, Any]) -> SpectralElement:
    kind = ElementKind(facts["kind"])
    if kind is ElementKind.GRISM:
        blue, red = facts["range_nm"]
        wavelength = (blue + red) / 2
        note = f"middle of the grism's range, {blue:.0f} to {red:.0f} nm"
    else:
        wavelength = facts["pivot_nm"]
        note = "pivot wavelength"
    return SpectralElement(name=name, kind=kind, wavelength_nm=wavelength, note=note)
