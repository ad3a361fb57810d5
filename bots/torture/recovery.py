"""How soon the conversations of a killed instance move on: to another holder, or to nobody because they
are done. Time in which Postgres or every instance was down does not count.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

LOOK_SECONDS = 0.05
HELD_BY = "SELECT id, lease_token FROM conversations WHERE lease_owner LIKE '%/' || :pid || '-%'"
STILL = """
    SELECT c.id, c.lease_token FROM conversations c
      JOIN unnest(CAST(:ids AS uuid[]), CAST(:tokens AS bigint[])) AS k(id, token)
        ON k.id = c.id AND k.token = c.lease_token AND c.lease_owner IS NOT NULL"""

Holds = Mapping[UUID, int]
"""Conversations with the fencing token under which each is held."""


class Books(Protocol):
    """Where it is written who holds what; None while nobody can look."""

    async def held_by(self, pid: int) -> Holds | None: ...

    async def still(self, holds: Holds) -> Holds | None:
        """Those of them that are held under the same token."""
        ...


class Database:
    """The books of a trial."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def held_by(self, pid: int) -> Holds | None:
        return await self._fetch(HELD_BY, pid=str(pid))

    async def still(self, holds: Holds) -> Holds | None:
        return await self._fetch(STILL, ids=list(holds), tokens=list(holds.values()))

    async def _fetch(self, statement: str, **values: Any) -> Holds | None:
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(text(statement), values)).all()
        except (SQLAlchemyError, OSError):
            return None
        return {row.id: row.lease_token for row in rows}


class Recovery:
    """Watches after each kill. `seconds` has one time for each conversation that was held; `able` says
    whether anybody could take over now."""

    def __init__(self, books: Books, able: Callable[[], bool] = lambda: True) -> None:
        self.seconds: list[float] = []
        self.able = able
        self._books = books
        self._watches: set[asyncio.Task[None]] = set()

    def begin(self, pid: int) -> None:
        """Watch over everything that the dead process held, until it is in other hands."""
        watch = asyncio.create_task(self._watch(pid), name=f"recovery of {pid}")
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def finish(self, seconds: float) -> None:
        """Return when all is in other hands; what is not after so long counts with what it took until now."""
        if self._watches:
            await asyncio.wait(set(self._watches), timeout=seconds)
        left = list(self._watches)
        for watch in left:
            watch.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _watch(self, pid: int) -> None:
        loop = asyncio.get_running_loop()
        held: Holds | None = None
        waited, looked = 0.0, loop.time()
        try:
            while held is None or held:
                if held is None:
                    held = await self._books.held_by(pid)
                still = await self._books.still(held) if held is not None else None
                if held is not None and still is not None:
                    self.seconds += [waited] * (len(held) - len(still))
                    held = still
                await asyncio.sleep(LOOK_SECONDS)
                now = loop.time()
                waited += now - looked if self.able() else 0.0
                looked = now
        except asyncio.CancelledError:
            self.seconds += [waited] * len(held or ())
            raise
