"""What counts as the time in which a dead instance's conversations moved on."""

import asyncio
from uuid import UUID, uuid4

from bots.torture.recovery import Holds, Recovery

PID = 4242


class Books:
    """Who holds what, as the test says; `looks` counts up with every look, `away` hides everything."""

    def __init__(self, conversations: int) -> None:
        self.held: dict[UUID, int] = {uuid4(): 1 for _ in range(conversations)}
        self.away = False
        self._looks = asyncio.Semaphore(0)

    async def held_by(self, pid: int) -> Holds | None:
        assert pid == PID
        return None if self._hidden() else dict(self.held)

    async def still(self, holds: Holds) -> Holds | None:
        if self._hidden():
            return None
        return {id: token for id, token in holds.items() if self.held.get(id) == token}

    def move_on(self) -> None:
        """One conversation to another holder."""
        self.held[next(id for id, token in self.held.items() if token == 1)] = 2

    async def looked(self, times: int = 2) -> None:
        """Return after so many looks from now on."""
        while not self._looks.locked():
            await self._looks.acquire()
        for _ in range(times):
            await self._looks.acquire()

    def _hidden(self) -> bool:
        self._looks.release()
        return self.away


async def test_each_conversation_counts_when_it_is_in_other_hands() -> None:
    books = Books(3)
    recovery = Recovery(books)
    recovery.begin(PID)
    await books.looked(3)
    books.move_on()
    await books.looked(3)
    assert len(recovery.seconds) == 1
    books.move_on()
    books.held.popitem()  # done: nobody holds it
    await recovery.finish(60)
    assert len(recovery.seconds) == 3
    assert 0 < recovery.seconds[0] < recovery.seconds[1] == recovery.seconds[2]


async def test_a_process_that_held_nothing_took_no_time() -> None:
    recovery = Recovery(Books(0))
    recovery.begin(PID)
    await recovery.finish(60)
    assert recovery.seconds == []


async def test_time_in_which_nobody_could_take_over_does_not_count() -> None:
    books = Books(1)
    recovery = Recovery(books, able=lambda: False)
    recovery.begin(PID)
    await books.looked(3)
    books.move_on()
    await recovery.finish(60)
    assert recovery.seconds == [0.0]


async def test_what_was_held_is_looked_up_when_the_database_is_back() -> None:
    books = Books(1)
    books.away = True
    recovery = Recovery(books)
    recovery.begin(PID)
    await books.looked(3)
    books.away = False
    await books.looked(3)
    books.away = True
    books.move_on()
    await books.looked(3)
    assert recovery.seconds == []
    books.away = False
    await recovery.finish(60)
    assert len(recovery.seconds) == 1


async def test_what_never_moves_on_counts_with_all_the_time_it_took() -> None:
    books = Books(2)
    recovery = Recovery(books)
    recovery.begin(PID)
    await books.looked(3)
    await recovery.finish(0)
    assert len(recovery.seconds) == 2
    assert min(recovery.seconds) > 0
