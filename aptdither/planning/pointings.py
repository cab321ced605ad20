"""What the exposures of a proposal really do: every pointing, in the order in which it is taken.

APT's ways to move the telescope (POS TARGs, SamePosAs, patterns and patterns in patterns, iterations
at one place) all end up as a :class:`Pointing`: one exposure at one POS TARG. Pointings of one visit,
target and setup that share the field form an :class:`ExposureSet`, the value that is evaluated. What
the file does not say is :class:`Unresolved`, with the reason.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product

import numpy as np

from aptdither.apt.changes import NewExposure
from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.patterns import is_pattern_group, pattern_points
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.receipt import Receipt
from aptdither.apt.tags import DitherRequest
from aptdither.dither.phases import chains
from aptdither.errors import AptDitherError, Location, ProposalError
from aptdither.findings import Finding
from aptdither.optics.detector import get_detector
from aptdither.planning.dither_sets import DitherSet, Share
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.receipts import observed_base
from aptdither.planning.refusals import is_supported
from aptdither.planning.selection import select_sets
from aptdither.planning.visit_tags import VisitTags
from aptdither.types import NO_OFFSET, FloatArray, PosTarg, Region, Setup

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
    """One exposure at one POS TARG."""

    #: The exposure's number in the file that it stands in, or will stand in.
    number: str
    #: POS TARG and pattern offsets together.
    pos_targ: PosTarg
    #: The orbit that the file gives it.
    orbit: int | None = None
    #: The exposure as read; None outside a proposal.
    exposure: Exposure | None = None
    #: Number in the file that was read, of an exposure that a plan changes; None for a new copy.
    was: str | None = None
    #: Its explicit POS TARG there.
    old_pos_targ: PosTarg | None = None
    #: Sorts the pointings of a visit by time.
    when: tuple[int, ...] = ()
    #: Offset from the base at the aperture's reference point, where it was evaluated.
    dx_pix: float = 0.0
    dy_pix: float = 0.0


def pointing_of(new: NewExposure, pos_targ: PosTarg) -> Pointing:
    """Return where an exposure of the new file points."""
    source, is_copy = new.source, new.copy > 0
    return Pointing(
        number=new.number,
        pos_targ=pos_targ,
        orbit=new.orbit,
        exposure=source,
        was=None if is_copy else source.number,
        old_pos_targ=None if is_copy else source.pos_targ,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureSet:
    """Exposures of one setup that share the field: everything that an evaluation depends on."""

    setup: Setup
    #: In the order of time, or of the plan.
    pointings: tuple[Pointing, ...]
    #: Where the target lands before it is dithered; offsets count from it.
    base: PosTarg = NO_OFFSET
    #: Where their coverage matters.
    region: Region
    #: Their visit; None outside a proposal.
    visit: Visit | None = None
    #: The tag's set that they are in, and what that set has in their visit about their base.
    dither_set: DitherSet | None = None
    share: Share | None = None
    #: The setup whose POS TARGs move them, where they are parallel exposures.
    prime: Setup | None = None
    #: What an earlier run wrote, by the exposure's node.
    receipts: Mapping[int, Receipt] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of pointings."""
        return len(self.pointings)

    @property
    def offsets_arcsec(self) -> FloatArray:
        """POS TARGs as written relative to the base, (N, 2)."""
        written = np.array([one.pos_targ.xy_arcsec for one in self.pointings])
        # Subtraction leaves something in the last digits: equal offsets must be equal.
        return np.asarray(np.round(written - self.base.xy_arcsec, 9) + 0.0)

    @property
    def orbits(self) -> tuple[int, ...]:
        """The orbit of each pointing; the first where the file gives none."""
        return tuple(one.orbit or 1 for one in self.pointings)

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """The exposures as read, each once, in document order."""
        exposures = {one.exposure.node: one.exposure for one in self.pointings if one.exposure}
        return tuple(exposures[node] for node in sorted(exposures))

    @property
    def target(self) -> str:
        """Their target; empty outside a proposal."""
        first = self.pointings[0].exposure
        return first.target_name if first is not None else ""

    @property
    def location(self) -> Location:
        """Where findings about the whole set stand: at its first exposure."""
        return self.location_of(self.exposures[0])

    def location_of(self, exposure: Exposure) -> Location:
        """Return the location of one of its exposures."""
        return self.visit.location(exposure) if self.visit is not None else Location()

    @property
    def followers(self) -> dict[int, Exposure]:
        """By the node of each exposure that has its place by SamePosAs from another of them: that."""
        if self.visit is None or self.prime is not None:
            return {}
        own = self.exposures
        sources = {
            one.node: self.visit.resolve_same_pos_as(one)
            for one in own
            if one.same_pos_as is not None
        }
        return {node: source for node, source in sources.items() if source in own}

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
    """Exposures whose pointings do not follow from the file, all for one reason."""

    exposures: tuple[Exposure, ...]
    reason: str
    #: Whether something that the file refers to is not in it.
    is_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPointings:
    """What the exposures of one visit do."""

    visit: Visit
    tags: VisitTags
    #: In document order of their first exposure; the tiles of a mosaic are sets of their own.
    sets: tuple[ExposureSet, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    #: What forbids carrying out the visit's tags, and what its tags and receipts leave in doubt.
    errors: tuple[AptDitherError, ...] = ()
    findings: tuple[Finding, ...] = ()


#: Groups hold many exposures, and proposals name a pattern in many groups.
_points = lru_cache(maxsize=256)(pattern_points)


class _MissingError(ProposalError):
    """What an exposure's position refers to is not in the file."""


def observe(
    proposal: Proposal, options: Options | None = None, *, visits: Collection[str] | None = None
) -> Iterator[VisitPointings]:
    """Yield every visit that has exposures which can be dithered, or a tag, with its sets.

    Only those of the numbers `visits` where it is given. The default size of the options is where
    coverage matters for sets whose tag does not say.
    """
    size = options.defaults.size if options is not None else None
    options = replace(
        options or Options(),
        defaults=DitherRequest(size=size),
        sets=SetOptions(parallels=True),
    )
    selected = select_sets(proposal, options)
    tagged = {
        exposure.node: (dither_set, share)
        for dither_set in selected.sets
        for share in dither_set.shares
        for member in share.members
        for exposure in (*member.exposures, *member.parallels)
    }
    errors: defaultdict[str | None, list[AptDitherError]] = defaultdict(list)
    for error in selected.errors:
        errors[error.location.visit].append(error)
    findings: defaultdict[str | None, list[Finding]] = defaultdict(list)
    for finding in selected.findings:
        findings[finding.visit].append(finding)
    for tags in selected.visits:
        visit = tags.visit
        if visits is not None and visit.number not in visits:
            continue
        if any(map(is_supported, visit.exposures)) or tags.has_text:
            reader = _VisitReader(tags, proposal, size or Region.full(), tagged)
            # Of two visits with one number the first has what is said of either.
            yield replace(
                reader.read(),
                errors=tuple(errors.pop(visit.number, ())),
                findings=tuple(findings.pop(visit.number, ())),
            )


@dataclass(frozen=True, slots=True)
class _VisitReader:
    """Reads one visit: from its exposures to pointings and sets."""

    tags: VisitTags
    proposal: Proposal
    region: Region
    tagged: Mapping[int, tuple[DitherSet, Share]]

    def read(self) -> VisitPointings:
        """Return the visit's sets and what could not be followed."""
        visit, slots = self.tags.visit, self.tags.slots
        if len(slots) > MAX_VISIT_EXPOSURES:
            reason = f"the visit has {len(slots)} exposures, more than {MAX_VISIT_EXPOSURES}"
            too_many = tuple(exposure for exposure, _ in slots)
            empty = replace(visit, children=())
            return VisitPointings(
                visit=empty,
                tags=VisitTags(empty),
                unresolved=(Unresolved(exposures=too_many, reason=reason),),
            )
        alike: defaultdict[tuple[int, str, Setup, Setup | None], list[Pointing]] = defaultdict(list)
        unresolved: defaultdict[tuple[str, bool], list[Exposure]] = defaultdict(list)
        in_containers: set[tuple[int, Setup]] = set()
        for exposure, groups in slots:
            if not is_supported(exposure) or looks_at_no_sky(exposure) or exposure.is_spatial_scan:
                continue
            try:
                pointings = self._pointings(exposure, groups)
            except ProposalError as error:
                unresolved[error.message, isinstance(error, _MissingError)].append(exposure)
                continue
            if exposure.problems:  # they are findings of their own
                continue
            container, prime = self.tags.container(exposure), self.tags.prime_of(exposure)
            if container is not None:  # one pointing for all its exposures
                if (container.node, exposure.setup) in in_containers:
                    continue
                in_containers.add((container.node, exposure.setup))
            _, share = self.tagged.get(exposure.node, (None, None))
            prime_setup = prime.setup if prime is not None else None
            alike[id(share), exposure.target_name, exposure.setup, prime_setup] += pointings
        sets: list[ExposureSet] = []
        for (_, _, setup, prime_setup), pointings in alike.items():
            if len(pointings) > MAX_POINTINGS:
                reason = f"it has {len(pointings)} exposures, more than {MAX_POINTINGS}"
                many = {one.exposure.node: one.exposure for one in pointings if one.exposure}
                unresolved[reason, False] += many.values()
                continue
            pointings.sort(key=lambda one: one.when)
            at = np.array([one.pos_targ.xy_arcsec for one in pointings])
            sets += (
                self._set(setup, prime_setup, tuple(pointings[i] for i in members))
                for members in chains(at, get_detector(setup.config).same_field_arcsec)
            )
        return VisitPointings(
            visit=visit,
            tags=self.tags,
            sets=tuple(sets),
            unresolved=tuple(
                Unresolved(exposures=tuple(exposures), reason=reason, is_missing=is_missing)
                for (reason, is_missing), exposures in unresolved.items()
            ),
        )

    def _set(
        self, setup: Setup, prime: Setup | None, pointings: tuple[Pointing, ...]
    ) -> ExposureSet:
        """Return pointings of one setup and tile as a set."""
        exposures = {one.exposure.node: one.exposure for one in pointings if one.exposure}
        receipts = {
            node: receipt
            for node, exposure in exposures.items()
            if (receipt := self.tags.receipt(self.tags.prime_of(exposure) or exposure))
        }
        first = next(iter(exposures))
        dither_set, share = self.tagged.get(first, (None, None))
        region = dither_set.region if dither_set is not None else self.region
        base = observed_base(pointings[0].pos_targ, receipts.get(first))
        return ExposureSet(
            setup=setup,
            pointings=pointings,
            base=share.base if share is not None else base,
            region=region if prime is None else Region.full(),
            visit=self.tags.visit,
            dither_set=dither_set,
            share=share,
            prime=prime,
            receipts=receipts,
        )

    # From an exposure to its pointings --------------------------------------------------------

    def _pointings(self, exposure: Exposure, groups: tuple[ExposureGroup, ...]) -> list[Pointing]:
        if self.proposal.is_pure_parallel:
            raise ProposalError("this is a pure parallel: where it points is the prime's")
        if self.tags.visit.kind != "Visit":
            raise ProposalError(
                f"it is in a mosaic ({self.tags.visit.kind}), whose tiles are not known here"
            )
        for group in groups:
            if self.tags.is_unclear_parallel(group):
                raise ProposalError(
                    f"the group on line {group.line} may be a coordinated parallel, and which "
                    "exposures are the prime's is not known"
                )
        # The prime of a container moves its parallels.
        base = self._own_position(self.tags.prime_of(exposure) or exposure, groups)
        points = [self._group_points(group) for group in groups]
        count = exposure.iterations * math.prod(map(len, points))
        if count > MAX_POINTINGS:
            raise ProposalError(f"it has {count} exposures, more than {MAX_POINTINGS}")
        orbits: Sequence[int | None] = exposure.orbit_numbers
        if len(orbits) != count:
            # One orbit holds for all; any other number cannot be assigned.
            orbits = (orbits[0] if len(orbits) == 1 else None,) * count
        pointings: list[Pointing] = []
        for steps in product(*map(enumerate, points)):
            at = sum((offset for _, offset in steps), base)
            # A pattern runs everything in its group at each of its points.
            when = [
                number
                for group, (step, _) in zip(groups, steps, strict=True)
                for number in (group.node, step)
            ]
            for iteration in range(exposure.iterations):
                pointings.append(
                    Pointing(
                        number=exposure.number,
                        pos_targ=at,
                        orbit=orbits[len(pointings)],
                        exposure=exposure,
                        when=(*when, exposure.node, iteration),
                    )
                )
        return pointings

    def _own_position(self, exposure: Exposure, groups: tuple[ExposureGroup, ...]) -> PosTarg:
        """Return where an exposure points before the patterns around it move it."""
        if exposure.same_pos_as is None:
            return exposure.pos_targ or NO_OFFSET
        try:
            source = self.tags.visit.resolve_same_pos_as(exposure)
        except ProposalError as error:
            raise _MissingError(error.message) from error
        of_source, own = (
            [group.node for group in around if is_pattern_group(group)]
            for around in (self.tags.groups_of[source.node], groups)
        )
        if of_source != own:
            raise ProposalError(
                f"SamePosAs {exposure.same_pos_as} names an exposure of another pattern group, and "
                "which of its points is meant is not known"
            )
        return source.pos_targ or NO_OFFSET

    @staticmethod
    def _group_points(group: ExposureGroup) -> tuple[PosTarg, ...]:
        if not is_pattern_group(group):
            return (NO_OFFSET,)
        if group.pattern is None:
            raise _MissingError(
                f"the group on line {group.line} names APT pattern "
                f"{group.pattern_number or '(none)'!r}, which the file does not have"
            )
        return _points(group.pattern)


def looks_at_no_sky(exposure: Exposure) -> bool:
    """Tell whether an exposure looks at no sky: a dark, a lamp, a blocked beam."""
    return (
        exposure.target_name.upper() in CALIBRATION_TARGETS
        or exposure.spectral_element.upper() in BLOCKED
    )
