"""Which exposures are dithered together, and from which POS TARG they start.

Reading order: :func:`find_sets` walks the visits; :mod:`aptdither.planning.tagged` collects what each tag
covers; :mod:`aptdither.planning.refusals` says what stands in the way. All errors of a proposal are gathered
and raised together, so that they can be mended together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.proposal import AptPattern, Exposure, ExposureGroup, Proposal, Visit
from aptdither.apt.tags import DitherRequest, Receipt
from aptdither.errors import AptDitherError, Location, ProposalError, RefusalError, raise_all
from aptdither.findings import Finding
from aptdither.planning.refusals import (
    SetOptions,
    is_pattern_group,
    may_be_parallel,
    pattern_groups,
    points_of,
    refusals,
)
from aptdither.planning.tagged import TaggedVisit, _SetBuilder, is_supported
from aptdither.types import PosTarg, Setup

__all__ = [
    "DitherSet",
    "SetOptions",
    "Setup",
    "Unit",
    "find_sets",
    "is_pattern_group",
    "is_supported",
    "may_be_parallel",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One exposure as the observer wrote it.

    Attributes
    ----------
    exposure : Exposure
        The exposure itself.
    copies : tuple of Exposure
        Copies that an earlier run made of it; they may be removed again.
    runs : int
        How many exposures it stands for: 1, or its iterations times its pattern's points.
    receipt : Receipt or None
        What an earlier run wrote into its Comments.
    """

    exposure: Exposure
    copies: tuple[Exposure, ...]
    runs: int
    receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DitherSet:
    """Exposures that are dithered together, and how.

    Attributes
    ----------
    visit : Visit
        The visit they belong to.
    units : tuple of Unit
        In document order.
    request : DitherRequest
        What the tag asks for.
    tag : str
        The tag as written.
    place : Location
        Where the tag stands.
    base : PosTarg
        The POS TARG that all had before they were dithered.
    unwrapped : tuple of ExposureGroup
        Pattern groups that become plain groups.
    """

    visit: Visit
    units: tuple[Unit, ...]
    request: DitherRequest
    tag: str
    location: Location
    base: PosTarg
    unwrapped: tuple[ExposureGroup, ...]

    def by_setup(self) -> dict[Setup, tuple[Unit, ...]]:
        """Return the units of each setup, setups in the order of their first exposure."""
        setups: dict[Setup, tuple[Unit, ...]] = {}
        for unit in self.units:
            setup = unit.exposure.setup
            setups[setup] = (*setups.get(setup, ()), unit)
        return setups


def find_sets(
    proposal: Proposal, options: SetOptions
) -> tuple[tuple[DitherSet, ...], tuple[Finding, ...]]:
    """Find the sets of exposures that tags ask to dither.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    options : SetOptions
        What is allowed beyond the default.

    Returns
    -------
    sets : tuple of DitherSet
        In document order of their first exposure.
    findings : tuple of Finding
        Words that look like a tag and are none.

    Raises
    ------
    AptDitherError
        Everything that stands in the way, listed together.
    """
    errors: list[AptDitherError] = []
    findings: list[Finding] = []
    sets: list[DitherSet] = []
    visit_numbers = Counter(visit.number for visit in proposal.visits)
    patterns = {pattern.number: pattern for pattern in proposal.patterns}
    for visit in proposal.visits:
        tagged = TaggedVisit(visit)
        findings.extend(tagged.strays())
        if len(tagged.slots) > MAX_VISIT_EXPOSURES and tagged.has_tags:
            errors.append(_too_many(tagged))
            continue
        drafts = tagged.drafts()
        if drafts:
            tagged.errors.extend(_numbers_twice(tagged, visit_numbers))
            sets.extend(_settle(drafts, tagged, patterns, options))
        errors.extend(tagged.errors)
    raise_all(errors)
    return tuple(sets), tuple(findings)


def _too_many(tagged: TaggedVisit) -> AptDitherError:
    return RefusalError(
        f"the visit has {len(tagged.slots)} exposures; at most {MAX_VISIT_EXPOSURES} are handled: "
        "remove its tags, or split the visit",
        location=tagged.location(),
    )


