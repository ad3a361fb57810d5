"""The checker is put to the test: twelve bugs of the kind that peers had, each planted in a real gateway on
real stores, and each found; and a gateway without them, in which nothing is found.

How each is planted is said beside it: a channel built wrongly, a function of the database with one piece
of its text replaced, a rule that is not ours, or (where it says so) genuine evidence that was changed.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bots.telegram.adapter import TelegramChannel
from bots.torture.checker import Invariant
from bots.torture.leaks import find_leaks
from bots.torture.platforms import Telegram
from core.messages import Account, Identity, InboundMessage, OutboundMessage, Place
from core.ports import Accept
from core.store.database import open_engine
from tests.faults.sabotage import ALONE, NOTHING, Sabotage, small_trial


class Forgets(TelegramChannel):
    """Tells the platform that it has every message, and hands in two of three."""

    async def run(self, account: Account, accept: Accept) -> None:
        async def forget(messages: Sequence[InboundMessage]) -> None:
            await accept([one for one in messages if int(one.message_id) % 3])

        await super().run(account, forget)


class AcknowledgesFirst(TelegramChannel):
    """Hands in later what it has acknowledged at once; a death comes between."""

    async def run(self, account: Account, accept: Accept) -> None:
        never = asyncio.Event()

        async def later(messages: Sequence[InboundMessage]) -> None:
            await never.wait()
            await accept(messages)

        async def put_off(messages: Sequence[InboundMessage]) -> None:
            group.create_task(later(messages))

        async with asyncio.TaskGroup() as group:
            await super().run(account, put_off)


class SendsTwice(TelegramChannel):
    async def send(self, message: OutboundMessage) -> str:
        await super().send(message)
        return await super().send(message)


class MixesUpPeople(TelegramChannel):
    """Everything that is for anybody goes to whoever was heard last in private."""

    place: Place | None = None

    async def run(self, account: Account, accept: Accept) -> None:
        async def remember(messages: Sequence[InboundMessage]) -> None:
            self.place = next((one.place for one in messages if one.place.direct), self.place)
            await accept(messages)

        await super().run(account, remember)

    async def send(self, message: OutboundMessage) -> str:
        return await super().send(replace(message, place=self.place or message.place, reply_to=""))


class Talks(TelegramChannel):
    """Logs where it connects to, past all redaction; the address has the token in it."""

    def __init__(self, token: str, api_url: str, **more: Any) -> None:
        super().__init__(token, api_url, **more)
        self._address = f"{api_url}/bot{token}"

    async def connect(self) -> Identity:
        logging.getLogger("wrong").warning("connecting to %s", self._address)
        return await super().connect()


NEWEST_FIRST = (("parley_work_v1", "ORDER BY w.first DESC, w.seq)", "ORDER BY w.first DESC, w.seq DESC)"),)
NO_TOKEN = (("parley_commit_v1", "AND c.lease_token = l.token AND c.lease_owner IS NOT NULL", ""),)
NOBODY_WAKES = (("parley_close_v1", "AND i.state <> 'done') AS waits", "AND false) AS waits"),)
EACH_CALL_TWICE = (("parley_commit_v1", "sum(s.completion_tokens)", "2 * sum(s.completion_tokens)"),)
NO_RESERVATION = (
    (
        "parley_commit_v1",
        "reserved_micro bigint, started_at timestamptz)\n     WHERE x.n = ANY (live)",
        "reserved_micro bigint, started_at timestamptz)\n     WHERE false",
    ),
)
NOTHING_IS_OLD = (("parley_asked_at_v1", "THEN sent_at ELSE accepted_at END", "THEN now() ELSE now() END"),)

KEEPS_THE_TOKEN = (("parley_commit_v1", "x.content, x.model", f"x.content || ' {Telegram.TOKEN}', x.model"),)
TOO_LITTLE = (("parley_commit_v1", "x.reserved_prompt, x.reserved_completion", "x.reserved_prompt, 1"),)

PLANTED: dict[str, tuple[Sabotage, Invariant]] = {
    "drop": (Sabotage(adapter=Forgets, patience=1.0), "I3"),
    "duplicate": (Sabotage(adapter=SendsTwice, stream=False), "I2"),
    "swap": (Sabotage(pieces=NEWEST_FIRST), "I4"),
    "wrong user": (Sabotage(adapter=MixesUpPeople), "I5"),
    "late": (Sabotage(age="20 minutes", pieces=NOTHING_IS_OLD), "I2"),
    "ack before commit": (Sabotage(adapter=AcknowledgesFirst, dies=True, patience=1.0), "I3"),
    "lost wake-up": (Sabotage(pieces=NOBODY_WAKES, patience=1.0), "I1"),
    "missing fence": (Sabotage(pieces=NO_TOKEN, robbed=True, environment=ALONE, stream=False), "I2"),
    "double bill": (Sabotage(pieces=EACH_CALL_TWICE), "I6"),
    "lost reservation": (Sabotage(pieces=NO_RESERVATION), "I10"),
    "reservation too small": (Sabotage(pieces=TOO_LITTLE), "I7"),
    "secret in log": (Sabotage(adapter=Talks), "I8"),
    "secret in a row": (Sabotage(pieces=KEEPS_THE_TOKEN), "I8"),
    "stale replay": (Sabotage(age="30 hours", pieces=NOTHING_IS_OLD), "I2"),
}


async def test_a_sound_gateway_is_found_sound(tmp_path: Path, database_url: str, redis_url: str) -> None:
    verdict, _ = await small_trial(tmp_path, database_url, redis_url, NOTHING)
    assert verdict.findings == ()
    assert verdict.ends == {"answered": 7}


@pytest.mark.parametrize(("age", "end"), [("20 minutes", "apologised"), ("30 hours", "stale")])
async def test_so_is_one_that_comes_late(
    age: str, end: str, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    verdict, _ = await small_trial(tmp_path, database_url, redis_url, Sabotage(age=age))
    assert verdict.findings == ()
    assert verdict.ends == {end: 7}


async def test_so_is_one_that_was_robbed_of_its_lease(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    verdict, _ = await small_trial(
        tmp_path, database_url, redis_url, Sabotage(robbed=True, environment=ALONE, stream=False)
    )
    assert verdict.findings == ()
    assert verdict.ends == {"answered": 7}


@pytest.mark.parametrize("bug", PLANTED)
async def test_a_planted_bug_is_found(bug: str, tmp_path: Path, database_url: str, redis_url: str) -> None:
    sabotage, invariant = PLANTED[bug]
    verdict, _ = await small_trial(tmp_path, database_url, redis_url, sabotage)
    assert invariant in verdict.broken(), verdict.findings


async def test_a_secret_is_found_in_whatever_redis_keeps(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    engine, secret = open_engine(database_url), "s3cret-and-found-nowhere-else"
    async with Redis.from_url(redis_url) as redis:
        await redis.set("string", f"-{secret}-")
        await redis.hset("hash", "field", secret)
        await redis.rpush("list", "first", secret)
        await redis.sadd("set", secret)
        await redis.zadd("sorted", {secret: 1})
        await redis.set(secret, "as a key")
    found = await find_leaks({"KEY": secret}, engine=engine, redis_url=redis_url, logs=[], shown=["nothing"])
    await engine.dispose()
    where = sorted(line.split()[-1] for line in found)
    assert where == ["?:...", "hash:...", "list:...", "set:...", "sorted:...", "string:..."]
    assert not any(secret in line for line in found)
