"""Sets over several visits and tiles: the shifts of their clusters, and what the union is worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from aptdither.apt.proposal import Proposal, Visit
from aptdither.dither.coverage import Coverage
from aptdither.dither.interleaving import best_shift
from aptdither.dither.pointing_errors import PointingExpectation
from aptdither.dither.views import View
from aptdither.errors import RefusalError
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.choice import PatternChoice
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.evaluation import DitherGroup, Evaluation, Evaluator
from aptdither.planning.pointings import ExposureSet, Pointing, observe
from aptdither.planning.receipts import TILE_ARCSEC
from aptdither.types import NO_OFFSET, FloatArray, PosTarg, Setup

#: Clusters whose shifts are searched; later ones repeat them. Chosen: 8 clusters of 4 have 32
#: phases, and the band of every filter is recovered with fewer.
_MOST_SEARCHED = 8

#: Times that each shift is looked at once more with all others in place.
_SWEEPS = 2

OTHER_ORIENT = Rule(
    code="ADT409",
    severity=Severity.NOTE,
    title="visits of one set may have different ORIENTs",
    explanation="Reported by `apply`. The phases of two visits interleave over the field only where "
    "both are observed at the same ORIENT: a difference of 0.01 degree moves the corner of the "
    "field by a tenth of a WFC3/IR pixel. The clusters interleave where the target lands, and each "
    "is coherent by itself. Give the visits one ORIENT (the same value in From and To) in APT, if "
    "the schedule allows it.",
    source="Phase II Proposal Instructions (ORIENT)",
)


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The exposures of setups that share a pattern, in one share.

    Attributes
    ----------
    share : Share
        The visit and base.
    sizes : tuple of int
        Points of each cluster of its own.
    setups : tuple of Setup
        The setups.
    choice : PatternChoice
        Their pattern.
    parallels : tuple of View
        What sees their parallel exposures.
    shift : PosTarg
        What is added to the offsets of the pattern.
    """

    share: Share
    sizes: tuple[int, ...]
    setups: tuple[Setup, ...]
    choice: PatternChoice
    parallels: tuple[View, ...] = ()
    shift: PosTarg = field(default=NO_OFFSET)

    @property
    def offsets_arcsec(self) -> FloatArray:
        """The offsets from the base, shifted, (N, 2)."""
        return self.choice.offsets + self.shift.xy_arcsec


