"""The channels of this instance, each supervised alone: a bad token or a dead network of one never
touches another, and what is wrong with it can be asked for in one line.

Where a platform allows one receiver per account, the right to receive is a lease in Postgres; an
instance without it stands by, sends what its turns owe, and takes over when the lease runs out. An instance
that only sends connects all the same: a wrong token should show before an answer is owed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable
from uuid import UUID

import structlog

from bots.probes import ChannelState
from core.errors import ChannelError, NotSent, ParleyError, StoreError, Unauthorized
from core.messages import Account, CommandOffer, InboundMessage
from core.observe import Metrics
from core.ports import Accounts, CanCatchUp, CanOfferCommands, ChannelAdapter

log = structlog.get_logger(__name__)

AcceptFor = Callable[[Account, Sequence[InboundMessage]], Awaitable[None]]

RECEIVER_SECONDS = 9.0
"""A dead poller is replaced within this and one look of the one that stands by."""
PAUSES = (1.0, 30.0)
NO_WAY = "Check the network and the platform's address; it is tried again by itself."
ONLY_SENDS = "sends only"
WRONG_TOKEN = "Set the right token and start again; it is tried again every minute."


@runtime_checkable
class CanCountFetched(Protocol):
    """The channel says how many messages it found in a history because the platform had not told of them."""

    def count_fetched_with(self, count: Callable[[int], None]) -> None: ...


class Channels:
    """Runs adapters and knows them by their accounts."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        accept: AcceptFor,
        offers: Sequence[CommandOffer],
        instance: str,
        metrics: Metrics,
        receives: bool = True,
        receiver_seconds: float = RECEIVER_SECONDS,
    ) -> None:
        self._accounts = accounts
        self._accept = accept
        self._offers = offers
        self._instance = instance
        self._metrics = metrics
        self._receives = receives
        self._receiver_seconds = receiver_seconds
        self._connected: dict[UUID, ChannelAdapter] = {}
        self._states: dict[str, ChannelState] = {}

    def adapter(self, account_id: UUID) -> ChannelAdapter:
        """The adapter of an account whose work this instance may claim."""
        return self._connected[account_id]

    def accounts(self) -> list[UUID]:
        """The accounts whose conversations this instance can answer."""
        return list(self._connected)

    def receiving(self) -> tuple[str, ...]:
        """The channels whose messages come in here."""
        if not self._receives:
            return ()
        return tuple(sorted(name for name, state in self._states.items() if state.state == "up"))

    def states(self) -> Mapping[str, ChannelState]:
        return dict(self._states)

    def tell(self, name: str, state: ChannelState) -> None:
        """Remember how a channel is, and log it when that changes."""
        if self._states.get(name) != state and state.state != "starting":
            tell = log.error if state.state == "down" else log.info
            tell(f"channel {state.state}", channel=name, **({"why": state.why} if state.why else {}))
        self._states[name] = state
        if self._receives:
            self._metrics.channel_up.labels(channel=name, account="").set(state.state == "up")

    async def run(self, adapter: ChannelAdapter) -> None:
        """Keep one channel running until it ends by itself, as a terminal does, or is cancelled."""
        pause = PAUSES[0]
        try:
            while True:
                wait = pause
                try:
                    account = await self._connect(adapter)
                    pause = PAUSES[0]
                    await (self._receive(adapter, account) if self._receives else self._send_only(adapter))
                    return
                except Unauthorized as error:
                    wait = 60.0
                    self.tell(adapter.name, ChannelState(state="down", why=str(error), mend=WRONG_TOKEN))
                except StoreError as error:
                    wait = PAUSES[0]  # the platform is well: go on as soon as the store does
                    self.tell(adapter.name, ChannelState(state="down", why=str(error)))
                except ParleyError as error:
                    retry_after = error.retry_after if isinstance(error, ChannelError) else None
                    wait = max(pause, retry_after or 0.0)
                    mend = NO_WAY if isinstance(error, NotSent) else ""
                    self.tell(adapter.name, ChannelState(state="down", why=str(error), mend=mend))
                except Exception as error:
                    log.exception("channel failed", channel=adapter.name)
                    self.tell(adapter.name, ChannelState(state="down", why=type(error).__name__))
                self._metrics.channel_restarts.labels(channel=adapter.name).inc()
                pause = min(pause * 2, PAUSES[1])
                await asyncio.sleep(wait)
        finally:
            self._states.pop(adapter.name, None)

    async def _connect(self, adapter: ChannelAdapter) -> Account:
        identity = await adapter.connect()
        account = await self._accounts.register(adapter.name, identity)
        self._connected[account.id] = adapter
        if self._receives and isinstance(adapter, CanOfferCommands):
            try:
                await adapter.offer_commands(self._offers)
            except ChannelError as error:
                log.warning("commands not offered", channel=adapter.name, error=str(error))
        return account

    async def _send_only(self, adapter: ChannelAdapter) -> None:
        """There is nothing to keep up: each send says itself how it went."""
        self.tell(adapter.name, ChannelState(state="up", why=ONLY_SENDS))
        await asyncio.Event().wait()

    async def _receive(self, adapter: ChannelAdapter, account: Account) -> None:
        async def accept(messages: Sequence[InboundMessage]) -> None:
            await self._accept(account, messages)

        if isinstance(adapter, CanCountFetched):
            adapter.count_fetched_with(self._metrics.messages_fetched.labels(channel=adapter.name).inc)
        if isinstance(adapter, CanCatchUp):
            adapter.remember_with(self._accounts.cursors(account.id))
        if not adapter.traits.single_receiver:
            self.tell(adapter.name, ChannelState(state="up"))
            await adapter.run(account, accept)
            return
        await self._stand_by(adapter, account)
        self.tell(adapter.name, ChannelState(state="up"))
        receiving = asyncio.create_task(adapter.run(account, accept), name=f"receive {adapter.name}")
        keeping = asyncio.create_task(self._keep(account), name=f"keep {adapter.name}")
        try:
            await asyncio.wait({receiving, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                receiving.result()
                return
        finally:
            for task in (receiving, keeping):
                task.cancel()
            await asyncio.gather(receiving, keeping, return_exceptions=True)
            with contextlib.suppress(StoreError):
                await self._accounts.release_receiver(account.id, self._instance)
        await self._receive(adapter, account)

    async def _stand_by(self, adapter: ChannelAdapter, account: Account) -> None:
        while not await self._accounts.hold_receiver(account.id, self._instance, self._receiver_seconds):
            self.tell(adapter.name, ChannelState(state="standby", why="another instance receives"))
            await asyncio.sleep(1)

    async def _keep(self, account: Account) -> None:
        """Prolong the right to receive; returns when it is lost. While Postgres is away nobody else can
        take it either."""
        held = True
        while held:
            await asyncio.sleep(self._receiver_seconds / 3)
            with contextlib.suppress(StoreError):
                held = await self._accounts.hold_receiver(account.id, self._instance, self._receiver_seconds)
