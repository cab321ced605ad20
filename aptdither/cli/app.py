"""The application: its commands, and the handling of unexpected errors."""

from __future__ import annotations

import functools
import gc
import io
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from aptdither.cli import (
    apply,
    check,
    convert,
    evaluate,
    export,
    fit,
    optimize,
    patterns,
    plot,
    strip,
)
from aptdither.cli import options as opt
from aptdither.cli import report as report_command


class _Quick:
    """Takes words and file names as they are typed.

    For every value, typer builds a validator of pydantic, whose import costs as much time as all of
    numpy. Numbers and choices that are given still get one.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for one in params:
            if not isinstance(one.process_value, functools.partial):
                one.process_value = functools.partial(_value_of, one, one.process_value)
        return params


class QuickCommand(_Quick, TyperCommand):
    """A command."""


class QuickGroup(_Quick, TyperGroup):
    """All commands, and the options before them."""


def _value_of(parameter: Any, validate: Callable[..., Any], context: Any, value: Any) -> Any:
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if parameter.callback is not None and value is not None:
        return validate(context, value)
    if value is None and not parameter.required:
        return () if parameter.multiple or parameter.nargs == -1 else None
    if kind == list[str] and value and not isinstance(value, str):
        return list(value)
    if kind in (str, Path) and isinstance(value, str):
        return kind(value)
    return value if isinstance(kind, type) and isinstance(value, kind) else validate(context, value)


app = typer.Typer(
    name="aptdither",
    cls=QuickGroup,
    help="Sub-pixel dithers for HST proposals: turns @dither tags in APT into explicit POS TARGs, "
    "and reports the pixel-phase coverage.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
COMMANDS: dict[str, Callable[..., Any]] = {
    "apply": apply.apply_tags,
    "strip": strip.strip_dithers,
    "check": check.check_proposals,
    "patterns": patterns.list_patterns,
    "evaluate": evaluate.evaluate_coverage,
    "optimize": optimize.design_pattern,
    "convert": convert.convert_offsets,
    "plot": plot.draw_plot,
    "report": report_command.write_reports,
    "export": export.export_groups,
    "fit": fit.fit_measurements,
}
for name, command in COMMANDS.items():
    app.command(name, cls=QuickCommand)(opt.command(command))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(opt.versions())
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        opt.option(
            "--version",
            "Print the versions of aptdither and of its SIAF.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Accept the options that come before a command."""


def run() -> None:
    """Run the command line; an unexpected error is one line, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # Characters that a terminal cannot show are escaped.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Modules and data stay: looking through them for garbage costs a tenth of a short run.
    gc.set_threshold(50_000)
    if not os.environ.get("APTDITHER_DEBUG"):
        # Warnings of libraries are for programmers.
        warnings.simplefilter("ignore")
    try:
        app()
    except Exception as error:
        if os.environ.get("APTDITHER_DEBUG"):
            raise
        opt.print_error(
            f"internal error ({type(error).__name__}: {error}); nothing more was written. Please "
            "report it, with the output of the same command under APTDITHER_DEBUG=1"
        )
        sys.exit(opt.EXIT_INPUT)
