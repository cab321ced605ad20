"""The examples run, and what stands beside them is what they give."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aptdither.apt.reader import parse_proposal
from tests.tools.make_examples import OUTPUTS, PROPOSALS, dither

#: POS TARGs of a searched pattern may differ in their digits from machine to machine.
NUMBER = re.compile(rb"-?\d+\.\d{3}")


@pytest.mark.parametrize("proposal", PROPOSALS, ids=lambda path: path.stem)
def test_output_is_what_apply_makes(proposal: Path, tmp_path: Path) -> None:
    made, kept = tmp_path / "out.apt", OUTPUTS / proposal.name
    dither(proposal, made)
    if b"optimized-" in kept.read_bytes():
        assert NUMBER.sub(b"#", made.read_bytes()) == NUMBER.sub(b"#", kept.read_bytes())
    else:
        assert made.read_bytes() == kept.read_bytes()
    again = tmp_path / "again.apt"
    dither(made, again)
    assert again.read_bytes() == made.read_bytes()


@pytest.mark.parametrize("proposal", PROPOSALS, ids=lambda path: path.stem)
def test_diff_tells_every_line_that_changed(proposal: Path) -> None:
    diff = (OUTPUTS / proposal.name).with_suffix(".diff").read_text(encoding="utf-8")
    before, after = (
        path.read_text(encoding="utf-8").splitlines()
        for path in (proposal, OUTPUTS / proposal.name)
    )
    body = diff.splitlines()[2:]
    added = [line[1:] for line in body if line.startswith("+")]
    removed = [line[1:] for line in body if line.startswith("-")]
    assert len(after) - len(before) == len(added) - len(removed)
    assert set(added) <= set(after)
    assert set(removed) <= set(before)


def test_every_exposure_of_the_examples_is_dithered() -> None:
    for proposal in PROPOSALS:
        for visit in parse_proposal((OUTPUTS / proposal.name).read_bytes()).visits:
            receipts = sum("@dithered" in exposure.comments for exposure in visit.exposures)
            assert receipts >= 4
