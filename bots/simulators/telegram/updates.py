"""One bot's queue of updates: kept until confirmed or a day old, fetched by long polling or posted.

core.telegram.org/bots/api#getupdates and #setwebhook. An update is confirmed only by a later call with a
higher offset (or a 2xx from the webhook); until then it is delivered again and again.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bots.simulators.clock import TurnableClock
from bots.simulators.faults import FaultQueue
from bots.simulators.telegram.params import ApiError

KEPT_SECONDS = 24 * 3600
SILENCE_SECONDS = 7 * 24 * 3600
LONGEST_POLL = 50
FIRST_ID = 100_000_001
# An offset this far above the newest id is one from before the numbering began anew: it confirms nothing.
FUTURE = 10
UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
OTHER_POLLER = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
WEBHOOK_SET = "Conflict: terminated by setWebhook request"
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """One update and when it happened."""

    id: int
    at: float
    kind: str
    content: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"update_id": self.id, self.kind: self.content}


@dataclass(slots=True, eq=False)
class Poller:
    """A waiting getUpdates call; `ended_by` is why it lost its turn."""

    ended_by: str | None = None


class UpdateQueue:
    """The updates of one bot that are not confirmed yet, oldest first."""

    def __init__(self, clock: TurnableClock, faults: FaultQueue) -> None:
        self.allowed: Collection[str] | None = None
        self.webhook_active = False
        self._clock = clock
        self._faults = faults
        self._pending: list[Update] = []
        self._again: list[Update] = []
        self._last_id = FIRST_ID - 1
        self._last_at = clock.now()
        self._poller: Poller | None = None
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, kind: str, content: dict[str, Any]) -> None:
        """Add an update, unless the bot has not asked for this kind (`allowed_updates`)."""
        if kind not in self.allowed if self.allowed else kind in UNASKED:
            return
        now = self._clock.now()
        # After a week of silence the numbering goes on from a random place: "larger" stops meaning "later".
        jump = -50_000_000 if now - self._last_at > SILENCE_SECONDS else 1
        self._last_id, self._last_at = self._last_id + jump, now
        self._pending.append(Update(self._last_id, now, kind, content))
        self._announce()

    async def poll(self, offset: int, limit: int, timeout: float) -> list[Update]:
        """Confirm what lies below the offset and return what waits, or wait for it up to `timeout` seconds.

        Raises ApiError 409 while a webhook is set, and when another call comes in: of two pollers the one
        that waits is ended, the newer one goes on.
        """
        if self.webhook_active:
            raise ApiError(409, WEBHOOK_ACTIVE)
        self.end_poller(OTHER_POLLER)
        poller = self._poller = Poller()
        self._confirm(offset)
        try:
            async with asyncio.timeout(min(max(timeout, 0), LONGEST_POLL)):
                while not (batch := self._batch(limit)) and timeout > 0 and not self._closed:
                    await self._changed.wait()
                    if poller.ended_by is not None:
                        raise ApiError(409, poller.ended_by)
                return batch
        except TimeoutError:
            return []
        finally:
            if self._poller is poller:
                self._poller = None

    def end_poller(self, reason: str) -> None:
        if self._poller is not None:
            self._poller.ended_by = reason
            self._announce()

    async def next_for_webhook(self) -> Update:
        """Return the update to post next; it stays until `delivered` is called."""
        while not (batch := self._batch(1)):
            await self._changed.wait()
        if len(self._pending) > 1 and (pending := self._faults.take({"reorder"})) is not None:
            return pending.random.choice(self._pending[1:])
        return batch[0]

    def delivered(self, update: Update) -> None:
        """Forget an update that the webhook has taken, or post it again where a duplicate was asked for."""
        if update in self._pending:
            self._pending.remove(update)
            self._ask_again(update)

    def clear(self) -> None:
        self._pending.clear()
        self._again.clear()

    def close(self) -> None:
        """Let everyone who waits return empty-handed."""
        self._closed = True
        self._announce()

    def __len__(self) -> int:
        self._expire()
        return len(self._pending)

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _expire(self) -> None:
        oldest = self._clock.now() - KEPT_SECONDS
        self._pending = [update for update in self._pending if update.at >= oldest]

    def _confirm(self, offset: int) -> None:
        """Forget the updates below a positive offset, or all but the last `-offset` of a negative one."""
        self._expire()
        if offset < 0:
            del self._pending[:offset]
            return
        if offset > self._last_id + FUTURE:
            return
        confirmed = [update for update in self._pending if update.id < offset]
        self._pending = [update for update in self._pending if update.id >= offset]
        for update in confirmed:
            self._ask_again(update)

    def _ask_again(self, update: Update) -> None:
        """A confirmed update may come back, as after the platform's own failures (fault `duplicate`)."""
        if (pending := self._faults.take({"duplicate"})) is not None:
            self._again += [update] * pending.fault.copies

    def _batch(self, limit: int) -> list[Update]:
        """Return what to deliver now: what comes back first, each once, then what waits."""
        self._expire()
        again = list(dict.fromkeys(self._again))[:limit]
        for update in again:
            self._again.remove(update)
        batch = (again + self._pending)[:limit]
        if len(batch) > 1 and (pending := self._faults.take({"reorder"})) is not None:
            before = list(batch)
            pending.random.shuffle(batch)
            return batch if batch != before else batch[::-1]
        return batch
