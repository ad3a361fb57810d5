"""What the two servers spend: Redis says it itself, Postgres is read from proc(5), where there is one."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds of user and system time since the servers' start; 0 where it cannot be known."""

    postgres: float
    redis: float


class Servers:
    """The Postgres and Redis under a bench."""

    def __init__(self, postmaster: int, redis: Redis, versions: dict[str, str]) -> None:
        self._postmaster = postmaster
        self._redis = redis
        self.versions = versions

    async def cpu(self) -> Spent:
        told = await self._redis.info("cpu")
        return Spent(postgres=_family(self._postmaster), redis=told["used_cpu_user"] + told["used_cpu_sys"])


@asynccontextmanager
async def watch(database_url: str, redis_url: str) -> AsyncIterator[Servers]:
    """Look at the servers behind these addresses, which must be on this machine."""
    connection = await asyncpg.connect(database_url.replace("postgresql+asyncpg", "postgresql"))
    try:
        backend, version = connection.get_server_pid(), await connection.fetchval("SHOW server_version")
        async with Redis.from_url(redis_url, decode_responses=True) as redis:
            told = await redis.info("server")
            name = "valkey" if "valkey_version" in told else "redis"
            versions = {"postgres": version.partition(" ")[0], name: told[f"{name}_version"]}
            yield Servers(_parent(backend), redis, versions)
    finally:
        await connection.close()


def _stat(pid: int | str) -> list[str]:
    """The fields behind the name, which may itself hold blanks and brackets: state, parent, ..."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _parent(pid: int) -> int:
    try:
        return int(_stat(pid)[1])
    except OSError:
        return 0


def _family(postmaster: int) -> float:
    """The postmaster, its processes, and those it has seen ending."""
    if not postmaster or not PROC.exists():
        return 0.0
    ticks = 0
    for pid in filter(str.isdigit, os.listdir(PROC)):
        try:
            fields = _stat(pid)
        except OSError:
            continue
        if int(pid) == postmaster:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
