"""The partitions of `messages`: made ahead, made once, and never missed by a write."""

import asyncio
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text

from core.rows import Writing
from core.store.records import PostgresRecords
from tests.integration.store.ground import Instance, said_of, turn_of

FAR = datetime(2031, 5, 1, tzinfo=UTC)
PARTITIONS = (
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'messages'::regclass ORDER BY 1"
)
ENSURE = "SELECT parley_ensure_month_v1(:day)"
MOMENTS = [
    FAR - timedelta(microseconds=1),
    FAR,
    FAR + timedelta(days=31, microseconds=-1),
    FAR + timedelta(days=31),
]


async def say(one: Instance, chat: str, *moments: datetime) -> None:
    """Lines of the transcript at these moments, as a turn writes them."""
    work = await one.work(chat)
    turn = turn_of(work, state="composed")
    lines = tuple(said_of(work, turn, "user", at.isoformat(), at) for at in moments)
    await one.journal.write(Writing(lease=work.lease, turn=turn, messages=lines))


async def partitions(one: Instance) -> list[str]:
    return sorted(row[0] for row in await one.rows(PARTITIONS))


async def test_this_month_and_the_next_two_are_there(one: Instance) -> None:
    month = datetime.now(UTC).date().replace(day=1)
    wanted = []
    for _ in range(3):
        wanted.append(f"messages_{month:%Y_%m}")
        month = (month + timedelta(days=32)).replace(day=1)
    assert await partitions(one) == sorted([*wanted, "messages_default"])
    await PostgresRecords(one.engine).ensure_months()
    assert await partitions(one) == sorted([*wanted, "messages_default"])
    await PostgresRecords(one.engine).ensure_months(ahead=4)
    assert len(await partitions(one)) == 6


async def test_a_missing_month_stops_no_write_and_its_rows_are_moved(one: Instance) -> None:
    await say(one, "chat", *MOMENTS)
    assert await one.one("SELECT count(*) FROM messages_default") == 4
    assert await one.one(ENSURE, day=date(2031, 5, 17)) is True
    assert await one.one("SELECT count(*) FROM messages_2031_05") == 2
    assert await one.one("SELECT count(*) FROM messages_default") == 2
    assert await one.one("SELECT count(*) FROM messages") == 4
    assert await one.one(ENSURE, day=date(2031, 5, 1)) is False
    await say(one, "other", FAR)
    assert await one.one("SELECT count(*) FROM messages_2031_05") == 3


async def test_a_partition_has_the_keys_and_indexes_of_the_others(one: Instance) -> None:
    await one.rows(ENSURE, day=FAR.date())
    shape = (
        "SELECT (SELECT count(*) FROM pg_index WHERE indrelid = t),"
        " (SELECT array_agg(contype::text ORDER BY contype) FROM pg_constraint"
        "   WHERE conrelid = t AND contype <> 'n')"
        " FROM CAST(:name AS regclass) t"
    )
    made, first = [await one.rows(shape, name=name) for name in ("messages_2031_05", "messages_default")]
    assert made == first
    assert made[0][0] == 3


async def test_the_month_of_a_day_is_that_of_utc(one: Instance) -> None:
    name = await one.one("SELECT current_database()")
    await one.rows(f"ALTER DATABASE {name} SET TimeZone = 'Pacific/Auckland'")
    await one.engine.dispose()
    await one.rows(ENSURE, day=FAR.date())
    await say(one, "chat", *MOMENTS)
    assert await one.one("SELECT count(*) FROM messages_2031_05") == 2


async def test_two_makers_at_once_make_it_once(one: Instance, two: Instance) -> None:
    await say(one, "chat", FAR)
    made = await asyncio.gather(*(side.one(ENSURE, day=FAR.date()) for side in (one, two) for _ in range(2)))
    assert sorted(made) == [False, False, False, True]
    assert await one.one("SELECT count(*) FROM messages_2031_05") == 1


async def test_a_partition_is_made_while_turns_are_written(one: Instance, two: Instance) -> None:
    """Writers into the default partition and the maker of its months wait for each other in one order."""
    months = [date(2031, month, 1) for month in range(1, 7)]

    async def make() -> None:
        for day in months:
            assert await two.one(ENSURE, day=day)

    async def write(caller: int) -> None:
        for month in range(1, 7):
            await say(one, f"chat-{caller}-{month}", datetime(2031, month, 2, tzinfo=UTC))

    await asyncio.gather(make(), *(write(caller) for caller in range(8)))
    assert await one.one("SELECT count(*) FROM messages") == 48
    (retries,) = one.metrics.commit_retries.collect()
    assert not [sample for sample in retries.samples if sample.value]


async def test_a_reader_makes_the_maker_give_up_in_time(one: Instance, two: Instance) -> None:
    async with one.engine.begin() as connection:
        await connection.execute(text("SET LOCAL lock_timeout = '10ms'"))
        async with two.engine.begin() as other:
            await other.execute(text("SELECT count(*) FROM messages_default"))
            refused = await asyncio.gather(
                connection.execute(text(ENSURE), {"day": FAR.date()}), return_exceptions=True
            )
    assert "lock timeout" in str(refused[0])
    assert "messages_2031_05" not in await partitions(one)
