"""What the database says that a process has in hand, which decides what a freeze of it may excuse."""

from bots.torture.frozen import look_into
from bots.torture.remains import Place
from tests.integration.store.ground import begin, open_instance, turn_of

NAME, OTHER = "host/boot-4026/77-1234", "host/boot-4026/778-1234"


async def test_it_is_what_its_open_turns_took(database_url: str) -> None:
    async with open_instance(database_url, NAME) as one, open_instance(database_url, OTHER) as two:
        look = look_into(one.engine)
        mine, merely_held = await one.work("ann", "m1 and m2"), await one.work("ben", "m3")
        theirs = await two.work("cid", "m4")
        for instance, work in ((one, mine), (two, theirs)):
            await instance.journal.write(begin(work, turn_of(work)))
        await one.accept("ann", "m5")
        assert merely_held.lease.token
        assert await look(77) == {Place("console", "ann", ""): frozenset({1, 2})}
        assert await look(778) == {Place("console", "cid", ""): frozenset({4})}
        assert await look(8) == {}


async def test_what_is_answered_is_not_in_hand_any_more(database_url: str) -> None:
    async with open_instance(database_url, NAME) as one:
        await one.answer(await one.work("ann", "m1"))
        assert await look_into(one.engine)(77) == {}
