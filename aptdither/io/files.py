"""The disk: read an input once, write an output so that nothing is ever lost.

How an output is written::

    temporary file in the target's own directory: all bytes, owner, mode, fsync
    the input is read once more: it must be what it was
    (in place) the backup, written the same way, is under its name and on the disk
    link(2) to a new name, rename(2) over one that is replaced
    fsync of the directory

So the name holds the old file or the new one, whole, whatever happens and whenever. What a kill can
leave is a temporary file, ``.aptdither-*.tmp``, and a complete backup; an error or Ctrl-C leaves
neither. Written for POSIX systems (Linux, macOS).

Limits that are known: other hard links to a replaced file keep the old content; access lists and
extended attributes are not copied; a change that another program makes in the few microseconds
between the last look at the input and the rename is not seen, and is lost.
"""

# The calls are the system's on purpose, not pathlib's: each is one that can be killed.
# ruff: noqa: PTH100, PTH105, PTH108, PTH116, PTH120

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aptdither.apt.limits import MAX_BYTES
from aptdither.errors import InputError, Location, OutputError
from aptdither.io.atomic import open_folder, publish, sync_file, sync_folder, temporary_file

_CHUNK_BYTES = 2**20
_READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """What tells whether a name still means the same file in the same state."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file as it was when it was read.

    Attributes
    ----------
    path : Path
        The name as given; it may be a symbolic link.
    data : bytes
        The whole content.
    sha256 : str
        Of `data`, in lower-case hexadecimal.
    identity : FileIdentity
        Of the regular file that was read.
    mode : int
        Its permission bits.
    """

    path: Path
    data: bytes = field(repr=False)
    sha256: str
    identity: FileIdentity
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was put on the disk.

    Attributes
    ----------
    path : Path
        The name as given.
    sha256 : str
        Of the content under that name.
    backup : Path or None
        Where the former content of an input that was changed in place is kept.
    """

    path: Path
    sha256: str
    backup: Path | None = None


def default_output(path: _Path) -> Path:
    """Return where the dithered version of a proposal goes: ``IN.apt`` to ``IN.dithered.apt``."""
    given = Path(path)
    return given.with_name(f"{given.stem}.dithered{given.suffix}")


def backup_path(path: _Path) -> Path:
    """Return where the original goes when a file is changed in place: ``IN.apt.bak``."""
    given = Path(path)
    return given.with_name(f"{given.name}.bak")


def read_input(path: _Path, *, max_bytes: int = MAX_BYTES) -> Source:
    """Read a regular file, whole, in bounded memory and without ever waiting.

    Parameters
    ----------
    path : str or path-like
        The file, or a symbolic link to it.
    max_bytes : int, optional
        The largest size that is read.

    Returns
    -------
    Source
        The bytes, and what is needed to see later whether the file has changed.

    Raises
    ------
    InputError
        The file is missing, is not a regular file, is too large, may not be read, or changed
        while it was being read.
    """
    location = Location(path=os.fspath(path))
    if not _is_name(path):
        raise InputError("this is not a name that a file can have", location=location)
    try:
        # Looked at before it is opened: opening a device can do things, opening a FIFO can wait.
        _require_regular(os.stat(path), location)
        # What has the name now may be another file: hence no waiting, and a second look.
        descriptor = os.open(path, _READ_FLAGS)
        try:
            before = os.fstat(descriptor)
            _require_regular(before, location)
            data = _read_all(descriptor, before.st_size, max_bytes, location)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise InputError("there is no such file", location=location) from error
    except OSError as error:
        raise InputError(f"cannot be read: {_reason(error)}", location=location) from error
    identity = _identity(after)
    if identity != _identity(before):
        raise InputError("changed while it was being read; run again", location=location)
    return Source(
        path=Path(path),
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        identity=identity,
        mode=stat.S_IMODE(after.st_mode),
    )


def check_output(path: _Path, *, source: Source | None = None, force: bool = False) -> None:
    """Refuse what :func:`write_output` would refuse, before any work is done.

    Raises
    ------
    OutputError
        As :func:`write_output`, as far as it can be known without writing.
    """
    _find_target(path, source=source, force=force)


def write_output(
    path: _Path, data: bytes, *, source: Source | None = None, force: bool = False
) -> Written:
    """Put `data` under a name, all of it or nothing.

    A symbolic link is followed, and its target written. The file has the mode, and where possible
    the owner, of the file it replaces; a new one has the mode of `source`.

    Parameters
    ----------
    path : str or path-like
        The name.
    data : bytes
        The whole content.
    source : Source, optional
        The input that `data` was made from: it is never written to, and must still be on the disk
        as it was read.
    force : bool, optional
        Replace a file that has the name.

    Returns
    -------
    Written
        The name and the hash of its content.

    Raises
    ------
    OutputError
        The name exists and `force` is not set, is that of the input, is a directory or anything
        but a regular file, the input has changed, or the disk, its permissions or its space do not
        allow it. What the name held before is whole.
    """
    target, replaced = _find_target(path, source=source, force=force)
    folder = os.path.dirname(target)
    mode = source.mode if source is not None else None
    with (
        _explained(path),
        open_folder(folder) as folder_descriptor,
        temporary_file(folder, data, like=replaced, mode=mode) as temporary,
    ):
        if source is not None:
            _require_unchanged(source)
        publish(temporary, target, replace=force)
        _confirm(folder_descriptor, path)
    return Written(path=Path(path), sha256=hashlib.sha256(data).hexdigest())


def check_in_place(source: Source, *, force: bool = False) -> None:
    """Refuse what :func:`replace_input` would refuse, before any work is done.

    Whoever asks before the new content is known must not hold a refusal against a run that then
    changes nothing: after a first change in place, the backup always holds something else.

    Raises
    ------
    OutputError
        As :func:`replace_input`, as far as it can be known without writing.
    """
    _find_input(source, force=force)


def replace_input(source: Source, data: bytes, *, force: bool = False) -> Written:
    """Change an input in place; what it held is kept in ``IN.apt.bak``, beside the name given.

    With nothing to change, nothing is written and no backup is made. A symbolic link stays one: its
    target is changed.

    Parameters
    ----------
    source : Source
        The input as it was read.
    data : bytes
        The new content.
    force : bool, optional
        Replace a backup that holds something else, and change a file that is read-only.

    Returns
    -------
    Written
        The name, the hash of its content, and the backup if one was needed.

    Raises
    ------
    OutputError
        The input has changed since it was read or is read-only, the backup has another content, or
        the disk, its permissions or its space do not allow it. The input is whole; when it holds
        the new content, so is the backup.
    """
    if data == source.data:
        return Written(path=source.path, sha256=source.sha256)
    target, backup, old = _find_input(source, force=force)
    folder = os.path.dirname(target)
    with (
        _explained(source.path),
        open_folder(folder) as folder_descriptor,
        temporary_file(folder, data, like=old) as temporary,
    ):
        _require_unchanged(source)
        with _backed_up(source, backup, like=old, replace=force):
            # The backup took time; this is the shortest look there is.
            if not _is_still_there(source):
                raise _changed(source)
            os.replace(temporary, target)
        _confirm(folder_descriptor, source.path)
    return Written(path=source.path, sha256=hashlib.sha256(data).hexdigest(), backup=Path(backup))


# Looking, before anything is written


def _find_target(
    path: _Path, *, source: Source | None, force: bool
) -> tuple[str, os.stat_result | None]:
    """Return the file that a name means, links followed, and what is there already."""
    shown = os.fspath(path)
    location = Location(path=shown)
    if not _is_name(path):
        raise OutputError("this is not a name that a file can have", location=location)
    with _explained(path):
        target = os.path.realpath(path)
        try:
            there = os.stat(path)
        except FileNotFoundError:
            if shown.endswith(os.sep):
                raise OutputError("this is the name of a directory", location=location) from None
            return target, None
    if source is not None and _is_same_file(source, there):
        message = "this is the input itself; use --in-place to change it, or -o with another name"
        raise OutputError(message, location=location)
    if not stat.S_ISREG(there.st_mode):
        message = f"this is {_kind(there)}; only a regular file can be written"
        raise OutputError(message, location=location)
    if not force:
        raise OutputError(_REASONS[errno.EEXIST], location=location)
    return target, there


def _find_input(source: Source, *, force: bool) -> tuple[str, str, os.stat_result]:
    """Return the file to change, its backup's name, and what the file is now."""
    backup = os.fspath(backup_path(source.path))
    with _explained(source.path):
        target = os.path.realpath(source.path)
        if not _is_still_there(source):
            raise _changed(source)
        there = os.stat(target)
        effective = os.access in os.supports_effective_ids
        if not force and not os.access(target, os.W_OK, effective_ids=effective):
            message = "is read-only; use --force to change it all the same, or -o with another name"
            raise OutputError(message, location=Location(path=os.fspath(source.path)))
    with _explained(backup):
        # A backup that is the input by another name would be lost with it.
        if os.path.realpath(backup) == target:
            message = "this is the input itself, not a place for its backup; use -o instead"
            raise OutputError(message, location=Location(path=backup))
        _is_backup_there(source, backup, replace=force)
    return target, backup, there


