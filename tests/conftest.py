"""Shared fixtures and the Hypothesis profiles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "nightly", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("APTDITHER_HYPOTHESIS", "quick"))


def find_apt_dir() -> Path | None:
    """Return the folder of real and made .apt files, or None where it is not."""
    named = os.environ.get("APTDITHER_APT_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[2].joinpath("shared", "apt")
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def apt_dir() -> Path:
    """Folder of real and made .apt files that is not part of this project."""
    folder = find_apt_dir()
    if folder is None:
        pytest.skip("no folder of .apt files (set APTDITHER_APT_DIR)")
    return folder
