"""The door that Slack posts to, in the real web app: who may come in, and what they are answered."""

import asyncio
from time import time
from typing import Any, cast

import aiohttp
import pytest
from slack_bolt.response import BoltResponse

from bots.simulators.slack.posts import signed
from bots.slack.webhook import Webhook
from tests.integration.slack.conftest import SECRET, Open
from tests.integration.slack.inbox import Inbox


async def test_handshakes_are_answered(open_desk: Open) -> None:
    desk = await open_desk("http")
    assert await desk.sim.probes.verify()
    assert (await desk.sim.probes.check_ssl()).status == 200
    assert desk.inbox.tries == []


@pytest.mark.parametrize(
    ("forged", "status"),
    [
        ({"secret": "wrong"}, 401),
        ({"age": 310.0}, 401),
        ({"age": -310.0}, 401),
        ({"headers": {"X-Slack-Request-Timestamp": "soon"}}, 401),
        ({"headers": {"X-Slack-Signature": "v0=\xe9"}}, 401),
        ({"headers": {"X-Slack-Signature": ""}}, 401),
        ({"headers": {"Content-Encoding": "gzip"}, "secret": "wrong"}, 401),
        ({"age": 290.0}, 200),
        ({}, 200),
    ],
)
async def test_only_the_signed_comes_in(open_desk: Open, forged: dict[str, object], status: int) -> None:
    desk = await open_desk("http")
    answer = await desk.sim.probes.event("ann", "ann", "let me in", **forged)  # type: ignore[arg-type]
    assert answer.status == status
    assert len(desk.inbox.tries) == (status == 200)


async def test_other_posts(open_desk: Open) -> None:
    desk = await open_desk("http")
    now = desk.sim.clock.now()
    async with aiohttp.ClientSession() as session:

        async def status(body: bytes, **more: str) -> int:
            async with session.post(desk.url, data=body, headers=signed(body, SECRET, now) | more) as answer:
                return answer.status

        assert await status(b"x" * 1_000_001) == 413
        assert await status(b"{") == 400
        assert await status(b'{"type":"event_callback","event":"x"}') == 503
        assert await status(b'{"type":"event_callback","event":{"type":"team_join"}}') == 200
        async with session.post(desk.url, data=b"x") as answer:
            assert answer.status == 401
        async with session.get(desk.url) as answer:
            assert answer.status == 405

        async def in_chunks() -> object:
            for piece in (b'{"type":"url_verification",', b'"challenge":"abc"}'):
                yield piece
                await asyncio.sleep(0)

        whole = b'{"type":"url_verification","challenge":"abc"}'
        async with session.post(desk.url, data=in_chunks(), headers=signed(whole, SECRET, now)) as answer:
            assert (answer.status, (await answer.json())["challenge"]) == (200, "abc")


async def test_a_store_that_is_away_is_503(open_desk: Open, inbox: Inbox) -> None:
    desk = await open_desk("http")
    inbox.away = True
    answer = await desk.sim.probes.event("ann", "ann", "later")
    assert answer.status == 503


async def test_what_cannot_be_stored_in_time_is_told_to_come_again() -> None:
    """Slack stops listening after three seconds, and counts as failed what it got no answer to."""
    stored = asyncio.Event()

    class Listener:
        async def hear(self, payload: object) -> BoltResponse:
            await stored.wait()
            return BoltResponse(status=200)

    door = Webhook(SECRET, lambda: cast(Any, Listener()), patience=0.01)
    body = b'{"type":"event_callback","event":{"type":"message"}}'
    headers = list(signed(body, SECRET, time()).items())
    assert (await door.handle(headers, body)).status == 503
    stored.set()
    assert (await door.handle(headers, body)).status == 200
