"""A simulated Slack, the channel on it by socket, and the same behind the real web app by signed posts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from bots.health import Report
from bots.simulators.slack import SlackSimulator
from bots.slack.adapter import SlackChannel
from bots.slack.receive import Patience
from bots.web.app import create_app
from bots.web.server import serve
from bots.webhook import webhooks_of
from core.messages import CommandOffer
from tests.integration.slack.inbox import Inbox
from tests.integration.slack.running import running

BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-test", "xapp-test", "8f742231b10e8888abcd99yyyzzz85a5"
HASTE = Patience(error=(0.01, 0.05), handshake=2.0, silence=3.0, farewell=0.5)
OFFERS = [CommandOffer(name=name, summary=name) for name in ("ask", "help", "new", "stop")]


@dataclass(slots=True, kw_only=True)
class Desk:
    """A simulated Slack and a channel that receives from it into an inbox."""

    sim: SlackSimulator
    channel: SlackChannel
    inbox: Inbox
    url: str = ""


Open = Callable[[str], Awaitable[Desk]]


@pytest.fixture
async def sim() -> AsyncIterator[SlackSimulator]:
    async with SlackSimulator(
        token=BOT_TOKEN,
        app_token=APP_TOKEN,
        signing_secret=SECRET,
        commands=("/parley", "/help"),
        retry_delays=(0.0, 0.05, 0.1, 0.2),
    ) as simulator:
        yield simulator


@pytest.fixture
async def channel(sim: SlackSimulator) -> AsyncIterator[SlackChannel]:
    channel = SlackChannel(BOT_TOKEN, APP_TOKEN, SECRET, sim.api_url, looks=(0.0, 0.01), patience=HASTE)
    yield channel
    await channel.close()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def open_desk(sim: SlackSimulator, inbox: Inbox) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:
        yield partial(_open_desk, stack, sim, inbox)


@pytest.fixture(params=["socket", "http"])
async def desk(open_desk: Open, request: pytest.FixtureRequest) -> Desk:
    """The same channel by each of its two ways in."""
    return await open_desk(request.param)


async def _open_desk(stack: AsyncExitStack, sim: SlackSimulator, inbox: Inbox, way: str) -> Desk:
    tokens = (APP_TOKEN, "") if way == "socket" else ("", SECRET)
    channel = SlackChannel(BOT_TOKEN, *tokens, sim.api_url, looks=(0.0, 0.01), patience=HASTE)
    stack.push_async_callback(channel.close)
    url = ""
    if way == "http":
        app = create_app(_no_report, CollectorRegistry(), "0", webhooks=webhooks_of([channel]))
        address = await stack.enter_async_context(serve(app, host="127.0.0.1", port=0))
        url = f"{address.url}/webhooks/slack"
        sim.use_http(url)
    await stack.enter_async_context(running(channel, inbox, OFFERS))
    if way == "socket":
        await sim.sockets.opened.wait()
    return Desk(sim=sim, channel=channel, inbox=inbox, url=url)


async def _no_report() -> Report:
    raise AssertionError("nobody asked for health")
