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
from pathlib import Path
from typing import TYPE_CHECKING

from aptdither.cli import options as opt
from aptdither.cli.options import argument, option
from aptdither.errors import AptDitherError, UsageError
from aptdither.findings import Selection, Severity

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from aptdither.report.check import CheckedFile
    from aptdither.review.reviewer import Reviewer, ReviewOptions

_dumped = functools.partial(json.dumps, allow_nan=False)

#: What workers import before they get their first file.
PRELOAD = ("aptdither.cli.check", "aptdither.review.reviewer", "aptdither.report.check")


class CheckFormat(StrEnum):
    """How ``check`` prints its findings."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    SARIF = "sarif"


def check_proposals(
    paths: list[str] | None = argument(
        None, "Proposals, and folders to search for .apt files; - is standard input.", "IN.apt|DIR"
    ),
    fmt: CheckFormat = option(
        CheckFormat.TEXT, "text, json, jsonl (one line per file), sarif (2.1.0).", names="--format"
    ),
    select: list[str] | None = option(None, "Report only these codes or prefixes.", "CODES"),
    ignore: list[str] | None = option(None, "Skip these codes or prefixes.", "CODES"),
    size: str | None = opt.SIZE,
    snr: str | None = opt.SNR,
    fail_on: Severity = option(Severity.WARNING, "Exit 1 for findings of this severity or worse."),
    strict: bool = option(False, "The same as --fail-on note."),
    exit_zero: bool = option(False, "Exit 0 even if there are findings."),
    statistics: bool = option(False, "Count the findings of each code."),
    jobs: int = option(1, "Number of processes (0: all cores).", "N", names="-j --jobs", min=0),
    dask: str | None = option(None, "Use a Dask cluster that sees the same files.", "ADDRESS"),
    catalog: Path | None = opt.CATALOG,
    distortion: Path | None = opt.DISTORTION,
    explain: str | None = option(None, "Explain a code.", "CODE"),
    codes: bool = option(False, "Print the table of all codes, in Markdown."),
) -> int | None:
    """Review the dithering of proposals.

    Exit codes: 0 no findings, or notes only (see --fail-on); 1 findings; 2 usage error; 3 a file
    could not be checked (the others are).
    """
    from aptdither.review.rules import RULES, rule_of, rules_as_markdown

    if codes:
        sys.stdout.write(rules_as_markdown())
        return None
    if explain is not None:
        from aptdither.report.check import print_explanation

        print_explanation(opt.stdout_console(), rule_of(explain))
        return None
    from aptdither.dither.catalog import load_catalog
    from aptdither.io.batch import default_jobs
    from aptdither.io.files import STANDARD
    from aptdither.review.reviewer import ReviewOptions

    if not paths:
        raise UsageError("give a proposal or a folder of them: aptdither check IN.apt")
    if STANDARD in paths and (len(paths) > 1 or dask is not None):
        raise UsageError("- is standard input: give it alone, and without --dask")

    options = ReviewOptions(
        size=opt.read_word("size", size),
        snr=opt.read_word("snr", snr),
        selection=Selection.of(select or (), ignore or (), RULES),
        catalog=catalog,
        distortion=distortion,
    )
    # Errors of these files are reported once, before any proposal is read.
    load_catalog(catalog)
    opt.require_distortion(distortion)
    writer = _Writer(fmt, statistics=statistics)
    with_groups = fmt in (CheckFormat.JSON, CheckFormat.JSONL)
    work = functools.partial(check_file, options=options, with_groups=with_groups)
    done = total = 0
    try:
        with ExitStack() as stack:
            executor, workers = None, jobs or default_jobs()
            if dask is not None:
                executor, workers = stack.enter_context(_dask_executor(dask))
            files, total = _checked(paths, work, jobs=workers, executor=executor)
            bar = stack.enter_context(_bar(total))
            for checked in stack.enter_context(closing(files)):
                done += 1
                bar(done, functools.partial(writer.write, checked))
        writer.finish()
    except KeyboardInterrupt:
        opt.print_error(f"stopped after {done} of {total} files")
        return opt.EXIT_INTERRUPTED
    if writer.failed:
        return opt.EXIT_INPUT
    levels = list(Severity)
    failing = levels[: levels.index(Severity.NOTE if strict else fail_on) + 1]
    has_failed = not exit_zero and any(RULES[code].severity in failing for code in writer.counts)
    return opt.EXIT_FINDINGS if has_failed else opt.EXIT_FINE


def check_file(path: str, *, options: ReviewOptions, with_groups: bool) -> CheckedFile:
    """Check one file; its error, if it has one, is in the result.

    With `with_groups` the evaluated groups are, too, with the effect of pointing errors.
    """
    from aptdither.apt.reader import parse_proposal
    from aptdither.io import files
    from aptdither.planning.refusals import is_supported
    from aptdither.report.check import CheckedFile
    from aptdither.report.json import group_as_json

    sha256 = None
    try:
        source = files.read_input(path)
        sha256 = source.sha256
        proposal = parse_proposal(source.data)
        review = _reviewer(options).review(proposal)
        groups = tuple(group_as_json(group) for group in review.groups if with_groups)
    except AptDitherError as error:
        error.location = replace(error.location, path=None)  # printed with the file's name
        return CheckedFile(path=path, sha256=sha256, error=str(error))
    exposures = (one for visit in proposal.visits for one in visit.exposures)
    return CheckedFile(
        path=path,
        sha256=sha256,
        groups=groups,
        findings=review.findings,
        is_supported=any(map(is_supported, exposures)),
    )


@functools.lru_cache(maxsize=1)
def _reviewer(options: ReviewOptions) -> Reviewer:
    """Return this process's reviewer, which remembers its evaluations."""
    from aptdither.review.reviewer import Reviewer

    return Reviewer(options)


