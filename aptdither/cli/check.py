"""``aptdither check``: proposal review."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.options import (
    EXIT_FINDINGS,
    EXIT_FINE,
    EXIT_INPUT,
    CatalogOption,
    DistortionOption,
    NoColorOption,
    SizeOption,
    exit_on_error,
    open_catalog,
    print_status,
    require_distortion,
    stderr_console,
    stdout_console,
)
from aptdither.errors import AptDitherError, UsageError
from aptdither.findings import Selection
from aptdither.types import Region

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from aptdither.report.check import CheckedFile
    from aptdither.review.options import ReviewOptions
    from aptdither.review.reviewer import Reviewer

#: What a shell says of a program that Ctrl-C ended.
EXIT_INTERRUPTED = 130

#: What workers import before they get their first file.
PRELOAD = ("aptdither.cli.check", "aptdither.review.reviewer", "aptdither.report.check")


class CheckFormat(StrEnum):
    """How ``check`` prints what it finds."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    SARIF = "sarif"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("check")(check_proposals)


@exit_on_error
def check_proposals(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN.apt|DIR...", help="Proposals, and folders to look through for .apt files."
        ),
    ] = None,
    fmt: Annotated[
        CheckFormat,
        typer.Option("--format", help="text, json, jsonl (one line a file) or sarif (2.1.0)."),
    ] = CheckFormat.TEXT,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select", metavar="CODES", help="Comma-separated codes or prefixes to report."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="CODES", help="Comma-separated codes or prefixes to skip."
        ),
    ] = None,
    size: SizeOption = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit 0 even if there are findings.")
    ] = False,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Count the findings of each code.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, metavar="N", help="Processes; 0: all cores.")
    ] = 1,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Run on a Dask cluster, whose workers see the same files.",
        ),
    ] = None,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="CODE", help="Explain a code.")
    ] = None,
    codes: Annotated[
        bool, typer.Option("--codes", help="Print the table of all codes, in Markdown.")
    ] = False,
    no_color: NoColorOption = False,
) -> int:
    """Review the dithering of proposals.

    Exit codes: 0 nothing found, 1 findings, 2 usage, 3 a file could not be checked (the others
    are).
    """
    from aptdither.review.rules import RULES, rule_of, rules_as_markdown

    if codes:
        sys.stdout.write(rules_as_markdown())
        return EXIT_FINE
    if explain is not None:
        from aptdither.report.check import print_explanation

        print_explanation(stdout_console(no_color=no_color), rule_of(explain))
        return EXIT_FINE
    if not paths:
        raise UsageError("give a proposal or a folder of them: aptdither check IN.apt")

    from aptdither.io.batch import default_jobs
    from aptdither.review.options import ReviewOptions

    options = ReviewOptions(
        size=_parse_size(size),
        selection=Selection.of(select or (), ignore or (), RULES),
        catalog=catalog,
        distortion=distortion,
    )
    # What is wrong with these is said once, before any file is read.
    if catalog is not None:
        open_catalog(catalog)
    require_distortion(distortion)
    writer = _Writer(fmt, statistics=statistics, no_color=no_color)
    work = functools.partial(
        check_file,
        options=options,
        with_groups=fmt in (CheckFormat.JSON, CheckFormat.JSONL),
    )
    done = total = 0
    try:
        with ExitStack() as stack:
            executor, workers = None, jobs or default_jobs()
            if dask is not None:
                executor, workers = stack.enter_context(_dask_executor(dask))
            files, total = _checked(paths, work, jobs=workers, executor=executor)
            bar = stack.enter_context(_bar(total))
            stream = stack.enter_context(closing(files))
            for checked in stream:
                done += 1
                with bar(done):
                    writer.write(checked)
        writer.finish()
    except KeyboardInterrupt:
        print_status(f"aptdither: stopped after {done} of {total} files")
        return EXIT_INTERRUPTED
    return writer.exit_code(exit_zero=exit_zero)


def check_file(path: str, *, options: ReviewOptions, with_groups: bool) -> CheckedFile:
    """Check one file; what is wrong with it is part of the answer.

    Parameters
    ----------
    path : str
        The file.
    options : ReviewOptions
        How to review.
    with_groups : bool
        Whether the judged sets are wanted too, with what pointing errors do to them.
    """
    from aptdither.apt.reader import parse_proposal
    from aptdither.io import files
    from aptdither.report.check import CheckedFile
    from aptdither.report.json import group_as_json

    sha256 = None
    try:
        source = files.read_input(path)
        sha256 = source.sha256
        proposal = parse_proposal(source.data)
        reviewer = _reviewer(options)
        review = reviewer.review(proposal)
        groups = [group_as_json(group) for group in review.groups if with_groups]
    except AptDitherError as error:
        # The file's name is said beside it.
        error.location = replace(error.location, path=None)
        message = str(error)
        return CheckedFile(path=path, sha256=sha256, error=message)
    return CheckedFile(path=path, sha256=sha256, groups=tuple(groups), findings=review.findings)


@functools.lru_cache(maxsize=1)
def _reviewer(options: ReviewOptions) -> Reviewer:
    """Return this process's reviewer, which remembers what it has judged."""
    from aptdither.review.reviewer import Reviewer

    return Reviewer(options)


