"""Group commit when things go wrong: lost answers, killed backends, deadlocks, locks, full queues."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import StoreUnavailable
from core.rows import Writing
from core.store.batch import GroupCommit
from core.store.database import PoolSize
from tests.integration.store.ground import SMALL, Instance, open_instance, turn_of, whole_turn
from tests.integration.store.proxy import Loss, running_proxy
from tests.integration.store.test_accept import order

BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%parley_commit_v1%'"
    " AND pid <> pg_backend_pid()"
)


def retries(instance: Instance, reason: str) -> float:
    return instance.metrics.registry.get_sample_value("parley_commit_retries_total", {"reason": reason}) or 0


@asynccontextmanager
async def locked(one: Instance, *chats: str) -> AsyncIterator[AsyncConnection]:
    """Somebody else's open transaction that has locked these conversations, in this order."""
    async with one.engine.begin() as connection:
        for chat in chats:
            await lock(connection, chat)
        yield connection


async def lock(connection: AsyncConnection, chat: str) -> None:
    await connection.execute(
        text("SELECT 1 FROM conversations WHERE chat = :chat FOR UPDATE"), {"chat": chat}
    )


async def blocked(one: Instance, many: int = 1) -> None:
    """Wait until so many batches wait for a lock."""
    waiting = f"SELECT count(*) FROM ({BACKENDS} AND wait_event_type = 'Lock') w"
    while await one.one(waiting) < many:  # noqa: ASYNC110 - a lock has no event
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("loss", ["request", "answer"])
@pytest.mark.parametrize("step", [0, 1, 2, 3])
async def test_an_unknown_outcome_is_repeated_and_nothing_is_doubled(
    database_url: str, loss: Loss, step: int
) -> None:
    """One of the four commits goes out and nobody hears of it."""
    async with running_proxy(database_url) as (proxy, url), open_instance(url) as one:
        await one.answer(await one.work("warm-up"))
        if step == 0:
            proxy.lose(loss)
        arrival = one.arrival("chat")
        accepted = await one.journal.accept(arrival)
        assert accepted.fresh
        assert accepted.inbox_id == arrival.inbox_id
        assert accepted.work is not None
        for number, writing in enumerate(whole_turn(accepted.work, turn_of(accepted.work)), 1):
            if number == step:
                proxy.lose(loss)
            assert await one.journal.write(writing) is None
        assert proxy.lost == 1
        assert await one.rows("SELECT state, outcome FROM inbox") == [("done", "answered")] * 2
        assert await one.rows("SELECT calls, prompt_tokens, cost_micro FROM usage_hourly") == [(1, 10, 500)]
        assert await one.rows("SELECT state, attempts FROM outbox") == [("sent", 1)]
        assert await one.one("SELECT count(*) FROM messages") == 2
        assert await one.one("SELECT count(*) FROM turns WHERE state = 'closed'") == 2
        assert await one.one("SELECT count(*) FROM conversations WHERE lease_owner IS NULL") == 2


async def test_a_batch_whose_answer_is_lost_is_repeated_for_all_in_it(database_url: str) -> None:
    async with running_proxy(database_url) as (proxy, url), open_instance(url) as one:
        await one.accept("warm-up")
        proxy.lose("answer")
        found = await asyncio.gather(*(one.accept(f"chat-{n % 4}", str(n)) for n in range(40)))
        assert all(accepted.fresh for accepted in found)
        assert sum(accepted.work is not None for accepted in found) == 4
        assert await one.one("SELECT count(*) FROM inbox") == 41
        for chat in range(4):
            assert await order(one, f"chat-{chat}") == [str(n) for n in range(chat, 40, 4)]


async def test_a_backend_killed_in_the_middle_of_a_batch(one: Instance) -> None:
    await one.accept("chat", "first")
    async with locked(one, "chat"):
        task = asyncio.create_task(one.accept("chat", "second"))
        await blocked(one)
        await one.rows(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) b")
    assert (await task).fresh
    assert await order(one, "chat") == ["first", "second"]
    assert retries(one, "AdminShutdownError") + retries(one, "ConnectionDoesNotExistError") == 1


async def test_a_deadlock_is_repeated(database_url: str, one: Instance) -> None:
    """Somebody locks two conversations in the other order. Whoever waits looks for a deadlock once, after
    `deadlock_timeout`; so there is another round where the other came too late to be seen."""
    name = await one.one("SELECT current_database()")
    await one.rows(f"ALTER DATABASE {name} SET deadlock_timeout = '200ms'")
    await one.accept("a")
    await one.accept("b")
    async with open_instance(database_url, "two") as two:
        while not retries(two, "DeadlockDetectedError"):
            async with locked(one, "b") as other:
                await other.execute(text("SET LOCAL deadlock_timeout = '60s'"))
                both = asyncio.gather(two.accept("a"), two.accept("b"))
                await blocked(one)
                await lock(other, "a")
            assert all(accepted.fresh for accepted in await both)
        assert await one.one("SELECT sum(next_seq) = (SELECT count(*) FROM inbox) FROM conversations")


