"""The application: its commands and its last resort."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Annotated

import typer

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
    report,
)
from aptdither.cli.options import EXIT_INPUT, print_status
from aptdither.version import __version__

app = typer.Typer(
    name="aptdither",
    help="Sub-pixel dithers for WFC3/IR proposals: from an @dither tag in APT to explicit "
    "POS TARGs, with the phase coverage they give.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    apply,
    check,
    patterns,
    evaluate,
    optimize,
    convert,
    plot,
    report,
    export,
    fit,
):
    command.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aptdither {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Sub-pixel dithers for WFC3/IR proposals."""


def run() -> None:
    """Run the command line; an internal error becomes one line, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # Characters that a terminal cannot show are spelled out.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not os.environ.get("APTDITHER_DEBUG"):
        # Warnings of libraries are for programmers.
        warnings.simplefilter("ignore")
    try:
        app()
    except KeyboardInterrupt:
        print_status("aptdither: stopped")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("APTDITHER_DEBUG"):
            raise
        print_status(
            f"aptdither: internal error ({type(error).__name__}: {error}); nothing more was "
            "written. Please report it, with the output of the same command under "
            "APTDITHER_DEBUG=1",
            style="red",
        )
        sys.exit(EXIT_INPUT)
