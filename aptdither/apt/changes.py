"""What a plan wants changed, and what each exposure of the touched visits becomes.

Reading order: :class:`Changes` is what a plan hands over; :func:`plan_visits` settles from it a
:class:`Row` for each exposure of each touched visit, numbers and SamePosAs included. Rows are what
:mod:`aptdither.apt.writer` writes and what :mod:`aptdither.apt.verify` looks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.tags import LINE_END, LineKind, Receipt, kind_of_line, parse_receipt
from aptdither.errors import AptDitherError, Location, ProposalError, raise_all
from aptdither.types import PosTarg


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPosition:
    """Where an exposure shall point, and the receipt that says so."""

    pos_targ: PosTarg
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureChange:
    """What becomes of one exposure.

    Attributes
    ----------
    exposure : Exposure
        As read.
    pointings : tuple of NewPosition
        None: it is deleted (a copy that an earlier run made). One: it points there. More: it takes
        the first, and a new exposure after it each of the others.
    deal : bool
        Its iterations or pattern positions become exposures: each keeps one iteration and one of
        the SubExposures.
    """

    exposure: Exposure
    pointings: tuple[NewPosition, ...]
    deal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a plan wants changed.

    Attributes
    ----------
    exposures : tuple of ExposureChange
        At most one for each exposure.
    unwrapped : tuple of ExposureGroup
        Pattern groups that become plain ones; their exposures stay in them.
    """

    exposures: tuple[ExposureChange, ...] = ()
    unwrapped: tuple[ExposureGroup, ...] = ()


class Row(NamedTuple):
    """What one exposure of the new file is; a tuple, since a file can have 100,000.

    Attributes
    ----------
    exposure : Exposure
        The exposure of the old file that it is, or is copied from.
    number : str or None
        Its number in the new file; None when it is deleted.
    copy : int
        0 for the exposure itself, 1 for the first copy made of it.
    same_pos_as : str or None
        Its SamePosAs in the new file.
    pos_targ : PosTarg or None
        Where it shall point, rounded as it is written; None to leave it alone.
    receipt : Receipt or None
        The receipt it shall hold; given with `pos_targ`.
    deal : bool
        Whether it keeps one iteration and one SubExposure of the old one's.
    """

    exposure: Exposure
    number: str | None
    copy: int = 0
    same_pos_as: str | None = None
    pos_targ: PosTarg | None = None
    receipt: Receipt | None = None
    deal: bool = False

    @property
    def differs(self) -> bool:
        """Whether its pointing, its receipt or its SubExposures are not yet what is wanted."""
        exposure = self.exposure
        if self.receipt is None:
            return False
        if self.copy or self.deal or exposure.problems or exposure.same_pos_as is not None:
            return True
        if self.pos_targ != exposure.pos_targ:
            return True
        receipts = receipt_lines(exposure.comments)
        return len(receipts) != 1 or not matches_receipt(receipts[0], self.receipt)


class VisitPlan(NamedTuple):
    """What a visit of the new file is: a row for each exposure, the deleted ones too."""

    visit: Visit
    rows: tuple[Row, ...]
    unwrapped: frozenset[int]


def plan_visits(proposal: Proposal, changes: Changes) -> list[VisitPlan]:
    """Settle what the exposures of each touched visit become, in document order."""
    by_node = {change.exposure.node: change for change in changes.exposures}
    unwrapped = {group.node for group in changes.unwrapped}
    plans: list[VisitPlan] = []
    errors: list[AptDitherError] = []
    for visit in proposal.visits:
        walked = list(visit.walk())
        groups = {group.node for _, around in walked for group in around} & unwrapped
        if not groups and not any(exposure.node in by_node for exposure, _ in walked):
            continue
        try:
            rows = _plan_rows(visit, [exposure for exposure, _ in walked], by_node)
        except ProposalError as error:
            errors.append(error.located(Location(path=proposal.path or None)))
            continue
        plans.append(VisitPlan(visit=visit, rows=rows, unwrapped=frozenset(groups)))
    raise_all(errors)
    return plans


def _plan_rows(
    visit: Visit, exposures: Sequence[Exposure], by_node: dict[int, ExposureChange]
) -> tuple[Row, ...]:
    rows: list[Row] = []
    for exposure in exposures:
        change = by_node.get(exposure.node)
        if change is None:
            rows.append(Row(exposure=exposure, number=exposure.number))
        elif not change.pointings:
            rows.append(Row(exposure=exposure, number=None))
        else:
            rows += [
                Row(
                    exposure=exposure,
                    number=exposure.number if index == 0 else "",
                    copy=index,
                    pos_targ=PosTarg(
                        x_arcsec=float(format_arcsec(pointing.pos_targ.x_arcsec)),
                        y_arcsec=float(format_arcsec(pointing.pos_targ.y_arcsec)),
                    ),
                    receipt=pointing.receipt,
                    deal=change.deal,
                )
                for index, pointing in enumerate(change.pointings)
            ]
    if len(rows) != len(exposures) or any(row.number is None for row in rows):
        return _renumbered(visit, rows)
    return tuple(
        row._replace(same_pos_as=None if row.receipt else row.exposure.same_pos_as) for row in rows
    )


def _renumbered(visit: Visit, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Give the exposures of a visit the numbers 1 to K; every SamePosAs follows."""
    new_numbers: dict[str, list[str | None]] = {}
    renumbered: list[Row] = []
    count = 0
    for row in rows:
        number = None
        if row.number is not None:
            count += 1
            number = str(count)
        renumbered.append(row._replace(number=number))
        if row.copy == 0:
            new_numbers.setdefault(row.exposure.number, []).append(number)
    for index, row in enumerate(renumbered):
        named = row.exposure.same_pos_as
        location = Location(
            visit=visit.number, exposure=row.exposure.number, line=row.exposure.line
        )
        if not row.exposure.number:
            raise ProposalError(
                "it has no Number, so the visit's exposures cannot be renumbered; save the "
                "proposal again in APT",
                location=location,
            )
        if row.number is None or row.receipt is not None or named is None:
            continue
        target = new_numbers.get(named, [])
        if len(target) != 1 or target[0] is None:
            what = (
                f"{len(target)} exposures of this visit have"
                if len(target) != 1
                else "an exposure that would be removed has"
            )
            raise ProposalError(
                f"SamePosAs is {named!r}, a number that {what}, so it cannot follow when exposures "
                "are renumbered; name one exposure of the visit",
                location=location,
            )
        renumbered[index] = row._replace(same_pos_as=target[0])
    return tuple(renumbered)


def format_arcsec(arcsec: float) -> str:
    """Return a POS TARG coordinate as it is written: three decimals, never ``-0.000``."""
    return f"{round(float(arcsec), 3) + 0.0:.3f}"


def receipt_lines(comments: str) -> list[str]:
    """Return the lines of a comment that begin with ``@dithered``."""
    if "@dithered" not in comments.lower():
        return []
    return [line for line in LINE_END.split(comments) if kind_of_line(line) is LineKind.RECEIPT]


def matches_receipt(line: str, wanted: Receipt) -> bool:
    """Tell whether a line is a receipt that says what is wanted."""
    if line == wanted.text:
        return True
    receipt = parse_receipt(line)
    return receipt is not None and receipt.equals_ignoring_version(wanted)
