"""The application: its commands, and the handling of unexpected errors."""

from __future__ import annotations

import functools
import gc
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from aptdither.cli import options as opt

#: The function of each command, in the module of the command's name.
COMMANDS = {
    "apply": "apply_tags",
    "strip": "strip_dithers",
    "check": "check_proposals",
    "patterns": "list_patterns",
    "evaluate": "evaluate_coverage",
    "optimize": "design_pattern",
    "convert": "convert_offsets",
    "plot": "draw_plot",
    "report": "write_reports",
    "export": "export_groups",
    "fit": "fit_measurements",
}
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


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


class _Command(_Quick, TyperCommand):
    """A command."""


class _Group(_Quick, TyperGroup):
    """All commands, and the options before them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]


class _Commands(Mapping[str, Any]):
    """Commands that are imported, and built, when they are asked for: most runs need one."""

    def __getitem__(self, name: str) -> Any:
        called = COMMANDS[name]  # a KeyError, before anything is imported, for what is no command
        function = getattr(import_module(f"aptdither.cli.{name}"), called)
        info = CommandInfo(
            name, cls=_Command, callback=opt.command(function), context_settings=SETTINGS
        )
        return get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


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
    cls=_Group,
    help="Sub-pixel dithers for HST proposals: turns @dither tags in APT into explicit POS TARGs, "
    "and reports the pixel-phase coverage.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(opt.versions())
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the versions of aptdither and of its SIAF.",
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
