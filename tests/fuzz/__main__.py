"""Run the fuzzer and print the counts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.corpus import seeds
from tests.fuzz.crew import Tally, run_commands, run_library
from tests.fuzz.mutate import mutated


def main() -> int:
    """Fuzz; return 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="inputs (20000)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other inputs (0)")
    parser.add_argument("--start", type=int, default=0, help="number of the first input (0)")
    parser.add_argument("--dir", type=Path, help="where to keep the inputs that found something")
    options = parser.parse_args()

    tally = Tally()
    numbers = range(options.start, options.start + options.count)
    run_library(numbers, options.seed, tally)
    run_commands(numbers, options.seed, tally)
    _print(tally, options.seed, options.dir)
    return 1 if tally.faults else 0


def _print(tally: Tally, seed: int, folder: Path | None) -> None:
    corpus = seeds()
    count = sum(tally.kinds.values())
    print(f"{count} inputs from {len(corpus)} files, {tally.commands} commands")
    for kind, times in tally.kinds.most_common():
        print(f"  {times:>6}  {kind}")
    for (value, number), unit in ((tally.slowest, "seconds"), (tally.largest, "megabytes")):
        name = mutated(corpus, number, seed)[0] if number >= 0 else ""
        print(f"worst: {value:.2f} {unit}, input {number} ({name})")
    for fault, where in sorted(tally.faults.items(), key=lambda item: -len(item[1])):
        print(f"FAULT, {len(where)} times, inputs {where[:5]}: {fault}", file=sys.stderr)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            name, data = mutated(corpus, where[0], seed)
            folder.joinpath(f"{seed}-{where[0]}.apt").write_bytes(data)
            folder.joinpath(f"{seed}-{where[0]}.txt").write_text(f"{name}\n{fault}\n")


if __name__ == "__main__":
    sys.exit(main())
