"""The folder of one pair: who may enter it, how its sockets are named, how its locks are held.

Below `HOME/embedded` lie one data folder for each server, their logs and the locks. Locks are the
kernel's (`flock`), so none can outlive the processes that hold it; a lock file on its own means nothing.
Only its owner may enter the folder, which is what keeps other accounts from the servers.
"""

import contextlib
import fcntl
import hashlib
import os
import stat
from pathlib import Path

from core.embedded.fault import EmbeddedUnavailable

SUPERVISOR_LOCK = "supervisor.lock"
SUPERVISOR_SOCKET = "supervisor.sock"
START_LOCK = "start.lock"

# A socket's name has 104 bytes on macOS and 108 on Linux, the closing zero included (man 7 unix).
_LONGEST = 103 - len("/postgres/.s.PGSQL.5432")


def prepare(home: Path) -> Path:
    """Make `home/embedded` where it is missing and return it; folders that exist keep their modes."""
    folder = home.expanduser().absolute() / "embedded"
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        with take(folder / START_LOCK):
            return folder
    except OSError as error:
        raise EmbeddedUnavailable(
            f"cannot write to {folder}: {error.strerror}; set PARLEY_HOME to a folder of your own"
        ) from error


def reach(folder: Path) -> Path:
    """A name of the folder that fits into a socket address and into a database URL.

    Deep folders, and those with a `,` or `:` (which separate hosts in a URL), are reached by a link in a
    private folder below /tmp. The link's name follows from the folder's, so it is found again.
    """
    if len(os.fsencode(folder)) <= _LONGEST and not set(str(folder)) & set(",:"):
        return folder
    private = Path("/tmp", f"parley-{os.getuid()}")
    link = private / hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    private.mkdir(mode=0o700, exist_ok=True)
    _demand_private(private)
    if not link.is_symlink():
        link.unlink(missing_ok=True)
        with contextlib.suppress(FileExistsError):  # another process of ours was quicker
            link.symlink_to(folder)
    return link


def _demand_private(folder: Path) -> None:
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        return
    raise EmbeddedUnavailable(
        f"{folder} is not a private folder of this account; remove it, or set PARLEY_HOME to a shorter path"
    )


class Lock:
    """A kernel lock, held until `release` or until every process that inherited `fd` has ended."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def write(self, text: str) -> None:
        """Leave a note, such as a process id, in the lock's file."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text.encode(), 0)

    def release(self) -> None:
        """Let go of our own handle; children that inherited it keep the lock."""
        os.close(self.fd)


def take(path: Path) -> Lock:
    """Wait for the lock at `path` and hold it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except BaseException:
        os.close(fd)
        raise
    return Lock(fd)


def take_now(path: Path) -> Lock | None:
    """Hold the lock at `path`, or None when somebody else does."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return Lock(fd)
