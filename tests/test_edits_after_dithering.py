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
from aptdither.apt.tags import DitherRequest, Method
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import AptDitherError
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import make_plan
from aptdither.review.reviewer import Reviewer
from aptdither.types import PosTarg
from tests.made import exposure, group, proposal, visit

BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
LINE = "pattern=WFC3-IR-DITHER-LINE"
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


def clusters() -> bytes:
    """Return sixteen exposures in a group, dithered in two clusters of eight."""
    first = exposure(1, comments="@dither", postarg=("1.5", "-2"))
    others = (exposure(i, postarg=("1.5", "-2")) for i in range(2, 17))
    return apply(proposal(visit(group(first, *others))))


def unequal_clusters() -> bytes:
    """Return eleven exposures in a group, dithered in clusters of six and five."""
    first = exposure(1, comments="@dither method=catalog")
    return apply(proposal(visit(group(first, *(exposure(i) for i in range(2, 12))))))


def expanded_in_group() -> bytes:
    """Return one exposure in a group, expanded to two clusters of four by a named pattern."""
    return apply(proposal(visit(group(exposure(1, comments=f"@dither n=8 {BOX}")))))


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
        r"exposure 2.*its receipt says point 2.*which is POS TARG .30\.542, 0\.182.*restore the POS TARG",
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
    source = expanded().replace(f"@dither n=4 {BOX}".encode(), b"@dither n=2 method=catalog")
    edited = re.sub(rb"(@dithered 3/4[^<]*)", rb"\1\nkeep this", source)
    assert edited != source
    with pytest.raises(AptDitherError, match=r"exposure 3, line .*edited since"):
        apply(edited)
    assert len(exposures(apply(edited.replace(b"@dither n=2", b"@dither n=3")))) == 4


def test_more_points_keep_the_copies_and_what_was_edited_in_them() -> None:
    source = expanded().replace(f"@dither n=4 {BOX}".encode(), b"@dither n=6 method=catalog")
    edited = re.sub(rb"(@dithered 3/4[^<]*)", rb"\1\nkeep this", source)
    edited = edited.replace(b'OrbitNumber="1"', b'OrbitNumber="2"')
    again = exposures(apply(edited))
    assert [one.spectral_element for one in again] == ["F160W"] * 6 + ["F125W"]
    assert sum("keep this" in one.comments for one in again) == 1
    assert all(one.orbit_numbers == (2,) for one in again)
    assert apply(apply(edited)) == apply(edited)


def test_a_plain_run_after_a_number_of_points_keeps_the_copies() -> None:
    made = proposal(visit(exposure(1, comments="@dither"), exposure(2, element="F125W")))
    four = apply(made, Options(defaults=DitherRequest(n=4, method=Method.CATALOG)))
    assert len(exposures(four)) == 5
    assert apply(four, Options(defaults=DitherRequest(method=Method.CATALOG))) == four


def test_an_exposure_beside_copies_is_one_more_point() -> None:
    source = expanded().replace(f"@dither n=4 {BOX}".encode(), b"@dither id=a method=catalog")
    source = source.replace(b"</Visit>", f"{exposure(9, comments='@dither id=a')}</Visit>".encode())
    again = apply(source)
    assert [one.spectral_element for one in exposures(again)].count("F160W") == 5
    assert b"5/5 tight-5" in again
    assert apply(again) == again


def pasted(message: str, source: bytes) -> bytes:
    """Paste the receipts that a message prints into the Comments of their exposures."""
    lines = re.findall(r"exposure (\w+): (@dithered [^;)]*)", message)
    assert lines
    for number, receipt in lines:
        at = source.index(f'<Exposure Number="{number}"'.encode())
        end = source.index(b"<Comments", at)
        old = b"<Comments />" if source[end:].startswith(b"<Comments />") else b"</Comments>"
        new = (
            f"<Comments>{receipt}</Comments>"
            if old == b"<Comments />"
            else f"\n{receipt}</Comments>"
        )
        at = source.index(old, end)
        source = source[:at] + new.encode() + source[at + len(old) :]
    return source


@pytest.mark.parametrize(
    ("make", "lost"),
    [
        (grouped, rb"\n?@dithered 2/4[^<\n]*"),
        (grouped, rb"\n?@dithered [^<\n]*"),
        (clusters, rb"\n?@dithered [^<\n]*"),
        (clusters, rb"\n?@dithered [1-9]/[^<\n]*"),
        (unequal_clusters, rb"\n?@dithered [^<\n]*"),
        (expanded, rb"\n?@dithered [^<\n]*"),
    ],
    ids=[
        "one of a group",
        "all of a group",
        "all of two clusters",
        "some of two clusters",
        "all of clusters of two sizes",
        "all of an expansion",
    ],
)
def test_lost_receipts_are_printed_to_paste(make: Callable[[], bytes], lost: bytes) -> None:
    source = make()
    without = re.sub(lost, b"", source).replace(b"<Comments></Comments>", b"<Comments />")
    assert without != source
    with pytest.raises(AptDitherError, match="paste their receipts") as caught:
        apply(without)
    restored = pasted(str(caught.value), without)
    assert apply(restored) == apply(source)
    assert len(exposures(apply(restored))) == len(exposures(source))


