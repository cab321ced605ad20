"""Laws of `apply` and `check` together, over programs with many tags and edits after a dither.

Whatever `apply` is given, it refuses, or writes a file in which `check` finds no error that was not
there before, of which the report says what the file holds, and which a second run leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import event, given
from hypothesis import strategies as st

from aptdither.apt.proposal import Proposal
from aptdither.apt.reader import parse_proposal
from aptdither.errors import AptDitherError, RewriteError
from aptdither.findings import Severity
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import Plan, make_plan
from aptdither.planning.pointings import observe
from aptdither.report.json import group_as_json
from aptdither.review.reviewer import Reviewer, accept_plan
from tests.programs import edited, programs

REVIEWER = Reviewer()
EVALUATOR = Evaluator()
OPTIONS = st.builds(
    lambda bold, rebase: Options(
        sets=SetOptions(
            replace=bold,
            replace_patterns=bold,
            split_iterations=bold,
            all_visits=bold,
            rebase=rebase,
        )
    ),
    st.booleans(),
    st.integers(0, 4).map(lambda drawn: drawn == 0),
)

#: What `apply` settles, in the exposures that it points.
SETTLED = {"ADT109", "ADT110", "ADT406", "ADT407"}


def apply(source: bytes, options: Options) -> tuple[Proposal, Plan, bytes] | None:
    """Take the road of the command; None where it is refused, by name."""
    try:
        proposal = parse_proposal(source)
        new, plan = accept_plan(proposal, make_plan(proposal, options))
    except RewriteError:
        raise
    except AptDitherError as error:
        said = str(error)
        event(f"refused: {said.partition(': ')[2][:40]}")
        # A target off the detector can be meant; another error in its own file is a fault of apply.
        if "the dithered file would have an error" in said and "(ADT306)" not in said:
            raise AssertionError(said) from error
        return None
    return proposal, plan, new


def errors_of(source: bytes) -> Iterator[tuple[str | None, str | None, str]]:
    """Yield visit, exposure and code of each error that check finds."""
    for one in REVIEWER.review(parse_proposal(source)).findings:
        if one.severity is Severity.ERROR or one.code in SETTLED:
            yield one.visit, one.exposure, one.code


def hold(source: bytes, options: Options) -> bytes | None:
    """Apply, and hold what is written to the laws; None where it is refused."""
    applied = apply(source, options)
    if applied is None:
        return None
    _, plan, new = applied
    was = {
        (change.visit.number, one.number): one.source.number
        for change in plan.changes
        for one in change.exposures
    }
    pointed = {
        (change.visit.number, one.number)
        for change in plan.changes
        for one in change.exposures
        if one.pos_targ is not None
    }
    before = set(errors_of(source))
    for visit, number, code in errors_of(new):
        if number is not None and (visit, number) in pointed:
            raise AssertionError(f"{code} in visit {visit}, exposure {number}, which apply wrote")
        old = was.get((str(visit), str(number)), number)
        assert (visit, old, code) in before, f"{code} in visit {visit}, exposure {number} is new"
    _report_is_file(plan.groups, new)
    removed = [one for change in plan.changes for one in change.removed]
    assert all(one.comments.strip().endswith("copy") for one in removed)
    rerun = Options(sets=SetOptions(all_visits=options.sets.all_visits))
    twice = apply(new, rerun)
    assert twice is not None, "a second run is refused"
    assert twice[2] is twice[0].document.source, "a second run changes the file"
    event("planned" if plan.groups else "nothing to do")
    return new


def _report_is_file(groups: tuple[DitherGroup, ...], new: bytes) -> None:
    """What the report says of each group is what the file gives."""
    there = [
        EVALUATOR.evaluate(exposures)
        for one in observe(parse_proposal(new))
        for exposures in one.sets
        if exposures.dither_set is not None and exposures.has_receipts
    ]
    read = {
        (group.visit, tuple(point.number for point in group.points)): _figures(group)
        for group in there
    }
    for group in groups:
        numbers = tuple(point.number for point in group.points)
        assert read.get((group.visit, numbers)) == _figures(group)


def _figures(group: DitherGroup) -> object:
    """Return what the JSON report says, without where the pattern comes from."""
    said = group_as_json(group)
    return {key: value for key, value in said.items() if key != "pattern"} | {
        "pattern": said["pattern"]["name"]
    }


@given(programs(), OPTIONS, st.data())
def test_what_apply_writes_has_no_error_and_is_what_it_reports(
    source: bytes, options: Options, data: st.DataObject
) -> None:
    """Of a program, and again after edits by hand."""
    for _ in range(data.draw(st.integers(0, 2))):
        new = hold(source, options)
        kind, source = data.draw(edited(source if new is None else new))
        event(kind)
    hold(source, options)
