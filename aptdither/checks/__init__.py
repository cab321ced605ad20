"""Proposal review: what is wrong with the dithering of a proposal, in words for a review.

:mod:`aptdither.observed` says where every exposure points; :mod:`aptdither.checks.review` judges the
sets and runs the rules over them. A rule is a function that yields findings; its code, severity
and explanation stand in :mod:`aptdither.findings`.

reading   what is written: tags, values, references, numbers, the orbit plan
phases    what the phases of a set are worth over the region
steps     the moves: artifacts, guide stars, orbits
places    how APT combines positions: SamePosAs, patterns and POS TARGs, origins, receipts
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aptdither.checks.options import ReviewOptions

if TYPE_CHECKING:
    from aptdither.checks.review import Review, Reviewer

__all__ = ["Review", "ReviewOptions", "Reviewer"]


def __getattr__(name: str) -> Any:
    """Import what reviews when it is asked for: a process that only hands out files needs none."""
    if name in ("Review", "Reviewer"):
        from aptdither.checks import review

        return getattr(review, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
