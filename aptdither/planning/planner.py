"""What each set becomes: a pattern for its setups, a point for each exposure, what that is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aptdither.apt.changes import NewExposure, VisitChange
from aptdither.apt.tags import Parallel
from aptdither.dither.views import View
from aptdither.errors import AptDitherError, RefusalError, raise_all
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.choice import PatternChoice, PatternChooser
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.joint import (
    Cluster,
    JoinedSet,
    interleave,
    joined_sets,
    orient_findings,
)
from aptdither.planning.pointings import ExposureSet, Pointing
from aptdither.planning.points import assign_points, cluster_sizes
from aptdither.planning.refusals import is_supported
from aptdither.types import PosTarg, Progress, Region, Setup

DOUBTFUL_TAG = Rule(
    code="ADT107",
    severity=Severity.WARNING,
    title="a tag may not do what was meant",
    explanation="The tag covers a single exposure at one point, which is not a dither; or the "
    "setups have different numbers of exposures, so they cannot share one pattern. Give n=, join "
    "exposures with id=, or put the tag in the Visit's Comments.",
    source="aptdither README, The tag",
)

#: Most exposures of a setup over all visits of a set: evaluating them costs the square. Chosen: the
#: pixel is full of phases with a fourth of them.
MAX_JOINED = 256

#: What a tag of a single exposure at one point does.
SINGLE_POINT = (
    "a single exposure at one point is not dithered and stays as it is; give n= to expand it, or id= "
    "to join exposures"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSetup:
    """One setup of a share: its pattern, and what its exposures become."""

    dither_set: DitherSet
    cluster: Cluster
    setup: Setup
    becomes: dict[int, tuple[NewExposure, ...]]

    @property
    def share(self) -> Share:
        """The exposures of a visit that it is of."""
        return self.cluster.share


class Planner:
    """Plans set after set; equal questions are answered once.

    Parameters
    ----------
    evaluator : Evaluator
        Whose catalog and seed hold.
    progress : callable or None
        Called while a pattern is being searched.

    Attributes
    ----------
    findings : list of Finding
        What the observer should know of the sets so far.
    completed : dict of int to list of ExposureSet
        What completed visits of sets did, by the node of the visit.
    """

    def __init__(self, evaluator: Evaluator, progress: Progress | None) -> None:
        self.evaluator = evaluator
        self.catalog = evaluator.catalog
        self.progress = progress
        self.findings: list[Finding] = []
        self.completed: dict[int, list[ExposureSet]] = {}
        self._choices: dict[object, PatternChoice] = {}

    def plan_set(self, dither_set: DitherSet, *, only_check: bool) -> list[PlannedSetup]:
        """Choose patterns for one set and say what each of its exposures becomes.

        With `only_check` nothing is chosen: only errors are looked for.
        """
        if dither_set.is_completed:
            raise RefusalError(
                "this visit is completed; remove its tag, or give --all-visits",
                location=dither_set.location,
            )
        shares = [share for share in dither_set.shares if not share.is_completed]
        errors: list[AptDitherError] = []
        sharing = [self._sharing(dither_set, share, errors) for share in shares]
        raise_all(errors)
        together: Counter[tuple[PosTarg, Setup]] = Counter()
        for share, own in zip(shares, sharing, strict=True):
            for sizes, alike in own.items():
                together.update({(share.base, setup): sum(sizes) for setup in alike})
        most = max(together.values())
        if len(shares) > 1 and most > MAX_JOINED:
            raise RefusalError(
                f"the visits have {most} exposures of one setup together, and at most {MAX_JOINED} "
                "are joined: give some visits another id",
                location=dither_set.location,
            )
        if only_check:
            return []
        clusters = [
            cluster
            for share, own in zip(shares, sharing, strict=True)
            for cluster in self._clusters(dither_set, share, own)
        ]
        if len(dither_set.shares) > 1:
            views = {
                setup: self.evaluator.view(setup, dither_set.region, snr=dither_set.request.snr)
                for cluster in clusters
                for setup in cluster.setups
            }
            interleave(clusters, self._completed(dither_set), views)
            self.findings += orient_findings(dither_set)
        return [
            PlannedSetup(
                dither_set=dither_set,
                cluster=cluster,
                setup=setup,
                becomes=assign_points(
                    cluster.share.by_setup()[setup],
                    cluster.share.base,
                    cluster.choice,
                    cluster.shift,
                ),
            )
            for cluster in clusters
            for setup in cluster.setups
        ]

    def _completed(self, dither_set: DitherSet) -> list[ExposureSet]:
        """Return what the completed visits of a set did."""
        return [
            one
            for share in dither_set.shares
            if share.is_completed
            for one in self.completed.get(share.visit.node, ())
            if one.exposures[0] in share.exposures
        ]

    def join(self, dither_set: DitherSet, groups: Sequence[DitherGroup]) -> Iterator[JoinedSet]:
        """Yield what the groups of a set are worth together, over its visits."""
        if len(dither_set.shares) > 1:
            own = [group for group in groups if group.exposures.dither_set is dither_set]
            yield from joined_sets(dither_set, own, self._completed(dither_set), self.evaluator)

    def _sharing(
        self, dither_set: DitherSet, share: Share, errors: list[AptDitherError]
    ) -> dict[tuple[int, ...], list[Setup]]:
        """Return the setups that share a pattern, by the sizes of their clusters."""
        sharing: dict[tuple[int, ...], list[Setup]] = {}
        for setup, members in share.by_setup().items():
            try:
                self.evaluator.aperture(setup)
                self.evaluator.element(setup)
                sizes = cluster_sizes(dither_set.request, setup, members, self.catalog)
                sharing.setdefault(sizes, []).append(setup)
            except AptDitherError as error:
                first = members[0].exposure
                location = replace(share.location, exposure=first.number, line=first.line)
                errors.append(error.located(location))
        return sharing

    def _clusters(
        self, dither_set: DitherSet, share: Share, sharing: dict[tuple[int, ...], list[Setup]]
    ) -> Iterator[Cluster]:
        """Yield a cluster for the setups of a share that share a pattern."""
        if len(sharing) > 1:
            counts = "; ".join(
                f"{', '.join(setup.text for setup in alike)}: {sum(sizes)}"
                for sizes, alike in sharing.items()
            )
            self.findings.append(
                DOUBTFUL_TAG.finding(
                    f"the setups have different numbers of points ({counts}), so each has a "
                    "pattern of its own; give n= to share one",
                    share.location,
                )
            )
        for sizes, alike in sharing.items():
            if sum(sizes) == 1 and not dither_set.is_joined(share):
                self.findings.append(DOUBTFUL_TAG.finding(SINGLE_POINT, share.location))
                continue
            parallels = self._parallel_views(dither_set, share, alike)
            choice = self._choose(dither_set, share, sizes, alike, parallels)
            yield Cluster(
                share=share,
                sizes=sizes,
                setups=tuple(alike),
                choice=choice,
                parallels=parallels,
            )

    def _choose(
        self,
        dither_set: DitherSet,
        share: Share,
        sizes: tuple[int, ...],
        setups: Sequence[Setup],
        parallels: tuple[View, ...],
    ) -> PatternChoice:
        request, region, base = dither_set.request, dither_set.region, share.base
        key = (request, region, sizes, tuple(setups), parallels, base)
        if key not in self._choices:
            prime = self.evaluator.aperture(setups[0]).frame
            chooser = PatternChooser(
                views=(
                    *(
                        self.evaluator.view(setup, region, prime=prime, snr=request.snr)
                        for setup in setups
                    ),
                    *parallels,
                ),
                spacing=request.spacing,
                base=base,
                catalog=self.catalog,
                seed=self.evaluator.seed,
                progress=self.progress,
            )
            self._choices[key] = chooser.choose(sizes, request)
        return self._choices[key]

    def _parallel_views(
        self, dither_set: DitherSet, share: Share, setups: Sequence[Setup]
    ) -> tuple[View, ...]:
        """Return what sees the parallel exposures of containers; they decide unless the tag says."""
        if dither_set.request.parallel is Parallel.PRIME:
            return ()
        parallels = {
            one.setup: None
            for setup in setups
            for member in share.by_setup()[setup]
            for one in member.parallels
            if is_supported(one)
        }
        return tuple(
            self.evaluator.view(
                setup,
                Region.full(),
                prime=self.evaluator.aperture(setups[0]).frame,
                snr=dither_set.request.snr,
            )
            for setup in parallels
        )

    def evaluate(
        self, planned: PlannedSetup, changes: dict[int, VisitChange]
    ) -> Iterator[DitherGroup]:
        """Evaluate one setup by what is written, and what its containers hold beside it."""
        share, members = planned.share, planned.share.by_setup()[planned.setup]
        together = {one.node for member in members for one in member.together}
        new_exposures = changes[share.visit.node].exposures
        written = [
            new
            for new in new_exposures
            if new.source.node in planned.becomes
            and new.source.node not in together
            and new.receipt is not None
            and new.receipt.base == share.base
        ]
        yield self._group(planned, planned.setup, None, map(_pointing, written))
        number_of = {new.source.node: new.number for new in new_exposures}
        pos_targ_of = {new.source.node: new.pos_targ for new in written}
        beside: dict[tuple[Setup, Setup | None], dict[int, Pointing]] = {}
        for member in members:
            node = member.exposure.node
            for one in (*member.together, *member.parallels):
                prime = planned.setup if one in member.parallels else None
                pos_targ = pos_targ_of[node]
                if one.setup != planned.setup and is_supported(one) and pos_targ is not None:
                    pointing = Pointing(
                        number=number_of[one.node],
                        pos_targ=pos_targ,
                        orbit=one.orbit_numbers[0] if one.orbit_numbers else None,
                        exposure=one,
                        was=one.number,
                        old_pos_targ=one.pos_targ,
                    )
                    beside.setdefault((one.setup, prime), {}).setdefault(node, pointing)
        for (setup, prime), pointings in beside.items():
            yield self._group(planned, setup, prime, pointings.values())

    def _group(
        self,
        planned: PlannedSetup,
        setup: Setup,
        prime: Setup | None,
        pointings: Iterable[Pointing],
    ) -> DitherGroup:
        taken = tuple(pointings)
        exposures = ExposureSet(
            setup=setup,
            pointings=taken,
            base=planned.share.base,
            region=planned.dither_set.region if prime is None else Region.full(),
            visit=planned.share.visit,
            target=taken[0].exposure.target_name if taken[0].exposure is not None else "",
            dither_set=planned.dither_set,
            share=planned.share,
            prime=prime,
        )
        return self.evaluator.evaluate(
            exposures, planned.cluster.choice, clusters=len(planned.cluster.sizes)
        )


def _pointing(new: NewExposure) -> Pointing:
    """Return where an exposure of the new file points."""
    source = new.source
    assert new.pos_targ is not None  # only exposures of a set come here
    return Pointing(
        number=new.number,
        pos_targ=new.pos_targ,
        orbit=new.orbit,
        exposure=source,
        was=source.number if new.copy == 0 else None,
        old_pos_targ=source.pos_targ if new.copy == 0 else None,
    )
