"""How soon the conversations of a killed instance move on: to another holder, or to nobody because they
are done. Time in which Postgres or every instance was down does not count.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

LOOK_SECONDS = 0.05
HELD_BY = "SELECT id, lease_token FROM conversations WHERE lease_owner LIKE '%/' || :pid || '-%'"
STILL = """
    SELECT c.id FROM conversations c
      JOIN unnest(CAST(:ids AS uuid[]), CAST(:tokens AS bigint[])) AS k(id, token)
        ON k.id = c.id AND k.token = c.lease_token AND c.lease_owner IS NOT NULL"""


class Recovery:
    """Watches after each kill. `seconds` has one time for each conversation that was held; `able` says
    whether anybody could take over now."""

    def __init__(self, engine: AsyncEngine, able: Callable[[], bool] = lambda: True) -> None:
        self.seconds: list[float] = []
        self.able = able
        self._engine = engine
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
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    async def _watch(self, pid: int) -> None:
        loop = asyncio.get_running_loop()
        held: dict[Any, int] | None = None
        waited, looked = 0.0, loop.time()
        try:
            while held is None or held:
                with contextlib.suppress(SQLAlchemyError, OSError):  # it is away
                    if held is None:
                        held = {row.id: row.lease_token for row in await self._fetch(HELD_BY, pid=str(pid))}
                    rows = await self._fetch(STILL, ids=list(held), tokens=list(held.values()))
                    still = {row.id for row in rows}
                    self.seconds += [waited] * (len(held) - len(still))
                    held = {id: token for id, token in held.items() if id in still}
                await asyncio.sleep(LOOK_SECONDS)
                now = loop.time()
                waited += now - looked if self.able() else 0.0
                looked = now
        except asyncio.CancelledError:
            self.seconds += [waited] * len(held or ())
            raise

    async def _fetch(self, statement: str, **values: object) -> Sequence[Row[Any]]:
        async with self._engine.connect() as connection:
            return (await connection.execute(text(statement), values)).all()
