"""The account that the servers run as, and the children started as it.

Postgres refuses to run as root, so root's servers run as `nobody`. That account can seldom walk to the
data folder (/root is closed to it) and we change no folder's mode: a child is put into its data folder
while it still is root and from then on names it `/proc/self/cwd`. A child dies with the process that
started it (prctl(2), PR_SET_PDEATHSIG) and gets none of our environment, which may hold secrets.
"""

import asyncio
import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.embedded.fault import EmbeddedUnavailable

_PR_SET_PDEATHSIG = 1
_UNPRIVILEGED = ("nobody", "daemon")  # initdb wants an account that has a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom children run as; `uid` is None when they simply stay what we are."""

    uid: int | None = None
    gid: int | None = None

    def own(self, folder: Path) -> None:
        """Make a private folder for the account."""
        folder.mkdir(mode=0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)

    def here(self, folder: Path) -> str:
        """How a child whose working directory is `folder` may name it."""
        return str(folder) if self.uid is None else "/proc/self/cwd"

    async def spawn(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        stop: signal.Signals = signal.SIGKILL,
        inherit: int | None = None,
        stdin: int = asyncio.subprocess.DEVNULL,
        output: int = asyncio.subprocess.PIPE,
    ) -> asyncio.subprocess.Process:
        """Start `command` in `folder`; it gets the signal `stop` when this process ends."""
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            stdin=stdin,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=() if inherit is None else (inherit,),
            start_new_session=True,
            preexec_fn=_dying_with_parent(stop),
            umask=0o077,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    async def run(
        self, command: Sequence[str], *, folder: Path, inherit: int | None = None, feed: bytes = b""
    ) -> tuple[int, str]:
        """Run `command` to its end, `feed` on its input; its exit code and what it printed."""
        process = await self.spawn(command, folder=folder, inherit=inherit, stdin=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate(feed)
        return process.returncode or 0, printed.decode(errors="replace")


def unprivileged() -> Account:
    """The account for servers: the current one, or a harmless one when that is root."""
    if os.getuid() != 0:
        return Account()
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise EmbeddedUnavailable(
        "root cannot run Postgres and there is no account `nobody`; run as another user, or set DATABASE_URL"
    )


def _dying_with_parent(stop: signal.Signals) -> Callable[[], None] | None:
    """What a child runs between fork and exec; elsewhere than on Linux the next supervisor ends it."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(stop))
        if os.getppid() != parent:  # it ended before we could ask to be told
            os._exit(1)

    return bind
