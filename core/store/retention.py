"""Clears what is done and old: first what was sent, and at last what was accepted, whose dedupe keys keep a
message from being taken twice for as long as any platform may repeat it.

Ids are UUIDv7, made when the row was (RFC 9562, 5.7), so the oldest rows stand first in the primary key: no
index of its own, no scan. Short transactions that skip what anybody holds, so no turn ever waits for one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.store.database import transaction

# Whatever the planner thinks of the tables: from the first row on, and no further than the batch goes.
BY_THE_KEY = text("""
    SELECT set_config(name, 'off', true)
      FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin',
                        'enable_sort']) AS name""")
CLEAR_OUTBOX = text("""
    DELETE FROM outbox WHERE id = ANY (ARRAY(
      SELECT o.id FROM outbox o JOIN turns t ON t.id = o.turn_id
       WHERE o.id < :before AND t.state = 'closed'
       ORDER BY o.id LIMIT :most FOR UPDATE OF o SKIP LOCKED))""")
CLEAR_INBOX = text("""
    DELETE FROM inbox WHERE id = ANY (ARRAY(
      SELECT i.id FROM inbox i
       WHERE i.id < :before AND i.state = 'done'
         AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.turn_id = i.turn_id)
       ORDER BY i.id LIMIT :most FOR UPDATE SKIP LOCKED))""")

BATCH = 500
PAUSE = 0.05
"""Between two batches, so that clearing is never all that the database does."""


async def clear_done(
    engine: AsyncEngine,
    before: datetime,
    *,
    batch: int = BATCH,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[int, int]:
    """Delete done rows made before that time; how many of the outbox and of the inbox."""
    oldest = first_id(before)
    sent = await _clear(engine, CLEAR_OUTBOX, oldest, batch, pause)
    return sent, await _clear(engine, CLEAR_INBOX, oldest, batch, pause)


def first_id(moment: datetime) -> UUID:
    """The lowest UUIDv7 of a moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


async def _clear(
    engine: AsyncEngine,
    statement: TextClause,
    before: UUID,
    batch: int,
    pause: Callable[[float], Awaitable[None]],
) -> int:
    total = 0
    while True:
        async with transaction(engine) as connection:
            await connection.execute(BY_THE_KEY)
            cleared = (await connection.execute(statement, {"before": before, "most": batch})).rowcount
        total += cleared
        if cleared < batch:
            return total
        await pause(PAUSE)