async def test_serialisation_errors_are_repeated(database_url: str, one: Instance) -> None:
    """Two writers under snapshot isolation, which refuses what another has changed meanwhile."""
    name = await one.one("SELECT current_database()")
    await one.rows(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    async with open_instance(database_url, "two") as two, open_instance(database_url, "three") as three:
        await two.accept("chat")
        async with locked(one, "chat") as other:
            await other.execute(text("UPDATE conversations SET metadata = '{}'"))
            task = asyncio.create_task(two.accept("chat"))
            await blocked(one)
        assert (await task).fresh
        assert retries(two, "SerializationError") == 1
        found = await asyncio.gather(*(side.accept("new") for side in (two, three) for _ in range(50)))
        assert all(accepted.fresh for accepted in found)
    assert await one.one("SELECT count(*) FROM inbox") == 102


@pytest.mark.parametrize(
    ("pool", "reason"),
    [
        (replace(SMALL, statement=0.1, lock=5.0), "QueryCanceledError"),
        (replace(SMALL, lock=0.1), "LockNotAvailableError"),
    ],
)
async def test_a_statement_that_takes_too_long_is_repeated(
    database_url: str, one: Instance, pool: PoolSize, reason: str
) -> None:
    async with open_instance(database_url, "two", pool=pool) as two:
        await two.accept("chat")
        async with locked(one, "chat"):
            task = asyncio.create_task(two.accept("chat"))
            while not retries(two, reason):  # noqa: ASYNC110 - a counter has no event
                await asyncio.sleep(0.01)
        assert (await task).fresh
    assert await one.one("SELECT count(*) FROM inbox") == 2


async def test_a_transaction_that_idles_is_ended_by_the_server(database_url: str) -> None:
    pool = replace(SMALL, idle_in_transaction=0.05)
    async with open_instance(database_url, pool=pool) as one, one.engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        ended = asyncio.Event()
        driver.add_termination_listener(lambda _: ended.set())
        await asyncio.wait_for(ended.wait(), 10)
        await connection.invalidate()


async def test_who_stops_waiting_still_commits_and_the_writer_lives(one: Instance) -> None:
    await one.accept("chat", "first")
    async with locked(one, "chat"):
        tasks = [asyncio.create_task(one.accept("chat", str(n))) for n in range(20)]
        await blocked(one)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await one.accept("chat", "last")
    assert await order(one, "chat") == ["first", *map(str, range(20)), "last"]


async def test_a_full_queue_holds_turns_back_and_keeps_their_order() -> None:
    """And what arrives is refused, also when it would only stand in line behind those."""
    written: list[str] = []
    go_on = asyncio.Event()

    async def commit(rows: Sequence[str]) -> Sequence[str]:
        await go_on.wait()
        written.extend(rows)
        return rows

    async with GroupCommit[str, str](commit, room=3, most=2) as queue:
        tasks = [asyncio.create_task(queue.submit(str(n))) for n in range(30)]
        while queue.unwritten < 5:  # noqa: ASYNC110 - a queue has no event
            await asyncio.sleep(0)
        assert (queue.waiting, queue.unwritten) == (3, 5)
        assert not any(task.done() for task in tasks)
        with pytest.raises(StoreUnavailable, match="3 writes wait already"):
            await queue.submit("arrival", waits_for_room=False)
        tasks[10].cancel()
        go_on.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert queue.unwritten == 0
        await queue.submit("arrival", waits_for_room=False)
    assert written == [*(str(n) for n in range(30) if n != 10), "arrival"]


async def test_leaving_writes_what_is_queued(database_url: str, one: Instance) -> None:
    async with open_instance(database_url, "two") as two:
        tasks = [asyncio.create_task(two.accept(f"chat-{n % 7}", str(n))) for n in range(300)]
        await asyncio.sleep(0)
    assert all(accepted.fresh for accepted in await asyncio.gather(*tasks))
    assert await one.one("SELECT count(*) FROM inbox") == 300


async def test_leaving_does_not_wait_for_ever(database_url: str, one: Instance) -> None:
    """What could not be written in time is told so; what waited for room in the queue as well."""
    work = await one.work("chat")
    late = Writing(lease=work.lease, turn=turn_of(work))
    async with locked(one, "chat"):
        async with open_instance(database_url, "two", drain_seconds=0.1, room=3, most=2) as two:
            tasks = [asyncio.create_task(two.journal.write(late)) for _ in range(30)]
            await blocked(one)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in found} == {StoreUnavailable}
        with pytest.raises(StoreUnavailable):
            await two.accept("chat")
    assert await one.one("SELECT count(*) FROM turns") == 0


async def test_a_fault_of_our_own_does_not_end_the_writer() -> None:
    async def commit(rows: object) -> list[str]:
        if rows == ["odd"]:
            raise ZeroDivisionError("a fault of ours")
        return ["written"]

    async with GroupCommit[str, str](commit, most=1) as queue:
        found = await asyncio.gather(queue.submit("odd"), queue.submit("even"), return_exceptions=True)
        assert [type(each) for each in found] == [ZeroDivisionError, str]


async def test_a_row_that_is_always_overtaken_is_given_up() -> None:
    tried = 0

    async def commit(rows: object) -> list[str | None]:
        nonlocal tried
        tried += 1
        return [None]

    async with GroupCommit[str, str](commit, repeats=3) as queue:
        with pytest.raises(StoreUnavailable, match="again and again"):
            await queue.submit("row")
    assert tried == 4
