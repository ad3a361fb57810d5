"""Postgres as a child of the supervisor: how it is set up, started, asked and stopped.

Settings are given on the command line, so a newer Parley's choice holds for an older data folder too.
Only the sockets in the data folder are listened on; whoever may enter the folder may connect.
"""

import re
import shutil
import signal
from pathlib import Path

from core.embedded.account import Account
from core.embedded.fault import EmbeddedUnavailable
from core.embedded.folder import Lock

DATABASE = "parley"
OWNER = "parley"

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",  # relative to the data folder, so never too long
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",  # our queries are short
    "max_parallel_maintenance_workers": "0",  # containers have 64 MB of /dev/shm, too little for them
    "wal_level": "minimal",  # nobody replicates from here
    "max_wal_senders": "0",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    # People's words are in statements and in the details of errors: keep both out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """The database server of a pair; `bin` is the wheel's folder of programs."""

    name = "postgres"
    stop = signal.SIGINT  # "fast": ends sessions, writes a checkpoint
    force = signal.SIGQUIT  # "immediate": recovers from its log at the next start

    def __init__(self, *, bin: Path, folder: Path, account: Account, durable: bool) -> None:
        self._bin = bin
        self._folder = folder
        self._data = folder / self.name
        self._account = account
        self._durable = durable

    async def prepare(self, lock: Lock) -> None:
        """Set the data folder up where it is missing: whole, or not at all."""
        # Our lock proves that no server lives; the process id in a left file may be anybody's by now.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        if self._data.exists():
            return
        staging = self._folder / "postgres.new"
        shutil.rmtree(staging, ignore_errors=True)
        self._account.own(staging)
        here = self._account.here(staging)
        await self._do("initdb", *_initdb_arguments(here, self._durable), folder=staging, lock=lock)
        create = f'CREATE DATABASE "{DATABASE}";\n'.encode()
        await self._do("postgres", "--single", "-D", here, "postgres", folder=staging, lock=lock, feed=create)
        staging.rename(self._data)

    async def _do(self, program: str, *arguments: str, folder: Path, lock: Lock, feed: bytes = b"") -> None:
        command = [str(self._bin / program), *arguments]
        code, printed = await self._account.run(command, folder=folder, inherit=lock.fd, feed=feed)
        fault = re.search(r"(error|ERROR|FATAL|PANIC):.*", printed)
        if code or fault:
            reason = fault[0] if fault else f"exit code {code}"
            raise EmbeddedUnavailable(f"cannot set up Postgres in {self._folder}: {program}: {reason}")

    def command(self) -> list[str]:
        """What starts the server in its data folder."""
        settings = _SETTINGS if self._durable else _SETTINGS | _FAST
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", self._account.here(self._data), *chosen]

    async def answers(self) -> bool:
        """Does it take connections? Line 8 of its pid file says so, which is what pg_ctl reads too."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def mend(self, reason: str) -> bool:
        """Nothing here can be thrown away."""
        return False


def _initdb_arguments(here: str, durable: bool) -> list[str]:
    return [
        f"--pgdata={here}",
        f"--username={OWNER}",
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",  # sorts the same on every machine
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
