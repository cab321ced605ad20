"""Rules about the pixel phases of a set, at the target position and over the region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np

from aptdither.dither.phases import chains
from aptdither.findings import Message, Severity
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.joint import is_turned
from aptdither.review.context import (
    ReviewContext,
    counted,
    exposures_of,
    joined,
    of_proposal,
    of_set,
)
from aptdither.types import FloatArray

_ISR = "ISR WFC3 2016-14"

#: Efficiency at the worst position that a set may lack against the best pattern of the catalog:
#: the stock 4-point box, which is "hard to improve upon" (ISR WFC3 2016-14, section 4), lacks 0.015.
EFFICIENCY_MARGIN = 0.02

#: Smallest acceptable packing distance, as a fraction of that pattern's.
PACKING_RATIO = 0.5

#: A pattern loses coherence where two phases come closer than this fraction of their distance at
#: the target position, and of the theoretical maximum. The 3-point line has 0.44, the box 0.87.
COHERENCE_RATIO = 0.5

#: Unrecoverable fraction of the band above which nearly nothing can be recovered exactly, and the
#: fraction below which the band counts as recovered.
UNRECOVERABLE, RECOVERED = 0.9, 0.1

#: Noise amplification above which a set is reported: it doubles the noise variance.
MAX_AMPLIFICATION = 2.0

#: Pointings that tell cosmic rays from sources without a second exposure at each. Chosen: the median
#: of three is free of a cosmic ray in one of them.
ENOUGH_POINTINGS = 3

#: Smallest gain in efficiency for which another pattern is recommended.
MIN_GAIN = 0.005


@of_set(
    "ADT201",
    Severity.WARNING,
    title="repeated pixel phases",
    explanation="Two exposures at different pointings have the same pixel phase (within 0.1 pixel "
    "at the target position), so the second adds signal but no sampling. The usual causes are "
    "steps of whole pixels and crossed patterns: LINE x BOX-MIN has 8 exposures and only 4 phases, "
    "since the step of LINE, (0.5, 0.5), is one of the box's own. Above 9 exposures the phases of "
    "one cluster repeat those of another, so fewer phases than points of one cluster are reported. "
    "A warning, not an error: repeated phases may be intended for depth.",
    source=f"{_ISR} sections 4 and 7; DrizzlePac Handbook B.3",
)
def repeated_phases(group: DitherGroup, context: ReviewContext) -> str:
    """Report sets with fewer phases than pointings."""
    if not _repeats_phases(group):
        return ""
    pairs = [
        _closest_pair(group, members)
        for members in group.evaluation.distinct_phases
        if len(members) > 1
    ]
    return (
        f"{exposures_of(group)} have only "
        f"{counted(len(group.evaluation.distinct_phases), 'distinct phase')} at the target position: exposures "
        f"{joined(pairs)}. In {group.coverage.center.lost_fraction:.0%} of the band more aliases overlap "
        f"than there are phases, so it cannot be recovered exactly{_better_pattern(group, context)}"
    )


@of_set(
    "ADT202",
    Severity.WARNING,
    title="sampling well below that of the best pattern",
    explanation="The lowest de-aliasing efficiency E over the region is more than 0.02 below that "
    "of the best pattern in the catalog with as many points, or the smallest distance between two "
    "phases (packing distance) is less than half of that pattern's. Each number is the lowest over "
    "the region, and the two may be at different positions. `aptdither patterns NAME` lists the "
    "POS TARGs. If the target is small, give --size: a pattern that fails over the full field may "
    "suit it well.",
    source=f"{_ISR} sections 4 to 6; Lauer 1999 (PASP 111, 227)",
)
def below_best_pattern(group: DitherGroup, context: ReviewContext) -> str:
    """Report sets that sample worse than a pattern of the catalog."""
    center, worst = group.coverage.center, group.coverage.worst
    if group.n < 2 or _repeats_phases(group) or _shared_pointings(group):
        return ""  # reported with its cause
    if worst.efficiency >= 1 - EFFICIENCY_MARGIN and worst.packing_of_limit >= PACKING_RATIO:
        return ""  # no pattern is much better: saves the search of the catalog
    best = context.best(group)
    if best is None:
        return ""
    possible, name = best.coverage.worst, best.name
    is_crowded = worst.packing_of_limit < PACKING_RATIO * possible.packing_of_limit
    if worst.efficiency >= possible.efficiency - EFFICIENCY_MARGIN and not (
        is_crowded and group.n <= group.aperture.detector.max_cluster_size
    ):
        return ""
    return (
        f"{exposures_of(group)}: lowest efficiency over the region "
        f"{worst.efficiency:.3f} ({center.efficiency:.3f} at the target position), smallest phase "
        f"separation {worst.packing:.2f} pixel ({worst.packing_of_limit:.2f} of the theoretical "
        f"maximum); {name} has {possible.efficiency:.3f} and {possible.packing:.2f} pixel "
        f"({possible.packing_of_limit:.2f}): aptdither patterns {name} lists its POS TARGs"
    )


@of_set(
    "ADT203",
    Severity.NOTE,
    title="too few exposures to recover the band exactly",
    explanation="At this wavelength more aliases overlap at most spatial frequencies than there "
    "are exposures, so hardly any of the band that the telescope passes can be recovered exactly, "
    "whatever the positions. Reported when even the best pattern in the catalog with as many "
    "points loses nine tenths of the band. The efficiency E says what the sampling is still worth. "
    "Add exposures or use a redder filter.",
    source="Lauer 1999 (PASP 111, 227)",
)
def unrecoverable_band(group: DitherGroup, context: ReviewContext) -> str:
    """Report sets with too few exposures for their wavelength."""
    if group.n < 2 or group.coverage.center.lost_fraction < UNRECOVERABLE:
        return ""
    best = context.best(group)
    if best is None or best.coverage.center.lost_fraction < UNRECOVERABLE:
        return ""
    for n in range(group.n + 1, group.aperture.detector.max_cluster_size + 1):
        more = context.best(group, n)
        if more is not None and more.coverage.center.lost_fraction < RECOVERED:
            remedy = f"; {n} exposures can"
            break
    else:
        remedy = "; use a redder filter"
    return (
        f"{group.n} exposures cannot recover the band of {group.element.name}, whatever their "
        f"positions: in {best.coverage.center.lost_fraction:.0%} of it more aliases overlap than "
        f"there are exposures{remedy}"
    )


@of_set(
    "ADT209",
    Severity.NOTE,
    title="noise is amplified",
    explanation="Where the exposures suffice to recover the band exactly, unevenly spread phases "
    "cost noise: at some position of the region exact de-aliasing gives more than twice the noise "
    "variance of ideal sampling. The efficiency E is what an optimal reconstruction at the signal to "
    "noise of the exposures keeps, which need not recover everything; at high signal to noise the "
    "two agree. Add exposures, or take a pattern whose phases are spread more evenly.",
    source="Lauer 1999 (PASP 111, 227)",
)
def amplified_noise(group: DitherGroup, context: ReviewContext) -> str:
    """Report sets whose exact recovery amplifies noise."""
    now = group.coverage.worst.amplification
    if group.n < 2 or _repeats_phases(group) or _shared_pointings(group):
        return ""  # reported with its cause, as by the rule above
    if now is None or now <= MAX_AMPLIFICATION or any(below_best_pattern(group, context)):
        return ""
    best = context.best(group)
    then = None if best is None else best.coverage.worst.amplification
    remedy = "; add exposures"
    if best is not None and then is not None and then < 0.8 * now:
        remedy = f" ({best.name}: {then:.1f})"
    return (
        f"{exposures_of(group)}: recovering the band exactly gives up "
        f"to {now:.1f} times the noise variance of ideal sampling over the region{remedy}; at S/N "
        f"{group.evaluation.view.snr:g} the efficiency is {group.coverage.worst.efficiency:.3f} there "
        "at least"
    )


@of_set(
    "ADT204",
    Severity.WARNING,
    title="the pattern loses coherence over the region",
    explanation="Distortion turns the same POS TARGs into other steps elsewhere on the detector. "
    "At some position of the region two phases come closer than half of their distance at the "
    "target position, and than half of the theoretical maximum. The 3-point line does so: it "
    "extends over more than 9 pixels, and its third point almost repeats another phase in some "
    "corners. Patterns that extend less than 5 pixels stay coherent. If the target is small, give "
    "its size.",
    source=f"{_ISR} sections 3.3 (Figure 5), 4 (Figure 6) and 5",
)
def incoherent_phases(group: DitherGroup, context: ReviewContext) -> str:
    """Report sets whose phases come close to each other at some position of the region."""
    coverage = group.coverage
    center, worst = coverage.center, coverage.worst
    if (
        not 2 <= group.n <= group.aperture.detector.max_cluster_size
        or len(group.evaluation.distinct_phases) < group.n
        or worst.packing >= COHERENCE_RATIO * center.packing
        or worst.packing_of_limit >= COHERENCE_RATIO
    ):
        return ""
    at = int(np.argmin(coverage.packing))
    i, j = _closest(coverage.phases[at])
    extent_pix = group.evaluation.distances[-1][0]
    return (
        f"{exposures_of(group)} extend over {extent_pix:.1f} pixels: the "
        f"smallest phase separation is {center.packing:.2f} pixel at the target position, but at "
        f"{_position(group, at)}, where it is smallest, exposures {group.exposures.label(i)} and "
        f"{group.exposures.label(j)} are {worst.packing:.2f} pixel apart, {worst.packing_of_limit:.2f} of "
        f"the theoretical maximum (efficiency there {coverage.efficiency[at]:.3f}, at the target "
        f"{center.efficiency:.3f}); use a more compact pattern, or "
        "give the size of a small target"
    )


@of_set(
    "ADT205",
    Severity.WARNING,
    title="undithered exposures",
    explanation="Several exposures of one setup are taken at the same pointing (NumberOfIterations,"
    " equal POS TARGs, or SamePosAs), so artifacts and pixel phases repeat. Dithering needs a "
    "separate exposure for each iteration; a step costs 20 to 30 seconds. A pattern that runs "
    "twice counts, too: move the second run by about 2 arcsec. A warning, not an error: time "
    "series and bright standards repeat a pointing on purpose.",
    source=f"{_ISR} sections 1 and 7; Phase II Proposal Instructions (Number_of_Iterations)",
)
def repeated_pointings(group: DitherGroup, context: ReviewContext) -> str:
    """Report exposures of a set that share a pointing."""
    shared = _shared_pointings(group)
    if not shared:
        return ""
    iterations = {
        exposure.number: exposure.iterations
        for exposure in group.exposures.exposures
        if exposure.iterations > 1
    }
    repeats = [f"exposure {number} by {count}" for number, count in iterations.items()]
    cause = f" (NumberOfIterations repeats {joined(repeats)})" if repeats else ""
    if len(group.evaluation.distinct_pointings) == 1:
        pointings = f"all {exposures_of(group)} are at one pointing"
    else:
        pointings = (
            f"{exposures_of(group)} are at {len(group.evaluation.distinct_pointings)} pointings"
        )
        if not cause:
            listed = [", ".join(group.exposures.label(i) for i in members) for members in shared]
            cause = f" (at the same pointing: exposures {joined(listed)})"
    return f"{pointings}{cause}{_better_pattern(group, context)}"


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


def _cr_split(group: DitherGroup, index: int) -> int:
    """Return how many exposures a pointing has by itself."""
    exposure = group.exposures.pointings[index].exposure
    value = "" if exposure is None else dict(exposure.parameters).get("CR-SPLIT", "")
    return int(value) if value.isascii() and value.isdigit() else 1


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


#: Exposures of a setup over all visits that are compared at the most: comparing costs the square.
_MOST_COMPARED = 1000


@of_proposal(
    "ADT206",
    Severity.WARNING,
    title="visits repeat each other's phases",
    explanation="Two visits or more observe one target through one setup at the same pixel phases "
    "(within 0.1 pixel at the target position), so that the later ones add signal but no sampling. "
    "Join them with a tag that has the same id= in each, and their phases interleave. Visits whose "
    "ORIENTs differ are not compared; where the ORIENT is free, the visits repeat their phases if "
    "they are observed at the same one.",
    source="ISR WFC3 2016-14 sections 4 and 7",
)
def repeated_visits(groups: Iterable[DitherGroup], _context: ReviewContext) -> Iterator[Message]:
    """Report visits that add no phases to those of other visits."""
    alike: dict[object, list[DitherGroup]] = {}
    for group in groups:
        exposures = group.exposures
        if exposures.visit is not None and not exposures.is_pending:
            key = exposures.setup, exposures.target, exposures.base
            alike.setdefault(key, []).append(group)
    for own in alike.values():
        visits = {id(group.exposures.visit): group.exposures.visit for group in own}
        if len(visits) < 2 or sum(group.n for group in own) > _MOST_COMPARED:
            continue
        if any(a and b and is_turned(a, b) for a, b in combinations(visits.values(), 2)):
            continue
        reach_pix = own[0].aperture.detector.same_phase_pix
        phases, distinct = np.empty((0, 2)), 0
        repeated: list[DitherGroup] = []
        # The fullest first: what it holds already, a smaller one repeats.
        for group in sorted(own, key=lambda one: -len(one.evaluation.distinct_phases)):
            phases = np.concatenate([phases, group.coverage.center_phases])
            before, distinct = distinct, len(chains(phases, reach_pix, torus=True))
            if distinct == before:
                repeated.append(group)
        if not repeated:
            continue
        numbers = dict.fromkeys(
            group.visit or "" for group in own if not any(group is one for one in repeated)
        )
        again = dict.fromkeys(group.visit or "" for group in repeated)
        message = (
            f"visits {joined([*numbers, *again])} observe {own[0].exposures.target} through "
            f"{own[0].exposures.setup.text} at the same {distinct} pixel phases: "
            f"{len(phases)} exposures have the sampling of {distinct}, since {joined([*again])} "
            "repeats what the others have; give the tags of these visits one id= and run "
            "aptdither apply"
        )
        yield own[0].exposures.location, message


def _repeats_phases(group: DitherGroup) -> bool:
    return (
        len(group.evaluation.distinct_phases) < group.wanted_phases
        and len(group.evaluation.distinct_pointings) > 1
    )


def _shared_pointings(group: DitherGroup) -> list[tuple[int, ...]]:
    """Return the exposures of each pointing that has several."""
    return [members for members in group.evaluation.distinct_pointings if len(members) > 1]


def _better_pattern(group: DitherGroup, context: ReviewContext) -> str:
    """Recommend the best pattern with as many points, if it is better."""
    best = context.best(group)
    if best is None:
        return ""
    now, possible = group.coverage.worst.efficiency, best.coverage.worst.efficiency
    if possible < now + MIN_GAIN:
        return ""
    return (
        f"; lowest efficiency over the region {now:.3f} at S/N {group.evaluation.view.snr:g}, "
        f"{best.name} has {possible:.3f}: "
        "tag the exposures with @dither and run aptdither apply"
    )


def _position(group: DitherGroup, at: int) -> str:
    """Name a position of the region, with its chip where there are two."""
    field = group.coverage.field
    chip = group.aperture.chip(int(field.chip[at])).name if len(group.aperture.chips) > 1 else ""
    return f"pixel ({field.x_pix[at]:.0f}, {field.y_pix[at]:.0f}){chip and f' of {chip}'}"


def _closest(phases: FloatArray) -> tuple[int, int]:
    """Return the two phases (N, 2) that are closest to each other."""

    def distance(pair: tuple[int, int]) -> float:
        step = phases[pair[0]] - phases[pair[1]]
        return float(np.hypot(*(step - np.rint(step))))

    return min(combinations(range(len(phases)), 2), key=distance)


def _closest_pair(group: DitherGroup, members: Sequence[int]) -> str:
    """Describe the two exposures of `members` whose phases are closest."""
    phases = group.coverage.center_phases
    i, j = (members[k] for k in _closest(phases[list(members)]))
    phase = phases[i] - phases[j]
    phase_pix = np.hypot(*(phase - np.rint(phase)))
    step_pix = np.hypot(*(group.evaluation.pixels[i] - group.evaluation.pixels[j]))
    return (
        f"{group.exposures.label(i)} and {group.exposures.label(j)} ({phase_pix:.2f} pixel apart in phase, "
        f"{step_pix:.1f} pixels apart on the detector)"
    )
