"""What every platform may answer instead of what was asked: each failure is told for what it is, and a call
that may have been done is not made twice."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from bots.discord.adapter import DiscordChannel
from bots.discord.wire import Pace
from bots.simulators.discord import DiscordSimulator
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from bots.slack.adapter import SlackChannel
from bots.telegram.adapter import TelegramChannel
from core.errors import Ambiguous, ChannelError, NotSent, Undeliverable
from core.messages import OutboundMessage, Place
from core.ports import ChannelAdapter

Simulator = TelegramSimulator | DiscordSimulator | SlackSimulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A channel, the platform behind it, and what its method of sending is called there."""

    adapter: ChannelAdapter
    sim: Simulator
    method: str
    closed: str

    def message(self, text: str, chat: str = "ann") -> OutboundMessage:
        place = Place(account_id=uuid4(), channel=self.adapter.name, chat=str(self.sim.chat_id(chat)))
        return OutboundMessage(place=place, text=text, key=uuid4().hex)

    def sends(self) -> int:
        return sum(call.method == self.method for call in self.sim.calls)

    def seen(self) -> list[str]:
        return [seen.text for seen in self.sim.seen("ann") if seen.by_bot]


def telegram(answer_seconds: float) -> tuple[Simulator, Callable[[Any], Any], str, str]:
    def build(sim: TelegramSimulator) -> TelegramChannel:
        return TelegramChannel("4242:contract", sim.url, answer_seconds=answer_seconds)

    return TelegramSimulator(), build, "sendMessage", "forbidden"


def discord(answer_seconds: float) -> tuple[Simulator, Callable[[Any], Any], str, str]:
    def build(sim: DiscordSimulator) -> DiscordChannel:
        pace = Pace(answer=answer_seconds)
        return DiscordChannel("a.contract.token", sim.api_url, sim.gateway_url, pace=pace)

    return DiscordSimulator(), build, "create_message", "forbidden"


def slack(answer_seconds: float) -> tuple[Simulator, Callable[[Any], Any], str, str]:
    def build(sim: SlackSimulator) -> SlackChannel:
        return SlackChannel("xoxb-contract", "xapp-contract", "", sim.api_url, answer_seconds=answer_seconds)

    return SlackSimulator(), build, "chat.postMessage", "is_archived"


PLATFORMS = {"telegram": telegram, "discord": discord, "slack": slack}


@pytest.fixture(params=list(PLATFORMS))
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    sim, build, method, closed = PLATFORMS[request.param](2.0)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sim)
        channel = build(sim)
        stack.push_async_callback(channel.close)
        await channel.connect()
        for person in ("ann", "bob"):
            sim.say(person, person, "hello bot")
        yield Bench(adapter=channel, sim=sim, method=method, closed=closed)


async def failing(bench: Bench, chat: str = "ann") -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        await bench.adapter.send(bench.message("never", chat))
    return caught.value


@pytest.mark.parametrize("seconds", [1, 30, 14_000])
async def test_only_the_chat_that_is_full_waits_and_as_long_as_was_said(bench: Bench, seconds: int) -> None:
    bench.sim.fault("too_many_requests", method=bench.method, chat="ann", seconds=seconds)
    error = await failing(bench)
    assert (type(error), error.certain) == (NotSent, True)
    assert error.retry_after == pytest.approx(seconds)
    await bench.adapter.send(bench.message("others go on", "bob"))
    assert (bench.seen(), bench.sends()) == ([], 2)


@pytest.mark.parametrize("fault", [{"kind": "bare_limit"}, {"kind": "html", "status": 429}], ids=str)
async def test_a_limit_that_does_not_say_how_long_is_waited_for_all_the_same(
    bench: Bench, fault: dict[str, Any]
) -> None:
    bench.sim.fault(method=bench.method, **fault)
    error = await failing(bench)
    assert (type(error), error.certain) == (NotSent, True)
    assert error.retry_after is not None
    assert error.retry_after >= 1
    assert (bench.seen(), bench.sends()) == ([], 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "server_error", "status": 503},
        {"kind": "html", "status": 503},
        {"kind": "html", "status": 520},
        {"kind": "page"},
        {"kind": "reset"},
    ],
    ids=str,
)
async def test_what_nobody_can_tell_is_ambiguous_and_not_repeated(
    bench: Bench, fault: dict[str, Any]
) -> None:
    bench.sim.fault(method=bench.method, **fault)
    error = await failing(bench)
    assert (type(error), error.certain) == (Ambiguous, False)
    assert bench.sends() == 1


@pytest.mark.parametrize("kind", ["slow", "trickle", "accept_then_drop"])
async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(bench: Bench, kind: str) -> None:
    sim, build, method, _ = PLATFORMS[bench.adapter.name](0.4)
    async with sim:
        channel = build(sim)
        await channel.connect()
        sim.say("ann", "ann", "hello bot")
        sim.fault(kind, method=method, seconds=0.05 if kind == "trickle" else 60)
        here = Bench(adapter=channel, sim=sim, method=method, closed="")
        error = await failing(here)
        assert (type(error), here.seen(), here.sends()) == (Ambiguous, ["never"], 1)
        await channel.close()


async def test_a_chat_that_is_closed_to_us_is_told_as_such(bench: Bench) -> None:
    bench.sim.fault(bench.closed, method=bench.method)
    error = await failing(bench)
    assert (type(error), error.certain) == (Undeliverable, True)
    assert (bench.seen(), bench.sends()) == ([], 1)
