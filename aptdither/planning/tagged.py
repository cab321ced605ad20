"""The tags of one visit, and the exposures that each covers.

A tag on an exposure in a group is for the innermost group, on an ungrouped exposure for those of
its id, or for itself alone; in the visit's Comments it is for each group and for the ungrouped
exposures as one set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from aptdither.apt.proposal import Exposure, ExposureGroup, Visit
from aptdither.apt.tags import CommentTags, DitherRequest, Receipt, Tag, parse_comments
from aptdither.errors import AptDitherError, Location, RefusalError, TagError
from aptdither.findings import Finding

#: The one configuration that is dithered today; others have their own optics and will come.
CONFIGS = ("WFC3/IR",)


@dataclass(slots=True)
class _SetBuilder:
    """The exposures that one tag covers, and the tags that speak for them."""

    exposures: list[Exposure]
    tags: list[tuple[Tag, Exposure | None]]
    joins_by_id: bool = False


class TaggedVisit:
    """One visit, its tags and its receipts; tags that cannot be read go to `errors`."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.errors: list[AptDitherError] = []
        self.slots: tuple[tuple[Exposure, tuple[ExposureGroup, ...]], ...] = tuple(visit.walk())
        self.groups_of = {exposure.node: groups for exposure, groups in self.slots}
        self.comments: dict[int, CommentTags] = {}
        for exposure, _ in self.slots:
            self.comments[exposure.node] = self._read(exposure.comments, self.location(exposure))
        self.visit_comments = self._read(visit.comments, self.location())
        self.by_number = visit.by_number()
        self._ungrouped = [exposure for exposure, groups in self.slots if not groups]
        self._in_group: dict[int, list[Exposure]] = {}
        for exposure, groups in self.slots:
            if groups:
                self._in_group.setdefault(groups[-1].node, []).append(exposure)

    def _read(self, text: str, location: Location) -> CommentTags:
        try:
            return parse_comments(text)
        except AptDitherError as error:
            self.errors.append(error.located(location))
            return parse_comments("")

    @property
    def has_tags(self) -> bool:
        """Whether a tag stands in the visit."""
        return any(held.tags for held in (self.visit_comments, *self.comments.values()))

    def location(self, exposure: Exposure | None = None) -> Location:
        """Return the place of the visit, or of one of its exposures."""
        if exposure is None:
            return Location(visit=self.visit.number, line=self.visit.line)
        return Location(visit=self.visit.number, exposure=exposure.number, line=exposure.line)

    def strays(self) -> Iterator[Finding]:
        """Yield the lines that hold the word @dither and are no tag."""
        held: list[tuple[Exposure | None, CommentTags]] = [(None, self.visit_comments)]
        held += [(exposure, self.comments[exposure.node]) for exposure, _ in self.slots]
        for exposure, comments in held:
            for stray in comments.strays:
                yield Finding.of(
                    "ADT102",
                    f"{stray.strip()!r} is not read as a tag: "
                    "@dither must be the first word of its line",
                    self.location(exposure),
                )

    def receipt(self, exposure: Exposure) -> Receipt | None:
        """Return what an earlier run wrote into the exposure's Comments."""
        receipts = self.comments[exposure.node].receipts
        return receipts[0] if receipts else None

    def drafts(self) -> list[_SetBuilder]:
        """Collect the sets that the visit's tags name, in document order."""
        drafts: dict[tuple[str, object], _SetBuilder] = {}
        families = self._families()
        joined: dict[str, list[Exposure]] = {}
        for exposure in self._ungrouped:
            for name in {tag.request.id for tag in self.comments[exposure.node].tags} - {None}:
                joined.setdefault(str(name), []).extend(families[exposure.node])
        for exposure, groups in self.slots:
            for tag in self.comments[exposure.node].tags:
                if not is_supported(exposure):
                    self.errors.append(
                        RefusalError(
                            f"{tag.text!r} stands on an exposure of {exposure.config or 'no Config'};"
                            f" only {' and '.join(CONFIGS)} can be dithered: move the tag",
                            location=self.location(exposure),
                        )
                    )
                    continue
                key: tuple[str, object]
                if groups:
                    key, covered = ("group", groups[-1].node), self._in_group[groups[-1].node]
                elif tag.request.id is not None:
                    key, covered = ("id", tag.request.id), joined[tag.request.id]
                else:
                    key, covered = ("alone", exposure.node), families[exposure.node]
                draft = drafts.setdefault(key, _SetBuilder(covered, [], joins_by_id=key[0] == "id"))
                draft.tags.append((tag, exposure))
        for tag in self.visit_comments.tags:
            self._spread(tag, drafts)
        # The one set of all ungrouped exposures and the sets of single ones overlap: say it.
        whole = drafts.get(("visit", None))
        if whole is not None:
            for key in [key for key in drafts if key[0] in ("alone", "id")]:
                whole.tags.extend(drafts.pop(key).tags)
        return list(drafts.values())

    def _spread(self, tag: Tag, drafts: dict[tuple[str, object], _SetBuilder]) -> None:
        """Let a tag of the visit speak for each group, and for the ungrouped exposures."""
        wholes: list[tuple[tuple[str, object], list[Exposure]]] = [
            (("group", node), members) for node, members in self._in_group.items()
        ]
        wholes.append((("visit", None), self._ungrouped))
        wholes = [(key, members) for key, members in wholes if any(map(is_supported, members))]
        for key, members in wholes:
            drafts.setdefault(key, _SetBuilder(members, [])).tags.append((tag, None))
        if not wholes:
            self.errors.append(
                RefusalError(
                    f"{tag.text!r} covers no {' or '.join(CONFIGS)} exposure: "
                    "the visit has none; remove the tag",
                    location=self.location(),
                )
            )

    def _families(self) -> dict[int, list[Exposure]]:
        """Return each ungrouped exposure with those that an earlier run made of it, after it."""
        families: dict[int, list[Exposure]] = {}
        family: list[Exposure] = []
        for exposure in self._ungrouped:
            receipt = self.receipt(exposure)
            is_made = receipt is not None and receipt.made_by != ""
            if not is_made or self.comments[exposure.node].tags:
                family = []
            family.append(exposure)
            families[exposure.node] = family if family[0] is exposure else [exposure]
        return families

    def merged_request(self, draft: _SetBuilder) -> DitherRequest | None:
        """Return what the tags of a set ask for together; None where they contradict."""
        first, holder = draft.tags[0]
        if len(draft.tags) == 1:
            return first.request
        if not draft.joins_by_id:
            places = "; ".join(
                f"{tag.text!r} ({self.location(exposure) if exposure else 'Comments of the visit'})"
                for tag, exposure in draft.tags
            )
            self.errors.append(
                TagError(
                    f"two tags for one set of exposures: {places}; keep one",
                    location=self.location(holder),
                )
            )
            return None
        merged = first.request
        for tag, exposure in draft.tags[1:]:
            for key in (field.name for field in fields(tag.request)):
                here, there = getattr(tag.request, key), getattr(merged, key)
                if here is not None and there is not None and here != there:
                    self.errors.append(
                        TagError(
                            f"{tag.text!r} contradicts {first.text!r} of the same id in {key!r}; "
                            "say it once",
                            location=self.location(exposure),
                        )
                    )
                    return None
                if there is None and here is not None:
                    merged = replace(merged, **{key: here})
        return merged


def is_supported(exposure: Exposure) -> bool:
    """Tell whether an exposure's configuration is one that is dithered."""
    return exposure.config in CONFIGS
