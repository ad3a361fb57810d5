"""What stands in Redis after a turn: names, kinds, contents, times to live and sizes."""

import asyncio
from uuid import uuid4

import orjson

from core.state.redis_state import RedisState, Terms, open_state
from tests.integration.state.talk import PATIENT, Person, said
from tests.servers import Valkey


async def _keys(server: Valkey, pattern: str = "*") -> list[str]:
    return [str(key) for key in await server.client.keys(pattern)]


async def _size(server: Valkey, key: str) -> int:
    return int(await server.ask("MEMORY", "USAGE", key))


async def _whole_turn(state: RedisState, person: Person) -> None:
    await person.glance(state)
    await state.hit("ip", "203.0.113.9", 60)
    await state.hit("endpoint", "POST /api/ask", 60)
    await state.first_this_minute("refusal:1", uuid4())
    await person.turn(state, said("question"), said("answer"), context=())
    await person.turn(state, said("next"))


async def test_a_turn_leaves_the_keys_of_the_mission(server: Valkey, state: RedisState) -> None:
    person = Person()
    await _whole_turn(state, person)
    kinds = {key: await server.client.type(key) for key in await _keys(server)}
    minute = next(key for key in kinds if key.startswith("active:")).rpartition(":")[2]
    assert kinds == {
        "probe:{parley}": "string",
        f"session:telegram:{{{person.user_id}}}:42": "hash",
        f"rate:user:{{{person.user_id}}}:minute": "string",
        "rate:ip:{203.0.113.9}:minute": "string",
        "rate:endpoint:{POST /api/ask}:minute": "string",
        "once:{refusal:1}:minute": "string",
        f"context:conv:{{{person.conversation_id}}}": "list",
        f"active:{{telegram}}:{minute}": "set",
    }


async def test_every_key_lives_for_its_time(server: Valkey, state: RedisState) -> None:
    await _whole_turn(state, Person())
    longest = {"probe": 60, "session": 3600, "rate": 60, "once": 60, "context": 7200, "active": 360}
    for key in await _keys(server):
        seconds = longest[key.partition(":")[0]]
        assert seconds - 30 < await server.client.ttl(key) <= seconds, key


async def test_activity_prolongs_a_session(server: Valkey, state: RedisState) -> None:
    person = Person()
    await person.turn(state, said("hello"))
    (key,) = await _keys(server, "session:*")
    await server.client.expire(key, 5)
    await person.glance(state)
    assert await server.client.ttl(key) > 3500


async def test_a_session_of_another_release_is_none(server: Valkey, state: RedisState) -> None:
    person = Person()
    await person.turn(state, said("hello"))
    (key,) = await _keys(server, "session:*")
    await server.client.hset(key, "version", "0")
    assert (await person.glance(state)).session is None


async def test_a_context_has_the_newest_first(server: Valkey, state: RedisState) -> None:
    person = Person()
    await person.turn(state, said("one"), said("two"), context=())
    await person.turn(state, said("three"))
    entries = await server.client.lrange(f"context:conv:{{{person.conversation_id}}}", 0, -1)
    assert [orjson.loads(entry)["content"] for entry in entries] == ["three", "two", "one"]


async def test_an_unreadable_context_is_a_miss(server: Valkey, state: RedisState) -> None:
    person = Person(last=uuid4())
    await server.client.lpush(f"context:conv:{{{person.conversation_id}}}", "not JSON")
    assert (await person.glance(state)).context is None


async def test_a_window_ends_with_its_key(server: Valkey, state: RedisState) -> None:
    person = Person()
    for _ in range(61):
        glance = await person.glance(state)
    assert glance.over_limit is not None
    await server.client.pexpire(f"rate:user:{{{person.user_id}}}:minute", 0)
    assert (await person.glance(state)).over_limit is None


async def test_a_counter_without_a_time_is_given_one(server: Valkey, state: RedisState) -> None:
    await server.client.set("rate:ip:{198.51.100.1}:minute", 7)
    await state.hit("ip", "198.51.100.1", 60)
    assert await server.client.ttl("rate:ip:{198.51.100.1}:minute") > 0


