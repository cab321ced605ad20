"""Which exposures each tag covers: from the tags of a proposal to disjoint candidates for sets.

A tag on an exposure in a group is for the innermost group, on an ungrouped exposure for that
exposure; in the Comments of a visit it is for each group and for the ungrouped exposures as one
set. An ``id`` joins what bears it in the whole proposal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from aptdither.apt.proposal import Exposure
from aptdither.apt.receipt import MadeBy
from aptdither.apt.tags import DitherRequest, Tag
from aptdither.errors import AptDitherError, Location, RefusalError, TagError
from aptdither.planning.refusals import CONFIGS, is_supported
from aptdither.planning.visit_tags import VisitTags


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTag:
    """A tag and where it stands.

    Attributes
    ----------
    tag : Tag
        What the line says.
    tags_of_visit : VisitTags
        Of its visit.
    holder : Exposure or None
        The exposure whose Comments hold it; None for those of the visit.
    """

    tag: Tag
    tags_of_visit: VisitTags
    holder: Exposure | None

    @property
    def location(self) -> Location:
        """Where it stands."""
        return self.tags_of_visit.location(self.holder)


@dataclass(slots=True, kw_only=True)
class SetCandidate:
    """The exposures that tags put into one set, before it is known whether they may be dithered.

    Attributes
    ----------
    joins_by_id : bool
        Whether an ``id`` joins them: then several tags add up.
    tags : list of PlacedTag
        The tags that name the set; equal ones in one group are one.
    exposures : dict of VisitTags to dict of int to Exposure
        By visit and node, all that the tags cover, those of other instruments too.
    """

    joins_by_id: bool
    tags: list[PlacedTag] = field(default_factory=list)
    exposures: dict[VisitTags, dict[int, Exposure]] = field(default_factory=dict)

    @property
    def nodes(self) -> Iterator[int]:
        """The nodes of all exposures."""
        return (node for exposures in self.exposures.values() for node in exposures)


#: What makes a set one: its id, or the node of its group, exposure or visit.
_Key = tuple[str, str | int]


def claim_exposures(
    visits: Iterable[VisitTags], defaults: DitherRequest
) -> tuple[list[SetCandidate], list[AptDitherError]]:
    """Return the sets that tags name, in document order, and what is wrong with the tags.

    Parameters
    ----------
    visits : iterable of VisitTags
        The visits of a proposal.
    defaults : DitherRequest
        Values for tags that do not set them.
    """
    claims = _Claims(defaults)
    for tags in visits:
        claims.add(tags)
    claims.errors.extend(claims.overlaps())
    claims.errors.extend(claims.not_joined())
    return list(claims.candidates.values()), claims.errors


class _Claims:
    """Collects, for each set that tags name, its exposures and its tags."""

    def __init__(self, defaults: DitherRequest) -> None:
        self.defaults = defaults
        self.candidates: dict[_Key, SetCandidate] = {}
        self.errors: list[AptDitherError] = []
        self._claimed: set[tuple[_Key, int, DitherRequest]] = set()

    def add(self, tags: VisitTags) -> None:
        """Let the tags of a visit claim their exposures."""
        in_group: dict[int, list[Exposure]] = {}
        for exposure, groups in tags.slots:
            if groups:
                in_group.setdefault(groups[-1].node, []).append(exposure)
        families = _families(tags)
        for exposure, groups in tags.slots:
            for tag in tags.comments[exposure.node].tags:
                placed = PlacedTag(tag=tag, tags_of_visit=tags, holder=exposure)
                if not is_supported(exposure):
                    self.errors.append(_unsupported(placed, exposure))
                elif groups:
                    node = groups[-1].node
                    self._claim(("group", node), placed, node, in_group[node])
                else:
                    family = families[exposure.node]
                    self._claim(("alone", exposure.node), placed, exposure.node, family)
        ungrouped = [exposure for exposure, groups in tags.slots if not groups]
        wholes = [(("group", node), node, members) for node, members in in_group.items()]
        wholes.append((("visit", tags.visit.node), tags.visit.node, ungrouped))
        wholes = [whole for whole in wholes if any(map(is_supported, whole[2]))]
        for tag in tags.visit_comments.tags:
            placed = PlacedTag(tag=tag, tags_of_visit=tags, holder=None)
            for key, node, members in wholes:
                self._claim(key, placed, node, members)
            if not wholes:
                self.errors.append(
                    RefusalError(
                        f"{tag.text!r} covers no {' or '.join(CONFIGS)} exposure: "
                        "the visit has none; remove the tag",
                        location=placed.location,
                    )
                )

    def _claim(self, key: _Key, placed: PlacedTag, node: int, covered: Sequence[Exposure]) -> None:
        request = placed.tag.request
        if request.id is not None:
            key = ("id", request.id)
        # The same tag on each exposure of a group is one tag.
        if (key, node, request) in self._claimed:
            return
        self._claimed.add((key, node, request))
        candidate = self.candidates.setdefault(key, SetCandidate(joins_by_id=key[0] == "id"))
        candidate.tags.append(placed)
        exposures = candidate.exposures.setdefault(placed.tags_of_visit, {})
        exposures.update((exposure.node, exposure) for exposure in covered)

    def overlaps(self) -> Iterator[AptDitherError]:
        """Yield an error for each exposure that two sets claim."""
        claimed: dict[int, SetCandidate] = {}
        for candidate in self.candidates.values():
            for tags, exposures in candidate.exposures.items():
                for exposure in exposures.values():
                    other = claimed.setdefault(exposure.node, candidate)
                    if other is not candidate:
                        yield TagError(
                            "two tags put it into different sets "
                            f"({other.tags[0].tag.text!r} and {candidate.tags[0].tag.text!r}); "
                            "an exposure belongs to one set: keep one",
                            location=tags.location(exposure),
                        )

    def not_joined(self) -> Iterator[AptDitherError]:
        """Drop sets of one exposure at one point that share a setup and a target; yield errors."""
        alike: dict[object, list[tuple[_Key, PlacedTag, Exposure]]] = {}
        for key, candidate in self.candidates.items():
            placed, request = candidate.tags[0], candidate.tags[0].tag.request
            if key[0] != "alone" or (request.n or self.defaults.n or 1) > 1 or request.pattern:
                continue
            first, *others = candidate.exposures[placed.tags_of_visit].values()
            if not others:
                same = (placed.tags_of_visit, first.setup, first.target_name)
                alike.setdefault(same, []).append((key, placed, first))
        for lone in alike.values():
            if len(lone) < 2:
                continue
            for key, _, _ in lone:
                del self.candidates[key]
            _, placed, first = lone[0]
            yield RefusalError(
                f"exposures {', '.join(one.number for _, _, one in lone[:12])} of "
                f"{first.setup.text} are tagged one by one and are not in a group, so each would "
                "be a dither of one point; to dither them together put the tag in the Visit's "
                "Comments, or put them in a group in APT, or add id=a to each "
                f"({placed.tag.text} id=a)",
                location=placed.location,
            )


def _unsupported(placed: PlacedTag, exposure: Exposure) -> AptDitherError:
    return RefusalError(
        f"{placed.tag.text!r} stands on an exposure of {exposure.config or 'no Config'}; only "
        f"{' and '.join(CONFIGS)} can be dithered: move the tag",
        location=placed.location,
    )


def _families(tags: VisitTags) -> dict[int, list[Exposure]]:
    """Return each ungrouped exposure with those that an earlier run made of it, after it."""
    families: dict[int, list[Exposure]] = {}
    family: list[Exposure] = []
    for exposure, groups in tags.slots:
        if groups:
            continue
        receipt = tags.receipt(exposure)
        is_made = receipt is not None and receipt.made_by is not MadeBy.OBSERVER
        if not is_made or tags.comments[exposure.node].tags:
            family = []
        family.append(exposure)
        families[exposure.node] = family if family[0] is exposure else [exposure]
    return families
