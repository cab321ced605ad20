"""Run the command line as a user does, under bounds of time and memory that a test can state."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from aptdither.cli import run as run_program

#: The program as ``aptdither`` starts it.
PROGRAM = (sys.executable, "-c", "from aptdither.cli import run; run()")

#: What reading must never need, bytes: address space, of which libraries reserve a good part.
MEMORY = 3 << 30


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        """Standard output, which must be UTF-8."""
        return self.stdout.decode("utf-8")

    @property
    def said(self) -> str:
        """Standard error, which must be UTF-8."""
        return self.stderr.decode("utf-8")


def run(
    *arguments: str | bytes | os.PathLike[str],
    seconds: float = 60,
    memory: int = MEMORY,
    before: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Run:
    """Run a command; fail when it takes longer than `seconds`.

    A command that needs more than `memory` bytes dies of a MemoryError, which is a fault of ours
    and has an exit code and words that the callers of this do not accept.
    """

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    ended = subprocess.run(
        [*before, *PROGRAM, *arguments],
        capture_output=True,
        timeout=seconds,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "80", **(environment or {})},
        preexec_fn=bound,
    )
    return Run(code=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)


def run_here(
    *arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Run:
    """Run a command like :func:`run`, in this process: a hundred times faster to start."""
    settings = {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **(environment or {})}
    encoding, _, errors = settings["PYTHONIOENCODING"].partition(":")
    stdin, stdout, stderr = (
        io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors or "strict")
        for _ in range(3)
    )
    code: object = 0
    with (
        mock.patch.multiple(sys, argv=["aptdither", *arguments]),
        mock.patch.multiple(sys, stdin=stdin, stdout=stdout, stderr=stderr),
        mock.patch.dict(os.environ, settings),
        chdir(folder or Path.cwd()),
        warnings.catch_warnings(),
    ):
        try:
            run_program()
        except SystemExit as ended:
            code = ended.code or 0
        stdout.flush()
        stderr.flush()
    assert isinstance(code, int)
    return Run(
        code=code,
        stdout=stdout.buffer.getvalue(),
        stderr=stderr.buffer.getvalue(),
    )
