"""Fill a real disk: a small one in memory, mounted where no other process sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from aptdither.errors import OutputError
from aptdither.io import files

from .kills import Outcome, error_faults
from .scenarios import INPUT, NEW, SCENARIOS, Scenario, lasting_faults, read_folder

_DISK_BYTES = 2 * 2**20
# Room for nothing; for a part of the new file; for it, but not for the backup.
_ROOMS = (0, 4096, len(NEW) // 2, len(NEW) - 4096, len(NEW) + len(INPUT) // 2)


def run() -> bool:
    """Run :func:`fill` in a mount namespace of its own, or say that this machine forbids it.

    Returns
    -------
    bool
        False if something was lost.
    """
    own = ["unshare", "--map-root-user", "--mount"]
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        mount = f"mount -t tmpfs -o size={_DISK_BYTES} tmpfs {folder}"
        if shutil.which("unshare") is None or _status([*own, "sh", "-c", mount]) != 0:
            print("full disk: not possible here", flush=True)
            return True
        fill_it = [sys.executable, "-m", str(__package__), "--small-disk", folder]
        command = [*own, "sh", "-c", f'{mount} && exec "$@"', "sh", *fill_it]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run(command, check=False, env=environment).returncode == 0


def fill(disk: Path) -> Iterator[Outcome]:
    """Try each scenario with less room than it needs."""
    for scenario in SCENARIOS:
        for room in _ROOMS:
            yield _with_room(scenario, disk, room)


def _with_room(scenario: Scenario, disk: Path, room: int) -> Outcome:
    folder, filler = disk / "folder", disk / "filler"
    folder.mkdir()
    scenario.prepare(folder)
    source = files.read_input(folder / "IN.apt")
    status = os.statvfs(disk)
    filler.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - room)))
    code, said = 0, []
    try:
        scenario.act(folder, source)
    except OutputError as error:
        code, said = error.exit_code, [str(error)]
    faults = lasting_faults(scenario, folder, temporaries=False)
    faults += error_faults(scenario, read_folder(folder), code, said)
    if room < len(NEW) and (code != 2 or "no space left" not in said[0]):
        faults.append(f"the disk is full and this is said: {said}")
    shutil.rmtree(folder)
    filler.unlink()
    return Outcome(
        scenario=scenario.name,
        attempt=f"room for {room} bytes",
        was_hit=code == 2,
        faults=tuple(faults),
    )


def _status(command: list[str]) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode
