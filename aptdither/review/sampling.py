"""Rules about phases: what the exposures of a set sample, where the target lands and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from aptdither.findings import Finding
from aptdither.planning.evaluation import DitherGroup
from aptdither.review.reference import CatalogReference
from aptdither.types import FloatArray, RegionKind

#: Efficiency at the worst place that a set may lack against the catalogue's best: the stock 4-point
#: box, of which ISR WFC3 2016-14 (section 4) says that it is hard to improve on, lacks 0.015.
MARGIN = 0.02

#: The same for the packing distance, as a ratio.
PACKING_RATIO = 0.5

#: A pattern loses coherence when two phases come to less than this part of their distance at the
#: centre, and of what is possible. The 3-point line comes to 0.44, the box to 0.87.
COHERENCE_RATIO = 0.5

#: Part of the band that is lost for "cannot be recovered at all".
ALL_LOST = 0.9


def check_phases(group: DitherGroup, reference: CatalogReference) -> Iterator[Finding]:
    """Yield what is to be said about the phases of one set."""
    if group.n < 2:
        return
    repeats = [*_repeated_places(group, reference), *_repeated_phases(group, reference)]
    yield from repeats
    yield from _below_possible(group, reference, cause_is_told=bool(repeats))
    yield from _incoherent(group)
    yield from _unrecoverable(group, reference)


def _repeated_phases(group: DitherGroup, reference: CatalogReference) -> Iterator[Finding]:
    """ADT201."""
    phases, places = group.evaluation.distinct_phases, group.evaluation.distinct_pointings
    if len(phases) >= group.wanted_phases or len(places) < 2:
        return
    together = [members for members in phases if len(members) > 1]
    pairs = "; ".join(
        f"{group.exposures.label(i)} and {group.exposures.label(j)} ({_apart(group, i, j)})"
        for i, j in (pair for members in together for pair in _nearest_pair(group, members))
    )
    yield Finding.of(
        "ADT201",
        f"{group.n} exposures of {group.exposures.setup.text} have only {_count(len(phases), 'distinct phase')} "
        f"where the target lands: exposures {_cut(pairs)}{_advice(group, reference)}",
        group.exposures.location,
    )


def _repeated_places(group: DitherGroup, reference: CatalogReference) -> Iterator[Finding]:
    """ADT205; what SamePosAs repeats is ADT402's."""
    own = [
        i
        for i, shot in enumerate(group.exposures.pointings)
        if shot.exposure.node not in group.exposures.followers
        or len(group.evaluation.distinct_pointings) == 1
    ]
    groups = [[i for i in members if i in own] for members in group.evaluation.distinct_pointings]
    repeated = [members for members in groups if len(members) > 1]
    if not repeated:
        return
    iterated = {
        shot.exposure.number: shot.exposure.iterations
        for shot in group.exposures.pointings
        if shot.exposure.iterations > 1
    }
    how = ""
    if iterated:
        listed = ", ".join(f"exposure {key} by {count}" for key, count in iterated.items())
        how = f" (NumberOfIterations repeats {_cut(listed)})"
    if len(group.evaluation.distinct_pointings) == 1:
        says = f"all {group.n} exposures of {group.exposures.setup.text} are at one pointing{how}"
    else:
        listed = "; ".join(
            ", ".join(group.exposures.label(i) for i in members) for members in repeated
        )
        says = (
            f"{group.n} exposures of {group.exposures.setup.text} are at {len(group.evaluation.distinct_pointings)} pointings"
            f"{how or f': the same place has {_cut(listed)}'}"
        )
    yield Finding.of("ADT205", f"{says}{_advice(group, reference)}", group.exposures.location)


def _below_possible(
    group: DitherGroup, reference: CatalogReference, *, cause_is_told: bool
) -> Iterator[Finding]:
    """ADT202."""
    worst = group.coverage.worst
    if cause_is_told or (
        # No pattern has more than all: most sets need no look into the catalogue.
        worst.efficiency >= 1 - MARGIN and worst.packing_of_limit >= PACKING_RATIO
    ):
        return
    better = reference.tight(group)
    if better is None:
        return
    possible = better.coverage.worst
    lacks = worst.efficiency < possible.efficiency - MARGIN
    crowded = group.n <= 9 and worst.packing_of_limit < PACKING_RATIO * possible.packing_of_limit
    if not lacks and not crowded:
        return
    center = group.coverage.center
    yield Finding.of(
        "ADT202",
        f"{group.n} exposures of {group.exposures.setup.text}: efficiency {worst.efficiency:.3f} at the worst "
        f"place of the region ({center.efficiency:.3f} where the target lands), phases as near as "
        f"{worst.packing:.2f} pixel ({worst.packing_of_limit:.2f} of the limit); "
        f"{better.choice.name} has {possible.efficiency:.3f} and {possible.packing:.2f} "
        f"({possible.packing_of_limit:.2f}) there",
        group.exposures.location,
    )


