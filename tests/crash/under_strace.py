"""Kill the real process at its real system calls, with strace's fault injection."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from aptdither.io import files

from .kills import Outcome, next_run_faults
from .scenarios import SCENARIOS, Scenario, lasting_faults

# access(2) of a name that is nowhere: seen in the trace, and without any effect.
_BEGIN, _END = "/aptdither-crash-begins", "/aptdither-crash-ends"
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)")
_ROOT = Path(__file__).resolve().parents[2]


def is_possible() -> bool:
    """Tell whether strace is installed and may trace."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    tried = subprocess.run(
        [strace, "-o", os.devnull, "-e", "inject=close:signal=SIGKILL:when=1", "true"],
        capture_output=True,
        check=False,
    )
    return tried.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def kill_at_system_calls(scenario: Scenario) -> Iterator[Outcome]:
    """Kill a process on entry to each system call of a scenario's write.

    A call on whose entry the process is killed is not carried out: so killing at each leaves, in
    turn, what each of them had done.
    """
    for name, nth in list(_calls_of(scenario)):
        with tempfile.TemporaryDirectory(prefix="crash-") as made:
            # As deep as the folder in which the calls were counted: each part costs some.
            folder = Path(made, "folder")
            folder.mkdir()
            scenario.prepare(folder)
            code = _traced(
                scenario, folder, ["-o", os.devnull, f"--inject={name}:signal=SIGKILL:when={nth}"]
            )
            faults = lasting_faults(scenario, folder, temporaries=True)
            faults += next_run_faults(scenario, folder)
        yield Outcome(
            scenario=scenario.name,
            attempt=f"killed at {name}, number {nth} of its process",
            was_hit=code in (-signal.SIGKILL, 128 + signal.SIGKILL),
            faults=tuple(faults),
        )


def run_child(name: str, folder: Path) -> None:
    """Be the process that is traced."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    source = files.read_input(folder / "IN.apt")
    os.access(_BEGIN, os.F_OK)
    scenario.act(folder, source)
    os.access(_END, os.F_OK)


def _calls_of(scenario: Scenario) -> Iterator[tuple[str, int]]:
    """Yield each system call of the write: its name, and its number among those of that name."""
    with tempfile.TemporaryDirectory(prefix="crash-") as made:
        folder, log = Path(made, "folder"), Path(made, "log")
        folder.mkdir()
        scenario.prepare(folder)
        code = _traced(scenario, folder, ["-o", str(log)])
        if code != 0:
            raise AssertionError(f"{scenario.name} fails under strace: exit {code}")
        seen: Counter[str] = Counter()
        is_inside = False
        for line in log.read_text(errors="replace").splitlines():
            found = _CALL.match(line)
            if found is None:
                continue
            name, arguments = found.groups()
            seen[name] += 1
            if _BEGIN in arguments:
                is_inside = True
            elif is_inside:
                yield name, seen[name]
            if _END in arguments:
                return


def _traced(scenario: Scenario, folder: Path, options: list[str]) -> int:
    child = [sys.executable, "-B", "-m", __package__, "--child", scenario.name, str(folder)]
    # The same calls each time: no random hashes, nothing compiled on the way.
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        ["strace", *options, *child],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        check=False,
    ).returncode
