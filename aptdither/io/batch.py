"""Find proposals, and run one function over many of them in parallel, in order.

The executor interface of :mod:`concurrent.futures` is used, so that work can also run on a cluster
(``dask.distributed.Client.get_executor()``).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

T = TypeVar("T")

#: Most files that go to a worker at once.
CHUNK = 16

#: Chunks that each worker has at most under way or waiting, which bounds the memory.
MAX_PENDING_CHUNKS = 4

#: Longest temporary folder, bytes, in which a socket (107 bytes) fits.
MAX_SOCKET_FOLDER = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """The result of one item (a file): a value, or the reason why there is none."""

    item: str
    value: T | None = None
    error: str | None = None


def find_proposals(paths: Iterable[str]) -> list[Outcome[None]]:
    """List proposal files: the files given, and all ``.apt`` files below the folders given.

    A file is taken whatever its name. Below a folder, folders whose name begins with a dot are left
    out and links to folders are not followed. The files have the order given, those of a folder are
    sorted by name, each is there once. An outcome has no value; one with an error is a folder that
    could not be listed.
    """
    listed: dict[str, Outcome[None]] = {}
    for path in paths:
        below = _below(path) if os.path.isdir(path) else (Outcome(item=path),)  # noqa: PTH112
        for entry in below:
            listed.setdefault(entry.item, entry)
    return list(listed.values())


def _below(folder: str) -> Iterator[Outcome[None]]:
    errors: list[OSError] = []
    for where, folders, files in os.walk(folder, onerror=errors.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(".apt"):
                yield Outcome(item=os.path.join(where, name))  # noqa: PTH118
    for error in errors:
        reason = f"this folder cannot be listed: {error.strerror or error}"
        yield Outcome(item=os.fspath(error.filename or folder), error=reason)


def map_in_order(
    function: Callable[[str], T],
    items: Sequence[str],
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    preload: Sequence[str] = (),
) -> Generator[Outcome[T], None, None]:
    """Run a function over items and yield the outcomes in their order, in bounded memory.

    Parameters
    ----------
    function : callable
        Takes an item; picklable. What it raises is the :attr:`Outcome.error` of that item alone.
    items : sequence of str
        The items.
    jobs : int
        Number of processes; 1 runs everything in this one.
    executor : concurrent.futures.Executor, optional
        Where to run instead; it is not shut down here. `jobs` is then what it runs at once.
    preload : sequence of str
        Modules that new processes have already imported, where the system can do that.

    Notes
    -----
    When a worker dies, the items of the lost chunks run again, each alone in a process, so that
    only the item that kills its worker fails. Closing the generator early, as Ctrl-C does, ends the
    processes that were started here.
    """
    if executor is None and (jobs == 1 or len(items) < 2):
        yield from _run(function, items)
        return
    size = max(1, min(CHUNK, len(items) // (8 * jobs)))
    chunks = deque(items[start : start + size] for start in range(0, len(items), size))
    others = set(multiprocessing.active_children())
    pending: deque[tuple[Sequence[str], Future[list[Outcome[T]]]]] = deque()
    pool = executor or _new_pool(jobs, preload)
    spare: Executor | None = executor
    try:
        while chunks or pending:
            while chunks and len(pending) < MAX_PENDING_CHUNKS * jobs:
                try:
                    pending.append((chunks[0], pool.submit(_run, function, chunks[0])))
                except BrokenExecutor:
                    pool = executor or _new_pool(jobs, preload)
                else:
                    chunks.popleft()
            chunk, future = pending.popleft()
            try:
                yield from future.result()
            except Exception:  # noqa: BLE001  a worker died, or what it returned cannot be sent
                for item in chunk:
                    spare = spare or _new_pool(1, preload)
                    try:
                        yield from spare.submit(_run, function, [item]).result()
                    except Exception as error:  # noqa: BLE001  of whatever kind the executor's are
                        spare = executor
                        death = f"its process died ({type(error).__name__})"
                        yield Outcome(
                            item=item, error=f"{death}: it was killed or ran out of memory"
                        )
    except BaseException:
        if executor is None:
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
        raise
    finally:
        if executor is not None:
            for _, future in pending:
                future.cancel()
        else:  # canceling too what a terminated pool fails by itself confuses its thread
            for own in filter(None, (pool, spare)):
                own.shutdown()


def _new_pool(jobs: int, preload: Sequence[str]) -> ProcessPoolExecutor:
    # A fork copies the threads' locks of this process and can hang; the other methods are safe.
    # The fork server has a socket in the temporary folder, and a socket's name must be short.
    has_server = (
        "forkserver" in multiprocessing.get_all_start_methods()
        and len(os.fsencode(tempfile.gettempdir())) <= MAX_SOCKET_FOLDER
    )
    context = multiprocessing.get_context("forkserver" if has_server else "spawn")
    context.set_forkserver_preload(list(preload))
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare_worker)


def _prepare_worker() -> None:
    """Leave Ctrl-C to the parent process, and end when it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _run(function: Callable[[str], T], chunk: Sequence[str]) -> list[Outcome[T]]:
    outcomes: list[Outcome[T]] = []
    for item in chunk:
        try:
            outcomes.append(Outcome(item=item, value=function(item)))
        except Exception as error:
            if os.environ.get("APTDITHER_DEBUG"):
                raise
            what = f"internal error ({type(error).__name__}: {error})"
            outcomes.append(Outcome(item=item, error=f"{what}; please report it with the file"))
    return outcomes


def default_jobs() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
