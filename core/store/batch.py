"""Group commit: what queued while the last commit was in flight becomes the next one.

There is no timer, so an idle gateway commits at once and a busy one in large batches. The queue is
bounded: when it is full, whoever submits waits. One bad row fails alone; a batch whose outcome is
unknown is repeated as it is, which is safe because every id in it was made before. Whoever stops
waiting for its result does not stop its rows.

The idea and its figures: group commit as in DeWitt et al., "Implementation Techniques for Main
Memory Database Systems" (SIGMOD 1984).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from core.errors import RowRefused, StoreUnavailable

Row = TypeVar("Row")
Result = TypeVar("Result")

Commit = Callable[[Sequence[Row]], Awaitable[Sequence[Result | None]]]
"""Writes all rows in one transaction and gives a result for each; None asks for that row again."""


class GroupCommit(Generic[Row, Result]):
    """The queue and its one writer. Use as an async context manager: leaving it drains the queue."""

    def __init__(
        self,
        commit: Commit[Row, Result],
        *,
        most: int = 256,
        room: int = 2000,
        repeats: int = 8,
        drain_seconds: float = 10.0,
        backoff: tuple[float, float] = (0.05, 1.0),
        on_retry: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._commit = commit
        self._most = most
        self._room = room
        self._repeats = repeats
        self._drain_seconds = drain_seconds
        self._backoff = backoff
        self._on_retry = on_retry
        self._queue: deque[_Entry[Row, Result]] = deque()
        self._changed = asyncio.Condition()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "GroupCommit[Row, Result]":
        self._writer = asyncio.create_task(self._write_all(), name="group commit")
        return self

    async def __aexit__(self, *exception: object) -> None:
        async with self._changed:
            self._closing = True
            self._changed.notify_all()
        assert self._writer is not None
        await asyncio.wait({self._writer}, timeout=self._drain_seconds)
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        while self._queue:
            self._queue.popleft().fail(StoreUnavailable("the gateway stopped before this could be written"))

    @property
    def waiting(self) -> int:
        """How many rows have not been sent yet."""
        return len(self._queue)

    async def submit(self, row: Row) -> Result:
        """Queue a row and wait until it is durable. Raises `StoreUnavailable` when the queue is closed,
        and whatever refused this row."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._queue) < self._room or self._closing)
            if self._closing:
                raise StoreUnavailable("the gateway is stopping")
            entry: _Entry[Row, Result] = _Entry(row)
            self._queue.append(entry)
            self._changed.notify_all()
        return await asyncio.shield(entry.done)

    async def _write_all(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._queue) or self._closing)
                if not self._queue:
                    return
                batch = [self._queue.popleft() for _ in range(min(self._most, len(self._queue)))]
                self._changed.notify_all()
            try:
                await self._write(batch)
            except BaseException:
                for entry in batch:
                    entry.fail(StoreUnavailable("the gateway stopped before this was known to be written"))
                raise

    async def _write(self, batch: "list[_Entry[Row, Result]]") -> None:
        pause = self._backoff[0]
        while batch:
            try:
                results = await self._commit([entry.row for entry in batch])
            except RowRefused as error:
                await self._split(batch, error)
                return
            except StoreUnavailable as error:
                self._on_retry(str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._backoff[1])
            else:
                batch = self._settle(batch, results)

    async def _split(self, batch: "list[_Entry[Row, Result]]", error: RowRefused) -> None:
        if len(batch) == 1:
            batch[0].fail(error)
            return
        middle = len(batch) // 2
        await self._write(batch[:middle])
        await self._write(batch[middle:])

    def _settle(
        self, batch: "list[_Entry[Row, Result]]", results: Sequence[Result | None]
    ) -> "list[_Entry[Row, Result]]":
        """Hand out what is there; what gave no result was overtaken by another writer and goes again."""
        again = []
        for entry, result in zip(batch, results, strict=True):
            if result is not None:
                entry.succeed(result)
            elif entry.repeats >= self._repeats:
                entry.fail(StoreUnavailable("overtaken by other writers again and again"))
            else:
                entry.repeats += 1
                again.append(entry)
        return again


class _Entry(Generic[Row, Result]):
    __slots__ = ("done", "repeats", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.repeats = 0
        self.done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(_look_at)

    def succeed(self, result: Result) -> None:
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _look_at(done: "asyncio.Future[Result]") -> None:
    """Nobody may be waiting any more; that is no reason for a warning about an unseen error."""
    if not done.cancelled():
        done.exception()
