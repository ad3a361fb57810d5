"""The console without a terminal: one message a line in, whole answers out, nothing else on standard output.

It reads and writes file descriptors, so it works the same for pipes, files and /dev/null, blocking or
not. Nothing is read before it is wanted, and nothing stays in a buffer that could fail at exit.
"""

import asyncio
import contextlib
import os
import select
import threading
from typing import Literal

from bots.console.text import printable, typed
from bots.console.thread import in_thread

_CHUNK = 1 << 16
_LONGEST = 16 << 20  # bytes kept of one line; what is longer is refused as too long anyway


class Pipe:
    """`Streams` over three file descriptors: messages, answers, notes."""

    def __init__(self, stdin: int = 0, stdout: int = 1, stderr: int = 2) -> None:
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._buffer = bytearray()
        self._ended = False
        self._said = False
        self._writing = threading.Lock()

    @property
    def streaming(self) -> Literal["none"]:
        return "none"

    async def read(self) -> str | None:
        while (line := await self._line()) is not None:
            text = typed(line.decode("utf-8", "replace").removesuffix("\r"))
            if text.strip():
                return text
        return None

    async def say(self, text: str) -> None:
        between = "\n" if self._said else ""
        self._said = True
        await self._write(self._stdout, f"{between}{printable(text)}\n")

    async def grow(self, text: str) -> None:
        """Whole answers only."""

    async def note(self, text: str) -> None:
        with contextlib.suppress(OSError):
            await self._write(self._stderr, f"{printable(text)}\n")

    async def stop_asked(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def _line(self) -> bytes | None:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and not self._ended:
            del self._buffer[_LONGEST:]
            searched = len(self._buffer)
            chunk = await in_thread(lambda: _read(self._stdin))
            self._buffer += chunk
            self._ended = not chunk
        if end < 0 and not self._buffer:
            return None
        end = len(self._buffer) if end < 0 else end
        line = bytes(self._buffer[: min(end, _LONGEST)])
        del self._buffer[: end + 1]
        return line

    async def _write(self, stream: int, text: str) -> None:
        data = text.encode()

        def write() -> None:
            with self._writing:  # one whole text after another, even when a caller stopped waiting
                _write(stream, data)

        await in_thread(write)


def _read(stream: int) -> bytes:
    while True:
        try:
            return os.read(stream, _CHUNK)
        except BlockingIOError:
            select.select([stream], [], [])


def _write(stream: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(stream, rest) :]
        except BlockingIOError:
            select.select([], [stream], [])
