"""The long poll: fetch updates, hand them in, and confirm only what is committed.

Telegram forgets an update when a later `getUpdates` carries a higher offset, so the next offset is said
only after `accept` returned; stopping says none. Updates are never told apart by "id not above the last
one": the count starts anew at random after a quiet week. That a message is taken once is left to its
dedupe key. https://core.telegram.org/bots/api#getupdates
"""

import asyncio
import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from telegram import Update

from bots.backoff import backoff
from bots.telegram.errors import translate_error
from bots.telegram.translate import translate
from bots.telegram.wire import Line, Refused
from core.errors import Rejected, StoreUnavailable, Unauthorized
from core.messages import Account, Identity, InboundMessage
from core.points import reach
from core.ports import Accept

log = logging.getLogger(__name__)

KINDS = ("message", "edited_message")
AT_ONCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait, from and to: after an empty answer that came at once, after an error, after 409.
    And after how long a quiet the offset is dropped: as long as Telegram keeps updates."""

    idle: tuple[float, float] = (0.05, 1.0)
    error: tuple[float, float] = (0.5, 30.0)
    conflict: tuple[float, float] = (3.0, 30.0)
    forget_offset: float = 24 * 3600.0


class Receiver:
    """One run of the long poll, for one account."""

    def __init__(
        self,
        line: Line,
        me: Identity,
        account: Account,
        *,
        known: Container[str] = frozenset(),
        poll_seconds: int,
        patience: Patience,
    ) -> None:
        """`known` are the commands that are ours in a group even where nobody names us."""
        self._line, self._me, self._account, self._known = line, me, account, known
        self._poll_seconds, self._patience = poll_seconds, patience
        self._offset: int | None = None  # None asks for all that is not confirmed
        self._confirms = False
        self._moved_at = monotonic()
        self._failures = self._empties = 0

    async def run(self, accept: Accept) -> None:
        """Until cancelled. Raises `Unauthorized`, or `Rejected` when a webhook takes the updates."""
        while True:
            asked_at = monotonic()
            try:
                updates = await self._line.raw_updates(self._offset, self._poll_seconds, KINDS)
            except Exception as error:
                await self._wait_after(error)
                continue
            self._failures = 0
            if self._confirms:
                reach("I4")
            before = self._offset
            await self._hand_in(updates, accept)
            self._confirms = self._offset != before
            if not self._confirms:
                await self._pause(asked_at)
            else:
                self._empties, self._moved_at = 0, monotonic()

    async def _hand_in(self, updates: Sequence[dict[str, Any]], accept: Accept) -> None:
        """Commit the batch however long the store is away, then let the next call confirm it."""
        if not updates:
            return
        messages = [message for update in updates if (message := self._read(update))]
        failures = 0
        while messages:
            try:
                await accept(messages)
                break
            except StoreUnavailable as error:
                failures += 1
                log.warning("%d Telegram messages wait unconfirmed: %s", len(messages), error)
                await asyncio.sleep(backoff(failures, self._patience.error))
        self._offset = max(update["update_id"] for update in updates) + 1

    def _read(self, update: dict[str, Any]) -> InboundMessage | None:
        try:
            message = translate(Update.de_json(update, self._line), self._me, self._account, self._known)
        except Exception as error:  # one update that nobody can read must not hold up the others
            what = f"{type(error).__name__} {error}" if isinstance(error, KeyError) else type(error).__name__
            log.error("Telegram update %s cannot be read: %s", update.get("update_id"), what)
            return None
        if message is None:
            log.debug("Telegram update %s is not for the bot", update.get("update_id"))
        return message

    async def _pause(self, asked_at: float) -> None:
        """Do not spin on a server that answers at once with nothing, or again with what was confirmed."""
        now = monotonic()
        if now - self._moved_at >= self._patience.forget_offset:
            self._offset = None  # the count may start anew below it
        self._empties = self._empties + 1 if now - asked_at < AT_ONCE_SECONDS else 0
        if self._empties:
            least, most = self._patience.idle
            await asyncio.sleep(min(most, least * 2.0 ** min(self._empties - 1, 16)))

    async def _wait_after(self, error: Exception) -> None:
        failed = translate_error("getUpdates", error)
        status = error.status if isinstance(error, Refused) else 0
        if status in (401, 404):
            raise Unauthorized(str(failed)) from error
        if status == 409 and "webhook" in str(failed).lower():
            raise Rejected(
                f"{failed}; delete the bot's webhook (deleteWebhook) to receive by polling"
            ) from error
        self._failures += 1
        span = self._patience.conflict if status == 409 else self._patience.error
        seconds = failed.retry_after or backoff(self._failures, span)
        why = "another poller uses this bot's token: " if status == 409 else ""
        log.warning("Telegram gives no updates, next try in %.1f s: %s%s", seconds, why, failed)
        await asyncio.sleep(seconds)
