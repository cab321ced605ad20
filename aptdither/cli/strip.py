"""``aptdither strip``: a proposal without its dithers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptdither.cli import options as opt
from aptdither.cli.options import option
from aptdither.cli.outputs import Change, OutputInputs, change_files

if TYPE_CHECKING:
    from rich.console import Console

    from aptdither.apt.changes import VisitChange
    from aptdither.io.files import Source, Written


def strip_dithers(
    outputs: OutputInputs,
    proposals: list[str] = opt.PROPOSALS,
    tags: bool = option(False, "Take the @dither lines out too."),
    all_visits: bool = option(False, "Strip completed visits too."),
    catalog: Path | None = opt.CATALOG,
) -> int:
    """Take out again what apply wrote.

    Receipts go, the POS TARGs that they explain go back to what they were, and copies that apply
    made go, where they were not edited. IN.apt gives IN.stripped.apt, and - standard output. The
    tags stay, unless --tags is given. Exit codes are those of apply.
    """
    from aptdither.apt.reader import parse_proposal
    from aptdither.dither.catalog import load_catalog
    from aptdither.planning.strip import strip_proposal

    known = load_catalog(catalog)

    def change(source: Source) -> Change:
        from aptdither.report.json import files_as_json, header
        from aptdither.report.summary import counted

        parsed = parse_proposal(source.data, path=source.name)
        stripped = strip_proposal(parsed, tags=tags, all_visits=all_visits, catalog=known)
        visits = [_visit(one) for one in stripped.changes]

        def as_json(source: Source, written: Written | None) -> dict[str, Any]:
            files = files_as_json(source, written)
            return {**header("strip"), **files, "visits": visits, "notes": list(stripped.notes)}

        def print_text(console: Console) -> None:
            if not visits:
                console.print("There is nothing to take out.")
            for one in visits:
                line = f"Visit {one['visit']}: {counted(len(one['stripped']), 'exposure')} stripped"
                if one["removed"]:
                    line += f", copies removed: {', '.join(one['removed'])}"
                console.print(line, markup=False)

        return Change(
            proposal=parsed,
            new=stripped.new,
            has_work=bool(visits),
            as_json=as_json,
            print_text=print_text,
            notes=stripped.notes,
        )

    return change_files(proposals, outputs, "strip", change)


def _visit(change: VisitChange) -> dict[str, Any]:
    """Return the numbers of the exposures that were changed, and that went."""
    from aptdither.report.sanitize import safe_line

    return {
        "visit": safe_line(change.visit.number),
        "stripped": [safe_line(one.number) for one in change.exposures if one.dropped],
        "removed": [safe_line(one.number) for one in change.removed],
    }
