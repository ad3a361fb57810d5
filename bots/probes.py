"""The usual probes of our own parts: each turns what one says about itself into checks to act on.

What is asked over HTTP is in `bots.neighbours`. Probes only look; nothing is repaired here. Every fault
names its mend: what to do, or which command.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bots.health import DRAINING, STARTING, Check, Probe, State
from core.state.health import CacheHealth
from core.store.health import DatabaseHealth, PoolHealth

MIB = 1024 * 1024
DISK_LOW = 1024 * MIB
DISK_FULL = 128 * MIB
CONNECTIONS_HIGH = 0.9
MEMORY_HIGH = 0.9
WATCH_LOG = "Read its last line in the gateway's log; it is tried again by itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """One channel account: `why` it is not up, or how it is, in one line; `mend` where there is one."""

    state: Literal["starting", "up", "standby", "down", "off"]
    why: str = ""
    mend: str = ""


def database(check: Callable[[], Awaitable[DatabaseHealth]]) -> Probe:
    """The checks `database` and `schema`."""

    async def probe() -> Sequence[Check]:
        health = await check()
        if health.ok:
            return [_reached(health), _schema(health)]
        mend = "Start Postgres, or correct DATABASE_URL; `parley doctor` looks again."
        return [Check(name="database", state="failed", detail=health.message, mend=mend)]

    return probe


def _reached(health: DatabaseHealth) -> Check:
    vector = f"pgvector {health.pgvector}" if health.pgvector else "no pgvector"
    parts = [f"Postgres {health.server}", vector, f"{health.latency_ms or 0:.1f} ms"]
    if health.size_bytes is not None:
        parts.append(size(health.size_bytes))
    if health.pool is not None:
        parts.append(_pool(health.pool))
    used, most = health.connections_used, health.connections_max
    if used is not None and most:
        parts.append(f"{used} of {most} server connections")
    state, mend = _strain(health)
    return Check(name="database", state=state, detail=", ".join(parts), mend=mend)


def _pool(pool: PoolHealth) -> str:
    waiting = "" if pool.waiting is None else f"/{pool.waiting} waiting"
    return f"pool {pool.active} active/{pool.idle} idle{waiting}"


def _strain(health: DatabaseHealth) -> tuple[State, str]:
    if health.pool is not None and health.pool.exhausted:
        return "degraded", "Raise PARLEY_DATABASE__POOL_SIZE, or start another instance."
    if (health.connections_used or 0) > CONNECTIONS_HIGH * (health.connections_max or float("inf")):
        return "degraded", "Raise max_connections of the server, or lower PARLEY_DATABASE__POOL_SIZE."
    return "ok", ""


def _schema(health: DatabaseHealth) -> Check:
    revision, head = health.revision, health.head
    if health.serves:
        newer = "" if head in (None, revision) else f", newer than this version's {head}, which it serves"
        return Check(name="schema", state="ok", detail=f"revision {revision or 'none'}{newer}")
    if revision is not None and head is not None and revision > head:
        detail = f"the database is at {revision}, which serves this version's {head} no longer"
        return Check(name="schema", state="failed", detail=detail, mend="Start a newer version.")
    detail = f"the database is at {revision or 'no revision'}, this version needs {head}"
    return Check(name="schema", state="failed", detail=detail, mend="Run `parley db upgrade`.")


def cache(check: Callable[[], Awaitable[CacheHealth]]) -> Probe:
    """The check `cache`; never worse than degraded, since answers go on without it."""

    async def probe() -> Sequence[Check]:
        health = await check()
        return [_cache_there(health) if health.ok else _cache_away(health)]

    return probe


def _cache_away(health: CacheHealth) -> Check:
    since = f" since {health.degraded_since:%Y-%m-%d %H:%M:%S} UTC" if health.degraded_since else ""
    detail = f"{health.message or 'does not answer'}{since}; answers go on, limits are approximate"
    mend = "Start Redis, or correct REDIS_URL; it is taken up again by itself."
    return Check(name="cache", state="degraded", detail=detail, mend=mend)


def _cache_there(health: CacheHealth) -> Check:
    detail = ", ".join(_cache_figures(health))
    full = bool(health.max_memory) and (health.used_memory or 0) > MEMORY_HIGH * (health.max_memory or 0)
    mend = health.message or ("Raise Redis' maxmemory, or look for foreign keys in it." if full else "")
    return Check(name="cache", state="degraded" if mend else "ok", detail=detail, mend=mend)


def _cache_figures(health: CacheHealth) -> list[str]:
    figures = [f"version {health.version}" if health.version else "answers"]
    if health.latency_ms is not None:
        figures.append(f"{health.latency_ms:.1f} ms")
    if health.used_memory is not None:
        bound = f" of {size(health.max_memory)}" if health.max_memory else ""
        figures.append(f"{size(health.used_memory)}{bound} used")
    if health.keys is not None:
        figures.append(f"{health.keys} keys")
    if health.hit_rate is not None:
        figures.append(f"{health.hit_rate:.0%} hits")
    return figures


def channels(look: Callable[[], Mapping[str, ChannelState]]) -> Probe:
    """One check `channel <name>` for each channel."""

    async def probe() -> Sequence[Check]:
        return [_channel(f"channel {name}", state) for name, state in look().items()]

    return probe


def _channel(name: str, channel: ChannelState) -> Check:
    match channel.state:
        case "starting":
            check = Check(name=name, state="degraded", detail=STARTING)
        case "up":
            check = Check(name=name, state="ok", detail=channel.why or "receives")
        case "standby":
            check = Check(name=name, state="ok", detail="stands by: another instance receives")
        case "off":
            detail = channel.why or "no credentials"
            check = Check(name=name, state="off", detail=detail, mend=channel.mend)
        case "down":
            detail, mend = channel.why or "does not receive", channel.mend or WATCH_LOG
            check = Check(name=name, state="failed", detail=detail, mend=mend)
    return check


def disk(folder: Path, *, low: int = DISK_LOW, full: int = DISK_FULL) -> Probe:
    """The check `disk`: the bytes left where `folder` is or will be; below `full` nothing can be kept."""

    async def probe() -> Sequence[Check]:
        free = await asyncio.to_thread(free_bytes, folder)
        state: State = "failed" if free < full else "degraded" if free < low else "ok"
        mend = "" if state == "ok" else f"Make room on the disk of {folder}, or move PARLEY_HOME."
        return [Check(name="disk", state=state, detail=f"{size(free)} free at {folder}", mend=mend)]

    return probe


def instance(role: str, is_draining: Callable[[], bool]) -> Probe:
    """The check `instance`: what this process is for; one that stops is not to be given work any more."""

    async def probe() -> Sequence[Check]:
        if is_draining():
            return [Check(name="instance", state="degraded", detail=DRAINING)]
        return [Check(name="instance", state="ok", detail=f"role {role}")]

    return probe


def free_bytes(folder: Path) -> int:
    """The room left where `folder` is or will be."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def size(count: int) -> str:
    """A number of bytes for people: 3.4 MiB."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
