"""What platforms bring while the database is away: nothing is acknowledged, and little of it waits here."""

import asyncio
from functools import partial
from time import time

import orjson
from prometheus_client import CollectorRegistry

from bots.simulators.slack.posts import signed
from bots.slack.ids import Me
from bots.slack.listen import Listener
from bots.slack.webhook import Webhook
from core.errors import StoreUnavailable
from core.inbox import Inbox
from core.observe import Metrics
from tests.integration.store.ground import Instance, open_instance
from tests.integration.store.proxy import running_proxy
from tests.integration.store.test_accept import order

POSTS, ROOM, MOST = 2000, 20, 8
KEPT = ROOM + MOST
OWN_TASKS = 2
"""Of the writer, while it tries to reach the database."""
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def queued(one: Instance) -> float | None:
    return one.metrics.registry.get_sample_value("parley_commit_queue")


async def test_what_arrives_while_the_database_is_away_is_bounded_and_counted(database_url: str) -> None:
    async with (
        running_proxy(database_url) as (proxy, url),
        open_instance(url, room=ROOM, most=MOST) as one,
    ):
        await one.accept("warm-up")
        assert queued(one) == 0
        proxy.go_away()
        before = len(asyncio.all_tasks())
        tasks = [asyncio.create_task(one.accept(f"chat-{n}")) for n in range(POSTS)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        refused = [task for task in tasks if task.done()]
        assert len(refused) >= POSTS - KEPT
        assert {type(task.exception()) for task in refused} == {StoreUnavailable}
        assert len(asyncio.all_tasks()) - before <= KEPT + OWN_TASKS
        assert queued(one) == POSTS - len(refused) > 0
        proxy.come_back()
        taken = await asyncio.gather(*(task for task in tasks if task not in refused))
        assert all(accepted.fresh for accepted in taken)
        assert queued(one) == 0
        assert (await one.accept("refused before")).fresh
        assert await one.one("SELECT count(*) FROM inbox") == len(taken) + 2


async def test_a_page_that_is_brought_again_until_it_was_taken_is_in_order(database_url: str) -> None:
    """As by those who confirm a page at a time, in the least room that may be set."""
    async with running_proxy(database_url) as (proxy, url), open_instance(url, room=200) as one:
        await one.accept("warm-up")
        proxy.go_away()
        others = [asyncio.create_task(one.accept("other")) for _ in range(200)]
        await asyncio.sleep(0)
        page = [one.arrival("chat", str(number)) for number in range(100)]

        async def bring() -> int:
            found = await asyncio.gather(*map(one.journal.accept, page), return_exceptions=True)
            return sum(isinstance(each, StoreUnavailable) for each in found)

        bringing = asyncio.create_task(bring())
        await asyncio.sleep(0)
        proxy.come_back()
        assert await bringing > 0
        assert await bring() == 0
        await asyncio.gather(*others)
        assert await order(one, "chat") == [str(number) for number in range(100)]


def door_to(one: Instance) -> Webhook:
    """Slack's door as a gateway has it, from the signature to the journal."""
    inbox = Inbox(
        journal=one.journal,
        commands={},
        offer=lambda: None,
        answered=lambda: None,
        lease_seconds=1.0,
        start=lambda work: None,
        metrics=Metrics(CollectorRegistry()),
    )
    me = Me(team="T1", user="UBOT", bot="BBOT", handle="bot")
    listener = Listener(me, one.account, partial(inbox.accept, one.account), frozenset())
    return Webhook(SECRET, lambda: listener, patience=0.2)


async def post(door: Webhook, number: int) -> int:
    said = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "text": "hello"}
    event = {"type": "event_callback", "team_id": "T1", "event": said | {"ts": f"1700000000.{number:06}"}}
    body = orjson.dumps(event)
    return (await door.handle(list(signed(body, SECRET, time()).items()), body)).status


async def test_two_thousand_posts_are_told_to_come_again_and_leave_no_heap(database_url: str) -> None:
    async with (
        running_proxy(database_url) as (proxy, url),
        open_instance(url, room=ROOM, most=MOST) as one,
    ):
        door = door_to(one)
        assert await post(door, 0) == 200
        proxy.go_away()
        before = len(asyncio.all_tasks())
        posts = (post(door, number) for number in range(1, POSTS + 1))
        assert set(await asyncio.gather(*posts)) == {503}
        assert len(asyncio.all_tasks()) - before <= KEPT + OWN_TASKS
        assert 0 < one.journal.queue.unwritten <= KEPT
        proxy.come_back()
        while await post(door, POSTS) != 200:  # it was refused, and nothing else brings it
            pass
        assert await one.one("SELECT count(*) FROM inbox") <= KEPT + 2
