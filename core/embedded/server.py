"""One server process: started, waited for, started again when it dies, stopped.

Every process of a server inherits the server's lock. Whoever gets the lock therefore knows that nothing
of an earlier server is left, whatever killed it, without trusting a process id in a file.
"""

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path
from signal import Signals
from typing import Protocol

from core.embedded.account import Account
from core.embedded.fault import EmbeddedUnavailable
from core.embedded.folder import Lock, take_now

log = logging.getLogger(__name__)

_START_SECONDS = 120.0  # a crashed database may have to read much of its log
_ORPHAN_SECONDS = 2.0
_LEFT_SECONDS = 30.0
_STOP_SECONDS = 15.0
_LONGEST_LOG = 5_000_000
_FAULTS = ("FATAL", "PANIC", "Fatal", "rror", "Bad file", "Can't", "can't", "Failed", "Unrecoverable")


class Engine(Protocol):
    """What a kind of server knows about itself."""

    name: str
    stop: Signals
    force: Signals

    async def prepare(self, lock: Lock) -> None: ...
    def command(self) -> list[str]: ...
    async def answers(self) -> bool: ...
    def mend(self, reason: str) -> bool: ...


class Server:
    """A running engine; the working directory is the pair's folder."""

    def __init__(self, engine: Engine, account: Account) -> None:
        self._engine = engine
        self._account = account
        self._folder = Path.cwd()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return when the server answers; raises `EmbeddedUnavailable` with its own last words."""
        try:
            await self._start_once()
        except EmbeddedUnavailable as fault:
            if not self._engine.mend(str(fault)):
                raise
            log.warning("%s could not read its data, which is set aside: %s", self._engine.name, fault)
            await self._start_once()

    async def tend(self) -> None:
        """Start the server again each time it dies; runs until cancelled."""
        pause = 0.0
        while True:
            started = time.monotonic()
            if self._process is not None:
                code = await self._process.wait()
                log.warning("%s ended with code %s: starting it again", self._engine.name, code)
            pause = 0.0 if time.monotonic() - started > 10 else min(5.0, pause * 2 or 0.1)
            await asyncio.sleep(pause)
            try:
                await self.start()
            except (EmbeddedUnavailable, OSError) as fault:
                log.error("%s did not start again: %s", self._engine.name, fault)

    async def stop(self) -> None:
        """Ask the server to end, then demand it."""
        process, self._process = self._process, None
        for number in (self._engine.stop, self._engine.force, Signals.SIGKILL):
            if process is None or process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)

    async def _start_once(self) -> None:
        name = self._engine.name
        with await _alone(self._folder / f"{name}.lock", self._engine.stop) as lock:
            await self._engine.prepare(lock)
            output = open_log(self._folder / f"{name}.log")
            told = os.fstat(output).st_size
            try:
                self._process = await self._account.spawn(
                    self._engine.command(),
                    folder=self._folder / name,
                    stop=self._engine.stop,
                    inherit=lock.fd,
                    output=output,
                )
            finally:
                os.close(output)
            lock.write(f"{self._process.pid}\n")
        try:
            await self._until_it_answers(self._process, told)
        except BaseException:
            await self.stop()
            raise

    async def _until_it_answers(self, process: asyncio.subprocess.Process, told: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.returncode is not None:
                break
            if await self._engine.answers():
                return
            await asyncio.sleep(0.01)
        reason = _last_words(self._folder / f"{self._engine.name}.log", told)
        raise EmbeddedUnavailable(f"the embedded {self._engine.name} did not start: {reason}")


async def _alone(path: Path, stop: Signals) -> Lock:
    """The server's lock, as soon as nothing of an earlier server lives.

    Where the kernel tells children that their parent died, an orphan is ending by now; elsewhere, or
    when it does not hear, we tell it.
    """
    started = time.monotonic()
    told = False
    while (lock := take_now(path)) is None:
        waited = time.monotonic() - started
        if waited > _ORPHAN_SECONDS and not told:
            _signal(path, stop)
            told = True
        if waited > _LEFT_SECONDS:
            raise EmbeddedUnavailable(f"a server left from an earlier run does not end: process id in {path}")
        await asyncio.sleep(0.02)
    return lock


def _signal(path: Path, number: Signals) -> None:
    """Signal the process whose id stands in the lock file; that it is locked proves that the id is right."""
    with contextlib.suppress(ValueError, ProcessLookupError):
        os.kill(int(path.read_text()), number)


def open_log(path: Path) -> int:
    """A descriptor to append to; a log that has grown long is put aside, once."""
    if path.exists() and path.stat().st_size > _LONGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _last_words(path: Path, told: int) -> str:
    """The line that says why, among those written to the log after its first `told` bytes."""
    with path.open("rb") as file:
        file.seek(told)
        lines = [
            line.strip() for line in file.read(100_000).decode(errors="replace").splitlines() if line.strip()
        ]
    faults = [line for line in lines if any(word in line for word in _FAULTS)]
    return next(iter(faults or lines[-1:]), "it said nothing") + f" (see {path})"
