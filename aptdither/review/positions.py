"""Rules about how APT combines positions: SamePosAs, patterns, POS TARGs, origins, receipts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from aptdither.apt.proposal import Exposure, ExposureGroup
from aptdither.apt.tags import Receipt
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import offset_clusters, split_counts
from aptdither.errors import AptDitherError, Location
from aptdither.findings import Finding
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.optics.filters import get_element
from aptdither.planning.pointings import ObservedSet, ObservedVisit, is_calibration
from aptdither.planning.selection import is_pattern_group, is_supported
from aptdither.review.judged import SMALL_ARCSEC, EvaluatedSet
from aptdither.types import NO_OFFSET, FloatArray, PosTarg, Setup
from aptdither.version import __version__

#: Three decimals, twice rounded, arcsec.
EQUAL_ARCSEC = 0.0015


def check_same_pos_as(judged: EvaluatedSet) -> Iterator[Finding]:
    """Yield ADT402."""
    if judged.n < 2:
        return
    followers = judged.observed.followers
    in_tile = {shot.exposure.node for shot in judged.shots}
    for exposure in judged.observed.exposures:
        source = followers.get(exposure.node)
        if source is None or exposure.node not in in_tile:
            continue
        own, there = exposure.pos_targ, source.pos_targ or NO_OFFSET
        if len(judged.places) == 1 and (own is None or own == there):
            continue
        lost = f", its own POS TARG ({_pair(own)}) is lost" if own is not None else ""
        yield Finding.of(
            "ADT402",
            f"SamePosAs {exposure.same_pos_as} takes it to the place of exposure {source.number}, "
            f"of the same setup ({judged.words}){lost}: {judged.n} exposures have "
            f"{len(judged.places)} {'place' if len(judged.places) == 1 else 'places'}; give it a "
            "POS TARG of its own instead",
            Location(
                visit=judged.observed.visit.number, exposure=exposure.number, line=exposure.line
            ),
        )


def check_sums(observed: ObservedVisit) -> Iterator[Finding]:
    """Yield ADT403."""
    inside: dict[int, tuple[ExposureGroup, dict[Setup, list[Exposure]]]] = {}
    for exposure, groups in observed.visit.walk():
        around = [group for group in groups if is_pattern_group(group)]
        if around and is_supported(exposure) and exposure.same_pos_as is None:
            _, setups = inside.setdefault(around[-1].node, (around[-1], {}))
            setups.setdefault(exposure.setup, []).append(exposure)
    for group, setups in inside.values():
        for setup, exposures in setups.items():
            distinct = list(dict.fromkeys(e.pos_targ or NO_OFFSET for e in exposures))
            moved = next((e for e in exposures if (e.pos_targ or NO_OFFSET) != NO_OFFSET), None)
            if moved is None:
                continue
            what = f"APT pattern {group.pattern_number} (line {group.line})"
            if len(distinct) > 1:
                says = (
                    f"{len(distinct)} POS TARGs of {setup.aperture} {setup.element} add to {what}: "
                    "each is run at every point of the pattern; use one of the two"
                )
            elif np.hypot(distinct[0].x_arcsec, distinct[0].y_arcsec) < SMALL_ARCSEC:
                says = (
                    f"the POS TARG ({_pair(distinct[0])}) adds to {what}: it moves all its points "
                    "alike and is no dither"
                )
            else:
                continue
            location = Location(visit=observed.visit.number, exposure=moved.number, line=moved.line)
            yield Finding.of("ADT403", says, location)


def check_origins(observed: ObservedVisit) -> Iterator[Finding]:
    """Yield ADT404."""
    by_target: dict[str, dict[bool, Exposure]] = {}
    for exposure in observed.visit.exposures:
        if (
            is_supported(exposure)
            and exposure.aperture == "IR"
            and exposure.same_pos_as is None
            and not is_calibration(exposure)
        ):
            try:
                element = get_element(exposure.spectral_element, config=exposure.config)
            except AptDitherError:  # told elsewhere
                continue
            kinds = by_target.setdefault(exposure.target_name, {})
            kinds.setdefault(element.kind == "grism", exposure)
    for target, kinds in by_target.items():
        if len(kinds) < 2:
            continue
        direct, grism = kinds[False], kinds[True]
        origins = [
            get_aperture("IR", exposure.spectral_element, config=exposure.config)
            for exposure in (direct, grism)
        ]
        away = float(
            np.hypot(
                *origins[0].ideal_from_pixel(origins[1].x_ref_pix, origins[1].y_ref_pix),
            )
        )
        pixels = abs(origins[0].x_ref_pix - origins[1].x_ref_pix)
        yield Finding.of(
            "ADT404",
            f"exposures {direct.number} ({direct.spectral_element}) and {grism.number} "
            f"({grism.spectral_element}) of {target} go through IR, whose origin is {pixels:.0f} "
            f"pixels ({away:.1f} arcsec) to the left with a grism; through "
            f"{grism.spectral_element}-REF or GRISM1024 they share one",
            Location(visit=observed.visit.number, exposure=grism.number, line=grism.line),
        )


def check_receipts(
    observed: ObservedSet, catalog: Catalog, aperture: Aperture
) -> Iterator[Finding]:
    """Yield ADT406."""
    if not observed.receipts:
        return
    receipts = {
        exposure: observed.receipts[exposure.node]
        for exposure in observed.exposures
        if exposure.node in observed.receipts
    }
    yield from _incomplete(observed, receipts)
    yield from _tag_says_otherwise(observed, receipts)
    moved = []
    for exposure, receipt in receipts.items():
        points = _points_of(receipt, catalog, aperture)
        if points is None:
            continue
        wanted = points[receipt.index - 1] + (receipt.base_x_arcsec, receipt.base_y_arcsec)
        has = exposure.pos_targ or NO_OFFSET
        if np.hypot(wanted[0] - has.x_arcsec, wanted[1] - has.y_arcsec) > EQUAL_ARCSEC:
            moved.append((exposure, receipt, wanted))
    # Of another version, whose catalogue may differ: some points that agree verify_rewrite that it does not.
    if len(moved) == len(receipts) and any(r.version != __version__ for r in receipts.values()):
        return
    for exposure, receipt, wanted in moved:
        yield Finding.of(
            "ADT406",
            f"the receipt says point {receipt.index} of {receipt.total} of {receipt.pattern}, which"
            f" is POS TARG ({wanted[0]:.3f}, {wanted[1]:.3f}), but it has "
            f"({_pair(exposure.pos_targ or NO_OFFSET)})",
            _at(observed, exposure),
        )


def _incomplete(observed: ObservedSet, receipts: dict[Exposure, Receipt]) -> Iterator[Finding]:
    by_index: dict[int, list[Exposure]] = {}
    for exposure, receipt in receipts.items():
        by_index.setdefault(receipt.index, []).append(exposure)
    totals = sorted({receipt.total for receipt in receipts.values()})
    first = next(iter(receipts))
    if len(totals) > 1:
        yield Finding.of(
            "ADT406",
            f"the receipts of one set speak of {' and of '.join(map(str, totals))} points",
            _at(observed, first),
        )
        return
    doubled = [exposures for exposures in by_index.values() if len(exposures) > 1]
    if doubled:
        listed = "; ".join(", ".join(e.number for e in exposures) for exposures in doubled)
        yield Finding.of(
            "ADT406",
            f"one point of the pattern is claimed by several receipts: exposures {listed}",
            _at(observed, doubled[0][-1]),
        )
    missing = totals[0] - len(by_index)
    if missing and observed.dither_set is not None:
        yield Finding.of(
            "ADT406",
            f"the receipts speak of {totals[0]} points, and {missing} of them "
            f"{'is' if missing == 1 else 'are'} missing from the set",
            _at(observed, first),
        )


def _tag_says_otherwise(
    observed: ObservedSet, receipts: dict[Exposure, Receipt]
) -> Iterator[Finding]:
    tag = observed.dither_set
    first, receipt = next(iter(receipts.items()))
    if tag is None or not observed.has_receipts:
        return
    asked, has = tag.request, receipt.pattern
    if asked.pattern is not None and asked.pattern.casefold() not in has.casefold().split("+"):
        what = f"pattern={asked.pattern}"
    elif asked.n is not None and receipt.total % asked.n:
        what = f"n={asked.n}"
    else:
        return
    yield Finding.of(
        "ADT406",
        f"the tag asks for {what}, the receipts say {receipt.total} points of {has}: the file was "
        "not dithered again since the tag changed",
        _at(observed, first),
    )


def _points_of(receipt: Receipt, catalog: Catalog, aperture: Aperture) -> FloatArray | None:
    """Return the offsets (N, 2), arcsec, that a receipt stands for; None if they are not known."""
    names = receipt.pattern.split("+")
    if any(name not in catalog for name in names):
        return None
    patterns = [catalog.get(name) for name in names]
    if len(patterns) == 1:
        count, rest = divmod(receipt.total, patterns[0].n)
        sizes: Sequence[int] = (patterns[0].n,) * count
        if rest:
            return None
    else:
        sizes = split_counts(receipt.total)
    by_size = {pattern.n: pattern for pattern in patterns}
    if set(sizes) != set(by_size):
        return None
    offsets = [by_size[n].postargs(aperture) for n in sizes]
    if len(offsets) == 1:
        return offsets[0]
    try:
        return offset_clusters(
            offsets, aperture, base=(receipt.base_x_arcsec, receipt.base_y_arcsec)
        )
    except AptDitherError:
        return None


def _at(observed: ObservedSet, exposure: Exposure) -> Location:
    return Location(visit=observed.visit.number, exposure=exposure.number, line=exposure.line)


def _pair(pos_targ: PosTarg) -> str:
    return f"{pos_targ.x_arcsec + 0.0:.3f}, {pos_targ.y_arcsec + 0.0:.3f}"
