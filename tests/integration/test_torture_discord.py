"""The crowd's commands on the simulated Discord: what counts as taken, and what people see of them."""

from collections.abc import AsyncIterator
from math import inf
from typing import Any

import aiohttp
import pytest

from bots.discord.commands import NOT_STORED
from bots.torture.evidence import THINKING, Said
from bots.torture.plan import Speech
from bots.torture.platforms import Discord

ASK = {
    "name": "ask",
    "description": "Ask",
    "options": [{"name": "question", "description": "What", "type": 3}],
}
PROMISE = {"type": 5}
EXCUSE = {"type": 4, "data": {"content": NOT_STORED, "flags": 1 << 6}}


class Application:
    """The other side: whoever answers."""

    def __init__(self, platform: Discord, http: aiohttp.ClientSession) -> None:
        self.platform = platform
        self._http = http

    async def call(self, method: str, path: str, body: Any) -> None:
        simulator = self.platform.simulator
        headers = {"Authorization": f"Bot {Discord.TOKEN}"}
        async with self._http.request(method, simulator.api_url + path, json=body, headers=headers) as reply:
            assert reply.status < 300, await reply.text()

    async def respond(self, body: Any) -> None:
        """To the newest command, at once."""
        asked = self.platform.simulator.interactions[-1]
        await self.call("POST", f"/interactions/{asked.id}/{asked.token}/callback", body)

    async def answer(self, text: str) -> None:
        asked = self.platform.simulator.interactions[-1]
        path = f"/webhooks/{self.platform.simulator.bot_id}/{asked.token}/messages/@original"
        await self.call("PATCH", path, {"content": text})

    def ask(self, thread: str | None = None) -> Said:
        chat = "ann" if thread is None else "group"
        speech = Speech(
            number=1, channel="discord", user="ann", chat=chat, thread=thread, at=0.0, called=True
        )
        return self.platform.say(speech)

    def seen(self) -> list[str]:
        return [shown.text for shown in self.platform.shown()]


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    platform = Discord()
    async with platform.simulator as simulator, aiohttp.ClientSession() as http:
        application = Application(platform, http)
        await application.call("PUT", f"/applications/{simulator.bot_id}/commands", [ASK])
        yield application


async def test_a_command_counts_as_taken_once_an_answer_is_promised(application: Application) -> None:
    said = application.ask()
    assert application.platform.heard(said).taken == inf
    await application.respond(PROMISE)
    assert application.platform.heard(said).acknowledged
    assert application.seen() == [THINKING]
    await application.answer("Answer to m1. word. End of m1.")
    assert application.seen() == ["Answer to m1. word. End of m1."]


async def test_who_was_only_told_that_it_may_not_be_stored_was_promised_nothing(
    application: Application,
) -> None:
    said = application.ask()
    await application.respond(EXCUSE)
    assert application.platform.heard(said).taken == inf
    assert application.seen() == []
    await application.answer("it was stored after all")
    assert application.seen() == ["it was stored after all"]


@pytest.mark.parametrize("said_first", [PROMISE, EXCUSE], ids=["a promise", "an excuse"])
async def test_an_answer_appears_when_it_takes_the_place_of_what_was_said_first(
    application: Application, said_first: object
) -> None:
    application.ask()
    await application.respond(said_first)
    await application.answer("first")
    application.ask()
    await application.respond(said_first)
    channel = application.platform.simulator.interactions[-1].channel
    await application.call("POST", f"/channels/{channel.id}/messages", {"content": "in between"})
    await application.answer("promised before, answered after")
    assert application.seen() == ["first", "in between", "promised before, answered after"]


async def test_a_command_in_a_thread_is_said_there(application: Application) -> None:
    said = application.ask(thread="topic")
    await application.respond(PROMISE)
    (shown,) = application.platform.shown()
    assert (shown.chat, shown.thread) == (said.chat, said.thread)
