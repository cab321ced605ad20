"""What each set becomes: a pattern for its setups, a point for each exposure, what that is worth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aptdither.apt.changes import NewExposure, VisitChange
from aptdither.apt.proposal import Exposure
from aptdither.apt.receipt import MadeBy, Receipt
from aptdither.apt.tags import Parallel
from aptdither.dither.views import View
from aptdither.errors import AptDitherError, RefusalError, raise_all
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.choice import PatternChoice, PatternChooser
from aptdither.planning.dither_sets import DitherSet, Member, Share
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.planning.joint import (
    Cluster,
    completed_parts,
    interleave,
    orient_findings,
)
from aptdither.planning.pointings import (
    ExposureSet,
    Pointing,
    VisitPointings,
    pointing_of,
)
from aptdither.planning.refusals import is_supported
from aptdither.planning.sizes import cluster_sizes, expands
from aptdither.types import NO_OFFSET, PosTarg, Progress, Region, Setup
from aptdither.version import __version__

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


@dataclass(slots=True, kw_only=True)
class Planner:
    """Plans set after set; equal questions are answered once."""

    evaluator: Evaluator
    #: What the visits of sets do as they stand, by the node of the visit.
    observed: Mapping[int, VisitPointings]
    #: Called while a pattern is being searched.
    progress: Progress | None = None
    #: What the observer should know of the sets so far.
    findings: list[Finding] = field(default_factory=list)
    choices: dict[object, PatternChoice] = field(default_factory=dict)

    def plan_set(self, dither_set: DitherSet, *, only_check: bool) -> list[Cluster]:
        """Choose patterns for one set and say what each of its exposures becomes.

        With `only_check` nothing is chosen: only errors are looked for.
        """
        if dither_set.is_completed:
            raise RefusalError("this visit is completed; remove its tag, or give --all-visits")
        completed = completed_parts(dither_set, self.observed)
        errors: list[AptDitherError] = []
        sharing = [
            (share, self._sharing(dither_set, share, errors))
            for share in dither_set.shares
            if not share.is_completed
        ]
        raise_all(errors)
        together: Counter[tuple[PosTarg, Setup]] = Counter()
        for share, alike in sharing:
            for sizes, setups in alike.items():
                together.update({(share.base, setup): sum(sizes) for setup in setups})
        most = max(together.values())
        if len(sharing) > 1 and most > MAX_JOINED:
            raise RefusalError(
                f"the visits have {most} exposures of one setup together, and at most {MAX_JOINED} "
                "are joined: give some visits another id"
            )
        if only_check:
            return []
        clusters = [
            cluster
            for share, alike in sharing
            for cluster in self._clusters(dither_set, share, alike)
        ]
        if len(dither_set.shares) > 1:
            interleave(clusters, completed)
            self.findings += orient_findings(dither_set)
        for cluster in clusters:
            share, members = cluster.share, cluster.share.by_setup()
            for setup in cluster.setups:
                cluster.becomes |= assign_points(
                    members[setup], share.base, cluster.choice, cluster.shift
                )
        return clusters

    def _sharing(
        self, dither_set: DitherSet, share: Share, errors: list[AptDitherError]
    ) -> dict[tuple[int, ...], list[Setup]]:
        """Return the setups that share a pattern, by the sizes of their clusters."""
        sharing: dict[tuple[int, ...], list[Setup]] = {}
        for setup, members in share.by_setup().items():
            try:
                self.evaluator.view(setup, dither_set.region)
                sizes = cluster_sizes(dither_set.request, setup, members, self.evaluator.catalog)
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
                f"{', '.join(setup.text for setup in setups)}: {sum(sizes)}"
                for sizes, setups in sharing.items()
            )
            self.findings.append(
                DOUBTFUL_TAG.finding(
                    f"the setups have different numbers of points ({counts}), so each has a "
                    "pattern of its own; give n= to share one",
                    share.location,
                )
            )
        for sizes, setups in sharing.items():
            if sum(sizes) == 1 and not dither_set.is_joined(share):
                self.findings.append(DOUBTFUL_TAG.finding(SINGLE_POINT, share.location))
                continue
            views = self._views(dither_set, share, setups)
            yield Cluster(
                dither_set=dither_set,
                share=share,
                setups=tuple(setups),
                sizes=sizes,
                choice=self._choose(dither_set, views, share.base, sizes),
                views=views,
            )

    def _views(
        self, dither_set: DitherSet, share: Share, setups: Sequence[Setup]
    ) -> tuple[View, ...]:
        """Return what sees setups, and the parallels of containers; these decide unless the tag says."""
        request, prime, members = dither_set.request, setups[0], share.by_setup()
        seen = dict.fromkeys(setups, dither_set.region)
        if request.parallel is not Parallel.PRIME:
            for setup in setups:
                for member in members[setup]:
                    for one in filter(is_supported, member.parallels):
                        seen.setdefault(one.setup, Region.full())
        return tuple(
            self.evaluator.view(setup, region, prime=prime, snr=request.snr)
            for setup, region in seen.items()
        )

    def _choose(
        self, dither_set: DitherSet, views: tuple[View, ...], base: PosTarg, sizes: tuple[int, ...]
    ) -> PatternChoice:
        key = (dither_set.request, views, base, sizes)
        if key not in self.choices:
            chooser = PatternChooser(
                views=views,
                spacing=dither_set.request.spacing,
                base=base,
                catalog=self.evaluator.catalog,
                seed=self.evaluator.options.seed,
                progress=self.progress,
            )
            self.choices[key] = chooser.choose(sizes, dither_set.request)
        return self.choices[key]

    def evaluate(
        self, cluster: Cluster, changes: Mapping[int, VisitChange]
    ) -> Iterator[DitherGroup]:
        """Evaluate a cluster by what is written, and what its containers hold beside it."""
        share, members_of = cluster.share, cluster.share.by_setup()
        new_exposures = changes[share.visit.node].exposures
        new_of = {new.source.node: new for new in new_exposures}
        for setup in cluster.setups:
            members = members_of[setup]
            own = {one.node for member in members for one in (member.exposure, *member.copies)}
            written = {
                (new.source.node, new.copy): pointing_of(new, new.pos_targ)
                for new in new_exposures
                if new.source.node in own
                and new.pos_targ is not None
                and new.receipt is not None
                and new.receipt.base == share.base
            }
            yield self._group(cluster, setup, None, written.values())
            beside: defaultdict[tuple[Setup, Setup | None], list[Pointing]] = defaultdict(list)
            for member in members:
                seen = {setup}
                for one in filter(is_supported, (*member.together, *member.parallels)):
                    if one.setup not in seen:
                        seen.add(one.setup)
                        at = written[member.exposure.node, 0].pos_targ
                        prime = setup if one in member.parallels else None
                        beside[one.setup, prime].append(pointing_of(new_of[one.node], at))
            for (other, prime), pointings in beside.items():
                yield self._group(cluster, other, prime, pointings)

    def _group(
        self, cluster: Cluster, setup: Setup, prime: Setup | None, pointings: Iterable[Pointing]
    ) -> DitherGroup:
        exposures = ExposureSet(
            setup=setup,
            pointings=tuple(pointings),
            base=cluster.share.base,
            region=cluster.dither_set.region if prime is None else Region.full(),
            visit=cluster.share.visit,
            dither_set=cluster.dither_set,
            share=cluster.share,
            prime=prime,
        )
        return self.evaluator.evaluate(exposures, cluster.choice, clusters=len(cluster.sizes))


def assign_points(
    members: Sequence[Member], base: PosTarg, choice: PatternChoice, shift: PosTarg = NO_OFFSET
) -> dict[int, tuple[NewExposure, ...]]:
    """Give the points to the exposures of one setup, in document order.

    `shift` is added to all offsets. Copies of an earlier run stay: more are made after the
    exposure, or the last are removed. All prime exposures of a container get one point.
    """
    points = iter(enumerate(choice.offsets_arcsec, start=1))

    def at_next_point(source: Exposure, made_by: MadeBy, copy: int = 0) -> NewExposure:
        index, (x_arcsec, y_arcsec) = next(points)
        return NewExposure(
            source=source,
            copy=copy,
            pos_targ=base + shift + PosTarg(x_arcsec=x_arcsec, y_arcsec=y_arcsec),
            receipt=Receipt(
                index=index,
                total=total,
                pattern=choice.name,
                base=base,
                version=__version__,
                made_by=made_by,
                shift=shift,
            ),
        )

    total, is_expanded = len(choice.offsets_arcsec), expands(members)
    becomes: dict[int, tuple[NewExposure, ...]] = {}
    for member in members:
        source = member.exposure
        kept = member.copies[: total - 1] if is_expanded else member.copies
        count = total - len(kept) if is_expanded else member.runs
        first = at_next_point(source, member.receipt.made_by if member.receipt else MadeBy.OBSERVER)
        made_by = MadeBy.COPY if is_expanded else MadeBy.SPLIT
        own = [first, *(at_next_point(source, made_by, copy) for copy in range(1, count))]
        becomes[source.node] = tuple(replace(one, is_split=member.runs > 1) for one in own)
        becomes |= {
            one.node: (replace(becomes[source.node][0], source=one),) for one in member.together
        }
        becomes |= {one.node: (at_next_point(one, MadeBy.COPY),) for one in kept}
        becomes |= {one.node: () for one in member.copies[len(kept) :]}
    return becomes
