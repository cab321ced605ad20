"""What observers do in APT after a dither, and what apply and check make of it.

Each case is an edit of a dithered file; a wrong POS TARG looks like a right one, so whatever is not
certain is refused with a way out, and check says it too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from aptdither.apt.proposal import Exposure
from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import DitherRequest
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import AptDitherError
from aptdither.planning.plan import Options, make_plan
from aptdither.planning.refusals import SetOptions
from aptdither.review.reviewer import Reviewer
from aptdither.types import PosTarg
from tests.made import exposure, group, proposal, visit

BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
REVIEWER = Reviewer()


def apply(source: bytes, options: Options | None = None) -> bytes:
    parsed = parse_proposal(source)
    return rewrite_proposal(parsed, make_plan(parsed, options).changes)


def codes(source: bytes) -> set[str]:
    return {finding.code for finding in REVIEWER.review(parse_proposal(source)).findings}


def exposures(source: bytes) -> list[Exposure]:
    return [one for each in parse_proposal(source).visits for one in each.exposures]


def pos_targs(source: bytes) -> list[PosTarg | None]:
    return [one.pos_targ for one in exposures(source)]


def grouped() -> bytes:
    """Return four dithered exposures in a group."""
    first = exposure(1, comments=f"@dither {BOX}")
    return apply(proposal(visit(group(first, *(exposure(i) for i in (2, 3, 4))))))


def expanded() -> bytes:
    """Return one ungrouped exposure, expanded to four, and another after it."""
    other = exposure(2, element="F125W")
    return apply(proposal(visit(exposure(1, comments=f"@dither n=4 {BOX}"), other)))


def moved_by(source: bytes, dx_arcsec: float) -> bytes:
    """Move every POS TARG along X, as with APT's form editor."""
    return re.sub(
        rb'(<PosTarg\s+X=")([^"]*)"',
        lambda found: found[1] + f'{float(found[2]) + dx_arcsec:.3f}"'.encode(),
        source,
    )


def dissolved(source: bytes) -> bytes:
    return re.sub(rb"</?ExposureGroup>\n?", b"", source)


def without_receipts(source: bytes) -> bytes:
    return re.sub(rb"\n?@dithered [^<\n]*", b"", source)


def with_another_between(source: bytes) -> bytes:
    """Move the exposure of another filter between the second and the third copy."""
    parts = re.findall(rb"<Exposure .*?</Exposure>\n?", source, re.DOTALL)
    head, tail = source[: source.index(parts[0])], source[source.rindex(b"</Exposure>") + 11 :]
    order = [parts[0], parts[1], parts[4], parts[2], parts[3]]
    return head + b"".join(order) + tail


def with_a_copied_visit() -> bytes:
    """Copy the visit in APT and move the copy."""
    source = grouped()
    (found,) = re.finditer(rb"<Visit .*?</Visit>", source, re.DOTALL)
    copy = moved_by(found[0], -3).replace(b'Number="01"', b'Number="02"', 1)
    return source[: found.end()] + b"\n" + copy + source[found.end() :]


REFUSED: list[tuple[str, Callable[[], bytes], str]] = [
    (
        "all moved",
        lambda: moved_by(grouped(), 5),
        r"all 4 exposures were moved by \(5.000.*--rebase",
    ),
    (
        "a copied visit with a new position",
        with_a_copied_visit,
        r"visit 02.*all 4 exposures were moved by \(-3.000",
    ),
    (
        "a group dissolved",
        lambda: dissolved(grouped()),
        r"exposures 2, 3, 4 have receipts of the same",
    ),
    (
        "copies taken apart",
        lambda: with_another_between(expanded()),
        r"receipts of the same dither",
    ),
    (
        "one base edited",
        lambda: grouped().replace(
            b"2/4 WFC3-IR-DITHER-BOX-MIN base=0.000", b"2/4 WFC3-IR-DITHER-BOX-MIN base=30.000"
        ),
        r"exposure 2.*base 30.000, 0.000, those of the other exposures of the set say base 0.000",
    ),
    (
        "one POS TARG edited",
        lambda: grouped().replace(b'"0.339"', b'"0.500"'),
        r"exposure 3.*which is POS TARG \(0.339.*but it has \(0.500",
    ),
]


