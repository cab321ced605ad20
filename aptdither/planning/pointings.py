"""What the exposures of a proposal really do: every pointing, in the order in which it is taken.

APT's ways to move the telescope (POS TARGs, SamePosAs, patterns and patterns in patterns, iterations
at one place) all end up as a :class:`Pointing`: one exposure at one POS TARG. Pointings of one visit,
target and setup that share the field form an :class:`ExposureSet`, the value that is evaluated. What
the file does not say is :class:`Unresolved`, with the reason.

Reading order: :func:`observe` walks the visits; `_VisitReader` turns one into pointings and sets.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.patterns import is_pattern_group, pattern_points
from aptdither.apt.proposal import AptPattern, Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.receipt import Receipt
from aptdither.dither.catalog import Catalog
from aptdither.errors import AptDitherError, Location, ProposalError
from aptdither.findings import Finding
from aptdither.optics.detector import get_detector
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.receipts import observed_base
from aptdither.planning.refusals import is_supported
from aptdither.planning.selection import select_sets
from aptdither.planning.visit_tags import VisitTags
from aptdither.types import NO_OFFSET, PosTarg, Region, Setup

#: Targets that are inside the telescope, or the Earth: nothing there can be dithered.
CALIBRATION_TARGETS = frozenset(
    {"DARK", "BIAS", "INTFLAT", "TUNGSTEN", "DEUTERIUM", "KSPOTS", "NONE", "EARTH-CALIB"}
)

#: What SpElement says when no light passes.
BLOCKED = frozenset({"BLANK"})

#: Most pointings of a set that are evaluated. A hundred orbits hold fewer; a file can say any number.
MAX_POINTINGS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """One exposure at one POS TARG.

    Attributes
    ----------
    number : str
        The exposure's number in the file that it stands in, or will stand in.
    pos_targ : PosTarg
        Where it points: POS TARG and pattern offsets together, arcsec.
    orbit : int or None
        The orbit that the file gives it.
    exposure : Exposure or None
        The exposure as read; None outside a proposal.
    was : str or None
        Number in the file that was read, of an exposure that a plan changes; None for a new copy.
    old_pos_targ : PosTarg or None
        Its explicit POS TARG in the file that was read, where a plan changes it.
    when : tuple of int
        Sorts the pointings of a visit by time.
    """

    number: str
    pos_targ: PosTarg
    orbit: int | None = None
    exposure: Exposure | None = None
    was: str | None = None
    old_pos_targ: PosTarg | None = None
    when: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureSet:
    """Exposures of one setup that share the field: everything that an evaluation depends on.

    Attributes
    ----------
    setup : Setup
        Their configuration, aperture and spectral element.
    pointings : tuple of Pointing
        In the order of time, or of the plan.
    base : PosTarg
        Where the target lands before it is dithered; offsets count from it.
    region : Region
        Where their coverage matters.
    visit : Visit or None
        Their visit; None outside a proposal.
    target : str
        Their target.
    dither_set : DitherSet or None
        The tag's set that they are in.
    share : Share or None
        What that set has in their visit about their base.
    prime : Setup or None
        The setup whose POS TARGs move them, where they are parallel exposures.
    receipts : Mapping of int to Receipt
        What an earlier run wrote, by the exposure's node.
    followers : Mapping of int to Exposure
        By the node of each exposure that has its place by SamePosAs from one of this set: that one.
    """

    setup: Setup
    pointings: tuple[Pointing, ...]
    base: PosTarg = NO_OFFSET
    region: Region
    visit: Visit | None = None
    target: str = ""
    dither_set: DitherSet | None = None
    share: Share | None = None
    prime: Setup | None = None
    receipts: Mapping[int, Receipt] = field(default_factory=dict)
    followers: Mapping[int, Exposure] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of pointings."""
        return len(self.pointings)

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """The exposures as read, each once, in document order."""
        exposures = {one.exposure.node: one.exposure for one in self.pointings if one.exposure}
        return tuple(exposures[node] for node in sorted(exposures))

    @property
    def location(self) -> Location:
        """Where findings about the whole set stand: at its first exposure."""
        return self.location_of(self.exposures[0])

    def location_of(self, exposure: Exposure) -> Location:
        """Return the location of one of its exposures."""
        visit = self.visit.number if self.visit is not None else None
        return Location(visit=visit, exposure=exposure.number, line=exposure.line)

    @property
    def has_receipts(self) -> bool:
        """Whether every exposure has the receipt of an earlier run."""
        exposures = self.exposures
        return bool(exposures) and all(one.node in self.receipts for one in exposures)

    @property
    def is_tagged(self) -> bool:
        """Whether its dither comes from a tag, carried out or not."""
        return self.dither_set is not None or self.has_receipts

    @property
    def is_pending(self) -> bool:
        """Whether a tag asks to dither it and that was not done yet."""
        is_to_come = self.share is not None and not self.share.is_completed
        return is_to_come and not self.has_receipts

    def label(self, index: int) -> str:
        """Name a pointing: its exposure, and which of that exposure's pointings it is."""
        number = self.pointings[index].number
        own = [i for i, one in enumerate(self.pointings) if one.number == number]
        return number if len(own) == 1 else f"{number} (no. {own.index(index) + 1} of {len(own)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """Exposures whose pointings do not follow from the file.

    Attributes
    ----------
    exposures : tuple of Exposure
        Those that share one reason.
    reason : str
        Why.
    is_missing : bool
        Whether something that the file refers to is not in it.
    """

    exposures: tuple[Exposure, ...]
    reason: str
    is_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPointings:
    """What the exposures of one visit do.

    Attributes
    ----------
    visit : Visit
        The visit.
    tags : VisitTags
        The tags and receipts in its Comments.
    sets : tuple of ExposureSet
        In document order of their first exposure; the tiles of a mosaic are sets of their own.
    unresolved : tuple of Unresolved
        What could not be followed.
    errors : tuple of AptDitherError
        What forbids carrying out the visit's tags.
    findings : tuple of Finding
        What its tags and receipts leave in doubt.
    """

    visit: Visit
    tags: VisitTags
    sets: tuple[ExposureSet, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    errors: tuple[AptDitherError, ...] = ()
    findings: tuple[Finding, ...] = ()


class _CannotFollowError(Exception):
    """Where an exposure points does not follow from the file."""

    def __init__(self, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_missing = is_missing


def observe(
    proposal: Proposal,
    *,
    region: Region | None = None,
    visits: Collection[str] | None = None,
    catalog: Catalog | None = None,
    distortion: Path | None = None,
) -> Iterator[VisitPointings]:
    """Yield every visit that has exposures which can be dithered, or a tag, with its sets.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    region : Region, optional
        Where coverage matters, for sets whose tag does not say; the whole readout when left out.
    visits : collection of str, optional
        Numbers of the visits to look at; all of them when left out.
    catalog, distortion
        As for :func:`~aptdither.planning.selection.select_sets`.
    """
    patterns: dict[str, AptPattern] = {}
    for pattern in proposal.patterns:
        patterns.setdefault(pattern.number, pattern)
    options = Options(sets=SetOptions(parallels=True), catalog=catalog, distortion=distortion)
    selected = select_sets(proposal, options)
    tagged = {
        exposure.node: (dither_set, share)
        for dither_set in selected.sets
        for share in dither_set.shares
        for member in share.members
        for exposure in (*member.exposures, *member.parallels)
    }
    errors: dict[str | None, list[AptDitherError]] = {}
    for error in selected.errors:
        errors.setdefault(error.location.visit, []).append(error)
    findings: dict[str | None, list[Finding]] = {}
    for finding in selected.findings:
        findings.setdefault(finding.visit, []).append(finding)
    for tags in selected.visits:
        visit = tags.visit
        if visits is not None and visit.number not in visits:
            continue
        if any(map(is_supported, visit.exposures)) or tags.has_text:
            reader = _VisitReader(tags, proposal, patterns, region or Region.full(), tagged)
            # Of two visits with one number the first has what is said of either.
            yield replace(
                reader.read(),
                errors=tuple(errors.pop(visit.number, ())),
                findings=tuple(findings.pop(visit.number, ())),
            )


class _VisitReader:
    """Reads one visit: from its exposures to pointings and sets."""

    def __init__(
        self,
        tags: VisitTags,
        proposal: Proposal,
        patterns: Mapping[str, AptPattern],
        region: Region,
        tagged: Mapping[int, tuple[DitherSet, Share]],
    ) -> None:
        self.tags = tags
        self.visit = tags.visit
        self.proposal = proposal
        self.patterns = patterns
        self.region = region
        self.tagged = tagged
        self.positions = _positions(self.visit)
        self._points: dict[int, tuple[PosTarg, ...]] = {}

    def read(self) -> VisitPointings:
        """Return the visit's sets and what could not be followed."""
        slots = self.tags.slots
        if len(slots) > MAX_VISIT_EXPOSURES:
            reason = f"the visit has {len(slots)} exposures, more than {MAX_VISIT_EXPOSURES}"
            too_many = tuple(exposure for exposure, _ in slots)
            return VisitPointings(
                visit=replace(self.visit, children=()),
                tags=VisitTags(replace(self.visit, children=())),
                unresolved=(Unresolved(exposures=too_many, reason=reason),),
            )
        pointings: dict[tuple[int, str, Setup, Setup | None], list[Pointing]] = {}
        seen: set[tuple[int, Setup]] = set()
        unresolved: dict[tuple[str, bool], list[Exposure]] = {}
        for exposure, groups in slots:
            if not is_supported(exposure) or looks_at_no_sky(exposure) or exposure.is_spatial_scan:
                continue
            try:
                taken = self._pointings(exposure, groups)
            except _CannotFollowError as error:
                unresolved.setdefault((error.reason, error.is_missing), []).append(exposure)
                continue
            if exposure.problems:  # they are findings of their own
                continue
            _, share = self.tagged.get(exposure.node, (None, None))
            container, first = self.tags.container(exposure), self.tags.prime_of(exposure)
            if container is not None:  # one pointing for all its exposures
                if (container.node, exposure.setup) in seen:
                    continue
                seen.add((container.node, exposure.setup))
            key = (
                id(share),
                exposure.target_name,
                exposure.setup,
                None if first is None else first.setup,
            )
            pointings.setdefault(key, []).extend(taken)
        sets: list[ExposureSet] = []
        for (_, _, setup, prime), taken in pointings.items():
            if len(taken) > MAX_POINTINGS:
                reason = f"it has {len(taken)} exposures, more than {MAX_POINTINGS}"
                many = {one.exposure.node: one.exposure for one in taken if one.exposure}
                unresolved.setdefault((reason, False), []).extend(many.values())
                continue
            sets += self._sets(setup, prime, sorted(taken, key=lambda one: one.when))
        return VisitPointings(
            visit=self.visit,
            tags=self.tags,
            sets=tuple(sets),
            unresolved=tuple(
                Unresolved(exposures=tuple(exposures), reason=reason, is_missing=is_missing)
                for (reason, is_missing), exposures in unresolved.items()
            ),
        )

    def _sets(
        self, setup: Setup, prime: Setup | None, pointings: Sequence[Pointing]
    ) -> Iterator[ExposureSet]:
        """Yield the sets of pointings of one setup: one for each tile of a mosaic."""
        for tile in tiles(pointings, get_detector(setup.config).tile_arcsec):
            exposures = {one.exposure.node: one.exposure for one in tile if one.exposure}
            first = next(iter(exposures.values()))
            receipts = {
                node: receipt
                for node, exposure in exposures.items()
                if (receipt := self.tags.receipt(self.tags.prime_of(exposure) or exposure))
            }
            dither_set, share = self.tagged.get(first.node, (None, None))
            asked = dither_set.request.size if dither_set is not None else None
            region = (asked or self.region) if prime is None else Region.full()
            yield ExposureSet(
                setup=setup,
                pointings=tile,
                base=share.base
                if share is not None
                else observed_base(tile[0].pos_targ, receipts.get(first.node)),
                region=region,
                visit=self.visit,
                target=first.target_name,
                dither_set=dither_set,
                share=share,
                prime=prime,
                receipts=receipts,
                followers=self._followers(exposures),
            )

    def _followers(self, members: Mapping[int, Exposure]) -> dict[int, Exposure]:
        sources = {
            node: self.visit.resolve_same_pos_as(exposure)  # was resolved before: no error
            for node, exposure in members.items()
        }
        return {
            node: source
            for node, source in sources.items()
            if source.node != node and source.node in members
        }

    # From an exposure to its pointings --------------------------------------------------------

    def _pointings(self, exposure: Exposure, groups: tuple[ExposureGroup, ...]) -> list[Pointing]:
        if self.proposal.is_pure_parallel:
            raise _CannotFollowError("this is a pure parallel: where it points is the prime's")
        if self.visit.kind != "Visit":
            raise _CannotFollowError(
                f"it is in a mosaic ({self.visit.kind}), whose tiles are not known here"
            )
        for group in groups:
            if self.tags.is_unclear_parallel(group):
                raise _CannotFollowError(
                    f"the group on line {group.line} may be a coordinated parallel, and which "
                    "exposures are the prime's is not known"
                )
        # The prime of a container moves its parallels.
        base = self._own_position(self.tags.prime_of(exposure) or exposure, groups)
        offsets = [self._group_points(group) for group in groups]
        count = exposure.iterations * math.prod(len(points) for points in offsets)
        if count > MAX_POINTINGS:
            raise _CannotFollowError(f"it has {count} exposures, more than {MAX_POINTINGS}")
        orbits = exposure.orbit_numbers
        if len(orbits) != count:
            # One orbit holds for all; any other number cannot be assigned.
            orbits = orbits * count if len(orbits) == 1 else ()
        pointings = []
        for index, steps in enumerate(_product([len(points) for points in offsets])):
            at = base
            for points, step in zip(offsets, steps, strict=True):
                at = at + points[step]
            for iteration in range(exposure.iterations):
                rank = index * exposure.iterations + iteration
                pointings.append(
                    Pointing(
                        number=exposure.number,
                        pos_targ=at,
                        orbit=orbits[rank] if orbits else None,
                        exposure=exposure,
                        when=(*self._when(exposure, steps), iteration),
                    )
                )
        return pointings

    def _when(self, exposure: Exposure, steps: Sequence[int]) -> tuple[int, ...]:
        """Sort by time: a pattern runs everything in its group at each of its points."""
        first, *inner = self.positions[exposure.node]
        return (first, *(n for pair in zip(steps, inner, strict=True) for n in pair))

    def _own_position(self, exposure: Exposure, groups: tuple[ExposureGroup, ...]) -> PosTarg:
        """Return where an exposure points before the patterns around it move it."""
        if exposure.same_pos_as is None:
            return exposure.pos_targ or NO_OFFSET
        try:
            source = self.visit.resolve_same_pos_as(exposure)
        except ProposalError as error:
            raise _CannotFollowError(error.message, is_missing=True) from error
        of_source, own = (
            [group.node for group in around if is_pattern_group(group)]
            for around in (self.tags.groups_of[source.node], groups)
        )
        if of_source != own:
            raise _CannotFollowError(
                f"SamePosAs {exposure.same_pos_as} names an exposure of another pattern group, and "
                "which of its points is meant is not known"
            )
        return source.pos_targ or NO_OFFSET

    def _group_points(self, group: ExposureGroup) -> tuple[PosTarg, ...]:
        if not is_pattern_group(group):
            return (NO_OFFSET,)
        if group.node not in self._points:
            pattern = self.patterns.get(group.pattern_number or "")
            if pattern is None:
                raise _CannotFollowError(
                    f"the group on line {group.line} names APT pattern "
                    f"{group.pattern_number or '(none)'!r}, which the file does not have",
                    is_missing=True,
                )
            try:
                self._points[group.node] = pattern_points(pattern)
            except ProposalError as error:
                raise _CannotFollowError(error.message) from error
        return self._points[group.node]


