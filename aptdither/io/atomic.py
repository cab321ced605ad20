"""One file on the disk, all of it or nothing: the steps that `files` puts in order.

Each step is a call of the operating system that can be killed, can fail, and can lose power after
it; `tests/crash` does all three. A file is first complete under a temporary name in the directory
of its target, then takes the target's name in one step.
"""

# The calls are the system's on purpose, not pathlib's: each is one that can be killed.
# ruff: noqa: PTH104, PTH105, PTH108, PTH118

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# What systems say when a disk cannot do a thing at all, as opposed to failing at it.
_NOT_SUPPORTED = frozenset(
    {errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
)


@contextmanager
def temporary_file(
    folder: str, data: bytes, *, like: os.stat_result | None, mode: int | None = None
) -> Iterator[str]:
    """Hold a new file that is complete and on the disk.

    Parameters
    ----------
    folder : str
        Where; the target's own directory, since a rename cannot leave a disk.
    data : bytes
        The whole content.
    like : os.stat_result or None
        The file that is to be replaced: its mode is kept, and its owner where that is allowed.
    mode : int, optional
        The permission bits of a file that replaces none; without them the umask decides.

    Yields
    ------
    str
        Its name. At the end of the block nothing has that name any more.

    Raises
    ------
    OSError
        The disk does not take it.
    """
    # A short name of its own: the target's may already be as long as names can be.
    name = os.path.join(folder, f".aptdither-{os.urandom(8).hex()}.tmp")
    if like is not None:
        mode = stat.S_IMODE(like.st_mode)
    # Nobody else may look into it before it has its mode.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666 if mode is None else 0o600)
    try:
        try:
            _write_all(descriptor, data)
            if like is not None:
                _keep_owner(descriptor, like)
            if mode is not None:
                _set_mode(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield name
    finally:
        with suppress(OSError):
            os.unlink(name)


def publish(temporary: str, target: str, *, replace: bool) -> None:
    """Give a complete file its name, in one step.

    Without `replace` it is link(2), which fails when the name exists, whoever made it and however
    late. Where a disk has no hard links (FAT, some network disks) the name is looked at and
    rename(2) used: there, a file that another program makes between the two would be replaced.

    Raises
    ------
    FileExistsError
        The name exists and `replace` is not set.
    OSError
        The disk does not do it.
    """
    if replace:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        with suppress(FileNotFoundError):
            os.lstat(target)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(temporary, target)
        return
    with suppress(OSError):  # it is tried again when the temporary file's block ends
        os.unlink(temporary)


@contextmanager
def open_folder(folder: str) -> Iterator[int | None]:
    """Open a directory for its fsync; None where we may write but not read.

    Raises
    ------
    OSError
        There is no such directory.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        yield None
        return
    try:
        yield descriptor
    finally:
        with suppress(OSError):  # nothing was written through it
            os.close(descriptor)


def sync_folder(descriptor: int | None) -> None:
    """Make the names in a directory last, where the disk can.

    Raises
    ------
    OSError
        The disk can, and failed.
    """
    if descriptor is None:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise


def sync_file(path: str) -> None:
    """Make the content of a file that another program wrote last.

    Raises
    ------
    OSError
        The disk failed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = os.write(descriptor, rest)
        if written == 0:  # no such thing on a file; better an error than to turn for ever
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]


def _keep_owner(descriptor: int, like: os.stat_result) -> None:
    ours = os.fstat(descriptor)
    if (ours.st_uid, ours.st_gid) == (like.st_uid, like.st_gid):
        return
    with suppress(OSError):  # only root may give files away
        os.fchown(descriptor, like.st_uid, like.st_gid)


def _set_mode(descriptor: int, mode: int) -> None:
    try:
        # Set-user-id and its kin do not belong on a proposal.
        os.fchmod(descriptor, mode & 0o777)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:  # some disks have no modes
            raise
