"""The door that Slack posts to, in the real web app: who may come in, and what they are answered."""

import asyncio

import aiohttp
import pytest

from bots.simulators.slack.posts import signed
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
