"""Rules about how APT combines positions: SamePosAs, patterns, POS TARGs, origins, receipts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aptdither.apt.patterns import is_pattern_group
from aptdither.apt.proposal import Exposure, ExposureGroup
from aptdither.errors import AptDitherError, ReceiptError
from aptdither.findings import Message, Severity
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.pointings import VisitPointings, looks_at_no_sky
from aptdither.planning.receipts import (
    SMALL_ARCSEC,
    disagreeing,
    dithered_for,
    incomplete,
    moved,
)
from aptdither.planning.refusals import is_supported
from aptdither.review.context import (
    GROUP_RULES,
    ReviewContext,
    among,
    counted,
    exposures_of,
    of_visit,
)
from aptdither.types import NO_OFFSET, Setup

#: The aperture of WFC3/IR whose reference point moves when a grism is used (HST SIAF 1.90), and
#: the one that has the same reference point for both.
MOVING_APERTURE, COMMON_APERTURE = "IR", "GRISM1024"


@among(
    GROUP_RULES,
    "ADT402",
    Severity.ERROR,
    title="SamePosAs overrides a POS TARG",
    explanation="An exposure of a set has a POS TARG and a SamePosAs that names another exposure "
    "of the same setup. APT uses the position of that exposure, so the POS TARG has no effect and "
    "a point of the dither is lost. Delete one of the two. SamePosAs is for another filter at the "
    "same position.",
    source="Phase II Proposal Instructions (SAME POS AS)",
)
def overridden_pos_targs(group: DitherGroup, context: ReviewContext) -> Iterator[Message]:
    """Report POS TARGs that SamePosAs overrides."""
    members = {exposure.node for exposure in group.exposures.exposures}
    for exposure in group.exposures.exposures:
        source = group.exposures.followers.get(exposure.node)
        if source is None or exposure.node not in members or exposure.pos_targ is None:
            continue
        if exposure.pos_targ != (source.pos_targ or NO_OFFSET):
            message = (
                f"SamePosAs {exposure.same_pos_as} overrides the POS TARG "
                f"({exposure.pos_targ.text}): {exposures_of(group)} have "
                f"{counted(len(group.evaluation.distinct_pointings), 'pointing')}; delete the SamePosAs or the POS TARG"
            )
            yield group.exposures.location_of(exposure), message


@of_visit(
    "ADT403",
    Severity.WARNING,
    title="POS TARGs inside an APT pattern",
    explanation="Exposures in a pattern group have POS TARGs, and APT adds the two. With different "
    "POS TARGs each exposure runs at every point of the pattern, and the phases are those of the "
    "product. A single small POS TARG only shifts the pattern. Use either POS TARGs or the "
    "pattern.",
    source="ACS FAQ, POS TARGs and patterns",
)
def pos_targs_in_patterns(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report pattern groups whose exposures have POS TARGs that look like a dither."""
    inside: dict[int, tuple[ExposureGroup, dict[Setup, list[Exposure]]]] = {}
    for exposure, groups in visit.visit.walk():
        around = [group for group in groups if is_pattern_group(group)]
        if around and is_supported(exposure) and exposure.same_pos_as is None:
            _, setups = inside.setdefault(around[-1].node, (around[-1], {}))
            setups.setdefault(exposure.setup, []).append(exposure)
    for group, setups in inside.values():
        pattern = f"APT pattern {group.pattern_number} (line {group.line})"
        for setup, exposures in setups.items():
            distinct = {exposure.pos_targ or NO_OFFSET: exposure for exposure in exposures}
            moved = next((e for e in exposures if (e.pos_targ or NO_OFFSET) != NO_OFFSET), None)
            if moved is None or moved.pos_targ is None:
                continue
            if len(distinct) > 1:
                message = (
                    f"{len(distinct)} POS TARGs of {setup.text} add to {pattern}: each exposure "
                    "runs at every point of the pattern; use either the POS TARGs or the pattern"
                )
            elif moved.pos_targ.length_arcsec < SMALL_ARCSEC:
                message = (
                    f"the POS TARG ({moved.pos_targ.text}) adds to {pattern}: it shifts all points "
                    "alike and does not dither; delete it"
                )
            else:
                continue
            yield visit.visit.location(moved), message


