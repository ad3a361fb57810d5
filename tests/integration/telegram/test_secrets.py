"""The token stands in every request's path, and must stand nowhere that a person or a log can read."""

import logging
import traceback

import pytest
from aiohttp import web

from bots.telegram.adapter import TelegramChannel
from core.errors import ChannelError
from core.messages import CommandOffer
from tests.integration.telegram.bare import Answer, BareApi, cut, page, refuse, unknown
from tests.integration.telegram.conftest import TOKEN
from tests.integration.telegram.inbox import Inbox
from tests.integration.telegram.running import running
from tests.integration.telegram.test_send import outbound

SECRET = TOKEN.partition(":")[2]


def echo(status: int) -> Answer:
    return lambda request: page(status, f"no such path: {request.path_qs}")(request)


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize(
    "answer",
    [unknown, echo(404), echo(400), echo(500), echo(200), cut(), refuse(401, f"bad token {TOKEN}")],
    ids=["unknown", "404", "400", "500", "200", "cut", "401"],
)
async def test_no_failure_tells_it(
    bare: BareApi, bare_channel: TelegramChannel, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    bare.answers("sendMessage", answer)
    bare.answers("setMyCommands", answer)
    await bare_channel.connect()
    for call in (
        lambda: bare_channel.send(outbound("hello")),
        lambda: bare_channel.offer_commands([CommandOffer(name="new", summary="Begin anew")]),
    ):
        with pytest.raises(ChannelError) as caught:
            await call()
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert SECRET not in told
    assert SECRET not in caplog.text
    assert f"/bot{TOKEN}/" not in caplog.text


async def test_no_run_tells_it(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    bare.answers("getUpdates", cut(), echo(500), echo(409))
    async with running(bare_channel, inbox):
        await bare.until(lambda: len(bare.asked("getUpdates")) == 4)
    assert "Telegram gives no updates" in caplog.text
    assert SECRET not in caplog.text


async def test_nothing_that_prints_the_channel_tells_it(bare_channel: TelegramChannel) -> None:
    await bare_channel.connect()
    assert SECRET not in f"{bare_channel!r} {bare_channel}"


async def test_the_true_token_is_what_the_server_gets(bare: BareApi) -> None:
    paths: list[str] = []

    def note(request: web.Request) -> web.Response:
        paths.append(request.path)
        return refuse(400, "no")(request)

    bare.answers("sendMessage", note)
    channel = TelegramChannel(TOKEN, bare.url + "/")
    with pytest.raises(ChannelError):
        await channel.send(outbound("hello"))
    await channel.close()
    assert paths == [f"/bot{TOKEN}/sendMessage"]
