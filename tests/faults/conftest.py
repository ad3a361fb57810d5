"""What the kill cells stand on: one ground a session, and all cells of a channel at once."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from bots.torture.ground import Ground, open_ground
from core.embedded import Pair


@pytest.fixture(scope="session")
async def ground(pair: Pair) -> AsyncIterator[Ground]:
    assert pair.database_url is not None
    assert pair.redis_url is not None
    async with open_ground(pair.database_url, pair.redis_url) as ground:
        yield ground


@pytest.fixture(scope="session")
def quiet_servers() -> Iterator[None]:
    """A client that is killed in the middle of a request is what we are here for, not the server's error."""
    logger = logging.getLogger("aiohttp.server")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)
