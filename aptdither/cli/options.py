"""What the commands share: options, printing, and exit codes of errors."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, get_type_hints

import typer

from aptdither.errors import AptDitherError, CatalogError, OpticsError, TagError, UsageError
from aptdither.types import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from aptdither.planning.evaluation import DitherGroup

EXIT_FINE = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
#: What a shell reports of a program that Ctrl-C ended, or that wrote into a closed pipe.
EXIT_INTERRUPTED, EXIT_CLOSED_PIPE = 130, 141

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


def option(
    default: Any, text: str, metavar: str | None = None, *, names: str = "", **more: Any
) -> Any:
    """Return an option as the default of a parameter or field; ... for one that must be given.

    Its name is that of the parameter, unless `names` are given, separated by spaces.
    """
    told = {"kind": typer.Option, "names": names, "help": text, "metavar": metavar, **more}
    return dataclasses.field(default=default, metadata=told)


def argument(default: Any, text: str, metavar: str | None = None) -> Any:
    """Return an argument as :func:`option` does."""
    return dataclasses.field(
        default=default, metadata={"kind": typer.Argument, "help": text, "metavar": metavar}
    )


# Options that several commands have.
FORMAT = option(Format.TEXT, "Print text or JSON.", names="--format")
SEED = option(0, "Seed of all random numbers.", "N", min=0)
FORCE = option(False, "Overwrite an existing file.")
FILE = option(None, "Write to this file; - is standard output.", "FILE", names="-o --output")
CATALOG = option(None, "Also use the patterns of this ECSV file.", "FILE")
DISTORTION = option(None, "IDCTAB (FITS) instead of the SIAF distortion.", "FILE")
DETAILS = option(False, "Print all figures, and explain them.")
SIZE = option(None, "Region: full, point, or a diameter: 30arcsec, 150pix.", "SIZE")
SNR = option(None, "Signal to noise of one exposure (default 10).", "S/N")
PROPOSALS = argument(..., "Proposals, as saved by APT; - is standard input.", "IN.apt")


@dataclasses.dataclass(frozen=True, slots=True)
class Terminal:
    """What every command prints, and how."""

    no_color: bool = option(False, "No color (NO_COLOR is honored).")
    quiet: bool = option(False, "Print results and errors only.", names="-q --quiet")
    verbose: bool = option(False, "Print versions and times too.", names="-v --verbose")


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
    return _console(sys.stdout, stderr=False)


def stderr_console() -> Console:
    """Return the console for warnings, errors and progress: standard error."""
    return _console(sys.stderr, stderr=True)


def _console(stream: TextIO, *, stderr: bool) -> Console:
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave a closed pipe to :func:`command`."""
            raise BrokenPipeError

    file: Any = None if stream.isatty() else _Trimmed(stream)
    no_color = TERMINAL.get().no_color or None
    return Output(stderr=stderr, file=file, no_color=no_color, highlight=False)


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
    kinds = {name: one.annotation for name, one in own.items()}
    groups = {name: kind for name, kind in kinds.items() if dataclasses.is_dataclass(kind)}
    shared = {name: _options_of(kind) for name, kind in groups.items()}
    alone = [
        _parameter(name, kinds[name], one.default)
        for name, one in own.items()
        if name not in groups
    ]
    last = _options_of(Terminal)
    options = [one for each in shared.values() for one in each] + alone + last

    def wrapper(**values: Any) -> None:
        def read(kind: Any, options: Sequence[inspect.Parameter]) -> Any:
            return kind(**{one.name: values.pop(one.name) for one in options})

        terminal = read(Terminal, last)
        given = {name: read(groups[name], each) for name, each in shared.items()}
        token, start = TERMINAL.set(terminal), os.times()
        try:
            code = _exit_code(lambda: function(**given, **values))
            if terminal.verbose:
                end = os.times()
                cpu, elapsed = end.user + end.system, end.elapsed - start.elapsed
                print_status(f"{versions()}; {elapsed:.2f} s, {cpu:.2f} s of CPU")
        finally:
            TERMINAL.reset(token)
        raise typer.Exit(code)

    wrapper.__doc__, wrapper.__name__ = function.__doc__, function.__name__
    wrapper.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {one.name: one.annotation for one in options}
    return wrapper


def _options_of(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind)
    return [_parameter(one.name, hints[one.name], one) for one in dataclasses.fields(kind)]


def _parameter(name: str, kind: Any, told: dataclasses.Field[Any]) -> inspect.Parameter:
    """Return the parameter that typer reads for an :func:`option` of a command."""
    default = inspect.Parameter.empty if told.default is ... else told.default
    settings = dict(told.metadata)
    make, names = settings.pop("kind"), settings.pop("names", None)
    if names == "":
        names = f"--{name.replace('_', '-')}"
    annotation = Annotated[kind, make(*(names or "").split(), **settings)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, annotation=annotation, default=default)


def _exit_code(run: Callable[[], int | None]) -> int:
    """Run a command; print expected errors on standard error, and return the exit code."""
    try:
        code = run()
        sys.stdout.flush()
    except AptDitherError as error:
        lines = error.lines()
        more = len(lines) - MOST_LINES
        for line in (*lines[:MOST_LINES], *([f"and {more} more errors"] if more > 0 else [])):
            print_error(line)
        for note in error.notes():
            print_error(note)
        return error.exit_code
    except KeyboardInterrupt:
        print_error("stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has seen enough. Python would complain when it flushes the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
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


def read_word(key: str, text: str | None) -> Any:
    """Read ``--size``, ``--spacing`` or ``--snr`` with the grammar of the tag; None for none."""
    from aptdither.apt import tags

    if text is None:
        return None
    with as_usage_error():
        match key:
            case "size":
                return tags.parse_size(text)
            case "spacing":
                return tags.parse_spacing(text)
        return getattr(tags.parse_tag(f"@dither {key}={text}").request, key)


def parse_pairs(text: str, option: str) -> list[tuple[float, float]]:
    """Read ``"0,0 0.542,0.182"``; a UsageError lists every word that is not a pair of numbers."""
    pairs, bad = [], []
    for word in text.split():
        try:
            x, y = (float(part) for part in word.split(","))
        except ValueError:
            x = y = float("nan")
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
