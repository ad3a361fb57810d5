"""Who works on which conversation: implements `Leases`, and hears when there is work.

All times are the database's. A claim raises the fencing token, so the former holder's writes are
refused from that moment on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from core.rows import Lease, Work
from core.store import encode
from core.store.database import FAILURES, HotConnection, own

# None of a database that is another, or younger, than what was last seen: it was put back since.
CLAIM = """
    SELECT work::text FROM parley_claim_v1($1, $2::uuid[], CASE
        WHEN $5::uuid IS NULL OR EXISTS (SELECT 1 FROM identity WHERE deployment = $5 AND beat >= $6) THEN $3
        ELSE 0 END, $4) AS work"""
OWNERS = """
    SELECT lease_owner FROM conversations WHERE wake_at IS NOT NULL AND lease_owner IS NOT NULL
    UNION SELECT receiver FROM accounts WHERE receiver IS NOT NULL"""
END = """
    UPDATE conversations SET lease_until = clock_timestamp() - interval '1 second'
     WHERE id IN (SELECT id FROM conversations WHERE wake_at IS NOT NULL AND lease_owner = ANY($1::text[])
                   ORDER BY id FOR UPDATE)"""
GIVE_BACK = """
    UPDATE conversations SET lease_owner = NULL, lease_until = NULL
     WHERE id IN (SELECT id FROM conversations
                   WHERE wake_at IS NOT NULL AND lease_owner = $1 AND id <> ALL ($2::uuid[])
                   ORDER BY id FOR UPDATE)"""
END_RECEIVERS = "UPDATE accounts SET receiver = NULL, receiver_until = NULL WHERE receiver = ANY($1::text[])"
RENEW = "SELECT lost FROM parley_renew_v1($1, $2::text::jsonb, $3) AS lost"


Seen = tuple[UUID, int]
"""A deployment and its beat, as `core/store/fence.py` counts them."""


def unseen() -> None:
    """Nobody watches the beats."""


class PostgresLeases:
    """Claims and renewals of one instance, over a connection of their own: a renewal must never wait
    behind a long batch."""

    def __init__(
        self, connection: HotConnection, lease_seconds: float, seen: Callable[[], Seen | None] = unseen
    ) -> None:
        """`seen` gives the last beat of the database that this process saw."""
        self._connection = connection
        self._seconds = lease_seconds
        self._seen = seen
        self._one_at_a_time = asyncio.Lock()

    async def claim(self, owner: str, accounts: Sequence[UUID], most: int) -> list[Work]:
        deployment, beat = self._seen() or (None, None)
        arguments = (owner, list(accounts), most, self._seconds, deployment, beat)
        async with self._one_at_a_time:
            rows = await self._connection.fetch(CLAIM, *arguments)
        return [encode.work(orjson.loads(row[0])) for row in rows]

    async def renew(self, owner: str, held: Sequence[Lease]) -> set[UUID]:
        if not held:
            return set()
        rows = [{"conversation_id": lease.conversation_id, "token": lease.token} for lease in held]
        async with self._one_at_a_time:
            lost = await self._connection.fetch(RENEW, owner, orjson.dumps(rows).decode(), self._seconds)
        return {own(row[0]) for row in lost}

    async def give_back(self, owner: str, held: Sequence[Lease]) -> None:
        known = [lease.conversation_id for lease in held]
        async with self._one_at_a_time:
            await self._connection.fetch(GIVE_BACK, owner, known)

    async def owners(self) -> list[str]:
        """The instances that hold conversations or receive for an account."""
        async with self._one_at_a_time:
            rows = await self._connection.fetch(OWNERS)
        return [row[0] for row in rows]

    async def end(self, owners: Sequence[str]) -> None:
        """End the leases of instances that are known to be dead: they need not run out."""
        async with self._one_at_a_time:
            await self._connection.fetch(END, list(owners))
            await self._connection.fetch(END_RECEIVERS, list(owners))


@asynccontextmanager
async def open_leases(
    engine: AsyncEngine,
    lease_seconds: float,
    *,
    seen: Callable[[], Seen | None] = unseen,
    on_lost: Callable[[], None] = lambda: None,
) -> AsyncIterator[PostgresLeases]:
    """`on_lost` is called when the database did not answer."""
    connection = HotConnection(engine, on_lost)
    try:
        yield PostgresLeases(connection, lease_seconds, seen)
    finally:
        await connection.close()


class Bell:
    """Hints from Postgres: `woken` is set when a conversation waits for anyone; conversations that got
    a `/stop` come out of `stops`. Only hints: polling stands behind them."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.stops: asyncio.Queue[UUID] = asyncio.Queue(maxsize=1000)

    def ring(self, channel: str, payload: str) -> None:
        if channel == "parley_wake":
            self.woken.set()
        elif channel == "parley_stop":
            with suppress(asyncio.QueueFull, ValueError):
                self.stops.put_nowait(UUID(payload))

    async def listen(self, engine: AsyncEngine, retry_seconds: float = 1.0) -> None:
        """Listen until cancelled, over a connection of its own, connecting again whenever it is lost."""
        while True:
            with suppress(*FAILURES):
                await self._listen_once(engine)
            await asyncio.sleep(retry_seconds)

    async def _listen_once(self, engine: AsyncEngine) -> None:
        lost = asyncio.Event()
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            driver.add_termination_listener(lambda _: lost.set())
            for channel in ("parley_wake", "parley_stop"):
                await driver.add_listener(channel, lambda _, __, name, payload: self.ring(name, payload))
            self.woken.set()  # for whatever was said while nobody listened
            try:
                await lost.wait()
            finally:
                await connection.invalidate()
