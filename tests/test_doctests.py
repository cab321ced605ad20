"""The examples in the docstrings of optics and dither run."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = [
    "aptdither.types",
    "aptdither.optics.aperture",
    "aptdither.optics.detector",
    "aptdither.optics.filters",
    "aptdither.dither.catalog",
    "aptdither.dither.coverage",
    "aptdither.dither.phases",
    "aptdither.dither.region",
    "aptdither.dither.optimizer.limits",
    "aptdither.dither.optimizer.optimize",
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str) -> None:
    results = doctest.testmod(import_module(name))
    assert results.attempted
    assert not results.failed
