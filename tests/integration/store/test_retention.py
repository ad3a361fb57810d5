"""Done rows are cleared when they are old, a few at a time, and nothing else ever is."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from core.store.retention import clear_done, first_id
from tests.integration.store.ground import Instance, turn_of, whole_turn

SOON = timedelta(minutes=1)


def now() -> datetime:
    return datetime.now(UTC)


async def no_pause(seconds: float) -> None: ...


async def counts(one: Instance) -> tuple[int, int]:
    return await one.one("SELECT count(*) FROM outbox"), await one.one("SELECT count(*) FROM inbox")


async def answered(one: Instance, chat: str) -> None:
    work = await one.work(chat)
    for writing in whole_turn(work, turn_of(work)):
        await one.journal.write(writing)


async def test_only_what_is_done_and_old(one: Instance) -> None:
    for number in range(3):
        await answered(one, f"chat {number}")
    await one.accept("waiting")
    work = await one.work("begun")
    turn = turn_of(work)
    for writing in whole_turn(work, turn)[:2]:  # composed, and its part is being sent
        await one.journal.write(writing)
    assert await counts(one) == (4, 5)
    assert await clear_done(one.engine, now() - timedelta(days=35)) == (0, 0), "all are new"
    assert await clear_done(one.engine, now() + SOON, batch=2, pause=no_pause) == (3, 3)
    assert await counts(one) == (1, 2)
    assert await one.one("SELECT count(*) FROM messages") == 8, "the transcript is not touched"


async def test_the_dedupe_key_goes_last(one: Instance) -> None:
    """What is still in the outbox, since somebody holds it, keeps its question."""
    await answered(one, "chat")
    await answered(one, "other")
    async with one.engine.begin() as connection:
        await connection.execute(text("SELECT 1 FROM outbox ORDER BY id LIMIT 1 FOR UPDATE"))
        assert await clear_done(one.engine, now() + SOON, pause=no_pause) == (1, 1), "it waits for nobody"
    assert await counts(one) == (1, 1)
    assert await clear_done(one.engine, now() + SOON, pause=no_pause) == (1, 1)


def test_the_first_id_of_a_moment() -> None:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    assert first_id(moment).hex[:12] == f"{int(moment.timestamp() * 1000):012x}"
    assert first_id(moment) < first_id(moment + timedelta(milliseconds=1))
