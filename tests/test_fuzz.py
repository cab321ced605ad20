"""A small part of the fuzzing, on every run, and each input that once found a fault.

The whole is ``python -m tests.fuzz``: 20,000 inputs, with the worst time and memory.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.corpus import seeds
from tests.fuzz.crew import run_command
from tests.fuzz.mutate import MUTATIONS, mutated
from tests.fuzz.road import Outcome, Runner
from tests.made import exposure, group, proposal, visit

BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
LINE = "pattern=WFC3-IR-DITHER-LINE"


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


@pytest.mark.parametrize("seed", seeds(), ids=lambda seed: seed.name)
def test_what_is_mutated_is_good(runner: Runner, seed: object) -> None:
    """Otherwise every mutant would fail for the same reason."""
    data: bytes = seed.data  # type: ignore[attr-defined]
    outcomes = [runner.run(data, bold=bold, review=True) for bold in (False, True)]
    assert [outcome.fault for outcome in outcomes] == ["", ""]
    assert {outcome.kind for outcome in outcomes} & {"planned", "unchanged"}


def test_the_same_number_is_the_same_input() -> None:
    corpus = seeds()
    inputs = [[mutated(corpus, number, 3) for number in range(40)] for _ in "ab"]
    assert inputs[0] == inputs[1]
    assert len({data for _, data in inputs[0]}) > 30
    assert len(MUTATIONS) == 15


def test_a_hundred_mutants_find_nothing(runner: Runner) -> None:
    corpus = seeds()
    outcomes = [
        runner.run(mutated(corpus, number, 7)[1], bold=number % 2 == 1, review=number % 10 == 0)
        for number in range(100)
    ]
    assert [outcome.fault for outcome in outcomes if outcome.fault] == []
    # What all is refused by the parser tests nothing of what stands behind it.
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds.count("planned") > 10
    assert len(set(kinds)) > 5


def test_a_mutant_through_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(mutated(seeds(), 1, 11)[1])
    assert run_command(["apply", "--dry-run", "--method", "catalog", str(path)]) == ""


def test_the_harness_sees_faults(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A harness that finds nothing in what is broken would find nothing anywhere."""
    from tests.fuzz import road

    good = proposal(visit(exposure(1, comments=f"@dither n=4 {BOX}")))
    assert runner.run(good).kind == "planned"

    def watched() -> Outcome:
        return runner.run(good)

    def crash(*_: object, **__: object) -> None:
        raise KeyError("x")

    def hang(*_: object, **__: object) -> None:
        while True:
            pass

    def hoard(*_: object, **__: object) -> None:
        bytearray(road.MEMORY + (1 << 30))

    monkeypatch.setattr(road, "SECONDS", 0.2)
    for broken, words in ((crash, "KeyError"), (hang, "Hang"), (hoard, "MemoryError")):
        monkeypatch.setattr(road, "make_plan", broken)
        assert words in watched().fault
    monkeypatch.undo()

    def another(proposal: object, plan: object) -> tuple[bytes, object]:
        return good.replace(b"NGC-104", b"NGC-105"), plan

    monkeypatch.setattr(road, "accept_plan", another)
    assert "was planned and is not in the file" in watched().fault


@pytest.mark.slow
def test_one_command_runs_it(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--count", "3", "--dir", str(tmp_path / "kept")],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "3 inputs from " in ended.stdout
    assert "worst: " in ended.stdout


# Inputs that once found a fault -------------------------------------------------------------------

TAGGED = exposure(1, comments=f"@dither n=2 {LINE}")
FOUND = [
    pytest.param(
        # The proof took blanks beside text in an exposure for a change.
        proposal(
            visit(exposure(1, comments=f"@dither n=2 {LINE}").replace("\n<Sub", "&amp;\n<Sub"))
        ),
        "planned",
        id="text beside the SubExposures of a copy",
    ),
    pytest.param(
        proposal(
            visit(
                group(
                    TAGGED.replace("n=2 ", ""),
                    exposure(2).replace("<Comments />\n", "&#xD;\n"),
                )
            )
        ),
        "planned",
        id="text in place of the Comments",
    ),
    pytest.param(
        # The proof took a missing Number for another one than planned.
        proposal(
            visit(
                group(TAGGED.replace("n=2 ", ""), exposure(2)),
                "<ExposureGroup>" + exposure(3).replace(' Number="3"', "") + "</ExposureGroup>",
            )
        ),
        "planned",
        id="an exposure without a Number beside the set",
    ),
    pytest.param(
        # Python reads no decimal number of more than 4300 digits; a parser reads any.
        proposal(visit(exposure(1, comments=f"@dither n=2 {LINE}\n&#{'0' * 5000}65;"))),
        "planned",
        id="leading zeros",
    ),
    pytest.param(
        # A region so small that its inverse overflows, with a warning of numpy's.
        proposal(visit(exposure(1, comments=f"@dither n=2 {LINE} size=1e-320pix"))),
        "TagError",
        id="a size of next to nothing",
    ),
    pytest.param(
        # A thousand points of a thousand, a thousand times: made, before they were counted.
        proposal(
            visit(
                group(
                    exposure(1, comments=f"@dither {BOX}").replace('ns="1"', 'ns="1000"'),
                    attributes=' Type="Pattern" Pattern="1"',
                )
            ),
            patterns="<Pattern><Number>1</Number><NumberOfPoints>1000</NumberOfPoints></Pattern>",
        ),
        "RefusalError",
        id="a million exposures",
    ),
    pytest.param(
        # The message held the whole name.
        proposal(visit(exposure(1, comments="@dither pattern=" + "x" * 150_000))),
        "TagError",
        id="a long name",
    ),
]


@pytest.mark.parametrize(("source", "kind"), FOUND)
def test_what_once_found_a_fault_finds_none(runner: Runner, source: bytes, kind: str) -> None:
    outcome = runner.run(source, bold=True, review=True)
    assert outcome.fault == ""
    assert outcome.kind == kind
