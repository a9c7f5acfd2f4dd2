"""A directory that the processes of one user on one host share, and no other user can enter.

Its name comes from the effective user and not from ``HOME``, ``XDG_RUNTIME_DIR`` or ``TMPDIR``, because with
``run_as_user`` a task keeps those of its worker. Nothing here waits: a lock held by another is an error.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

# In memory if possible: nothing reaches a disk or a backup, and a reboot clears it. A systemd unit with
# PrivateTmp still shares it with other units. The second one is for a first one where another user has taken
# our name.
PARENTS = ("/dev/shm", "/tmp")  # noqa: S108 - what is made there is checked at each use
LARGEST = 4_000_000
# Files not written for this many seconds are removed: each rotated secret leaves some behind.
OLD = 2 * 86400.0


class PrivateDirectory:
    """Small files under plain names. Every method raises ``OSError`` if it fails.

    :param parents: absolute paths; the directory is made in the first one that allows it.
    """

    def __init__(self, parents: Sequence[str] = PARENTS) -> None:
        self.parents = tuple(parents)

    def read(self, name: str) -> bytes:
        """The content of a file.

        :raises FileNotFoundError: there is none.
        :raises OSError: it is a link, no plain file, another user's, open to others or very large.
        """
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        with self._opened() as directory, _file(name, os.O_RDONLY | os.O_NONBLOCK, directory) as file:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or not _is_private(status) or status.st_size > LARGEST:
                raise PermissionError(errno.EPERM, "not a private file")
            content = b""
            while len(content) <= LARGEST and (chunk := os.read(file, LARGEST)):
                content += chunk
            return content

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place, whole or not at all, replacing whatever had its name."""
        draft = f"{name}.{secrets.token_hex(8)}"
        with self._opened() as directory:
            try:
                with _file(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, directory) as file:
                    os.fchmod(file, 0o600)
                    while content:
                        content = content[os.write(file, content) :]
                os.replace(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with suppress(OSError):
                    os.unlink(draft, dir_fd=directory)
                raise
            _tidy(directory)

    def lock(self, name: str) -> Lock:
        """Take a lock, without waiting for it.

        :raises BlockingIOError: another process has it.
        """
        with self._opened() as directory:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            file = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            # Not ``lockf``: its locks do not separate the threads of a process, and end as soon as any of
            # them closes the file.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(file)
        except BaseException:
            os.close(file)
            raise
        return Lock(file)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The opened directory, after checking that it is private to this user."""
        # Opened for each use: a process may change its user, and a cleanup may remove the directory.
        directory = self._open()
        try:
            yield directory
        finally:
            os.close(directory)

    def _open(self) -> int:
        trouble = OSError(errno.ENOENT, "no place for a shared directory")
        for parent in self.parents:
            try:
                return _open_within(parent)
            except OSError as error:
                trouble = error
        raise trouble


class Lock:
    """A lock, held until it is released or the process ends. A forked child does not hold it."""

    def __init__(self, file: int) -> None:
        self._file: int | None = file
        _held.add(self)

    def release(self) -> None:
        # Unlocked explicitly: a child forked before ``_held`` knew of the file still has it open.
        if self._file is not None:
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)
        self.close()

    def close(self) -> None:
        """Close the file without unlocking it for a process that shares it."""
        file, self._file = self._file, None
        _held.discard(self)
        if file is not None:
            os.close(file)


_held: set[Lock] = set()


def _drop_what_the_parent_holds() -> None:
    for lock in tuple(_held):
        lock.close()


# A lock belongs to the open file, which a child shares; without this it would outlive the parent.
os.register_at_fork(after_in_child=_drop_what_the_parent_holds)


def _open_within(parent: str) -> int:
    path = f"{parent}/airflow-provider-aep-{os.geteuid()}"
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        directory = os.open(path, flags)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)  # noqa: PTH102 - opened by the same text, without following links
        directory = os.open(path, flags)
    if not _is_private(os.fstat(directory)):
        os.close(directory)
        raise PermissionError(errno.EPERM, "not a private directory")
    return directory


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


@contextmanager
def _file(name: str, flags: int, directory: int) -> Iterator[int]:
    file = os.open(name, flags | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    try:
        yield file
    finally:
        os.close(file)


def _tidy(directory: int) -> None:
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > OLD:
                    os.unlink(entry.name, dir_fd=directory)