@dataclass(frozen=True, kw_only=True)
class JoinedSet:
    """What the exposures of one setup are worth together, over visits and tiles.

    Attributes
    ----------
    id : str
        The ``id`` that joins them; empty for the tiles of a set without one.
    setup : Setup
        Configuration, aperture and spectral element.
    groups : tuple of DitherGroup
        What is planned of it, a group for each visit and tile.
    completed : tuple of ExposureSet
        What was executed already.
    evaluation : Evaluation
        Of all together, about the base that has the lowest efficiency.
    orbits : tuple of int
        Of each exposure; the orbits of two visits are different ones.
    """

    id: str
    setup: Setup
    groups: tuple[DitherGroup, ...]
    completed: tuple[ExposureSet, ...]
    evaluation: Evaluation
    orbits: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of exposures."""
        return self.evaluation.n

    @property
    def coverage(self) -> Coverage:
        """Coverage of the union."""
        return self.evaluation.coverage

    @property
    def pointing(self) -> PointingExpectation:
        """What pointing errors leave of it: guide stars are re-acquired for each visit."""
        return self.evaluation.with_pointing_errors(self.orbits, clusters=1)

    @property
    def visits(self) -> tuple[str, ...]:
        """The numbers of its visits, in the order of the file."""
        parts = [one.exposures for one in self.groups] + list(self.completed)
        visits = {part.visit.node: part.visit for part in parts if part.visit is not None}
        return tuple(visits[node].number for node in sorted(visits))


def is_turned(first: Visit, second: Visit) -> bool | None:
    """Tell whether two visits are observed at different ORIENTs; None where they may be."""
    if first.node == second.node:
        return False
    if not first.orients_deg or not second.orients_deg:
        return None
    pairs = [(own, other) for own in first.orients_deg for other in second.orients_deg]
    if all(own[1] < other[0] or other[1] < own[0] for own, other in pairs):
        return True
    return False if len(pairs) == 1 and len({*pairs[0][0], *pairs[0][1]}) == 1 else None


def completed_sets(
    proposal: Proposal, dither_sets: Iterable[DitherSet]
) -> dict[int, list[ExposureSet]]:
    """Return what the completed visits of sets did, by the node of the visit.

    Raises
    ------
    RefusalError
        If that does not follow from the file.
    """
    shares = [
        (dither_set, share)
        for dither_set in dither_sets
        for share in dither_set.shares
        if share.is_completed
    ]
    if not shares:
        return {}
    numbers = {share.visit.number for _, share in shares}
    observed = {one.visit.node: one for one in observe(proposal, visits=numbers)}
    found: dict[int, list[ExposureSet]] = {}
    for dither_set, share in shares:
        nodes = {exposure.node for exposure in share.exposures}
        visit = observed[share.visit.node]
        for unknown in visit.unresolved:
            if any(exposure.node in nodes for exposure in unknown.exposures):
                raise RefusalError(
                    "the visit is completed and belongs to the set, and its phases are not known: "
                    f"{unknown.reason}; take its tag away",
                    location=share.location,
                )
        bases = [one.base for one in dither_set.shares]
        for one in visit.sets:
            if any(exposure.node in nodes for exposure in one.exposures):
                found.setdefault(share.visit.node, []).extend(_by_tile(one, bases))
    return found


def _by_tile(exposures: ExposureSet, bases: Sequence[PosTarg]) -> Iterator[ExposureSet]:
    """Yield what exposures have at each tile."""
    tiles: dict[PosTarg, list[Pointing]] = {}
    for one in exposures.pointings:
        tiles.setdefault(_nearest(one.pos_targ, bases), []).append(one)
    for base, pointings in tiles.items():
        yield replace(exposures, base=base, pointings=tuple(pointings))


def _nearest(at: PosTarg, bases: Sequence[PosTarg]) -> PosTarg:
    """Return the base of the tile that a POS TARG belongs to; itself where it belongs to none."""
    base = min(bases, key=lambda base: (at - base).length_arcsec)
    return base if (at - base).length_arcsec < TILE_ARCSEC else at


def interleave(
    clusters: Sequence[Cluster],
    completed: Sequence[ExposureSet],
    views: dict[Setup, View],
) -> None:
    """Give each cluster the shift with which the phases of all interleave.

    Clusters of one base interleave with each other and with what completed visits have there, as
    far as they share a setup and their visits may have the same ORIENT. The first stays where it is.

    Parameters
    ----------
    clusters : sequence of Cluster
        Of one set, in document order; their shifts are set.
    completed : sequence of ExposureSet
        What completed visits of the set did.
    views : dict of Setup to View
        What sees each setup.
    """
    searched = clusters[:_MOST_SEARCHED]
    for sweep in range(1 + (_SWEEPS if len(searched) > 2 else 0)):
        for index, cluster in enumerate(searched):
            others = searched[:index] if sweep == 0 else [*searched[:index], *searched[index + 1 :]]
            there = list(_beside(cluster, others, completed))
            if not there or (sweep and index == 0 and not completed):
                continue
            setups = {setup for setup, _ in there}
            shift = best_shift(
                np.concatenate([offsets for _, offsets in there]),
                cluster.choice.offsets,
                [
                    *(views[setup] for setup in cluster.setups if setup in setups),
                    *cluster.parallels,
                ],
                base=cluster.share.base.xy_arcsec,
            )
            cluster.shift = PosTarg(x_arcsec=float(shift[0]), y_arcsec=float(shift[1]))
    for index, cluster in enumerate(clusters[_MOST_SEARCHED:]):
        cluster.shift = clusters[index % _MOST_SEARCHED].shift


def _beside(
    cluster: Cluster, others: Sequence[Cluster], completed: Sequence[ExposureSet]
) -> Iterator[tuple[Setup, FloatArray]]:
    """Yield the offsets whose phases should not be repeated, each once, with a setup of theirs."""
    base, visit = cluster.share.base, cluster.share.visit
    for other in others:
        common = [setup for setup in cluster.setups if setup in other.setups]
        if other.share.base == base and common and not is_turned(visit, other.share.visit):
            yield common[0], other.offsets_arcsec
    for done in completed:
        is_here = done.setup in cluster.setups and done.base == base
        if is_here and done.visit is not None and not is_turned(visit, done.visit):
            yield done.setup, _offsets(done, base)


def _offsets(exposures: ExposureSet, base: PosTarg) -> FloatArray:
    written = np.array([one.pos_targ.xy_arcsec for one in exposures.pointings])
    return np.round(written - base.xy_arcsec, 9) + 0.0


def joined_sets(
    dither_set: DitherSet,
    groups: Sequence[DitherGroup],
    completed: Sequence[ExposureSet],
    evaluator: Evaluator,
) -> Iterator[JoinedSet]:
    """Yield what the groups of one set are worth together, for each setup that has several.

    Groups whose ORIENTs differ stand for themselves.
    """
    together: list[list[ExposureSet]] = []
    for exposures in [*(group.exposures for group in groups), *completed]:
        for own in together:
            if all(_belong_together(one, exposures) for one in own):
                own.append(exposures)
                break
        else:
            together.append([exposures])
    for own in together:
        planned = [group for group in groups if any(group.exposures is one for one in own)]
        if not planned or len(own) < 2:
            continue
        base = planned[0].base
        orbits = _orbits(own)
        number_of = {orbit: index for index, orbit in enumerate(dict.fromkeys(orbits), start=1)}
        yield JoinedSet(
            id=dither_set.request.id or "",
            setup=planned[0].exposures.setup,
            groups=tuple(planned),
            completed=tuple(one for one in own if any(one is done for done in completed)),
            evaluation=evaluator.evaluation(
                np.concatenate([_offsets(one, base) for one in own]),
                planned[0].evaluation.view,
                base,
            ),
            orbits=tuple(number_of[orbit] for orbit in orbits),
        )


def _belong_together(first: ExposureSet, second: ExposureSet) -> bool:
    if (first.setup, first.prime, first.base) != (second.setup, second.prime, second.base):
        return False
    if first.visit is None or second.visit is None:
        return False
    return not is_turned(first.visit, second.visit)


def _orbits(parts: Iterable[ExposureSet]) -> list[tuple[int, int]]:
    """Return the visit and orbit of each exposure: no two visits share one."""
    return [
        (0 if part.visit is None else part.visit.node, one.orbit or 1)
        for part in parts
        for one in part.pointings
    ]


def orient_findings(dither_set: DitherSet) -> Iterator[Finding]:
    """Yield a finding where visits of a set are, or may be, observed at different ORIENTs."""
    visits = {share.visit.node: share for share in dither_set.shares}
    for turned in (True, None):
        pairs = [
            (one, other)
            for one, other in combinations(visits.values(), 2)
            if is_turned(one.visit, other.visit) is turned
        ]
        if not pairs:
            continue
        numbers = dict.fromkeys(share.visit.number for pair in pairs for share in pair)
        listed = ", ".join(numbers)
        if turned:
            message = (
                f"visits {listed} have different ORIENTs, so their phases are independent: each is "
                "planned for itself"
            )
        else:
            message = (
                f"visits {listed} may be observed at different ORIENTs: then their phases are "
                "independent, and the coverage of all together holds for the same ORIENT alone; "
                "give them one ORIENT in APT"
            )
        yield OTHER_ORIENT.finding(message, pairs[0][1].location)
