"""What forbids dithering a set of exposures, each with its way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from aptdither.apt.patterns import AptPattern, is_pattern_group, pattern_points, points_of
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal
from aptdither.errors import AptDitherError, Location, ProposalError, RefusalError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.detector import supported_configs
from aptdither.optics.filters import get_element
from aptdither.planning.containers import first_of, is_unclear_parallel
from aptdither.planning.receipts import TILE_ARCSEC
from aptdither.planning.visit_tags import Covered, VisitTags
from aptdither.types import NO_OFFSET, PosTarg

#: The configurations that can be dithered.
CONFIGS = supported_configs()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOptions:
    """What an observer allows beyond the careful default.

    Attributes
    ----------
    replace : bool
        Start all exposures of a set from the first one's POS TARG.
    replace_patterns : bool
        Dither in place of an APT pattern.
    split_iterations : bool
        Make iterations exposures of their own.
    all_visits : bool
        Dither completed visits too.
    rebase : bool
        Dither about the POS TARGs that the file has now, not those that receipts tell.
    parallels : bool
        Dither prime and parallel containers: no real file with one has been seen.
    """

    replace: bool = False
    replace_patterns: bool = False
    split_iterations: bool = False
    all_visits: bool = False
    rebase: bool = False
    parallels: bool = False


def refusals(
    covered: Covered,
    proposal: Proposal,
    patterns: Mapping[str, AptPattern],
    options: SetOptions,
) -> Iterator[AptDitherError]:
    """Yield everything that forbids dithering the exposures that a set has in one visit.

    Parameters
    ----------
    covered : Covered
        The exposures.
    proposal : Proposal
        The proposal it is in.
    patterns : Mapping of str to AptPattern
        The proposal's APT patterns by their number.
    options : SetOptions
        What is allowed.
    """
    visit = covered.tags.visit
    if visit.kind != "Visit":
        yield RefusalError(
            f"{covered.tag!r} stands in a {visit.kind} (a mosaic): its pointings are the "
            "mosaic's; take the exposures out of it to dither them",
            location=covered.location,
        )
    if proposal.is_pure_parallel:
        yield RefusalError(
            "this is a pure parallel proposal: the prime decides where it points, and POS TARGs "
            "have no effect; remove the tag",
            location=covered.location,
        )
    yield from _group_refusals(covered, patterns, options)
    for exposure in covered.exposures:
        yield from _exposure_refusals(exposure, covered.tags, options)
    for setup, exposure in {one.setup: one for one in reversed(covered.exposures)}.items():
        try:
            if is_supported(exposure):
                get_aperture(setup.aperture, setup.element, config=setup.config)
                get_element(setup.element, config=setup.config)
        except AptDitherError as error:
            yield error.located(covered.tags.location(exposure))


def _exposure_refusals(
    exposure: Exposure, tags: VisitTags, options: SetOptions
) -> Iterator[AptDitherError]:
    location = tags.location(exposure)
    if exposure.is_spatial_scan:
        yield RefusalError(
            "a spatial scan moves during the exposure and cannot be dithered; "
            "take it out of the set",
            location=location,
        )
    if exposure.iterations > 1 and not options.split_iterations:
        yield RefusalError(
            f"NumberOfIterations is {exposure.iterations}: they repeat at one pointing; "
            "make them exposures of their own, or give --split-iterations",
            location=location,
        )
    for problem in exposure.problems:
        yield ProposalError(
            f"{problem.field} is {problem.found!r}; allowed: {problem.allowed}",
            location=Location(visit=tags.visit.number, exposure=exposure.number, line=problem.line),
        )
    if len(tags.comments[exposure.node].receipts) > 1:
        yield ProposalError(
            "the Comments hold two @dithered receipts; keep the right one, or remove both "
            "and set the POS TARG that the exposure had before it was dithered",
            location=location,
        )
    for text in tags.comments[exposure.node].bad_receipts:
        yield ProposalError(
            f"{text!r} is not a receipt that aptdither wrote; remove the line, and set the "
            "POS TARG that the exposure had before it was dithered",
            location=location,
        )


def _group_refusals(
    covered: Covered, patterns: Mapping[str, AptPattern], options: SetOptions
) -> Iterator[AptDitherError]:
    location = covered.location
    members = {exposure.node for exposure in covered.exposures}
    for group in pattern_groups(covered):
        inside = [
            e for e, groups in covered.tags.slots if any(g.node == group.node for g in groups)
        ]
        outside = [exposure.number for exposure in inside if exposure.node not in members]
        number = group.pattern_number or "?"
        if not options.replace_patterns:
            yield RefusalError(
                f"the set is in a group with APT pattern {number} (line {group.line}), and the "
                "offsets of both would add; remove the pattern in APT, or give "
                "--replace-patterns",
                location=location,
            )
        elif outside:
            yield RefusalError(
                f"APT pattern {number} (line {group.line}) also moves exposure "
                f"{', '.join(outside)}, which the tag does not cover, so it cannot be replaced;"
                " move them out of the group",
                location=location,
            )
        elif points_of(group, patterns) is None:
            yield ProposalError(
                f"the group on line {group.line} names APT pattern {number}, whose number of "
                "points cannot be read; give the pattern its NumberOfPoints in APT",
                location=location,
            )
        else:
            yield from _mosaic_refusals(group, len(inside), patterns, location)
    around = {
        group.node: group
        for exposure in covered.exposures
        for group in covered.tags.groups_of[exposure.node]
    }
    for group in around.values():
        if is_unclear_parallel(group):
            yield RefusalError(
                f"the group on line {group.line} says that it is a coordinated parallel (Type "
                f"{group.type!r}), but does not hold two instruments, so the prime is not known; "
                "take the exposures out of the group",
                location=location,
            )
    containers = {one.node: one for one in map(covered.tags.container, covered.exposures) if one}
    if containers and not options.parallels:
        lines = ", ".join(str(group.line) for group in containers.values())
        types = dict.fromkeys(group.type for group in containers.values() if group.type)
        yield RefusalError(
            f"the group on line {lines} is, or may be, a coordinated parallel"
            f"{f' (Type {chr(44).join(types)!r})' if types else ''}: its exposures run at the same "
            "time and must share one POS TARG; give --parallels to dither it as one pointing (id= "
            "joins several), or take the exposures out of the group",
            location=location,
        )
    for group in containers.values():
        if any(map(is_pattern_group, covered.tags.groups_of[first_of(group).node])):
            yield RefusalError(
                f"the prime and parallel container on line {group.line} is in an APT pattern; "
                "give each point a container of its own, with one id=",
                location=location,
            )


def _mosaic_refusals(
    group: ExposureGroup, count: int, patterns: Mapping[str, AptPattern], location: Location
) -> Iterator[AptDitherError]:
    """Yield what forbids making the points of an APT pattern tiles of a mosaic."""
    try:
        tiles = tile_points(group, patterns)
    except AptDitherError as error:
        yield error.located(location)
        return
    if len(tiles) > 1 and count > 1:
        yield RefusalError(
            f"APT pattern {group.pattern_number} (line {group.line}) is a mosaic of {len(tiles)} "
            f"tiles, and {count} exposures are taken at each; leave one exposure in the group and "
            "give n=, or give each tile its exposures with explicit POS TARGs and one id=",
            location=location,
        )


def is_supported(exposure: Exposure) -> bool:
    """Tell whether exposures of this configuration can be dithered."""
    return exposure.config in CONFIGS


def pattern_groups(covered: Covered) -> tuple[ExposureGroup, ...]:
    """Return the groups around exposures that run an APT pattern, outermost first."""
    return tuple(
        {
            group.node: group
            for exposure in covered.exposures
            for group in covered.tags.groups_of[exposure.node]
            if is_pattern_group(group)
        }.values()
    )


def runs_of(
    exposure: Exposure, groups: Sequence[ExposureGroup], patterns: Mapping[str, AptPattern]
) -> int:
    """Return how often an exposure is taken at each tile: its iterations times its patterns' points."""
    runs = exposure.iterations
    for group in filter(is_pattern_group, groups):
        points = points_of(group, patterns) or 1
        runs *= points // len(tile_points(group, patterns))
    return runs


def tile_points(group: ExposureGroup, patterns: Mapping[str, AptPattern]) -> tuple[PosTarg, ...]:
    """Return the tiles of a group: the primary points of an APT pattern that lie far apart.

    One tile, without an offset, where the group runs no pattern or a dither.
    """
    pattern = patterns.get(group.pattern_number or "")
    if pattern is None or (pattern.point_spacing or 0.0) < TILE_ARCSEC:
        return (NO_OFFSET,)
    points = tuple(point.rounded() for point in pattern_points(replace(pattern, sub=None)))
    if any((one - other).length_arcsec < TILE_ARCSEC for one, other in combinations(points, 2)):
        return (NO_OFFSET,)
    return points
