"""All rules, by what they look at and by their codes.

A new rule is one decorated function in one of the modules below: the command's ``--explain`` and
``--codes``, the SARIF driver and the README's table follow.
"""

from __future__ import annotations

from aptdither.errors import UsageError
from aptdither.findings import Rule
from aptdither.planning.consequences import FOLLOWER_MOVES, OLD_NUMBER
from aptdither.planning.joint import OTHER_ORIENT
from aptdither.planning.plan import MORE_TIME
from aptdither.review import moves, positions, sampling, syntax  # noqa: F401  their rules
from aptdither.review.context import GROUP_RULES, PROGRAM_RULES, VISIT_RULES

__all__ = ["GROUP_RULES", "PROGRAM_RULES", "VISIT_RULES"]

#: Reported where a set cannot be evaluated, because its region leaves the detector or otherwise.
OFF_DETECTOR, NOT_EVALUATED = moves.region_off_detector, syntax.not_evaluated

#: Called with a group whose tag is still to be applied: those that no dither can mend.
PENDING_RULES = (moves.region_off_detector, moves.target_off_detector)

#: Reported by planning alone.
PLANNING_RULES = (FOLLOWER_MOVES, OLD_NUMBER, OTHER_ORIENT, MORE_TIME)

#: Every rule by its code, in the order of the codes.
RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in sorted(
        (*VISIT_RULES, *GROUP_RULES, *PROGRAM_RULES, *PLANNING_RULES), key=lambda rule: rule.code
    )
}


def rule_of(code: str) -> Rule:
    """Return the rule of a code, typed in any case.

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
