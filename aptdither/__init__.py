"""Sub-pixel dithers for WFC3/IR proposals: from a tag in APT to explicit POS TARGs.

The road in three steps; nothing is read from or written to a disk::

    proposal = parse_proposal(source, path="17000.apt")
    plan = make_plan(proposal)
    new_source = rewrite_proposal(proposal, plan.changes)

`new_source` is `source` itself when nothing is tagged.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aptdither.types import PosTarg, Region
from aptdither.version import __version__

#: Where each public name lives. Names are fetched when they are used: the command line's ``--help``
#: needs none of them, and they need numpy and lxml.
_HOMES = {
    "AptDitherError": "aptdither.errors",
    "Aperture": "aptdither.optics.aperture",
    "Coverage": "aptdither.dither.coverage",
    "Options": "aptdither.planning.plan",
    "Pattern": "aptdither.dither.pattern",
    "Plan": "aptdither.planning.plan",
    "PosTarg": "aptdither.types",
    "Proposal": "aptdither.apt.proposal",
    "Region": "aptdither.types",
    "SetOptions": "aptdither.planning.refusals",
    "evaluate": "aptdither.dither.coverage",
    "get_aperture": "aptdither.optics.aperture",
    "get_element": "aptdither.optics.filters",
    "load_catalog": "aptdither.dither.catalog",
    "make_plan": "aptdither.planning.plan",
    "optimize": "aptdither.dither.optimizer.optimize",
    "parse_proposal": "aptdither.apt.reader",
    "rewrite_proposal": "aptdither.apt.writer",
}

if TYPE_CHECKING:
    from aptdither.apt.proposal import Proposal
    from aptdither.apt.reader import parse_proposal
    from aptdither.apt.writer import rewrite_proposal
    from aptdither.dither.catalog import load_catalog
    from aptdither.dither.coverage import Coverage, evaluate
    from aptdither.dither.optimizer.optimize import optimize
    from aptdither.dither.pattern import Pattern
    from aptdither.errors import AptDitherError
    from aptdither.optics.aperture import Aperture, get_aperture
    from aptdither.optics.filters import get_element
    from aptdither.planning.plan import Options, Plan, make_plan
    from aptdither.planning.refusals import SetOptions

__all__ = [
    "Aperture",
    "AptDitherError",
    "Coverage",
    "Options",
    "Pattern",
    "Plan",
    "PosTarg",
    "Proposal",
    "Region",
    "SetOptions",
    "__version__",
    "evaluate",
    "get_aperture",
    "get_element",
    "load_catalog",
    "make_plan",
    "optimize",
    "parse_proposal",
    "rewrite_proposal",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from its room."""
    if name not in _HOMES:
        raise AttributeError(f"module 'aptdither' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