@of_visit(
    "ADT404",
    Severity.WARNING,
    title="direct and grism exposures through IR have different reference points",
    explanation="Aperture IR puts the target at (562, 562) of the detector in direct exposures and "
    "at (497, 562) in grism exposures (1024 frame), so equal POS TARGs are different positions. "
    "Use G102-REF, G141-REF or GRISM1024 for both.",
    source="HST SIAF 1.90; WFC3 Instrument Handbook 8",
)
def different_origins(visit: VisitPointings, _context: ReviewContext) -> Iterator[Message]:
    """Report targets that are observed through IR with and without a grism."""
    by_target: dict[str, dict[bool, Exposure]] = {}
    for exposure in visit.visit.exposures:
        if (
            is_supported(exposure)
            and exposure.aperture == MOVING_APERTURE
            and exposure.same_pos_as is None
            and not looks_at_no_sky(exposure)
        ):
            try:
                element = get_element(exposure.spectral_element, config=exposure.config)
            except AptDitherError:  # reported by ADT108
                continue
            kinds = by_target.setdefault(exposure.target_name, {})
            kinds.setdefault(element.kind == "grism", exposure)
    for target, kinds in by_target.items():
        if len(kinds) < 2:
            continue
        direct, grism = kinds[False], kinds[True]
        at, moved = (
            get_aperture(MOVING_APERTURE, exposure.spectral_element, config=exposure.config)
            for exposure in (direct, grism)
        )
        away_arcsec = float(np.hypot(*at.ideal_from_pixel(*moved.reference_pix)))
        away_pix = np.hypot(*np.subtract(at.reference_pix, moved.reference_pix))
        message = (
            f"exposures {direct.number} ({direct.spectral_element}) and {grism.number} "
            f"({grism.spectral_element}) of {target} use aperture {MOVING_APERTURE}, whose "
            f"reference point is {away_pix:.0f} pixels ({away_arcsec:.1f} arcsec) to the left with "
            f"a grism; use {grism.spectral_element}-REF or {COMMON_APERTURE} for both"
        )
        yield visit.visit.location(grism), message


@of_visit(
    "ADT406",
    Severity.ERROR,
    title="receipt that does not match its exposure",
    explanation="`apply` left a @dithered line (receipt) that says which point of which pattern "
    "the exposure is, and the file has changed since: the POS TARG differs, or points are missing "
    "or repeated. Run `aptdither apply` again, or delete the tag "
    "and the receipts to keep the POS TARGs as they are.",
    source="aptdither README, The tag",
)
def contradicting_receipts(visit: VisitPointings, context: ReviewContext) -> Iterator[Message]:
    """Report receipts that contradict their exposures or each other."""
    for exposure in visit.visit.exposures:
        comments = visit.tags.comments.get(exposure.node)
        if comments is not None and len(comments.receipts) > 1:
            message = (
                f"the Comments hold {len(comments.receipts)} receipts, but an exposure is one "
                "point of a pattern; delete all of them but one"
            )
            yield visit.visit.location(exposure), message
    reported = set()
    for observed in visit.sets:
        receipts = {
            exposure: observed.receipts[exposure.node]
            for exposure in observed.exposures
            if exposure.node in observed.receipts and observed.receipts[exposure.node].is_dither
        }
        if not receipts or observed.prime is not None:  # parallels have those of their primes
            continue
        try:
            together = observed.share.exposures if observed.share else observed.exposures
            made_for = dithered_for(visit.tags, together, next(iter(receipts.values())))
            aperture = context.evaluator.aperture(made_for.setup)
        except AptDitherError:  # reported by ADT108
            continue
        problems = list(disagreeing(receipts))
        if not problems:
            problems += moved(receipts, context.catalog, aperture)
            problems += incomplete(receipts, must_be_complete=observed.share is not None)
        for exposure, message in problems:
            reported.add(message)
            yield visit.visit.location(exposure), message
    for error in visit.errors:
        if isinstance(error, ReceiptError) and error.message not in reported:
            yield error.location.inside(visit.visit.location()), error.message
