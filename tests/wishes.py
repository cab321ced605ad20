"""What a test wants of exposures, and the new file that fulfills it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aptdither.apt.changes import NewExposure, VisitChange, change_visit
from aptdither.apt.document import Edit
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal
from aptdither.apt.receipt import Receipt
from aptdither.apt.writer import rewrite_proposal
from aptdither.errors import Location, ProposalError
from aptdither.types import PosTarg


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where an exposure shall point, and the receipt that says so."""

    pos_targ: PosTarg
    receipt: Receipt


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What becomes of one exposure: removed, moved, or moved and copied."""

    exposure: Exposure
    positions: tuple[Position, ...]
    is_split: bool = False


def changes_for(
    proposal: Proposal, wishes: Iterable[Wish], unwrapped: Sequence[ExposureGroup] = ()
) -> tuple[VisitChange, ...]:
    """Return what the visits of the wishes become."""
    becomes = {
        wish.exposure.node: tuple(
            NewExposure(
                source=wish.exposure,
                copy=copy,
                pos_targ=position.pos_targ,
                receipt=position.receipt,
                is_split=wish.is_split,
            )
            for copy, position in enumerate(wish.positions)
        )
        for wish in wishes
    }
    groups = {group.node for group in unwrapped}
    changes = []
    for visit in proposal.visits:
        inside = {group.node for _, around in visit.walk() for group in around}
        own = tuple(group for group in unwrapped if group.node in inside & groups)
        if own or any(exposure.node in becomes for exposure in visit.exposures):
            try:
                changes.append(change_visit(visit, becomes, own))
            except ProposalError as error:
                raise error.located(Location(path=proposal.path or None)) from None
    return tuple(changes)


def rewrite(
    proposal: Proposal, wishes: Iterable[Wish] = (), unwrapped: Sequence[ExposureGroup] = ()
) -> bytes:
    """Return the new file."""
    return rewrite_proposal(proposal, changes_for(proposal, wishes, unwrapped))


def spans_outside(edits: Sequence[Edit], length: int) -> list[tuple[int, int]]:
    """Return the stretches of a document that ordered edits leave alone."""
    bounds = [0, *(offset for edit in edits for offset in (edit.start, edit.stop)), length]
    return list(zip(bounds[::2], bounds[1::2], strict=True))