def _is_backup_there(source: Source, backup: str, *, replace: bool) -> bool:
    """Tell whether the backup already holds the input; refuse one that holds something else."""
    location = Location(path=backup)
    try:
        there = os.lstat(backup)
    except FileNotFoundError:
        return False
    if stat.S_ISREG(there.st_mode):
        if _holds(backup, source.data):
            return True
    elif not (replace and stat.S_ISLNK(there.st_mode)):
        message = f"the backup cannot be written: this is {_kind(there)}; move it away"
        raise OutputError(message, location=location)
    if not replace:
        message = (
            "an older backup with another content is there; move it away, or use --force to "
            "replace it"
        )
        raise OutputError(message, location=location)
    return False


def _is_name(path: _Path) -> bool:
    """Tell whether the system can be asked for this name at all."""
    try:
        return bool(os.fspath(path)) and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _require_regular(found: os.stat_result, location: Location) -> None:
    if not stat.S_ISREG(found.st_mode):
        message = f"this is {_kind(found)}, not a file with a proposal in it"
        raise InputError(message, location=location)


def _require_unchanged(source: Source) -> None:
    """Look at the input once more: the same file, in the same state, with the same bytes."""
    if not (_is_still_there(source) and _holds(source.path, source.data)):
        raise _changed(source)


