"""What becomes of an acceptance whose caller goes away."""

import asyncio
from typing import cast
from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry

from core.commands import commands
from core.errors import StoreUnavailable
from core.inbox import Inbox
from core.messages import Account
from core.observe import Metrics
from core.ports import Journal
from core.rows import Accepted, Arrival, Lease, Work
from tests.unit.core.samples import inbound, line

ACCOUNT = Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="telegram", name="7")


class Books:
    """A journal that commits when it is let go on, and gives a lease with every message."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()
        self._error = error

    async def accept(self, arrival: Arrival) -> Accepted:
        self.asked.set()
        await self.go_on.wait()
        if self._error is not None:
            raise self._error
        work = Work(lease=Lease(conversation_id=uuid4(), token=1), line=line(), waiting=())
        return Accepted(fresh=True, inbox_id=uuid4(), conversation_id=uuid4(), work=work)


class Room:
    """Who would do the work."""

    def __init__(self, books: Books) -> None:
        self.started: list[Work] = []
        self.offers = 0
        self.done = asyncio.Event()
        self.inbox = Inbox(
            journal=cast(Journal, books),
            commands=commands(),
            offer=self._offer,
            answered=self._answered,
            lease_seconds=1.0,
            start=self.started.append,
            metrics=Metrics(CollectorRegistry()),
        )

    def _offer(self) -> str:
        self.offers += 1
        return "me"

    def _answered(self) -> None:
        self.offers -= 1
        self.done.set()


async def test_work_whose_acceptance_nobody_awaits_any_more_is_begun_all_the_same() -> None:
    books = Books()
    room = Room(books)
    accepting = asyncio.create_task(room.inbox.accept(ACCOUNT, [inbound("hello")]))
    await books.asked.wait()
    accepting.cancel()
    await asyncio.gather(accepting, return_exceptions=True)
    assert accepting.cancelled()
    assert (room.started, room.offers) == ([], 1)
    books.go_on.set()
    await room.done.wait()
    assert (len(room.started), room.offers) == (1, 0)


async def test_room_is_given_back_where_nothing_came_of_it() -> None:
    books = Books(StoreUnavailable("away"))
    room = Room(books)
    books.go_on.set()
    (error,) = await asyncio.gather(room.inbox.accept(ACCOUNT, [inbound("hello")]), return_exceptions=True)
    assert isinstance(error, StoreUnavailable)
    assert (room.started, room.offers) == ([], 0)
