"""A gateway for a talk: `talk` with the usual settings, `begin` with others."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from core.house import Watch, look_away
from tests.integration.turn.talk import Talk, talking

Begin = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture
def begin(tmp_path: Path, database_url: str, redis_url: str) -> Begin:
    def begin(watch: Watch = look_away, **environment: str) -> AbstractAsyncContextManager[Talk]:
        return talking(tmp_path, database_url, redis_url, environment, watch)

    return begin


@pytest.fixture
async def talk(begin: Begin) -> AsyncIterator[Talk]:
    async with begin() as talk:
        yield talk
