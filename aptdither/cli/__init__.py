"""The command line: one module for each command, with shared options and inputs.

Commands import the rest of the package when they run, so that ``--help`` stays quick.
"""

from __future__ import annotations

from aptdither.cli.app import app, run

__all__ = ["app", "run"]
