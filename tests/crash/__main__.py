"""Run the harness, or a part of it, and print the counts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import full_disk, kills, powerloss, under_strace
from .kills import Outcome
from .scenarios import NAIVE, SCENARIOS, Scenario


def main() -> int:
    """Print what was done and found; return 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="two scenarios, one kind of error, no strace"
    )
    parser.add_argument("--child", nargs=2, metavar=("SCENARIO", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--small-disk", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, folder = options.child
        under_strace.run_child(name, Path(folder))
        return 0
    if options.small_disk:
        return bool(_told("full disk", full_disk.fill(Path(options.small_disk))))

    # These two make every call that the others make.
    chosen = [each for each in SCENARIOS if each.name in ("new file", "in place")]
    print(f"{'':<45} {'done':>6} {'faults':>6}")
    killed, faults = _shims(chosen if options.quick else SCENARIOS, options.quick)
    if options.quick:
        pass
    elif under_strace.is_possible():
        for scenario in SCENARIOS:
            found = list(under_strace.kill_at_system_calls(scenario))
            killed += _hits(found)
            faults += _told(f"strace kills, {scenario.name}", found)
    else:
        print("strace: not possible here")
    if not options.quick and not full_disk.run():
        faults.append("the full disk: see above")
    print(f"{killed} kills; faults found: {len(faults)}")

    naive = [outcome for outcome in kills.kill_everywhere(NAIVE) if outcome.faults]
    _, lost = powerloss.lose_power_everywhere(NAIVE)
    print(
        f"for comparison, {NAIVE.name} loses the file in {len(naive)} kills"
        f" and {'also' if lost else 'not'} when power is lost"
    )
    for fault in faults:
        print(fault, file=sys.stderr)
    # A harness that finds nothing in the naive writer would find nothing anywhere.
    return 1 if faults or not naive or not lost else 0


def _shims(chosen: Sequence[Scenario], is_quick: bool) -> tuple[int, list[str]]:
    """Break each scenario with calls that misbehave; return the number of kills, and the faults."""
    errors = kills.ERRORS[:1] if is_quick else kills.ERRORS
    killed, faults = 0, []
    for scenario, links in [*((each, True) for each in chosen), (chosen[0], False)]:
        name = scenario.name if links else f"{scenario.name}, no hard links"
        found = list(kills.kill_everywhere(scenario, links=links))
        killed += _hits(found)
        faults += _told(f"kills, {name}", found)
        found = [*kills.fail_everywhere(scenario, links=links, errors=errors)]
        if links:
            found += [*kills.limit_the_size(scenario), *kills.write_in_pieces(scenario)]
            states, lost = powerloss.lose_power_everywhere(scenario)
            print(f"{'power lost, ' + name:<45} {states:>6} {len(lost):>6}")
            faults += lost
        faults += _told(f"errors, {name}", found)
    return killed, faults


def _hits(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.was_hit for outcome in outcomes)


def _told(title: str, outcomes: Iterable[Outcome]) -> list[str]:
    """Print a line of counts; return the faults as sentences."""
    all_of_them = list(outcomes)
    faults = [
        f"{outcome.scenario}: {outcome.attempt}: {fault}"
        for outcome in all_of_them
        for fault in outcome.faults
    ]
    missed = len(all_of_them) - _hits(all_of_them)
    note = f"  ({missed} not reached)" if missed else ""
    print(f"{title:<45} {_hits(all_of_them):>6} {len(faults):>6}{note}", flush=True)
    return faults


if __name__ == "__main__":
    sys.exit(main())
