"""The POS TARG that each exposure has without its dither."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aptdither.apt.patterns import is_pattern_group
from aptdither.apt.proposal import Exposure
from aptdither.apt.receipt import Receipt
from aptdither.dither.catalog import Catalog
from aptdither.errors import AptDitherError, ProposalError, ReceiptError, RefusalError
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.planning.receipts import offset_of
from aptdither.planning.visit_tags import VisitTags
from aptdither.types import NO_OFFSET, PosTarg

#: A first POS TARG smaller than this, arcsec, is part of a dither about the reference point.
SMALL_ARCSEC = 2.0


def aperture_of(exposure: Exposure, distortion: Path | None = None) -> Aperture | None:
    """Return the aperture of an exposure, with a distortion file; None for one that is not known."""
    try:
        return get_aperture(
            exposure.aperture,
            exposure.spectral_element,
            config=exposure.config,
            distortion_file=distortion,
        )
    except AptDitherError:  # reported with the set
        return None


def dithered_for(tags: VisitTags, exposures: Iterable[Exposure], receipt: Receipt) -> Exposure:
    """Return the exposure whose aperture the POS TARGs of a dither were made for.

    Setups with as many exposures share a pattern, which is made for the aperture of the first.

    Parameters
    ----------
    tags : VisitTags
        Receipts of the visit.
    exposures : iterable of Exposure
        Those of the set in that visit, in document order; one of them has `receipt`.
    receipt : Receipt
        A receipt of the dither.
    """
    return next(
        exposure
        for exposure in exposures
        if (other := tags.receipt(exposure)) is not None
        and (other.pattern, other.total) == (receipt.pattern, receipt.total)
    )


def observed_base(pos_targ: PosTarg, receipt: Receipt | None) -> PosTarg:
    """Return where the target lands before it is dithered, by the first exposure of a set.

    A receipt says it. Without one, a POS TARG of `SMALL_ARCSEC` or more is a place that the
    observer chose; a smaller one belongs to a dither about the reference point.
    """
    if receipt is not None:
        return receipt.base
    return NO_OFFSET if pos_targ.length_arcsec < SMALL_ARCSEC else pos_targ


@dataclass(slots=True, kw_only=True)
class BaseFinder:
    """Finds the bases of a visit's exposures.

    Attributes
    ----------
    tags : VisitTags
        Tags and receipts of the visit.
    catalog : Catalog
        The patterns that receipts name.
    exposures : collection of Exposure
        Those of the set in the visit, in document order.
    claimed : collection of int
        The nodes of all exposures that tags cover; the receipts of others count for nothing.
    distortion : Path or None
        A distortion file in place of the SIAF's polynomials.
    rebase : bool
        Count from the POS TARGs that the file has now.
    """

    tags: VisitTags
    catalog: Catalog
    exposures: Collection[Exposure]
    claimed: Collection[int]
    distortion: Path | None
    rebase: bool
    _by_number: Mapping[str, list[Exposure]] = field(init=False)

    def __post_init__(self) -> None:
        self._by_number = self.tags.visit.by_number()

    def base_of(self, exposure: Exposure) -> PosTarg:
        """Return the POS TARG that an exposure had before it was dithered.

        Raises
        ------
        AptDitherError
            If the file does not say it for certain.
        """
        receipt = self.tags.receipt(exposure)
        if receipt is not None and exposure.node in self.claimed:
            if not self.rebase or exposure not in self.exposures:
                return receipt.base
            aperture = aperture_of(
                dithered_for(self.tags, self.exposures, receipt), self.distortion
            )
            if aperture is None:
                return receipt.base
            offset = offset_of(receipt, self.catalog, aperture)
            if offset is None:
                raise ReceiptError(
                    f"the offset of point {receipt.index} of {receipt.pattern} is not known here, "
                    "so --rebase cannot tell its base; delete the receipt and set the POS TARG that "
                    "the exposure shall have without the dither"
                )
            return ((exposure.pos_targ or NO_OFFSET) - offset).rounded()
        if exposure.same_pos_as is None:
            return exposure.pos_targ or NO_OFFSET
        if exposure.pos_targ is not None:
            raise ProposalError(
                f"it has a POS TARG and SamePosAs {exposure.same_pos_as!r}; which one holds is not "
                "known: keep one"
            )
        source = self.tags.visit.resolve_same_pos_as(exposure, self._by_number)
        self._require_same_origin(exposure, source)
        return self.base_of(source)

    def _require_same_origin(self, exposure: Exposure, source: Exposure) -> None:
        """Refuse a SamePosAs whose position is not that of the same POS TARG.

        A POS TARG counts from the aperture's reference point and from the target; an APT pattern
        adds to it.
        """
        named = f"SamePosAs {exposure.same_pos_as} names exposure {source.number}"
        own, other = aperture_of(exposure), aperture_of(source)
        patterns = (
            [group.node for group in self.tags.groups_of[one.node] if is_pattern_group(group)]
            for one in (exposure, source)
        )
        if source.target_name != exposure.target_name:
            reason = f"{named} of another target ({source.target_name!r})"
        elif own is None or other is None or own.siaf_name != other.siaf_name:
            reason = (
                f"{named} through {source.config} {source.setup.text}, whose reference point is "
                "another place on the sky"
            )
        elif len({tuple(nodes) for nodes in patterns}) > 1:
            reason = f"{named} of another APT pattern"
        else:
            return
        raise RefusalError(
            f"{reason}, so its POS TARG is not the same position; give this exposure a POS TARG of "
            "its own and remove SamePosAs, or take it out of the set"
        )
