"""The results of ``check``: lines for people, objects for machines.

A :class:`CheckedFile` is plain data, so that it can come from another process; it holds what every
format needs and nothing of numpy or XML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aptdither.findings import Finding, Rule, Severity
from aptdither.report.json import findings_as_json
from aptdither.report.sanitize import safe_line, utf8_text
from aptdither.report.summary import STYLES, counted, location_of
from aptdither.review.rules import RULES

#: Longest message that is printed; a proposal can hold words of any length.
MESSAGE_LIMIT = 2000

_INDENT = " " * 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """One file and its findings.

    Its name is as given or found below a given folder; its sets are as in the JSON report, where
    they were requested; the findings are by visit, line and code; the error is why it could not be
    checked. It is supported if it has exposures of a supported detector.
    """

    path: str
    sha256: str | None = None
    groups: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    is_supported: bool = True


def checked_as_json(checked: CheckedFile) -> dict[str, Any]:
    """Return the object of one file, with ``error`` where the file could not be checked."""
    report: dict[str, Any] = {
        "input": {"path": utf8_text(checked.path), "sha256": checked.sha256},
        "groups": list(checked.groups),
        "findings": findings_as_json(checked.findings),
    }
    if checked.error is not None:
        report["error"] = utf8_text(checked.error)
    return report


def print_checked(console: Console, checked: CheckedFile) -> None:
    """Print the findings of one file, grouped by visit; nothing when there are none."""
    if not checked.findings:
        return
    # One text for the whole file: most of the time of an archive's review is printing.
    parts: list[tuple[str, str]] = [(f"{safe_line(checked.path)}\n", "bold")]
    width = max(20, console.width - len(_INDENT))
    for visit, findings in groupby(checked.findings, key=lambda finding: finding.visit):
        if visit is not None:
            parts += [("  ", ""), (f"Visit {safe_line(visit)}", "underline"), ("\n", "")]
        for finding in findings:
            parts += _parts_of(finding, width)
    if console.color_system is None:
        console.file.write("".join(text for text, _ in parts))
    else:
        console.print(Text.assemble(*parts), soft_wrap=True, end="")


def _parts_of(finding: Finding, width: int) -> Iterator[tuple[str, str]]:
    yield "    ", ""
    yield f"{finding.code} {finding.severity}", STYLES[finding.severity]
    where = location_of(finding, with_visit=False)
    if where:
        yield f"  {where}", "dim"
    message = safe_line(finding.message, limit=MESSAGE_LIMIT)
    yield "".join(f"\n{_INDENT}{line}" for line in _wrapped(message, width)) + "\n", ""


def _wrapped(message: str, width: int) -> Iterator[str]:
    """Yield lines of whole words; a word that is longer than a line is cut (textwrap: 5 x slower)."""
    line = ""
    for word in message.split():
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
        while len(line) > width:
            yield line[:width]
            line = line[width:]
    yield line


def summary_line(
    counts: Mapping[str, int],
    *,
    files: int,
    with_findings: int = 0,
    unsupported: int = 0,
    failed: int = 0,
) -> str:
    """Return the summary of a run.

    >>> summary_line({}, files=3, unsupported=1)
    '3 files checked, 1 without supported exposures, no findings'
    >>> summary_line({"ADT301": 2}, files=3, with_findings=1, failed=1)
    '3 files checked, 1 not readable, 2 findings in 1 file (2 warnings)'
    """
    by_severity: Counter[Severity] = Counter()
    for code, count in counts.items():
        by_severity[RULES[code].severity] += count
    found = "no findings"
    if by_severity:
        kinds = ", ".join(counted(by_severity[s], s.value) for s in Severity if by_severity[s])
        total = counted(sum(by_severity.values()), "finding")
        found = f"{total} in {counted(with_findings, 'file')} ({kinds})"
    parts = [
        f"{counted(files, 'file')} checked",
        f"{failed} not readable" if failed else "",
        f"{unsupported} without supported exposures" if unsupported else "",
        found,
    ]
    return ", ".join(part for part in parts if part)


def statistics_table(counts: Mapping[str, int]) -> Table:
    """Return the number of findings of each code, the most frequent first."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        rule = RULES[code]
        severity = Text(rule.severity, style=STYLES[rule.severity])
        table.add_row(str(count), code, severity, rule.title)
    return table


def print_explanation(console: Console, rule: Rule) -> None:
    """Print what a code means."""
    console.print(
        Text.assemble(
            (f"{rule.code} {rule.severity}", STYLES[rule.severity]),
            f": {rule.title}\n\n{rule.explanation}\n\n",
            (f"Source: {rule.source}", "dim"),
        )
    )
