"""One input through the whole road, and what must hold whatever it is."""

from __future__ import annotations

import io
import json
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import DitherRequest, Method
from aptdither.errors import AptDitherError, RewriteError
from aptdither.planning.evaluation import Evaluator
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import make_plan
from aptdither.report.check import CheckedFile, checked_as_json, print_checked
from aptdither.report.diff import unified_diff
from aptdither.report.json import findings_as_json, group_as_json
from aptdither.report.text import print_plan
from aptdither.review.reviewer import Reviewer, accept_plan

#: One input may take this long; the slowest good file of the corpus takes less than a second.
SECONDS = 20
#: And need so much more memory than the process had, bytes.
MEMORY = 2 << 30

#: A silent tag takes a catalogue pattern: searches have tests of their own and take seconds.
CAREFUL = Options(defaults=DitherRequest(method=Method.CATALOG))
BOLD = Options(
    defaults=DitherRequest(method=Method.CATALOG),
    sets=SetOptions(replace=True, replace_patterns=True, split_iterations=True, all_visits=True),
)


class Hang(BaseException):
    """An input took too long; not an Exception, so that nothing on the road can swallow it."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one input.

    Attributes
    ----------
    kind : str
        ``planned``, ``unchanged``, the class of the error that refused it, or ``fault``.
    fault : str
        What was wrong, with its traceback; "" when nothing was.
    seconds : float
        How long it took.
    megabytes : float
        Growth of the process to its peak; 0 where the system does not tell.
    """

    kind: str
    fault: str
    seconds: float
    megabytes: float


class Runner:
    """Runs inputs one after the other; what is remembered between them is remembered in life too."""

    def __init__(self) -> None:
        self.reviewer = Reviewer(evaluator=Evaluator(CAREFUL))

    def run(self, source: bytes, *, bold: bool = False, review: bool = False) -> Outcome:
        """Take one input through the road."""
        before = _forget_peak()
        start = time.perf_counter()
        try:
            with _limits(), warnings.catch_warnings():
                warnings.simplefilter("error")
                kind = self._road(source, BOLD if bold else CAREFUL)
                if review:
                    self._review(source)
            fault = ""
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            kind = "fault"
            fault = "".join(traceback.format_exception(error))[-3000:]
        seconds = time.perf_counter() - start
        return Outcome(
            kind=kind,
            fault=fault,
            seconds=seconds,
            megabytes=max(0.0, (_peak() - before) / 2**20),
        )

    def _road(self, source: bytes, options: Options) -> str:
        try:
            proposal = parse_proposal(source, "in.apt")
            new, plan = accept_plan(proposal, make_plan(proposal, options))
        except RewriteError:
            raise  # a fault of ours by its own words
        except AptDitherError as error:
            _check_error(error)
            return type(error).__name__
        if new == source:
            return "unchanged"
        again = parse_proposal(new, "in.apt")
        twice, _ = accept_plan(again, make_plan(again, options))
        assert twice == new, "a second run changes the file"
        wanted = [(point.number, point.pos_targ) for group in plan.groups for point in group.points]
        there = [
            (exposure.number, exposure.pos_targ)
            for visit in again.visits
            for exposure in visit.exposures
        ]
        for item in wanted:
            assert item in there, f"{item} was planned and is not in the file"
        _check_text(lambda console: print_plan(console, plan, path="in.apt"))
        report = [*map(group_as_json, plan.groups), *findings_as_json(plan.findings)]
        json.dumps(report, allow_nan=False).encode("ascii")
        encoding = proposal.document.source_encoding
        unified_diff(source, new, encoding=encoding, names=("in.apt", "out.apt"))
        return "planned"

    def _review(self, source: bytes) -> None:
        try:
            review = self.reviewer.review(parse_proposal(source))
        except AptDitherError as error:
            _check_error(error)
            return
        checked = CheckedFile(path="in.apt", findings=review.findings)
        json.dumps(checked_as_json(checked), allow_nan=False).encode("ascii")
        _check_text(lambda console: print_checked(console, checked))


def _check_error(error: AptDitherError) -> None:
    """Hold an error to what its reader needs: a place, words, and no more than a screen of them."""
    assert error.exit_code == 3
    lines = error.lines()
    assert lines
    for line in lines:
        assert line.strip()
        assert len(line) < 6000, f"a message of {len(line)} characters"
        assert "Error" not in line.split(":")[0]
        # A target off the detector can be meant; another error in the new file is a fault of apply.
        assert "the dithered file would have an error" not in line or "ADT306" in line


def _check_text(show: object) -> None:
    assert callable(show)
    file = io.StringIO()
    show(Console(file=file, width=80, no_color=True, highlight=False))
    text = file.getvalue()
    assert all(character.isprintable() or character in "\n\t" for character in text), (
        "a control character reaches the terminal"
    )


@contextmanager
def _limits() -> Iterator[None]:
    """Bound the time and the memory of what runs inside."""

    def hang(*_: object) -> None:
        raise Hang(f"still running after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, hang)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, before)


def _status(name: str) -> int:
    """Return a line of this process's status, bytes."""
    if not sys.platform.startswith("linux"):
        return 1 << 40
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def _forget_peak() -> int:
    """Begin a new peak of memory; return what is resident now."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak()
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM") if sys.platform.startswith("linux") else 0
