"""Findings about a proposal, and the rules that make them.

A rule is a code with its severity, title, explanation and source, and the function that looks for
it. :mod:`aptdither.review.rules` lists all rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from aptdither.errors import MAX_MESSAGE, NOWHERE, Location, UsageError, shortened


class Severity(StrEnum):
    """How much a finding matters, worst first.

    Error: cannot have been meant. Warning: poor, although it may be intended. Note: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of a rule: a line with the numbers, and where in the file that was read.

    `code` is stable: ``ADT`` and three digits. `line` is 1-based.
    """

    code: str
    severity: Severity
    message: str
    visit: str | None = None
    exposure: str | None = None
    line: int | None = None


#: Location and text of a finding, as the function of a rule yields them.
Message: TypeAlias = tuple[Location, str]

#: The function of a rule: what it looks at is listed with the rules of its module.
Check: TypeAlias = Callable[..., Iterable[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A code, its meaning, and the function that looks for it.

    Calling a rule with what it looks at yields its findings.

    Attributes
    ----------
    code : str
        ``ADT`` and three digits; the first digit is the family: 1 syntax, 2 sampling, 3 moves,
        4 positions.
    title, explanation : str
        A few words; what it means, when it is reported, what to do.
    source : str
        The document that it rests on.
    check : callable
        Yields a location and a message for each finding; nothing for a rule of planning.
    """

    code: str
    severity: Severity
    title: str
    explanation: str
    source: str
    check: Check = field(default=lambda *_subject: (), repr=False)

    def __call__(self, *subject: Any) -> Iterator[Finding]:
        """Yield the findings of this rule about `subject`."""
        for location, message in self.check(*subject):
            yield self.finding(message, location)

    def checked_by(self, check: Check) -> Rule:
        """Return this rule with the function `check`; a decorator."""
        return replace(self, check=check)

    def finding(self, message: str, location: Location = NOWHERE) -> Finding:
        """Return a finding of this rule at `location`.

        Examples
        --------
        >>> rule = Rule(code='ADT999', severity=Severity.WARNING, title='', explanation='', source='')
        >>> rule.finding('move it', Location(visit='01', line=7)).severity.value
        'warning'
        """
        return Finding(
            code=self.code,
            severity=self.severity,
            message=shortened(message, MAX_MESSAGE),
            visit=location.visit,
            exposure=location.exposure,
            line=location.line,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which codes are wanted, by their prefixes: those to keep (none for all), and those to drop.

    The longest prefix that fits decides, so ``select=("ADT201",), ignore=("ADT2",)`` keeps ADT201;
    at equal length `ignore` wins.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def of(cls, select: Iterable[str], ignore: Iterable[str], codes: Collection[str]) -> Selection:
        """Read prefixes of some of all `codes` as they are typed: in any case, joined by commas.

        Raises
        ------
        UsageError
            If a prefix fits no code.

        Examples
        --------
        >>> "ADT202" in Selection.of(["adt2"], ["ADT201"], ["ADT201", "ADT202"])
        True
        """
        return cls(select=_prefixes(select, codes), ignore=_prefixes(ignore, codes))

    def __contains__(self, code: str) -> bool:
        """Tell whether a code is wanted."""
        kept = max((len(p) for p in self.select or ("",) if code.startswith(p)), default=-1)
        dropped = max((len(p) for p in self.ignore if code.startswith(p)), default=-1)
        return kept > dropped


def _prefixes(texts: Iterable[str], codes: Collection[str]) -> tuple[str, ...]:
    prefixes = [word.strip().upper() for text in texts for word in text.split(",") if word.strip()]
    for prefix in prefixes:
        if not any(code.startswith(prefix) for code in codes):
            raise UsageError(f"no code begins with {prefix!r}; allowed: {', '.join(codes)}")
    return tuple(dict.fromkeys(prefixes))