def _numbers_twice(
    tagged: TaggedVisit, visit_numbers: Mapping[str, int]
) -> Iterator[AptDitherError]:
    number = tagged.visit.number
    if visit_numbers[number] > 1:
        yield ProposalError(
            f"two visits are numbered {number}; give each its own number in APT",
            location=tagged.location(),
        )
    counts = Counter(exposure.number for exposure, _ in tagged.slots)
    repeated = sorted(number for number, count in counts.items() if count > 1)
    if repeated:
        yield ProposalError(
            f"exposure number {', '.join(map(repr, repeated))} occurs more than once in "
            "this visit; give each exposure its own number in APT",
            location=tagged.location(),
        )


def _settle(
    drafts: list[_SetBuilder],
    tagged: TaggedVisit,
    patterns: Mapping[str, AptPattern],
    options: SetOptions,
) -> Iterator[DitherSet]:
    """Turn drafts into sets; what stands in the way goes to the errors of `tagged`."""
    in_a_set = {exposure.node for draft in drafts for exposure in draft.exposures}
    for draft in drafts:
        before = len(tagged.errors)
        request = tagged.merged_request(draft)
        tagged.errors.extend(refusals(draft, tagged, patterns, options))
        if len(tagged.errors) > before or request is None:
            continue
        units = _units(draft, tagged, patterns)
        base = _base(units, tagged, in_a_set, options)
        if len(tagged.errors) > before or base is None:
            continue
        tag, holder = draft.tags[0]
        yield DitherSet(
            visit=tagged.visit,
            units=units,
            request=request,
            tag=tag.text,
            location=tagged.location(holder),
            base=base,
            unwrapped=pattern_groups(draft, tagged),
        )


def _units(
    draft: _SetBuilder, tagged: TaggedVisit, patterns: Mapping[str, AptPattern]
) -> tuple[Unit, ...]:
    units: list[Unit] = []
    for exposure in draft.exposures:
        if not is_supported(exposure):
            continue
        receipt = tagged.receipt(exposure)
        if receipt is not None and receipt.made_by == "copy":
            last = units[-1] if units else None
            if (
                last is None
                or last.receipt is None
                or receipt.index != len(last.copies) + 2
                or last.exposure.setup != exposure.setup
            ):
                tagged.errors.append(
                    ProposalError(
                        "its receipt says that it is a copy made by an earlier run, but it does"
                        " not follow the exposure it was copied from; remove the last word of"
                        " the receipt to keep it as an exposure of its own, or delete it",
                        location=tagged.location(exposure),
                    )
                )
                continue
            units[-1] = replace(last, copies=(*last.copies, exposure))
            continue
        runs = exposure.iterations
        for group in tagged.groups_of[exposure.node]:
            if is_pattern_group(group):
                runs *= points_of(group, patterns) or 1
        units.append(Unit(exposure=exposure, copies=(), runs=runs, receipt=receipt))
    return tuple(units)


def _base(
    units: tuple[Unit, ...], tagged: TaggedVisit, in_a_set: set[int], options: SetOptions
) -> PosTarg | None:
    """Return the POS TARG that all had before; None where that is an error."""
    bases = []
    for unit in units:
        try:
            bases.append(_base_of(unit.exposure, tagged, in_a_set))
        except AptDitherError as error:
            tagged.errors.append(error.located(tagged.location(unit.exposure)))
    if len(bases) < len(units):
        return None
    if len(set(bases)) > 1 and not options.replace:
        listed = "; ".join(
            f"exposure {unit.exposure.number}: {base.x_arcsec:g},{base.y_arcsec:g}"
            for unit, base in zip(units, bases, strict=True)
        )
        tagged.errors.append(
            RefusalError(
                f"the exposures of the set start from different POS TARGs ({listed}); make "
                "them equal, or give --replace to start all from the first's",
                location=tagged.location(units[0].exposure),
            )
        )
        return None
    return bases[0]


def _base_of(exposure: Exposure, tagged: TaggedVisit, in_a_set: set[int]) -> PosTarg:
    receipt = tagged.receipt(exposure)
    if receipt is not None and exposure.node in in_a_set:
        return PosTarg(x_arcsec=receipt.base_x_arcsec, y_arcsec=receipt.base_y_arcsec)
    if exposure.same_pos_as is None:
        return exposure.pos_targ or PosTarg(x_arcsec=0.0, y_arcsec=0.0)
    if exposure.pos_targ is not None:
        raise ProposalError(
            f"it has a POS TARG and SamePosAs {exposure.same_pos_as!r}; which one holds is not "
            "known: keep one"
        )
    return _base_of(tagged.visit.resolve_same_pos_as(exposure, tagged.by_number), tagged, in_a_set)