def _checked(
    paths: Sequence[str],
    work: Callable[[str], CheckedFile],
    *,
    jobs: int,
    executor: Executor | None,
) -> tuple[Generator[CheckedFile, None, None], int]:
    """Return the checked files in order, and how many there will be."""
    from aptdither.io.batch import Outcome, find_proposals, map_in_order
    from aptdither.report.check import CheckedFile

    listed = find_proposals(paths)
    if not listed:
        print_status(f"no .apt file below {', '.join(paths)}")
    names = [one.path for one in listed if one.error is None]
    # Workers elsewhere have other working directories.
    items = [os.path.abspath(name) for name in names] if executor is not None else names  # noqa: PTH100

    def checked() -> Generator[CheckedFile, None, None]:
        outcomes: Generator[Outcome[CheckedFile], None, None] = map_in_order(
            work, items, jobs=jobs, executor=executor, preload=PRELOAD
        )
        with closing(outcomes):
            for one in listed:
                if one.error is not None:
                    yield CheckedFile(path=one.path, error=one.error)
                    continue
                outcome = next(outcomes)
                if outcome.value is None:
                    yield CheckedFile(path=one.path, error=outcome.error)
                else:
                    yield replace(outcome.value, path=one.path)

    return checked(), len(listed)


class _Writer:
    """Prints files as they come, and remembers what the exit code needs."""

    def __init__(self, fmt: CheckFormat, *, statistics: bool, no_color: bool) -> None:
        self.fmt = fmt
        self.statistics = statistics
        self.no_color = no_color
        self.console = stdout_console(no_color=no_color)
        self.counts: Counter[str] = Counter()
        self.files = self.with_findings = self.failed = 0
        self._kept: list[CheckedFile] = []

    def write(self, checked: CheckedFile) -> None:
        """Print one file."""
        from aptdither.report.check import checked_as_json, count_codes, print_checked

        self.counts += count_codes(checked.findings)
        self.with_findings += bool(checked.findings)
        if checked.error is not None:
            self.failed += 1
            print_status(f"aptdither: {checked.path}: {checked.error}", style="red")
        match self.fmt:
            case CheckFormat.TEXT:
                print_checked(self.console, checked)
            case CheckFormat.JSON:
                before = ",\n" if self.files else _json_head()
                sys.stdout.write(f"{before}{_dumped(checked_as_json(checked))}")
            case CheckFormat.JSONL:
                sys.stdout.write(f"{_dumped(checked_as_json(checked))}\n")
                sys.stdout.flush()
            case CheckFormat.SARIF:
                self._kept.append(checked)
        self.files += 1

    def finish(self) -> None:
        """Print what comes after the last file."""
        from rich.text import Text

        from aptdither.report.check import statistics_table, summary_line

        words = summary_line(self.counts, files=self.files, with_findings=self.with_findings)
        match self.fmt:
            case CheckFormat.TEXT:
                if self.counts:
                    self.console.print(Text(words))
                elif sys.stderr.isatty():
                    print_status(words)
            case CheckFormat.JSON:
                counted = f', "statistics": {_dumped(self.counts)}' if self.statistics else ""
                sys.stdout.write(f"{'' if self.files else _json_head()}]{counted}}}\n")
            case CheckFormat.JSONL:
                pass
            case CheckFormat.SARIF:
                from aptdither.report.sarif import sarif_log

                json.dump(sarif_log(self._kept), sys.stdout, indent=1, allow_nan=False)
                sys.stdout.write("\n")
        if self.statistics and self.counts and self.fmt is not CheckFormat.JSON:
            is_text = self.fmt is CheckFormat.TEXT
            console = self.console if is_text else stderr_console(no_color=self.no_color)
            console.print(statistics_table(self.counts))

    def exit_code(self, *, exit_zero: bool) -> int:
        """Return the exit code of the contract."""
        if self.failed:
            return EXIT_INPUT
        return EXIT_FINDINGS if self.counts and not exit_zero else EXIT_FINE


def _json_head() -> str:
    from aptdither.report.json import header

    return f'{_dumped(header("check"))[:-1]}, "files": [\n'


def _dumped(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _parse_size(text: str | None) -> Region | None:
    from aptdither.apt.tags import parse_size
    from aptdither.errors import TagError

    if text is None:
        return None
    try:
        return parse_size(text)
    except TagError as error:
        raise UsageError(f"--size {text}: {error.message}") from error


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], ExitStack]]:
    """Yield a bar on standard error that makes room while something is printed."""
    if not sys.stderr.isatty() or total < 2:
        yield lambda done: ExitStack()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Standard output is not the bar's to write: it may be a pipe.
    with Progress(*columns, console=stderr_console(), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("checking", total=total)

        def aside(done: int) -> ExitStack:
            bar.update(task, completed=done)
            stack = ExitStack()
            if sys.stdout.isatty():
                bar.stop()
                stack.callback(bar.start)
            return stack

        yield aside


@contextmanager
def _dask_executor(address: str) -> Iterator[tuple[Executor, int]]:
    """Yield the executor of a Dask cluster and how many batches it can work on at once."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--dask needs an extra: pip install 'aptdither[dask]'") from error
    try:
        client = Client(address, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask cluster answers at {address}: {error}") from error
    with client:
        cores = sum(client.ncores().values())
        if not cores:
            raise UsageError(f"the Dask cluster at {address} has no workers")
        yield client.get_executor(), cores
