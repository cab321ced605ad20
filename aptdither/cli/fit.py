"""``aptdither fit``: what the telescope really did (ISR WFC3 2016-14, section 3.2)."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
