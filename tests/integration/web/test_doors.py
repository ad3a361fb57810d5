"""The doors of an instance over real HTTP: alive, ready, metrics, version, limits and headers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import create_async_engine

from bots.health import Check, Report, State, examine
from bots.probes import database
from bots.web.app import create_app
from bots.web.guard import Limit
from bots.web.server import serve
from core.observe import Metrics
from core.store.health import DatabaseHealth, check_database


class House:
    """What the app shows; a test sets how it is."""

    def __init__(self) -> None:
        self.states: dict[str, State] = {"database": "ok", "schema": "ok"}
        self.metrics = Metrics(CollectorRegistry())

    async def report(self) -> Report:
        return Report(checks=tuple(Check(name=name, state=state) for name, state in self.states.items()))


@asynccontextmanager
async def opened(house: House, limit: Limit | None = None) -> AsyncIterator[ClientSession]:
    app = create_app(house.report, house.metrics.registry, "1.2.3", limit=limit)
    async with serve(app, host="127.0.0.1", port=0) as address, ClientSession(address.url) as client:
        yield client


async def test_a_well_gateway_is_alive_ready_and_tells_its_version() -> None:
    async with opened(House()) as client:
        async with client.get("/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "alive"})
        async with client.get("/readyz") as answer:
            assert answer.status == 200
            body = await answer.json()
            assert (body["ready"], body["state"]) == (True, "ok")
            assert [check["name"] for check in body["checks"]] == ["database", "schema"]
        async with client.get("/version") as answer:
            assert await answer.json() == {"name": "parley", "version": "1.2.3"}


@pytest.mark.parametrize("part", ["database", "schema"])
async def test_without_database_or_schema_it_is_alive_but_not_ready(part: str) -> None:
    house = House()
    house.states[part] = "failed"
    async with opened(house) as client:
        async with client.get("/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["ready"] is False
        async with client.get("/healthz") as answer:
            assert answer.status == 200


async def test_a_degraded_cache_and_a_dead_channel_leave_it_ready() -> None:
    house = House()
    house.states |= {"cache": "degraded", "channel telegram": "failed"}
    async with opened(house) as client, client.get("/readyz") as answer:
        assert answer.status == 200
        assert (await answer.json())["state"] == "failed"


async def test_a_database_that_is_away_is_told_without_its_password() -> None:
    engine = create_async_engine("postgresql+asyncpg://owner:hunter2@127.0.0.1:1/parley")

    async def check() -> DatabaseHealth:
        return await check_database(engine, "0001")

    class Away(House):
        async def report(self) -> Report:
            return await examine({"database": database(check)})

    async with opened(Away()) as client, client.get("/readyz") as answer:
        assert answer.status == 503
        text = await answer.text()
    assert "nothing answers at 127.0.0.1:1" in text
    assert "DATABASE_URL" in text
    assert "hunter2" not in text
    assert "owner" not in text
    await engine.dispose()


async def test_metrics_are_those_of_this_gateway() -> None:
    house = House()
    house.metrics.leases_lost.inc(7)
    async with opened(house) as client, client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert "parley_leases_lost_total 7.0" in await answer.text()


async def test_every_answer_tells_browsers_to_be_careful() -> None:
    async with opened(House()) as client:
        for path, status in (("/healthz", 200), ("/metrics", 200), ("/nothing", 404), ("/docs", 404)):
            async with client.get(path) as answer:
                assert answer.status == status
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert "Server" not in answer.headers


class Counted:
    """A limit of so many requests for each (kind, name), forever."""

    def __init__(self, **most: int) -> None:
        self.most = most
        self.seen: list[tuple[str, str]] = []

    async def __call__(self, kind: str, name: str) -> int | None:
        self.seen.append((kind, name))
        return 42 if self.seen.count((kind, name)) > self.most[kind] else None


async def statuses(client: ClientSession, paths: Sequence[str]) -> list[int]:
    found = []
    for path in paths:
        async with client.get(path) as answer:
            found.append(answer.status)
    return found


async def test_an_address_that_asks_too_often_is_told_when_to_come_back() -> None:
    limit = Counted(ip=2, endpoint=100)
    async with opened(House(), limit) as client:
        assert await statuses(client, ["/version", "/nothing", "/version"]) == [200, 404, 429]
        async with client.get("/version") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "42")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert limit.seen.count(("ip", "127.0.0.1")) == 4
    # a refused address no longer counts for the endpoint
    assert limit.seen.count(("endpoint", "/version")) == 1


async def test_an_endpoint_has_its_own_limit() -> None:
    async with opened(House(), Counted(ip=100, endpoint=1)) as client:
        assert await statuses(client, ["/version", "/version", "/nothing"]) == [200, 429, 404]


async def test_whoever_watches_is_never_limited() -> None:
    limit = Counted(ip=0, endpoint=0)
    async with opened(House(), limit) as client:
        paths = ["/healthz", "/readyz", "/metrics"]
        assert await statuses(client, paths) == [200, 200, 200]
        assert await statuses(client, ["/version"]) == [429]
    assert limit.seen == [("ip", "127.0.0.1")]


async def test_a_header_does_not_change_whose_requests_are_counted() -> None:
    limit = Counted(ip=1, endpoint=9)
    async with opened(House(), limit) as client:
        for number in range(3):
            async with client.get("/version", headers={"X-Forwarded-For": f"10.0.0.{number}"}) as answer:
                assert answer.status == (200 if number == 0 else 429)
