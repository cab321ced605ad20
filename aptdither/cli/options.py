"""What the commands share: options, printing, and exit codes of errors."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, get_type_hints

import typer

from aptdither.errors import AptDitherError, CatalogError, OpticsError, TagError, UsageError
from aptdither.types import Progress, Region, Spacing

if TYPE_CHECKING:
    from rich.console import Console

    from aptdither.dither.catalog import Catalog
    from aptdither.planning.evaluation import DitherGroup

EXIT_FINE = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
#: What a shell reports of a program that Ctrl-C ended.
EXIT_INTERRUPTED = 130

#: Largest coordinate that an option accepts, arcsec or pixels.
FARTHEST = 1e6

#: Longest line on standard error, characters: a list of exposures can have 100,000.
LONGEST_LINE = 8_000

#: Most errors that are listed: a file can have one on each of 100,000 lines.
MOST_LINES = 200


class Format(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


def option(names: str, text: str, **settings: Any) -> Any:
    """Return an option, from its names (separated by spaces) and its help text."""
    return typer.Option(*names.split(), help=text, **settings)


# Options that several commands have.
FormatOption = Annotated[Format, option("--format", "Print text or JSON.")]
SeedOption = Annotated[int, option("--seed", "Seed of all random numbers.", min=0, metavar="N")]
ForceOption = Annotated[bool, option("--force", "Overwrite an existing file.")]
FileOption = Annotated[
    str | None, option("-o --output", "Write to this file; - is standard output.", metavar="FILE")
]
CatalogOption = Annotated[
    Path | None, option("--catalog", "Also use the patterns of this ECSV file.", metavar="FILE")
]
DistortionOption = Annotated[
    Path | None,
    option("--distortion", "IDCTAB (FITS) instead of the SIAF distortion.", metavar="FILE"),
]
DetailsOption = Annotated[bool, option("--details", "Print all figures, and explain them.")]
SizeOption = Annotated[
    str | None,
    option("--size", "Region: full, point, or a diameter: 30arcsec, 150pix.", metavar="SIZE"),
]
SnrOption = Annotated[
    str | None, option("--snr", "Signal to noise of one exposure (default 10).", metavar="S/N")
]
ViewsOption = Annotated[
    list[str] | None,
    option(
        "--view",
        "A detector that sees the dither; the first is the prime, repeat for others.",
        metavar="CONFIG:APERTURE:ELEMENT[:SIZE]",
    ),
]
SpacingOption = Annotated[
    str | None,
    option("--spacing", "Smallest step: tight, wide, 12pix, 1.5arcsec.", metavar="STEP"),
]
ConfigOption = Annotated[
    str | None,
    option("--config", "Config, where the aperture does not say it.", metavar="WFC3/IR"),
]
ApertureOption = Annotated[
    str | None, option("--aperture", "APT aperture: IR, IR-FIX, UVIS2-C512C-SUB.", metavar="NAME")
]
ElementOption = Annotated[
    str | None, option("--element", "Spectral element: F160W, G141.", metavar="NAME")
]
PostargsOption = Annotated[
    str | None, option("--postargs", "POS TARGs, arcsec.", metavar='"X,Y ..."')
]
PatternsOption = Annotated[
    list[str] | None, option("--pattern", "A catalog pattern; may be repeated.", metavar="NAME")
]
PostargsListOption = Annotated[
    list[str] | None,
    option("--postargs", "POS TARGs, arcsec; may be repeated.", metavar='"X,Y ..."'),
]
ProposalsArgument = Annotated[
    list[str],
    typer.Argument(metavar="IN.apt", help="Proposals, as saved by APT; - is standard input."),
]
ProposalOption = Annotated[
    str | None,
    option("--proposal", "The exposures of a proposal; - is standard input.", metavar="IN.apt"),
]
VisitOption = Annotated[
    str | None, option("--visit", "One visit of the proposal (default: all).", metavar="NUMBER")
]
GroupOption = Annotated[
    int | None, option("--group", "Only this group, counted from 1.", min=1, metavar="N")
]


@dataclass(frozen=True, slots=True)
class Terminal:
    """What every command prints, and how."""

    no_color: Annotated[bool, option("--no-color", "No color (NO_COLOR is honored).")] = False
    quiet: Annotated[bool, option("-q --quiet", "Print results and errors only.")] = False
    verbose: Annotated[bool, option("-v --verbose", "Print versions and times too.")] = False


#: The options of the command that runs.
TERMINAL: ContextVar[Terminal] = ContextVar("terminal", default=Terminal())  # noqa: B039  frozen


class _Trimmed:
    """A stream that leaves out the blanks with which rich fills up lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._stream.write(re.sub(" +\n", "\n", text))


