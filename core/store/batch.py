"""Group commit: what queued while the last commit was in flight becomes the next one.

There is no timer, so an idle gateway commits at once and a busy one in large batches. The queue is
bounded: when it is full, whoever submits waits, first come, first served, or is refused where nothing bounds
how many would wait. One bad row fails alone; a batch whose outcome is unknown is repeated as it is, which is
safe because every id in it was made before. Whoever stops waiting for its result does not stop its rows.

The idea and its figures: group commit as in DeWitt et al., "Implementation Techniques for Main
Memory Database Systems" (SIGMOD 1984).
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

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
        most: int = 64,
        room: int = 2000,
        repeats: int = 8,
        drain_seconds: float = 10.0,
        backoff: tuple[float, float] = (0.05, 1.0),
        key: Callable[[Row], object] = lambda row: None,
        on_retry: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """Batches of at most `most` rows out of a queue of at most `room`. Rows with the same `key` never
        meet in one batch, so that the later one finds what the former did; None is no key."""
        self._commit = commit
        self._most = most
        self._room = asyncio.Semaphore(room)
        self._key = key
        self._repeats = repeats
        self._drain_seconds = drain_seconds
        self._backoff = backoff
        self._on_retry = on_retry
        self._queue: deque[_Entry[Row, Result]] = deque()
        self._under_way = 0
        self._filled = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "GroupCommit[Row, Result]":
        self._writer = asyncio.create_task(self._write_all(), name="group commit")
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._closing = True
        self._filled.set()
        assert self._writer is not None
        await asyncio.wait({self._writer}, timeout=self._drain_seconds)
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        while self._queue:
            self._pop().fail(StoreUnavailable("the gateway stopped before this could be written"))

    @property
    def waiting(self) -> int:
        """How many rows have not been sent yet."""
        return len(self._queue)

    @property
    def unwritten(self) -> int:
        """How many rows are not known to be durable: those that wait, and those of the batch under way."""
        return len(self._queue) + self._under_way

    async def submit(self, row: Row, *, waits_for_room: bool = True) -> Result:
        """Queue a row and wait until it is durable. Raises `StoreUnavailable` when the queue is closed, or
        full where nobody `waits_for_room`, and whatever refused this row."""
        if not waits_for_room and self._room.locked():  # those who wait for room come first
            raise StoreUnavailable(f"{len(self._queue)} writes wait already: there is no room for another")
        await self._room.acquire()
        if self._closing:
            self._room.release()
            raise StoreUnavailable("the gateway is stopping")
        entry: _Entry[Row, Result] = _Entry(row)
        self._queue.append(entry)
        self._filled.set()
        return await entry.done

    async def _write_all(self) -> None:
        while await self._has_some():
            batch = self._next()
            self._under_way = len(batch)
            try:
                await self._write(batch)
            except Exception as error:  # a fault of ours fails who met it, never the writer
                _fail(batch, error)
            except BaseException:
                _fail(batch, StoreUnavailable("the gateway stopped before this was known to be written"))
                raise
            finally:
                self._under_way = 0

    async def _has_some(self) -> bool:
        """Wait for rows; False when there are none and none will come."""
        while not self._queue and not self._closing:
            self._filled.clear()
            await self._filled.wait()
        return bool(self._queue)

    def _next(self) -> "list[_Entry[Row, Result]]":
        batch: list[_Entry[Row, Result]] = []
        keys: set[object] = set()
        while self._queue and len(batch) < self._most:
            key = self._key(self._queue[0].row)
            if key in keys:
                break
            if key is not None:
                keys.add(key)
            batch.append(self._pop())
        return batch

    def _pop(self) -> "_Entry[Row, Result]":
        self._room.release()
        return self._queue.popleft()

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


def _fail(batch: "list[_Entry[Any, Any]]", error: BaseException) -> None:
    for entry in batch:
        entry.fail(error)


def _look_at(done: "asyncio.Future[Result]") -> None:
    """Nobody may be waiting any more; that is no reason for a warning about an unseen error."""
    if not done.cancelled():
        done.exception()
