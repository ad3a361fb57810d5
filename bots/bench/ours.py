"""Our own turn as it runs in production: inbox, leases, engine, group commit, Redis, metrics and log lines.

Only the two ends are short: a channel that takes every message at once, and a model without latency.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from uuid_utils.compat import uuid7

from bots.bench.talk import MODEL, QUESTION, SYSTEM, Turn, check
from bots.clock import SystemClock
from core.answer import Answering
from core.choose import Defaults
from core.commands import commands
from core.engine import Engine
from core.gate import Gate
from core.house import House
from core.inbox import Inbox
from core.ledger import Ledger
from core.llm.prices import PriceBook
from core.llm.tokens import ByteTokens
from core.messages import Account, Identity, InboundMessage, OutboundMessage, Place, Sender, Traits
from core.observe import Metrics
from core.ports import Accept, ChannelAdapter, ModelProvider
from core.rows import Work
from core.state.redis_state import RedisState, Terms, open_state
from core.store.accounts import PostgresAccounts
from core.store.database import open_engine
from core.store.journal import PostgresJournal, open_journal
from core.store.leases import Bell, PostgresLeases, open_leases
from core.store.records import PostgresRecords
from core.tenure import Tenure
from core.turns import Turns

LEASE_SECONDS = 30.0


class NullChannel:
    """A channel that takes every message at once and shows nobody anything."""

    name = "bench"
    traits = Traits(max_text=4096)

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self._receipts = itertools.count(1)

    async def connect(self) -> Identity:
        return Identity(name="bench", handle="bench")

    async def run(self, account: Account, accept: Accept) -> None:
        await asyncio.Event().wait()

    async def send(self, message: OutboundMessage) -> str:
        self.said[message.place.chat] = message.text
        return str(next(self._receipts))

    def split(self, text: str) -> tuple[str, ...]:
        return (text,)


class DraftingChannel(NullChannel):
    """The same, but it shows the answer as it grows, so the model is asked to stream."""

    traits = Traits(max_text=4096, streaming="draft")

    async def draft(self, place: Place, text: str) -> None:
        self.said[place.chat] = text


class Lanes:
    """The people of the bench: each asks, and waits until the turn's last commit is durable."""

    def __init__(self, account: Account, channel: NullChannel, engine: Engine) -> None:
        self._account = account
        self._channel = channel
        self._engine = engine
        self._ended: dict[str, asyncio.Future[None]] = {}
        self.inbox: Inbox

    async def turn(self, lane: int) -> None:
        ended = self._ended[str(lane)] = asyncio.get_running_loop().create_future()
        await self.inbox.accept(self._account, [self._ask(str(lane))])
        await ended
        check(self._channel.said.pop(str(lane), None))

    async def take(self, work: Work, stopped: asyncio.Event) -> Work | None:
        """The engine's `take`, whose end is the end of the turn."""
        ended = self._ended[work.line.place.chat]
        try:
            following = await self._engine.take(work, stopped)
        except BaseException as error:
            ended.set_exception(error)
            raise
        ended.set_result(None)
        return following

    def _ask(self, chat: str) -> InboundMessage:
        key = uuid7().hex
        return InboundMessage(
            place=Place(account_id=self._account.id, channel=self._account.channel, chat=chat),
            sender=Sender(id=chat, name=f"person {chat}", language="en"),
            text=QUESTION,
            dedupe_key=key,
            message_id=key,
            sent_at=datetime.now(UTC),
        )


@asynccontextmanager
async def open_ours(
    database_url: str, redis_url: str, model: ModelProvider, *, streams: bool = False
) -> AsyncIterator[Turn]:
    """A gateway around `model`. Several may stand on one database and Redis, each on its own."""
    metrics = Metrics(CollectorRegistry())
    channel = DraftingChannel() if streams else NullChannel()
    engine = open_engine(database_url)
    async with (
        open_state(redis_url, Terms(user_per_minute=1_000_000_000)) as state,
        open_journal(engine, metrics) as journal,
        open_leases(engine, LEASE_SECONDS) as leases,
    ):
        records, bell = PostgresRecords(engine), Bell()
        account = await PostgresAccounts(engine).register("bench", Identity(name=uuid7().hex, handle="bench"))
        house = _house(journal, records, state, model, channel, metrics)
        lanes = Lanes(account, channel, Engine(house))
        turns = _turns(lanes, house, leases, records, bell, account)
        lanes.inbox = Inbox(
            journal=journal,
            commands=house.commands,
            offer=turns.offer,
            answered=turns.answered,
            lease_seconds=LEASE_SECONDS,
            start=turns.start,
            metrics=metrics,
        )
        background = [asyncio.create_task(turns.run()), asyncio.create_task(bell.listen(engine))]
        try:
            yield lanes.turn
        finally:
            await turns.drain(5.0)
            await _cancel(background)
    await engine.dispose()


def _house(
    journal: PostgresJournal,
    records: PostgresRecords,
    state: RedisState,
    model: ModelProvider,
    channel: ChannelAdapter,
    metrics: Metrics,
) -> House:
    clock, tokens, ledger = SystemClock(), ByteTokens(), Ledger(prices=PriceBook())
    return House(
        journal=journal,
        records=records,
        state=state,
        gate=Gate(state=state, allowed=lambda channel, user: True, message_chars=32_000),
        answering=Answering(model=model, ledger=ledger, tokens=tokens, clock=clock, metrics=metrics),
        ledger=ledger,
        tokens=tokens,
        commands=commands(),
        channel=lambda account_id: channel,
        configs=lambda: (),
        defaults=Defaults(models=(MODEL,), system_prompt=SYSTEM, answer_tokens=2000),
        offered=(),
        clock=clock,
        metrics=metrics,
    )


def _turns(
    lanes: Lanes, house: House, leases: PostgresLeases, records: PostgresRecords, bell: Bell, account: Account
) -> Turns:
    instance = f"bench-{account.name}"
    return Turns(
        allowed=lambda channel, sender: True,
        instance=instance,
        take=lanes.take,
        journal=house.journal,
        tenure=Tenure(instance, leases, LEASE_SECONDS),
        records=records,
        accounts=lambda: (account.id,),
        woken=bell.woken,
        stops=bell.stops,
        metrics=house.metrics,
        concurrency=256,
        lease_seconds=LEASE_SECONDS,
    )


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
