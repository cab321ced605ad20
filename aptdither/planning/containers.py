"""Prime and parallel: groups whose exposures of two instruments are taken at the same time.

APT's prime and parallel container is one pointing: the instrument of its first exposure is the
prime, and the POS TARG of its exposures moves both instruments.
"""

from __future__ import annotations

from collections.abc import Iterator

from aptdither.apt.patterns import is_pattern_group
from aptdither.apt.proposal import Exposure, ExposureGroup


def is_container(group: ExposureGroup) -> bool:
    """Tell whether a group holds two instruments, without being one that runs an APT pattern.

    The words that APT uses for such a group are not known. Two instruments in one group are taken
    for one: two channels of the same instrument never observe at the same time, two instruments do.
    """
    if is_pattern_group(group):
        return False
    return len({exposure.instrument for exposure in _exposures_in(group)}) > 1


def first_of(container: ExposureGroup) -> Exposure:
    """Return the first exposure of a container: its instrument is the prime."""
    return next(_exposures_in(container))


def parallels_of(container: ExposureGroup) -> tuple[Exposure, ...]:
    """Return the exposures of a container that are of another instrument than its first."""
    prime = first_of(container).instrument
    return tuple(one for one in _exposures_in(container) if one.instrument != prime)


def is_unclear_parallel(group: ExposureGroup) -> bool:
    """Tell whether a group says that it is a parallel, and does not show which is the prime."""
    return "parallel" in (group.type or "").lower() and not is_container(group)


def _exposures_in(group: ExposureGroup) -> Iterator[Exposure]:
    waiting = list(reversed(group.children))
    while waiting:
        child = waiting.pop()
        if isinstance(child, ExposureGroup):
            waiting.extend(reversed(child.children))
        else:
            yield child
