"""What the exposures of a visit become: records that are written and then verified.

A plan lists the new exposures for each exposure that it dithers. From that, :func:`change_visit`
determines every exposure of the new visit, with its number and SamePosAs.
:mod:`aptdither.apt.writer` writes these records and :mod:`aptdither.apt.verify` checks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from aptdither.apt.proposal import Exposure, ExposureGroup, Visit
from aptdither.apt.receipt import Receipt, parse_receipt
from aptdither.apt.tags import LINE_END, LineKind, kind_of_line
from aptdither.errors import AptDitherError, Location, ProposalError, raise_all
from aptdither.types import PosTarg


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExposure:
    """One exposure of the new file: the exposure `source` of the old file, or a copy of it.

    Attributes
    ----------
    copy : int
        0 for the exposure itself, k for the k-th copy made of it.
    number, same_pos_as : str
        In the new file; given by :func:`change_visit`.
    pos_targ : PosTarg or None
        Its new POS TARG; None leaves its position alone. Without a receipt, a POS TARG of zero
        means no PosTarg.
    receipt : Receipt or None
        Its new receipt; given with `pos_targ`.
    dropped : frozenset of LineKind
        Kinds of the lines that its Comments lose, where it gets no receipt.
    is_split : bool
        Whether it keeps one iteration and one SubExposure of the old one's.
    run : int or None
        Which SubExposure it keeps, where that is not the one of its `copy`.
    """

    source: Exposure
    copy: int = 0
    number: str = ""
    same_pos_as: str | None = None
    pos_targ: PosTarg | None = None
    receipt: Receipt | None = None
    dropped: frozenset[LineKind] = frozenset()
    is_split: bool = False
    run: int | None = None

    @property
    def orbit(self) -> int | None:
        """The orbit that the old file gives it; None where it is not known."""
        orbits = self.source.orbit_numbers
        return orbits[self.kept_run(len(orbits))] if orbits else None

    @property
    def is_written(self) -> bool:
        """Whether an earlier run wrote its POS TARG and receipt: the observer's has other decimals."""
        receipt, source = self.receipt, self.source
        return (
            receipt is not None
            and (self.copy, self.pos_targ) == (0, source.pos_targ)
            and any(matches_receipt(line, receipt) for line in receipt_lines(source.comments))
        )

    def kept_run(self, count: int) -> int:
        """Return which of the old exposure's `count` SubExposures is its own."""
        return min(self.copy if self.run is None else self.run, count - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitChange:
    """What one visit becomes.

    Attributes
    ----------
    exposures : tuple of NewExposure
        Every exposure of the new visit, in document order. A copy stands after the exposure that
        precedes it here, which may be a copy itself.
    removed : tuple of Exposure
        Exposures of the old visit that the new one does not have.
    dropped : frozenset of LineKind
        Kinds of the lines that the Comments of the visit itself lose.
    unwrapped : tuple of ExposureGroup
        Pattern groups that become plain groups; their exposures stay in them.
    """

    visit: Visit
    exposures: tuple[NewExposure, ...]
    removed: tuple[Exposure, ...] = ()
    dropped: frozenset[LineKind] = frozenset()
    unwrapped: tuple[ExposureGroup, ...] = ()


def change_visit(
    visit: Visit,
    becomes: Mapping[int, Sequence[NewExposure]],
    unwrapped: Sequence[ExposureGroup] = (),
    *,
    tiled: Mapping[int, int] | None = None,
    dropped: frozenset[LineKind] = frozenset(),
) -> VisitChange:
    """Determine what every exposure of a visit becomes.

    `becomes` has, by the node of each exposure that changes, what it becomes, in order; nothing
    where it is removed. The exposures of one group in `tiled` (the nodes of exposures, and of their
    groups) are put in the order of APT: all of a tile before the next tile. Each POS TARG of a dither gets the three decimals that are written. Where
    exposures are added or removed, all are numbered from 1 and each SamePosAs follows the exposure
    that it names.

    Raises
    ------
    ProposalError
        If the exposures cannot be numbered; all reasons together.

    Examples
    --------
    >>> from aptdither.apt.reader import parse_proposal
    >>> proposal = parse_proposal(
    ...     b"<HSTProposal><Visits><Visit Number='01'><Exposure Number='1' />"
    ...     b"<Exposure Number='2' SamePosAs='1' /></Visit></Visits></HSTProposal>"
    ... )
    >>> (visit,) = proposal.visits
    >>> first, second = visit.exposures
    >>> change = change_visit(visit, {first.node: [NewExposure(source=first, copy=k) for k in (0, 1)]})
    >>> [(new.number, new.same_pos_as) for new in change.exposures]
    [('1', None), ('2', None), ('3', '1')]
    """
    exposures: list[NewExposure] = []
    removed: list[Exposure] = []
    for exposure in visit.exposures:
        number, same = exposure.number, exposure.same_pos_as
        new = becomes.get(exposure.node)
        if new is None:
            exposures.append(NewExposure(source=exposure, number=number, same_pos_as=same))
            continue
        if not new:
            removed.append(exposure)
        for one in new:
            pos_targ = one.pos_targ
            if pos_targ is not None and one.receipt is not None:
                pos_targ = pos_targ.rounded()
            exposures.append(replace(one, number=number, pos_targ=pos_targ))
    exposures = _tile_by_tile(exposures, tiled or {})
    if removed or any(one.copy for one in exposures):
        if visit.unread_exposures:
            raise ProposalError(
                f"it has {visit.unread_exposures} exposures inside an element that is not known, "
                "so its exposures cannot be renumbered; move these exposures into the visit or an "
                "exposure group in APT, or give every point an exposure of its own so that no "
                "exposure is added or removed",
                location=Location(visit=visit.number, line=visit.line),
            )
        exposures = _numbered(visit, exposures)
    return VisitChange(
        visit=visit,
        exposures=tuple(exposures),
        removed=tuple(removed),
        dropped=dropped,
        unwrapped=tuple(unwrapped),
    )


def _tile_by_tile(exposures: Sequence[NewExposure], tiled: Mapping[int, int]) -> list[NewExposure]:
    """Return exposures with those of each tiled group in the order of their bases."""
    ordered: list[NewExposure] = []
    for group, run in groupby(exposures, key=lambda one: tiled.get(one.source.node)):
        own = [(one.receipt and one.receipt.base, one) for one in run]
        bases = list(dict.fromkeys(base for base, _ in own))
        if group is not None:
            own.sort(key=lambda pair: bases.index(pair[0]))
        ordered += (one for _, one in own)
    return ordered


def _numbered(visit: Visit, exposures: Sequence[NewExposure]) -> list[NewExposure]:
    """Give the exposures of a visit the numbers 1 to K; every SamePosAs follows."""
    numbered = [replace(one, number=str(k)) for k, one in enumerate(exposures, start=1)]
    new_numbers: dict[str, list[str]] = {}
    for one in numbered:
        if one.copy == 0:
            new_numbers.setdefault(one.source.number, []).append(one.number)
    old_numbers = {exposure.number for exposure in visit.exposures}
    errors: list[AptDitherError] = []
    for index, one in enumerate(numbered):
        source, named, message = one.source, one.source.same_pos_as, ""
        if not source.number:
            message = (
                "it has no Number, so the visit's exposures cannot be renumbered; save the "
                "proposal again in APT"
            )
        elif one.pos_targ is None and named is not None:
            targets = new_numbers.get(named, [])
            what = f"{len(targets)} exposures of this visit have"
            if not targets and named in old_numbers:
                what = "an exposure that would be removed has"
            if len(targets) == 1:
                numbered[index] = replace(one, same_pos_as=targets[0])
            else:
                message = (
                    f"SamePosAs is {named!r}, a number that {what}, so it cannot follow when "
                    "exposures are renumbered; name one exposure of the visit"
                )
        if message:
            location = Location(visit=visit.number, exposure=source.number, line=source.line)
            errors.append(ProposalError(message, location=location))
    raise_all(errors)
    return numbered


def receipt_lines(comments: str) -> list[str]:
    """Return the lines of a comment that begin with ``@dithered``."""
    if "@dithered" not in comments.lower():
        return []
    return [line for line in LINE_END.split(comments) if kind_of_line(line) is LineKind.RECEIPT]


def matches_receipt(line: str, wanted: Receipt) -> bool:
    """Whether a line is the receipt `wanted`; the version of aptdither may differ."""
    if line == wanted.text:
        return True
    receipt = parse_receipt(line)
    return receipt is not None and receipt.equals_ignoring_version(wanted)