def stdout_console() -> Console:
    """Return the console for results: standard output."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave the message to :func:`command`."""
            raise BrokenPipeError

    file: Any = None if sys.stdout.isatty() else _Trimmed(sys.stdout)
    return Output(file=file, no_color=TERMINAL.get().no_color or None, highlight=False)


def stderr_console() -> Console:
    """Return the console for warnings, errors and progress: standard error."""
    from rich.console import Console

    file: Any = None if sys.stderr.isatty() else _Trimmed(sys.stderr)
    no_color = TERMINAL.get().no_color or None
    return Console(stderr=True, file=file, no_color=no_color, highlight=False)


def print_status(text: str) -> None:
    """Print one line on standard error, unless ``--quiet`` is given."""
    if not TERMINAL.get().quiet:
        _print_line(text)


def print_error(text: str) -> None:
    """Print one line on standard error, in red."""
    _print_line(f"aptdither: {text}", style="red")


def _print_line(text: str, *, style: str = "") -> None:
    from rich.text import Text

    from aptdither.report.sanitize import safe_line

    stderr_console().print(Text(safe_line(text, limit=LONGEST_LINE), style=style), soft_wrap=True)


def print_json(report: object) -> None:
    """Print a report as JSON on standard output, and nothing else."""
    import json

    sys.stdout.write(json.dumps(report, indent=1, allow_nan=False) + "\n")
    sys.stdout.flush()


def versions() -> str:
    """Return the version of aptdither, and of the SIAF that it carries."""
    import json
    from importlib.resources import files

    from aptdither.version import __version__

    data = files("aptdither").joinpath("data", "wfc3ir-apertures.json").read_text("utf-8")
    return f"aptdither {__version__} (HST SIAF {json.loads(data)['provenance']['version']})"


def command(function: Callable[..., Any]) -> Callable[..., None]:
    """Return what typer runs: a command with all its options, whose errors are one line each.

    A parameter that is a dataclass stands for an option for each field: typer reads options from
    the signature of a function, and without this each command would list what it shares.
    """
    own = inspect.signature(function, eval_str=True).parameters
    groups = {name: one.annotation for name, one in own.items() if is_dataclass(one.annotation)}
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = {name: _options_of(kind) for name, kind in {**groups, "": Terminal}.items()}
    alone = [one.replace(kind=keyword) for name, one in own.items() if name not in groups]
    options = [one for name in groups for one in shared[name]] + alone + shared[""]

    def wrapper(**values: Any) -> None:
        def read(name: str, kind: Any) -> Any:
            return kind(**{one.name: values.pop(one.name) for one in shared[name]})

        terminal = read("", Terminal)
        given = {name: read(name, kind) for name, kind in groups.items()}
        token, start = TERMINAL.set(terminal), os.times()
        try:
            code = _exit_code(lambda: function(**given, **values))
            if terminal.verbose:
                end = os.times()
                cpu = end.user + end.system
                print_status(
                    f"{versions()}; {end.elapsed - start.elapsed:.2f} s, {cpu:.2f} s of CPU"
                )
        finally:
            TERMINAL.reset(token)
        raise typer.Exit(code)

    wrapper.__doc__, wrapper.__name__ = function.__doc__, function.__name__
    wrapper.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {one.name: one.annotation for one in options}
    return wrapper


def _options_of(kind: Any) -> list[inspect.Parameter]:
    """Return a keyword parameter for each field of a dataclass."""
    hints, keyword = get_type_hints(kind, include_extras=True), inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(one.name, keyword, annotation=hints[one.name], default=one.default)
        for one in fields(kind)
    ]


