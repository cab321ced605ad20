"""What a plan costs a visit: the slews of all its exposures before and after, orbit by orbit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from aptdither.apt.changes import VisitChange
from aptdither.dither.phases import slew_seconds
from aptdither.errors import Location
from aptdither.findings import Finding, Rule, Severity
from aptdither.planning.pointings import Pointing, VisitPointings, pointing_of

#: Slews added to an orbit that are said to be able to push it over, seconds. Chosen: 4 % of the
#: about 50 minutes that a target is visible in an orbit; a compact dither of 4 adds half of it.
MUCH_SECONDS = 120.0

MORE_TIME = Rule(
    code="ADT410",
    severity=Severity.NOTE,
    title="the dither may not fit its orbit",
    explanation="Reported by `apply`. Copies of exposures were made, or slews of 2 minutes or more "
    "are added to one orbit, by the orbit numbers that the file has. How full an orbit is, the file "
    "does not say: run the Orbit Planner in APT.",
    source="COS Instrument Handbook 9.2 (a move under 1.25 arcsec takes 20 s, under 10 arcsec 30 s, "
    "under 90 arcsec 60 s)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitTime:
    """The slew overhead of a visit, by the handbook's table.

    The moves between consecutive exposures of one target with one detector count.
    """

    visit: str
    before_seconds: float
    after_seconds: float


def visit_times(
    changes: Sequence[VisitChange], observed: Mapping[int, VisitPointings]
) -> tuple[list[VisitTime], list[Finding]]:
    """Return the slew overhead of each visit that changes, and what may not fit its orbit.

    `observed` is what the visits do as they stand, by the node of the visit.
    """
    times: list[VisitTime] = []
    findings: list[Finding] = []
    for change in changes:
        before: list[Pointing] = []
        for exposures in observed[change.visit.node].sets:
            if exposures.prime is None:  # parallels move with their primes
                before += exposures.pointings
        before.sort(key=lambda one: one.when)
        taken: defaultdict[int | None, list[Pointing]] = defaultdict(list)
        for one in before:
            taken[one.exposure.node if one.exposure else None].append(one)
        after: list[Pointing] = []
        for new in change.exposures:
            if new.pos_targ is None:
                after += taken[new.source.node]
            else:
                after.append(pointing_of(new, new.pos_targ))
        old, seconds = _by_orbit(before), _by_orbit(after)
        number, line = change.visit.number, change.visit.line
        times.append(
            VisitTime(
                visit=number,
                before_seconds=sum(old.values()),
                after_seconds=sum(seconds.values()),
            )
        )
        copies = sum(new.copy > 0 and not new.is_split for new in change.exposures)
        more = {orbit: seconds[orbit] - old.get(orbit, 0.0) for orbit in seconds}
        worst = max(more, key=lambda orbit: more[orbit], default=0)
        most = more.get(worst, 0.0)
        if copies or most >= MUCH_SECONDS:
            parts = [f"{copies} more exposures"] if copies else []
            parts += [f"{most:.0f} s more of slews in orbit {worst}"] if most > 0 else []
            message = (
                f"the dither adds {' and '.join(parts)}: run the Orbit Planner in APT, and see "
                "whether the orbits hold them"
            )
            findings.append(MORE_TIME.finding(message, Location(visit=number, line=line)))
    return times, findings


def _by_orbit(pointings: Iterable[Pointing]) -> dict[int, float]:
    """Return the slew overhead in each orbit, seconds; a move counts for the orbit it ends in."""
    seconds: dict[int, float] = {}
    for one, other in pairwise(pointings):
        first, second = one.exposure, other.exposure
        if first is None or second is None:
            continue
        if (first.target_name, first.config) == (second.target_name, second.config):
            cost = slew_seconds([one.pos_targ.xy_arcsec, other.pos_targ.xy_arcsec])
            orbit = other.orbit or 1
            seconds[orbit] = seconds.get(orbit, 0.0) + cost
    return seconds
