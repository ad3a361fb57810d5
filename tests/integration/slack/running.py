"""A channel that receives while a test goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from bots.slack.adapter import SlackChannel
from core.messages import CommandOffer, Identity
from core.ports import Accept
from tests.integration.slack.inbox import ACCOUNT


@asynccontextmanager
async def running(
    channel: SlackChannel, accept: Accept, offers: Sequence[CommandOffer] = ()
) -> AsyncIterator[Identity]:
    """Connect, receive, and stop as a gateway stops: by cancelling."""
    identity = await channel.connect()
    await channel.offer_commands(offers)
    task = asyncio.create_task(channel.run(ACCOUNT, accept))
    await asyncio.sleep(0)  # let it begin to listen
    try:
        yield identity
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
