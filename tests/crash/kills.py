"""Kill the process, or fail a call, at every call of every scenario."""

from __future__ import annotations

import errno
import os
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aptdither.errors import OutputError
from aptdither.io import files

from .scenarios import NEW, Scenario, lasting_faults, read_folder
from .system import (
    CHANGES,
    Handler,
    fail,
    installed,
    kill_after,
    kill_before,
    kill_within,
    recorded,
    without_links,
    write_short,
)

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.ENOMEM)
# Where a write is cut, in eighths.
CUTS = (1, 4, 7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt to break a scenario found.

    Attributes
    ----------
    scenario, attempt : str
        What was done.
    was_hit : bool
        Whether the kill or the error happened at all.
    faults : tuple of str
        What is wrong afterwards.
    """

    scenario: str
    attempt: str
    was_hit: bool
    faults: tuple[str, ...]


def count_calls(scenario: Scenario, *, links: bool = True) -> list[str]:
    """Return the names of the calls that a scenario makes, in order."""
    names: list[str] = []
    handler = recorded(names)
    with prepared(scenario) as (folder, source):
        with installed(handler if links else without_links(handler)):
            scenario.act(folder, source)
        if scenario.faults(read_folder(folder), temporaries=False):
            raise AssertionError(f"{scenario.name} fails by itself")
    return names


def kill_everywhere(scenario: Scenario, *, links: bool = True) -> Iterator[Outcome]:
    """Kill before, after and within each call."""
    for number, name in enumerate(count_calls(scenario, links=links)):
        attempts: list[tuple[str, Handler]] = [
            ("before", kill_before(number)),
            ("after", kill_after(number)),
        ]
        if name == "write":
            attempts += [(f"{cut}/8 into", kill_within(number, cut, 8)) for cut in CUTS]
        for when, handler in attempts:
            chosen = handler if links else without_links(handler)
            yield _killed(scenario, f"killed {when} call {number}, {name}", chosen)


def fail_everywhere(
    scenario: Scenario, *, links: bool = True, errors: tuple[int, ...] = ERRORS
) -> Iterator[Outcome]:
    """Report each error from each call, in time and (from those that change something) late."""
    for number, name in enumerate(count_calls(scenario, links=links)):
        for error in errors:
            for late in (False, True) if name in CHANGES else (False,):
                handler = fail(number, error, late=late)
                yield _failed(
                    scenario,
                    f"{errno.errorcode[error]} {'after' if late else 'from'} call {number}, {name}",
                    handler if links else without_links(handler),
                    is_late=late,
                    failing=name,
                )
        # A disk that fails once goes on failing.
        yield _failed(
            scenario,
            f"EIO from call {number}, {name}, and from all later ones",
            fail(number, errno.EIO, ever_after=True),
            is_late=False,
            # Nothing can be looked at any more, so nothing may be taken away either.
            failing="unlink",
        )


def limit_the_size(scenario: Scenario) -> Iterator[Outcome]:
    """Let the kernel itself refuse the bytes: no file may be larger than a limit."""
    for limit in (0, 1, 4096, len(NEW) // 2, len(NEW) - 1):

        def limited(limit: int = limit) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        yield _failed(
            scenario,
            f"no file larger than {limit} bytes",
            recorded([]),
            is_late=False,
            failing="write",
            first=limited,
        )


def write_in_pieces(scenario: Scenario) -> Iterator[Outcome]:
    """Let the system take a few bytes at a time: that is no error, and nothing may be missing."""
    with prepared(scenario) as (folder, source):
        with installed(write_short(4099)):
            scenario.act(folder, source)
        faults = lasting_faults(scenario, folder, temporaries=False)
        if (folder / scenario.target).read_bytes() != NEW:
            faults.append(f"{scenario.target} is not the new file")
    yield Outcome(
        scenario=scenario.name, attempt="short writes", was_hit=True, faults=tuple(faults)
    )


def _killed(scenario: Scenario, attempt: str, handler: Handler) -> Outcome:
    with prepared(scenario) as (folder, source):

        def act() -> int:
            with installed(handler):
                scenario.act(folder, source)
            return 0

        status = _in_child(act)
        was_hit = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        faults = lasting_faults(scenario, folder, temporaries=True)
        faults += next_run_faults(scenario, folder)
    return Outcome(scenario=scenario.name, attempt=attempt, was_hit=was_hit, faults=tuple(faults))


def next_run_faults(scenario: Scenario, folder: Path) -> list[str]:
    """Return how a kill has spoilt the next run: it must succeed, or find its work done."""
    already = read_folder(folder).get(scenario.target) == NEW
    try:
        scenario.act(folder, files.read_input(folder / "IN.apt"))
    except OutputError as error:
        if not (already and "already exists" in error.message):
            return [f"the next run is refused: {error}"]
    return [
        f"after the next run: {fault}"
        for fault in scenario.faults(read_folder(folder), temporaries=True)
    ]


def _failed(
    scenario: Scenario,
    attempt: str,
    handler: Handler,
    *,
    is_late: bool,
    failing: str,
    first: Callable[[], None] | None = None,
) -> Outcome:
    said: list[str] = []
    with prepared(scenario) as (folder, source):
        reader, writer = os.pipe()

        def act() -> int:
            if first is not None:
                first()
            try:
                with installed(handler):
                    scenario.act(folder, source)
            except OutputError as error:
                os.write(writer, str(error).encode())
                return 2
            except BaseException as error:  # noqa: BLE001 -- a traceback is what is looked for
                os.write(writer, repr(error).encode())
                return 70
            return 0

        code = os.waitstatus_to_exitcode(_in_child(act))
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said += pipe.read().decode().splitlines()
        # Only who may not remove a file can leave one.
        faults = lasting_faults(scenario, folder, temporaries=failing == "unlink")
        found = read_folder(folder)
    faults += error_faults(scenario, found, code, said, is_late=is_late)
    return Outcome(scenario=scenario.name, attempt=attempt, was_hit=True, faults=tuple(faults))


def error_faults(
    scenario: Scenario,
    found: dict[str, bytes],
    code: int,
    said: list[str],
    *,
    is_late: bool = False,
) -> Iterator[str]:
    """Yield what is wrong with how an error was met: what was said, done and left."""
    is_new = found.get(scenario.target) == NEW
    if code not in (0, 2) or (code == 2 and len(said) != 1):
        yield f"exit {code}, not one clear line: {said}"
    if code == 0 and not is_new:
        yield "success without the new file"
    if code == 2 and is_new and not is_late and "is written and complete" not in said[0]:
        yield f"the new file is there and this is said: {said}"


@contextmanager
def prepared(scenario: Scenario) -> Iterator[tuple[Path, files.Source]]:
    """Give a folder for one attempt, outside of which nothing happens, and its input."""
    with tempfile.TemporaryDirectory(prefix="crash-", dir=_fast_place()) as made:
        folder = Path(made)
        scenario.prepare(folder)
        yield folder, files.read_input(folder / "IN.apt")


def _fast_place() -> str | None:
    """Return a place in memory: hundreds of fsyncs are waited for, and kills do not need them."""
    shared = Path("/dev/shm")
    return str(shared) if os.access(shared, os.W_OK | os.X_OK) else None


def _in_child(act: Callable[[], int]) -> int:
    """Run a function in a forked process; return its wait status."""
    pid = os.fork()
    if pid == 0:
        code = 71
        try:
            code = act()
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]