def _incoherent(group: DitherGroup) -> Iterator[Finding]:
    """ADT204."""
    coverage = group.coverage
    center, worst = coverage.center, coverage.worst
    if (
        group.n > 9
        or len(group.evaluation.distinct_phases) < group.n
        or worst.packing >= COHERENCE_RATIO * center.packing
        or worst.packing_of_limit >= COHERENCE_RATIO
    ):
        return
    at = int(np.argmin(coverage.packing))
    x, y = coverage.field.x_pix[at], coverage.field.y_pix[at]
    i, j = _closest(coverage.phases[at])
    span = group.evaluation.distances[-1][0]
    yield Finding.of(
        "ADT204",
        f"{group.n} exposures of {group.exposures.setup.text} over {span:.1f} pixels: well spread where the "
        f"target lands (E {center.efficiency:.3f}, phases {center.packing:.2f} pixel apart), but "
        f"at {_where(group, float(x), float(y))} exposures {group.exposures.label(i)} and "
        f"{group.exposures.label(j)} come to {worst.packing:.2f} pixel, {worst.packing_of_limit:.2f} of "
        f"what is possible (E {coverage.efficiency[at]:.3f}){_density(coverage.phases[at])}",
        group.exposures.location,
    )


def _unrecoverable(group: DitherGroup, reference: CatalogReference) -> Iterator[Finding]:
    """ADT203."""
    if group.coverage.center.lost_fraction < ALL_LOST:
        return
    better = reference.tight(group)
    if better is None or better.coverage.center.lost_fraction < ALL_LOST:
        return
    enough = next(
        (
            n
            for n in range(group.n + 1, 10)
            if (more := reference.tight(group, n)) is not None
            and more.coverage.center.lost_fraction < 0.1
        ),
        None,
    )
    way_out = f"; {enough} exposures can" if enough else ""
    yield Finding.of(
        "ADT203",
        f"{group.n} exposures cannot recover the band of {group.element.name}, wherever they are "
        f"placed: over {better.coverage.center.lost_fraction:.0%} of it more aliases fold onto a "
        f"frequency than there are exposures{way_out}",
        group.exposures.location,
    )


def _advice(group: DitherGroup, reference: CatalogReference) -> str:
    """Say what as many exposures could have, if that is more."""
    better, coverage = reference.tight(group), group.coverage
    if better is None:
        return ""
    now, possible = coverage.worst.efficiency, better.coverage.worst.efficiency
    if possible < now + 0.005:
        return ""
    return (
        f"; efficiency at the worst place {now:.3f}, where {better.choice.name} has {possible:.3f}"
    )


def _where(group: DitherGroup, x_pix: float, y_pix: float) -> str:
    """Name a place of the readout in words and pixels."""
    readout = group.aperture.readout

    def third(value: float, low: float, high: float, names: tuple[str, str, str]) -> str:
        part = (value - low) / (high - low)
        return names[0] if part < 0.25 else names[2] if part > 0.75 else names[1]

    across = third(x_pix, readout.x_min, readout.x_max, ("left", "", "right"))
    up = third(y_pix, readout.y_min, readout.y_max, ("lower", "", "upper"))
    if across and up:
        name = f"the {up}-{across} corner"
    elif across or up:
        edge = {"lower": "bottom", "upper": "top"}.get(up, across)
        name = f"the {edge} edge"
    else:
        name = "the middle"
    if group.region.kind is RegionKind.FULL:
        return f"{name} of the detector ({x_pix:.0f}, {y_pix:.0f})"
    return f"pixel ({x_pix:.0f}, {y_pix:.0f})"


def _density(phases: FloatArray) -> str:
    """Say how unevenly phases (N, 2) fill the pixel, where it is worth saying."""
    n = len(phases)
    best, axis = max(
        (sum(((phase - start) % 1.0) < 0.5 for phase in phases[:, axis]), "xy"[axis])
        for axis in (0, 1)
        for start in phases[:, axis]
    )
    if best <= n / 2 + 1:
        return ""
    return (
        f"; the sampling is much denser at one side of the pixel: {best} of {n} phases in one half "
        f"in {axis}"
    )


def _closest(phases: FloatArray) -> tuple[int, int]:
    def distance(pair: tuple[int, int]) -> float:
        step = phases[pair[0]] - phases[pair[1]]
        return float(np.hypot(*(step - np.rint(step))))

    return min(combinations(range(len(phases)), 2), key=distance)


def _nearest_pair(group: DitherGroup, members: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    phases = group.coverage.center_phases[list(members)]
    i, j = _closest(phases)
    yield members[i], members[j]


def _apart(group: DitherGroup, i: int, j: int) -> str:
    phase = group.coverage.center_phases[i] - group.coverage.center_phases[j]
    phase = phase - np.rint(phase)
    step = group.evaluation.pixels[i] - group.evaluation.pixels[j]
    return f"{np.hypot(*phase):.2f} pixel apart modulo 1, {np.hypot(*step):.1f} on the detector"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _cut(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else f"{text[:limit].rsplit(';', 1)[0]}; ..."
