"""Rules about the moves between exposures: artifacts, guide stars, orbits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from aptdither.dither.pointing_errors import PointingBudget
from aptdither.findings import Message, Severity
from aptdither.optics.detector import Detector, get_detector
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.pointings import Pointing, VisitPointings
from aptdither.review.context import (
    ReviewContext,
    counted,
    exposures_of,
    of_set,
    of_visit,
)
from aptdither.types import WIDE, PosTarg, RegionKind

_ISR = "ISR WFC3 2016-14"

#: Longest move that keeps the guide stars, arcsec (COS Instrument Handbook 9.2).
REACQUISITION_ARCSEC = 90.0

#: Efficiency at the worst position that a wide pattern may lack and still be recommended.
WIDE_MARGIN = 0.02


@of_set(
    "ADT301",
    Severity.WARNING,
    title="exposures less than 2 pixels apart",
    explanation="Two exposures at different pixel phases are less than 2 pixels apart, so a "
    "detector artifact of a few pixels falls on the same part of the source in both. Dither by at "
    "least 2 pixels, as the tight patterns do.",
    source=f"{_ISR} section 5",
)
def small_steps(group: DitherGroup, context: ReviewContext) -> str:
    """Report the closest pair of pointings where it is too close."""
    if len(group.evaluation.distinct_pointings) < 2:
        return ""
    distances = group.evaluation.distances
    distance_pix, i, j = distances[0]
    detector = group.aperture.detector
    limit_pix = detector.tight_spacing_pix - detector.rounding_pix
    if distance_pix >= limit_pix:
        return ""
    count = sum(each < limit_pix for each, _, _ in distances) - 1
    more = f" (and {counted(count, 'more pair')})" if count else ""
    return (
        f"exposures {group.exposures.label(i)} and {group.exposures.label(j)} of "
        f"{group.exposures.setup.text} are {distance_pix:.1f} pixels apart{more}: an artifact of {detector.tight_spacing_pix:g} pixels falls on "
        f"the same part of the source; dither by at least {detector.tight_spacing_pix:g} pixels"
    )


@of_set(
    "ADT302",
    Severity.NOTE,
    title="dither smaller than a blob",
    explanation="All exposures lie within 10 pixels of each other. Blobs of the IR channel are 10 "
    "to 15 pixels across, so a blob covers the same part of the field in every exposure. Over the "
    "full field this is the tradeoff for uniform sampling, and it is reported for untagged sets "
    "only. A small target can use a wide pattern, and more than 9 exposures can be split into "
    "clusters 2 arcsec apart, at no cost in sampling.",
    source=f"{_ISR} sections 6 and 7; Pirzkal, Viana & Rajan 2010",
)
def within_a_blob(group: DitherGroup, context: ReviewContext) -> str:
    """Report sets that stay within a blob, where something can be done."""
    if len(group.evaluation.distinct_pointings) < 2:
        return ""
    extent_pix = group.evaluation.distances[-1][0]
    detector = group.aperture.detector
    if detector.blob_pix is None:
        return ""
    smallest_pix, largest_pix = detector.blob_pix
    if extent_pix >= smallest_pix - detector.rounding_pix:
        return ""
    if group.n > detector.max_cluster_size:
        remedy = (
            f"; split them into clusters of at most {detector.max_cluster_size}, "
            f"{detector.cluster_step_arcsec:g} arcsec apart"
        )
    elif group.region.kind is not RegionKind.FULL:
        remedy = _wide_pattern(group, context, smallest_pix)
    elif group.exposures.is_tagged:
        remedy = ""
    else:
        remedy = (
            "; the tradeoff for uniform sampling over the full field. For a small target give its "
            "size: @dither size=... selects a wide pattern"
        )
    if not remedy:
        return ""
    return (
        f"all {exposures_of(group)} lie within {extent_pix:.1f} pixels, "
        f"and blobs are {smallest_pix:g} to {largest_pix:g} pixels across: a blob then covers the same "
        f"part of the field in every exposure{remedy}"
    )


def _wide_pattern(group: DitherGroup, context: ReviewContext, blob_pix: float) -> str:
    """Recommend a wide pattern if it samples the region as well; "" if none does."""
    tag, wide = group.exposures.dither_set, context.best(group, spacing=WIDE)
    if wide is None or (tag is not None and tag.request.spacing is not None):
        return ""
    now, then = group.coverage.worst.efficiency, wide.coverage.worst.efficiency
    if then < now - WIDE_MARGIN or wide.span_pix < blob_pix:
        return ""
    return (
        f"; {wide.name} extends beyond a blob and has an efficiency of {then:.3f} at the "
        f"worst position of the region (now {now:.3f}): tag the set with pattern={wide.name}"
    )


@of_visit(
    "ADT303",
    Severity.WARNING,
    title="pointings too far apart for one pair of guide stars",
    explanation="The pointings on one target do not fit in a circle of 130 arcsec diameter, so one "
    "pair of guide stars cannot serve them all. Reduce the POS TARGs or use more visits.",
    source="WFC3 Instrument Handbook 7.10",
)
def beyond_guide_stars(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report the largest distance between pointings on a target where it is too large."""
    for target, detector, pointings in _by_target(visit):
        limit_arcsec = detector.guide_star_limit_arcsec
        first_at: dict[PosTarg, Pointing] = {}
        for pointing in pointings:
            first_at.setdefault(pointing.pos_targ, pointing)
        points = np.array([pos_targ.xy_arcsec for pos_targ in first_at])
        steps = points[:, None] - points[None]
        distances = np.hypot(steps[..., 0], steps[..., 1])
        if distances.max() <= limit_arcsec:
            continue
        i, j = np.unravel_index(int(distances.argmax()), distances.shape)
        first, second = (list(first_at.values())[int(k)] for k in (i, j))
        message = (
            f"exposures {first.number} and {second.number} of {target} are {distances.max():.0f} "
            f"arcsec apart; one pair of guide stars covers about {limit_arcsec:g} "
            "arcsec: reduce the POS TARGs or use more visits"
        )
        yield visit.visit.location(max(first, second, key=lambda one: one.when).exposure), message


