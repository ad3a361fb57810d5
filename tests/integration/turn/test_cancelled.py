"""Turns that are cancelled wherever they happen to be: no connection is left in the middle of something, none
is missing from its pool, and every message still comes to its end.

The talk before each question is read from Postgres, since there is no Redis, so that turns wait in the shared
pool's statements too, not only for the journal.
"""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from bots.app import open_gateway
from bots.gateway import Gateway
from bots.stores import Addresses
from core.messages import Account, Identity, InboundMessage, OutboundMessage, Place, Sender, Traits
from core.ports import Accept
from tests.world import settings_for

CANCELLED = 500
CHATS = 60
KEPT = (0, 3)
"""Connections in use while nothing is done: none of the shared pool; the journal's, the leases', the bell's.
Those that jobs take now and then come back."""
NOWHERE = "redis://127.0.0.1:1/0"
EXPIRE = "UPDATE conversations SET lease_until = now() WHERE lease_owner <> ''"
BUSY = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"""


class Echo:
    """A channel of one process: whoever asks is told at once, in a few steps of the loop."""

    name = "console"
    traits = Traits(max_text=4096, after_ambiguous="repeat")

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self._receiving: asyncio.Future[tuple[Account, Accept]] = asyncio.get_running_loop().create_future()
        self._numbers = itertools.count(1)

    async def connect(self) -> Identity:
        return Identity(name="echo", handle="echo")

    async def run(self, account: Account, accept: Accept) -> None:
        self._receiving.set_result((account, accept))
        await asyncio.Event().wait()

    async def send(self, message: OutboundMessage) -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        assert self.said.setdefault(message.key, message.text) == message.text
        return message.key

    def split(self, text: str) -> tuple[str, ...]:
        return (text,)

    async def account(self) -> Account:
        return (await self._receiving)[0]

    async def ask(self, chat: int) -> None:
        account, accept = await self._receiving
        number = next(self._numbers)
        message = InboundMessage(
            place=Place(account_id=account.id, channel="console", chat=str(chat)),
            sender=Sender(id=str(chat), name="ann"),
            text=f"/ask question {number}",
            dedupe_key=str(number),
            message_id=str(number),
            sent_at=datetime.now(UTC),
        )
        await accept([message])


@asynccontextmanager
async def echoing(folder: Path, database_url: str) -> AsyncIterator[tuple[Gateway, Echo]]:
    environment = {
        "PARLEY_TURNS__ATTEMPTS": "100",
        "PARLEY_MODEL": "scripted",
        "PARLEY_LIMITS__USER_PER_MINUTE": "10000",
        # What a cancellation left open would stay open.
        "PARLEY_DATABASE__IDLE_IN_TRANSACTION_TIMEOUT_SECONDS": "600",
    }
    where = Addresses(database_url=database_url, redis_url=NOWHERE, is_embedded=False)
    channel = Echo()
    settings = settings_for(folder, environment)
    async with open_gateway(settings, where) as gateway:
        running = asyncio.create_task(gateway.channels.run(channel))
        try:
            yield gateway, channel
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def carrying() -> "list[asyncio.Task[object]]":
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("conversation ")]


@pytest.mark.parametrize("seed", [1])
async def test_a_storm_of_cancellations(tmp_path: Path, database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    database = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    async with echoing(tmp_path, database_url) as (gateway, channel):
        await channel.ask(0)
        await gateway.settled(await channel.account())

        async def is_idle() -> bool:
            return int(await database.fetchval(BUSY)) == 0 and _in_use(gateway) == KEPT

        await gateway.turns.settled(is_idle)
        cancelled = said = 0
        while cancelled < CANCELLED:
            if not carrying():
                await asyncio.gather(*(channel.ask(chat) for chat in range(CHATS)))
                said += CHATS
                await database.execute(EXPIRE)
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            tasks = carrying()
            for task in chance.sample(tasks, k=len(tasks) // 4):
                cancelled += task.cancel()

        async def is_done() -> bool:
            if not carrying():
                await database.execute(EXPIRE)
            return int(await database.fetchval("SELECT count(*) FROM inbox WHERE state <> 'done'")) == 0

        await gateway.turns.settled(is_done)
        assert await database.fetchval("SELECT count(*) FROM inbox") == said + 1
        assert await database.fetch("SELECT DISTINCT outcome FROM inbox") == [("answered",)]
        assert await database.fetchval("SELECT count(*) FROM turns WHERE state <> 'closed'") == 0
        async with asyncio.timeout(30):
            await gateway.turns.settled(is_idle)
    await database.close()


def _in_use(gateway: Gateway) -> tuple[int, int]:
    pools = gateway.stores.cold.pool, gateway.stores.hot.pool
    cold, hot = (pool.checkedout() for pool in pools)  # type: ignore[attr-defined]
    return cold, hot