async def test_a_thousand_at_once_are_counted_once_each(server: Valkey, state: RedisState) -> None:
    crowd = [Person(sender_id=str(number), last=uuid4()) for number in range(100)]
    glances = await asyncio.gather(*[person.glance(state) for person in crowd * 10])
    assert not any(one.degraded for one in glances)
    for person in crowd:
        assert await server.client.get(f"rate:user:{{{person.user_id}}}:minute") == "10"


async def test_sessions_and_limiters_are_small(server: Valkey, state: RedisState) -> None:
    await _whole_turn(state, Person())
    (session,) = await _keys(server, "session:*")
    (limiter,) = await _keys(server, "rate:user:*")
    assert await _size(server, session) <= 1024
    assert await _size(server, limiter) <= 160


async def test_presence_counts_five_minutes(server: Valkey) -> None:
    moment = 1_000_000 * 60.0
    early, late = Person(), Person()
    async with open_state(server.url, PATIENT, now=lambda: moment) as state:
        await early.turn(state, said("hello"))
        moment += 200
        await late.turn(state, said("hello"))
        assert await state.present("telegram") == frozenset({str(early.user_id), str(late.user_id)})
        moment += 200
        assert await state.present("telegram") == frozenset({str(late.user_id)})
        assert await state.present("slack") == frozenset()


async def test_flags_of_the_channel_win_and_copies_grow_old(server: Valkey) -> None:
    clock = 100.0
    await server.client.hset("features:global", mapping={"memory": "off", "voice": "on"})
    await server.client.hset("features:channel:telegram", "memory", "on")
    async with open_state(server.url, Terms(patience=10, flags_seconds=4), monotonic=lambda: clock) as state:
        assert await state.flags("telegram") == {"memory": "on", "voice": "on"}
        assert await state.flags("slack") == {"memory": "off", "voice": "on"}
        await server.client.hset("features:channel:telegram", "memory", "beta")
        assert (await state.flags("telegram"))["memory"] == "on"
        clock += 5
        assert (await state.flags("telegram"))["memory"] == "beta"


async def test_a_glance_brings_flags_along(server: Valkey) -> None:
    clock = 100.0
    async with open_state(server.url, Terms(patience=10, flags_seconds=4), monotonic=lambda: clock) as state:
        assert await state.flags("telegram") == {}
        await server.client.hset("features:global", "voice", "on")
        clock += 3
        await Person().glance(state)
        assert await state.flags("telegram") == {"voice": "on"}


async def test_an_experiment_has_weights(server: Valkey, state: RedisState) -> None:
    await server.client.hset("ab_test:greeting", mapping={"short": "50", "long": "50"})
    assert await state.experiment("greeting") == {"short": "50", "long": "50"}


async def test_health_gives_the_servers_figures(server: Valkey, state: RedisState) -> None:
    await server.client.config_set("maxmemory", "64mb")
    await Person().glance(state)
    health = await state.check()
    assert health.ok
    assert health.degraded_since is None
    assert health.latency_ms is not None
    assert health.used_memory is not None
    assert health.used_memory > 100_000
    assert health.max_memory == 64 * 1024 * 1024
    assert health.keys == await server.client.dbsize()
    assert health.hit_rate is not None
    assert 0 <= health.hit_rate <= 1
    assert health.version.split(".")[0].isdigit()


async def test_a_witness_remembers_the_highest_for_ever(server: Valkey, state: RedisState) -> None:
    deployment = uuid4()
    assert await state.witness(deployment) is None
    assert await _keys(server, "fence:*") == []
    assert [await state.witness(deployment, beat) for beat in (7, 9, 8, 1 << 52)] == [7, 9, 9, 1 << 52]
    assert await state.witness(deployment) == 1 << 52
    assert await state.witness(uuid4()) is None
    assert await server.client.ttl(f"fence:beat:{{{deployment}}}") == -1
    await server.kill()
    assert await state.witness(deployment, 1 << 53) is None
    await server.start()
