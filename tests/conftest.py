"""Shared fixtures and the Hypothesis profiles."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from aptdither.planning import evaluation

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


@pytest.fixture(scope="module")
def remembered() -> Iterator[None]:
    """Evaluate each set of POS TARGs once, as one run does, but for all tests of a module.

    What is remembered are pure functions of their arguments.
    """

    def once(function: Callable[..., Any]) -> Callable[..., Any]:
        answers: dict[object, Any] = {}

        def answer(postargs: Any, *args: Any, **named: Any) -> Any:
            key = (np.asarray(postargs).tobytes(), args, tuple(sorted(named.items())))
            if key not in answers:
                answers[key] = function(postargs, *args, **named)
            return answers[key]

        return answer

    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (evaluation, "evaluate"),
            (evaluation, "expect"),
            (evaluation, "possible_metrics"),
        ):
            patch.setattr(module, name, once(getattr(module, name)))
        yield