def _is_still_there(source: Source) -> bool:
    try:
        return _identity(os.stat(source.path)) == source.identity
    except FileNotFoundError:
        return False


def _is_same_file(source: Source, found: os.stat_result) -> bool:
    return (found.st_dev, found.st_ino) == (source.identity.device, source.identity.inode)


def _identity(found: os.stat_result) -> FileIdentity:
    return FileIdentity(
        device=found.st_dev, inode=found.st_ino, size=found.st_size, mtime_ns=found.st_mtime_ns
    )


def _holds(path: _Path, data: bytes) -> bool:
    """Tell whether a regular file holds exactly `data`; reads little more than that."""
    descriptor = os.open(path, _READ_FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        expected, start = memoryview(data), 0
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            if expected[start : start + len(chunk)] != chunk:
                return False
            start += len(chunk)
        return start == len(data)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, expected_bytes: int, max_bytes: int, location: Location) -> bytes:
    """Read to the end of a file, or refuse it: one byte more than is allowed is enough to know."""
    chunks: list[bytes] = []
    room = max_bytes + 1
    if expected_bytes <= max_bytes:
        # One read takes a file that keeps still: its bytes are never held twice.
        wanted = expected_bytes + 1
        while room > 0 and (chunk := os.read(descriptor, min(wanted, room))):
            chunks.append(chunk)
            room -= len(chunk)
            wanted = _CHUNK_BYTES
        if room > 0:
            return b"".join(chunks)
    found = max(expected_bytes, max_bytes + 1)
    message = f"is too large: {found:,} bytes or more, and at most {max_bytes:,} are read"
    raise InputError(message, location=location)


# Writing


@contextmanager
def _backed_up(
    source: Source, backup: str, *, like: os.stat_result, replace: bool
) -> Iterator[None]:
    """Have the backup complete and on the disk; take a new one away again if the block fails."""
    folder = os.path.dirname(os.path.abspath(backup))
    is_new = False
    try:
        with _explained(backup), open_folder(folder) as folder_descriptor:
            if _is_backup_there(source, backup, replace=replace):
                sync_file(backup)  # whoever wrote it may not have
            else:
                was_free = not os.path.lexists(backup)
                with temporary_file(folder, source.data, like=like) as temporary:
                    publish(temporary, backup, replace=replace)
                    is_new = was_free
            sync_folder(folder_descriptor)
        yield
    except BaseException:
        if is_new:
            # Only while the input is surely what it was: a rename can fail and have happened.
            with suppress(OSError, OutputError):
                _require_unchanged(source)
                os.unlink(backup)
        raise


def _confirm(folder_descriptor: int | None, path: _Path) -> None:
    """Make a name last; from here on the new file is there, and an error must not deny it."""
    try:
        sync_folder(folder_descriptor)
    except OSError as error:
        message = (
            f"is written and whole, but the disk did not confirm it ({_reason(error)}); "
            "look after the disk before you rely on it"
        )
        raise OutputError(message, location=Location(path=os.fspath(path))) from error


# Saying what is wrong

_REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EEXIST: "exists already; use --force to overwrite it, or -o with another name",
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "it would be larger than the system allows",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its symbolic links go in a circle",
    errno.ENOENT: "there is no such directory",
    errno.ENOTDIR: "a part of the path is not a directory",
}

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO (named pipe)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a symbolic link"),
)


def _kind(found: os.stat_result) -> str:
    return next((words for test, words in _KINDS if test(found.st_mode)), "something unknown")


def _reason(error: OSError) -> str:
    number = error.errno or errno.EIO
    return _REASONS.get(number, os.strerror(number).lower())


@contextmanager
def _explained(path: _Path) -> Iterator[None]:
    """Turn what the system says into one sentence about the output."""
    location = Location(path=os.fspath(path))
    try:
        yield
    except FileExistsError as error:
        raise OutputError(_reason(error), location=location) from error
    except OSError as error:
        message = f"cannot be written: {_reason(error)}; it is as it was"
        raise OutputError(message, location=location) from error


def _changed(source: Source) -> OutputError:
    message = "was changed by another program since it was read; nothing was written, run again"
    return OutputError(message, location=Location(path=os.fspath(source.path)))
