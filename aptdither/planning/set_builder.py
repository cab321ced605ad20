"""From the exposures that tags claim to a set with shares, or what forbids it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from aptdither.apt.patterns import is_pattern_group
from aptdither.apt.proposal import Exposure, Proposal
from aptdither.apt.receipt import Receipt
from aptdither.apt.tags import KEYS, DitherRequest
from aptdither.dither.catalog import load_catalog
from aptdither.errors import (
    AptDitherError,
    ProposalError,
    ReceiptError,
    RefusalError,
    TagError,
    raise_all,
)
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.planning.dither_sets import DitherSet, Member, Share
from aptdither.planning.options import Options
from aptdither.planning.receipts import (
    disagreeing,
    dither_of,
    dithered_for,
    grouped,
    lost_receipts,
    moved,
    observed_base,
    offsets_of,
    tiles_of,
    to_paste,
)
from aptdither.planning.refusals import (
    is_supported,
    pattern_groups,
    refusals,
    runs_of,
    tile_points,
)
from aptdither.planning.sizes import cluster_sizes
from aptdither.planning.visit_tags import Claim, VisitTags
from aptdither.types import NO_OFFSET, PosTarg, Setup

#: An exposure that is dithered about a base, and the claim on its visit.
_Placed = tuple[Claim, Member, PosTarg]


class SetBuilder:
    """Builds the sets of a proposal, one after the other.

    `claimed` are the nodes of all exposures that tags cover; the receipts of others count for
    nothing.
    """

    def __init__(self, proposal: Proposal, options: Options, claimed: Collection[int]) -> None:
        self.proposal = proposal
        self.options = options.sets
        self.defaults = options.defaults
        self.catalog = options.catalog or load_catalog()
        self.distortion = options.distortion
        self.claimed = claimed

    def build(self, claims: Sequence[Claim]) -> DitherSet:
        """Return the set that claims make together, or raise what forbids it."""
        errors: list[AptDitherError] = []
        request = self._request(claims, errors)
        parts = _by_visit(claims, errors)
        completed = [
            one for one in parts if one.tags.visit.is_completed and not self.options.all_visits
        ]
        parts = [one for one in parts if one not in completed]
        for part in parts:
            errors += refusals(part, self.proposal, self.options, self.distortion)
        targets = {one.target_name: None for part in (*parts, *completed) for one in part.exposures}
        if len(targets) > 1:
            message = (
                f"the set points at several targets ({', '.join(map(repr, targets))}); give each "
                "target its own group, or its own id"
            )
            errors.append(RefusalError(message, location=claims[0].location))
        raise_all(errors)
        members = [(part, self._members(part, errors)) for part in parts]
        raise_all(errors)
        for part in parts:
            errors += self._receipt_errors(part)
        raise_all(errors)
        shares = self._shares(members, request)
        shares += [_completed(part, shares) for part in completed]
        return DitherSet(
            shares=tuple(sorted(shares, key=lambda share: share.exposures[0].node)),
            request=request,
            tag=claims[0].tag.text,
            location=claims[0].location,
        )

    def _request(self, claims: Sequence[Claim], errors: list[AptDitherError]) -> DitherRequest:
        """Return what the tags of a set ask for together."""
        first, *others = claims
        if others and first.tag.request.id is None:
            listed = "; ".join(
                f"{one.tag.text!r} "
                f"({one.location if one.location.exposure else 'Comments of the visit'})"
                for one in claims
            )
            message = f"two tags for one set of exposures: {listed}; keep one"
            errors.append(TagError(message, location=first.location))
        values: dict[str, Any] = {}
        for claim, key in product(claims, KEYS):
            value = getattr(claim.tag.request, key)
            if value is not None and values.setdefault(key, value) != value and not errors:
                message = (
                    f"{claim.tag.text!r} contradicts {first.tag.text!r} of the same id in {key!r}; "
                    "give it once"
                )
                errors.append(TagError(message, location=claim.location))
        return replace(self.defaults, **values)

    def _members(self, claim: Claim, errors: list[AptDitherError]) -> list[Member]:
        tags = claim.tags
        members: list[Member] = []
        pointings: defaultdict[int, list[Exposure]] = defaultdict(list)
        for exposure in claim.exposures:
            container = tags.container(exposure)
            pointings[exposure.node if container is None else container.node].append(exposure)
        for node, (exposure, *together) in pointings.items():
            receipt = tags.receipt(exposure)
            if receipt is None or not receipt.is_copy:
                inside = tags.inside.get(node, ())
                members.append(
                    Member(
                        exposure=exposure,
                        runs=runs_of(exposure, tags.groups_of[exposure.node]),
                        receipt=receipt,
                        together=tuple(together),
                        parallels=tuple(one for one in inside if tags.prime_of(one)),
                    )
                )
            elif (
                members
                and (last := members[-1]).receipt is not None
                and receipt.index == last.receipt.index + len(last.copies) + 1
                and last.exposure.setup == exposure.setup
            ):
                members[-1] = replace(last, copies=(*last.copies, exposure))
            else:
                message = (
                    "its receipt says that it is a copy made by an earlier run, but it does not "
                    "follow the exposure it was copied from; remove the last word of the receipt "
                    "to keep it as an exposure of its own, or delete it"
                )
                errors.append(ReceiptError(message, location=tags.visit.location(exposure)))
        return members

    def _shares(
        self, parts: Sequence[tuple[Claim, Sequence[Member]]], request: DitherRequest
    ) -> list[Share]:
        """Return the shares of the visits that are dithered: one for each visit and base."""
        errors: list[AptDitherError] = []
        placed: list[_Placed] = []
        for part, members in parts:
            for member in members:
                try:
                    base = self._base_of_member(part, member)
                except AptDitherError as error:
                    errors.append(error.located(part.tags.visit.location(member.exposure)))
                    continue
                bases = [base]
                for group in part.tags.groups_of[member.exposure.node]:
                    points = tile_points(group)
                    bases = [one + point for one in bases for point in points]
                placed += [(part, member, one) for one in bases]
        raise_all(errors)
        tile_of = tiles_of(base for *_, base in placed)
        tiles: defaultdict[PosTarg, list[_Placed]] = defaultdict(list)
        members_of: defaultdict[tuple[int, PosTarg], list[Member]] = defaultdict(list)
        for part, member, base in placed:
            tiles[tile_of[base]].append((part, member, base))
            members_of[part.tags.visit.node, tile_of[base]].append(member)
        if not self.options.replace:
            errors += [
                self._different_bases(own, request)
                for own in tiles.values()
                if len({base for *_, base in own}) > 1
            ]
        raise_all(errors)
        part_of = {part.tags.visit.node: part for part, _ in parts}
        return [
            Share(
                visit=part_of[node].tags.visit,
                members=tuple(own),
                base=base,
                location=part_of[node].location,
                unwrapped=pattern_groups(part_of[node]),
            )
            for (node, base), own in members_of.items()
        ]

    # The POS TARG that an exposure has without its dither ---------------------------------------

    def _base_of_member(self, claim: Claim, member: Member) -> PosTarg:
        base, *others = (self._base(claim, one) for one in (member.exposure, *member.together))
        if any(other != base for other in others):
            raise RefusalError(
                "the prime exposures of its container have different POS TARGs, and a container is "
                "one pointing; make them equal"
            )
        return base

    def _base(self, claim: Claim, exposure: Exposure) -> PosTarg:
        receipt = claim.tags.receipt(exposure)
        if receipt is not None and exposure.node in self.claimed:
            if self.options.rebase and exposure in claim.exposures:
                return self._new_base(claim, exposure, receipt)
            return receipt.base
        if exposure.same_pos_as is None:
            return exposure.pos_targ or NO_OFFSET
        if exposure.pos_targ is not None:
            raise ProposalError(
                f"it has a POS TARG and SamePosAs {exposure.same_pos_as!r}; which one holds is not "
                "known: keep one"
            )
        source = claim.tags.visit.resolve_same_pos_as(exposure)
        _require_same_origin(claim.tags, exposure, source)
        return self._base(claim, source)

    def _new_base(self, claim: Claim, exposure: Exposure, receipt: Receipt) -> PosTarg:
        """Return the base that makes a receipt agree with the POS TARG that the file has now."""
        aperture = self._aperture(dithered_for(claim.tags, claim.exposures, receipt))
        offset = offsets_of(receipt, self.catalog, aperture).get(receipt.index)
        if offset is None:
            raise ReceiptError(
                f"the offset of point {receipt.index} of {receipt.pattern} is not known here, so "
                "--rebase cannot tell its base; delete the receipt and set the POS TARG that the "
                "exposure shall have without the dither"
            )
        return ((exposure.pos_targ or NO_OFFSET) - offset).rounded()

    def _aperture(self, exposure: Exposure) -> Aperture:
        return get_aperture(
            exposure.aperture,
            exposure.spectral_element,
            config=exposure.config,
            distortion_file=self.distortion,
        )

    def _different_bases(self, placed: Sequence[_Placed], request: DitherRequest) -> AptDitherError:
        visits = {part.tags for part, _, _ in placed}
        listed = "; ".join(
            (f"visit {part.tags.visit.number}, " if len(visits) > 1 else "")
            + f"exposure {member.exposure.number}: {base.x_arcsec:g},{base.y_arcsec:g}"
            for part, member, base in placed
        )
        lost = self._lost_receipts(placed, request)
        said = f": if these were dithered before, {to_paste(lost)}; or" if lost else f" ({listed});"
        part, member, _ = placed[0]
        return RefusalError(
            f"the exposures of the set start from different POS TARGs{said} make them "
            "equal, or give --replace to start all from the first's",
            location=part.tags.visit.location(member.exposure),
        )

    def _lost_receipts(
        self, placed: Sequence[_Placed], request: DitherRequest
    ) -> dict[Exposure, Receipt]:
        """Return the receipts to restore, where the POS TARGs are those of an earlier dither."""
        lost: dict[Exposure, Receipt] = {}
        alike: defaultdict[tuple[VisitTags, Setup], list[Member]] = defaultdict(list)
        for part, member, _ in placed:
            alike[part.tags, member.exposure.setup].append(member)
        aperture = self._aperture(placed[0][1].exposure)
        for (tags, setup), members in alike.items():
            own = [exposure for member in members for exposure in member.exposures]
            receipts = {one: found for one in own if (found := tags.receipt(one)) is not None}
            try:
                sizes = cluster_sizes(request, setup, members, self.catalog)
            except AptDitherError:
                continue
            lost |= lost_receipts(own, receipts, sizes, self.catalog, aperture)
        return lost

    # Receipts that contradict --------------------------------------------------------------------

    def _receipt_errors(self, claim: Claim) -> Iterator[AptDitherError]:
        """Yield what contradicts in the receipts of the set, or of exposures beside it."""
        tags = claim.tags
        receipts = {one: tags.receipts[one] for one in claim.exposures if one in tags.receipts}
        tile_of = tiles_of(one.base for one in receipts.values())
        for own in grouped(receipts, lambda one, said: (one.setup, tile_of[said.base])):
            first, receipt = next(iter(own.items()))
            problems = list(disagreeing(own))
            if not problems and not self.options.rebase:
                aperture = self._aperture(dithered_for(tags, receipts, receipt))
                problems = list(moved(own, self.catalog, aperture))
            for exposure, message in problems:
                yield ReceiptError(message, location=tags.visit.location(exposure))
            strays = [
                one
                for one, other in tags.receipts.items()
                if one.node not in self.claimed
                and dither_of(one, other) == dither_of(first, receipt)
            ]
            if strays:
                yield ReceiptError(
                    f"exposures {', '.join(one.number for one in strays[:12])} have receipts of the "
                    f"same dither ({receipt.total} points of {receipt.pattern}), but no tag covers "
                    "them; put them into the set again (a group in APT, the tag in the Visit's "
                    "Comments, or id=), or delete their receipts, or delete the exposures",
                    location=tags.visit.location(strays[0]),
                )


def _by_visit(claims: Sequence[Claim], errors: list[AptDitherError]) -> list[Claim]:
    """Return one claim for each visit: the first, on all that can be dithered."""
    visits: defaultdict[VisitTags, list[Claim]] = defaultdict(list)
    for claim in claims:
        visits[claim.tags].append(claim)
    joined: list[Claim] = []
    for tags, own in visits.items():
        exposures = {
            one.node: one
            for claim in own
            for one in claim.exposures
            if is_supported(one) and tags.prime_of(one) is None
        }
        first = own[0]
        joined.append(replace(first, exposures=[exposures[node] for node in sorted(exposures)]))
        if not exposures:
            message = (
                f"{first.tag.text!r} covers parallel exposures alone, and their prime cannot be "
                "dithered; remove the tag"
            )
            errors.append(RefusalError(message, location=first.location))
    return joined


def _completed(claim: Claim, shares: Sequence[Share]) -> Share:
    """Return what a visit that was executed has of the set: as it is, whatever it is."""
    first = claim.exposures[0]
    receipt = claim.tags.receipt(first)
    base = observed_base(first.pos_targ or NO_OFFSET, receipt)
    if receipt is None and shares:  # its own POS TARGs are the dither
        base = min(shares, key=lambda share: (share.base - base).length_arcsec).base
    return Share(
        visit=claim.tags.visit,
        members=tuple(
            Member(exposure=one, receipt=claim.tags.receipt(one)) for one in claim.exposures
        ),
        base=base,
        location=claim.location,
        is_completed=True,
    )


def _require_same_origin(tags: VisitTags, exposure: Exposure, source: Exposure) -> None:
    """Refuse a SamePosAs whose position is not that of the same POS TARG.

    A POS TARG counts from the aperture's reference point and from the target; a pattern adds to it.
    """

    def origin(one: Exposure) -> object:
        try:
            return get_aperture(one.aperture, one.spectral_element, config=one.config).siaf_name
        except AptDitherError:  # it is not known: that of no other exposure
            return one.node

    def patterns(one: Exposure) -> list[int]:
        return [group.node for group in tags.groups_of[one.node] if is_pattern_group(group)]

    named = f"SamePosAs {exposure.same_pos_as} names exposure {source.number}"
    if source.target_name != exposure.target_name:
        reason = f"{named} of another target ({source.target_name!r})"
    elif origin(exposure) != origin(source):
        reason = (
            f"{named} through {source.config} {source.setup.text}, whose reference point is another "
            "place on the sky"
        )
    elif patterns(exposure) != patterns(source):
        reason = f"{named} of another APT pattern"
    else:
        return
    raise RefusalError(
        f"{reason}, so its POS TARG is not the same position; give this exposure a POS TARG of its "
        "own and remove SamePosAs, or take it out of the set"
    )