def _exit_code(run: Callable[[], int | None]) -> int:
    """Run a command; print expected errors on standard error, and return the exit code."""
    try:
        code = run()
        sys.stdout.flush()
    except AptDitherError as error:
        lines = error.lines()
        for line in lines[:MOST_LINES]:
            print_error(line)
        if len(lines) > MOST_LINES:
            print_error(f"and {len(lines) - MOST_LINES} more errors")
        for note in error.notes():
            print_error(note)
        return error.exit_code
    except KeyboardInterrupt:
        print_error("stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Otherwise Python prints a message of its own when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print_error("standard output was closed before the report was complete")
        return EXIT_USAGE
    except OSError as error:
        # Errors of files are OutputError or InputError: this one is from standard output.
        print_error(f"the report could not be written: {error.strerror or error}")
        return EXIT_USAGE
    return code or EXIT_FINE


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """Yield a progress callback that draws a bar; None where standard error is no terminal."""
    if TERMINAL.get().quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress as Bar

    with Bar(console=stderr_console(), transient=True) as bar:
        task = bar.add_task(label, total=1.0)

        def report(fraction: float, words: str) -> None:
            bar.update(task, completed=fraction, description=words or label)

        yield report


def print_result(fmt: Format, as_json: Callable[[], object], as_text: Callable[[], object]) -> None:
    """Print a result: the report `as_json()` as JSON, or what rich shows of `as_text()`."""
    if fmt is Format.JSON:
        print_json(as_json())
    else:
        stdout_console().print(as_text())


def print_groups(
    command: str, groups: Sequence[DitherGroup], fmt: Format, *, seed: int, details: bool = False
) -> None:
    """Print evaluated groups as text or as JSON."""
    from aptdither.report import json, text

    if fmt is Format.JSON:
        print_json(json.groups_report(command, groups, seed=seed))
    else:
        text.print_groups(stdout_console(), groups, details=details)


def write_file(path: str | Path, content: str | bytes, *, force: bool, hint: str = "") -> None:
    """Write a result to a file, and report it on standard error; "-" is standard output."""
    from aptdither.io import files

    data = content.encode() if isinstance(content, str) else content
    files.write_output(path, data, force=force)
    if path != files.STANDARD:
        print_status(f"wrote {path}{hint}")


def open_catalog(path: Path | None) -> Catalog:
    """Return the built-in catalog, with the patterns of a user's file added."""
    from aptdither.dither.catalog import load_catalog

    return load_catalog(path)


@contextmanager
def as_usage_error() -> Iterator[None]:
    """Turn errors about a name on the command line into usage errors."""
    try:
        yield
    except (CatalogError, OpticsError, TagError) as error:
        # An unusable file keeps its exit code 3.
        if error.location.path is not None:
            raise
        raise UsageError(error.message) from error


def require_distortion(path: Path | None) -> None:
    """Raise the error of an unusable distortion file before any work starts."""
    if path is not None:
        from aptdither.optics.idctab import load_idctab

        load_idctab(path)


def parse_size_option(text: str | None) -> Region | None:
    """Read ``--size`` with the grammar of the tag; None when it is not given."""
    from aptdither.apt.tags import parse_size

    with as_usage_error():
        return None if text is None else parse_size(text)


def parse_spacing_option(text: str | None) -> Spacing | None:
    """Read ``--spacing`` with the grammar of the tag; None when it is not given."""
    from aptdither.apt.tags import parse_spacing

    with as_usage_error():
        return None if text is None else parse_spacing(text)


def parse_snr_option(text: str | None) -> float | None:
    """Read ``--snr`` with the grammar of the tag; None when it is not given."""
    from aptdither.apt.tags import parse_tag

    with as_usage_error():
        return None if text is None else parse_tag(f"@dither snr={text}").request.snr


def parse_pairs(text: str, option: str) -> list[tuple[float, float]]:
    """Read ``"0,0 0.542,0.182"``.

    Raises
    ------
    UsageError
        Lists every word that is not a pair of finite numbers.
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
            '"0,0 0.542,0.182", with a comma between x and y and a space between pairs'
        )
    return pairs
