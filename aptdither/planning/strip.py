"""Take dithers out of a proposal again: receipts, and the POS TARGs that they explain.

What `apply` wrote is stripped to the very bytes that it found, where a receipt tells them: POS
TARGs that were missing or had three decimals on both axes, Comments in APT's style, exposures
numbered from 1. Not told, and not restored: SamePosAs inside a set, APT patterns and iterations
that were split, and whether TicDataCurrent was true: it stays false, since the Orbit Planner can be
run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aptdither.apt.changes import NewExposure, VisitChange, change_visit, receipt_lines
from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.receipt import Receipt, parse_receipt
from aptdither.apt.tags import LineKind, lines_of
from aptdither.apt.writer import is_unedited_copy, rewrite_proposal
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.errors import AptDitherError, Location, ReceiptError, raise_all
from aptdither.optics.aperture import get_aperture
from aptdither.planning.receipts import by_dither, moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """A proposal without its dithers.

    Attributes
    ----------
    new : bytes
        The new file; the same object as the old one when there was nothing to take out.
    changes : tuple of VisitChange
        What the touched visits became.
    notes : tuple of str
        What the observer should know, a line each.
    """

    new: bytes
    changes: tuple[VisitChange, ...]
    notes: tuple[str, ...]


def strip_proposal(
    proposal: Proposal,
    *,
    tags: bool = False,
    all_visits: bool = False,
    catalog: Catalog | None = None,
) -> Stripped:
    """Take receipts and the POS TARGs that they explain out of a proposal.

    Parameters
    ----------
    proposal : Proposal
        As read.
    tags : bool
        Whether the ``@dither`` lines go, too.
    all_visits : bool
        Whether completed visits are stripped, too.
    catalog : Catalog, optional
        The patterns that receipts name; the built-in catalog when left out.

    Raises
    ------
    AptDitherError
        Everything that forbids it, listed together: a POS TARG that its receipt does not explain.
    """
    dropped = frozenset({LineKind.RECEIPT, LineKind.TAG} if tags else {LineKind.RECEIPT})
    changes: list[VisitChange] = []
    notes: list[str] = []
    errors: list[AptDitherError] = []
    for visit in proposal.visits:
        holders: list[Visit | Exposure] = [visit, *visit.exposures]
        if not any(_loses_lines(one, dropped) for one in holders):
            continue
        if visit.is_completed and not all_visits:
            notes.append(f"visit {visit.number} is completed and stays as it is")
            continue
        lines = {one: receipt_lines(one.comments) for one in visit.exposures}
        receipts = {
            exposure: receipt
            for exposure, own in lines.items()
            if own and (receipt := parse_receipt(own[0])) is not None
        }
        found = [
            *_unclear(visit, lines, receipts),
            *_moved(visit, receipts, catalog or load_catalog()),
        ]
        errors += found
        if found:
            continue
        becomes, stay = _becomes(proposal, visit, receipts, dropped)
        notes += stay
        try:
            changes.append(change_visit(visit, becomes, dropped=dropped & {LineKind.TAG}))
        except AptDitherError as error:
            errors.append(error)
    raise_all(errors, note="nothing was written")
    return Stripped(
        new=rewrite_proposal(proposal, changes), changes=tuple(changes), notes=tuple(notes)
    )


def _loses_lines(one: Visit | Exposure, dropped: frozenset[LineKind]) -> bool:
    return any(kind in dropped for *_, kind in lines_of(one.comments))


def _location(visit: Visit, exposure: Exposure) -> Location:
    return Location(visit=visit.number, exposure=exposure.number, line=exposure.line)


def _unclear(
    visit: Visit, lines: Mapping[Exposure, list[str]], receipts: Mapping[Exposure, Receipt]
) -> Iterator[AptDitherError]:
    """Yield an error for each exposure whose base is not certain."""
    for exposure, own in lines.items():
        if len(own) > 1 or (own and exposure not in receipts):
            yield ReceiptError(
                f"{own[-1].strip()[:120]!r} is "
                f"{'a second receipt' if len(own) > 1 else 'not a receipt'}, so the POS TARG "
                "before the dither is not certain; delete that line, and set the POS TARG that "
                "the exposure shall have",
                location=_location(visit, exposure),
            )


def _moved(
    visit: Visit, receipts: Mapping[Exposure, Receipt], catalog: Catalog
) -> Iterator[AptDitherError]:
    """Yield an error for each POS TARG that its receipt does not explain."""
    dithered = {exposure: one for exposure, one in receipts.items() if one.is_dither}
    for own in by_dither(dithered):
        first = next(iter(own))
        try:
            aperture = get_aperture(first.aperture, first.spectral_element, config=first.config)
        except AptDitherError as error:
            yield error.located(_location(visit, first))
            continue
        for exposure, message in moved(own, catalog, aperture):
            yield ReceiptError(
                f"{message}; restore the POS TARG, or delete the receipt to keep the POS TARG that "
                "the file has now",
                location=_location(visit, exposure),
            )


def _becomes(
    proposal: Proposal,
    visit: Visit,
    receipts: Mapping[Exposure, Receipt],
    dropped: frozenset[LineKind],
) -> tuple[dict[int, list[NewExposure]], list[str]]:
    """Return what the exposures of a visit become, and a note for each copy that stays."""
    becomes: dict[int, list[NewExposure]] = {}
    notes: list[str] = []
    source: Exposure | None = None
    for exposure in visit.exposures:
        receipt = receipts.get(exposure)
        if receipt is None or not receipt.is_copy:
            source = exposure
        elif source is not None and is_unedited_copy(proposal, source, exposure):
            becomes[exposure.node] = []
            continue
        else:
            notes.append(
                f"visit {visit.number}, exposure {exposure.number}: this copy was edited since it "
                "was made, so it stays, at the POS TARG before the dither"
            )
        if _loses_lines(exposure, dropped):
            base = None
            if receipt is not None and (receipt.is_dither or exposure.pos_targ == receipt.base):
                base = receipt.base
            becomes[exposure.node] = [
                NewExposure(
                    source=exposure,
                    pos_targ=base,
                    same_pos_as=exposure.same_pos_as if base is None else None,
                    dropped=dropped,
                )
            ]
    return becomes, notes
