"""The command line: parse, call, render, exit code.

Each command has a room of its own here; what they share (option types, consoles, the way from an
error to an exit code) is in :mod:`aptdither.cli.options`. Working rooms are imported inside the
commands, so that ``--help`` stays quick.
"""

from __future__ import annotations

from aptdither.cli.app import app, run

__all__ = ["app", "run"]
