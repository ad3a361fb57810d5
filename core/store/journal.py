"""The durable side of a turn: implements `Journal` by group commit into `parley_commit_v1`.

A write becomes rows here, joins a batch, and gets its own result back. What the rows mean is said in
`migrations/sql`, whose newest `commit.sql` is what runs.
"""

import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from core.errors import LeaseLost, Overtaken
from core.observe import Metrics
from core.points import reach
from core.rows import Accepted, Arrival, Work, Writing
from core.store import encode
from core.store.batch import GroupCommit
from core.store.database import HotConnection

COMMIT = "SELECT n, result::text FROM parley_commit_v1($1::text::jsonb)"
Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Write:
    n: int
    rows: encode.Rows
    line: UUID | None = None
    """The conversation whose lease it is under; None for what is to be accepted. Two writes under one lease
    are never one batch."""


class PostgresJournal:
    """Accepts arrivals and writes the later commits of a turn, many turns at a time."""

    def __init__(self, connection: HotConnection, metrics: Metrics) -> None:
        self._connection = connection
        self._metrics = metrics
        self._numbers = itertools.count(1)
        self.queue: GroupCommit[_Write, Found]

    async def accept(self, arrival: Arrival) -> Accepted:
        """Platforms bring as many as they like, and bring again what was not taken: while the queue is full,
        nothing more is."""
        n = next(self._numbers)
        write = _Write(n, encode.arrival_rows(n, arrival))
        return encode.accepted(await self.queue.submit(write, waits_for_room=False))

    async def write(self, writing: Writing) -> Work | None:
        n = next(self._numbers)
        write = _Write(n, encode.writing_rows(n, writing), writing.lease.conversation_id)
        found = await self.queue.submit(write)
        if "lost" in found:
            raise LeaseLost(f"conversation {writing.lease.conversation_id} has another holder")
        if "overtaken" in found:
            raise Overtaken(f"a message of conversation {writing.lease.conversation_id} was changed")
        return encode.work(found) if "line" in found else None

    async def commit(self, batch: Sequence[_Write]) -> list[Found | None]:
        """One batch, one round trip, one transaction. A write that gives nothing back is done, except an
        arrival or a change: its conversation ended or was born meanwhile, so it must be tried again."""
        began = time.perf_counter()
        reach("I2")
        found = await self._connection.fetch(COMMIT, encode.join([write.rows for write in batch]))
        self._metrics.commit_seconds.observe(time.perf_counter() - began)
        self._metrics.commit_rows.observe(len(batch))
        results: dict[int, Found] = {row[0]: orjson.loads(row[1]) for row in found}
        return [results.get(write.n, None if write.line is None else {}) for write in batch]


@asynccontextmanager
async def open_journal(
    engine: AsyncEngine,
    metrics: Metrics,
    *,
    most: int = 64,
    room: int = 2000,
    drain_seconds: float = 10.0,
    on_lost: Callable[[], None] = lambda: None,
) -> AsyncIterator[PostgresJournal]:
    """A journal with its writer running; leaving writes what is queued. `on_lost` is called when the database
    did not answer."""
    connection = HotConnection(engine, on_lost)
    journal = PostgresJournal(connection, metrics)
    queue = GroupCommit(
        journal.commit,
        most=most,
        room=room,
        drain_seconds=drain_seconds,
        key=lambda write: write.line,
        on_retry=lambda reason: metrics.commit_retries.labels(reason=reason.partition(":")[0]).inc(),
    )
    journal.queue = queue
    metrics.commit_queue.set_function(lambda: queue.unwritten)
    try:
        async with queue:
            yield journal
    finally:
        await connection.close()
