"""Gateway processes: started as an operator would, killed without a warning, stopped with SIGTERM.

A process dies with this one, however this one ends. Each has a folder of its own, an empty configuration
beside it, and its log in the file `log`.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from bots.torture.zygote import Child, Zygote
from core.errors import ParleyError

READY = ("channel up", "channel standby")
START_SECONDS = 60.0
STOP_SECONDS = 25.0
_PR_SET_PDEATHSIG = 1


class NotStarted(ParleyError):
    """An instance ended, or said nothing, before it was ready; the text has its last words."""


class Instance:
    """One gateway process after another in one folder. `crashes` are the exit codes of those that ended by
    themselves, or not well when they were asked to. Who does something to it holds `alone`."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        channels: Collection[str],
        zygote: Zygote | None = None,
    ) -> None:
        """`channels` are those that it waits for. With a `zygote` its processes are forked from there, for a
        fraction of the price."""
        self.crashes: list[int] = []
        self.alone = asyncio.Lock()
        self._frozen = False
        self._folder = folder
        self._channels = frozenset(channels)
        self._environment = {**environment, "PARLEY_HOME": str(folder)}
        self._zygote = zygote
        self._process: asyncio.subprocess.Process | Child | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._missing: set[str] = set()

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    @property
    def ready(self) -> bool:
        return self.pid is not None and self._ready.is_set() and not self._frozen

    async def start(self) -> None:
        """Start; `until_ready` waits for it."""
        await asyncio.to_thread(self._prepare)
        self._ready.clear()
        self._missing = set(self._channels)
        self._process = await self._born()
        self._reading = asyncio.create_task(self._read(self._process), name="log")

    async def _born(self) -> asyncio.subprocess.Process | Child:
        if self._zygote is not None:
            return await self._zygote.fork("run", environment=self._environment, folder=self._folder)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "bots", "run"),
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # A terminal's Ctrl-C is for us; we end them in our own order.
            start_new_session=True,
            preexec_fn=_dying_with_parent(),
        )

    async def until_ready(self) -> None:
        """Return when it receives or stands by on every channel. Raises `NotStarted`."""
        assert self._reading is not None
        waiting = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {waiting, self._reading}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        if not self._ready.is_set():
            raise NotStarted(f"an instance did not start: {await asyncio.to_thread(self._last_words)}")

    async def kill(self) -> None:
        """End it as `kill -9` does; returns when it is gone. That it was gone already is a crash."""
        if self._process is not None and self._process.returncode is not None and self._ready.is_set():
            self.crashes.append(self._process.returncode)
        await self._end(signal.SIGKILL)

    async def raise_up(self) -> None:
        """Start it again where it ended before it was ready, as whoever looks after services does: a start
        may find a store away. One that ended later has crashed, which its next kill tells."""
        process = self._process
        if process is not None and process.returncode is not None and not self._ready.is_set():
            await self._end(signal.SIGKILL)
            await self.start()

    async def freeze(self, seconds: float) -> None:
        """Let it stand still for so long, as a machine that swaps or moves does."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGSTOP)
        self._frozen = True
        try:
            await asyncio.sleep(seconds)
        finally:
            self._frozen = False
            self._process.send_signal(signal.SIGCONT)

    async def renew(self) -> None:
        """Ask it to end and start the next, as a deploy does."""
        was_ready = self.ready
        if (code := await self.stop()) and was_ready:
            self.crashes.append(code)
        await self.start()

    async def stop(self) -> int:
        """Ask it to end; its exit code, or that of the kill when it takes longer than it may."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                return await self._end(signal.SIGTERM)
        return await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)
        code = await self._process.wait()
        if self._reading is not None:
            await self._reading
        self._process = None
        return code

    def _prepare(self) -> None:
        """Empty configuration files stand before those of the checkout, which may hold real tokens."""
        (self._folder / "config").mkdir(parents=True, exist_ok=True)
        (self._folder / ".env").touch()
        (self._folder / "config" / "local.toml").touch()

    async def _read(self, process: asyncio.subprocess.Process | Child) -> None:
        assert process.stderr is not None
        with (self._folder / "log").open("ab", buffering=0) as file:
            while line := await process.stderr.readline():
                file.write(line)
                if not self._ready.is_set():
                    self._missing.discard(_channel_in(line))
                    if not self._missing:
                        self._ready.set()

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"


def _channel_in(line: bytes) -> str:
    """The channel that a line of the log says is ready; "" where it says something else."""
    with contextlib.suppress(ValueError, AttributeError):
        told = json.loads(line)
        return str(told.get("channel", "")) if told.get("event") in READY else ""
    return ""


def gateway_environment(
    platforms: Iterable[Mapping[str, str]], *, model: str, database: str, redis: str, lease: float
) -> dict[str, str]:
    """What an operator would set; of this process's own environment only what Python needs."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "HOME", "LD_LIBRARY_PATH") if name in os.environ
    }
    around = {
        **kept,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "OPENAI_BASE_URL": f"{model}/v1",
        "PARLEY_MODEL": "simulated",
        "PARLEY_ACCESS": "open",
        "PARLEY_WEB__PORT": "0",
        "PARLEY_LOG__FORMAT": "json",
        "PARLEY_TURNS__LEASE_SECONDS": f"{lease:g}",
    }
    for platform in platforms:
        around |= platform
    return around


def _dying_with_parent() -> Callable[[], None] | None:
    """What a child runs between fork and exec (prctl(2), PR_SET_PDEATHSIG); elsewhere than on Linux only
    our own end ends it."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)

    return bind
