"""Rules about steps: artifacts of the detector, guide stars, orbits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from aptdither.dither.pointing_errors import PointingBudget
from aptdither.errors import Location
from aptdither.findings import Finding
from aptdither.optics.detector import WFC3_IR
from aptdither.planning.pointings import ObservedVisit, Pointing
from aptdither.review.judged import EvaluatedSet
from aptdither.types import RegionKind

#: Points of a tight pattern are this far apart at least, pixels (ISR WFC3 2016-14, section 5).
MIN_STEP_PIX = 2.0

#: Three decimals of a POS TARG move a point by this much at most, pixels.
ROUNDING_PIX = 0.05

#: The smallest blobs, pixels (ISR WFC3 2016-14, section 7).
BLOB_PIX = 10.0

#: Beyond this the guide stars are probably lost, arcsec (COS Instrument Handbook 9.2).
ACQUISITION_ARCSEC = 90.0

#: What a wide pattern may cost, in efficiency at the worst place, to be advised.
WIDE_MARGIN = 0.02


def check_steps(judged: EvaluatedSet) -> Iterator[Finding]:
    """Yield what is to be said about the steps of one set."""
    if len(judged.places) < 2:
        return
    yield from _few_pixels(judged)
    yield from _blob(judged)
    yield from _orbits(judged)


def check_moves(visit: ObservedVisit) -> Iterator[Finding]:
    """Yield what is to be said about the moves of one visit, over all its setups."""
    by_target: dict[str, list[Pointing]] = {}
    for observed in visit.sets:
        by_target.setdefault(observed.target, []).extend(observed.shots)
    for target, shots in by_target.items():
        shots.sort(key=lambda shot: shot.when)
        yield from _beyond_guide_stars(visit, target, shots)
        yield from _acquisitions(visit, target, shots)


def _few_pixels(judged: EvaluatedSet) -> Iterator[Finding]:
    """ADT301."""
    near = judged.layout.distances
    distance, i, j = near[0]
    if distance >= MIN_STEP_PIX - ROUNDING_PIX:
        return
    count = sum(step < MIN_STEP_PIX - ROUNDING_PIX for step, _, _ in near)
    more = f", and {count - 1} more pairs" if count > 2 else ", and one more pair" * (count - 1)
    yield Finding.of(
        "ADT301",
        f"exposures {judged.label(i)} and {judged.label(j)} of {judged.words} are {distance:.1f} "
        f"pixels apart{more}: an artifact of {MIN_STEP_PIX:g} pixels stays on the same part of the "
        "source; keep 2 pixels at least",
        judged.observed.location,
    )


def _blob(judged: EvaluatedSet) -> Iterator[Finding]:
    """ADT302."""
    span = judged.layout.distances[-1][0]
    if span >= BLOB_PIX - ROUNDING_PIX:
        return
    says = (
        f"all {judged.n} exposures of {judged.words} lie within {span:.1f} pixels: what a blob "
        f"({BLOB_PIX:g}-15 pixels) covers, it covers in every one"
    )
    tag = judged.observed.dither_set
    if judged.n > 9:
        yield Finding.of(
            "ADT302",
            f"{says}; step clusters of at most 9 apart by {WFC3_IR.cluster_step_arcsec:g} arcsec",
            judged.observed.location,
        )
    elif judged.region.kind is not RegionKind.FULL:
        wide = judged.wider
        if (
            wide is not None
            and not (tag is not None and tag.request.spacing is not None)
            and wide.coverage.worst.efficiency >= judged.coverage.worst.efficiency - WIDE_MARGIN
            and _span_of(judged, wide.chosen.offsets) >= BLOB_PIX
        ):
            yield Finding.of(
                "ADT302",
                f"{says}; over this region {wide.chosen.name} does better, with an efficiency of "
                f"{wide.coverage.worst.efficiency:.3f} at the worst place "
                f"(now {judged.coverage.worst.efficiency:.3f})",
                judged.observed.location,
            )
    elif not judged.is_tagged:
        yield Finding.of(
            "ADT302",
            f"{says}: the price of coherent phases over the full field; for a small target a wide "
            "pattern steps out of it",
            judged.observed.location,
        )


def _span_of(judged: EvaluatedSet, offsets_arcsec: np.ndarray) -> float:
    x, y = judged.aperture.offset_from_postarg(offsets_arcsec[:, 0], offsets_arcsec[:, 1])
    pixels = np.stack([x, y], axis=-1)
    return float(np.max(np.hypot(*np.moveaxis(pixels[:, None] - pixels[None], -1, 0))))


def _orbits(judged: EvaluatedSet) -> Iterator[Finding]:
    """ADT305."""
    orbits = [shot.orbit for shot in judged.shots]
    known = [orbit for orbit in orbits if orbit is not None]
    counts = Counter(known)
    if len(known) < judged.n or len(counts) < 2 or min(counts.values()) >= judged.wanted_phases:
        return
    expected = judged.standards.judge.expectation(
        judged.offsets,
        tuple(known),
        judged.aperture,
        judged.element,
        judged.region,
        judged.base,
    )
    error = PointingBudget().reacquisition_mas
    scale = float(judged.aperture.scale_at(judged.aperture.x_ref_pix, judged.aperture.y_ref_pix)[0])
    split = ", ".join(f"{count} in orbit {orbit}" for orbit, count in sorted(counts.items()))
    yield Finding.of(
        "ADT305",
        f"{judged.n} exposures of {judged.words} are split over {len(counts)} orbits ({split}); a "
        f"re-acquisition shifts the phases by some {error:g} mas ({error / 1000 / scale:.2f} "
        f"pixel): expect an efficiency of {expected.efficiency_median:.3f} at the worst place "
        f"({expected.efficiency_nominal:.3f} without pointing errors), below "
        f"{expected.efficiency_5:.3f} in one visit of 20",
        judged.observed.location,
    )


def _beyond_guide_stars(
    visit: ObservedVisit, target: str, shots: Iterable[Pointing]
) -> Iterator[Finding]:
    """ADT303."""
    distinct: dict[tuple[float, float], Pointing] = {}
    for shot in shots:
        distinct.setdefault((shot.pos_targ.x_arcsec, shot.pos_targ.y_arcsec), shot)
    points = np.array(list(distinct))
    steps = points[:, None] - points[None]
    distances = np.hypot(steps[..., 0], steps[..., 1])
    if distances.max() <= WFC3_IR.guide_star_limit_arcsec:
        return
    i, j = np.unravel_index(int(distances.argmax()), distances.shape)
    held = list(distinct.values())
    first, second = held[int(i)], held[int(j)]
    yield Finding.of(
        "ADT303",
        f"pointings on {target} are up to {distances.max():.0f} arcsec apart (exposures "
        f"{first.exposure.number} and {second.exposure.number}); one pair of guide stars serves "
        f"about {WFC3_IR.guide_star_limit_arcsec:g} arcsec",
        _place(visit, max(first, second, key=lambda shot: shot.exposure.node)),
    )


def _acquisitions(
    visit: ObservedVisit, target: str, shots: Iterable[Pointing]
) -> Iterator[Finding]:
    """ADT304."""
    long = [
        (distance, before, after)
        for before, after in pairwise(shots)
        if (distance := _distance(before, after)) > ACQUISITION_ARCSEC
    ]
    if not long:
        return
    distance, before, after = long[0]
    more = f" ({len(long)} such moves)" if len(long) > 1 else ""
    yield Finding.of(
        "ADT304",
        f"the move from exposure {before.exposure.number} to {after.exposure.number} on {target} "
        f"is {distance:.0f} arcsec{more}: beyond about {ACQUISITION_ARCSEC:g} arcsec the guide "
        "stars are probably lost and acquired anew",
        _place(visit, after),
    )


def _distance(before: Pointing, after: Pointing) -> float:
    return float(
        np.hypot(
            after.pos_targ.x_arcsec - before.pos_targ.x_arcsec,
            after.pos_targ.y_arcsec - before.pos_targ.y_arcsec,
        )
    )


def _place(visit: ObservedVisit, shot: Pointing) -> Location:
    exposure = shot.exposure
    return Location(visit=visit.visit.number, exposure=exposure.number, line=exposure.line)
