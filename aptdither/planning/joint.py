"""Sets over several visits and tiles: the shifts of their clusters, and what the union is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product, zip_longest

import numpy as np

from aptdither.apt.changes import NewExposure
from aptdither.apt.proposal import Visit
from aptdither.dither.clusters import best_shift
from aptdither.dither.overlap import OverlapFigures, evaluate_overlap
from aptdither.dither.pointing_errors import PointingExpectation
from aptdither.dither.views import View
from aptdither.errors import RefusalError
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.choice import PatternChoice
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.pointings import ExposureSet, Pointing, VisitPointings
from aptdither.planning.receipts import TILE_ARCSEC
from aptdither.types import NO_OFFSET, FloatArray, PosTarg, RegionKind, Setup

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
    "field by a tenth of a WFC3/IR pixel. Where the file lets it differ, each visit is planned for "
    "itself: it has a whole pattern and needs no other. The step of less than a pixel between the "
    "patterns costs nothing, and interleaves them should the ORIENTs be the same. Give the visits one "
    "ORIENT (the same value in From and To) in APT, if the schedule allows it.",
    source="Phase II Proposal Instructions (ORIENT)",
)


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The exposures of the setups of a share that have one pattern, and what they become."""

    dither_set: DitherSet
    share: Share
    setups: tuple[Setup, ...]
    #: Points of each cluster of its own.
    sizes: tuple[int, ...]
    choice: PatternChoice
    #: What sees its exposures: its setups, then what is parallel to them and decides, too.
    views: tuple[View, ...]
    #: What is added to the offsets of the pattern.
    shift: PosTarg = NO_OFFSET
    #: By the node of each exposure.
    becomes: dict[int, tuple[NewExposure, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JoinedSet(DitherGroup):
    """The exposures of one setup over visits about one base, with what they are worth together."""

    #: The ``id`` that joins them.
    id: str
    #: What is planned of it, a group for each visit.
    groups: tuple[DitherGroup, ...]
    #: What was executed already.
    completed: tuple[ExposureSet, ...]

    @property
    def pointing(self) -> PointingExpectation:
        """What pointing errors leave of it: guide stars are re-acquired for each visit."""
        return self.evaluation.with_pointing_errors(self.exposures.orbits, clusters=1)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Its visits, in the order of the file."""
        parts = [one.exposures for one in self.groups] + list(self.completed)
        visits = {part.visit.node: part.visit for part in parts if part.visit is not None}
        return tuple(visits[node] for node in sorted(visits))

    @property
    def may_be_turned(self) -> bool:
        """Whether its visits may differ in ORIENT: what they are worth together is not certain."""
        return any(is_turned(*pair) is None for pair in combinations(self.visits, 2))


def is_turned(first: Visit | None, second: Visit | None) -> bool | None:
    """Tell whether two visits are observed at different ORIENTs; None where they may be."""
    if first is None or second is None or first.node == second.node:
        return False
    if not first.orients_deg or not second.orients_deg:
        return None
    pairs = list(product(first.orients_deg, second.orients_deg))
    if all(own[1] < other[0] or other[1] < own[0] for own, other in pairs):
        return True
    return False if len(pairs) == 1 and len({*pairs[0][0], *pairs[0][1]}) == 1 else None


def completed_parts(
    dither_set: DitherSet, observed: Mapping[int, VisitPointings]
) -> list[ExposureSet]:
    """Return what the completed visits of a set did at each tile; `observed` by the visit's node.

    A RefusalError says that it does not follow from the file.
    """
    bases, found = [share.base for share in dither_set.shares], []
    for share in dither_set.shares:
        if not share.is_completed:
            continue
        visit, own = observed[share.visit.node], set(share.exposures)
        for unknown in visit.unresolved:
            if own & set(unknown.exposures):
                raise RefusalError(
                    "the visit is completed and belongs to the set, and its phases are not known: "
                    f"{unknown.reason}; take its tag away",
                    location=share.location,
                )
        for one in visit.sets:
            if own & set(one.exposures):
                tiles: defaultdict[PosTarg, list[Pointing]] = defaultdict(list)
                for pointing in one.pointings:
                    at = pointing.pos_targ
                    base = min(bases, key=lambda base: (at - base).length_arcsec)
                    tiles[base if (at - base).length_arcsec < TILE_ARCSEC else at].append(pointing)
                found += [
                    replace(one, base=base, pointings=tuple(there)) for base, there in tiles.items()
                ]
    return found


def interleave(clusters: Sequence[Cluster], completed: Sequence[ExposureSet]) -> None:
    """Give each cluster of a set the shift with which the phases of all interleave.

    Clusters of one base interleave with each other and with what completed visits have there, as
    far as they share a setup and their visits may have the same ORIENT. The first stays where it is.
    """
    searched = clusters[:_MOST_SEARCHED]
    for sweep in range(1 + (_SWEEPS if len(searched) > 2 else 0)):
        for index, cluster in enumerate(searched):
            others = searched[:index] if sweep == 0 else [*searched[:index], *searched[index + 1 :]]
            there = list(_beside(cluster, others, completed))
            if not there or (sweep and index == 0 and not completed):
                continue
            common = {setup for setup, _ in there}
            views = [
                view
                for view, setup in zip_longest(cluster.views, cluster.setups)
                if setup is None or setup in common
            ]
            shift = best_shift(
                np.concatenate([offsets for _, offsets in there]),
                cluster.choice.offsets,
                views,
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
        if common and other.share.base == base and not is_turned(visit, other.share.visit):
            yield common[0], other.choice.offsets + other.shift.xy_arcsec
    for done in completed:
        if done.setup in cluster.setups and done.base == base and not is_turned(visit, done.visit):
            yield done.setup, done.offsets_arcsec


def joined_sets(
    dither_set: DitherSet,
    groups: Iterable[DitherGroup],
    observed: Mapping[int, VisitPointings],
    evaluator: Evaluator,
) -> Iterator[JoinedSet]:
    """Yield what the groups of one set are worth together, for each setup that has several.

    Groups whose ORIENTs differ stand for themselves.
    """
    groups = [group for group in groups if group.exposures.dither_set is dither_set]
    completed = completed_parts(dither_set, observed)
    together: list[list[ExposureSet]] = []
    for new in [*(group.exposures for group in groups), *completed]:
        for own in together:
            alike = all(
                (one.setup, one.prime, one.base) == (new.setup, new.prime, new.base)
                and not is_turned(one.visit, new.visit)
                for one in own
            )
            if alike:
                own.append(new)
                break
        else:
            together.append([new])
    for own in together:
        planned = tuple(g for g in groups if any(g.exposures is one for one in own))
        if not planned or len(own) < 2:
            continue
        # No two visits share an orbit.
        pointings = [(one.visit, pointing) for one in own for pointing in one.pointings]
        orbits = [(id(visit), pointing.orbit or 1) for visit, pointing in pointings]
        number_of = {orbit: number for number, orbit in enumerate(dict.fromkeys(orbits), start=1)}
        union = replace(
            own[0],
            pointings=tuple(
                replace(pointing, orbit=number_of[orbit])
                for (_, pointing), orbit in zip(pointings, orbits, strict=True)
            ),
        )
        yield JoinedSet(
            exposures=union,
            choice=planned[0].choice,
            clusters=len(own),
            evaluation=evaluator.evaluation(
                union.offsets_arcsec, planned[0].evaluation.view, union.base
            ),
            id=dither_set.request.id or "",
            groups=planned,
            completed=tuple(one for one in own if any(one is done for done in completed)),
        )


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two tiles of a mosaic that overlap, and what the exposures of both are worth there."""

    groups: tuple[DitherGroup, DitherGroup]
    figures: OverlapFigures


def overlaps(groups: Sequence[DitherGroup]) -> Iterator[Overlap]:
    """Yield the worst overlap of two tiles, for each setup that a set has in a visit."""
    mosaics: defaultdict[object, list[DitherGroup]] = defaultdict(list)
    for group in groups:
        own = group.exposures
        if own.region.kind is RegionKind.FULL:
            mosaics[id(own.dither_set), group.visit, own.setup, own.prime].append(group)
    for tiles in mosaics.values():
        found: dict[object, Overlap | None] = {}
        for one, other in combinations(tiles, 2):
            first, second = (group.evaluation.offsets_arcsec for group in (one, other))
            step = (other.base - one.base).rounded()
            # Tiles of a grid lie alike again and again.
            key = (step, first.tobytes(), second.tobytes())
            if key not in found:
                view, base = one.evaluation.view, one.base.xy_arcsec
                figures = evaluate_overlap(first, second + step.xy_arcsec, view, base=base)
                found[key] = None if figures is None else Overlap((one, other), figures)
        there = [one for one in found.values() if one is not None]
        if there:
            yield min(there, key=lambda one: one.figures.efficiency)


def orient_findings(dither_set: DitherSet) -> Iterator[Finding]:
    """Yield a finding where visits of a set are, or may be, observed at different ORIENTs."""
    shares = {share.visit.node: share for share in dither_set.shares}.values()
    for turned, message in _ORIENTS.items():
        pairs = [
            pair
            for pair in combinations(shares, 2)
            if is_turned(pair[0].visit, pair[1].visit) is turned
        ]
        if pairs:
            numbers = dict.fromkeys(share.visit.number for pair in pairs for share in pair)
            yield OTHER_ORIENT.finding(
                f"visits {', '.join(numbers)} {message}", pairs[0][1].location
            )


_ORIENTS = {
    True: "have different ORIENTs, so their phases are independent: each is planned for itself",
    None: "may be observed at different ORIENTs, so their phases are independent: each is planned for "
    "itself, with a whole pattern of its own. Where their ORIENT is the same, the patterns interleave; "
    "to have that for certain, give the visits one ORIENT in APT",
}
