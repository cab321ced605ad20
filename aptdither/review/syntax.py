"""Rules about what is written: tags, values, references, numbers, the orbit plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.tags import parse_comments
from aptdither.dither.catalog import Catalog
from aptdither.errors import AptDitherError, Location, ProposalError, TagError
from aptdither.findings import Finding
from aptdither.planning.plan import cluster_sizes
from aptdither.planning.pointings import ObservedVisit
from aptdither.planning.selection import is_supported


def check_numbers(proposal: Proposal, visits: Iterable[ObservedVisit]) -> Iterator[Finding]:
    """Yield ADT106 for numbers that occur twice; only visits that can be dithered matter."""
    visit_numbers = Counter(visit.number for visit in proposal.visits)
    told = set()
    for observed in visits:
        visit = observed.visit
        if visit_numbers[visit.number] > 1 and visit.number not in told:
            told.add(visit.number)
            yield Finding.of(
                "ADT106",
                f"{visit_numbers[visit.number]} visits are numbered {visit.number!r}; give each "
                "its own number in APT",
                _of_visit(visit),
            )
        numbers = Counter(exposure.number for exposure in visit.exposures)
        for exposure in visit.exposures:
            count = numbers.pop(exposure.number, 1)
            if count > 1:
                yield Finding.of(
                    "ADT106",
                    f"{count} exposures are numbered {exposure.number!r}; give each its own number "
                    "in APT",
                    _of_exposure(visit, exposure),
                )


def check_values(observed: ObservedVisit) -> Iterator[Finding]:
    """Yield ADT104, ADT105 and ADT108: what cannot be read, leads nowhere or cannot be followed."""
    visit = observed.visit
    for exposure in visit.exposures:
        if not is_supported(exposure):
            continue
        for problem in exposure.problems:
            yield Finding.of(
                "ADT104",
                f"{problem.field} is {problem.found!r}; allowed: {problem.allowed}",
                Location(visit=visit.number, exposure=exposure.number, line=problem.line),
            )
        tags = observed.comments[exposure.node]
        for text in tags.bad_receipts:
            yield Finding.of(
                "ADT104",
                f"{text!r} is not a receipt that aptdither wrote",
                _of_exposure(visit, exposure),
            )
        if len(tags.receipts) > 1:
            yield Finding.of(
                "ADT406",
                f"the Comments hold {len(tags.receipts)} receipts; an exposure is one point",
                _of_exposure(visit, exposure),
            )
    for unjudged in observed.unjudged:
        first, *others = unjudged.exposures
        also = f" (also {_listed(others)})" if others else ""
        if unjudged.is_missing:
            yield Finding.of("ADT105", f"{unjudged.reason}{also}", _of_exposure(visit, first))
        else:
            yield Finding.of(
                "ADT108", f"not judged: {unjudged.reason}{also}", _of_exposure(visit, first)
            )


def check_tags(
    observed: ObservedVisit, catalog: Catalog, told: Iterable[Finding]
) -> Iterator[Finding]:
    """Yield ADT101, ADT102, ADT103 and ADT109; what was told of an exposure is not told again."""
    visit = observed.visit
    yield from _strays(observed)
    known = {(finding.exposure, finding.line) for finding in told if finding.code != "ADT108"}
    for error in observed.errors:
        location = error.location.inside(_of_visit(visit))
        if isinstance(error, TagError):
            yield Finding.of("ADT101", error.message, location)
        elif not isinstance(error, ProposalError):
            yield Finding.of("ADT103", error.message, location)
        elif (location.exposure, location.line) not in known:
            yield Finding.of("ADT104", error.message, location)
    seen: set[int] = set()
    for observed_set in observed.sets:
        dither_set = observed_set.dither_set
        if dither_set is None or id(dither_set) in seen:
            continue
        seen.add(id(dither_set))
        refused = False
        for setup, units in dither_set.by_setup().items():
            try:
                cluster_sizes(dither_set.request, setup, units, catalog)
            except AptDitherError as error:
                refused = True
                yield Finding.of(
                    "ADT103", f"{dither_set.tag!r}: {error.message}", dither_set.location
                )
        if not refused and not observed_set.has_receipts:
            exposures = [unit.exposure for unit in dither_set.units]
            one = len(exposures) == 1
            yield Finding.of(
                "ADT109",
                f"{'exposure' if one else 'exposures'} {_listed(exposures)} "
                f"{'is' if one else 'are'} tagged {dither_set.tag!r} and not dithered yet; run "
                "aptdither apply",
                dither_set.location,
            )


def check_plan(observed: ObservedVisit) -> Iterator[Finding]:
    """Yield ADT405."""
    visit = observed.visit
    if (visit.tic_data_current or "").lower() == "false" and visit.status.lower() != "completed":
        yield Finding.of(
            "ADT405",
            "TicDataCurrent is false: orbit numbers and overheads are those of an earlier version;"
            " run the Orbit Planner in APT",
            _of_visit(visit),
        )


def _strays(observed: ObservedVisit) -> Iterator[Finding]:
    visit = observed.visit
    try:
        of_visit = parse_comments(visit.comments).strays
    except AptDitherError:  # told with the visit's errors
        of_visit = ()
    held = [(_of_visit(visit), stray) for stray in of_visit]
    for exposure in visit.exposures:
        tags = observed.comments.get(exposure.node)
        if tags is not None:
            held += [(_of_exposure(visit, exposure), stray) for stray in tags.strays]
    for location, stray in held:
        yield Finding.of(
            "ADT102",
            f"{stray[:120]!r} is not read as a tag: @dither must be the first word of its line",
            location,
        )


def _of_visit(visit: Visit) -> Location:
    return Location(visit=visit.number, line=visit.line)


def _of_exposure(visit: Visit, exposure: Exposure) -> Location:
    return Location(visit=visit.number, exposure=exposure.number, line=exposure.line)


def _listed(exposures: Iterable[Exposure]) -> str:
    """List exposure numbers: all of a few, the ends of many."""
    numbers = [exposure.number for exposure in exposures]
    if len(numbers) <= 6:
        return ", ".join(numbers)
    return f"{', '.join(numbers[:2])}, ... {numbers[-1]} ({len(numbers)})"
