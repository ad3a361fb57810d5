"""Parley as its users have it: programs in processes of their own, which die with the test.

What they log is read line by line as it comes, so that a test waits for an event and never for a time.
"""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from bots.torture.zygote import Child, Zygote

SECONDS = 30.0

DIE_WITH_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, which outlives exec
os.execv(sys.executable, [sys.executable, "-P", "-m", "bots", *sys.argv[1:]])
"""


class Program:
    """One started `parley ...`: what it printed, what it logged, and how it ended. A forked one has only a
    log."""

    def __init__(self, process: Process | Child) -> None:
        self.process = process
        self.printed = ""
        self.log = ""
        self._changed = asyncio.Condition()
        streams = {"log": process.stderr}
        if isinstance(process, Process):
            streams["printed"] = process.stdout
        self._readers = [asyncio.create_task(self._read(stream, name)) for name, stream in streams.items()]

    async def _read(self, stream: asyncio.StreamReader | None, name: str) -> None:
        assert stream is not None
        while chunk := await stream.read(1 << 16):
            async with self._changed:
                setattr(self, name, getattr(self, name) + chunk.decode())
                self._changed.notify_all()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The whole lines of the log that are JSON."""
        found = []
        for line in self.log.split("\n")[:-1]:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    async def until(self, true: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """The first true value, looked at after everything that it prints or logs."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                while not (found := true()):
                    await self._changed.wait()
                return found
        except TimeoutError:
            raise AssertionError(
                f"waited in vain; it printed {self.printed!r} and logged\n{self.log}"
            ) from None

    async def logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first line of the log with this event and these fields."""

        def look() -> dict[str, Any] | None:
            for line in self.events:
                if line.get("event") == event and fields.items() <= line.items():
                    return line
            return None

        found: dict[str, Any] = await self.until(look)
        return found

    async def type(self, text: str) -> None:
        assert isinstance(self.process, Process)
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        await self.process.stdin.drain()

    def end_input(self) -> None:
        assert isinstance(self.process, Process)
        assert self.process.stdin is not None
        self.process.stdin.close()

    def send_signal(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(which)

    async def kill(self) -> None:
        """As `kill -9` does; returns when it is gone."""
        self.send_signal(signal.SIGKILL)
        await self.ended()

    async def ended(self, seconds: float = SECONDS) -> int:
        """Its exit code, once it has ended by itself and all it said is read."""
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._readers)
            return await self.process.wait()


class Gateway(Program):
    """A `parley run` that is up, its web server at `url`."""

    url = ""

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of its web server."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def checks(self) -> tuple[int, dict[str, dict[str, str]]]:
        """The status of `/readyz`, and its checks by name."""
        status, text = await self.get("/readyz")
        return status, {check["name"]: check for check in json.loads(text)["checks"]}

    async def checked(self, true: Callable[[int, dict[str, dict[str, str]]], Any]) -> None:
        """Wait until `/readyz` says so; nobody tells when that changes, so it is asked again."""
        seen: object = None
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    seen = await self.checks()
                    if true(*seen):
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"/readyz still says {seen}; the log:\n{self.log}") from None


P = TypeVar("P", bound=Program)


@asynccontextmanager
async def _until_the_end(program: P) -> AsyncIterator[P]:
    try:
        yield program
    except BaseException:
        sys.stderr.write(program.log)  # pytest shows it beside the failure
        raise
    finally:
        await program.kill()


@asynccontextmanager
async def _started(
    kind: type[P], arguments: Sequence[str], environment: Mapping[str, str], cwd: Path | None
) -> AsyncIterator[P]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-ISc", DIE_WITH_PARENT, *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=dict(environment),
        cwd=cwd or environment["PARLEY_HOME"],
    )
    async with _until_the_end(kind(process)) as program:
        try:
            yield program
        finally:
            program.end_input()


@asynccontextmanager
async def started(
    *arguments: str, environment: Mapping[str, str], cwd: Path | None = None
) -> AsyncIterator[Program]:
    """`parley ARGUMENTS` with this environment alone; killed at the end where it still runs."""
    async with _started(Program, arguments, environment, cwd) as program:
        yield program


async def finished(
    *arguments: str, environment: Mapping[str, str], said: str = "", cwd: Path | None = None
) -> Program:
    """Run it to its end, with `said` as its whole input."""
    async with started(*arguments, environment=environment, cwd=cwd) as program:
        with contextlib.suppress(ConnectionError):
            await program.type(said)
        program.end_input()
        await program.ended()
        return program


@asynccontextmanager
async def gateway(environment: Mapping[str, str]) -> AsyncIterator[Gateway]:
    """`parley run`, up; its web server on a free port unless the environment says otherwise."""
    async with _started(Gateway, ["run"], _on_a_free_port(environment), None) as program:
        await _up(program)
        yield program


@asynccontextmanager
async def forked(zygote: Zygote, environment: Mapping[str, str]) -> AsyncIterator[Gateway]:
    """The same, for what is not about the start: it comes from a process that has imported all of it."""
    folder = Path(environment["PARLEY_HOME"])
    child = await zygote.fork("run", environment=_on_a_free_port(environment), folder=folder)
    async with _until_the_end(Gateway(child)) as program:
        await _up(program)
        yield program


def _on_a_free_port(environment: Mapping[str, str]) -> dict[str, str]:
    return {"PARLEY_WEB__PORT": "0", **environment}


async def _up(program: Gateway) -> None:
    program.url = (await program.logged("parley runs"))["web"]
