"""Findings: what is worth telling about a proposal, each with a stable code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters, worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found, and where.

    Attributes
    ----------
    code : str
        Stable code, ``ADT`` and three digits.
    severity : Severity
        How much it matters.
    message : str
        One line with the numbers.
    visit, exposure : str or None
        Where; an exposure's number is the one in the file that was read.
    line : int or None
        Line in the file that was read, 1-based.
    """

    code: str
    severity: Severity
    message: str
    visit: str | None = None
    exposure: str | None = None
    line: int | None = None
