"""Many files: find them, and hand them to processes; the order stays, and no file stops the others.

:func:`find_proposals` walks folders. :func:`map_in_order` runs one function over many names, in
this process, in a pool of its own, or through any executor (a cluster's, say), and yields what came
out in the order of the names, holding only a few batches at a time. A worker that dies takes no
result with it but that of the file that killed it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: What a proposal's name ends with, in any case.
SUFFIX = ".apt"

#: Files that go to a worker at once: enough that the hand-over costs nothing beside reading them.
BATCH = 16

#: Batches under way or waiting for their turn, for each worker: this bounds the memory.
MAX_PENDING_BATCHES = 4

#: Longest temporary folder that leaves room for the name of a socket: 107 bytes in all.
MAX_SOCKET_FOLDER = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file to read, or a folder that could not be listed.

    Attributes
    ----------
    path : str
        Its name, as given or below what was given.
    trouble : str or None
        Why a folder could not be listed.
    """

    path: str
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """What came out for one name: a value or the reason why there is none.

    Attributes
    ----------
    item : str
        The name.
    value : T or None
        What the function returned.
    failure : str or None
        Why it returned nothing: a fault of ours, or a worker that died.
    """

    item: str
    value: T | None = None
    failure: str | None = None


def find_proposals(paths: Iterable[str]) -> list[Listed]:
    """List the files of some names: a file is itself, a folder all proposals below it.

    Parameters
    ----------
    paths : iterable of str
        Files and folders. A file is taken whatever it is called; below a folder, those that end in
        ``.apt``, folders whose name begins with a dot left out, links to folders not followed.

    Returns
    -------
    list of Listed
        In the order given, a folder's in the order of their names; each name once.
    """
    listed: dict[str, Listed] = {}
    for path in paths:
        found = _below(path) if os.path.isdir(path) else (Listed(path=path),)  # noqa: PTH112
        for one in found:
            listed.setdefault(one.path, one)
    return list(listed.values())


