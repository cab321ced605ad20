"""Read an input once, and write outputs so that no file is ever lost or half written.

How an output is written:

1. A temporary file in the target's own folder gets all bytes, the mode, and an fsync.
2. The input is read again; if it is not what it was, nothing is written.
3. For a change in place, a backup of the input is written in the same way.
4. The temporary file takes the target's name in one step: link(2) for a new name, which fails if
   the name exists, or rename(2) over a file that is replaced.
5. The folder gets an fsync.

At any moment the target is the old file or the new one, complete. A kill can leave a temporary file
(``.aptdither-*.tmp``) and, in place, a complete backup, which the next run uses.

The first backup of ``IN.apt`` is ``IN.apt.bak``. A backup is never overwritten: later ones are
``IN.apt.bak2``, ``IN.apt.bak3`` and so on. A backup that already holds the input serves again.

Known limits: other hard links to a replaced file keep the old content; access lists and extended
attributes are not copied; a change by another program between the last look at the input and the
rename is lost. Where the system has no hard links (FAT, some network disks), a file that another
program creates in the last moment would be replaced. Windows cannot sync a folder, so after a power
failure a file may have its old name or content.
"""

# These are the system's calls on purpose, not pathlib's: tests/crash interrupts each of them.
# ruff: noqa: PTH100, PTH101, PTH105, PTH108, PTH116, PTH118, PTH120

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from aptdither.apt.limits import MAX_BYTES
from aptdither.errors import InputError, Location, OutputError

# Systems lack some of these flags. An open with O_NONBLOCK does not wait for a FIFO's other end.
_BINARY = getattr(os, "O_BINARY", 0)
_READ_FLAGS = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

# How systems say that they cannot do a thing at all, as opposed to a failure.
_NOT_SUPPORTED = frozenset(
    {errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}
)

_EXISTS = "already exists; use --force to overwrite it, or -o with another name"

_Path = str | os.PathLike[str]

#: The name that means standard input, or standard output; a file of that name is ``./-``.
STANDARD = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file, or standard input, as it was when it was read.

    `path` is the name as given, which may be a symbolic link; `sha256` is in lower-case hexadecimal.
    `identity` is the device, inode, size and time of change (ns) of the file and `mode` its
    permission bits; both are None for standard input.
    """

    path: Path
    data: bytes = field(repr=False)
    sha256: str
    identity: tuple[int, int, int, int] | None
    mode: int | None

    @property
    def name(self) -> str:
        """The name that people read."""
        return "standard input" if self.identity is None else str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An output that was written: its name as given, and the hash of its content.

    `backup` holds the former content of an input that was changed in place.
    """

    path: Path
    sha256: str
    backup: Path | None = None


def default_output(path: _Path, word: str = "dithered") -> Path:
    """Return the default name of a changed proposal.

    Examples
    --------
    >>> default_output("17000.apt").name
    '17000.dithered.apt'
    """
    given = Path(path)
    return given.with_name(f"{given.stem}.{word}{given.suffix}")


def read_input(path: _Path, *, max_bytes: int = MAX_BYTES) -> Source:
    """Read a regular file in bounded memory and without waiting; the str "-" is standard input.

    Raises
    ------
    InputError
        The file is missing, not a regular file, larger than `max_bytes` or not readable, or it
        changed while it was being read.
    """
    is_standard, path = path == STANDARD, Path(path)
    before = after = None
    with _as_error(InputError, "standard input" if is_standard else path):
        if is_standard:
            data = sys.stdin.buffer.read(max_bytes + 1) if sys.stdin is not None else b""
        else:
            # Opening a device can have effects, so its kind is looked at first, and again once it
            # is open, since another file may have taken the name.
            _require_regular(os.stat(path))
            with os.fdopen(os.open(path, _READ_FLAGS), "rb") as file:
                before = os.fstat(file.fileno())
                _require_regular(before)
                data = file.read(max_bytes + 1) if before.st_size <= max_bytes else None
                after = os.fstat(file.fileno())
        if data is None or len(data) > max_bytes:
            raise InputError(f"is too large: the limit is {max_bytes:,} bytes")
        if _identity(after) != _identity(before):
            raise InputError("changed while it was being read; run again")
    return Source(
        path=path,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        identity=_identity(after),
        mode=None if after is None else stat.S_IMODE(after.st_mode),
    )


