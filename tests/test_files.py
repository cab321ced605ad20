"""The disk: what is read is whole, what is written is whole, and nothing is ever lost."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from aptdither.errors import InputError, OutputError
from aptdither.io.files import (
    Source,
    check_output,
    default_output,
    read_input,
    replace_input,
    write_output,
)
from tests.made import six

BEFORE, AFTER = b"<Proposal before='it'/>\r\n", b"<Proposal after='it'/>\r\n"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Read an input, IN.apt, in an empty folder."""
    path = tmp_path / "IN.apt"
    path.write_bytes(BEFORE)
    path.chmod(0o640)
    return read_input(path)


@contextmanager
def refused(error: type[Exception], location: Path, words: str) -> Iterator[None]:
    """Expect one clear line that names the file."""
    with pytest.raises(error, match=re.escape(words)) as caught:
        yield
    assert str(caught.value).startswith(f"{location}: ")
    assert "\n" not in str(caught.value)


#: What Windows lacks.
POSIX_ONLY = (
    *("O_NONBLOCK", "O_NOCTTY", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "fchmod", "fchown"),
    *("chown", "link", "fork", "geteuid", "sched_getaffinity"),
)


def backup_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.bak")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Reading


def test_an_input_is_read_whole_with_its_hash(source: Source) -> None:
    assert source.data == BEFORE
    assert source.sha256 == hashlib.sha256(BEFORE).hexdigest()
    assert source.mode == 0o640
    assert source.path.name == "IN.apt"


def test_a_link_to_an_input_is_followed(tmp_path: Path, source: Source) -> None:
    (tmp_path / "link.apt").symlink_to("IN.apt")
    linked = read_input(str(tmp_path / "link.apt"))
    assert (linked.data, linked.identity) == (source.data, source.identity)


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty.apt").touch()
    assert read_input(tmp_path / "empty.apt").data == b""


def make_socket(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # a socket's name has a short limit
        made = Path(short, "s")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(made))
        made.rename(path)


