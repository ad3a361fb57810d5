"""Looks for secrets where none may stand: in any row of any table, in any key or value of Redis, in the
logs, in what people were shown.

The secrets are those that the trial itself gave the gateway, each of them found nowhere else, so whatever
holds one has it from there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

TABLES = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"""


async def find_leaks(
    secrets: Mapping[str, str],
    *,
    engine: AsyncEngine,
    redis_url: str | None,
    logs: Sequence[Path],
    shown: Iterable[str],
) -> list[str]:
    """One line for each secret in each of the places; the lines name secrets and never show them."""
    if not secrets:
        return []
    found = [f"{name} was shown to people" for name in _names(secrets, "\n".join(shown))]
    for path in logs:
        names = await asyncio.to_thread(_in_file, secrets, path)
        found += [f"{name} stands in the log {path.parent.name}/{path.name}" for name in names]
    found += [line async for line in _in_database(secrets, engine)]
    if redis_url is not None:
        found += [line async for line in _in_redis(secrets, redis_url)]
    return found


def _names(secrets: Mapping[str, str], words: str) -> list[str]:
    return [name for name, value in secrets.items() if value in words]


def _in_file(secrets: Mapping[str, str], path: Path) -> list[str]:
    names: set[str] = set()
    with path.open(errors="replace") as file:
        for line in file:
            names.update(_names(secrets, line))
    return sorted(names)


async def _in_database(secrets: Mapping[str, str], engine: AsyncEngine) -> AsyncIterator[str]:
    async with engine.connect() as connection:
        tables = (await connection.scalars(text(TABLES))).all()
        for table in tables:
            looks = ", ".join(f"bool_or(strpos(r, :s{n}) > 0)" for n in range(len(secrets)))
            look = text(f"SELECT {looks} FROM (SELECT t::text AS r FROM ONLY {table} t) rows")
            values = {f"s{n}": value for n, value in enumerate(secrets.values())}
            row = (await connection.execute(look, values)).one()
            for name, is_there in zip(secrets, row, strict=True):
                if is_there:
                    yield f"{name} stands in the table {table}"


async def _in_redis(secrets: Mapping[str, str], url: str) -> AsyncIterator[str]:
    async with Redis.from_url(url, decode_responses=True, encoding_errors="replace") as redis:
        async for key in redis.scan_iter(count=500):
            for name in _names(secrets, f"{key} {await _value(redis, key)}"):
                yield f"{name} stands in Redis under {_kind(key, secrets)}:..."


def _kind(key: str, secrets: Mapping[str, str]) -> str:
    """What a key begins with, unless that is the secret itself."""
    kind = key.partition(":")[0]
    return "?" if _names(secrets, kind) else kind


async def _value(redis: Any, key: str) -> Any:
    kind = await redis.type(key)
    read = {
        "string": redis.get,
        "hash": redis.hgetall,
        "set": redis.smembers,
        "list": lambda key: redis.lrange(key, 0, -1),
        "zset": lambda key: redis.zrange(key, 0, -1),
    }.get(kind)
    return await read(key) if read else ""
