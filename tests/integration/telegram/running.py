"""A channel that receives while a test goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bots.telegram.adapter import TelegramChannel
from core.messages import Identity
from core.ports import Accept
from tests.integration.telegram.inbox import ACCOUNT


@asynccontextmanager
async def running(channel: TelegramChannel, accept: Accept) -> AsyncIterator[Identity]:
    """Connect, receive, and stop as a gateway stops: by cancelling."""
    identity = await channel.connect()
    task = asyncio.create_task(channel.run(ACCOUNT, accept))
    try:
        yield identity
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
