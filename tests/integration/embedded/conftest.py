"""A home that is set up once for these tests, and a pair on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.embedded import Pair, embedded_pair
from tests.integration.embedded.processes import ended


@pytest.fixture(scope="package")
async def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose database exists already; nothing runs in it."""
    home = tmp_path_factory.mktemp("home")
    async with embedded_pair(home, durable=False):
        pass
    return home


@pytest.fixture
async def home(prepared: Path) -> AsyncIterator[Path]:
    """The prepared home, with nothing running in it before and after."""
    await ended(prepared)
    yield prepared
    await ended(prepared)


@pytest.fixture
async def pair(home: Path) -> AsyncIterator[Pair]:
    async with embedded_pair(home, durable=False) as pair:
        yield pair
