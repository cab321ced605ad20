"""What the exposures of a proposal really do: every pointing, in the order in which it is taken.

APT's ways to move the telescope (POS TARGs, SamePosAs, patterns and patterns in patterns, iterations
at one place) all end up as :class:`Pointing`: one exposure at one POS TARG. Shots of one visit, target
and setup form an :class:`ObservedSet`, the thing whose dither can be judged. What the file does not
say without guessing is :class:`Unjudged`, with the reason.

Reading order: :func:`observe` walks the visits, `_Visit` turns one into shots and sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.patterns import pattern_points
from aptdither.apt.proposal import AptPattern, Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.tags import CommentTags, Receipt, parse_comments
from aptdither.errors import AptDitherError, Location, ProposalError
from aptdither.planning.selection import (
    DitherSet,
    SetOptions,
    find_sets,
    is_pattern_group,
    is_supported,
    may_be_parallel,
)
from aptdither.types import NO_OFFSET, PosTarg, Setup

#: Targets that are inside the telescope, or the Earth: nothing there can be dithered.
CALIBRATION_TARGETS = frozenset(
    {"DARK", "BIAS", "INTFLAT", "TUNGSTEN", "DEUTERIUM", "KSPOTS", "NONE", "EARTH-CALIB"}
)

#: What SpElement says when no light passes.
BLOCKED = frozenset({"BLANK"})

#: Most shots of a set that are judged. More than a hundred orbits hold; a file can say any number.
MAX_SHOTS = 512

#: What is found while tags are read: completed visits are looked at as well.
_OPTIONS = SetOptions(all_visits=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing:
    """One exposure at one pointing.

    Attributes
    ----------
    exposure : Exposure
        The exposure it belongs to.
    pos_targ : PosTarg
        Where it points: POS TARG and pattern offsets together, arcsec.
    orbit : int or None
        The orbit that the file gives it.
    when : tuple of int
        Sorts the shots of a visit by time.
    """

    exposure: Exposure
    pos_targ: PosTarg
    orbit: int | None
    when: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSet:
    """Exposures of one visit, target and setup; a tag's set is one by itself.

    Attributes
    ----------
    visit : Visit
        Their visit.
    target : str
        Their target.
    setup : Setup
        Their configuration, aperture and spectral element.
    shots : tuple of Pointing
        In the order of time.
    dither_set : DitherSet or None
        The tag's set that they are in.
    receipts : Mapping of int to Receipt
        What an earlier run wrote, by the exposure's node.
    followers : Mapping of int to Exposure
        By the node of each exposure that has its place by SamePosAs from one of this set: that one.
    """

    visit: Visit
    target: str
    setup: Setup
    shots: tuple[Pointing, ...]
    dither_set: DitherSet | None = None
    receipts: Mapping[int, Receipt] = field(default_factory=dict)
    followers: Mapping[int, Exposure] = field(default_factory=dict)

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """The exposures, each once, in document order."""
        found = {shot.exposure.node: shot.exposure for shot in self.shots}
        return tuple(found[node] for node in sorted(found))

    @property
    def location(self) -> Location:
        """Where findings about the whole set stand: at its first exposure."""
        first = self.exposures[0]
        return Location(visit=self.visit.number, exposure=first.number, line=first.line)

    @property
    def has_receipts(self) -> bool:
        """Whether every exposure has the receipt of an earlier run."""
        return all(exposure.node in self.receipts for exposure in self.exposures)

    @property
    def orbits(self) -> tuple[int, ...]:
        """The orbits it runs in, those that are known."""
        return tuple(sorted({shot.orbit for shot in self.shots if shot.orbit is not None}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """Exposures whose pointings do not follow from the file.

    Attributes
    ----------
    exposures : tuple of Exposure
        Those that one reason holds for.
    reason : str
        Why, in words.
    is_missing : bool
        Whether something that the file refers to is not in it.
    """

    exposures: tuple[Exposure, ...]
    reason: str
    is_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedVisit:
    """One visit's sets.

    Attributes
    ----------
    visit : Visit
        The visit.
    sets : tuple of ObservedSet
        In document order of their first exposure.
    unjudged : tuple of Unjudged
        What could not be followed.
    comments : Mapping of int to CommentTags
        Tags and receipts of each exposure, by its node; an exposure whose tag cannot be read has
        none.
    errors : tuple of AptDitherError
        What stands in the way of the visit's tags.
    """

    visit: Visit
    sets: tuple[ObservedSet, ...]
    unjudged: tuple[Unjudged, ...]
    comments: Mapping[int, CommentTags]
    errors: tuple[AptDitherError, ...]


class _CannotFollowError(Exception):
    """Where an exposure points does not follow from the file."""

    def __init__(self, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_missing = is_missing


def observe(proposal: Proposal) -> Iterator[ObservedVisit]:
    """Yield every visit that has exposures which can be dithered, or a tag, with its sets.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    """
    patterns: dict[str, AptPattern] = {}
    for pattern in proposal.patterns:
        patterns.setdefault(pattern.number, pattern)
    for visit in proposal.visits:
        exposures = visit.exposures
        texts = (visit.comments, *(exposure.comments for exposure in exposures))
        if any(is_supported(exposure) for exposure in exposures) or _mentions_tag(texts):
            yield _Visit(visit, proposal, patterns).observed()


class _Visit:
    """One visit: from its exposures to shots and sets."""

    def __init__(
        self, visit: Visit, proposal: Proposal, patterns: Mapping[str, AptPattern]
    ) -> None:
        self.visit = visit
        self.proposal = proposal
        self.patterns = patterns
        self.slots = tuple(visit.walk())
        self.groups_of = {exposure.node: groups for exposure, groups in self.slots}
        self.positions = _positions(visit)
        self._points: dict[int, tuple[PosTarg, ...]] = {}

    def observed(self) -> ObservedVisit:
        """Return the visit's sets and what could not be followed."""
        if len(self.slots) > MAX_VISIT_EXPOSURES:
            many = tuple(exposure for exposure, _ in self.slots)
            reason = f"the visit has {len(many)} exposures, more than {MAX_VISIT_EXPOSURES}"
            return ObservedVisit(
                visit=replace(self.visit, children=()),
                sets=(),
                unjudged=(Unjudged(exposures=many, reason=reason),),
                comments={},
                errors=(),
            )
        comments = {e.node: _read_comments(e.comments) for e, _ in self.slots if is_supported(e)}
        dither_sets, errors = self._dither_sets()
        tag_of = {
            exposure.node: dither_set
            for dither_set in dither_sets
            for unit in dither_set.units
            for exposure in (unit.exposure, *unit.copies)
        }
        shots: dict[tuple[int, str, Setup], list[Pointing]] = {}
        unjudged: dict[tuple[str, bool], list[Exposure]] = {}
        for exposure, groups in self.slots:
            if not is_supported(exposure) or is_calibration(exposure) or exposure.is_spatial_scan:
                continue
            try:
                taken = self._shots(exposure, groups)
            except _CannotFollowError as error:
                unjudged.setdefault((error.reason, error.is_missing), []).append(exposure)
                continue
            if exposure.problems:  # told by itself; what is left of the set is judged
                continue
            tag = tag_of.get(exposure.node)
            key = (id(tag) if tag else 0, exposure.target_name, exposure.setup)
            shots.setdefault(key, []).extend(taken)
        sets = []
        for (_, target, setup), taken in shots.items():
            reason = f"it has {len(taken)} exposures, more than {MAX_SHOTS}"
            if len(taken) > MAX_SHOTS:
                many = tuple({shot.exposure.node: shot.exposure for shot in taken}.values())
                unjudged.setdefault((reason, False), []).extend(many)
                continue
            sets.append(
                ObservedSet(
                    visit=self.visit,
                    target=target,
                    setup=setup,
                    shots=tuple(sorted(taken, key=lambda shot: shot.when)),
                    dither_set=tag_of.get(taken[0].exposure.node),
                    receipts={
                        shot.exposure.node: comments[shot.exposure.node].receipts[0]
                        for shot in taken
                        if comments[shot.exposure.node].receipts
                    },
                    followers=self._followers(
                        {shot.exposure.node: shot.exposure for shot in taken}
                    ),
                )
            )
        return ObservedVisit(
            visit=self.visit,
            sets=tuple(sets),
            unjudged=tuple(
                Unjudged(exposures=tuple(exposures), reason=reason, is_missing=is_missing)
                for (reason, is_missing), exposures in unjudged.items()
            ),
            comments=comments,
            errors=tuple(errors),
        )

    def _followers(self, members: Mapping[int, Exposure]) -> dict[int, Exposure]:
        found = {}
        for exposure in members.values():
            source = self.visit.resolve_same_pos_as(exposure)  # was resolved before: no error
            if source.node != exposure.node and source.node in members:
                found[exposure.node] = source
        return found

    def _dither_sets(self) -> tuple[tuple[DitherSet, ...], list[AptDitherError]]:
        # Visit by visit: what is wrong with one visit's tags must not hide the others' sets.
        texts = (self.visit.comments, *(exposure.comments for exposure, _ in self.slots))
        if not _mentions_tag(texts):
            return (), []
        try:
            return find_sets(replace(self.proposal, visits=(self.visit,)), _OPTIONS)[0], []
        except AptDitherError as error:
            return (), list(getattr(error, "errors", (error,)))

    # From an exposure to its shots --------------------------------------------------------------

    def _shots(self, exposure: Exposure, groups: tuple[ExposureGroup, ...]) -> list[Pointing]:
        if self.proposal.is_pure_parallel:
            raise _CannotFollowError("this is a pure parallel: where it points is the prime's")
        if self.visit.kind != "Visit":
            raise _CannotFollowError(
                f"it is in a mosaic ({self.visit.kind}), whose tiles are not known here"
            )
        for group in groups:
            if may_be_parallel(group):
                raise _CannotFollowError(
                    f"the group on line {group.line} holds another instrument too, so it may be a "
                    "coordinated parallel, where the prime decides"
                )
        base = self._base(exposure, groups)
        laid = [(self._group_points(group)) for group in groups]
        count = exposure.iterations * math.prod(len(points) for points in laid)
        if count > MAX_SHOTS:
            raise _CannotFollowError(f"it has {count} exposures, more than {MAX_SHOTS}")
        orbits = exposure.orbit_numbers
        if len(orbits) != count:
            # One orbit for all is no guess; any other number cannot be dealt out.
            orbits = orbits * count if len(orbits) == 1 else ()
        shots = []
        for index, steps in enumerate(_product([len(points) for points in laid])):
            at = base
            for points, step in zip(laid, steps, strict=True):
                at = at + points[step]
            for iteration in range(exposure.iterations):
                number = index * exposure.iterations + iteration
                shots.append(
                    Pointing(
                        exposure=exposure,
                        pos_targ=at,
                        orbit=orbits[number] if orbits else None,
                        when=(*self._when(exposure, steps), iteration),
                    )
                )
        return shots

    def _when(self, exposure: Exposure, steps: Sequence[int]) -> tuple[int, ...]:
        """Sort by time: a pattern runs everything in its group at each of its points."""
        first, *inner = self.positions[exposure.node]
        return (
            first,
            *(n for pair in zip(steps, inner, strict=True) for n in pair),
        )

    def _base(self, exposure: Exposure, groups: tuple[ExposureGroup, ...]) -> PosTarg:
        """Return where an exposure points before the patterns around it move it."""
        if exposure.same_pos_as is None:
            return exposure.pos_targ or NO_OFFSET
        try:
            source = self.visit.resolve_same_pos_as(exposure)
        except ProposalError as error:
            raise _CannotFollowError(error.message, is_missing=True) from error
        there, here = (
            [group.node for group in found if is_pattern_group(group)]
            for found in (self.groups_of[source.node], groups)
        )
        if there != here:
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


def is_calibration(exposure: Exposure) -> bool:
    """Tell whether an exposure looks at no sky: a dark, a lamp, a blocked beam."""
    return (
        exposure.target_name.upper() in CALIBRATION_TARGETS
        or exposure.spectral_element.upper() in BLOCKED
    )


def _mentions_tag(texts: Iterable[str]) -> bool:
    return any("@dith" in text.lower() for text in texts)


def _read_comments(text: str) -> CommentTags:
    try:
        return parse_comments(text)
    except AptDitherError:  # told by the visit's errors
        return CommentTags()


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
