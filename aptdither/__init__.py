"""Sub-pixel dithers for HST proposals: from a tag in APT to explicit POS TARGs.

Three steps; none reads or writes a file::

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
    from aptdither.planning.options import Options, SetOptions
    from aptdither.planning.plan import Plan, make_plan

#: The modules that define the other public names, light ones first. They are imported when a name
#: is first used (PEP 562), since ``aptdither --help`` must not import numpy and lxml.
_MODULES = (
    "aptdither.errors",
    "aptdither.apt.proposal",
    "aptdither.apt.reader",
    "aptdither.apt.writer",
    "aptdither.optics.aperture",
    "aptdither.optics.filters",
    "aptdither.dither.pattern",
    "aptdither.dither.catalog",
    "aptdither.dither.coverage",
    "aptdither.dither.optimizer.optimize",
    "aptdither.planning.options",
    "aptdither.planning.plan",
)

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
    """Return a public name from the module that defines it."""
    if name in __all__:
        for module in map(import_module, _MODULES):
            value = vars(module).get(name)
            if getattr(value, "__module__", None) == module.__name__:
                return value
    raise AttributeError(f"module 'aptdither' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
