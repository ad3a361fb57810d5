"""A gateway for a talk: `talk` with the usual settings, `begin` with others."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import structlog

from core.house import Watch, look_away
from tests.integration.turn.talk import Talk, talking

Begin = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture(scope="package", autouse=True)
def plain_log() -> Iterator[None]:
    """As a gateway logs: to print all variables of a traceback takes seconds in which nothing else runs."""
    before = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ]
    )
    yield
    structlog.configure(processors=before)


@pytest.fixture
def begin(tmp_path: Path, database_url: str, redis_url: str) -> Begin:
    def begin(watch: Watch = look_away, **environment: str) -> AbstractAsyncContextManager[Talk]:
        return talking(tmp_path, database_url, redis_url, environment, watch)

    return begin


@pytest.fixture
async def talk(begin: Begin) -> AsyncIterator[Talk]:
    async with begin() as talk:
        yield talk