def looks_at_no_sky(exposure: Exposure) -> bool:
    """Tell whether an exposure looks at no sky: a dark, a lamp, a blocked beam."""
    return (
        exposure.target_name.upper() in CALIBRATION_TARGETS
        or exposure.spectral_element.upper() in BLOCKED
    )


def tiles(pointings: Sequence[Pointing], reach_arcsec: float) -> Iterator[tuple[Pointing, ...]]:
    """Yield pointings that share the field: chains of steps no longer than `reach_arcsec`."""
    remaining = list(range(len(pointings)))
    while remaining:
        tile = [remaining.pop(0)]
        for member in tile:  # grows while it is walked
            at = pointings[member].pos_targ
            near = {
                index
                for index in remaining
                if (pointings[index].pos_targ - at).length_arcsec <= reach_arcsec
            }
            tile += sorted(near)
            remaining = [index for index in remaining if index not in near]
        yield tuple(pointings[index] for index in sorted(tile))


def _positions(visit: Visit) -> dict[int, tuple[int, ...]]:
    """Return for each exposure its index among its siblings, and those of the groups around it."""
    found: dict[int, tuple[int, ...]] = {}
    waiting: list[tuple[Iterable[Exposure | ExposureGroup], tuple[int, ...]]] = [
        (visit.children, ())
    ]
    while waiting:
        children, path = waiting.pop()
        for index, child in enumerate(children):
            if isinstance(child, Exposure):
                found[child.node] = (*path, index)
            else:
                waiting.append((child.children, (*path, index)))
    return found


def _product(sizes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the indices of a product, the last running fastest."""
    steps = [0] * len(sizes)
    for _ in range(math.prod(sizes)):
        yield tuple(steps)
        for at in reversed(range(len(sizes))):
            steps[at] += 1
            if steps[at] < sizes[at]:
                break
            steps[at] = 0
