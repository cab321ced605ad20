"""All rules: what each looks at, and their codes.

A new rule is one function in one of the modules below and one entry in its tuple: the command's
``--explain`` and ``--codes``, the SARIF driver and the README's table follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aptdither.errors import UsageError
from aptdither.findings import Rule
from aptdither.planning.consequences import FOLLOWER_MOVES, OLD_NUMBER
from aptdither.planning.joint import OTHER_ORIENT
from aptdither.planning.plan import MORE_TIME
from aptdither.review import ccd, moves, positions, sampling, syntax, visits

#: Called with what the exposures of each visit do, and the :class:`ReviewContext`.
VISIT_RULES = (*syntax.VISIT_RULES, *moves.VISIT_RULES, *positions.VISIT_RULES)

#: Called with each group and the context; with one whose tag is still to be applied, those that
#: no dither can mend.
PENDING_RULES = (moves.region_off_detector, moves.target_off_detector)
GROUP_RULES = (
    *sampling.GROUP_RULES,
    *ccd.GROUP_RULES,
    *moves.GROUP_RULES,
    *positions.GROUP_RULES,
)

#: Called with all groups of a proposal and the context.
PROGRAM_RULES = visits.PROGRAM_RULES

#: Reported by planning alone.
PLANNING_RULES = (FOLLOWER_MOVES, OLD_NUMBER, OTHER_ORIENT, MORE_TIME)

#: Every rule by its code, in the order of the codes.
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.code: rule
        for rule in sorted(
            (*VISIT_RULES, *GROUP_RULES, *PROGRAM_RULES, *PLANNING_RULES),
            key=lambda rule: rule.code,
        )
    }
)


def rule_of(code: str) -> Rule:
    """Return the rule of a code, typed in any case.

    Raises
    ------
    UsageError
        If there is none.

    Examples
    --------
    >>> rule_of("adt301").severity.value
    'warning'
    """
    found = RULES.get(code.strip().upper())
    if found is None:
        raise UsageError(f"there is no code {code!r}; allowed: {', '.join(RULES)}")
    return found


def rules_as_markdown() -> str:
    """Return the table of all codes in Markdown."""
    lines = ["| code | severity | finding | source |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.code} | {r.severity} | {r.title} | {r.source} |" for r in RULES.values()]
    return "\n".join(lines) + "\n"