def check_output(path: _Path, *, source: Source | None = None, force: bool = False) -> None:
    """Refuse what :func:`write_output` would refuse, as far as it is known without writing."""
    if path != STANDARD:
        _find_target(Path(path), source=source, force=force)


def write_output(
    path: _Path, data: bytes, *, source: Source | None = None, force: bool = False
) -> Written:
    """Write a file completely or not at all; the str "-" is standard output.

    A symbolic link is followed, and its target written. The file has the mode, and where possible
    the owner, of the file it replaces; a new one has the mode of `source`. `source` is the input
    that `data` was made from: it is never written to, and must still be as it was read. `force`
    replaces an existing file.

    Raises
    ------
    OutputError
        The name exists and `force` is not set, or is that of the input or of something else than a
        regular file; the input has changed; or the system reports an error. What the name held
        before is unchanged.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if path == STANDARD:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return Written(path=Path(STANDARD), sha256=sha256)
    path = Path(path)
    target, replaced = _find_target(path, source=source, force=force)
    mode = None if source is None else source.mode
    with (
        _as_error(OutputError, path),
        _temporary(target, data, like=replaced, mode=mode) as temporary,
    ):
        _require_unchanged(source)
        _publish(temporary, target, replace=force)
        _confirm(target)
    return Written(path=path, sha256=sha256)


def replace_input(source: Source, data: bytes, *, force: bool = False) -> Written:
    """Change an input in place; what it held is kept in a backup beside it.

    With nothing to change, nothing is written and no backup is made. A symbolic link stays one: its
    target is changed, and the backup is beside the link. `force` changes a file that is read-only.

    Raises
    ------
    OutputError
        The input has changed since it was read or is read-only, or the system reports an error. The
        input is complete; when it holds the new content, so is the backup.
    """
    if data == source.data:
        return Written(path=source.path, sha256=source.sha256)
    with _as_error(OutputError, source.path):
        target = os.path.realpath(source.path)
        _require_unchanged(source)
        effective = os.access in os.supports_effective_ids
        if not (force or os.access(target, os.W_OK, effective_ids=effective)):
            raise OutputError(
                "is read-only; use --force to change it anyway, or -o with another name"
            )
        like = os.stat(target)
        with _temporary(target, data, like=like) as temporary:
            backup = _back_up(source, target, like)
            _require_unchanged(source)
            os.replace(temporary, target)
            _confirm(target)
    return Written(path=source.path, sha256=hashlib.sha256(data).hexdigest(), backup=backup)


def _find_target(
    path: Path, *, source: Source | None, force: bool
) -> tuple[str, os.stat_result | None]:
    """Return the file that a name means, links followed, and what exists there already."""
    with _as_error(OutputError, path):
        target = os.path.realpath(path)
        try:
            existing = os.stat(path)
        except FileNotFoundError:
            if not os.path.isdir(os.path.dirname(target)):  # noqa: PTH112
                raise OutputError("the folder does not exist") from None
            return target, None
        identity = source and source.identity
        if identity and (existing.st_dev, existing.st_ino) == identity[:2]:
            raise OutputError(
                "this is the input itself; use --in-place to change it, or -o with another name"
            )
        if not stat.S_ISREG(existing.st_mode):
            raise OutputError(f"this is {_kind(existing)}; only a regular file can be written")
        if not force:
            raise FileExistsError
        return target, existing


def _back_up(source: Source, target: str, like: os.stat_result) -> Path:
    """Return a backup that holds the input and is on the disk."""
    for number in count(1):
        backup = f"{source.path}.bak{number if number > 1 else ''}"
        with _as_error(OutputError, Path(backup)):
            if os.path.lexists(backup):
                # Neither a link nor the file that is about to change is a backup.
                is_other = os.path.islink(backup) or os.path.realpath(backup) == target  # noqa: PTH114
                if is_other or not _holds(backup, source.data):
                    continue
                _sync(backup)  # another program may have written it
            else:
                with _temporary(backup, source.data, like=like) as temporary:
                    try:
                        _publish(temporary, backup, replace=False)
                    except FileExistsError:
                        continue
            _sync(os.path.dirname(os.path.abspath(backup)))
            return Path(backup)
    raise AssertionError("unreachable")


def _holds(path: str, data: bytes) -> bool:
    with suppress(InputError):
        return read_input(path, max_bytes=len(data)).data == data
    return False


def _require_unchanged(source: Source | None) -> None:
    """Read the input again: it must be the same file, in the same state, with the same bytes."""
    if source is None or source.identity is None:
        return
    with suppress(InputError):
        now = read_input(source.path, max_bytes=len(source.data))
        if (now.identity, now.data) == (source.identity, source.data):
            return
    message = "was changed by another program since it was read; nothing was written, run again"
    raise OutputError(message, location=Location(path=str(source.path)))


@contextmanager
def _temporary(
    target: str, data: bytes, *, like: os.stat_result | None, mode: int | None = None
) -> Iterator[str]:
    """Yield a complete file in the target's folder; at the end of the block its name is free."""
    # A short name of its own: the target's may already be as long as names can be.
    folder = os.path.dirname(os.path.abspath(target))
    name = os.path.join(folder, f".aptdither-{os.urandom(8).hex()}.tmp")
    if like is not None:
        mode = stat.S_IMODE(like.st_mode)
    # Nobody else may read it before it has its mode; without one, the umask decides.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
    descriptor = os.open(name, flags, 0o666 if mode is None else 0o600)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if like is not None and hasattr(os, "chown"):
                with suppress(OSError):  # only root may give files away
                    os.chown(name, like.st_uid, like.st_gid)
            if mode is not None:
                try:
                    os.chmod(name, mode & 0o777)
                except OSError as error:
                    if error.errno not in _NOT_SUPPORTED:  # some disks have no modes
                        raise
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield name
    finally:
        with suppress(OSError):
            os.unlink(name)


