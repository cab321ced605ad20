"""What the receipts of an earlier run say, and whether the file still agrees with them.

`apply` leaves a receipt in the Comments of each exposure that it dithers: which point of which
pattern it is, and the POS TARG that it had before. People edit files afterward. This module is the
one place that compares receipts with POS TARGs and with each other; `apply` refuses what it finds,
and `check` reports it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from aptdither.apt.proposal import Exposure
from aptdither.apt.receipt import MadeBy, Receipt
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import offset_clusters
from aptdither.errors import AptDitherError
from aptdither.findings import Rule, Severity
from aptdither.optics.aperture import Aperture
from aptdither.planning.choice import sizes_of
from aptdither.types import NO_OFFSET, PosTarg
from aptdither.version import __version__

#: POS TARGs that differ by less are equal: three decimals, rounded twice, arcsec.
EQUAL_ARCSEC = 0.0015

#: Bases that lie so far apart, arcsec, are tiles of a mosaic. Chosen: no pattern of a detector
#: steps so far, and a mosaic of overlapping fields steps further.
TILE_ARCSEC = 10.0

UNCOVERED_RECEIPTS = Rule(
    code="ADT407",
    severity=Severity.WARNING,
    title="receipts that no tag covers",
    explanation="Exposures have @dithered lines (receipts) of an earlier run, but no tag covers "
    "them: the tag was deleted, or the exposures were pasted elsewhere. `apply` leaves their POS "
    "TARGs as they are. Restore the tag, or delete the receipts to keep the POS TARGs.",
    source="aptdither README, The tag",
)


class ProblemKind(StrEnum):
    """What is wrong with a receipt."""

    CONTRADICTS = "contradicts the other receipts of its set"
    MOVED = "the POS TARG is another"
    INCOMPLETE = "points are missing or repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptProblem:
    """A receipt that contradicts its exposure, or other receipts.

    Attributes
    ----------
    kind : ProblemKind
        What is wrong. Where points are missing or repeated, a new run repairs it: the POS TARGs
        before the dither are certain.
    exposure : Exposure
        Where it stands.
    message : str
        What contradicts what.
    way_out : str
        What to do about it.
    """

    kind: ProblemKind
    exposure: Exposure
    message: str
    way_out: str


def offset_of(receipt: Receipt, catalog: Catalog, aperture: Aperture) -> PosTarg | None:
    """Return the offset that a receipt stands for; None where the pattern is not known.

    Parameters
    ----------
    receipt : Receipt
    catalog : Catalog
        The patterns that are known; a designed pattern (``optimized-6``) is not among them, and
        only its first point, which has no offset, is known.
    aperture : Aperture
        The aperture that the set was dithered for.
    """
    offsets = _offsets_of(receipt, catalog, aperture)
    if offsets is not None:
        return offsets[receipt.index - 1]
    is_known = receipt.index == 1 and receipt.pattern.startswith(("optimized-", "single"))
    return receipt.shift if is_known else None


def _offsets_of(
    receipt: Receipt, catalog: Catalog, aperture: Aperture
) -> tuple[PosTarg, ...] | None:
    names = receipt.pattern.split("+")
    sizes = sizes_of(receipt.pattern, receipt.total, catalog)
    if sizes is None or any(name not in catalog for name in names):
        return None
    by_size = {catalog.get(name).n: catalog.get(name).postargs(aperture) for name in names}
    if len(sizes) == 1:
        offsets = by_size[sizes[0]]
    else:
        try:
            offsets = offset_clusters(
                [by_size[n] for n in sizes], aperture, base=receipt.base.xy_arcsec
            )
        except AptDitherError:
            return None
    shift = receipt.shift
    return tuple(PosTarg(x_arcsec=float(x), y_arcsec=float(y)) + shift for x, y in offsets)


def lost_receipts(
    exposures: Sequence[Exposure],
    receipts: Mapping[Exposure, Receipt],
    catalog: Catalog,
    aperture: Aperture,
) -> dict[Exposure, Receipt]:
    """Return the receipts that exposures of one setup have lost, where their POS TARGs say it.

    Parameters
    ----------
    exposures : sequence of Exposure
        The exposures of one setup of a set, in document order.
    receipts : Mapping of Exposure to Receipt
        The receipts that are left. Without any, the patterns of the catalog that have as many
        points are tried.
    catalog : Catalog
    aperture : Aperture
        The aperture that the set was dithered for.
    """
    if receipts:
        known = [next(iter(receipts.values()))]
    else:
        base = exposures[0].pos_targ or NO_OFFSET
        known = [
            Receipt(
                index=1,
                total=len(exposures),
                pattern=pattern.name,
                base=base,
                version=__version__,
            )
            for pattern in catalog.of_size(len(exposures), aperture.config)
        ]
    for receipt in known:
        offsets = _offsets_of(receipt, catalog, aperture)
        if offsets is None:
            continue
        used = {one.index for one in receipts.values()}
        found: dict[Exposure, Receipt] = {}
        for exposure in exposures:
            at = (exposure.pos_targ or NO_OFFSET) - receipt.base
            for index, offset in enumerate(offsets, start=1):
                if index not in used and (at - offset).length_arcsec <= EQUAL_ARCSEC:
                    if exposure not in receipts:
                        found[exposure] = replace(receipt, index=index, made_by=MadeBy.OBSERVER)
                        used.add(index)
                    break
        if len(found) + len(receipts) == len(exposures):
            return found
    return {}


def to_paste(receipts: Mapping[Exposure, Receipt | None]) -> str:
    """Return the sentence that tells which receipts to paste into the Comments."""
    lines = "; ".join(
        f"exposure {one.number}: {receipt.text}" for one, receipt in receipts.items() if receipt
    )
    return f"paste their receipts into their Comments ({lines})"


def receipt_problems(
    receipts: Mapping[Exposure, Receipt],
    catalog: Catalog,
    aperture: Aperture,
    *,
    must_be_complete: bool = True,
) -> Iterator[ReceiptProblem]:
    """Yield what is wrong with the receipts of one setup of one set.

    Parameters
    ----------
    receipts : Mapping of Exposure to Receipt
        In document order; exposures without a receipt are left out.
    catalog : Catalog
        The patterns that receipts name.
    aperture : Aperture
        The aperture that the set was dithered for.
    must_be_complete : bool
        Whether points that no exposure has are a problem.
    """
    # A single exposure at one point is not dithered: what an earlier version wrote says nothing.
    receipts = {exposure: one for exposure, one in receipts.items() if one.is_dither}
    if not receipts:
        return
    disagreeing = list(_disagreeing(receipts))
    yield from disagreeing
    if disagreeing:
        return
    yield from _moved(receipts, catalog, aperture)
    yield from _incomplete(receipts, must_be_complete=must_be_complete)


def uncovered_receipts(receipts: Mapping[Exposure, Receipt]) -> Iterator[tuple[Exposure, str]]:
    """Yield the first exposure and a message for each dither that no tag covers."""
    dithers: dict[object, dict[Exposure, Receipt]] = {}
    for exposure, one in receipts.items():
        if one.is_dither:
            key = exposure.setup, exposure.target_name, one.pattern, one.total, one.base
            dithers.setdefault(key, {})[exposure] = one
    for dither in dithers.values():
        first, receipt = next(iter(dither.items()))
        listed = ", ".join(exposure.number for exposure in dither)
        message = (
            f"exposures {listed} have receipts ({receipt.total} points of {receipt.pattern}), but "
            "no tag covers them; restore the tag, or delete the receipts to keep the POS TARGs as "
            "they are"
        )
        yield first, message


def by_tile(receipts: Mapping[Exposure, Receipt]) -> Iterator[dict[Exposure, Receipt]]:
    """Yield the receipts of each setup and tile of a mosaic, by the bases that they tell."""
    tiles = tiles_of(one.base for one in receipts.values())
    tile_of = {base: first for first, bases in tiles.items() for base in bases}
    alike: dict[object, dict[Exposure, Receipt]] = {}
    for exposure, receipt in receipts.items():
        key = exposure.setup, tile_of[receipt.base]
        alike.setdefault(key, {})[exposure] = receipt
    yield from alike.values()


def tiles_of(bases: Iterable[PosTarg]) -> dict[PosTarg, list[PosTarg]]:
    """Return the first base of each tile of a mosaic, with all bases that belong to it.

    Parameters
    ----------
    bases : iterable of PosTarg
        In document order; a tile has more than one where they differ by less than `TILE_ARCSEC`.
    """
    found: dict[PosTarg, list[PosTarg]] = {}
    for base in dict.fromkeys(bases):
        for first, members in found.items():
            if (base - first).length_arcsec < TILE_ARCSEC:
                members.append(base)
                break
        else:
            found[base] = [base]
    return found


def _disagreeing(receipts: Mapping[Exposure, Receipt]) -> Iterator[ReceiptProblem]:
    """Yield a problem for each receipt that says something else than most of its set."""
    said = {
        exposure: (one.pattern, one.total, one.base, one.shift)
        for exposure, one in receipts.items()
    }
    (usual, count), *_ = Counter(said.values()).most_common(1)
    if count == len(said):
        return
    pattern, total, base, shift = usual
    for exposure, one in said.items():
        if one == usual:
            continue
        own_pattern, own_total, own_base, own_shift = one
        own, others = f"{own_total} points of {own_pattern}", f"{total} points of {pattern}"
        if own == others:
            own, others = f"base {own_base.text}", f"base {base.text}"
        if own == others:
            own, others = f"shift {own_shift.text}", f"shift {shift.text}"
        yield ReceiptProblem(
            kind=ProblemKind.CONTRADICTS,
            exposure=exposure,
            message=f"its receipt says {own}, those of the other exposures of the set say {others}",
            way_out="correct the receipt, or remove it and set the POS TARG that the exposure had "
            "before it was dithered",
        )


def _moved(
    receipts: Mapping[Exposure, Receipt], catalog: Catalog, aperture: Aperture
) -> Iterator[ReceiptProblem]:
    """Yield a problem for POS TARGs that are not those that the receipts stand for."""
    shifts: dict[Exposure, tuple[PosTarg, PosTarg]] = {}
    known = 0
    for exposure, receipt in receipts.items():
        offset = offset_of(receipt, catalog, aperture)
        if offset is None:
            continue
        known += 1
        wanted = receipt.base + offset
        shift = (exposure.pos_targ or NO_OFFSET) - wanted
        if shift.length_arcsec > EQUAL_ARCSEC:
            shifts[exposure] = (wanted, shift)
    # Another version's catalog may differ: some points that agree prove that it does not.
    if len(shifts) == known and any(one.version != __version__ for one in receipts.values()):
        return
    way_out = (
        "restore the POS TARG, or give --rebase to dither about the POS TARGs that the file has now"
    )
    distinct = [shift for _, shift in shifts.values()]
    if (
        len(shifts) > 1
        and len(shifts) == known
        and all((shift - distinct[0]).length_arcsec <= EQUAL_ARCSEC for shift in distinct)
    ):
        yield ReceiptProblem(
            kind=ProblemKind.MOVED,
            exposure=next(iter(shifts)),
            message=f"all {len(shifts)} exposures were moved by ({distinct[0].text}) arcsec since "
            "they were dithered",
            way_out=way_out,
        )
        return
    for exposure, (wanted, _) in shifts.items():
        receipt = receipts[exposure]
        yield ReceiptProblem(
            kind=ProblemKind.MOVED,
            exposure=exposure,
            message=f"its receipt says point {receipt.index} of {receipt.total} of "
            f"{receipt.pattern}, which is POS TARG ({wanted.text}), but it has "
            f"({(exposure.pos_targ or NO_OFFSET).text})",
            way_out=way_out,
        )


def _incomplete(
    receipts: Mapping[Exposure, Receipt], *, must_be_complete: bool
) -> Iterator[ReceiptProblem]:
    """Yield a problem for points that several exposures have, or none; a new run repairs both."""
    by_index: dict[int, list[Exposure]] = {}
    for exposure, receipt in receipts.items():
        by_index.setdefault(receipt.index, []).append(exposure)
    first, receipt = next(iter(receipts.items()))
    doubled = [exposures for exposures in by_index.values() if len(exposures) > 1]
    if doubled:
        yield ReceiptProblem(
            kind=ProblemKind.INCOMPLETE,
            exposure=doubled[0][-1],
            message="several exposures are the same point of the pattern: exposures "
            + "; ".join(", ".join(one.number for one in exposures) for exposures in doubled),
            way_out="run aptdither apply again",
        )
    missing = receipt.total - len(by_index)
    if missing and must_be_complete:
        yield ReceiptProblem(
            kind=ProblemKind.INCOMPLETE,
            exposure=first,
            message=f"the receipts are of {receipt.total} points, and {missing} of them "
            f"{'is' if missing == 1 else 'are'} missing from the set",
            way_out="run aptdither apply again",
        )
