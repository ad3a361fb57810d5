"""Fresh stores for many small trials: a database each, made from one template, and a Redis of its own number.

The servers are somebody else's; whatever is made on them here is dropped again.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis
from sqlalchemy import URL, make_url

from core.store import schema

TEMPLATE = "cell_template"
REDIS_NUMBERS = 15
"""Valkey's default has sixteen; the first is left to others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """The stores of one trial, as an operator would name them."""

    database_url: str
    redis_url: str


class Ground:
    """`open_ground` makes one."""

    def __init__(self, server: URL, redis: URL) -> None:
        self._server, self._redis = server, redis
        self._numbers = itertools.count(1)
        self._free = list(range(1, REDIS_NUMBERS + 1))

    @asynccontextmanager
    async def plot(self, *, empty: bool = False) -> AsyncIterator[Plot]:
        """A migrated database, or with `empty` one without a schema. At most `REDIS_NUMBERS` at once."""
        name, number = f"cell_{next(self._numbers)}", self._free.pop()
        await self.execute(
            f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {TEMPLATE} STRATEGY file_copy")
        )
        redis = self._redis.update_query_dict({"db": str(number)})
        plot = Plot(database_url=self.named(name), redis_url=redis.render_as_string(hide_password=False))
        try:
            async with Redis.from_url(plot.redis_url) as client:
                await client.flushdb()
            yield plot
        finally:
            self._free.append(number)
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def named(self, database: str) -> str:
        return self._server.set(database=database).render_as_string(hide_password=False)

    async def execute(self, statement: str) -> None:
        """On a connection of its own without the gateway's limits: a busy machine may take long to copy."""
        plain = self._server.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def open_ground(database_url: str, redis_url: str) -> AsyncIterator[Ground]:
    """On these servers, where we may create databases."""
    ground = Ground(make_url(database_url), make_url(redis_url))
    await ground.execute(f"CREATE DATABASE {TEMPLATE}")
    try:
        await schema.upgrade(ground.named(TEMPLATE))
        yield ground
    finally:
        await ground.execute(f"DROP DATABASE {TEMPLATE} WITH (FORCE)")
