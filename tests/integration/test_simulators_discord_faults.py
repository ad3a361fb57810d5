"""How the simulated Discord's REST API hurts its clients, and the limits that it counts."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bots.simulators.discord import DiscordSimulator
from tests.integration.discord_client import ALL_INTENTS, TOKEN, Listener, Rest, connected, discord, listening


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSimulator]:
    async with DiscordSimulator() as simulator:
        simulator.say("ann", "ann", "hello")
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
async def rest(sim: DiscordSimulator, http: aiohttp.ClientSession) -> Rest:
    return Rest(sim, http)


def messages_in(sim: DiscordSimulator, chat: str = "ann") -> str:
    return f"/channels/{sim.chat_id(chat)}/messages"


def statuses(sim: DiscordSimulator) -> list[int]:
    return [call.status for call in sim.calls if call.method == "create_message"]


@pytest.mark.parametrize("kind", ["too_many_requests", "global_limit", "shared_limit"])
async def test_the_library_waits_and_repeats_after_a_429(
    sim: DiscordSimulator, client: Listener, kind: str
) -> None:
    sim.fault(kind, method="create_message", seconds=0.05)
    await client.get_partial_messageable(int(sim.chat_id("ann"))).send("patience")
    assert statuses(sim) == [429, 200]
    assert [seen.text for seen in sim.seen("ann")] == ["hello", "patience"]


async def test_a_long_429_is_handed_on(sim: DiscordSimulator, client: Listener) -> None:
    sim.fault("too_many_requests", method="create_message", seconds=14_000)
    with pytest.raises(discord.RateLimited) as limited:
        await client.get_partial_messageable(int(sim.chat_id("ann"))).send("impatience")
    assert limited.value.retry_after == 14_000


async def test_a_ban_of_the_proxy_does_not_say_how_long(sim: DiscordSimulator, client: Listener) -> None:
    sim.fault("banned", method="create_message")
    with pytest.raises(discord.HTTPException) as banned:
        await client.get_partial_messageable(int(sim.chat_id("ann"))).send("x")
    assert (banned.value.status, "Retry-After" in banned.value.response.headers) == (429, False)


@pytest.mark.parametrize(
    ("kind", "scope", "everywhere"),
    [
        ("too_many_requests", "user", None),
        ("global_limit", "global", "true"),
        ("shared_limit", "shared", None),
    ],
)
async def test_a_429_tells_its_scope(
    sim: DiscordSimulator, rest: Rest, kind: str, scope: str, everywhere: str | None
) -> None:
    sim.fault(kind, seconds=1.5)
    status, body, headers = await rest.call("POST", messages_in(sim), {"content": "x"})
    assert (status, body["retry_after"], body["global"]) == (429, 1.5, scope == "global")
    assert (headers["Retry-After"], headers["X-RateLimit-Scope"]) == ("2", scope)
    assert headers.get("X-RateLimit-Global") == everywhere
    assert (headers["X-RateLimit-Remaining"], headers["X-RateLimit-Reset-After"]) == ("0", "1.500")
    assert sim.limits.invalid_requests == (scope != "shared")


async def test_a_cut_before_loses_the_message_and_one_after_only_the_answer(
    sim: DiscordSimulator, rest: Rest
) -> None:
    sim.fault("reset", method="create_message")
    sim.fault("accept_then_drop", method="create_message", chat="ann")
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await rest.call("POST", messages_in(sim), {"content": "x", "nonce": "n", "enforce_nonce": True})
    assert [seen.text for seen in sim.seen("ann")] == ["hello", "x"]
    _, body, _ = await rest.call(
        "POST", messages_in(sim), {"content": "x", "nonce": "n", "enforce_nonce": True}
    )
    assert [seen.id for seen in sim.seen("ann")][1:] == [body["id"]]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("server_error", 503, 0), ("unauthorized", 401, 0), ("forbidden", 403, 50007)],
)
async def test_refusals_have_the_platforms_form(
    sim: DiscordSimulator, rest: Rest, kind: str, status: int, code: int
) -> None:
    sim.fault(kind, status=503)
    got, body, _ = await rest.call("POST", messages_in(sim), {"content": "x"})
    assert (got, body["code"]) == (status, code)
    assert len(sim.seen("ann")) == 1


async def test_a_proxys_page_is_html(sim: DiscordSimulator, rest: Rest) -> None:
    sim.fault("html", status=502)
    status, body, _ = await rest.call("GET", "/users/@me")
    assert (status, body.startswith("<html>")) == (502, True)


async def test_a_slow_answer_is_done_at_once(sim: DiscordSimulator, rest: Rest) -> None:
    sim.fault("slow", seconds=0.05)
    status, _, _ = await rest.call("POST", messages_in(sim), {"content": "x"})
    assert (status, len(sim.seen("ann"))) == (200, 2)


async def test_buckets_count_by_channel_and_tell_what_is_left() -> None:
    async with DiscordSimulator(limits=True) as sim, aiohttp.ClientSession() as http:
        rest = Rest(sim, http)
        sim.limits.sizes["create_message"] = (2, 1000.0)
        for chat in ("ann", "bob"):
            sim.say(chat, chat, "hello")
        left = []
        for _ in range(3):
            status, body, headers = await rest.call("POST", messages_in(sim), {"content": "x"})
            left.append((status, headers["X-RateLimit-Remaining"], headers["X-RateLimit-Limit"]))
        assert left == [(200, "1", "2"), (200, "0", "2"), (429, "0", "2")]
        assert body["message"] == "You are being rate limited."
        assert (await rest.call("POST", messages_in(sim, "bob"), {"content": "x"}))[0] == 200
        sim.clock.turn(1001)
        assert (await rest.call("POST", messages_in(sim), {"content": "x"}))[0] == 200


async def test_too_many_invalid_requests_are_a_ban() -> None:
    async with DiscordSimulator(token="right", ban_after=3) as sim, aiohttp.ClientSession() as http:
        rest = Rest(sim, http)
        for _ in range(3):
            assert (await rest.call("GET", "/users/@me", token="wrong"))[0] == 401
        status, body, headers = await rest.call("GET", "/users/@me", token="right")
        assert (status, "1015" in body) == (429, True)
        assert "Via" not in headers
        sim.clock.turn(601)
        assert (await rest.call("GET", "/users/@me", token="right"))[0] == 200


async def test_starts_are_counted_and_spaced(http: aiohttp.ClientSession) -> None:
    async with DiscordSimulator(starts_a_day=2, limits=True) as sim:
        rest = Rest(sim, http)
        async with connected(http, sim) as socket:
            await socket.identify()
        _, body, _ = await rest.call("GET", "/gateway/bot")
        limit = body["session_start_limit"]
        assert (body["url"], limit["total"], limit["remaining"]) == (sim.gateway_url, 2, 1)
        identify = {"token": TOKEN, "intents": ALL_INTENTS}
        async with connected(http, sim) as socket:
            await socket.send(2, identify)
            assert (await socket.next())["op"] == 9
        sim.clock.turn(6)
        async with connected(http, sim) as socket:
            await socket.identify()
        sim.clock.turn(6)
        async with connected(http, sim) as socket:
            await socket.send(2, identify)
            assert (await socket.next())["op"] == 9
        sim.clock.turn(86_400)
        async with connected(http, sim) as socket:
            await socket.identify()


async def test_too_many_payloads_close_the_connection(http: aiohttp.ClientSession) -> None:
    async with DiscordSimulator() as sim, connected(http, sim) as socket:
        for _ in range(121):
            await socket.send(1, None)
        assert await socket.close_code() == 4008