@of_visit(
    "ADT304",
    Severity.WARNING,
    title="move that needs a new guide-star acquisition",
    explanation="Two successive exposures are more than about 90 arcsec apart. The guide stars are "
    "probably lost; a new acquisition takes minutes and shifts the pixel phases by 5 to 20 mas "
    "(0.04 to 0.15 pixel). Order the exposures by position, or use more visits.",
    source="COS Instrument Handbook 9.2 (overheads); DrizzlePac Handbook B.3",
)
def long_moves(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report the first long move on each target."""
    for target, _, pointings in _by_target(visit):
        moves = [
            ((after.pos_targ - before.pos_targ).length_arcsec, before, after)
            for before, after in pairwise(pointings)
        ]
        long = [move for move in moves if move[0] > REACQUISITION_ARCSEC]
        if not long:
            continue
        distance_arcsec, before, after = long[0]
        more = f" (the first of {len(long)} such moves)" if len(long) > 1 else ""
        message = (
            f"the move from exposure {before.number} to {after.number} of {target} is "
            f"{distance_arcsec:.0f} arcsec{more}: beyond about {REACQUISITION_ARCSEC:g} arcsec the "
            "guide stars are probably lost; order the exposures by position, or use more visits"
        )
        yield visit.visit.location(after.exposure), message


@of_set(
    "ADT305",
    Severity.NOTE,
    title="dither split over orbits",
    explanation="The exposures of one pattern run in several orbits. Each orbit begins with a "
    "guide-star re-acquisition, whose error of 5 to 20 mas shifts its pixel phases against those "
    "of the other orbits. If possible, let each orbit hold a whole pattern.",
    source=f"{_ISR} section 3.2; DrizzlePac Handbook B.3",
)
def split_over_orbits(group: DitherGroup, context: ReviewContext) -> str:
    """Report sets of which an orbit holds only part of a pattern."""
    orbits = tuple(one.orbit for one in group.exposures.pointings if one.orbit is not None)
    counts = Counter(orbits)
    if (
        len(group.evaluation.distinct_pointings) < 2
        or len(orbits) < group.n
        or len(counts) < 2
        or min(counts.values()) >= group.wanted_phases
    ):
        return ""
    aperture = group.aperture
    expected = group.pointing
    error_arcsec = PointingBudget().reacquisition_mas / 1000
    scale = float(aperture.scale_at(*aperture.reference_pix)[0])
    split = ", ".join(f"{count} in orbit {orbit}" for orbit, count in sorted(counts.items()))
    return (
        f"{exposures_of(group)} are split over {len(counts)} orbits ({split})."
        f" A re-acquisition shifts the phases by about {1000 * error_arcsec:g} mas "
        f"({error_arcsec / scale:.2f} pixel): the expected efficiency at the worst position of the "
        f"region is {expected.efficiency_median:.3f} ({expected.efficiency_nominal:.3f} without "
        f"pointing errors), and below {expected.efficiency_5:.3f} in 5% of visits; if possible, "
        "let each orbit hold a whole pattern"
    )


@of_set(
    "ADT306",
    Severity.ERROR,
    title="the target region leaves the detector",
    explanation="At least one exposure does not see the whole region of the target (its size, as a "
    "disc about the target): part of it lies off the aperture's readout, so it has fewer phases "
    "there than planned, and a star there is lost in that exposure. Use a smaller spacing or size, "
    "a larger aperture, or a base POS TARG nearer to the middle of the readout.",
    source="HST SIAF 1.90 (readouts); WFC3 Instrument Handbook (subarrays)",
)
def region_off_detector(group: DitherGroup, _context: ReviewContext) -> str:
    """Report exposures that do not see the whole region of a target."""
    if group.region.kind is RegionKind.FULL:
        return ""
    unseen = group.evaluation.unseen_pix
    members = [k for k, beyond in enumerate(unseen) if beyond > 0]
    if not members:
        return ""
    scale = group.evaluation.largest_scale
    if scale > 0 and group.n > 1:
        remedy = (
            f"a spacing of at most {scale * group.min_separation_pix:.1f} pixels fits (now "
            f"{group.min_separation_pix:.1f}): give spacing= or a smaller size="
        )
    else:
        remedy = "the base POS TARG alone leaves it: correct the POS TARG, or give a smaller size="
    labels = ", ".join(group.exposures.label(k) for k in members[:9])
    far = float(max(unseen))
    beyond = f"{far:.0f} pixels" if np.isfinite(far) else "far"
    return (
        f"a region of {group.region.text} about the target is not seen whole by exposures "
        f"{labels} of {group.exposures.setup.text}: it reaches {beyond} beyond the readout; "
        f"{remedy}"
    )


@of_set(
    "ADT307",
    Severity.WARNING,
    title="the target is off the detector",
    explanation="The POS TARG puts the target itself beyond the aperture's readout in every "
    "exposure. That is right for the outer tiles of a mosaic and for fields beside a target; "
    "otherwise correct the POS TARG.",
    source="HST SIAF 1.90 (readouts)",
)
def target_off_detector(group: DitherGroup, _context: ReviewContext) -> str:
    """Report sets over the full readout whose target lies off it."""
    tagged = group.exposures.dither_set
    if tagged is not None and tagged.is_mosaic:  # its tiles lie beside the target on purpose
        return ""
    if group.region.kind is not RegionKind.FULL or min(group.evaluation.unseen_pix) <= 0:
        return ""
    return (
        f"POS TARG ({group.base.text}) puts the target off the readout of "
        f"{group.exposures.setup.text} in all {group.n} exposures; check the POS TARG, unless "
        "the field beside the target is wanted"
    )


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


def _by_target(visit: VisitPointings) -> Iterator[tuple[str, Detector, list[Pointing]]]:
    """Yield each target's pointings with each detector over all its setups, in the order of time."""
    by_target: dict[tuple[str, str], list[Pointing]] = {}
    for observed in visit.sets:
        by_target.setdefault((observed.target, observed.setup.config), []).extend(
            observed.pointings
        )
    for (target, config), pointings in by_target.items():
        yield target, get_detector(config), sorted(pointings, key=lambda one: one.when)
