"""How the cache is: what `doctor`, readiness and metrics say of it.

The figures are the server's own (INFO, https://redis.io/docs/latest/commands/info/), added up over the
primaries of a Cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHealth:
    """`ok` is false while turns go on without Redis; then the figures are None and `message` says why.

    Memory is in bytes (`max_memory` None: no limit), `hit_rate` from 0 to 1 since the server started,
    None before its first read.
    """

    ok: bool
    degraded_since: datetime | None = None
    latency_ms: float | None = None
    used_memory: int | None = None
    max_memory: int | None = None
    hit_rate: float | None = None
    keys: int | None = None
    version: str = ""
    message: str = ""


def report(infos: Sequence[bytes | dict[str, Any]], latency_ms: float) -> CacheHealth:
    """The health that these INFO replies, one a primary, describe."""
    nodes = [_facts(info) for info in infos]
    hits, misses = _sum(nodes, "keyspace_hits"), _sum(nodes, "keyspace_misses")
    policy = nodes[0].get("maxmemory_policy", "")
    return CacheHealth(
        ok=True,
        latency_ms=latency_ms,
        used_memory=_sum(nodes, "used_memory"),
        max_memory=_sum(nodes, "maxmemory") or None,
        hit_rate=hits / (hits + misses) if hits + misses else None,
        keys=sum(_keys(node) for node in nodes),
        version=nodes[0].get("valkey_version") or nodes[0].get("redis_version", ""),
        message=f"maxmemory-policy {policy} may evict feature flags; use volatile-lru"
        if policy.startswith("allkeys")
        else "",
    )


def _facts(info: bytes | dict[str, Any]) -> dict[str, str]:
    """INFO as it came (`name:value` lines), or as redis-py's cluster client has read it."""
    if isinstance(info, dict):
        return {name: _flat(value) for name, value in info.items()}
    lines = info.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={part}" for name, part in value.items())
    return str(value)


def _sum(nodes: Sequence[dict[str, str]], name: str) -> int:
    return sum(int(node.get(name, "0")) for node in nodes)


def _keys(node: dict[str, str]) -> int:
    """The databases say `db0:keys=12,expires=12,avg_ttl=0`."""
    databases = [value for name, value in node.items() if name.startswith("db") and value.startswith("keys=")]
    return sum(int(value.split(",")[0].removeprefix("keys=")) for value in databases)