def test_an_expanded_group_of_two_clusters_without_receipts_is_known_again() -> None:
    """Which of its exposures were copies is not known then: all are the observer's."""
    source = expanded_in_group()
    with pytest.raises(AptDitherError, match="paste their receipts") as caught:
        apply(without_receipts(source))
    restored = pasted(str(caught.value), without_receipts(source))
    assert apply(restored) == restored
    assert pos_targs(restored) == pos_targs(source)
    assert len(exposures(source)) == 8


def test_copies_without_receipts_are_found_behind_another_exposure() -> None:
    with pytest.raises(AptDitherError, match="stand at points of its pattern already"):
        apply(without_receipts(with_another_between(expanded())))


def test_exposures_that_are_no_copies_do_not_forbid_an_expansion() -> None:
    made = proposal(
        visit(
            exposure(1, comments=f"@dither n=4 {BOX}"),
            exposure(2, postarg=("0.542", "0.182"), target="M-31"),
            exposure(3, postarg=("0.542", "0.182"), element="F125W"),
            exposure(4, postarg=("0.552", "0.182")),
        )
    )
    assert len(exposures(apply(made))) == 7


def test_old_numbers_are_said_after_a_renumbering() -> None:
    follows = exposure(2, element="F125W").replace("SpElement", 'Follows="3" SpElement')
    made = proposal(
        visit(
            exposure(1, comments=f"@dither n=2 {LINE}\nbefore exposure 1"),
            follows,
            exposure(3, element="F125W", comments="Repeat of exposures 1 and 2; 3 exposures"),
            comments="see exp. 3, exposure time 2, exposure 2.5",
        )
    )
    said = [
        (finding.exposure, finding.message.partition(";")[0])
        for finding in make_plan(parse_proposal(made)).findings
        if finding.code == "ADT408"
    ]
    assert said == [
        (None, "the Comments mention 'exp. 3', and exposure 3 is exposure 4 now"),
        ("3", "the Comments mention 'exposures 1 and 2', and exposure 2 is exposure 3 now"),
        ("2", "Follows='3' may name exposure 3, which is exposure 4 now"),
    ]


def test_receipts_that_no_tag_covers_are_said() -> None:
    source = grouped().replace(f"@dither {BOX}\n".encode(), b"")
    assert apply(source) == source
    assert [one.code for one in make_plan(parse_proposal(source)).findings] == ["ADT407"]
    assert "ADT407" in codes(source)
    (pasted_here,) = re.findall(rb'<Exposure Number="2".*?</Exposure>\n', grouped(), re.DOTALL)
    other = proposal(visit(exposure(1), number="02")).replace(
        b"</Visit>", pasted_here + b"</Visit>"
    )
    assert "ADT407" in codes(other)


def test_a_group_dissolved_is_said_once() -> None:
    assert "ADT407" not in codes(dissolved(grouped()))


@pytest.mark.parametrize(
    "edited",
    [
        lambda: grouped().replace(f"@dither {BOX}".encode(), b"@dither pattern=tight-4"),
        lambda: grouped().replace(f"@dither {BOX}".encode(), b"@dither n=2 method=catalog"),
        lambda: re.sub(
            rb'(<Exposure Number="2".*?</Exposure>\n)(<Exposure Number="3".*?</Exposure>\n)',
            rb"\2\1",
            grouped(),
            flags=re.DOTALL,
        ),
    ],
    ids=["another pattern", "another n", "two exposures swapped"],
)
def test_what_apply_would_dither_anew_is_said_by_check(edited: Callable[[], bytes]) -> None:
    source = edited()
    again = apply(source)
    assert again != source
    assert {"ADT110", "ADT406"} & codes(source) == {"ADT110"}
    assert "ADT110" not in codes(again)


@pytest.mark.parametrize("tag", ["@dither size=20arcsec method=catalog", "@dither size=500arcsec"])
def test_check_refuses_a_region_off_the_detector_before_apply_does(tag: str) -> None:
    far = ("200", "0") if "20arcsec" in tag else None
    made = proposal(visit(group(*(exposure(i, postarg=far) for i in (1, 2, 3))), comments=tag))
    with pytest.raises(AptDitherError):
        apply(made)
    assert "ADT306" in codes(made)


@pytest.mark.parametrize("rebase", [False, True])
def test_setups_with_patterns_of_their_own_agree_with_their_receipts(rebase: bool) -> None:
    """Clusters of IR after two exposures of a subarray: each was made for its own aperture."""
    sub = [exposure(i, aperture="IRSUB64") for i in (1, 2)]
    full = [exposure(i) for i in (3, 4, 5, 6)]
    once = apply(proposal(visit(*sub, *full, comments="@dither pattern=tight-2")))
    assert "ADT406" not in codes(once)
    assert apply(once, Options(sets=SetOptions(rebase=rebase))) == once


def test_check_says_that_a_visit_with_an_unknown_container_cannot_be_expanded() -> None:
    unknown = f"<NewGroup>{exposure(1)}{exposure(2)}</NewGroup>"
    made = proposal(visit(unknown, exposure(3, comments=f"@dither n=2 {LINE}")))
    with pytest.raises(AptDitherError, match="inside an element that is not known"):
        apply(made)
    assert "ADT103" in codes(made)
    pair = group(exposure(3, comments=f"@dither {LINE}"), exposure(4))
    assert "ADT103" not in codes(proposal(visit(unknown, pair)))
