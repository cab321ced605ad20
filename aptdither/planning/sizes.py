"""How many points the exposures of a setup have, and those that a receipt tells."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aptdither.apt.limits import MAX_POINTS
from aptdither.apt.tags import DitherRequest
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import split_counts
from aptdither.errors import RefusalError
from aptdither.planning.dither_sets import Member
from aptdither.types import Setup


def cluster_sizes(
    request: DitherRequest, setup: Setup, members: Sequence[Member], catalog: Catalog
) -> tuple[int, ...]:
    """Return the number of points of each cluster; their sum is the number of exposures.

    A RefusalError says that the exposures do not fit the number of points, or the pattern.
    """
    # Without n= an exposure that was expanded keeps its copies; beside others they are exposures.
    m = sum(member.runs + len(member.copies) for member in members)
    of_pattern = catalog.get(request.pattern).n if request.pattern is not None else None
    n = request.n or of_pattern or m
    if any(member.parallels for member in members):
        _require_containers(len(members), m, n, request)
    if expands(members):
        m = 1
    if m != 1 and m % n:
        requested = f"n={n}"
        if not request.n and of_pattern is not None:
            requested = f"the {n} points of {request.pattern}"
        raise RefusalError(
            f"{m} exposures of {setup.text} do not fit {requested}; allowed: 1 exposure (it is "
            f"expanded to {n}), {n}, or a multiple of {n}"
        )
    total = n if m == 1 else m
    if total > MAX_POINTS:
        raise RefusalError(
            f"{total} exposures of {setup.text} are to be dithered together; at most {MAX_POINTS} "
            "can be: give each cluster a group of its own"
        )
    if of_pattern is None:
        return split_counts(n) * (total // n)
    if total % of_pattern:
        raise RefusalError(
            f"pattern {request.pattern} has {of_pattern} points, and {total} exposures of "
            f"{setup.text} are no multiple of that; give n={of_pattern} or another pattern"
        )
    return (of_pattern,) * (total // of_pattern)


def _require_containers(containers: int, m: int, n: int, request: DitherRequest) -> None:
    """Refuse prime and parallel containers that do not fit: one is a pointing and is not copied."""
    if m > containers:
        raise RefusalError(
            "a prime and parallel container is one pointing, and its exposures repeat; set their "
            "NumberOfIterations to 1"
        )
    if containers % n:
        there = "there is 1" if containers == 1 else f"there are {containers}"
        tag_it = "" if request.id else "add id=a to its tag and then "
        raise RefusalError(
            f"{n} points need as many prime and parallel containers, or a multiple, and {there}: a "
            f"container is one pointing and is not copied; in APT {tag_it}duplicate the container "
            f"until there are {n}: the copies have the tag, too, and become points of one set"
        )


def expands(members: Sequence[Member]) -> bool:
    """Tell whether the exposures of one setup are one exposure, and copies that were made of it."""
    return len(members) == 1 and members[0].runs == 1


def sizes_of(pattern: str, total: int, catalog: Catalog) -> tuple[int, ...] | None:
    """Return the sizes of the clusters that a receipt stands for, by its pattern and total.

    The pattern is one name, or several joined by ``+``. Of those that the catalog does not have the
    number at the end of the name counts. None where the name does not say it.
    """
    counts: list[int] = []
    for name in pattern.split("+"):
        number = re.search(r"-([1-9][0-9]?)$", name)
        if name in catalog:
            counts.append(catalog.get(name).n)
        elif number is not None:
            counts.append(int(number[1]))
        else:
            return None
    if len(counts) == 1:
        clusters, rest = divmod(total, counts[0])
        return None if rest else (counts[0],) * clusters
    sizes = split_counts(total)
    return sizes if set(sizes) == set(counts) else None
