"""The port `State` over one Redis: sessions, limits, context, presence and flags.

A glance is one wait and a remembrance one write, whatever they are made of. Nothing is raised because
Redis is away: limits fall back to this instance's share, the rest is simply not known, and the engine
goes on from Postgres.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import orjson

from core.messages import Place
from core.ports import Glance, Remembrance
from core.state import context, flags, health, keys, presence, sessions
from core.state.client import Away, Client
from core.state.commands import be_first, count, keep_highest
from core.state.context import ContextList
from core.state.flags import Flags
from core.state.health import CacheHealth
from core.state.limits import WINDOW, LocalLimits, wait
from core.state.wire import open_wire

LANES = 4
"""Exchanges under way at once: more would carry fewer calls each, fewer would let one slow read hold up
everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How much and how long; times are seconds.

    `pool_size` bounds the connections, few of which are ever used, since exchanges carry many calls.
    `timeout` is what connecting may take, `patience` what a turn waits for at most before Redis counts as
    away; `flags_seconds` is the greatest age of a flag.
    """

    user_per_minute: int = 60
    context_messages: int = 20
    context_seconds: int = 7200
    session_seconds: int = 3600
    presence_seconds: int = 300
    flags_seconds: float = 4.0
    pool_size: int = 50
    timeout: float = 5.0
    patience: float = 0.25
    probe_seconds: float = 0.5


class RedisState:
    """Implements `core.ports.State`; made by `open_state`."""

    def __init__(
        self,
        client: Client,
        terms: Terms,
        *,
        instances: Callable[[], int],
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._terms = terms
        self._now = now
        self._local = LocalLimits(instances=instances, monotonic=monotonic)
        self._flags = Flags(seconds=terms.flags_seconds, monotonic=monotonic)

    async def glance(
        self, place: Place, sender_id: str, user_id: UUID, conversation_id: UUID, last_message_id: UUID | None
    ) -> Glance:
        """See `core.ports.State`. Flags that are due come along in the same wait."""
        rate = keys.rate("user", str(user_id))
        session = keys.session(place.channel, user_id, sender_id)
        due = self._flags.due(keys.FEATURES, keys.features(place.channel))
        try:
            counted, fields, _, entries, *hashes = await self._client.ask(
                count(rate, WINDOW),
                ("HGETALL", session),
                sessions.touch(session, self._terms.session_seconds),
                self._context(conversation_id).read(),
                *map(flags.read, due),
            )
        except Away:
            return Glance(over_limit=self._local.hit(rate, self._terms.user_per_minute), degraded=True)
        for key, reply in zip(due, hashes, strict=True):
            self._flags.keep(key, reply)
        return Glance(
            over_limit=wait(self._terms.user_per_minute, *counted),
            session=sessions.parse(fields),
            context=context.parse(entries, last_message_id),
        )

    async def remember(self, what: Remembrance) -> None:
        """See `core.ports.State`."""
        terms, now = self._terms, self._now()
        talk = self._context(what.conversation_id)
        with suppress(Away, orjson.JSONEncodeError):
            await self._client.ask(
                *(talk.add(what.added) if what.context is None else talk.rewrite(what.context, what.added)),
                sessions.save(what, datetime.fromtimestamp(now, UTC), terms.session_seconds),
                presence.mark(what.place.channel, str(what.user_id), now, terms.presence_seconds),
            )

    async def forget_context(self, conversation_id: UUID) -> None:
        """See `core.ports.State`."""
        with suppress(Away):
            await self._client.ask(("DEL", keys.context(conversation_id)))

    async def hit(self, kind: str, name: str, limit: int) -> int | None:
        """See `core.ports.State`; `kind` is such as "ip" or "endpoint"."""
        key = keys.rate(kind, name)
        try:
            (counted,) = await self._client.ask(count(key, WINDOW))
        except Away:
            return self._local.hit(key, limit)
        return wait(limit, *counted)

    async def first_this_minute(self, name: str, whose: UUID) -> bool:
        """See `core.ports.State`."""
        key = keys.once(name)
        try:
            (is_first,) = await self._client.ask(be_first(key, whose.hex, WINDOW))
        except Away:
            return self._local.is_first(key, whose)
        return bool(is_first)

    async def flags(self, channel: str) -> Mapping[str, str]:
        """See `core.ports.State`; the channel's flags win over the global ones."""
        own = keys.features(channel)
        await self._refresh(keys.FEATURES, own)
        return {**self._flags.copy(keys.FEATURES), **self._flags.copy(own)}

    async def experiment(self, name: str) -> Mapping[str, str]:
        """The variants of an experiment and their weights, as old as flags may be."""
        key = keys.experiment(name)
        await self._refresh(key)
        return self._flags.copy(key)

    async def present(self, channel: str) -> frozenset[str] | None:
        """The ids of the users active on a channel in the last minutes; None while Redis is away."""
        with suppress(Away):
            read = presence.read(channel, self._now(), self._terms.presence_seconds)
            (reply,) = await self._client.ask(read)
            return presence.parse(reply)
        return None

    async def witness(self, deployment: UUID, beat: int = 0) -> int | None:
        """Tell a beat of the database, and learn the highest that anybody told; None while Redis is away or
        knows of none."""
        with suppress(Away):
            (known,) = await self._client.ask(keep_highest(keys.beat(deployment), beat))
            return int(known) or None
        return None

    async def check(self) -> CacheHealth:
        """How Redis is now; asks it, never raises because it is away."""
        started = time.perf_counter()
        try:
            await self._client.ask(("PING",))
            latency = (time.perf_counter() - started) * 1000
            return health.report(await self._client.info(), latency)
        except Away as away:
            outage = self._client.outage
            known = CacheHealth(ok=False, message=str(away))
            return replace(known, degraded_since=outage.since) if outage else known

    def _context(self, conversation_id: UUID) -> ContextList:
        return ContextList(conversation_id, self._terms.context_messages, self._terms.context_seconds)

    async def _refresh(self, *wanted: str) -> None:
        old = self._flags.old(*wanted)
        if not old:
            return
        with suppress(Away):
            for key, reply in zip(old, await self._client.ask(*map(flags.read, old)), strict=True):
                self._flags.keep(key, reply)


@asynccontextmanager
async def open_state(
    url: str,
    terms: Terms,
    *,
    instances: Callable[[], int] = lambda: 1,
    on_degraded: Callable[[bool], None] | None = None,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[RedisState]:
    """A state over the Redis at `url` (see `core.state.wire.FORMS`), closed at the end.

    `instances` is how many gateways share the limits now; `on_degraded` hears each change between
    away (True) and back (False). Raises ValueError for a URL that has no allowed form; a server that
    is not there is no error.
    """
    client = Client(
        open_wire(url, pool_size=terms.pool_size, timeout=terms.timeout),
        patience=terms.patience,
        timeout=terms.timeout,
        probe_seconds=terms.probe_seconds,
        lanes=min(LANES, terms.pool_size),
        on_degraded=on_degraded,
    )
    try:
        await client.open()
        yield RedisState(client, terms, instances=instances, now=now, monotonic=monotonic)
    finally:
        await client.close()
