"""Who works on what, in this instance: one task per held conversation, a heartbeat for all leases, a
sweep for what waits or was left behind, and the signal that stops a running answer.

How long a lease can be relied on is told by `core/tenure.py`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from core.errors import LeaseLost, StoreError, StoreUnavailable
from core.observe import Metrics
from core.ports import Journal, Records
from core.rows import Closing, Lease, Work, Writing
from core.tenure import Tenure

log = structlog.get_logger(__name__)

STORE_PAUSE = 1.0
"""Seconds before a turn that Postgres did not carry is taken up again."""
FAREWELL_SECONDS = 1.0
"""What ending a turn, and then handing it back, may take at the end."""
FORMER_SECONDS = 1.0
"""How long an earlier hold of a conversation may take to finish before it is cancelled."""

Take = Callable[[Work, asyncio.Event], Awaitable[Work | None]]
"""Does one turn of the work and gives what comes next under the same lease; the event stops an answer."""


@dataclass(slots=True, kw_only=True)
class _Held:
    """`stopped` is of the turn that runs now: each has its own, so that no stop can reach the next one."""

    lease: Lease
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Turns:
    """The conversations that this instance holds."""

    def __init__(
        self,
        *,
        instance: str,
        take: Take,
        journal: Journal,
        tenure: Tenure,
        records: Records,
        accounts: Callable[[], Sequence[UUID]],
        allowed: Callable[[str, str], bool],
        woken: asyncio.Event,
        stops: "asyncio.Queue[UUID]",
        metrics: Metrics,
        concurrency: int = 64,
        lease_seconds: float = 30.0,
        poll_seconds: float = 0.25,
        trusted: Callable[[], bool] = lambda: True,
    ) -> None:
        """No work is taken while the database is not `trusted`."""
        self._instance = instance
        self._take = take
        self._journal = journal
        self.tenure = tenure
        self._records = records
        self._accounts = accounts
        self._allowed = allowed
        self._woken = woken
        self._stops = stops
        self._metrics = metrics
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._trusted = trusted
        self._held: dict[UUID, _Held] = {}
        self._offered = 0
        self._others_wait = False
        self._draining = False
        self._changed = asyncio.Event()
        self._claiming = asyncio.Lock()

    def offer(self) -> str | None:
        """This instance, where it can take one more conversation now. Room is kept until `answered`."""
        if self._room() <= 0:
            self._others_wait = True
            return None
        self._offered += 1
        return self._instance

    def answered(self) -> None:
        """What became of an offer is known: `start` was called with the work, where there was any."""
        self._offered -= 1

    def _room(self) -> int:
        closed = self._draining or not self._trusted()
        return 0 if closed else self._concurrency - len(self._held) - self._offered

    def start(self, work: Work) -> None:
        """Work on a conversation whose lease was just taken. The same work twice is started once."""
        conversation_id = work.lease.conversation_id
        known = self._held.get(conversation_id)
        if known is not None and known.lease == work.lease:
            return
        if known is not None:
            self.tenure.end(known.lease)
        self.tenure.begin(work.lease)
        held = self._held[conversation_id] = _Held(lease=work.lease)
        former = known.task if known else None
        held.task = asyncio.create_task(
            self._hold(held, work, former), name=f"conversation {conversation_id}"
        )
        self._metrics.leases_held.set(len(self._held))

    async def run(self) -> None:
        """Sweep, renew and listen for stops, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_for_ever(self._sweep), name="sweep")
            group.create_task(_for_ever(self._renew), name="heartbeat")
            group.create_task(_for_ever(self._hear_stops), name="stops")
            group.create_task(_for_ever(self._look_for_stops), name="missed stops")

    async def settled(self, is_settled: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a question about what is left is answered with yes; asked again when a held
        conversation is let go."""
        while not await is_settled():
            self._changed.clear()
            await _heard(self._changed, self._poll_seconds)

    def take_no_more(self) -> None:
        """From now on nothing is begun here; what is offered meanwhile is handed back."""
        self._draining = True

    async def drain(self, seconds: float) -> None:
        """Take nothing new, let running turns finish, and hand back those that cannot in time."""
        self.take_no_more()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS), self._claiming:
                pass  # what is being claimed now is started, and so handed back
        tasks = {held.task for held in self._held.values() if held.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        left = list(self._held.values())
        for held in left:
            if held.task is not None:
                held.task.cancel()
        # While Postgres hangs neither may end; then the leases run out instead.
        if ending := {held.task for held in left if held.task is not None}:
            await asyncio.wait(ending, timeout=FAREWELL_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await asyncio.gather(*(self._hand_back(held.lease) for held in left))

    async def _hand_back(self, lease: Lease, wake_in: float | None = None) -> None:
        with contextlib.suppress(StoreError):
            closing = Closing(turn_id=None, keep=False, wake_in=wake_in)
            await self._journal.write(Writing(lease=lease, closing=closing))
            log.info("conversation handed back", conversation=str(lease.conversation_id))

    async def _hold(self, held: _Held, work: Work, former: asyncio.Task[None] | None) -> None:
        """Turn after turn, until nothing waits, the lease is gone, or we are to stop. Where others wait for
        room here, one turn: who is next is for the claim to say, which is fair to all."""
        conversation = str(held.lease.conversation_id)
        following: Work | None = work
        try:
            await _end(former)
            while following is not None and not self._draining:
                held.stopped = asyncio.Event()
                following = await self._take(following, held.stopped)
                if self._others_wait and self._room() <= 0:
                    break
            if following is not None:
                await self._hand_back(held.lease)
        except LeaseLost:
            self._tell_lost(held)
        except StoreUnavailable as error:
            log.error("turn put off", conversation=conversation, error=str(error))
            await self._hand_back(held.lease, wake_in=STORE_PAUSE)
        except Exception:
            log.exception("turn left to the sweep", conversation=conversation)
        finally:
            self._let_go(held)

    def _tell_lost(self, held: _Held) -> None:
        self._metrics.leases_lost.inc()
        log.warning("lease lost", conversation=str(held.lease.conversation_id))

    def _let_go(self, held: _Held) -> None:
        """What waits hears of it by the bell; only what waited for room here must be looked for."""
        had_room = self._room() > 0
        if self._held.get(held.lease.conversation_id) is held:
            del self._held[held.lease.conversation_id]
            self.tenure.end(held.lease)
        self._metrics.leases_held.set(len(self._held))
        self._changed.set()
        if not had_room:
            self._woken.set()

    async def _sweep(self) -> None:
        while True:
            await _heard(self._woken, self._poll_seconds)
            self._woken.clear()
            try:
                await self._claim()
            except StoreError as error:
                log.warning("sweep failed", error=str(error))
                await asyncio.sleep(1)

    async def _claim(self) -> None:
        self._cancel(await self.tenure.keep_doubtful())
        if not self._offered:  # else an acceptance may be taking a lease for us
            await self.tenure.give_back()
        accounts = self._accounts()
        while accounts and (most := self._room()) > 0:
            async with self._claiming:
                claimed = await self.tenure.claim(accounts, most)
                for work in claimed:
                    self.start(work)
            self._others_wait = len(claimed) == most
            if not self._others_wait:
                return

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                self._cancel(await self.tenure.keep())
            except StoreError as error:
                log.warning("heartbeat failed", error=str(error))

    def _cancel(self, lost: Sequence[Lease]) -> None:
        """Meanwhile a conversation may have been let go and taken anew: that one goes on."""
        for lease in lost:
            held = self._held.get(lease.conversation_id)
            if held is not None and held.lease == lease and held.task is not None:
                self._tell_lost(held)
                held.task.cancel()

    async def _look_for_stops(self) -> None:
        """A hint may have been missed while nobody listened. No heartbeat may wait for this: it is a query
        for each conversation, and leases run out meanwhile."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            for held in list(self._held.values()):
                await self._stop(held)

    async def _hear_stops(self) -> None:
        while True:
            conversation_id = await self._stops.get()
            held = self._held.get(conversation_id)
            if held is not None:
                await self._stop(held)

    async def _stop(self, held: _Held) -> None:
        """A hint may come late, when its `/stop` has been answered already: then it stops nothing. Nor does
        one of somebody who may not talk to the bot."""
        stopped = held.stopped
        try:
            stoppers = await self._records.stoppers(held.lease.conversation_id)
        except StoreError as error:
            log.warning("stop not looked up", error=str(error))
            return
        if any(self._allowed(channel, sender) for channel, sender in stoppers):
            stopped.set()


async def _for_ever(loop: Callable[[], Awaitable[None]]) -> None:
    """Nothing unforeseen may end a loop that others live by."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("a loop of the turns failed")
            await asyncio.sleep(1)


async def _heard(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer. Not by `wait_for`: before Python 3.12 it forgets a cancellation
    that comes together with the event, and whoever loops then never ends."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _end(former: asyncio.Task[None] | None) -> None:
    """An earlier hold of the same conversation has closed its last turn or lost its lease: let it finish
    its last lines, but never work beside it."""
    if former is None:
        return
    await asyncio.wait({former}, timeout=FORMER_SECONDS)
    former.cancel()
    await asyncio.gather(former, return_exceptions=True)
