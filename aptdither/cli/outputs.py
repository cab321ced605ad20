"""Where changed proposals go, and what is printed of them: what `apply` and `strip` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptdither.cli import options as opt
from aptdither.cli.options import option
from aptdither.errors import AptDitherError, Location, UsageError, raise_all

if TYPE_CHECKING:
    from rich.console import Console

    from aptdither.apt.proposal import Proposal
    from aptdither.io.files import Source, Written

#: By command, what stands before ``.apt`` in the default names of its outputs, and then in those
#: that it is not meant to read where their origin is given too.
WORDS = {"apply": ("dithered", "stripped"), "strip": ("stripped",)}


@dataclass(frozen=True, slots=True)
class OutputInputs:
    """Options for the output of a command that changes proposals."""

    output: str | None = option(
        None, "Write to this file; - is standard output.", "OUT.apt", names="-o --output"
    )
    in_place: bool = option(False, "Overwrite IN.apt; keep IN.apt.bak.")
    force: bool = opt.FORCE
    dry_run: bool = option(False, "Report; write nothing.")
    diff: bool = option(False, "Print a diff instead of the summary.")
    check: bool = option(False, "Write nothing; exit 1 if a file would change.")
    fmt: opt.Format = opt.FORMAT

    @property
    def may_write(self) -> bool:
        """Whether anything is written."""
        return not (self.dry_run or self.check)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a command makes of one proposal."""

    #: As read.
    proposal: Proposal
    #: The new file.
    new: bytes
    #: Whether there was anything to do; if not, nothing is written unless ``-o`` is given.
    has_work: bool
    #: Returns the report, given what was read and what was written.
    as_json: Callable[[Source, Written | None], dict[str, Any]]
    #: Prints the summary.
    print_text: Callable[[Console], None]
    #: Lines for standard error.
    notes: Iterable[str] = ()


def change_files(
    names: Sequence[str], outputs: OutputInputs, command: str, change: Callable[[Source], Change]
) -> int:
    """Change proposals, and return the exit code; a file with an error does not stop the others.

    The errors of all files are raised together. "-" is standard input; `command` is a key of
    :data:`WORDS`; `change` plans the change of one proposal.
    """
    names = list(dict.fromkeys(names))
    _check_usage(names, outputs)
    is_alone, is_json = len(names) == 1, outputs.fmt is opt.Format.JSON
    names = _without_outputs(names, WORDS[command])
    reports: list[dict[str, Any]] = []
    errors: list[AptDitherError] = []
    changed = 0
    for name in names:
        try:
            one = _File(name, outputs, WORDS[command][0], change)
        except AptDitherError as error:
            errors.append(error)
            reports.append({"input": {"path": name, "sha256": None}, "error": str(error)})
            continue
        changed += one.is_changed
        if is_json:
            reports.append(one.change.as_json(one.source, one.written))
        else:
            one.print(with_name=not is_alone)
        for line in (*one.change.notes, *one.outcome()):
            opt.print_status(line)
    if is_json and not is_alone:
        from aptdither.report.json import header

        opt.print_json({**header(command), "files": reports})
    elif is_json and not errors:
        opt.print_json(reports[0])
    raise_all(errors)
    return opt.EXIT_FINDINGS if outputs.check and changed else opt.EXIT_FINE


def _check_usage(names: Sequence[str], outputs: OutputInputs) -> None:
    from aptdither.io.files import STANDARD

    is_piped, has_report = STANDARD in names, outputs.diff or outputs.fmt is opt.Format.JSON
    targets = names if outputs.output is None else [outputs.output]
    if outputs.in_place and outputs.output is not None:
        raise UsageError("give either -o or --in-place, not both")
    if outputs.diff and outputs.fmt is opt.Format.JSON:
        raise UsageError("give either --diff or --format json, not both")
    if len(names) > 1 and outputs.output is not None:
        raise UsageError("-o takes one proposal; without it each gets an output of its own")
    if is_piped and (len(names) > 1 or outputs.in_place):
        raise UsageError("- is standard input: give it alone, and without --in-place")
    if outputs.may_write and has_report and STANDARD in targets:
        raise UsageError(
            "standard output holds the proposal; for --diff or --format json give -o FILE or "
            "--dry-run"
        )


def _without_outputs(names: Sequence[str], words: Sequence[str]) -> list[str]:
    """Leave out what an earlier run made of another of these files: ``*.apt`` finds that too."""
    from aptdither.io.files import default_output

    made = {default_output(name, word) for name in names for word in words}
    skipped = [name for name in names if Path(name) in made]
    if skipped:
        opt.print_status(f"skipped, since their origin is given too: {', '.join(skipped)}")
    return [name for name in names if name not in skipped]


class _File:
    """One file, read, changed and written; errors name it."""

    def __init__(
        self, name: str, outputs: OutputInputs, word: str, change: Callable[[Source], Change]
    ) -> None:
        from aptdither.io import files

        self.outputs = outputs
        self.source = files.read_input(name)
        force, may_write = outputs.force, outputs.may_write
        self.target: str | Path = outputs.output or files.default_output(name, word)
        if outputs.in_place or (outputs.output is None and name == files.STANDARD):
            self.target = name
        is_named = outputs.output is not None or name == files.STANDARD
        if may_write and is_named:
            # A search can take a minute, so this comes first. Without a name it is not known yet
            # whether anything will be written.
            files.check_output(self.target, source=self.source, force=force)
        try:
            self.change = change(self.source)
        except AptDitherError as error:
            raise error.located(Location(path=self.source.name)) from error
        new = self.change.new
        self.is_changed = new != self.source.data
        self.written: Written | None = None
        if may_write and outputs.in_place and self.is_changed:
            self.written = files.replace_input(self.source, new, force=force)
        elif may_write and not outputs.in_place and (self.change.has_work or is_named):
            self.written = files.write_output(self.target, new, source=self.source, force=force)

    def print(self, *, with_name: bool) -> None:
        """Print the diff or the summary, the latter beside a proposal on standard output."""
        from aptdither.io.files import STANDARD
        from aptdither.report.sanitize import safe_line, safe_text

        if self.outputs.diff:
            from aptdither.report.diff import unified_diff

            encoding = self.change.proposal.document.source_encoding
            names = (self.source.path, self.target)
            text = unified_diff(self.source.data, self.change.new, encoding=encoding, names=names)
            # Unsafe characters are escaped for a terminal only: another program needs the exact text.
            sys.stdout.write(safe_text(text) if sys.stdout.isatty() else text)
        elif not opt.TERMINAL.get().quiet:
            is_taken = self.outputs.may_write and self.target == STANDARD
            console = opt.stderr_console() if is_taken else opt.stdout_console()
            if with_name:
                name = safe_line(self.source.name)
                console.print(name, style="bold", markup=False, soft_wrap=True)
            self.change.print_text(console)

    def outcome(self) -> Iterator[str]:
        """Yield lines that say which file was written, or why none was."""
        name = self.source.name
        if self.written is not None:
            same = "" if self.is_changed else ", identical to the input"
            kept = f"; the original is in {self.written.backup}" if self.written.backup else ""
            if self.target != "-":
                yield f"wrote {self.target}{same}{kept}"
            if self.is_changed:
                yield (
                    "the orbit plan of the changed visits is out of date: run the Orbit Planner "
                    "in APT"
                )
        elif not self.change.has_work:
            yield f"{name}: nothing was written"
        elif not self.is_changed:
            yield f"{name} is dithered already: nothing to change"
        else:
            yield (
                f"{name} would change"
                if self.outputs.check
                else f"{name}: dry run, nothing was written"
            )
