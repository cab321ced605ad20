"""From the exposures that tags cover to a set with shares, or what forbids it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from aptdither.apt.patterns import AptPattern
from aptdither.apt.proposal import Exposure, Proposal
from aptdither.apt.receipt import Receipt
from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog
from aptdither.errors import (
    AptDitherError,
    ReceiptError,
    RefusalError,
    TagError,
)
from aptdither.planning.bases import BaseFinder, aperture_of, dithered_for, observed_base
from aptdither.planning.claims import SetCandidate
from aptdither.planning.containers import parallels_of
from aptdither.planning.dither_sets import DitherSet, Member, Share
from aptdither.planning.receipts import (
    ProblemKind,
    by_tile,
    lost_receipts,
    receipt_problems,
    tiles_of,
    to_paste,
)
from aptdither.planning.refusals import (
    SetOptions,
    is_supported,
    pattern_groups,
    refusals,
    runs_of,
    tile_points,
)
from aptdither.planning.visit_tags import Covered, VisitTags
from aptdither.types import NO_OFFSET, PosTarg, Setup


@dataclass(slots=True)
class SetBuilder:
    """Builds the set of one candidate, or gathers what forbids it.

    Attributes
    ----------
    candidate : SetCandidate
        The exposures that tags cover.
    patterns : Mapping of str to AptPattern
        The proposal's APT patterns by their number.
    options : SetOptions
        What is allowed beyond the default.
    defaults : DitherRequest
        Values for tags that do not set them.
    catalog : Catalog
        The patterns that receipts name.
    distortion : path or None
        The distortion file of the run.
    claimed : set of int
        The nodes of all exposures that tags cover.
    errors : list of AptDitherError
        What forbids the set.
    """

    candidate: SetCandidate
    patterns: Mapping[str, AptPattern]
    options: SetOptions
    defaults: DitherRequest
    catalog: Catalog
    distortion: Path | None
    claimed: set[int]
    errors: list[AptDitherError] = field(default_factory=list)

    def build(self, proposal: Proposal) -> DitherSet | None:
        """Return the set; None where something forbids it."""
        request = self._request()
        parts = [self._covered(tags) for tags in self.candidate.exposures]
        parts = [part for part in parts if self._has_exposures(part)]
        to_dither = [part for part in parts if not self._is_completed(part)]
        for part in to_dither:
            self.errors += refusals(part, proposal, self.patterns, self.options)
        self._require_one_target(parts)
        if self.errors:
            return None
        members = [(part, self._members(part)) for part in to_dither]
        if not self.errors:
            for part, own in members:
                self.errors += self._receipt_errors(part.tags, own)
        if self.errors:
            return None
        shares = self._shares(members)
        shares += [self._completed(part, shares) for part in parts if self._is_completed(part)]
        if self.errors:
            return None
        first = self.candidate.tags[0]
        return DitherSet(
            shares=tuple(sorted(shares, key=lambda share: share.exposures[0].node)),
            request=_with_defaults(request, self.defaults),
            tag=first.tag.text,
            location=first.location,
        )

    def _has_exposures(self, part: Covered) -> bool:
        """Tell whether a visit has exposures for the set; parallels alone are an error."""
        if not part.exposures:
            self.errors.append(
                RefusalError(
                    f"{part.tag!r} covers parallel exposures alone, and their prime cannot be "
                    "dithered; remove the tag",
                    location=part.location,
                )
            )
        return bool(part.exposures)

    def _covered(self, tags: VisitTags) -> Covered:
        first = next(placed for placed in self.candidate.tags if placed.tags_of_visit is tags)
        exposures = self.candidate.exposures[tags]
        return Covered(
            tags=tags,
            exposures=tuple(
                exposures[node]
                for node in sorted(exposures)
                if is_supported(exposures[node]) and tags.prime_of(exposures[node]) is None
            ),
            tag=first.tag.text,
            location=first.location,
        )

    def _is_completed(self, part: Covered) -> bool:
        return part.tags.visit.is_completed and not self.options.all_visits

    def _request(self) -> DitherRequest:
        """Return what the tags of the set ask for together."""
        first, *others = self.candidate.tags
        merged = first.tag.request
        if others and not self.candidate.joins_by_id:
            listed = "; ".join(
                f"{one.tag.text!r} ({one.location if one.holder else 'Comments of the visit'})"
                for one in self.candidate.tags
            )
            self.errors.append(
                TagError(
                    f"two tags for one set of exposures: {listed}; keep one",
                    location=first.location,
                )
            )
            return merged
        for other in others:
            for key in (one.name for one in fields(merged)):
                new, old = getattr(other.tag.request, key), getattr(merged, key)
                if new is not None and old is not None and new != old:
                    self.errors.append(
                        TagError(
                            f"{other.tag.text!r} contradicts {first.tag.text!r} of the same id in "
                            f"{key!r}; give it once",
                            location=other.location,
                        )
                    )
                    return merged
                if old is None and new is not None:
                    merged = replace(merged, **{key: new})
        return merged

    def _require_one_target(self, parts: Sequence[Covered]) -> None:
        targets = dict.fromkeys(one.target_name for part in parts for one in part.exposures)
        if len(targets) > 1:
            self.errors.append(
                RefusalError(
                    f"the set points at several targets ({', '.join(map(repr, targets))}); "
                    "give each target its own group, or its own id",
                    location=parts[0].location,
                )
            )

    def _members(self, part: Covered) -> tuple[Member, ...]:
        members: list[Member] = []
        containers: dict[int, int] = {}
        for exposure in part.exposures:
            receipt = part.tags.receipt(exposure)
            container = part.tags.container(exposure)
            if container is not None and container.node in containers:
                at = containers[container.node]
                members[at] = replace(members[at], together=(*members[at].together, exposure))
                continue
            if receipt is None or not receipt.is_copy:
                runs = runs_of(exposure, part.tags.groups_of[exposure.node], self.patterns)
                parallels = parallels_of(container) if container is not None else ()
                if container is not None:
                    containers[container.node] = len(members)
                members.append(
                    Member(
                        exposure=exposure,
                        copies=(),
                        runs=runs,
                        receipt=receipt,
                        parallels=parallels,
                    )
                )
                continue
            last = members[-1] if members else None
            if (
                last is None
                or last.receipt is None
                or receipt.index != last.receipt.index + len(last.copies) + 1
                or last.exposure.setup != exposure.setup
            ):
                self.errors.append(
                    ReceiptError(
                        "its receipt says that it is a copy made by an earlier run, but it does not"
                        " follow the exposure it was copied from; remove the last word of the "
                        "receipt to keep it as an exposure of its own, or delete it",
                        location=part.tags.location(exposure),
                    )
                )
                continue
            members[-1] = replace(last, copies=(*last.copies, exposure))
        return tuple(members)

    def _shares(self, parts: Sequence[tuple[Covered, tuple[Member, ...]]]) -> list[Share]:
        """Return the shares of the visits that are dithered: one for each visit and base."""
        placed = [
            (part, member, base + tile)
            for part, members in parts
            for member, base in zip(members, self._bases(part, members), strict=False)
            for tile in self._tiles(part, member)
        ]
        if self.errors:
            return []
        tiles = tiles_of([base for _, _, base in placed])
        tile_of = {base: first for first, bases in tiles.items() for base in bases}
        for first, bases in tiles.items():
            if len(bases) > 1 and not self.options.replace:
                self.errors.append(self._different_bases(placed, first, bases))
        members: dict[tuple[int, PosTarg], list[Member]] = {}
        for part, member, base in placed:
            members.setdefault((part.tags.visit.node, tile_of[base]), []).append(member)
        part_of = {part.tags.visit.node: part for part, _ in parts}
        return [
            Share(
                visit=part_of[node].tags.visit,
                members=tuple(own),
                base=base,
                location=part_of[node].location,
                unwrapped=pattern_groups(part_of[node]),
            )
            for (node, base), own in members.items()
        ]

    def _tiles(self, part: Covered, member: Member) -> list[PosTarg]:
        """Return the offsets of the tiles that the APT patterns around an exposure make of it."""
        tiles = [NO_OFFSET]
        for group in part.tags.groups_of[member.exposure.node]:
            points = tile_points(group, self.patterns)
            tiles = [tile + point for tile in tiles for point in points]
        return tiles

    def _bases(self, part: Covered, members: Sequence[Member]) -> list[PosTarg]:
        """Return the POS TARG that each member had before it was dithered."""
        finder = BaseFinder(
            tags=part.tags,
            catalog=self.catalog,
            exposures=[exposure for member in members for exposure in member.exposures],
            claimed=self.claimed,
            distortion=self.distortion,
            rebase=self.options.rebase,
        )
        bases: list[PosTarg] = []
        for member in members:
            try:
                base, *others = map(finder.base_of, (member.exposure, *member.together))
            except AptDitherError as error:
                self.errors.append(error.located(part.tags.location(member.exposure)))
                continue
            bases.append(base)
            if any(other != base for other in others):
                self.errors.append(
                    RefusalError(
                        "the prime exposures of its container have different POS TARGs, and a "
                        "container is one pointing; make them equal",
                        location=part.tags.location(member.exposure),
                    )
                )
        return bases

    def _different_bases(
        self,
        placed: Sequence[tuple[Covered, Member, PosTarg]],
        first: PosTarg,
        bases: Sequence[PosTarg],
    ) -> AptDitherError:
        of_tile = [one for one in placed if one[2] in bases]
        visits = {part.tags for part, _, _ in of_tile}
        listed = "; ".join(
            (f"visit {part.tags.visit.number}, " if len(visits) > 1 else "")
            + f"exposure {member.exposure.number}: {base.x_arcsec:g},{base.y_arcsec:g}"
            for part, member, base in of_tile
        )
        lost = self._lost_receipts(of_tile)
        part, member, _ = of_tile[0]
        return RefusalError(
            f"the exposures of the set start from different POS TARGs ({listed}); {lost}make "
            "them equal, or give --replace to start all from the first's",
            location=part.tags.location(member.exposure),
        )

    def _lost_receipts(self, placed: Sequence[tuple[Covered, Member, PosTarg]]) -> str:
        """Tell which receipts to restore, where the POS TARGs are those of an earlier dither."""
        lost: dict[Exposure, Receipt] = {}
        alike: dict[tuple[VisitTags, Setup], list[Exposure]] = {}
        for part, member, _ in placed:
            key = (part.tags, member.exposure.setup)
            alike.setdefault(key, []).extend(member.exposures)
        for (tags, _), own in alike.items():
            aperture = aperture_of(placed[0][1].exposure, self.distortion)
            receipts = {one: found for one in own if (found := tags.receipt(one)) is not None}
            if aperture is not None:
                lost |= lost_receipts(own, receipts, self.catalog, aperture)
        return f"if these were dithered before, {to_paste(lost)}; or " if lost else ""

    def _completed(self, part: Covered, shares: Sequence[Share]) -> Share:
        """Return what a visit that was executed has of the set: as it is, whatever it is."""
        first = part.exposures[0]
        receipt = part.tags.receipt(first)
        base = observed_base(first.pos_targ or NO_OFFSET, receipt)
        if receipt is None and shares:  # its own POS TARGs are the dither
            base = min(shares, key=lambda share: (share.base - base).length_arcsec).base
        members = (
            Member(exposure=one, copies=(), runs=1, receipt=part.tags.receipt(one))
            for one in part.exposures
        )
        return Share(
            visit=part.tags.visit,
            members=tuple(members),
            base=base,
            location=part.location,
            is_completed=True,
        )

    def _receipt_errors(
        self, tags: VisitTags, members: Sequence[Member]
    ) -> Iterator[AptDitherError]:
        """Yield what contradicts in the receipts of the set, or of exposures beside it."""
        receipts = {
            exposure: receipt
            for member in members
            for exposure in member.exposures
            if (receipt := tags.receipt(exposure)) is not None and receipt.is_dither
        }
        for own in by_tile(receipts):
            aperture = aperture_of(
                dithered_for(tags, receipts, next(iter(own.values()))), self.distortion
            )
            if aperture is None:
                continue
            for problem in receipt_problems(own, self.catalog, aperture, must_be_complete=False):
                is_moved = problem.kind is ProblemKind.MOVED
                if problem.kind is ProblemKind.INCOMPLETE or (is_moved and self.options.rebase):
                    continue
                yield ReceiptError(
                    f"{problem.message}; {problem.way_out}",
                    location=tags.location(problem.exposure),
                )
            yield from self._stray_receipts(tags, own)

    def _stray_receipts(
        self, tags: VisitTags, own: Mapping[Exposure, Receipt]
    ) -> Iterator[AptDitherError]:
        """Yield an error where exposures outside the set have receipts of the same dither."""
        first, receipt = next(iter(own.items()))
        dither = (receipt.pattern, receipt.total, receipt.base)
        strays = [
            exposure
            for exposure, _ in tags.slots
            if exposure.node not in self.claimed
            and exposure.setup == first.setup
            and exposure.target_name == first.target_name
            and (other := tags.receipt(exposure)) is not None
            and (other.pattern, other.total, other.base) == dither
        ]
        if strays:
            yield ReceiptError(
                f"exposures {', '.join(one.number for one in strays[:12])} have receipts of the "
                f"same dither ({receipt.total} points of {receipt.pattern}), but no tag covers "
                "them; put them into the set again (a group in APT, the tag in the Visit's "
                "Comments, or id=), or delete their receipts, or delete the exposures",
                location=tags.location(strays[0]),
            )


def _with_defaults(request: DitherRequest, defaults: DitherRequest) -> DitherRequest:
    unset = {
        key.name: getattr(defaults, key.name)
        for key in fields(request)
        if getattr(request, key.name) is None
    }
    return replace(request, **unset)
