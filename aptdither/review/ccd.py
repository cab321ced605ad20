"""Rules about CCDs: cosmic rays, binned pixels, the gap between chips."""

from __future__ import annotations

import numpy as np

from aptdither.findings import Severity
from aptdither.planning.evaluation import DitherGroup
from aptdither.review.context import (
    ReviewContext,
    exposures_of,
    of_set,
)

#: Pointings that tell cosmic rays from sources without a second exposure at each. Chosen: the median
#: of three is free of a cosmic ray in one of them.
ENOUGH_POINTINGS = 3


@of_set(
    "ADT207",
    Severity.NOTE,
    title="cosmic rays with few exposures",
    explanation="A CCD exposure keeps its cosmic rays. To reject them takes at least two exposures at "
    "each pointing (CR-SPLIT=2), or at least three pointings. With three pointings and more, CR-SPLIT "
    "repeats phases at the cost of readouts: CR-SPLIT=NO and as many pointings more sample better.",
    source="WFC3 and ACS Instrument Handbooks (CR-SPLIT); DrizzlePac Handbook (cosmic rays)",
)
def cosmic_rays(group: DitherGroup, _context: ReviewContext) -> str:
    """Report CCD sets that cannot reject cosmic rays, and those that do it twice."""
    pointings = group.evaluation.distinct_pointings
    if not group.aperture.detector.is_ccd or group.n < 2:
        return ""
    what = f"{exposures_of(group)} at {len(pointings)} pointings"
    splits = [_cr_split(group, index) for index in range(group.n)]
    if len(pointings) < ENOUGH_POINTINGS:
        if all(sum(splits[index] for index in members) > 1 for members in pointings):
            return ""
        return (
            f"{what}: rejecting cosmic rays takes two exposures at each pointing (CR-SPLIT=2) or "
            f"{ENOUGH_POINTINGS} pointings"
        )
    if max(splits) < 2:
        return ""
    return (
        f"{what} have CR-SPLIT={max(splits)}, which repeats their phases; {len(pointings)} pointings "
        "reject cosmic rays by themselves: CR-SPLIT=NO and more pointings sample better"
    )


@of_set(
    "ADT208",
    Severity.WARNING,
    title="binned pixels",
    explanation="The exposures are binned on the detector (BIN), so their pixels are two or three "
    "times as large, and every figure here is for unbinned pixels. Binned images are undersampled "
    "far more: use BIN=NONE for dithers.",
    source="WFC3 Instrument Handbook (on-chip binning)",
)
def binned_pixels(group: DitherGroup, _context: ReviewContext) -> str:
    """Report sets with binned exposures."""
    for exposure in group.exposures.exposures:
        value = dict(exposure.parameters).get("BIN", "NONE").strip().upper()
        if value not in ("", "NONE", "1"):
            return (
                f"exposure {exposure.number} of {group.exposures.setup.text} has BIN={value}; the "
                "figures of its set are for unbinned pixels: use BIN=NONE"
            )
    return ""


@of_set(
    "ADT308",
    Severity.NOTE,
    title="the target crosses the gap between the chips",
    explanation="The POS TARGs of the set put the target on both chips, or into the gap between them. "
    "Across the gap the geometry of the pixels changes, so the phases of the two chips have little to "
    "do with each other. That is right for covering the gap of a large field; for a small target keep "
    "it on one chip.",
    source="HST SIAF 1.90 (gap of about 31 pixels on UVIS, 50 on WFC)",
)
def crosses_the_gap(group: DitherGroup, _context: ReviewContext) -> str:
    """Report POS TARGs that move the target from chip to chip, or into the gap."""
    aperture = group.aperture
    if len(aperture.chips) < 2:
        return ""
    x, y = np.transpose([one.pos_targ.xy_arcsec for one in group.exposures.pointings])
    away_pix = np.array(
        [
            chip.readout.distance(*aperture.pixel_from_ideal(x, y, chip=chip.number))
            for chip in aperture.chips
        ]
    )
    lands: dict[str, list[str]] = {}
    for index, nearest in enumerate(away_pix.argmin(axis=0)):
        is_read = away_pix[nearest, index] <= 0
        name = aperture.chips[nearest].name
        place = f"on {name}" if is_read else "between the chips or off them"
        lands.setdefault(place, []).append(group.exposures.label(index))
    if len(lands) < 2:
        return ""
    listed = "; ".join(f"{place}: exposures {', '.join(ones[:9])}" for place, ones in lands.items())
    return f"the target of {group.exposures.setup.text} lands in different places ({listed})"


def _cr_split(group: DitherGroup, index: int) -> int:
    """Return how many exposures a pointing has by itself."""
    exposure = group.exposures.pointings[index].exposure
    value = "" if exposure is None else dict(exposure.parameters).get("CR-SPLIT", "")
    return int(value) if value.isascii() and value.isdigit() else 1