def _checked(
    paths: Sequence[str],
    work: Callable[[str], CheckedFile],
    *,
    jobs: int,
    executor: Executor | None,
) -> tuple[Generator[CheckedFile, None, None], int]:
    """Return the checked files in order, and their number."""
    from aptdither.io.batch import Outcome, find_proposals, map_in_order
    from aptdither.report.check import CheckedFile

    listed = find_proposals(paths)
    if not listed:
        opt.print_status(f"no .apt file below {', '.join(paths)}")
    names = [one.item for one in listed if one.error is None]
    # Workers elsewhere have other working directories.
    items = [os.path.abspath(name) for name in names] if executor is not None else names  # noqa: PTH100

    def checked() -> Generator[CheckedFile, None, None]:
        outcomes: Generator[Outcome[CheckedFile], None, None] = map_in_order(
            work, items, jobs=jobs, executor=executor, preload=PRELOAD
        )
        with closing(outcomes):
            for one in listed:
                outcome = next(outcomes) if one.error is None else None
                if outcome is not None and outcome.value is not None:
                    yield replace(outcome.value, path=one.item)
                else:
                    yield CheckedFile(path=one.item, error=(outcome or one).error)

    return checked(), len(listed)


class _Writer:
    """Prints files as they are checked, and counts."""

    def __init__(self, fmt: CheckFormat, *, statistics: bool) -> None:
        self.fmt = fmt
        self.statistics = statistics
        self.console = opt.stdout_console()
        self.counts: Counter[str] = Counter()
        self.files = self.with_findings = self.failed = self.unsupported = 0
        self._kept: list[CheckedFile] = []

    def write(self, checked: CheckedFile) -> None:
        """Print one file."""
        from aptdither.report.check import checked_as_json, print_checked

        self.counts.update(finding.code for finding in checked.findings)
        self.with_findings += bool(checked.findings)
        self.unsupported += not checked.is_supported
        if checked.error is not None:
            self.failed += 1
            opt.print_error(f"{checked.path}: {checked.error}")
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
        from aptdither.report.check import statistics_table, summary_line

        if self.fmt is CheckFormat.JSON:
            counted = f', "statistics": {_dumped(self.counts)}' if self.statistics else ""
            sys.stdout.write(f"{'' if self.files else _json_head()}]{counted}}}\n")
        elif self.fmt is CheckFormat.SARIF:
            from aptdither.report.sarif import sarif_log

            opt.print_json(sarif_log(self._kept))
        if self.statistics and self.counts and self.fmt is not CheckFormat.JSON:
            is_text = self.fmt is CheckFormat.TEXT
            console = self.console if is_text else opt.stderr_console()
            if is_text:
                console.print()
            console.print(statistics_table(self.counts))
        if self.fmt is CheckFormat.TEXT:
            opt.print_status(
                summary_line(
                    self.counts,
                    files=self.files - self.failed,
                    with_findings=self.with_findings,
                    unsupported=self.unsupported,
                    failed=self.failed,
                )
            )


def _json_head() -> str:
    from aptdither.report.json import header

    return f'{_dumped(header("check"))[:-1]}, "files": [\n'


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, Callable[[], None]], None]]:
    """Yield a function that prints a file while the progress bar on standard error is hidden."""
    if not sys.stderr.isatty() or total < 2:
        yield lambda done, write: write()
        return
    from rich import progress

    columns = (
        progress.TextColumn("checking"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    # Standard output may be a pipe, so the bar must not redirect it.
    with progress.Progress(
        *columns, console=opt.stderr_console(), transient=True, redirect_stdout=False
    ) as bar:
        task = bar.add_task("checking", total=total)

        def aside(done: int, write: Callable[[], None]) -> None:
            bar.update(task, completed=done)
            if sys.stdout.isatty():
                bar.stop()
            write()
            if sys.stdout.isatty():
                bar.start()

        yield aside


@contextmanager
def _dask_executor(address: str) -> Iterator[tuple[Executor, int]]:
    """Yield the executor of a Dask cluster and its number of cores."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--dask needs an extra: pip install 'aptdither[dask]'") from error
    try:
        client = Client(address, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask cluster at {address}: {error}") from error
    with client:
        cores = sum(client.ncores().values())
        if not cores:
            raise UsageError(f"the Dask cluster at {address} has no workers")
        yield client.get_executor(), cores
