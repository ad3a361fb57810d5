"""One gateway process of a cell, from its fork to its end; its log tells what it has come to."""

import asyncio
import json
import signal
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bots.torture.zygote import Child, Zygote
from core.errors import ParleyError

STOP_SECONDS = 25.0


class NotHeard(ParleyError):
    """It ended, or took too long, before it logged what was waited for; the text has its last words."""


class Life:
    """`live` begins one."""

    def __init__(self, child: Child, log: Path) -> None:
        self._child, self._log = child, log
        self._heard: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._last: dict[str, Any] = {}
        self._reading = asyncio.create_task(self._read(), name="log")

    @property
    def last(self) -> Mapping[str, Any]:
        """The last line of its log that could be read."""
        return self._last

    @property
    def pid(self) -> int:
        return self._child.pid

    async def logged(self, event: str, seconds: float) -> None:
        """Return when it has logged this, now or before. Raises `NotHeard`."""
        waiting = asyncio.create_task(self._heard[event].wait(), name=event)
        try:
            both = {waiting, self._reading}
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not self._heard[event].is_set():
            raise NotHeard(f"{self._log}: never said {event!r}; its last words: {self._last}")

    def signal(self, which: signal.Signals) -> None:
        self._child.send_signal(which)

    async def ended(self, seconds: float) -> int | None:
        """Its exit code once it has ended by itself; None where it has not within this time."""
        try:
            async with asyncio.timeout(seconds):
                code = await self._child.wait()
                await asyncio.shield(self._reading)
                return code
        except TimeoutError:
            return None

    async def stop(self) -> int:
        """Ask it to end; its exit code, or that of the kill when it takes longer than it may."""
        self.signal(signal.SIGTERM)
        if (code := await self.ended(STOP_SECONDS)) is not None:
            return code
        return await self.kill()

    async def kill(self) -> int:
        self.signal(signal.SIGKILL)
        code = await self._child.wait()
        await self._reading
        return code

    async def _read(self) -> None:
        with self._log.open("ab") as file:
            while line := await self._child.stderr.readline():
                file.write(line)
                try:
                    told = json.loads(line)
                except ValueError:
                    continue
                if isinstance(told, dict):
                    self._last = told
                    self._heard[str(told.get("event"))].set()


async def live(
    zygote: Zygote, *arguments: str, environment: Mapping[str, str], folder: Path, log: str
) -> Life:
    """Fork a gateway in a folder of its own, where empty configuration files stand before those of the
    checkout, which may hold real tokens."""
    (folder / "config").mkdir(parents=True, exist_ok=True)
    (folder / ".env").touch()
    (folder / "config" / "local.toml").touch()
    around = {**environment, "PARLEY_HOME": str(folder)}
    return Life(await zygote.fork(*arguments, environment=around, folder=folder), folder / log)
