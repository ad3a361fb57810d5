"""How soon the conversations of a killed instance move on: to another holder, or to nobody because they
are done. Time in which no instance was ready does not count.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

LOOK_SECONDS = 0.05
HELD_BY = "SELECT id, lease_token FROM conversations WHERE lease_owner LIKE '%/' || :pid || '-%'"
STILL = """
    SELECT c.id FROM conversations c
      JOIN unnest(CAST(:ids AS uuid[]), CAST(:tokens AS bigint[])) AS k(id, token)
        ON k.id = c.id AND k.token = c.lease_token AND c.lease_owner IS NOT NULL"""


class Recovery:
    """Watches after each kill. `seconds` has one time for each conversation that was held."""

    def __init__(self, engine: AsyncEngine, somebody_ready: Callable[[], bool]) -> None:
        self.seconds: list[float] = []
        self._engine = engine
        self._somebody_ready = somebody_ready

    async def watch(self, pid: int) -> None:
        """Return when everything that the dead process held is in other hands."""
        loop = asyncio.get_running_loop()
        held = {row.id: row.lease_token for row in await self._fetch(HELD_BY, pid=str(pid))}
        waited, looked = 0.0, loop.time()
        while held:
            await asyncio.sleep(LOOK_SECONDS)
            now = loop.time()
            waited += now - looked if self._somebody_ready() else 0.0
            looked = now
            rows = await self._fetch(STILL, ids=list(held), tokens=list(held.values()))
            still = {row.id for row in rows}
            self.seconds += [waited] * (len(held) - len(still))
            held = {id: token for id, token in held.items() if id in still}

    async def _fetch(self, statement: str, **values: object) -> Sequence[Row[Any]]:
        async with self._engine.connect() as connection:
            return (await connection.execute(text(statement), values)).all()
