"""One bot account on the simulated Telegram: its queue, commands, limits, and which messages reach it."""

import asyncio
import re
from contextlib import suppress
from hashlib import sha256
from typing import Any

from bots.simulators.telegram.limits import FloodControl
from bots.simulators.telegram.updates import WEBHOOK_SET, UpdateQueue
from bots.simulators.telegram.webhook import Webhook, post_updates
from bots.simulators.telegram.world import Message, User, World, is_number

COMMAND = re.compile(r"/[A-Za-z0-9_]{1,64}(?:@([A-Za-z0-9_]+))?(?!\w)")


class SimulatedBot:
    """A bot as its token names it."""

    def __init__(self, user: User, queue: UpdateQueue, world: World, *, privacy: bool) -> None:
        self.user = user
        self.queue = queue
        self.world = world
        self.privacy = privacy
        self.flood = FloodControl(world.clock.now)
        self.commands: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.callbacks: set[str] = set()
        self.webhook: Webhook | None = None
        self._posting: asyncio.Task[None] | None = None

    def receives(self, message: Message) -> bool:
        """Tell whether a message reaches the bot (core.telegram.org/bots/features#privacy-mode).

        In groups, privacy mode lets through commands (those for other bots excepted), mentions of the bot
        and answers to its messages.
        """
        if message.chat.type == "private" or not self.privacy:
            return True
        command = COMMAND.match(message.seen.text)
        if command is not None and (command.group(1) or self.user.name).lower() == self.user.name.lower():
            return True
        if re.search(rf"@{re.escape(self.user.name)}\b", message.seen.text, re.IGNORECASE):
            return True
        target = message.chat.messages.get(message.reply_to or 0)
        return target is not None and target.sender.id == self.user.id

    async def set_webhook(self, webhook: Webhook | None) -> None:
        """Post updates to an address from now on, or let them be fetched again (None)."""
        await self._stop_posting()
        self.webhook, self.queue.webhook_active = webhook, webhook is not None
        if webhook is not None:
            self.queue.end_poller(WEBHOOK_SET)
            self._posting = asyncio.create_task(post_updates(webhook, self.queue, self.world.clock))

    async def close(self) -> None:
        self.queue.close()
        await self._stop_posting()

    async def _stop_posting(self) -> None:
        if self._posting is not None:
            self._posting.cancel()
            with suppress(asyncio.CancelledError):
                await self._posting
            self._posting = None


def bot_id(token: str) -> int:
    """Return the number before the token's colon, or one that the whole token always gives."""
    number = token.partition(":")[0]
    if is_number(number) and int(number) > 0:
        return int(number)
    return 1_000_000_000 + int.from_bytes(sha256(token.encode()).digest()[:4])
