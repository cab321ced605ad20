"""Shared fixtures and the Hypothesis profiles."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from aptdither.dither.optimizer import limits
from aptdither.planning import choice, evaluation, receipts

#: Examples of each property: for the desk, for CI, and for a night.
for profile, examples in {"quick": 30, "ci": 100, "nightly": 2000}.items():
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
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


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let tests interrupt what they start, also where the tests run in a shell's background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the terminal that runs the tests out of what the commands print."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "APTDITHER_DEBUG"):
        monkeypatch.delenv(name, raising=False)


#: What the commands compute again and again: pure functions of their arguments.
PURE = {
    evaluation: ("evaluate", "expect", "possible_metrics"),
    choice: ("optimize", "widest_spacing", "tradeoff", "search_for", "offset_clusters"),
    receipts: ("offset_clusters",),
    limits: ("closeness",),
}


@pytest.fixture(scope="session", autouse=True)
def remembered() -> Iterator[None]:
    """Compute each coverage and each search once for all tests, where planning asks for it.

    Tests of these functions themselves import them from where they are defined.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module, names in PURE.items():
            for name in names:
                patch.setattr(module, name, _once(getattr(module, name)))
        yield


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    answers: dict[object, Any] = {}

    @functools.wraps(function)
    def answer(*args: Any, progress: object = None, **named: Any) -> Any:
        key = _plain(args), _plain(sorted(named.items()))
        if key not in answers:
            answers[key] = function(*args, **named)
        return answers[key]

    return answer


def _plain(value: Any) -> Any:
    """Return something that can be the key of a dictionary."""
    match value:
        case np.ndarray():
            return value.shape, value.tobytes()
        case list() | tuple():
            return tuple(map(_plain, value))
    return value


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write only what a picture says that it was drawn from, which takes no time.

    In a page, nothing.
    """
    style = pytest.importorskip("aptdither.report.plots.style")

    def describe(
        *_: object, description: str = "", searchable: bool = False, **__: object
    ) -> bytes:
        return b'<svg viewBox="0 0 9 9"></svg>' if searchable else description.encode()

    monkeypatch.setattr(style, "render", describe)
