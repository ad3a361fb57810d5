"""Updates posted to a bot's address instead of being fetched (core.telegram.org/bots/api#setwebhook).

An answer outside 2xx, or none, means: again later. The platform posts over several connections at once and
so keeps no order; here one update goes at a time and the fault `reorder` mixes them.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from bots.simulators.clock import TurnableClock
from bots.simulators.telegram.updates import Update, UpdateQueue

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
LONGEST_WAIT = 60.0
POST_TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass(slots=True, kw_only=True)
class Webhook:
    """Where a bot's updates go, and how the last failure read."""

    url: str
    secret: str = field(default="", repr=False)
    max_connections: int = 40
    first_wait: float = 0.1
    failure: str | None = None
    failed_at: int | None = None

    def as_json(self, queue: UpdateQueue) -> dict[str, Any]:
        """Return core.telegram.org/bots/api#webhookinfo."""
        body: dict[str, Any] = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(queue),
            "max_connections": self.max_connections,
        }
        if self.failure is not None:
            body |= {"last_error_date": self.failed_at, "last_error_message": self.failure}
        if queue.allowed:
            body["allowed_updates"] = list(queue.allowed)
        return body


async def post_updates(webhook: Webhook, queue: UpdateQueue, clock: TurnableClock) -> None:
    """Post updates until cancelled, waiting twice as long after each failure."""
    wait = webhook.first_wait
    async with aiohttp.ClientSession(timeout=POST_TIMEOUT) as session:
        while True:
            update = await queue.next_for_webhook()
            webhook_failure = await post(session, webhook, update)
            if webhook_failure is None:
                queue.delivered(update)
                wait = webhook.first_wait
                continue
            webhook.failure, webhook.failed_at = webhook_failure, int(clock.now())
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


async def post(session: aiohttp.ClientSession, webhook: Webhook, update: Update) -> str | None:
    """Post one update; return why it was not taken, or None."""
    headers = {"Content-Type": "application/json"}
    if webhook.secret:
        headers[SECRET_HEADER] = webhook.secret
    try:
        async with session.post(
            webhook.url, data=orjson.dumps(update.as_json()), headers=headers, allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 300:
                return None
            return f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except TimeoutError:
        return "Read timeout expired"
    except aiohttp.ClientError:
        return "Connection refused"
