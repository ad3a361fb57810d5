"""How bytes reach Redis: one server, a service behind Sentinel, or a Cluster, told apart by the URL.

redis-py keeps the connections: TCP, TLS, unix sockets, authentication, discovery, reconnection. Its
defaults since version 8 (RESP3, ten retries, five seconds each) can hold a turn for a minute, so all
of them are set here. Commands go out packed together; `core.state.client` decides which, and how long
to wait.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from redis.asyncio import ConnectionPool, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.state.commands import Command, Reply, pack

FORMS = (
    "redis://host:port/db, rediss://host:port/db, unix:///path.sock, "
    "redis+sentinel://host:port,host:port/service/db, redis+cluster://host:port,host:port"
)

_INFO: Command = ("INFO",)


class Wire(Protocol):
    """A way to Redis. `exchange` gives one reply a command, in order; an error reply is a value."""

    async def exchange(self, commands: Sequence[Command], packed: bytes) -> list[Reply]:
        """`packed` is the same commands as bytes. Raises redis-py's errors, or OSError, when the whole
        exchange failed."""
        ...

    async def info(self) -> list[bytes | dict[str, Any]]:
        """INFO of every primary."""
        ...

    async def renew(self) -> None:
        """Forget idle connections and what is known of the topology."""
        ...

    async def close(self) -> None: ...


class PoolWire:
    """One server at a time: standalone, or the primary that Sentinel names."""

    def __init__(self, pool: ConnectionPool, sentinel: Sentinel | None = None) -> None:
        self._pool = pool
        self._sentinel = sentinel

    async def exchange(self, commands: Sequence[Command], packed: bytes) -> list[Reply]:
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(packed, check_health=False)
            return [await _reply(connection) for _ in commands]
        finally:
            await self._pool.release(connection)

    async def info(self) -> list[bytes | dict[str, Any]]:
        return await self.exchange([_INFO], pack([_INFO]))

    async def renew(self) -> None:
        await self._pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        await self._pool.aclose()
        if self._sentinel is not None:
            await self._sentinel.aclose()


async def _reply(connection: Any) -> Reply:
    """The next reply. The caller keeps the time: a timer for each reply would cost more than the reply."""
    try:
        return await connection.read_response(timeout=math.inf)
    except ResponseError as error:
        return error


class ClusterWire:
    """Redis Cluster; redis-py groups a batch by node and follows moved slots."""

    def __init__(self, cluster: RedisCluster) -> None:
        self._cluster = cluster

    async def exchange(self, commands: Sequence[Command], packed: bytes) -> list[Reply]:
        pipeline = self._cluster.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies = await pipeline.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, RedisConnectionError | RedisTimeoutError):
                raise reply
        return replies

    async def info(self) -> list[bytes | dict[str, Any]]:
        reply: Any = await self._cluster.execute_command("INFO", target_nodes=RedisCluster.PRIMARIES)
        return list(reply.values()) if all(isinstance(one, dict) for one in reply.values()) else [reply]

    async def renew(self) -> None:
        await self._cluster.aclose()  # the next command reads the slots anew

    async def close(self) -> None:
        await self._cluster.aclose()


def open_wire(url: str, *, pool_size: int, timeout: float) -> Wire:
    """Prepare the way to a URL; nothing is connected yet. Raises ValueError for a form we don't know."""
    try:
        return _wire(urlsplit(url), _terms(pool_size, timeout))
    except (ValueError, TypeError) as error:
        raise ValueError(f"Redis URL not understood ({error}); allowed are {FORMS}") from None


def _terms(pool_size: int, timeout: float) -> dict[str, Any]:
    return {
        "max_connections": pool_size + 2,  # the probe's and the health check's own
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": 0,
        "client_name": "parley",
    }


def _wire(url: SplitResult, terms: dict[str, Any]) -> Wire:
    scheme, _, kind = url.scheme.partition("+")
    if kind == "cluster" and scheme in ("redis", "rediss"):
        return _cluster_wire(url, scheme, terms)
    if kind == "sentinel" and scheme in ("redis", "rediss"):
        return _sentinel_wire(url, scheme, terms)
    if kind or scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"unknown scheme {url.scheme!r}")
    if scheme == "unix" and not url.path:
        raise ValueError("a unix URL needs the path of a socket")
    return PoolWire(ConnectionPool.from_url(urlunsplit(url), **terms))


def _cluster_wire(url: SplitResult, scheme: str, terms: dict[str, Any]) -> Wire:
    plain = _plain(url, scheme, path="")
    nodes = [ClusterNode(host, port) for host, port in _hosts(url, 6379)]
    return ClusterWire(RedisCluster.from_url(plain, startup_nodes=nodes, **terms))


def _sentinel_wire(url: SplitResult, scheme: str, terms: dict[str, Any]) -> Wire:
    service, _, db = url.path.strip("/").partition("/")
    if not service:
        raise ValueError("a Sentinel URL needs the name of the service after the hosts")
    options: dict[str, Any] = {**terms, **parse_url(_plain(url, scheme, path=f"/{db}"))}
    for name in ("host", "port"):
        options.pop(name, None)
    ssl = options.pop("connection_class", None) is SSLConnection
    watch: dict[str, Any] = {name: terms[name] for name in terms if name != "client_name"}
    for name in ("username", "password"):
        if secret := options.pop(f"sentinel_{name}", None):
            watch[name] = secret
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        _hosts(url, 26379), sentinel_kwargs={**watch, "ssl": ssl}
    )
    pool = SentinelConnectionPool(service, sentinel, ssl=ssl, **options)  # type: ignore[no-untyped-call]
    return PoolWire(pool, sentinel)


def _plain(url: SplitResult, scheme: str, *, path: str) -> str:
    """The same URL with its first host only, in the form that redis-py reads."""
    who, at, hosts = url.netloc.rpartition("@")
    return urlunsplit((scheme, f"{who}{at}{hosts.split(',')[0]}", path, url.query, ""))


def _hosts(url: SplitResult, port: int) -> list[tuple[str, int]]:
    parts = [urlsplit(f"//{one}") for one in url.netloc.rpartition("@")[2].split(",")]
    hosts = [(part.hostname, part.port or port) for part in parts if part.hostname]
    if len(hosts) != len(parts):
        raise ValueError("a host is missing")
    return [(str(host), number) for host, number in hosts]
