"""The tags and receipts of a visit, and its prime and parallel containers.

APT's prime and parallel container is one pointing: the instrument of its first exposure is the
prime, and the POS TARG of its exposures moves both instruments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from aptdither.apt.patterns import is_pattern_group
from aptdither.apt.proposal import Exposure, ExposureGroup, Visit
from aptdither.apt.receipt import Receipt
from aptdither.apt.tags import Tag, mentions_tag, near_miss, parse_comments
from aptdither.errors import AptDitherError, Location


class VisitTags:
    """The tags and receipts in the Comments of one visit, read once.

    Attributes
    ----------
    slots : tuple of (Exposure, tuple of ExposureGroup)
        Each exposure with the groups around it, in document order.
    inside : dict of int to list of Exposure
        By the node of each group, the exposures in it and in its groups.
    holders : list of Visit or Exposure
        What may bear a tag: the visit and its exposures.
    comments : dict of int to CommentTags
        By the node of each, what its Comments say.
    """

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.slots = tuple(visit.walk())
        self.groups_of = {exposure.node: groups for exposure, groups in self.slots}
        self.inside: defaultdict[int, list[Exposure]] = defaultdict(list)
        for exposure, groups in self.slots:
            for group in groups:
                self.inside[group.node].append(exposure)
        # Two channels of the same instrument never observe at the same time, two instruments do.
        self._instruments = {
            node: {exposure.instrument for exposure in exposures}
            for node, exposures in self.inside.items()
        }
        self.holders: list[Visit | Exposure] = [visit, *(exposure for exposure, _ in self.slots)]
        self.comments = {one.node: parse_comments(one.comments) for one in self.holders}

    @property
    def errors(self) -> list[AptDitherError]:
        """Lines that break the grammar of tags."""
        return [
            error.located(self.visit.location(one))
            for one in self.holders
            for error in self.comments[one.node].errors
        ]

    @property
    def has_tags(self) -> bool:
        """Whether a tag stands in the visit."""
        return any(read.tags for read in self.comments.values())

    def receipt(self, exposure: Exposure) -> Receipt | None:
        """Return what an earlier run wrote into the exposure's Comments."""
        receipts = self.comments[exposure.node].receipts
        return receipts[0] if receipts else None

    @cached_property
    def receipts(self) -> dict[Exposure, Receipt]:
        """The receipts of dithers: a single exposure at one point is not dithered."""
        found = {exposure: self.receipt(exposure) for exposure, _ in self.slots}
        return {exposure: one for exposure, one in found.items() if one and one.is_dither}

    def is_container(self, group: ExposureGroup) -> bool:
        """Tell whether a group around exposures is a prime and parallel container.

        The words that APT uses for such a group are not known. One that holds two instruments and
        does not run an APT pattern is taken for one.
        """
        return len(self._instruments[group.node]) > 1 and not is_pattern_group(group)

    def is_unclear_parallel(self, group: ExposureGroup) -> bool:
        """Tell whether a group says that it is a parallel, and does not show the prime."""
        return "parallel" in (group.type or "").lower() and not self.is_container(group)

    def container(self, exposure: Exposure) -> ExposureGroup | None:
        """Return the innermost prime and parallel container around an exposure."""
        groups = reversed(self.groups_of[exposure.node])
        return next((group for group in groups if self.is_container(group)), None)

    def prime_of(self, exposure: Exposure) -> Exposure | None:
        """Return the exposure whose pointing a parallel exposure has; None for any other one."""
        container = self.container(exposure)
        if container is None:
            return None
        first = self.inside[container.node][0]
        return None if first.instrument == exposure.instrument else first

    def near_misses(self) -> Iterator[tuple[Location, str]]:
        """Yield what may have been meant as a tag and is none: location and message."""
        for one in self.holders:
            location = self.visit.location(one)
            if mentions_tag(one.label):
                message = f"no tag is read in a Label: move {one.label[:120]!r} into the Comments"
                yield location, message
            for stray in self.comments[one.node].strays:
                yield location, near_miss(stray)

    @property
    def has_text(self) -> bool:
        """Whether anything for this tool stands in its Comments or Labels."""
        return any(mentions_tag(one.comments) or mentions_tag(one.label) for one in self.holders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A tag at a location, and the exposures of its visit that it puts into a set, in order."""

    tag: Tag
    tags: VisitTags
    location: Location
    exposures: Sequence[Exposure]
