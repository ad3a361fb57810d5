"""Redis killed, hanging, emptied, read-only, full, loading or never there: turns go on, and it heals."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from core.state.redis_state import RedisState, Terms, open_state
from tests.integration.state.talk import HASTY, PATIENT, Person, said
from tests.servers import Valkey, free_port, running_valkey


class Watch:
    """Hears what `on_degraded` says, and lets a test await it."""

    def __init__(self) -> None:
        self.away = asyncio.Event()
        self.back = asyncio.Event()
        self.heard: list[bool] = []

    def __call__(self, degraded: bool) -> None:
        self.heard.append(degraded)
        (self.away if degraded else self.back).set()
        (self.back if degraded else self.away).clear()


@asynccontextmanager
async def watched(
    url: str, terms: Terms = HASTY, instances: Callable[[], int] = lambda: 1
) -> AsyncIterator[tuple[RedisState, Watch]]:
    watch = Watch()
    async with open_state(url, terms, on_degraded=watch, instances=instances) as state:
        yield state, watch


async def _expect_outage(state: RedisState, watch: Watch) -> None:
    person = Person(last=uuid4())
    async with asyncio.timeout(60):  # far above what is promised: only that it ends
        glance = await person.glance(state)
        await person.turn(state, said("goes on"))
    assert glance.degraded
    assert (glance.over_limit, glance.session, glance.context) == (None, None, None)
    assert watch.away.is_set()
    health = await state.check()
    assert not health.ok
    assert health.degraded_since is not None
    assert health.message


async def _expect_health(state: RedisState, watch: Watch) -> None:
    await watch.back.wait()
    person = Person()
    await person.turn(state, said("hello"), context=())
    glance = await person.glance(state)
    assert (glance.degraded, glance.context is None, glance.session is None) == (False, False, False)
    assert (await state.check()).ok


async def test_killed_and_started_again(fragile: Valkey) -> None:
    async with watched(fragile.url, PATIENT) as (state, watch):
        assert not (await Person().glance(state)).degraded
        await fragile.kill()
        await _expect_outage(state, watch)
        await fragile.start()
        await _expect_health(state, watch)
        assert watch.heard == [True, False]


async def test_paused_holds_a_turn_only_for_its_patience(fragile: Valkey) -> None:
    async with watched(fragile.url) as (state, watch):
        fragile.pause()
        try:
            await _expect_outage(state, watch)
        finally:
            fragile.resume()
        await _expect_health(state, watch)


async def test_flushed_is_a_miss_and_no_outage(fragile: Valkey) -> None:
    async with watched(fragile.url, PATIENT) as (state, watch):
        person = Person()
        await person.turn(state, said("hello"), context=())
        await fragile.client.flushall()
        glance = await person.glance(state)
        assert (glance.degraded, glance.session, glance.context) == (False, None, None)
        await _expect_health_without_outage(state, watch)


async def _expect_health_without_outage(state: RedisState, watch: Watch) -> None:
    watch.back.set()
    await _expect_health(state, watch)
    assert watch.heard == []


async def test_read_only_replica(fragile: Valkey) -> None:
    async with watched(fragile.url, PATIENT) as (state, watch):
        await fragile.ask("REPLICAOF", "127.0.0.1", free_port())
        await _expect_outage(state, watch)
        assert "read only" in (await state.check()).message
        await fragile.ask("REPLICAOF", "NO", "ONE")
        await _expect_health(state, watch)


async def test_out_of_memory(fragile: Valkey) -> None:
    async with watched(fragile.url, PATIENT) as (state, watch):
        await fragile.client.config_set("maxmemory", 1)
        await _expect_outage(state, watch)
        await fragile.client.config_set("maxmemory", 0)
        await _expect_health(state, watch)


async def test_credentials_refused(fragile: Valkey) -> None:
    await fragile.client.config_set("requirepass", "another")
    async with watched(fragile.url.replace("unix://", "unix://:hush@"), PATIENT) as (state, watch):
        await _expect_outage(state, watch)
        assert "hush" not in (await state.check()).message
        await fragile.client.config_set("requirepass", "hush")
        await _expect_health(state, watch)


async def test_never_there() -> None:
    async with watched(f"redis://127.0.0.1:{free_port()}", PATIENT) as (state, watch):
        await _expect_outage(state, watch)
        assert await state.present("telegram") is None
        assert await state.flags("telegram") == {}


async def test_limits_fall_back_to_a_share() -> None:
    async with watched(f"redis://127.0.0.1:{free_port()}", PATIENT, lambda: 4) as (state, _):
        person = Person()
        glances = [await person.glance(state) for _ in range(17)]
        assert [one.over_limit is None for one in glances] == [True] * 15 + [False] * 2
        assert await state.hit("ip", "198.51.100.7", 4) is None
        assert await state.hit("ip", "198.51.100.7", 4) is not None


async def test_flags_stay_in_force_during_an_outage(fragile: Valkey) -> None:
    clock = 100.0
    await fragile.client.hset("features:global", "voice", "on")
    async with open_state(fragile.url, PATIENT, monotonic=lambda: clock) as state:
        assert await state.flags("telegram") == {"voice": "on"}
        await fragile.kill()
        clock += 3600
        assert await state.flags("telegram") == {"voice": "on"}


async def test_a_key_of_a_wrong_kind_is_nobody_elses_trouble(fragile: Valkey) -> None:
    unlucky, lucky = Person(), Person()
    await fragile.client.set(f"context:conv:{{{unlucky.conversation_id}}}", "not a list")
    async with watched(fragile.url, PATIENT) as (state, watch):
        bad, good = await asyncio.gather(unlucky.glance(state), lucky.glance(state))
        assert (bad.degraded, good.degraded) == (True, False)
        assert watch.heard == []


@pytest.mark.parametrize(
    "url", ["http://u:hush@h/0", "redis+sentinel://u:hush@h:1", "redis://u:hush@h:port", "unix://"]
)
async def test_a_url_of_no_form_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match=r"redis\+cluster://") as caught:
        async with open_state(url, PATIENT):
            pass
    assert "hush" not in str(caught.value)


async def test_a_cluster_heals_too() -> None:
    async with running_valkey(cluster=True) as server, watched(server.url, PATIENT) as (state, watch):
        await _expect_no_call_to_cross_slots(server)
        await _expect_health_without_outage(state, watch)
        await server.kill()
        await _expect_outage(state, watch)
        await server.start()
        await _expect_health(state, watch)


async def _expect_no_call_to_cross_slots(server: Valkey) -> None:
    """A cluster-enabled server refuses a call over two slots; spoken to directly, nobody regroups."""
    async with open_state(f"redis://127.0.0.1:{server.port}", PATIENT) as state:
        person = Person()
        await person.turn(state, said("a"), said("b"), context=(said("c"),))
        await person.turn(state, said("d"))
        glance = await person.glance(state)
        assert (glance.degraded, len(glance.context or ())) == (False, 4)
        assert await state.present("telegram") == frozenset({str(person.user_id)})
        await state.hit("ip", "203.0.113.9", 1)
        await state.first_this_minute("refusal", uuid4())
        await state.flags("telegram")
        await state.forget_context(person.conversation_id)
        assert not await server.client.info("errorstats")
