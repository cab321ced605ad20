"""How severities look in a terminal."""

from __future__ import annotations

from aptdither.findings import Severity

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
