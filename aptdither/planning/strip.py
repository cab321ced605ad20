"""Take dithers out of a proposal again: receipts, and the POS TARGs that they explain.

What `apply` wrote is stripped to the very bytes that it found, where a receipt tells them: POS
TARGs that were missing or had three decimals on both axes, Comments in APT's style, exposures
numbered from 1. Not told, and not restored: SamePosAs inside a set, APT patterns and iterations
that were split, and whether TicDataCurrent was true: it stays false, since the Orbit Planner can be
run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aptdither.apt.changes import NewExposure, VisitChange, change_visit
from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.tags import LineKind, lines_of
from aptdither.apt.writer import is_unedited_copy, rewrite_proposal
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.errors import AptDitherError, ReceiptError, raise_all
from aptdither.optics.aperture import get_aperture
from aptdither.planning.receipts import dither_of, grouped, moved, unclear_receipts
from aptdither.planning.visit_tags import VisitTags


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """A proposal without its dithers, what its visits became, and notes for the observer.

    `new` is the same object as the old file when there was nothing to take out.
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

    The ``@dither`` lines go, too, with `tags`; completed visits are stripped with `all_visits`.
    `catalog` has the patterns that receipts name.

    Raises
    ------
    AptDitherError
        Everything that forbids it, listed together: a POS TARG that its receipt does not explain.
    """
    dropped = frozenset({LineKind.RECEIPT, LineKind.TAG} if tags else {LineKind.RECEIPT})
    changes: list[VisitChange] = []
    notes: list[str] = []
    errors: list[AptDitherError] = []
    for read in map(VisitTags, proposal.visits):
        visit = read.visit
        if not any(_loses_lines(one, dropped) for one in read.holders):
            continue
        if visit.is_completed and not all_visits:
            notes.append(f"visit {visit.number} is completed and stays as it is")
            continue
        found = [
            *(
                ReceiptError(message, location=visit.location(exposure))
                for exposure, _ in read.slots
                for message in unclear_receipts(read.comments[exposure.node])
            ),
            *_moved(read, catalog or load_catalog()),
        ]
        errors += found
        if found:
            continue
        becomes = _becomes(proposal, read, dropped, notes)
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


def _moved(read: VisitTags, catalog: Catalog) -> Iterator[AptDitherError]:
    """Yield an error for each POS TARG that its receipt does not explain."""
    for own in grouped(read.receipts, dither_of):
        first = next(iter(own))
        try:
            aperture = get_aperture(first.aperture, first.spectral_element, config=first.config)
        except AptDitherError as error:
            yield error.located(read.visit.location(first))
            continue
        keep = "delete the receipt to keep the POS TARG that the file has now"
        for exposure, message in moved(own, catalog, aperture, keep):
            yield ReceiptError(message, location=read.visit.location(exposure))


def _becomes(
    proposal: Proposal, read: VisitTags, dropped: frozenset[LineKind], notes: list[str]
) -> dict[int, list[NewExposure]]:
    """Return what the exposures of a visit become; a note for each copy that stays."""
    becomes: dict[int, list[NewExposure]] = {}
    source: Exposure | None = None
    for exposure, _ in read.slots:
        receipt = read.receipt(exposure)
        if receipt is None or not receipt.is_copy:
            source = exposure
        elif source is not None and is_unedited_copy(proposal, source, exposure):
            becomes[exposure.node] = []
            continue
        else:
            notes.append(
                f"visit {read.visit.number}, exposure {exposure.number}: this copy was edited since it "
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
    return becomes
