"""The simulated Discord's gateway: sessions, what is repeated after a RESUME, and how it ends connections."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.discord.intents import GUILD_MEMBERS, MESSAGE_CONTENT, PRIVILEGED
from tests.integration.discord_client import (
    TOKEN,
    Listener,
    Socket,
    connected,
    discord,
    listening,
)


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSimulator]:
    async with DiscordSimulator() as simulator:
        yield simulator


@pytest.fixture
async def client(sim: DiscordSimulator) -> AsyncIterator[Listener]:
    async with listening(sim) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def socket(sim: DiscordSimulator, http: aiohttp.ClientSession) -> AsyncIterator[Socket]:
    async with connected(http, sim) as socket:
        yield socket


def spoken(sim: DiscordSimulator) -> list[str]:
    return [call.method for call in sim.calls if call.method in ("IDENTIFY", "RESUME")]


async def events(socket: Socket, count: int) -> list[dict[str, Any]]:
    return [await socket.next() for _ in range(count)]


async def all_left(sim: DiscordSimulator) -> None:
    """Wait until the simulator has noticed that no session has a connection."""
    await sim.wait_for(lambda _: all(each.left_at for each in sim.gateway.sessions.values()))


async def test_a_session_begins_with_its_servers_and_channels(sim: DiscordSimulator) -> None:
    sim.say("general", "ann", "before the bot came")
    thread = sim.say("general", "ann", "in a thread", thread="plans")
    async with listening(sim) as client:
        (guild,) = client.guilds
        assert [channel.name for channel in guild.text_channels] == ["general"]
        assert [thread.name for thread in guild.threads] == ["plans"]
        assert {member.name for member in guild.members} == {"parley_bot", "ann"}
        assert guild.me.guild_permissions.send_messages_in_threads
        sim.say("random", "ann", "a new channel")
        assert (await client.next("guild_channel_create")).name == "random"
        sim.say("elsewhere/general", "ann", "a new server")
        assert (await client.next("guild_join")).name == "elsewhere"
    assert thread
    assert sim.unknown_routes == []


async def test_what_is_said_to_nobody_is_only_in_the_history(sim: DiscordSimulator) -> None:
    assert sim.connected == 0
    sim.say("ann", "ann", "too early")
    async with listening(sim) as client:
        assert sim.connected == 1
        sim.say("ann", "ann", "in time")
        assert (await client.next_by_user()).content == "in time"
    await sim.wait_for(lambda _: sim.connected == 0)


@pytest.mark.parametrize("kind", ["drop", "reconnect", "invalid_session"])
async def test_what_happened_meanwhile_is_repeated_after_a_resume(
    sim: DiscordSimulator, client: Listener, kind: str
) -> None:
    sim.fault(kind)
    for text in ("one", "two", "three"):
        sim.say("ann", "ann", text)
    assert [(await client.next_by_user()).content for _ in range(3)] == ["one", "two", "three"]
    assert await client.next("resumed") is None
    assert spoken(sim) == ["IDENTIFY", "RESUME"]


async def test_a_lost_session_is_a_gap_that_history_fills(sim: DiscordSimulator, client: Listener) -> None:
    sim.say("ann", "ann", "heard")
    channel = (await client.next_by_user()).channel
    sim.fault("lost_session")
    said = sim.say("ann", "ann", "missed")
    await client.next("ready")
    assert spoken(sim) == ["IDENTIFY", "IDENTIFY"]
    sim.say("ann", "ann", "heard again")
    assert (await client.next_by_user()).content == "heard again"
    assert [str(message.id) async for message in channel.history(limit=2)][1] == said


async def test_a_refused_resume_becomes_a_new_session(sim: DiscordSimulator, client: Listener) -> None:
    sim.fault("refuse_resume")
    sim.fault("reconnect")
    await client.next("ready")
    assert spoken(sim) == ["IDENTIFY", "RESUME", "IDENTIFY"]


async def test_a_session_is_forgotten_after_some_minutes(sim: DiscordSimulator, http: Any) -> None:
    async with connected(http, sim) as socket:
        ready = await socket.identify()
        await socket.socket.close(code=4000)
    await all_left(sim)
    resume = {"token": TOKEN, "session_id": ready["session_id"], "seq": 1}
    sim.clock.turn(179)
    async with connected(http, sim) as socket:
        await socket.send(6, resume)
        assert [each["t"] for each in await events(socket, 2)] == ["GUILD_CREATE", "RESUMED"]
        await socket.socket.close(code=4000)
    await all_left(sim)
    sim.clock.turn(182)
    async with connected(http, sim) as socket:
        await socket.send(6, resume)
        assert await socket.next() == {"op": 9, "d": False, "s": None, "t": None}


async def test_a_session_closed_for_good_cannot_be_resumed(sim: DiscordSimulator, http: Any) -> None:
    async with connected(http, sim) as socket:
        ready = await socket.identify()
        await socket.socket.close(code=1000)
    await sim.wait_for(lambda _: not sim.gateway.sessions)
    async with connected(http, sim) as socket:
        await socket.send(6, {"token": TOKEN, "session_id": ready["session_id"], "seq": 1})
        assert (await socket.next())["op"] == 9


async def test_only_missed_events_are_repeated_in_order(sim: DiscordSimulator, http: Any) -> None:
    async with connected(http, sim) as socket:
        ready = await socket.identify()
        sim.say("ann", "ann", "one")
        last = (await events(socket, 2))[-1]
        assert last["d"]["content"] == "one"
        await socket.socket.close(code=4000)
    sim.say("ann", "ann", "two")
    sim.say("ann", "ann", "three")
    async with connected(http, sim) as socket:
        await socket.send(6, {"token": TOKEN, "session_id": ready["session_id"], "seq": last["s"]})
        repeated = await events(socket, 3)
        assert [each["d"].get("content") for each in repeated] == ["two", "three", None]
        assert [each["s"] for each in repeated] == [last["s"] + 1, last["s"] + 2, last["s"] + 3]
        assert repeated[-1]["t"] == "RESUMED"


@pytest.mark.parametrize(
    ("op", "data", "code"),
    [
        (2, {"token": "", "intents": 1}, 4004),
        (2, {"token": TOKEN, "intents": 1 << 30}, 4013),
        (2, {"token": TOKEN, "intents": GUILD_MEMBERS}, 4014),
        (2, {"token": TOKEN, "intents": 1, "shard": [2, 2]}, 4010),
        (2, "nonsense", 4002),
        (8, {"guild_id": "1"}, 4003),
        (42, {}, 4001),
    ],
)
async def test_bad_payloads_close_with_the_published_codes(http: Any, op: int, data: Any, code: int) -> None:
    async with DiscordSimulator(intents=MESSAGE_CONTENT) as sim, connected(http, sim) as socket:
        await socket.send(op, data)
        assert await socket.close_code() == code


async def test_identifying_twice_or_ahead_of_time_is_an_error(sim: DiscordSimulator, http: Any) -> None:
    async with connected(http, sim) as socket:
        ready = await socket.identify()
        await socket.send(2, {"token": TOKEN, "intents": 1})
        assert await socket.close_code() == 4005
    async with connected(http, sim) as socket:
        await socket.send(6, {"token": TOKEN, "session_id": ready["session_id"], "seq": 1000})
        assert await socket.close_code() == 4007


async def test_an_intent_that_is_not_switched_on_is_named_to_the_library() -> None:
    async with DiscordSimulator(intents=PRIVILEGED & ~MESSAGE_CONTENT) as sim:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            async with listening(sim):
                pass


async def test_heartbeats_are_acknowledged_until_a_fault_stops_that(
    sim: DiscordSimulator, socket: Socket
) -> None:
    await socket.identify()
    await socket.next()
    await socket.send(1, 2)
    assert (await socket.next())["op"] == 11
    sim.fault("no_acks")
    await socket.send(1, 2)
    await socket.send(1, 2)
    sim.say("ann", "ann", "between")
    seen = [(await socket.next())["op"] for _ in range(2)]
    assert sorted(seen) == [0, 11]


async def test_a_client_finds_out_that_nobody_acknowledges() -> None:
    async with (
        DiscordSimulator(heartbeat_seconds=0.2) as sim,
        listening(sim, heartbeat_timeout=0.5) as client,
    ):
        sim.fault("no_acks", times=1000)
        await client.next("disconnect")
        sim.faults.clear()
        await client.next("resumed")


async def test_a_client_without_a_heartbeat_is_cut_off(http: Any) -> None:
    async with DiscordSimulator(heartbeat_seconds=0.05) as sim, connected(http, sim) as socket:
        assert await socket.close_code() == 4009


async def test_two_sessions_both_hear_and_shards_hear_their_own(sim: DiscordSimulator, http: Any) -> None:
    async with connected(http, sim) as first, connected(http, sim) as second:
        for number, socket in enumerate((first, second)):
            await socket.identify(shard=[number, 2])
        home = (sim.world.open_guild("simulated").id >> 22) % 2
        owner, other = (first, second) if home == 0 else (second, first)
        assert (await owner.next())["t"] == "GUILD_CREATE"
        sim.say("general", "ann", "to one shard")
        assert [(await owner.next())["t"] for _ in range(2)] == ["CHANNEL_CREATE", "MESSAGE_CREATE"]
        sim.say("ann", "ann", "to the first")
        assert (await first.next())["d"]["content"] == "to the first"
        assert not other.socket.closed
    async with connected(http, sim) as first, connected(http, sim) as second:
        for socket in (first, second):
            await socket.identify()
            await socket.next()
        sim.say("ann", "ann", "to both")
        assert [(await each.next())["d"]["content"] for each in (first, second)] == ["to both"] * 2


async def test_only_the_asked_for_events_come(sim: DiscordSimulator, socket: Socket) -> None:
    await socket.identify(1 << 12)
    sim.say("general", "ann", "not asked for")
    sim.say("ann", "ann", "asked for")
    assert (await socket.next())["d"]["content"] == "asked for"


async def test_an_event_may_come_twice_or_late(sim: DiscordSimulator, client: Listener) -> None:
    sim.fault("duplicate", method="MESSAGE_CREATE", copies=2)
    sim.fault("delay", method="MESSAGE_CREATE", seconds=0.05)
    sim.say("ann", "ann", "echo")
    sim.say("ann", "ann", "after")
    heard = [(await client.next_by_user()).content for _ in range(4)]
    assert sorted(heard) == ["after", "echo", "echo", "echo"]


async def test_a_fault_can_wait_for_an_event(sim: DiscordSimulator, client: Listener) -> None:
    sim.fault("drop", method="MESSAGE_CREATE", chat="bob")
    sim.say("ann", "ann", "passes")
    assert (await client.next_by_user()).content == "passes"
    assert spoken(sim) == ["IDENTIFY"]
    sim.say("bob", "bob", "comes after a resume")
    assert (await client.next_by_user()).content == "comes after a resume"
    assert spoken(sim) == ["IDENTIFY", "RESUME"]


async def test_a_revoked_token_ends_the_session_for_good(sim: DiscordSimulator, http: Any) -> None:
    sim.fault("unauthorized", method="IDENTIFY")
    async with connected(http, sim) as socket:
        await socket.send(2, {"token": TOKEN, "intents": 1})
        assert await socket.close_code() == 4004


async def test_the_handshake_may_fail(sim: DiscordSimulator, http: Any) -> None:
    sim.fault("refuse_connection", status=503)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        async with connected(http, sim):
            pass
