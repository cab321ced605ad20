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

from aptdither.apt.changes import NewExposure, VisitChange, change_visit, receipt_lines
from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.receipt import Receipt, parse_receipt
from aptdither.apt.tags import LineKind, lines_of
from aptdither.apt.writer import is_unedited_copy, rewrite_proposal
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.errors import AptDitherError, Location, ReceiptError, raise_all
from aptdither.optics.aperture import get_aperture
from aptdither.planning.receipts import ProblemKind, receipt_problems


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
    catalog = catalog or load_catalog()
    changes: list[VisitChange] = []
    notes: list[str] = []
    errors: list[AptDitherError] = []
    for visit in proposal.visits:
        stripper = _Visit(proposal, visit, tags=tags)
        if not stripper.has_work:
            continue
        if visit.status.strip().lower() == "completed" and not all_visits:
            notes.append(f"visit {visit.number} is completed and stays as it is")
            continue
        found = list(stripper.errors(catalog))
        try:
            changes += [] if found else [stripper.change()]
        except AptDitherError as error:
            found.append(error)
        errors += found
        notes += stripper.notes
    raise_all(errors, note="nothing was written")
    return Stripped(
        new=rewrite_proposal(proposal, changes), changes=tuple(changes), notes=tuple(notes)
    )


class _Visit:
    """What one visit becomes without its dithers."""

    def __init__(self, proposal: Proposal, visit: Visit, *, tags: bool) -> None:
        self.proposal = proposal
        self.visit = visit
        self.dropped = frozenset({LineKind.RECEIPT, LineKind.TAG} if tags else {LineKind.RECEIPT})
        self.notes: list[str] = []
        self.lines = {one: receipt_lines(one.comments) for one in visit.exposures}
        self.receipts: dict[Exposure, Receipt] = {}
        for exposure, (first, *_) in ((one, lines) for one, lines in self.lines.items() if lines):
            receipt = parse_receipt(first)
            if receipt is not None:
                self.receipts[exposure] = receipt

    @property
    def has_work(self) -> bool:
        """Whether there is a line to drop."""
        return self._loses_lines(self.visit) or any(map(self._loses_lines, self.visit.exposures))

    def _loses_lines(self, one: Exposure | Visit) -> bool:
        return any(kind in self.dropped for *_, kind in lines_of(one.comments))

    def _location(self, exposure: Exposure) -> Location:
        return Location(visit=self.visit.number, exposure=exposure.number, line=exposure.line)

    def errors(self, catalog: Catalog) -> Iterator[AptDitherError]:
        """Yield an error for each receipt whose exposure cannot go back to its base."""
        for exposure, lines in self.lines.items():
            if len(lines) > 1 or (lines and exposure not in self.receipts):
                yield ReceiptError(
                    f"{lines[-1].strip()[:120]!r} is "
                    f"{'a second receipt' if len(lines) > 1 else 'not a receipt'}, so the POS TARG "
                    "before the dither is not certain; delete that line, and set the POS TARG that "
                    "the exposure shall have",
                    location=self._location(exposure),
                )
        dithers: dict[object, dict[Exposure, Receipt]] = {}
        for exposure, receipt in self.receipts.items():
            key = exposure.setup, receipt.pattern, receipt.total, receipt.base
            dithers.setdefault(key, {})[exposure] = receipt
        for receipts in dithers.values():
            first = next(iter(receipts))
            try:
                aperture = get_aperture(first.aperture, first.spectral_element, config=first.config)
            except AptDitherError as error:
                yield error.located(self._location(first))
                continue
            for problem in receipt_problems(receipts, catalog, aperture, must_be_complete=False):
                if problem.kind is ProblemKind.MOVED:
                    yield ReceiptError(
                        f"{problem.message}; restore the POS TARG, or delete the receipt to keep "
                        "the POS TARG that the file has now",
                        location=self._location(problem.exposure),
                    )

    def change(self) -> VisitChange:
        """Return what the visit becomes."""
        becomes: dict[int, list[NewExposure]] = {}
        source: Exposure | None = None
        for exposure in self.visit.exposures:
            receipt = self.receipts.get(exposure)
            if receipt is None or not receipt.is_copy:
                source = exposure
            elif source is not None and is_unedited_copy(self.proposal, source, exposure):
                becomes[exposure.node] = []
                continue
            else:
                self.notes.append(
                    f"visit {self.visit.number}, exposure {exposure.number}: this copy was edited "
                    "since it was made, so it stays, at the POS TARG before the dither"
                )
            if not self._loses_lines(exposure):
                continue
            is_moved = receipt is not None and (
                receipt.is_dither or exposure.pos_targ == receipt.base
            )
            becomes[exposure.node] = [
                NewExposure(
                    source=exposure,
                    pos_targ=receipt.base if receipt is not None and is_moved else None,
                    same_pos_as=None if is_moved else exposure.same_pos_as,
                    dropped=self.dropped,
                )
            ]
        dropped = self.dropped & {LineKind.TAG}
        return change_visit(self.visit, becomes, dropped=dropped)