def _below(folder: str) -> Iterator[Listed]:
    troubles: list[OSError] = []
    for where, folders, files in os.walk(folder, onerror=troubles.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(SUFFIX):
                yield Listed(path=os.path.join(where, name))  # noqa: PTH118
    for trouble in troubles:
        reason = trouble.strerror or str(trouble)
        yield Listed(
            path=os.fspath(trouble.filename or folder),
            trouble=f"this folder cannot be listed: {reason}",
        )


def map_in_order(
    function: Callable[[str], T],
    items: Sequence[str],
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    preload: Sequence[str] = (),
) -> Generator[Outcome[T], None, None]:
    """Run a function over names and yield what came out, in their order.

    Parameters
    ----------
    function : callable
        Takes a name. For other processes it must be picklable. What it raises becomes the
        :attr:`Outcome.failure` of that name alone.
    items : sequence of str
        The names.
    jobs : int
        Processes; 1 runs everything in this one.
    executor : concurrent.futures.Executor, optional
        Where to run instead, a cluster's for one; it is not shut down here.
    preload : sequence of str
        Modules that new workers have already imported when they start, where the system can.

    Yields
    ------
    Outcome

    Notes
    -----
    Closing the generator early, as Ctrl-C does, ends the workers that were started here.
    """
    if executor is None and (jobs == 1 or len(items) < 2):
        for item in items:
            yield _outcome(function, item)
        return
    crew: _Crew = _Pool(min(jobs, len(items)), preload) if executor is None else _Crew(executor)
    size = max(1, min(BATCH, len(items) // (8 * jobs)))
    batches = (items[start : start + size] for start in range(0, len(items), size))
    under_way: deque[tuple[Sequence[str], Future[list[Outcome[T]]]]] = deque()
    clean = False
    try:
        for batch in batches:
            under_way.append((batch, crew.submit(_run, function, batch)))
            if len(under_way) >= MAX_PENDING_BATCHES * jobs:
                yield from _settled(crew, function, *under_way.popleft())
        while under_way:
            yield from _settled(crew, function, *under_way.popleft())
        clean = True
    finally:
        crew.close(futures=[future for _, future in under_way], clean=clean)


def _run(function: Callable[[str], T], batch: Sequence[str]) -> list[Outcome[T]]:
    return [_outcome(function, item) for item in batch]


def _outcome(function: Callable[[str], T], item: str) -> Outcome[T]:
    try:
        return Outcome(item=item, value=function(item))
    except Exception as error:
        if os.environ.get("APTDITHER_DEBUG"):
            raise
        return Outcome(
            item=item,
            failure=f"a fault of ours ({type(error).__name__}: {error}); please report it with "
            "the file",
        )


def _settled(
    crew: _Crew,
    function: Callable[[str], T],
    batch: Sequence[str],
    future: Future[list[Outcome[T]]],
) -> list[Outcome[T]]:
    """Return a batch's outcomes; if they were lost, those of each of its names run by itself."""
    try:
        return future.result()
    except Exception:  # noqa: BLE001  the worker died, or the cluster gave up on it
        return [crew.run_alone(function, item) for item in batch]


class _Crew:
    """Workers of someone else's, behind the executor interface."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(
        self,
        run: Callable[[Callable[[str], T], Sequence[str]], list[Outcome[T]]],
        function: Callable[[str], T],
        batch: Sequence[str],
    ) -> Future[list[Outcome[T]]]:
        """Start a batch."""
        return self._executor.submit(run, function, batch)

    def run_alone(self, function: Callable[[str], T], item: str) -> Outcome[T]:
        """Run one name by itself: if that fails, it is the one."""
        try:
            (outcome,) = self._executor.submit(_run, function, [item]).result()
        except Exception as error:  # noqa: BLE001  of whatever kind the executor's are
            return _died(item, error)
        return outcome

    def close(self, *, futures: Sequence[Future[Any]], clean: bool) -> None:
        """Leave the executor to its owner, without what is still to be done."""
        for future in futures:
            future.cancel()


class _Pool(_Crew):
    """Processes of our own."""

    def __init__(self, jobs: int, preload: Sequence[str]) -> None:
        # A server that has imported everything once forks the workers; unlike a fork of this
        # process it has no threads. Where there is none, each worker imports for itself.
        # Its socket is in the temporary folder, and no socket may have a long name.
        has_server = (
            "forkserver" in multiprocessing.get_all_start_methods()
            and len(os.fsencode(tempfile.gettempdir())) <= MAX_SOCKET_FOLDER
        )
        self._context = multiprocessing.get_context("forkserver" if has_server else "spawn")
        if preload and has_server:
            self._context.set_forkserver_preload(list(preload))
        self._others = {child.pid for child in multiprocessing.active_children()}
        self._jobs = jobs
        self._spare: ProcessPoolExecutor | None = None
        super().__init__(self._made(jobs))

    def _made(self, jobs: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(jobs, mp_context=self._context, initializer=_serve)

    def submit(
        self,
        run: Callable[[Callable[[str], T], Sequence[str]], list[Outcome[T]]],
        function: Callable[[str], T],
        batch: Sequence[str],
    ) -> Future[list[Outcome[T]]]:
        """Start a batch; after a death, with new workers."""
        try:
            return super().submit(run, function, batch)
        except BrokenExecutor:
            self._executor.shutdown(wait=False)
            self._executor = self._made(self._jobs)
            return super().submit(run, function, batch)

    def run_alone(self, function: Callable[[str], T], item: str) -> Outcome[T]:
        """Run one name with nothing beside it, so that a death has one cause."""
        if self._spare is None:
            self._spare = self._made(1)
        try:
            (outcome,) = self._spare.submit(_run, function, [item]).result()
        except Exception as error:  # noqa: BLE001  a death, or what came out cannot be sent
            self._spare.shutdown(wait=False)
            self._spare = None
            return _died(item, error)
        return outcome

    def close(self, *, futures: Sequence[Future[Any]], clean: bool) -> None:
        """End the workers: when their work is done, or at once."""
        if not clean:
            # The pool fails what it was given; cancelling that too would make its thread stumble.
            for child in multiprocessing.active_children():
                if child.pid not in self._others:
                    child.terminate()
        for executor in (self._executor, self._spare):
            if executor is not None:
                executor.shutdown()


def _serve() -> None:
    """Be a worker: leave Ctrl-C to the one that started us, and go when it has gone."""
    # A terminal sends Ctrl-C to every process; one that stumbles over it prints a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent,), daemon=True).start()


def _outlive(parent: BaseProcess) -> None:
    """End this process, at once, when its parent was killed and can no longer say so."""
    parent.join()
    os._exit(1)


def _died(item: str, error: Exception) -> Outcome[T]:
    name = type(error).__name__
    return Outcome(
        item=item,
        failure=f"the process that read it died ({name}): it was killed, or ran out of memory",
    )


def default_jobs() -> int:
    """Return the number of cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
