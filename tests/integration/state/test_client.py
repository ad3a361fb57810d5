"""The coalescing client against a real server: what goes out together, and who is hurt by what."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.state.client import Away, Client
from core.state.redis_state import RedisState, open_state
from core.state.wire import open_wire
from tests.integration.state.talk import PATIENT, Person, said
from tests.servers import Valkey, running_valkey


@pytest.fixture
async def client(server: Valkey) -> AsyncIterator[Client]:
    client = Client(open_wire(server.url, pool_size=4, timeout=5), patience=10, probe_seconds=0.02)
    await client.open()
    yield client
    await client.close()


async def test_one_tick_of_all_tasks_is_one_exchange(client: Client) -> None:
    replies = await asyncio.gather(*[client.ask(("INCR", "n"), ("ECHO", str(n))) for n in range(100)])
    assert [reply[0] for reply in replies] == list(range(1, 101))
    assert [int(reply[1]) for reply in replies] == list(range(100))
    assert client.exchanges == 1


async def test_the_server_reads_once_for_many_glances(server: Valkey, state: RedisState) -> None:
    crowd = [Person(sender_id=str(number)) for number in range(50)]
    await asyncio.gather(*[person.glance(state) for person in crowd])
    before = (await server.client.info("stats"))["total_reads_processed"]
    await asyncio.gather(*[person.glance(state) for person in crowd])
    after = (await server.client.info("stats"))["total_reads_processed"]
    assert after - before <= 6  # one big write may be read in parts; one read is this question's own


async def test_a_turn_waits_twice(server: Valkey) -> None:
    client = Client(open_wire(server.url, pool_size=4, timeout=5), patience=10)
    state = RedisState(client, PATIENT, instances=lambda: 1, now=lambda: 1e9, monotonic=lambda: 0.0)
    person = Person()
    await person.glance(state)
    await person.turn(state, said("hello"), said("yes"))
    await client.close()
    assert client.exchanges == 2


async def test_an_error_reply_fails_only_its_own_call(client: Client) -> None:
    good, bad, late = await asyncio.gather(
        client.ask(("SET", "text", "x"), ("GET", "text")),
        client.ask(("LPUSH", "text", "y")),
        client.ask(("GET", "text")),
        return_exceptions=True,
    )
    assert isinstance(bad, Away)
    assert "WRONGTYPE" in str(bad)
    assert (good, late) == ([b"OK", b"x"], [b"x"])
    assert client.outage is None


async def test_what_cannot_be_packed_fails_only_its_own_call(client: Client) -> None:
    bad, good = await asyncio.gather(
        client.ask(("GET", "\ud800")), client.ask(("ECHO", "fine")), return_exceptions=True
    )
    assert isinstance(bad, Away)
    assert good == [b"fine"]


async def test_a_cancelled_caller_harms_nobody(client: Client) -> None:
    tasks = [asyncio.create_task(client.ask(("ECHO", str(n)))) for n in range(20)]
    await asyncio.sleep(0)  # they have asked; nothing has gone out
    for task in tasks[::2]:
        task.cancel()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert [int(one[0]) for one in replies[1::2] if isinstance(one, list)] == list(range(1, 20, 2))
    assert all(isinstance(one, asyncio.CancelledError) for one in replies[::2])
    assert await client.ask(("ECHO", "after")) == [b"after"]


async def test_more_than_one_exchange_takes_are_all_answered(client: Client) -> None:
    replies = await asyncio.gather(*[client.ask(("ECHO", str(n))) for n in range(5_000)])
    assert [int(reply[0]) for reply in replies] == list(range(5_000))
    assert client.exchanges == 5


async def test_those_who_wait_when_it_closes_are_told(fragile: Valkey) -> None:
    client = Client(open_wire(fragile.url, pool_size=1, timeout=5), patience=10, lanes=1)
    await client.open()
    fragile.pause()
    tasks = [asyncio.create_task(client.ask(("PING",))) for _ in range(3)]
    await asyncio.sleep(0.01)
    tasks.append(asyncio.create_task(client.ask(("PING",))))
    await asyncio.sleep(0)
    await client.close()
    fragile.resume()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, Away) for one in replies)


async def test_sentinel_names_the_server() -> None:
    async with running_valkey(tcp=True) as server, running_valkey(watches=server) as sentinel:
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/parley/0"
        async with open_state(url, PATIENT) as state:
            person = Person()
            await person.turn(state, said("hello"), context=())
            assert (await person.glance(state)).session
        assert await server.client.keys("session:*")