def _publish(temporary: str, target: str, *, replace: bool) -> None:
    """Give a complete file its name in one step; without `replace`, only if the name is free."""
    if replace:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NOT_SUPPORTED:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(temporary, target)  # noqa: PTH104


def _sync(path: str) -> None:
    """Make a file's content, or a folder's names, last through a power failure."""
    with suppress(PermissionError):  # Windows opens no folders; others may forbid reading
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
        finally:
            os.close(descriptor)


def _confirm(target: str) -> None:
    """Sync the folder of a new name; an error must not deny that the new file is there."""
    try:
        _sync(os.path.dirname(target))
    except OSError as error:
        raise OutputError(
            f"is written and complete, but the disk did not confirm it ({_reason(error)}); "
            "check the disk before you rely on the file"
        ) from error


def _identity(status: os.stat_result | None) -> tuple[int, int, int, int] | None:
    return status and (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"this is {_kind(status)}, not a proposal file")


def _kind(status: os.stat_result) -> str:
    return "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):  # a NUL, or characters that the system's names cannot have
        return "not a valid file name"
    return (error.strerror or str(error)).lower()


@contextmanager
def _as_error(kind: type[InputError | OutputError], path: _Path) -> Iterator[None]:
    """Turn an error of the system into one sentence of this kind; name the file."""
    location = Location(path=str(path))
    try:
        yield
    except (InputError, OutputError) as error:
        raise error.located(location) from error.__cause__
    except (OSError, ValueError) as error:
        if isinstance(error, FileExistsError):
            message = _EXISTS
        elif kind is OutputError:
            message = f"cannot be written: {_reason(error)}; nothing was changed"
        elif isinstance(error, FileNotFoundError):
            message = "no such file"
        else:
            message = f"cannot be read: {_reason(error)}"
        raise kind(message, location=location) from error
