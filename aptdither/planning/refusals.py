"""What stands in the way of dithering a set of exposures, each with its way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aptdither.apt.proposal import AptPattern, Exposure, ExposureGroup
from aptdither.errors import AptDitherError, Location, ProposalError, RefusalError
from aptdither.planning.tagged import TaggedVisit, _SetBuilder, is_supported


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOptions:
    """What an observer allows beyond the careful default."""

    replace: bool = False
    replace_patterns: bool = False
    split_iterations: bool = False
    all_visits: bool = False


def refusals(
    draft: _SetBuilder, tagged: TaggedVisit, patterns: Mapping[str, AptPattern], options: SetOptions
) -> Iterator[AptDitherError]:
    """Yield everything that stands in the way of dithering one set.

    Parameters
    ----------
    draft : _SetBuilder
        The set.
    tagged : TaggedVisit
        Its visit.
    patterns : Mapping of str to AptPattern
        The proposal's APT patterns by their number.
    options : SetOptions
        What is allowed.
    """
    visit = tagged.visit
    tag, holder = draft.tags[0]
    location = tagged.location(holder)
    ours = [exposure for exposure in draft.exposures if is_supported(exposure)]
    if visit.kind != "Visit":
        yield RefusalError(
            f"{tag.text!r} stands in a {visit.kind} (a mosaic): its pointings are the mosaic's; "
            "take the exposures out of it to dither them",
            location=location,
        )
    if visit.status.lower() == "completed" and not options.all_visits:
        yield RefusalError(
            "this visit is completed; remove its tag, or give --all-visits", location=location
        )
    yield from _group_refusals(draft, tagged, patterns, options)
    targets = list(dict.fromkeys(exposure.target_name for exposure in ours))
    if len(targets) > 1:
        yield RefusalError(
            f"the set points at several targets ({', '.join(map(repr, targets))}); "
            "give each target its own group, or its own id",
            location=location,
        )
    for exposure in ours:
        where = tagged.location(exposure)
        if exposure.is_spatial_scan:
            yield RefusalError(
                "a spatial scan moves during the exposure and cannot be dithered; "
                "take it out of the set",
                location=where,
            )
        if exposure.iterations > 1 and not options.split_iterations:
            yield RefusalError(
                f"NumberOfIterations is {exposure.iterations}: they repeat at one pointing; "
                "make them exposures of their own, or give --split-iterations",
                location=where,
            )
        for problem in exposure.problems:
            yield ProposalError(
                f"{problem.field} is {problem.found!r}; allowed: {problem.allowed}",
                location=Location(visit=visit.number, exposure=exposure.number, line=problem.line),
            )
        if len(tagged.comments[exposure.node].receipts) > 1:
            yield ProposalError(
                "the Comments hold two @dithered receipts; keep the right one, or remove both "
                "and set the POS TARG that the exposure had before it was dithered",
                location=where,
            )
        for text in tagged.comments[exposure.node].bad_receipts:
            yield ProposalError(
                f"{text!r} is not a receipt that aptdither wrote; remove the line, and set the "
                "POS TARG that the exposure had before it was dithered",
                location=where,
            )


def _group_refusals(
    draft: _SetBuilder, tagged: TaggedVisit, patterns: Mapping[str, AptPattern], options: SetOptions
) -> Iterator[AptDitherError]:
    location = tagged.location(draft.tags[0][1])
    members = {exposure.node for exposure in draft.exposures if is_supported(exposure)}
    for group in pattern_groups(draft, tagged):
        inside = [e for e, groups in tagged.slots if any(g.node == group.node for g in groups)]
        outside = [e.number for e in inside if e.node not in members]
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
    seen: dict[int, ExposureGroup] = {}
    for exposure in draft.exposures:
        for group in tagged.groups_of[exposure.node]:
            seen[group.node] = group
    for group in seen.values():
        if may_be_parallel(group):
            yield RefusalError(
                f"the group on line {group.line} is, or may be, a coordinated parallel"
                f"{f' (Type {group.type!r})' if group.type else ''}: its exposures run at the "
                "same time and must share one POS TARG; give the WFC3/IR exposures a group "
                "of their own",
                location=location,
            )


def pattern_groups(draft: _SetBuilder, tagged: TaggedVisit) -> tuple[ExposureGroup, ...]:
    """Return the groups around a set that run an APT pattern, outermost first."""
    found = {}
    for exposure in draft.exposures:
        for group in tagged.groups_of[exposure.node]:
            if is_pattern_group(group):
                found[group.node] = group
    return tuple(found.values())


def points_of(group: ExposureGroup, patterns: Mapping[str, AptPattern]) -> int | None:
    """Return how often an APT pattern runs the exposures of a group; None if that is not said."""
    pattern = patterns.get(group.pattern_number or "")
    points = 1
    while pattern is not None:
        if not pattern.number_of_points or pattern.number_of_points < 1:
            return None
        points *= pattern.number_of_points
        if pattern.sub is None:
            return points
        pattern = pattern.sub
    return None


def is_pattern_group(group: ExposureGroup) -> bool:
    """Tell whether a group runs an APT pattern."""
    return group.pattern_number is not None or (group.type or "").lower() == "pattern"


def may_be_parallel(group: ExposureGroup) -> bool:
    """Tell whether a group is, or cannot be told from, a coordinated parallel.

    The words that APT uses for such a group are not known. Two instruments in one group are taken
    for one: two channels of the same instrument never observe at the same time, two instruments do.
    """
    if "parallel" in (group.type or "").lower():
        return True
    return len({exposure.instrument for exposure in _exposures_in(group)}) > 1


def _exposures_in(group: ExposureGroup) -> Iterator[Exposure]:
    waiting = list(reversed(group.children))
    while waiting:
        child = waiting.pop()
        if isinstance(child, ExposureGroup):
            waiting.extend(reversed(child.children))
        else:
            yield child