ODD: dict[str, Callable[[Path], None]] = {
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a pipe, a socket": make_socket,
    "a pipe, a socket or a device": lambda path: path.symlink_to("/dev/full"),
    "too many levels of symbolic links": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "odd.apt"
    ODD[odd](path)
    with refused(InputError, path, odd):
        read_input(path)


@pytest.mark.parametrize("is_link", [False, True])
def test_what_is_not_there_is_refused(tmp_path: Path, is_link: bool) -> None:
    path = tmp_path / "IN.apt"
    if is_link:
        path.symlink_to("nowhere")
    with refused(InputError, path, "no such file"):
        read_input(path)


def test_a_fifo_that_takes_the_name_in_the_last_moment_is_not_waited_for(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "FIFO"
    os.mkfifo(fifo)
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda _path, flags: real_open(fifo, flags))
    with refused(InputError, source.path, "this is a pipe"):
        read_input(source.path)


def test_a_name_through_a_file_is_refused(source: Source) -> None:
    path = source.path / "deeper.apt"
    with refused(InputError, path, "not a directory"):
        read_input(path)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800.apt", "x" * 300])
def test_what_is_no_name_is_refused_both_ways(name: str) -> None:
    with pytest.raises(InputError, match=r"not a valid file name|too long|is a directory"):
        read_input(name)
    with pytest.raises(OutputError, match=r"not a valid file name|too long|is a directory"):
        write_output(name, AFTER)


def test_a_file_over_the_limit_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.apt"
    with path.open("wb") as file:
        file.truncate(2**40)  # a terabyte of nothing
    with refused(InputError, path, "is too large: the limit is 100,000,000 bytes"):
        read_input(path)


@pytest.mark.parametrize("limit", [0, len(BEFORE) - 1])
def test_the_limit_is_in_bytes(source: Source, limit: int) -> None:
    assert read_input(source.path, max_bytes=len(BEFORE)).data == BEFORE
    with refused(InputError, source.path, f"the limit is {limit} bytes"):
        read_input(source.path, max_bytes=limit)


def test_a_file_that_says_it_is_empty_is_read_no_further_than_the_limit() -> None:
    # Files of the kernel's have a size of 0 and a content all the same.
    path = Path("/proc/self/smaps")
    if not path.exists():
        pytest.skip("no /proc")
    with refused(InputError, path, "is too large"):
        read_input(path, max_bytes=100)


def test_a_file_that_changes_while_it_is_read_is_refused(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_fstat = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = real_fstat(descriptor)
        with source.path.open("ab") as other:
            other.write(b"more")
        return status

    monkeypatch.setattr(os, "fstat", fstat)
    with refused(InputError, source.path, "changed while it was being read"):
        read_input(source.path)


# Writing to another name


def test_an_output_gets_the_bytes_and_the_mode_of_the_input(tmp_path: Path, source: Source) -> None:
    out = default_output(source.path)
    written = write_output(out, AFTER, source=source)
    assert out == tmp_path / "IN.dithered.apt"
    assert out.read_bytes() == AFTER
    assert out.stat().st_mode & 0o7777 == 0o640
    assert (written.path, written.sha256) == (out, hashlib.sha256(AFTER).hexdigest())
    assert source.path.read_bytes() == BEFORE
    assert names(tmp_path) == ["IN.apt", "IN.dithered.apt"]


def test_an_output_without_an_input_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_output(tmp_path / "pattern.ecsv", AFTER)
    mode = (tmp_path / "other").stat().st_mode
    assert (tmp_path / "pattern.ecsv").stat().st_mode == mode


@pytest.mark.parametrize("check", [check_output, write_output])
def test_an_existing_output_is_refused_and_untouched(
    tmp_path: Path, source: Source, check: Callable[..., object]
) -> None:
    out = tmp_path / "OUT.apt"
    out.write_bytes(b"months of work")
    with refused(OutputError, out, "already exists; use --force"):
        check(out, *([AFTER] if check is write_output else []), source=source)
    assert out.read_bytes() == b"months of work"
    assert names(tmp_path) == ["IN.apt", "OUT.apt"]


@pytest.mark.parametrize("has_links", [True, False])
def test_an_output_that_appears_in_the_last_moment_is_not_replaced(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    out = tmp_path / "OUT.apt"
    real_link = os.link

    def link(old: str, new: str) -> None:
        out.write_bytes(b"of another program")
        if not has_links:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        real_link(old, new)

    monkeypatch.setattr(os, "link", link)
    with refused(OutputError, out, "already exists"):
        write_output(out, AFTER, source=source)
    assert out.read_bytes() == b"of another program"
    assert names(tmp_path) == ["IN.apt", "OUT.apt"]


def test_force_replaces_an_output_and_keeps_its_mode(tmp_path: Path, source: Source) -> None:
    out = tmp_path / "OUT.apt"
    out.write_bytes(b"old")
    out.chmod(0o604)
    write_output(out, AFTER, source=source, force=True)
    assert out.read_bytes() == AFTER
    assert out.stat().st_mode & 0o7777 == 0o604


def test_a_temporary_file_is_private_until_it_has_its_mode(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real_write = os.write

    def write(descriptor: int, data: bytes) -> int:
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        return real_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    write_output(tmp_path / "OUT.apt", AFTER, source=source)
    assert seen == [0o600]


@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_link_is_followed_and_stays(tmp_path: Path, source: Source, is_dangling: bool) -> None:
    real = tmp_path / "there" / "real.apt"
    real.parent.mkdir()
    if not is_dangling:
        real.write_bytes(b"old")
    (tmp_path / "OUT.apt").symlink_to("there/real.apt")
    write_output(tmp_path / "OUT.apt", AFTER, source=source, force=not is_dangling)
    assert (tmp_path / "OUT.apt").is_symlink()
    assert real.read_bytes() == AFTER
    assert names(real.parent) == ["real.apt"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("how", ["itself", "symbolic link", "hard link", "longer way"])
def test_the_input_is_never_the_output(
    tmp_path: Path, source: Source, how: str, force: bool
) -> None:
    out = tmp_path / "OUT.apt"
    if how == "itself":
        out = source.path
    elif how == "symbolic link":
        out.symlink_to("IN.apt")
    elif how == "hard link":
        out.hardlink_to(source.path)
    else:
        (tmp_path / "sub").mkdir()
        out = tmp_path / "sub" / ".." / "IN.apt"
    with refused(OutputError, out, "this is the input itself; use --in-place"):
        write_output(out, AFTER, source=source, force=force)
    assert source.path.read_bytes() == BEFORE


@pytest.mark.parametrize("odd", ODD)
def test_an_output_that_is_no_file_is_refused_even_by_force(
    tmp_path: Path, source: Source, odd: str
) -> None:
    out = tmp_path / "OUT.apt"
    ODD[odd](out)
    kept = out.lstat()
    with refused(OutputError, out, odd):
        write_output(out, AFTER, source=source, force=True)
    assert out.lstat() == kept
    assert names(tmp_path) == ["IN.apt", "OUT.apt"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere/OUT.apt", "the folder does not exist"),
        ("IN.apt/OUT.apt", "not a directory"),
        ("x" * 300, "name too long"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    tmp_path: Path, source: Source, name: str, words: str
) -> None:
    with pytest.raises(OutputError, match=words) as caught:
        write_output(f"{tmp_path}/{name}", AFTER, source=source)
    assert caught.value.exit_code == 2
    assert names(tmp_path) == ["IN.apt"]


def test_the_longest_name_that_can_be_is_written(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * 251 + ".apt")
    write_output(longest, AFTER)
    assert longest.read_bytes() == AFTER


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("change", ["content", "time", "gone", "another", "hidden"])
def test_an_input_that_changed_since_it_was_read_stops_the_run(
    tmp_path: Path, source: Source, change: str, in_place: bool
) -> None:
    kept = source.path.stat()
    if change == "content":
        source.path.write_bytes(b"saved again in the meantime")
    elif change == "time":
        os.utime(source.path, ns=(0, 0))
    elif change == "gone":
        source.path.unlink()
    elif change == "another":
        (tmp_path / "new").write_bytes(BEFORE)
        os.utime(tmp_path / "new", ns=(kept.st_atime_ns, kept.st_mtime_ns))
        (tmp_path / "new").rename(source.path)
    else:  # as long as before, and with the clock put back
        source.path.write_bytes(BEFORE.swapcase())
        os.utime(source.path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with refused(OutputError, source.path, "was changed by another program"):
        if in_place:
            replace_input(source, AFTER)
        else:
            write_output(tmp_path / "OUT.apt", AFTER, source=source)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == found


# In place


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_change_in_place_keeps_the_original(tmp_path: Path, is_linked: bool) -> None:
    real, given = tmp_path / "there" / "real.apt", tmp_path / "IN.apt"
    real.parent.mkdir()
    if is_linked:
        given.symlink_to("there/real.apt")
    else:
        real = given
    real.write_bytes(BEFORE)
    real.chmod(0o640)
    written = replace_input(read_input(given), AFTER)
    assert real.read_bytes() == given.read_bytes() == AFTER
    assert given.is_symlink() == is_linked
    assert written.backup == tmp_path / "IN.apt.bak" == backup_path(given)
    assert written.backup.read_bytes() == BEFORE
    for path in (real, written.backup):
        assert path.stat().st_mode & 0o7777 == 0o640
    assert names(tmp_path) == ["IN.apt", "IN.apt.bak", "there"]


def test_with_nothing_to_change_nothing_is_written(tmp_path: Path, source: Source) -> None:
    written = replace_input(source, BEFORE)
    assert written.backup is None
    assert written.sha256 == source.sha256
    assert read_input(source.path).identity == source.identity
    assert names(tmp_path) == ["IN.apt"]


def test_a_backup_that_holds_the_input_is_kept(source: Source) -> None:
    backup = backup_path(source.path)
    backup.write_bytes(BEFORE)
    kept = backup.stat()
    replace_input(source, AFTER)
    assert backup.read_bytes() == BEFORE
    assert backup.stat().st_ino == kept.st_ino


def test_the_first_backup_is_never_overwritten(tmp_path: Path, source: Source) -> None:
    versions = [BEFORE, b"<one/>", b"<two/>", b"<three/>"]
    for new in versions[1:]:
        replace_input(read_input(source.path), new, force=True)
    assert names(tmp_path) == ["IN.apt", "IN.apt.bak", "IN.apt.bak2", "IN.apt.bak3"]
    for suffix, data in zip((".bak", ".bak2", ".bak3", ""), versions, strict=True):
        assert tmp_path.joinpath(f"IN.apt{suffix}").read_bytes() == data


@pytest.mark.parametrize("odd", ODD)
def test_a_name_that_is_taken_is_no_backup(source: Source, odd: str) -> None:
    ODD[odd](backup_path(source.path))
    written = replace_input(source, AFTER)
    assert written.backup == source.path.with_name("IN.apt.bak2")
    assert written.backup.read_bytes() == BEFORE


def test_a_backup_that_is_a_link_is_never_written_through(tmp_path: Path, source: Source) -> None:
    backup, elsewhere = backup_path(source.path), tmp_path / "elsewhere"
    elsewhere.write_bytes(BEFORE)
    backup.symlink_to("elsewhere")
    written = replace_input(source, AFTER)
    assert elsewhere.read_bytes() == BEFORE
    assert backup.is_symlink()
    assert written.backup == tmp_path / "IN.apt.bak2"


def test_an_input_that_has_a_backups_name_is_kept(tmp_path: Path) -> None:
    real, given = tmp_path / "IN.apt.bak", tmp_path / "IN.apt"
    real.write_bytes(BEFORE)
    given.symlink_to("IN.apt.bak")
    assert replace_input(read_input(given), AFTER).backup == tmp_path / "IN.apt.bak2"
    assert real.read_bytes() == AFTER
    assert (tmp_path / "IN.apt.bak2").read_bytes() == BEFORE


def test_a_hard_linked_backup_keeps_the_original(source: Source) -> None:
    backup_path(source.path).hardlink_to(source.path)
    replace_input(source, AFTER)
    assert backup_path(source.path).read_bytes() == BEFORE
    assert source.path.read_bytes() == AFTER


@pytest.mark.parametrize("call", ["link", "replace", "fsync"])
def test_an_interrupt_leaves_no_more_than_a_backup(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_input(source, AFTER)
    assert set(names(tmp_path)) <= {"IN.apt", "IN.apt.bak"}
    for name in names(tmp_path):
        assert (tmp_path / name).read_bytes() == BEFORE


# Permissions, disks and their moods


def may_give_away(path: Path) -> bool:
    """Give a file to nobody; False for all but root, and for root in some containers."""
    with suppress(PermissionError):
        os.chown(path, 65534, 65534)
        return True
    return False


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Be nobody, in a folder of nobody's: for root no permission is ever missing."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        if os.geteuid() != 0 or not may_give_away(Path(made)):
            yield Path(made)
            return
        os.setegid(65534)
        os.seteuid(65534)
        try:
            yield Path(made)
        finally:
            os.seteuid(0)
            os.setegid(0)


def test_what_may_not_be_read_is_refused(unprivileged: Path) -> None:
    path = unprivileged / "IN.apt"
    path.touch(mode=0)
    with refused(InputError, path, "cannot be read: permission denied"):
        read_input(path)


def test_a_directory_that_may_not_be_written_is_refused(unprivileged: Path) -> None:
    path = unprivileged / "IN.apt"
    path.write_bytes(BEFORE)
    source = read_input(path)
    unprivileged.chmod(0o500)
    try:
        words = "cannot be written: permission denied; nothing was changed"
        with refused(OutputError, path, words):
            replace_input(source, AFTER)
        with refused(OutputError, unprivileged / "OUT", words):
            write_output(unprivileged / "OUT", AFTER, source=source)
    finally:
        unprivileged.chmod(0o700)
    assert names(unprivileged) == ["IN.apt"]


def test_a_directory_that_may_be_written_and_not_read_is_written(unprivileged: Path) -> None:
    folder = unprivileged / "drop box"
    folder.mkdir(mode=0o300)
    write_output(folder / "OUT.apt", AFTER)
    folder.chmod(0o700)
    assert names(folder) == ["OUT.apt"]


def test_a_read_only_input_is_changed_only_by_force(unprivileged: Path) -> None:
    path = unprivileged / "IN.apt"
    path.write_bytes(BEFORE)
    path.chmod(0o400)
    source = read_input(path)
    with refused(OutputError, path, "is read-only; use --force"):
        replace_input(source, AFTER)
    assert names(unprivileged) == ["IN.apt"]
    replace_input(source, AFTER, force=True)
    assert path.read_bytes() == AFTER
    assert path.stat().st_mode & 0o777 == 0o400


def test_root_leaves_a_file_to_its_owner(source: Source) -> None:
    if not may_give_away(source.path):
        pytest.skip("only root may give files away")
    replace_input(read_input(source.path), AFTER)
    for path in (source.path, backup_path(source.path)):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


def test_an_owner_that_cannot_be_kept_is_no_error(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chown(_name: str, _owner: int, _group: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    replace_input(source, AFTER)
    assert source.path.read_bytes() == AFTER
    assert names(tmp_path) == ["IN.apt", "IN.apt.bak"]


@pytest.mark.parametrize("call", ["chmod", "fsync of the directory"])
def test_what_a_disk_cannot_do_at_all_is_no_error(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        real_fsync(descriptor)

    def chmod(_name: str, _mode: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    if call == "chmod":
        monkeypatch.setattr(os, "chmod", chmod)
    else:
        monkeypatch.setattr(os, "fsync", fsync)
    write_output(tmp_path / "OUT.apt", AFTER, source=source)
    assert (tmp_path / "OUT.apt").read_bytes() == AFTER


def test_a_disk_that_does_not_confirm_is_not_said_to_have_written_nothing(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "OUT.apt"
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        if out.exists():
            raise OSError(errno.EIO, "Input/output error")
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with refused(OutputError, out, "is written and complete, but the disk did not confirm it"):
        write_output(out, AFTER, source=source)
    assert out.read_bytes() == AFTER


def test_apply_runs_where_the_system_has_no_posix_calls(tmp_path: Path) -> None:
    (tmp_path / "in.apt").write_bytes(six("@dither pattern=tight-6"))
    code = (
        f"import os, sys\nfor name in {POSIX_ONLY}: vars(os).pop(name, None)\n"
        "from aptdither.cli import run\nsys.argv[1:] = ['apply', 'in.apt', '--in-place']\nrun()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert b"@dithered 6/6 tight-6" in (tmp_path / "in.apt").read_bytes()
    assert names(tmp_path) == ["in.apt", "in.apt.bak"]


# The harness


def test_nothing_is_lost_in_kills_and_errors() -> None:
    here = Path(__file__).resolve().parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), *sys.path])}
    run = subprocess.run(
        [sys.executable, "-m", "crash", "--quick"],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    counted = re.search(r"^(\d+) kills; faults found: 0$", run.stdout, re.MULTILINE)
    assert counted is not None
    assert int(counted[1]) >= 100
