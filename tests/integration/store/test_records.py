"""Transcript, ledger sums and settings as they are read back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from core.messages import Usage
from core.rows import Closing, Writing
from core.store.records import PostgresRecords
from core.store.tables import channel_configs
from tests.integration.store.ground import Instance, begin, call_of, said_of, settle, turn_of

NOW = datetime.now(UTC)


@pytest.fixture
def records(one: Instance) -> PostgresRecords:
    return PostgresRecords(one.engine)


async def talk(one: Instance, *said: str, ago: timedelta = timedelta(0), chat: str = "chat") -> UUID:
    """Turns of question and answer, a minute apart, the last one `ago`."""
    conversation_id = uuid7()
    for number, line in enumerate(said):
        at = NOW - ago - timedelta(minutes=len(said) - number)
        work = await one.work(chat, line)
        turn = turn_of(work, state="composed")
        lines = (
            said_of(work, turn, "user", line, at),
            said_of(work, turn, "assistant", line.upper(), at + timedelta(seconds=1)),
        )
        ended = Closing(turn_id=turn.id, end="answered")
        await one.journal.write(
            Writing(lease=work.lease, turn=turn, takes=work.waiting, messages=lines, closing=ended)
        )
        conversation_id = work.line.conversation_id
    return conversation_id


async def test_the_context_is_the_newest_lines_oldest_first(one: Instance, records: PostgresRecords) -> None:
    conversation_id = await talk(one, "a", "b", "c")
    context = await records.context(conversation_id, 5)
    assert [(spoken.role, spoken.content) for spoken in context] == [
        ("assistant", "A"),
        ("user", "b"),
        ("assistant", "B"),
        ("user", "c"),
        ("assistant", "C"),
    ]
    assert [spoken.author for spoken in context] == ["", "Ann", "", "Ann", ""]
    last = await one.one("SELECT last_message_id FROM conversations")
    assert context[-1].id == UUID(bytes=last.bytes)
    assert await records.context(uuid7(), 5) == []


async def test_history_reaches_over_months_and_the_default_partition(
    one: Instance, records: PostgresRecords
) -> None:
    await talk(one, "ancient", ago=timedelta(days=900))
    await talk(one, "old", ago=timedelta(days=61))
    conversation_id = await talk(one, "new")
    history = await records.history(conversation_id, 20)
    assert [spoken.content for _, spoken in history] == ["ancient", "ANCIENT", "old", "OLD", "new", "NEW"]
    assert [at for at, _ in history] == sorted(at for at, _ in history)
    assert [spoken.content for _, spoken in await records.history(conversation_id, 3)] == [
        "OLD",
        "new",
        "NEW",
    ]
    assert await one.one("SELECT count(*) FROM messages_default") == 4


async def test_lines_of_one_moment_are_in_order_of_ids(one: Instance, records: PostgresRecords) -> None:
    work = await one.work()
    turn = turn_of(work, state="composed")
    lines = tuple(said_of(work, turn, "user", str(n), NOW) for n in range(10))
    await one.journal.write(Writing(lease=work.lease, turn=turn, messages=lines))
    context = await records.context(turn.conversation_id, 10)
    assert [spoken.content for spoken in context] == [str(n) for n in range(10)]
    last = await one.one("SELECT last_message_id FROM conversations")
    assert UUID(bytes=last.bytes) == context[-1].id


async def test_the_last_answer_is_the_newest_closed_one(one: Instance, records: PostgresRecords) -> None:
    conversation_id = await talk(one, "first", "second")
    found = await records.last_answer(conversation_id)
    assert found is not None
    assert (found.question, found.answer, found.end) == ("second", "SECOND", "answered")
    work = await one.work("chat", "third")
    await one.journal.write(begin(work, turn_of(work)))
    still = await records.last_answer(conversation_id)
    assert still == found
    assert await records.last_answer(uuid7()) is None


async def test_usage_is_the_sum_of_ended_calls_since_a_time(one: Instance, records: PostgresRecords) -> None:
    work = await one.work()
    user_id, turn = work.waiting[0].user_id, turn_of(work)
    assert (await records.usage(user_id, NOW - timedelta(days=1))).calls == 0
    calls = [call_of(work, turn, attempt) for attempt in range(4)]
    for call in calls:
        await one.journal.write(Writing(lease=work.lease, turn=turn, call=call))
    ends = [
        settle(calls[0]),
        settle(calls[1], cost_micro=None, state="failed"),
        settle(calls[2], cost_micro=7, usage=Usage(prompt=1, completion=1, estimated=True)),
    ]
    for end in ends:
        await one.journal.write(Writing(lease=work.lease, settlement=end))
    usage = await records.usage(user_id, NOW - timedelta(days=1))
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (3, 21, 41)
    assert (usage.cost_micro, usage.unpriced_calls) == (507, 1)
    assert (await records.usage(user_id, datetime.now(UTC) + timedelta(minutes=1))).calls == 0
    assert (await records.usage(uuid7(), NOW - timedelta(days=1))).calls == 0
    hourly = "SELECT calls, failed_calls, estimated_calls, unpriced_calls, cost_micro FROM usage_hourly"
    assert await one.rows(hourly) == [(3, 1, 1, 1, 507)]


async def test_calls_of_two_hours_are_two_rows_of_the_rollup(one: Instance) -> None:
    work = await one.work()
    turn = turn_of(work)
    for attempt, hours in enumerate((1, 2, 2)):
        call = call_of(work, turn, attempt)
        object.__setattr__(call, "started_at", NOW.replace(minute=30) - timedelta(hours=hours))
        await one.journal.write(Writing(lease=work.lease, turn=turn, call=call))
        await one.journal.write(Writing(lease=work.lease, settlement=settle(call)))
    assert await one.rows("SELECT calls FROM usage_hourly ORDER BY hour") == [(2,), (1,)]
    assert await one.one("SELECT count(*) FROM usage_hourly WHERE date_trunc('hour', hour) <> hour") == 0


async def test_a_model_that_is_set_comes_with_the_next_work(one: Instance, records: PostgresRecords) -> None:
    work = await one.work()
    await records.set_model(work.lease, "some-model")
    await one.answer(work)
    following = await one.work()
    assert following.line.model_override == "some-model"
    await records.set_model(following.lease, None)
    assert await one.one("SELECT model_override IS NULL FROM conversations")


async def test_a_stop_waits_until_it_is_covered(one: Instance, records: PostgresRecords) -> None:
    work = await one.work()
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    assert await records.stoppers(turn.conversation_id) == []
    await one.accept("chat", "/stop", kind="stop")
    ((channel, _),) = await records.stoppers(turn.conversation_id)
    assert channel == one.account.channel
    await one.close(work.lease, turn, covers_stops=True)
    assert await records.stoppers(turn.conversation_id) == []


async def test_what_is_unanswered_is_counted_until_done(one: Instance, records: PostgresRecords) -> None:
    assert await records.unanswered(one.account.id) == 0
    work = await one.work()
    await one.accept("other", owns=False)
    assert await records.unanswered(one.account.id) == 2
    assert await records.unanswered(uuid7()) == 0
    await one.answer(work)
    assert await records.unanswered(one.account.id) == 1


async def test_settings_are_read_with_their_scope(one: Instance, records: PostgresRecords) -> None:
    assert await records.configs() == []
    wide = {"id": uuid7(), "tenant_id": one.account.tenant_id, "channel_type": "console"}
    narrow = wide | {
        "id": uuid7(),
        "scope": "chat",
        "account_id": one.account.id,
        "chat": "chat",
        "default_model": "some-model",
        "settings": {"persona": "pirate"},
        "version": 3,
    }
    async with one.engine.begin() as connection:
        for values in (wide, narrow):
            await connection.execute(insert(channel_configs).values(values))
    found = sorted(await records.configs(), key=lambda config: config.version)
    assert [(one.scope, one.account_id, one.chat, one.version) for one in found] == [
        ("channel", None, None, 1),
        ("chat", one.account.id, "chat", 3),
    ]
    assert (found[1].default_model, found[1].settings) == ("some-model", {"persona": "pirate"})
