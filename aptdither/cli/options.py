"""What every command shares: option types, consoles, errors to exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from aptdither.errors import AptDitherError, CatalogError, OpticsError, TagError, UsageError
from aptdither.types import Progress, Region, Spacing

if TYPE_CHECKING:
    from rich.console import Console

    from aptdither.dither.catalog import Catalog
    from aptdither.planning.evaluation import DitherGroup

P = ParamSpec("P")

EXIT_FINE = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INPUT = 3

#: Farthest coordinate that an option may hold, arcsec or pixels: beyond is no sky and no detector.
FARTHEST = 1e6

#: Longest line on standard error, characters: a list of exposures can have 100,000.
LONGEST_LINE = 8_000

#: Most errors that are listed: a file can have one on each of 100,000 lines.
MOST_LINES = 200


class Format(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="Print the result as text or as JSON.")
]
NoColorOption = Annotated[
    bool, typer.Option("--no-color", help="Print without color (NO_COLOR is honored).")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Where all randomness comes from.")]
CatalogOption = Annotated[
    Path | None,
    typer.Option(
        "--catalog", metavar="FILE", help="Your own patterns (ECSV), beside the built-in catalog."
    ),
]
DistortionOption = Annotated[
    Path | None,
    typer.Option(
        "--distortion", metavar="FILE", help="An IDCTAB FITS file in place of the SIAF's model."
    ),
]
SizeOption = Annotated[
    str | None,
    typer.Option(
        "--size", help="Region that matters: full, point, or a diameter: 30arcsec, 150pix."
    ),
]
SpacingOption = Annotated[
    str | None,
    typer.Option("--spacing", help="Smallest step: tight, wide, 12pix, 1.5arcsec."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


def stdout_console(*, no_color: bool = False) -> Console:
    """Return the console for results: standard output."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to :func:`exit_on_error` to say that nobody reads any more."""
            raise BrokenPipeError

    return Output(no_color=no_color or None, highlight=False, soft_wrap=False)


def stderr_console(*, no_color: bool = False) -> Console:
    """Return the console for warnings, errors and progress: standard error."""
    from rich.console import Console

    return Console(stderr=True, no_color=no_color or None, highlight=False)


def print_status(text: str, *, style: str = "") -> None:
    """Print one line of ours on standard error; text from files is made harmless."""
    from rich.text import Text

    from aptdither.report.sanitize import safe_line

    stderr_console().print(Text(safe_line(text, limit=LONGEST_LINE), style=style), soft_wrap=True)


def print_json(report: object) -> None:
    """Print a report as JSON on standard output, and nothing else."""
    import json

    sys.stdout.write(json.dumps(report, indent=1, allow_nan=False) + "\n")
    sys.stdout.flush()


def exit_on_error(command: Callable[P, Any]) -> Callable[P, None]:
    """Turn errors of ours into lines on standard error and the exit code of the contract."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except AptDitherError as error:
            lines = error.lines()
            for line in lines[:MOST_LINES]:
                print_status(f"aptdither: {line}", style="red")
            if len(lines) > MOST_LINES:
                print_status(
                    f"aptdither: and {len(lines) - MOST_LINES} more like these", style="red"
                )
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            # Nobody reads standard output any more; keep Python from saying so at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            print_status("aptdither: standard output was closed before the report was complete")
            raise typer.Exit(EXIT_USAGE) from None
        except OSError as error:
            # What files do is caught where it happens; what is left is standard output.
            print_status(f"aptdither: the report could not be written: {error.strerror or error}")
            raise typer.Exit(EXIT_USAGE) from error
        raise typer.Exit(code or EXIT_FINE)

    return wrapper


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """Yield something to report progress to: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress as Bar

    with Bar(console=stderr_console(), transient=True) as bar:
        task = bar.add_task(label, total=1.0)

        def report(fraction: float, words: str) -> None:
            bar.update(task, completed=fraction, description=words or label)

        yield report


def print_groups(
    command: str, groups: Sequence[DitherGroup], fmt: Format, *, seed: int, no_color: bool
) -> None:
    """Print evaluated groups as text or as JSON."""
    if fmt is Format.JSON:
        from aptdither.report.json import groups_report

        print_json(groups_report(command, groups, seed=seed))
        return
    from aptdither.report import text

    text.print_groups(stdout_console(no_color=no_color), groups)


def open_catalog(path: Path | None) -> Catalog:
    """Return the built-in catalogue, with the observer's own file where there is one."""
    from aptdither.dither.catalog import load_catalog

    return load_catalog(path)


@contextmanager
def as_usage_error() -> Iterator[None]:
    """Make what was named on the command line, and does not exist, an error of usage."""
    try:
        yield
    except (CatalogError, OpticsError, TagError) as error:
        # A file that cannot be used is another thing than a name that does not exist.
        if error.location.path is not None:
            raise
        raise UsageError(error.message) from error


def require_distortion(path: Path | None) -> None:
    """Say at once, and once, if a distortion file cannot be used."""
    if path is not None:
        from aptdither.optics.idctab import require_idctab

        require_idctab(path)


def parse_size_option(text: str | None) -> Region:
    """Read ``--size`` with the grammar of the tag; the whole readout when it is not given."""
    from aptdither.apt.tags import parse_size

    with as_usage_error():
        return parse_size(text or "full")


def parse_spacing_option(text: str | None) -> Spacing | None:
    """Read ``--spacing`` with the grammar of the tag; None when it is not given."""
    from aptdither.apt.tags import parse_spacing

    with as_usage_error():
        return None if text is None else parse_spacing(text)


def parse_pairs(text: str, option: str) -> list[tuple[float, float]]:
    """Read ``"0,0 0.542,0.182"``.

    Raises
    ------
    UsageError
        Naming every word that is no pair of finite numbers.
    """
    pairs, bad = [], []
    for word in text.split():
        try:
            x, y = (float(part) for part in word.split(","))
        except ValueError:
            bad.append(word)
            continue
        if abs(x) <= FARTHEST and abs(y) <= FARTHEST:
            pairs.append((x, y))
        else:
            bad.append(word)
    if bad or not pairs:
        listed = ", ".join(map(repr, bad)) or "nothing"
        raise UsageError(
            f"{option} holds {listed}; allowed: pairs of finite numbers such as "
            '"0,0 0.542,0.182", x and y joined by a comma and pairs by blanks'
        )
    return pairs
