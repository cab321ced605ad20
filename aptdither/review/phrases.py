"""What several rules share: words, locations, and the form of a rule about a set."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from aptdither.apt.proposal import Exposure, Visit
from aptdither.errors import Location
from aptdither.findings import Check, Message

if TYPE_CHECKING:
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.review.options import ReviewContext


def of_set(check: Callable[[DitherGroup, ReviewContext], str]) -> Check:
    """Turn a function that returns a sentence about a set, or "", into the function of a rule.

    The finding stands at the set's first exposure.
    """

    @functools.wraps(check)
    def found(group: DitherGroup, context: ReviewContext) -> Iterator[Message]:
        message = check(group, context)
        if message:
            yield group.exposures.location, message

    return found


def location_of(visit: Visit, exposure: Exposure | None = None) -> Location:
    """Return the location of a visit, or of one of its exposures."""
    if exposure is None:
        return Location(visit=visit.number, line=visit.line)
    return Location(visit=visit.number, exposure=exposure.number, line=exposure.line)


def counted(count: int, noun: str) -> str:
    """Return a count and its noun.

    Examples
    --------
    >>> counted(1, "visit"), counted(2, "visit")
    ('1 visit', '2 visits')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def exposures_listed(exposures: Iterable[Exposure]) -> str:
    """List exposure numbers, all of a few and the ends of many: ``exposures 1, 2, ... 9 (8)``."""
    numbers = [exposure.number for exposure in exposures]
    noun = "exposure" if len(numbers) == 1 else "exposures"
    if len(numbers) <= 6:
        return f"{noun} {', '.join(numbers)}"
    return f"{noun} {', '.join(numbers[:2])}, ... {numbers[-1]} ({len(numbers)})"


def joined(parts: Sequence[str], most: int = 5) -> str:
    """Join parts of a sentence, the first `most` of them.

    Examples
    --------
    >>> joined(["1, 5", "2, 6", "3, 7"], most=2)
    '1, 5; 2, 6; and 1 more'
    """
    more = [f"and {len(parts) - most} more"] if len(parts) > most else []
    return "; ".join([*parts[:most], *more])
