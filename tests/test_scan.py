"""Many files: the walk, the order, workers that die, Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptdither.io.batch import (
    CHUNK,
    MAX_PENDING_CHUNKS,
    Outcome,
    find_proposals,
    map_in_order,
)
from tests.scan_work import length, stall

# The walk ----------------------------------------------------------------------------------------


def test_folders_are_walked_in_order_and_files_taken_as_they_are(tmp_path: Path) -> None:
    for name in ("b/2.apt", "b/1.APT", "a/x.apt", ".git/y.apt", "c/notes.txt", "z.apt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    odd = tmp_path / "c" / "notes.txt"
    found = find_proposals([str(odd), str(tmp_path), str(tmp_path / "a" / "x.apt"), "missing.apt"])
    assert [os.path.relpath(one.item, tmp_path) for one in found[:-1]] == [
        "c/notes.txt",
        "z.apt",
        "a/x.apt",
        "b/1.APT",
        "b/2.apt",
    ]
    assert found[-1] == Outcome(item="missing.apt")


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.apt").write_text("")
    (tmp_path / "a" / "around").symlink_to(tmp_path)
    assert len(find_proposals([str(tmp_path)])) == 1


def test_a_folder_that_cannot_be_listed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "one.apt").write_text("")
    scandir = os.scandir

    def refuse(path: Any) -> Any:  # root may list everything, so the system is asked to refuse
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    first, second = find_proposals([str(tmp_path)])
    assert first.error is None
    assert second.error == "this folder cannot be listed: Permission denied"


# Running -----------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["a", "bb", "bad", "ccc"]), max_size=60), st.integers(2, 4))
def test_order_is_kept_and_a_failure_is_one_items_alone(items: list[str], jobs: int) -> None:
    with ThreadPoolExecutor(2) as executor:
        found = list(map_in_order(length, items, jobs=jobs, executor=executor))
    assert found == list(map_in_order(length, items))
    assert [outcome.item for outcome in found] == items
    for outcome in found:
        if outcome.item == "bad":
            assert outcome.value is None
            assert outcome.error is not None
            assert "ValueError: no bad" in outcome.error
        else:
            assert outcome == Outcome(item=outcome.item, value=len(outcome.item))


def test_processes_keep_the_order_and_survive_a_killer() -> None:
    items = [f"slow{i}" if i % 7 == 0 else f"{i}" for i in range(60)]
    items[20] = "kill"
    items[41] = "kill again"
    found = list(map_in_order(length, items, jobs=2))
    assert [outcome.item for outcome in found] == items
    died = [outcome for outcome in found if outcome.value is None]
    assert [outcome.item for outcome in died] == ["kill", "kill again"]
    assert all("its process died" in (outcome.error or "") for outcome in died)
    assert not multiprocessing.active_children()


def test_leaving_early_ends_the_workers() -> None:
    started = time.monotonic()
    with closing(map_in_order(stall, ["a", "b", "c", "d"], jobs=2)) as running:
        thread = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                next(running)
        finally:
            thread.cancel()  # or it would interrupt another test
    for child in multiprocessing.active_children():
        child.join(5)
    assert not multiprocessing.active_children()
    assert time.monotonic() - started < 30


class Counting(Executor):
    """Runs at once, and counts what was handed over before it was asked for."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_no_more_is_under_way_than_bounded_memory_allows() -> None:
    items = ["x"] * 10_000
    executor = Counting()
    running: Iterator[Outcome[int]] = map_in_order(length, items, jobs=2, executor=executor)
    for taken, _ in zip(range(1, 2000), running, strict=False):
        assert executor.submitted <= MAX_PENDING_CHUNKS * 2 + taken / CHUNK + 1


class Losing(Executor):
    """Loses every batch of more than one, as a cluster does whose worker dies."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if len(args[1]) > 1 or args[1] == ["gone"]:
            future.set_exception(RuntimeError("lost"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_batch_that_is_lost_is_run_again_one_by_one() -> None:
    items = [str(i) for i in range(100)]
    items[50] = "gone"
    found = list(map_in_order(length, items, executor=Losing()))
    assert [outcome.item for outcome in found if outcome.error] == ["gone"]
    assert [outcome.item for outcome in found] == items
