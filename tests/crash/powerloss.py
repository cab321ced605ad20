"""Take the power away after every call, on a model of the worst disk that POSIX allows.

A killed process leaves what it wrote in the kernel's hands; lost power does not. On the model, only
what was fsynced lasts for sure. The bytes of a file that was not may be all there, in part, not at
all, or zeros; each change of a name in a directory that was not may have happened or not,
whatever happened to the others. All combinations are looked at.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .kills import prepared
from .scenarios import Scenario
from .system import installed


@dataclass(eq=False, slots=True)
class _File:
    data: bytes = b""
    is_synced: bool = False

    def after_power_loss(self) -> tuple[bytes, ...]:
        if self.is_synced:
            return (self.data,)
        half = len(self.data) // 2
        return (self.data, b"", self.data[:half], bytes(len(self.data)))


@dataclass(slots=True)
class _Folder:
    names: dict[str, _File] = field(default_factory=dict)
    # Each change is one step of the disk: names and what they then mean (None: nothing).
    pending: list[dict[str, _File | None]] = field(default_factory=list)

    def now(self) -> dict[str, _File]:
        return self._with(self.pending)

    def sync(self) -> None:
        self.names, self.pending = self.now(), []

    def after_power_loss(self) -> Iterator[dict[str, _File]]:
        for chosen in itertools.product((False, True), repeat=len(self.pending)):
            yield self._with(list(itertools.compress(self.pending, chosen)))

    def _with(self, changes: list[dict[str, _File | None]]) -> dict[str, _File]:
        names: dict[str, _File | None] = dict(self.names)
        for change in changes:
            names |= change
        return {name: file for name, file in names.items() if file is not None}


class Disk:
    """Follows the calls of a scenario and knows what lost power may leave.

    Parameters
    ----------
    root : Path
        The folder of the scenario, prepared.
    scenario : Scenario
        What is done in it.
    """

    def __init__(self, root: Path, scenario: Scenario) -> None:
        self._root = root.resolve()
        self._folders = {path: _Folder() for path in (self._root, *self._root.rglob("*/"))}
        self._open: dict[int, _File | _Folder] = {}
        for name, data in scenario.before.items():
            path = self._root / name
            file = _File(data, is_synced=name not in scenario.unsynced)
            folder = self._folders[path.parent]
            if file.is_synced:
                folder.names[path.name] = file
            else:
                folder.pending.append({path.name: file})
        self.states: list[dict[str, bytes]] = []

    def handle(
        self, _number: int, name: str, real: Callable[..., Any], args: tuple[Any, ...]
    ) -> Any:
        """Do a call, follow it, and note what lost power would leave now."""
        result = real(*args)
        follow = getattr(self, f"_follow_{name}", None)
        if follow is not None:
            follow(result, *args)
            self.states += self._after_power_loss()
        return result

    def _follow_open(self, descriptor: int, path: Any, flags: int, *_: object) -> None:
        where = Path(os.path.realpath(path))
        if where in self._folders:
            self._open[descriptor] = self._folders[where]
            return
        folder = self._folders[where.parent]
        file = folder.now().get(where.name)
        if file is None:
            file = _File()
            folder.pending.append({where.name: file})
        elif flags & os.O_TRUNC:
            file.data, file.is_synced = b"", False
        self._open[descriptor] = file

    def _follow_write(self, written: int, descriptor: int, data: memoryview) -> None:
        file = self._open[descriptor]
        assert isinstance(file, _File)
        file.data, file.is_synced = file.data + bytes(data[:written]), False

    def _follow_fsync(self, _: None, descriptor: int) -> None:
        thing = self._open[descriptor]
        if isinstance(thing, _Folder):
            thing.sync()
        else:
            thing.is_synced = True

    def _follow_link(self, _: None, old: str, new: str) -> None:
        self._change(new, self._file(old))

    def _follow_replace(self, _: None, old: str, new: str) -> None:
        where, to = Path(old), Path(new)
        if where.parent != to.parent:
            raise AssertionError("a rename between directories may leave both names or none")
        self._folder(old).pending.append({where.name: None, to.name: self._file(old)})

    _follow_rename = _follow_replace

    def _follow_unlink(self, _: None, path: str) -> None:
        self._change(path, None)

    def _folder(self, path: str) -> _Folder:
        return self._folders[Path(path).parent.resolve()]

    def _file(self, path: str) -> _File:
        return self._folder(path).now()[Path(path).name]

    def _change(self, path: str, file: _File | None) -> None:
        self._folder(path).pending.append({Path(path).name: file})

    def _after_power_loss(self) -> Iterator[dict[str, bytes]]:
        """Yield every content that the folder can have."""
        for chosen in itertools.product(
            *(list(folder.after_power_loss()) for folder in self._folders.values())
        ):
            there = {
                (where / name).relative_to(self._root).as_posix(): file
                for where, names in zip(self._folders, chosen, strict=True)
                for name, file in names.items()
            }
            files = list(dict.fromkeys(there.values()))
            for contents in itertools.product(*(file.after_power_loss() for file in files)):
                held = dict(zip(files, contents, strict=True))
                yield {name: held[file] for name, file in there.items()}


def lose_power_everywhere(scenario: Scenario) -> tuple[int, list[str]]:
    """Return how many states of the disk were looked at, and what is wrong in them."""
    with prepared(scenario) as (folder, source):
        disk = Disk(folder, scenario)
        with installed(disk.handle):
            scenario.act(folder, source)
    # A backup that another program has not put on the disk is that program's to lose, until the
    # input is replaced.
    faults = [
        fault
        for state in disk.states
        for fault in scenario.faults(state, temporaries=True)
        if not (scenario.unsynced and "neither the old backup" in fault)
    ]
    return len(disk.states), list(dict.fromkeys(faults))