@pytest.mark.parametrize(
    ("edited", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_is_not_certain_is_refused_and_found_by_check(
    edited: Callable[[], bytes], message: str
) -> None:
    source = edited()
    with pytest.raises(AptDitherError) as caught:
        apply(source)
    assert re.search(message, str(caught.value), re.DOTALL), caught.value
    assert "ADT406" in codes(source)


def test_rebase_dithers_about_the_pos_targs_of_today() -> None:
    source = moved_by(grouped(), 5)
    again = apply(source, Options(sets=SetOptions(rebase=True)))
    assert pos_targs(again) == pos_targs(source)
    assert b"base=5.000,0.000" in again
    assert apply(again) == again
    assert "ADT406" not in codes(again)


@pytest.mark.parametrize(
    "edited",
    [
        lambda: grouped().replace(b'"0.339"', b'"0.3394"'),  # rounding is no edit
        lambda: re.sub(rb'<Exposure Number="4".*?</Exposure>\n?', b"", grouped(), flags=re.DOTALL),
    ],
    ids=["three decimals", "one exposure deleted"],
)
def test_what_is_certain_is_repaired(edited: Callable[[], bytes]) -> None:
    source = edited().replace(BOX.encode(), b"size=point method=catalog spacing=1pix")
    count = len(exposures(source))
    again = apply(source)
    assert len(exposures(again)) == count
    assert apply(again) == again


def test_exposures_tagged_one_by_one_are_not_certified() -> None:
    made = proposal(visit(*(exposure(i, comments="@dither") for i in range(1, 7))))
    with pytest.raises(AptDitherError) as caught:
        apply(made)
    for way_out in ("Visit's Comments", "group in APT", "@dither id=a"):
        assert way_out in str(caught.value)
    assert {"ADT103", "ADT205"} <= codes(made)
    assert apply(made.replace(b"@dither<", b"@dither id=a<")) != made


def test_receipts_of_single_points_hide_nothing() -> None:
    """Release 0.1.0 wrote them into exposures that were tagged one by one."""
    single = "@dithered 1/1 single base=0.000,0.000 aptdither=0.1.0"
    made = proposal(visit(*(exposure(i, comments=single, postarg=("0", "0")) for i in range(1, 7))))
    assert "ADT205" in codes(made)
    assert "ADT406" not in codes(made)


def test_a_single_exposure_at_one_point_stays_as_it_is() -> None:
    made = proposal(visit(exposure(1, comments="@dither")))
    plan = make_plan(parse_proposal(made))
    assert (plan.groups, plan.changes) == ((), ())
    assert [finding.code for finding in plan.findings] == ["ADT107"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (exposure(1, postarg=("1", "0")), exposure(2, element="G141", same="1")),
        (exposure(1, aperture="IR-UVIS", postarg=("1", "0")), exposure(2, same="1")),
        (
            exposure(1, config="WFC3/UVIS", aperture="UVIS", element="F606W", postarg=("10", "5")),
            exposure(2, same="1"),
        ),
        (exposure(1, target="M-31", postarg=("1", "0")), exposure(2, same="1")),
    ],
    ids=["a grism after a direct image", "another aperture", "another detector", "another target"],
)
def test_same_pos_as_from_another_origin_is_refused(first: str, second: str) -> None:
    made = proposal(visit(first, second, exposure(3), comments="@dither size=point"))
    with pytest.raises(AptDitherError, match=r"SamePosAs 1 names|several targets"):
        apply(made)


def test_same_pos_as_from_the_same_origin_becomes_explicit() -> None:
    first = exposure(1, comments=f"@dither {BOX}", postarg=("1.5", "0"))
    followers = (exposure(i, same="1") for i in (2, 3, 4))
    again = apply(proposal(visit(group(first, *followers))))
    assert b"SamePosAs" not in again
    assert pos_targs(again)[0] == PosTarg(x_arcsec=1.5, y_arcsec=0.0)


def test_a_pure_parallel_is_not_dithered() -> None:
    made = proposal(visit(exposure(1, comments=f"@dither n=4 {BOX}")))
    parallel = made.replace(
        b"<Visits>", b'<ProposalInformation PureParallelProposal="true" /><Visits>', 1
    )
    assert parallel != made
    with pytest.raises(AptDitherError, match="pure parallel"):
        apply(parallel)


def test_defaults_speak_for_silent_tags() -> None:
    made = proposal(visit(exposure(1, comments="@dither"), exposure(2, element="F125W")))
    again = apply(made, Options(defaults=DitherRequest(n=2, pattern="WFC3-IR-DITHER-LINE")))
    assert len(exposures(again)) == 3


def test_another_number_of_points_replaces_copies_that_nobody_edited() -> None:
    changed = expanded().replace(f"@dither n=4 {BOX}".encode(), b"@dither n=3")
    assert len(exposures(apply(changed))) == 4


def test_another_number_of_points_does_not_remove_an_edited_copy() -> None:
    source = expanded().replace(f"@dither n=4 {BOX}".encode(), b"@dither n=3")
    edited = re.sub(rb"(@dithered 3/4[^<]*)", rb"\1\nkeep this", source)
    assert edited != source
    with pytest.raises(AptDitherError, match=r"exposure 3, line .*edited since"):
        apply(edited)
    assert len(exposures(apply(edited.replace(b"@dither n=3", b"@dither n=4")))) == 5
