"""The application: its commands and its last resort."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Annotated

import typer

from aptdither.cli import apply, check, convert, design, fit
from aptdither.cli import plot as pictures
from aptdither.cli.options import EXIT_INPUT, say
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
for room in (apply, check, convert, design, fit, pictures):
    room.register(app)


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
    """Run the command line; what nobody foresaw becomes one line, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows fewer characters than a file holds gets them spelled out.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not os.environ.get("APTDITHER_DEBUG"):
        # What a reader must know is said in our own lines; libraries speak to programmers.
        warnings.simplefilter("ignore")
    try:
        app()
    except KeyboardInterrupt:
        say("aptdither: stopped")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("APTDITHER_DEBUG"):
            raise
        say(
            f"aptdither: a fault of ours ({type(error).__name__}: {error}); nothing more was "
            "written. Please report it, with the output of the same command under "
            "APTDITHER_DEBUG=1",
            style="red",
        )
        sys.exit(EXIT_INPUT)
