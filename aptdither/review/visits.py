"""Rules about one setup and target over all visits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np

from aptdither.dither.phases import chains
from aptdither.findings import Message, Severity, rule
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.joint import is_turned
from aptdither.review.options import ReviewContext
from aptdither.review.phrases import joined

#: Exposures of a setup over all visits that are compared at the most: comparing costs the square.
_MOST_COMPARED = 1000


@rule(
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
        yield (
            own[0].exposures.location,
            (
                f"visits {joined([*numbers, *again])} observe {own[0].exposures.target} through "
                f"{own[0].exposures.setup.text} at the same {distinct} pixel phases: "
                f"{len(phases)} exposures have the sampling of {distinct}, since {joined([*again])} "
                "repeats what the others have; give the tags of these visits one id= and run "
                "aptdither apply"
            ),
        )


PROGRAM_RULES = (repeated_visits,)
