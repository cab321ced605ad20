"""Which exposures are dithered together: from the tags of a proposal to disjoint sets.

Reading order: :mod:`aptdither.planning.claims` says which exposures each tag covers;
:mod:`aptdither.planning.set_builder` asks :mod:`aptdither.planning.refusals` what forbids each set,
and builds those that may be dithered: in each visit, about each base
(:mod:`aptdither.planning.bases`), a :class:`~aptdither.planning.dither_sets.Share`. Nothing is
raised: errors are returned together, so that they can be corrected together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aptdither.apt.limits import MAX_VISIT_EXPOSURES
from aptdither.apt.proposal import Proposal
from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.errors import (
    AptDitherError,
    Location,
    ProposalError,
    ReceiptError,
    RefusalError,
)
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.claims import claim_exposures
from aptdither.planning.dither_sets import DitherSet
from aptdither.planning.receipts import (
    UNCOVERED_RECEIPTS,
    uncovered_receipts,
)
from aptdither.planning.refusals import (
    SetOptions,
)
from aptdither.planning.set_builder import SetBuilder
from aptdither.planning.visit_tags import VisitTags

STRAY_TAG = Rule(
    code="ADT102",
    severity=Severity.WARNING,
    title="text that looks like a tag, but is not read as one",
    explanation="Only a line of Comments whose first word is @dither is a tag. A line with @dither "
    "further on, one that begins with dither n= without the @, and a Label have no effect. If a "
    "tag was meant, write it as a line of the Comments.",
    source="aptdither README, The tag",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedSets:
    """What the tags of a proposal ask for.

    Attributes
    ----------
    visits : tuple of VisitTags
        The tags and receipts of each visit.
    sets : tuple of DitherSet
        Disjoint, in document order of their tags.
    errors : tuple of AptDitherError
        What forbids other sets, in document order.
    findings : tuple of Finding
        Lines that look like a tag and are none.
    """

    visits: tuple[VisitTags, ...] = ()
    sets: tuple[DitherSet, ...] = ()
    errors: tuple[AptDitherError, ...] = ()
    findings: tuple[Finding, ...] = ()


def select_sets(
    proposal: Proposal,
    options: SetOptions | None = None,
    *,
    defaults: DitherRequest | None = None,
    catalog: Catalog | None = None,
    distortion: Path | None = None,
) -> SelectedSets:
    """Find the sets of exposures that tags ask to dither.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    options : SetOptions, optional
        What is allowed beyond the default.
    defaults : DitherRequest, optional
        Values for tags that do not set them.
    catalog : Catalog, optional
        The patterns that receipts name; the built-in catalog when left out.
    distortion : Path, optional
        A distortion file in place of the SIAF's polynomials.

    Returns
    -------
    SelectedSets
        The sets that may be dithered, and the errors of those that may not.
    """
    options = options or SetOptions()
    defaults = defaults or DitherRequest()
    visits = tuple(map(VisitTags, proposal.visits))
    visit_numbers = Counter(visit.number for visit in proposal.visits)
    errors: list[AptDitherError] = []
    tagged: list[VisitTags] = []
    for tags in visits:
        errors.extend(tags.errors)
        if not tags.has_tags:
            continue
        if len(tags.slots) > MAX_VISIT_EXPOSURES:
            errors.append(_too_many_exposures(tags))
            continue
        errors.extend(_repeated_numbers(tags, visit_numbers))
        tagged.append(tags)
    candidates, problems = claim_exposures(tagged, defaults)
    errors.extend(problems)
    claimed = {node for candidate in candidates for node in candidate.nodes}
    patterns = {pattern.number: pattern for pattern in proposal.patterns}
    sets: list[DitherSet] = []
    for candidate in candidates:
        builder = SetBuilder(
            candidate, patterns, options, defaults, catalog or load_catalog(), distortion, claimed
        )
        built = builder.build(proposal)
        if built is not None:
            sets.append(built)
        errors.extend(builder.errors)
    refused = {error.location for error in errors if isinstance(error, ReceiptError)}
    return SelectedSets(
        visits=visits,
        sets=tuple(sets),
        errors=tuple(sorted(errors, key=lambda error: error.location.line or 0)),
        findings=tuple(
            finding for tags in visits for finding in _line_findings(tags, claimed, refused)
        ),
    )


def _line_findings(
    tags: VisitTags, claimed: Collection[int], refused: Collection[Location]
) -> Iterator[Finding]:
    """Yield a finding for lines that are no tag, and receipts without one that no error says."""
    for location, message in tags.near_misses():
        yield STRAY_TAG.finding(message, location)
    receipts = {
        exposure: receipt
        for exposure, _ in tags.slots
        if exposure.node not in claimed and (receipt := tags.receipt(exposure)) is not None
    }
    for exposure, message in uncovered_receipts(receipts):
        location = tags.location(exposure)
        if location not in refused:
            yield UNCOVERED_RECEIPTS.finding(message, location)


def _too_many_exposures(tags: VisitTags) -> AptDitherError:
    return RefusalError(
        f"the visit has {len(tags.slots)} exposures; at most {MAX_VISIT_EXPOSURES} are handled: "
        "remove its tags, or split the visit",
        location=tags.location(),
    )


def _repeated_numbers(
    tags: VisitTags, visit_numbers: Mapping[str, int]
) -> Iterator[AptDitherError]:
    number = tags.visit.number
    if visit_numbers[number] > 1:
        yield ProposalError(
            f"two visits are numbered {number}; give each its own number in APT",
            location=tags.location(),
        )
    counts = Counter(exposure.number for exposure, _ in tags.slots)
    repeated = sorted(number for number, count in counts.items() if count > 1)
    if repeated:
        yield ProposalError(
            f"exposure number {', '.join(map(repr, repeated))} occurs more than once in "
            "this visit; give each exposure its own number in APT",
            location=tags.location(),
        )
