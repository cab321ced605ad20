"""What forbids dithering a set of exposures, each with its way out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from aptdither.apt.patterns import is_pattern_group, pattern_points
from aptdither.apt.proposal import Exposure, ExposureGroup, Proposal
from aptdither.errors import AptDitherError, Location, ProposalError, RefusalError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.detector import supported_configs
from aptdither.optics.filters import get_element
from aptdither.planning.options import SetOptions
from aptdither.planning.receipts import TILE_ARCSEC, unclear_receipts
from aptdither.planning.visit_tags import Claim
from aptdither.types import NO_OFFSET, PosTarg

#: The configurations that can be dithered.
CONFIGS = supported_configs()


def refusals(
    claim: Claim, proposal: Proposal, options: SetOptions, distortion: Path | None
) -> Iterator[AptDitherError]:
    """Yield everything that forbids dithering the exposures that a set has in one visit."""
    visit = claim.tags.visit
    for error in _visit_refusals(claim, proposal, options):
        yield error.located(claim.location)
    for exposure in claim.exposures:
        for error in _exposure_refusals(exposure, claim, options):
            yield error.located(visit.location(exposure))
    for setup, exposure in {one.setup: one for one in reversed(claim.exposures)}.items():
        try:
            get_aperture(
                setup.aperture, setup.element, config=setup.config, distortion_file=distortion
            )
            get_element(setup.element, config=setup.config)
        except AptDitherError as error:
            yield error.located(visit.location(exposure))


def _exposure_refusals(
    exposure: Exposure, claim: Claim, options: SetOptions
) -> Iterator[AptDitherError]:
    if exposure.is_spatial_scan:
        yield RefusalError(
            "a spatial scan moves during the exposure and cannot be dithered; "
            "take it out of the set"
        )
    if exposure.iterations > 1 and not options.split_iterations:
        yield RefusalError(
            f"NumberOfIterations is {exposure.iterations}: they repeat at one pointing; "
            "make them exposures of their own, or give --split-iterations"
        )
    for problem in exposure.problems:
        yield ProposalError(
            f"{problem.field} is {problem.found!r}; allowed: {problem.allowed}",
            location=Location(line=problem.line),
        )
    yield from map(ProposalError, unclear_receipts(claim.tags.comments[exposure.node]))


def _visit_refusals(
    claim: Claim, proposal: Proposal, options: SetOptions
) -> Iterator[AptDitherError]:
    tags, kind = claim.tags, claim.tags.visit.kind
    if kind != "Visit":
        yield RefusalError(
            f"{claim.tag.text!r} stands in a {kind} (a mosaic): its pointings are the mosaic's; "
            "take the exposures out of it to dither them"
        )
    if proposal.is_pure_parallel:
        yield RefusalError(
            "this is a pure parallel proposal: the prime decides where it points, and POS TARGs "
            "have no effect; remove the tag"
        )
    for group in pattern_groups(claim):
        yield from _pattern_refusals(group, claim, options)
    around = [group for one in claim.exposures for group in tags.groups_of[one.node]]
    for group in {one.node: one for one in around}.values():
        if tags.is_unclear_parallel(group):
            yield RefusalError(
                f"the group on line {group.line} says that it is a coordinated parallel (Type "
                f"{group.type!r}), but does not hold two instruments, so the prime is not known; "
                "take the exposures out of the group"
            )
    containers = {one.node: one for one in map(tags.container, claim.exposures) if one}.values()
    if containers and not options.parallels:
        lines = ", ".join(str(group.line) for group in containers)
        types = ",".join(dict.fromkeys(group.type for group in containers if group.type))
        yield RefusalError(
            f"the group on line {lines} is, or may be, a coordinated parallel"
            f"{f' (Type {types!r})' if types else ''}: its exposures run at the same time and must "
            "share one POS TARG; give --parallels to dither it as one pointing (id= joins "
            "several), or take the exposures out of the group"
        )
    for group in containers:
        if any(map(is_pattern_group, tags.groups_of[tags.inside[group.node][0].node])):
            yield RefusalError(
                f"the prime and parallel container on line {group.line} is in an APT pattern; "
                "give each point a container of its own, with one id="
            )


def _pattern_refusals(
    group: ExposureGroup, claim: Claim, options: SetOptions
) -> Iterator[AptDitherError]:
    """Yield what forbids dithering in place of an APT pattern, or at each point of a mosaic."""
    name = f"APT pattern {group.pattern_number or '?'}"
    inside = claim.tags.inside[group.node]
    covered = {exposure.node for exposure in claim.exposures}
    outside = [exposure.number for exposure in inside if exposure.node not in covered]
    if not options.replace_patterns:
        yield RefusalError(
            f"the set is in a group with {name} (line {group.line}), and the offsets of both would "
            "add; remove the pattern in APT, or give --replace-patterns"
        )
    elif outside:
        yield RefusalError(
            f"{name} (line {group.line}) also moves exposure {', '.join(outside)}, which the tag "
            "does not cover, so it cannot be replaced; move them out of the group"
        )
    elif group.pattern is None or group.pattern.total_points is None:
        yield ProposalError(
            f"the group on line {group.line} names {name}, whose number of points cannot be read; "
            "give the pattern its NumberOfPoints in APT"
        )
    else:
        try:
            tiles = tile_points(group)
        except AptDitherError as error:
            yield error
            return
        if len(tiles) > 1 and len({claim.tags.groups_of[one.node][-1].node for one in inside}) > 1:
            yield RefusalError(
                f"{name} (line {group.line}) is a mosaic of {len(tiles)} tiles around several groups; "
                "move the exposures out of the groups inside it, or give each tile its exposures "
                "with explicit POS TARGs and one id="
            )


def is_supported(exposure: Exposure) -> bool:
    """Tell whether exposures of this configuration can be dithered."""
    return exposure.config in CONFIGS


def pattern_groups(claim: Claim) -> tuple[ExposureGroup, ...]:
    """Return the groups around exposures that run an APT pattern, outermost first."""
    around = [group for one in claim.exposures for group in claim.tags.groups_of[one.node]]
    return tuple({group.node: group for group in around if is_pattern_group(group)}.values())


def runs_of(exposure: Exposure, groups: Sequence[ExposureGroup]) -> int:
    """Return how often an exposure is taken at each tile: its iterations times its patterns' points."""
    runs = exposure.iterations
    for group in groups:
        if group.pattern is not None:
            runs *= (group.pattern.total_points or 1) // len(tile_points(group))
    return runs


def tile_points(group: ExposureGroup) -> list[PosTarg]:
    """Return the tiles of a group: the primary points of an APT pattern that lie far apart.

    One tile, without an offset, where the group runs no pattern or a dither.
    """
    pattern = group.pattern
    if pattern is None or (pattern.point_spacing or 0.0) < TILE_ARCSEC:
        return [NO_OFFSET]
    points = [point.rounded() for point in pattern_points(replace(pattern, sub=None))]
    if any((one - other).length_arcsec < TILE_ARCSEC for one, other in combinations(points, 2)):
        return [NO_OFFSET]
    return points
