"""The tags and receipts of a visit, and the exposures of it that tags put into one set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aptdither.apt.proposal import Exposure, ExposureGroup, Visit
from aptdither.apt.receipt import Receipt
from aptdither.apt.tags import (
    CommentTags,
    mentions_tag,
    near_miss,
    parse_comments,
)
from aptdither.errors import AptDitherError, Location
from aptdither.planning.containers import first_of, is_container


class VisitTags:
    """The tags and receipts in the Comments of one visit, read once.

    Parameters
    ----------
    visit : Visit

    Attributes
    ----------
    slots : tuple of (Exposure, tuple of ExposureGroup)
        Each exposure with the groups around it, in document order.
    comments : dict of int to CommentTags
        What the Comments of each exposure say, by its node; nothing for those that break the
        grammar of tags.
    visit_comments : CommentTags
        What the Comments of the visit say.
    errors : list of AptDitherError
        Lines that break the grammar of tags.
    """

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.errors: list[AptDitherError] = []
        self._is_container: dict[int, bool] = {}
        self.slots = tuple(visit.walk())
        self.groups_of = {exposure.node: groups for exposure, groups in self.slots}
        self.visit_comments = self._read(visit.comments, None)
        self.comments = {
            exposure.node: self._read(exposure.comments, exposure) for exposure, _ in self.slots
        }

    def _read(self, text: str, exposure: Exposure | None) -> CommentTags:
        try:
            return parse_comments(text)
        except AptDitherError as error:
            self.errors.append(error.located(self.location(exposure)))
            return CommentTags()

    @property
    def has_tags(self) -> bool:
        """Whether a tag stands in the visit."""
        return any(read.tags for read in (self.visit_comments, *self.comments.values()))

    def location(self, exposure: Exposure | None = None) -> Location:
        """Return the location of the visit, or of one of its exposures."""
        if exposure is None:
            return Location(visit=self.visit.number, line=self.visit.line)
        return Location(visit=self.visit.number, exposure=exposure.number, line=exposure.line)

    def container(self, exposure: Exposure) -> ExposureGroup | None:
        """Return the innermost prime and parallel container around an exposure."""
        for group in reversed(self.groups_of[exposure.node]):
            if group.node not in self._is_container:
                self._is_container[group.node] = is_container(group)
            if self._is_container[group.node]:
                return group
        return None

    def prime_of(self, exposure: Exposure) -> Exposure | None:
        """Return the exposure whose pointing a parallel exposure has; None for any other one."""
        container = self.container(exposure)
        if container is None or first_of(container).instrument == exposure.instrument:
            return None
        return first_of(container)

    def receipt(self, exposure: Exposure) -> Receipt | None:
        """Return what an earlier run wrote into the exposure's Comments."""
        receipts = self.comments[exposure.node].receipts
        return receipts[0] if receipts else None

    def near_misses(self) -> Iterator[tuple[Location, str]]:
        """Yield what may have been meant as a tag and is none: location and message."""
        yield from self._near_misses(self.visit.label, self.visit_comments, self.location())
        for exposure, _ in self.slots:
            read = self.comments[exposure.node]
            yield from self._near_misses(exposure.label, read, self.location(exposure))

    @staticmethod
    def _near_misses(
        label: str, read: CommentTags, location: Location
    ) -> Iterator[tuple[Location, str]]:
        if mentions_tag(label):
            yield location, f"no tag is read in a Label: move {label[:120]!r} into the Comments"
        for stray in read.strays:
            yield location, near_miss(stray)


def visit_mentions_tag(visit: Visit) -> bool:
    """Tell whether a visit has anything for this tool in its Comments or Labels."""
    texts = [visit.comments, visit.label]
    for exposure in visit.exposures:
        texts += (exposure.comments, exposure.label)
    return any(map(mentions_tag, texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """The exposures of one visit that tags put into one set.

    Attributes
    ----------
    tags : VisitTags
        Tags and receipts of the visit.
    exposures : tuple of Exposure
        Those that can be dithered, in document order.
    tag : str
        The first tag of the set, as written.
    location : Location
        Where it stands; the visit itself where it stands in another one.
    """

    tags: VisitTags
    exposures: tuple[Exposure, ...]
    tag: str
    location: Location
