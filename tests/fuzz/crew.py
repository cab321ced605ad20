"""Many inputs: in a process of their own that is watched, and a sample through the command line."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.corpus import seeds
from tests.fuzz.mutate import mutated
from tests.fuzz.road import SECONDS, Outcome, Runner

#: One input in so many is also reviewed, and one in so many goes through the command line.
REVIEW_EVERY = 10
COMMAND_EVERY = 400

#: After so many faults there is enough to mend.
MOST_FAULTS = 200


@dataclass
class Tally:
    """What was found."""

    kinds: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[int]] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)
    largest: tuple[float, int] = (0.0, -1)
    commands: int = 0

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one outcome."""
        self.kinds[outcome.kind] += 1
        self.slowest = max(self.slowest, (outcome.seconds, number))
        self.largest = max(self.largest, (outcome.megabytes, number))
        if outcome.fault:
            # One line tells faults apart: the last of the traceback, and where it was raised.
            lines = outcome.fault.strip().splitlines()
            where = [line.strip() for line in lines if line.strip().startswith("File ")]
            key = f"{lines[-1][:160]}  [{where[-1] if where else '?'}]"
            self.faults.setdefault(key, []).append(number)


def run_library(numbers: range, seed: int, tally: Tally) -> None:
    """Run all numbers in a process of their own, which is replaced when it hangs or dies."""
    context = multiprocessing.get_context("spawn")
    at = numbers.start
    while at < numbers.stop and tally.kinds["fault"] < MOST_FAULTS:
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(theirs, at, numbers.stop, seed), daemon=True)
        worker.start()
        theirs.close()
        # Its own alarm comes first; this is for what holds the interpreter itself.
        try:
            while ours.poll(3 * SECONDS):
                outcome = ours.recv()
                tally.add(at, outcome)
                at += 1
                if (at - numbers.start) % 1000 == 0:
                    print(f"{at - numbers.start} inputs, {len(tally.faults)} faults", flush=True)
                if at == numbers.stop:
                    break
            else:
                worker.kill()
                tally.add(at, _dead("no answer at all"))
                at += 1
        except EOFError:
            worker.join()
            if at < numbers.stop:
                tally.add(at, _dead(f"the process died ({worker.exitcode})"))
                at += 1
        worker.join()


def _dead(words: str) -> Outcome:
    return Outcome(kind="fault", fault=words, seconds=0.0, megabytes=0.0)


def _work(connection: Connection, start: int, stop: int, seed: int) -> None:
    corpus, runner = seeds(), Runner()
    for number in range(start, stop):
        _, data = mutated(corpus, number, seed)
        review = number % REVIEW_EVERY == 0
        connection.send(runner.run(data, bold=number % 2 == 1, review=review))


def run_commands(numbers: range, seed: int, tally: Tally) -> None:
    """Run a sample as a user does: another process, a file, an exit code, two streams."""
    corpus = seeds()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.apt")
        for number in numbers[::COMMAND_EVERY]:
            path.write_bytes(mutated(corpus, number, seed)[1])
            for command in (["apply", "--dry-run"], ["check"]):
                if command == ["apply", "--dry-run"]:
                    command += ["--method", "catalog"]
                tally.commands += 1
                fault = run_command([*command, str(path)])
                if fault:
                    tally.add(number, _dead(fault))


def run_command(arguments: list[str]) -> str:
    """Run the command line; return what is wrong with how it ended, "" if nothing is."""
    try:
        run = subprocess.run(
            [sys.executable, "-c", "from aptdither.cli import run; run()", *arguments],
            capture_output=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{arguments}: no end after 120 seconds"
    said = run.stderr.decode("utf-8", "replace")
    trouble = ""
    if run.returncode not in (0, 1, 3):
        trouble = f"exit code {run.returncode}"
    elif "Traceback" in said or "fault of ours" in said or "Warning" in said:
        trouble = "a fault on standard error"
    elif (run.returncode == 3) != ("aptdither: " in said):
        trouble = f"exit code {run.returncode} and standard error disagree"
    return f"{trouble}: {' '.join(arguments[:-1])}: {said[-600:]}" if trouble else ""
