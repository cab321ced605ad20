"""What is done to a folder, and what may be found in it afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aptdither.io import files

# Long enough for several pages and for a write to be cut anywhere; all different from the start.
INPUT = b"<Proposal the='input'/>\n" * 2200
OLD = b"<Proposal an='old output'/>\n" * 1700
NEW = b"<Proposal the='new output'/>\n" * 2000
OLD_BACKUP = b"<Proposal an='old backup'/>\n" * 1500

MODE = 0o640


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to write, in a folder that holds ``IN.apt`` or a link to it.

    Attributes
    ----------
    name : str
        What the report calls it.
    before : mapping of str to bytes
        The files, by their path in the folder.
    links : mapping of str to str
        The symbolic links: path to what they say.
    act : callable
        Does the writing; gets the folder and the input that was read.
    target : str
        The file (not a link) that is written.
    backup : str or None
        The file that keeps the input when it is changed in place.
    unsynced : frozenset of str
        Files that another program made and that are not on the disk yet.
    """

    name: str
    before: Mapping[str, bytes]
    act: Callable[[Path, files.Source], object]
    target: str
    links: Mapping[str, str] = field(default_factory=dict)
    backup: str | None = None
    unsynced: frozenset[str] = frozenset()

    def prepare(self, folder: Path) -> None:
        """Fill an empty folder."""
        for name, data in self.before.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(MODE)
        for name, pointed in self.links.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / pointed).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(pointed)

    def faults(self, found: Mapping[str, bytes], *, temporaries: bool) -> list[str]:
        """Return what is wrong with the files that are found, one sentence each.

        Parameters
        ----------
        found : mapping of str to bytes
            All regular files of the folder.
        temporaries : bool
            Whether temporary files may have been left.
        """
        return list(self._faults(found, temporaries=temporaries))

    def _faults(self, found: Mapping[str, bytes], *, temporaries: bool) -> Iterator[str]:
        now = found.get(self.target)
        if now not in (self.before.get(self.target), NEW):
            yield f"{self.target} is neither the old file nor the new one"
        for name, data in self.before.items():
            if name not in (self.target, self.backup) and found.get(name) != data:
                yield f"{name} is not what it was"
        if self.backup is not None:
            if found.get(self.backup) not in (self.before.get(self.backup), INPUT):
                yield f"{self.backup} is neither the old backup nor the input"
            if now == NEW and found.get(self.backup) != INPUT:
                yield f"{self.target} is new and {self.backup} does not hold the input"
        for other in found.keys() - self.before.keys() - {self.target, self.backup}:
            is_temporary = Path(other).match(".aptdither-*.tmp")
            # Where a backup could not be read, another one is made.
            is_backup = other.startswith("IN.apt.bak") and found[other] == INPUT
            if not (is_backup or (is_temporary and temporaries)):
                yield f"{other} was left behind"


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return all regular files of a folder, by their path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def lasting_faults(scenario: Scenario, folder: Path, *, temporaries: bool) -> list[str]:
    """Return what is wrong in a folder: contents, links, modes."""
    found = scenario.faults(read_folder(folder), temporaries=temporaries)
    for name, pointed in scenario.links.items():
        path = folder / name
        if not path.is_symlink() or os.readlink(path) != pointed:  # noqa: PTH115
            found.append(f"{name} is no longer a link to {pointed}")
    for written in (scenario.target, scenario.backup):
        path = folder / (written or scenario.target)
        if path.exists() and path.stat().st_mode & 0o777 != MODE:
            found.append(f"{written} has lost its mode")
    return found


def _output(*, force: bool = False) -> Callable[[Path, files.Source], object]:
    return lambda folder, source: files.write_output(
        folder / "OUT.apt", NEW, source=source, force=force
    )


def _in_place(_folder: Path, source: files.Source) -> object:
    return files.replace_input(source, NEW)


SCENARIOS = (
    Scenario(name="new file", before={"IN.apt": INPUT}, act=_output(), target="OUT.apt"),
    Scenario(
        name="overwrite",
        before={"IN.apt": INPUT, "OUT.apt": OLD},
        act=_output(force=True),
        target="OUT.apt",
    ),
    Scenario(
        name="overwrite through a link",
        before={"IN.apt": INPUT, "there/real.apt": OLD},
        links={"OUT.apt": "there/real.apt"},
        act=_output(force=True),
        target="there/real.apt",
    ),
    Scenario(
        name="new file through a link",
        before={"IN.apt": INPUT},
        links={"OUT.apt": "there/real.apt"},
        act=_output(),
        target="there/real.apt",
    ),
    Scenario(
        name="in place",
        before={"IN.apt": INPUT},
        act=_in_place,
        target="IN.apt",
        backup="IN.apt.bak",
    ),
    Scenario(
        name="in place through a link",
        before={"there/real.apt": INPUT},
        links={"IN.apt": "there/real.apt"},
        act=_in_place,
        target="there/real.apt",
        backup="IN.apt.bak",
    ),
    Scenario(
        name="in place, the backup there",
        before={"IN.apt": INPUT, "IN.apt.bak": INPUT},
        act=_in_place,
        target="IN.apt",
        backup="IN.apt.bak",
        unsynced=frozenset({"IN.apt.bak"}),
    ),
    Scenario(
        name="in place beside an older backup",
        before={"IN.apt": INPUT, "IN.apt.bak": OLD_BACKUP},
        act=_in_place,
        target="IN.apt",
        backup="IN.apt.bak2",
    ),
)


def _write_naively(folder: Path, _source: files.Source) -> None:
    """Write as a program does that thinks of nothing, with the calls the harness sees."""
    system = vars(files)["os"]
    descriptor = system.open(str(folder / "OUT.apt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    system.write(descriptor, NEW)
    system.close(descriptor)


# The harness must be able to find something: this one loses files.
NAIVE = Scenario(
    name="a naive writer",
    before={"IN.apt": INPUT, "OUT.apt": OLD},
    act=_write_naively,
    target="OUT.apt",
)
