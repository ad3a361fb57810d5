"""Valkey as a child of the supervisor: how it is started, asked and stopped.

All that Parley keeps in it can be rebuilt from Postgres. So a data folder that Valkey cannot read any
more is set aside, and it starts anew with an empty one.
"""

import asyncio
import shutil
import signal
from pathlib import Path

from core.embedded.account import Account
from core.embedded.folder import Lock

SOCKET = "valkey.sock"

_SETTINGS = {
    "port": "0",
    "unixsocket": SOCKET,  # relative to the data folder, so never too long
    "unixsocketperm": "700",
    "dir": ".",
    "save": "",
    "loglevel": "warning",
    "appendfsync": "everysec",
    "maxmemory": "512mb",
    # What may go carries a time to live. Flags and experiments carry none, and so are never evicted:
    # losing them would not lose data, but would change how the gateway behaves.
    "maxmemory-policy": "volatile-lru",
}
_UNREADABLE = ("append only file", "AOF", "RDB")


class Valkey:
    """The cache server of a pair; `program` is the wheel's valkey-server."""

    name = "valkey"
    stop = signal.SIGTERM
    force = signal.SIGKILL

    def __init__(self, *, program: Path, folder: Path, account: Account, durable: bool) -> None:
        self._program = program
        self._folder = folder
        self._data = folder / self.name
        self._account = account
        self._durable = durable

    async def prepare(self, lock: Lock) -> None:
        """Make the data folder where it is missing, and drop a socket nobody listens on."""
        if not self._data.exists():
            self._account.own(self._data)
        (self._data / SOCKET).unlink(missing_ok=True)

    def command(self) -> list[str]:
        """What starts the server in its data folder."""
        settings = _SETTINGS | {"appendonly": "yes" if self._durable else "no"}
        return [
            str(self._program),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ]

    async def answers(self) -> bool:
        """Does it answer PING? While it loads its data it says LOADING instead."""
        try:
            reader, writer = await asyncio.open_unix_connection(f"{self.name}/{SOCKET}")
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        except OSError:
            return False
        finally:
            writer.close()

    def mend(self, reason: str) -> bool:
        """Set an unreadable data folder aside, in the place of one set aside earlier."""
        if not any(word in reason for word in _UNREADABLE) or "No space" in reason:
            return False
        aside = self._folder / "valkey.unreadable"
        shutil.rmtree(aside, ignore_errors=True)
        self._data.rename(aside)
        return True
