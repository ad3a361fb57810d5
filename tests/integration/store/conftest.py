"""Instances over one migrated, empty database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.store.ground import Instance, open_instance


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Instance]:
    async with open_instance(database_url, "one") as instance:
        yield instance


@pytest.fixture
async def two(one: Instance, database_url: str) -> AsyncIterator[Instance]:
    """Another instance beside `one`."""
    async with open_instance(database_url, "two") as instance:
        yield instance
