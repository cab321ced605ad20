"""An `os` that does what the harness wants at the N-th call."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aptdither.io import files

# The calls that `files` makes of the system, but for those that only look at a name or read.
CALLS = frozenset(["open", "close", "write", "fsync", "stat", "fstat", "chmod", "chown"]) | {
    "link",
    "rename",
    "replace",
    "unlink",
}
# Those that change something, so that an error may come after the change was made.
CHANGES = frozenset(["write", "fsync", "close", "link", "rename", "replace", "unlink"])

Handler = Callable[[int, str, Callable[..., Any], tuple[Any, ...]], Any]


class ShimSystem:
    """Stands in for the module `os`; hands each call in `CALLS` to a handler.

    Parameters
    ----------
    handle : callable
        Gets the number of the call (from 0), its name, the real call with its keywords bound, and
        its arguments; returns what the call shall return.
    """

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._count = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return functools.partial(self._call, name, real) if name in CALLS else real

    def _call(self, name: str, real: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        number, self._count = self._count, self._count + 1
        return self._handle(number, name, functools.partial(real, **keywords), args)


@contextmanager
def installed(handle: Handler) -> Iterator[None]:
    """Let `files` call a :class:`ShimSystem`."""
    setattr(files, "os", ShimSystem(handle))  # noqa: B010 -- the type checker knows a module
    try:
        yield
    finally:
        setattr(files, "os", os)  # noqa: B010


def kill_before(at: int) -> Handler:
    """Kill the process before a call."""

    def handle(number: int, _name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    return handle


def kill_after(at: int) -> Handler:
    """Kill the process after a call was done and before it returns."""

    def handle(number: int, _name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            return real(*args)
        finally:  # also when it fails, as a look at a name that is free does
            if number == at:
                os.kill(os.getpid(), signal.SIGKILL)

    return handle


def kill_within(at: int, numerator: int, denominator: int) -> Handler:
    """Kill the process when a part of a write is done."""

    def handle(number: int, _name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if number == at:
            descriptor, data = args
            real(descriptor, data[: len(data) * numerator // denominator])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    return handle


def fail(at: int, error: int, *, late: bool = False, ever_after: bool = False) -> Handler:
    """Report an error from a call: not done, or (`late`) done all the same."""

    def handle(number: int, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if number == at or (ever_after and number > at and name in ("write", "fsync", "open")):
            if late or name == "close":  # a descriptor is gone even when its close fails
                real(*args)
            raise OSError(error, os.strerror(error))
        return real(*args)

    return handle


def write_short(most: int) -> Handler:
    """Let each write take only some bytes."""

    def handle(_number: int, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if name == "write":
            descriptor, data = args
            return real(descriptor, data[:most])
        return real(*args)

    return handle


def recorded(into: list[str]) -> Handler:
    """Note the names of the calls."""

    def handle(_number: int, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        into.append(name)
        return real(*args)

    return handle


def without_links(inner: Handler) -> Handler:
    """Be a disk that has no hard links."""

    def handle(number: int, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if name == "link":
            inner(number, name, lambda *_: None, args)
            raise PermissionError(1, "Operation not permitted")
        return inner(number, name, real, args)

    return handle
