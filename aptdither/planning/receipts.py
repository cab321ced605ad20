"""What the receipts of an earlier run say, and whether the file still agrees with them.

`apply` leaves a receipt in the Comments of each exposure that it dithers: which point of which
pattern it is, and the POS TARG that it had before. People edit files afterward. This module is the
one place that compares receipts with POS TARGs and with each other; `apply` refuses what it finds,
and `check` reports it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from aptdither.apt.proposal import Exposure
from aptdither.apt.receipt import MadeBy, Receipt
from aptdither.apt.tags import CommentTags
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import offset_clusters
from aptdither.errors import AptDitherError
from aptdither.findings import Rule, Severity
from aptdither.optics.aperture import Aperture
from aptdither.planning.sizes import sizes_of
from aptdither.planning.visit_tags import VisitTags
from aptdither.types import NO_OFFSET, PosTarg
from aptdither.version import __version__

#: POS TARGs that differ by less are equal: three decimals, rounded twice, arcsec.
EQUAL_ARCSEC = 0.0015

#: Bases that lie so far apart, arcsec, are tiles of a mosaic. Chosen: no pattern of a detector
#: steps so far, and a mosaic of overlapping fields steps further.
TILE_ARCSEC = 10.0

#: A first POS TARG smaller than this, arcsec, is part of a dither about the reference point.
SMALL_ARCSEC = 2.0

UNCOVERED_RECEIPTS = Rule(
    code="ADT407",
    severity=Severity.WARNING,
    title="receipts that no tag covers",
    explanation="Exposures have @dithered lines (receipts) of an earlier run, but no tag covers "
    "them: the tag was deleted, or the exposures were pasted elsewhere. `apply` leaves their POS "
    "TARGs as they are. Restore the tag, or delete the receipts to keep the POS TARGs.",
    source="aptdither README, The tag",
)

#: An exposure, and what is wrong with its receipt.
Problem = tuple[Exposure, str]


def observed_base(pos_targ: PosTarg, receipt: Receipt | None) -> PosTarg:
    """Return where the target lands before it is dithered, by the first exposure of a set.

    A receipt says it. Without one, a POS TARG of `SMALL_ARCSEC` or more is a place that the
    observer chose; a smaller one belongs to a dither about the reference point.
    """
    if receipt is not None:
        return receipt.base
    return NO_OFFSET if pos_targ.length_arcsec < SMALL_ARCSEC else pos_targ


def dithered_for(tags: VisitTags, exposures: Iterable[Exposure], receipt: Receipt) -> Exposure:
    """Return the exposure whose aperture the POS TARGs of a dither were made for.

    Setups with as many exposures share a pattern, which is made for the aperture of the first.
    `exposures` are those of the set in the visit, in document order; one of them has `receipt`.
    """
    return next(
        exposure
        for exposure in exposures
        if (other := tags.receipt(exposure)) is not None
        and (other.pattern, other.total) == (receipt.pattern, receipt.total)
    )


def unclear_receipts(comments: CommentTags) -> Iterator[str]:
    """Yield why the Comments of an exposure do not say its POS TARG before the dither."""
    if len(comments.receipts) > 1:
        yield (
            "the Comments hold two @dithered receipts; keep the right one, or remove both and set "
            "the POS TARG that the exposure had before it was dithered"
        )
    for text in comments.bad_receipts:
        yield (
            f"{text[:120]!r} is not a receipt that aptdither wrote; remove the line, and set the "
            "POS TARG that the exposure had before it was dithered"
        )


def dither_of(exposure: Exposure, receipt: Receipt) -> Hashable:
    """Return what the receipts of one dither have in common."""
    same = exposure.setup, exposure.target_name, receipt.pattern, receipt.total
    return (*same, receipt.base, receipt.shift)


def grouped(
    receipts: Mapping[Exposure, Receipt], key: Callable[[Exposure, Receipt], Hashable]
) -> Iterable[dict[Exposure, Receipt]]:
    """Return the receipts in groups that have the same key."""
    groups: defaultdict[Hashable, dict[Exposure, Receipt]] = defaultdict(dict)
    for exposure, receipt in receipts.items():
        groups[key(exposure, receipt)][exposure] = receipt
    return groups.values()


def tiles_of(bases: Iterable[PosTarg]) -> dict[PosTarg, PosTarg]:
    """Return for each base the first base of its tile: the first one within `TILE_ARCSEC`."""
    tiles: list[PosTarg] = []
    tile_of: dict[PosTarg, PosTarg] = {}
    for base in dict.fromkeys(bases):
        near = (tile for tile in tiles if (base - tile).length_arcsec < TILE_ARCSEC)
        tile_of[base] = next(near, base)
        if tile_of[base] is base:
            tiles.append(base)
    return tile_of


def offsets_of(receipt: Receipt, catalog: Catalog, aperture: Aperture) -> dict[int, PosTarg]:
    """Return the offsets of the dither of a receipt, as far as they are known, by their index.

    Of a designed pattern (``optimized-6``), which is not in the catalog, only the first point is
    known: it has no offset. `aperture` is the one that the set was dithered for.
    """
    names = receipt.pattern.split("+")
    sizes = sizes_of(receipt.pattern, receipt.total, catalog)
    if sizes is None or any(name not in catalog for name in names):
        is_designed = receipt.pattern.startswith(("optimized-", "single"))
        return {1: receipt.shift} if is_designed else {}
    by_size = {catalog.get(name).n: catalog.get(name).postargs(aperture) for name in names}
    try:
        offsets = offset_clusters(
            [by_size[n] for n in sizes], aperture, base=receipt.base.xy_arcsec
        )
    except AptDitherError:
        return {}
    return {
        index: PosTarg(x_arcsec=float(x), y_arcsec=float(y)) + receipt.shift
        for index, (x, y) in enumerate(offsets, start=1)
    }


def lost_receipts(
    exposures: Sequence[Exposure],
    receipts: Mapping[Exposure, Receipt],
    sizes: Sequence[int],
    catalog: Catalog,
    aperture: Aperture,
) -> dict[Exposure, Receipt]:
    """Return the receipts that exposures of one setup have lost, where their POS TARGs say it.

    `receipts` are those that are left. Without any, the patterns of the catalog that have clusters
    of the `sizes` are tried. `aperture` is the one that the set was dithered for.
    """
    lost = [exposure for exposure in exposures if exposure not in receipts]
    for receipt in list(receipts.values())[:1] or _possible(exposures[0], sizes, catalog, aperture):
        offsets = offsets_of(receipt, catalog, aperture)
        for one in receipts.values():
            offsets.pop(one.index, None)
        found: dict[Exposure, Receipt] = {}
        for exposure in lost:
            at = (exposure.pos_targ or NO_OFFSET) - receipt.base
            near = (k for k in offsets if (at - offsets[k]).length_arcsec <= EQUAL_ARCSEC)
            index = next(near, None)
            if index is None:
                break
            del offsets[index]
            found[exposure] = replace(receipt, index=index, made_by=MadeBy.OBSERVER)
        else:
            return found
    return {}


def _possible(
    first: Exposure, sizes: Sequence[int], catalog: Catalog, aperture: Aperture
) -> Iterator[Receipt]:
    """Yield the receipts that the first exposure of a dither in clusters may have had."""
    of_sizes = [catalog.of_size(n, aperture.config) for n in dict.fromkeys(sizes)]
    for patterns in product(*of_sizes):
        x_arcsec, y_arcsec = patterns[0].postargs(aperture)[0]
        offset = PosTarg(x_arcsec=float(x_arcsec), y_arcsec=float(y_arcsec))
        yield Receipt(
            index=1,
            total=sum(sizes),
            pattern="+".join(pattern.name for pattern in patterns),
            base=((first.pos_targ or NO_OFFSET) - offset).rounded(),
            version=__version__,
        )


def to_paste(receipts: Mapping[Exposure, Receipt | None]) -> str:
    """Return the sentence that tells which receipts to paste into the Comments."""
    lines = "; ".join(
        f"exposure {one.number}: {receipt.text}" for one, receipt in receipts.items() if receipt
    )
    return f"paste their receipts into their Comments ({lines})"


# Of the receipts of one setup of one set, in document order: what is wrong with them -------------


def disagreeing(receipts: Mapping[Exposure, Receipt]) -> Iterator[Problem]:
    """Yield each receipt that says something else than most of its set."""
    said = {
        exposure: (one.pattern, one.total, one.base, one.shift)
        for exposure, one in receipts.items()
    }
    usual = Counter(said.values()).most_common(1)[0][0]
    for exposure, one in said.items():
        if one == usual:
            continue
        (pattern, total, base, shift), (_, _, usual_base, usual_shift) = one, usual
        own, others = f"{total} points of {pattern}", f"{usual[1]} points of {usual[0]}"
        if own == others:
            own, others = f"base {base.text}", f"base {usual_base.text}"
        if own == others:
            own, others = f"shift {shift.text}", f"shift {usual_shift.text}"
        message = (
            f"its receipt says {own}, those of the other exposures of the set say {others}; correct "
            "the receipt, or remove it and set the POS TARG that the exposure had before it was "
            "dithered"
        )
        yield exposure, message


def moved(
    receipts: Mapping[Exposure, Receipt],
    catalog: Catalog,
    aperture: Aperture,
    otherwise: str = "give --rebase to dither about the POS TARGs that the file has now",
) -> Iterator[Problem]:
    """Yield the POS TARGs that are not those that the receipts stand for.

    `aperture` is the one that the set was dithered for; `otherwise` is what to do if the POS TARGs
    shall not be restored.
    """
    offsets = offsets_of(next(iter(receipts.values())), catalog, aperture)
    wanted = {
        exposure: receipt.base + offsets[receipt.index]
        for exposure, receipt in receipts.items()
        if receipt.index in offsets
    }
    shifts = {
        exposure: shift
        for exposure, at in wanted.items()
        if (shift := (exposure.pos_targ or NO_OFFSET) - at).length_arcsec > EQUAL_ARCSEC
    }
    way_out = f"restore the POS TARG, or {otherwise}"
    if shifts and len(shifts) == len(wanted):
        # Another version's catalog may differ: some points that agree prove that it does not.
        if any(one.version != __version__ for one in receipts.values()):
            return
        first, by = next(iter(shifts.items()))
        is_common = all((shift - by).length_arcsec <= EQUAL_ARCSEC for shift in shifts.values())
        if is_common and len(shifts) > 1:
            moved_by = f"were moved by ({by.text}) arcsec since they were dithered"
            yield first, f"all {len(shifts)} exposures {moved_by}; {way_out}"
            return
    for exposure in shifts:
        receipt, has = receipts[exposure], exposure.pos_targ or NO_OFFSET
        point = f"point {receipt.index} of {receipt.total} of {receipt.pattern}"
        wants = f"which is POS TARG ({wanted[exposure].text}), but it has ({has.text})"
        yield exposure, f"its receipt says {point}, {wants}; {way_out}"


def incomplete(
    receipts: Mapping[Exposure, Receipt], *, must_be_complete: bool
) -> Iterator[Problem]:
    """Yield points that several exposures have, or none; a new run repairs both."""
    by_index: dict[int, list[Exposure]] = {}
    for exposure, receipt in receipts.items():
        by_index.setdefault(receipt.index, []).append(exposure)
    doubled = [exposures for exposures in by_index.values() if len(exposures) > 1]
    again = "run aptdither apply again"
    if doubled:
        listed = "; ".join(", ".join(one.number for one in exposures) for exposures in doubled)
        message = "several exposures are the same point of the pattern"
        yield doubled[0][-1], f"{message}: exposures {listed}; {again}"
    first, receipt = next(iter(receipts.items()))
    missing = receipt.total - len(by_index)
    if missing and must_be_complete:
        message = f"the receipts are of {receipt.total} points, and {missing} of them"
        verb = "is" if missing == 1 else "are"
        yield first, f"{message} {verb} missing from the set; {again}"
