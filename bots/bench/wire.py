"""The least that a batched Postgres and a pipelined Redis can be: for the floor only, since neither
survives an error.
"""

import asyncio
from collections import deque
from typing import Any, cast

import asyncpg
import hiredis


class MicroBatch:
    """What queued while the statement was on its way goes with the next; every argument is an array."""

    def __init__(self, connection: asyncpg.Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def write(self, *row: Any) -> "asyncio.Future[None]":
        """Done when the row's batch is durable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._connection.fetch(self._statement, *zip(*(row for row, _ in batch), strict=True))
            except Exception as error:
                for _, done in batch:
                    done.set_exception(error)
                continue
            for _, done in batch:
                done.set_result(None)
        self._writer = None


class PipelinedRedis(asyncio.Protocol):
    """The commands of one tick of the loop go out in one write; replies come back in their order."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._out: list[bytes] = []
        self._asked: deque[tuple[int, asyncio.Future[list[Any]]]] = deque()
        self._replies: list[Any] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, *commands: tuple[str | bytes | int, ...]) -> "asyncio.Future[list[Any]]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()
        self._asked.append((len(commands), answer))
        if not self._out:
            loop.call_soon(self._flush)
        self._out.extend([hiredis.pack_command(one) for one in commands])  # type: ignore[arg-type]
        return answer

    def _flush(self) -> None:
        self._transport.write(b"".join(self._out))
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._replies.append(reply)
            count, answer = self._asked[0]
            if len(self._replies) == count:
                self._asked.popleft()
                answer.set_result(self._replies)
                self._replies = []

    def close(self) -> None:
        self._transport.close()
