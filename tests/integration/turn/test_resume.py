"""What a dead or leaving instance left behind is taken up by the next one, once and properly."""

from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from core.delivery import UNSURE
from core.errors import ParleyError
from tests.integration.turn.conftest import Begin
from tests.integration.turn.orphans import EXPIRE, orphan
from tests.integration.turn.talk import Talk
from tests.world import environment_for, running_gateway, settings_for

PLAIN = {"PARLEY_TELEGRAM__STREAM": "false"}


async def test_an_answer_that_was_streaming_goes_on_in_the_same_message(talk: Talk) -> None:
    await talk.ask("hello")
    await orphan(talk.database, "open")
    await talk.settled()
    assert talk.answers() == ["echo: hello"]
    assert len([one for one in talk.telegram.calls if one.method == "sendMessage"]) == 1
    assert await talk.rows("SELECT attempt, state, estimated FROM model_calls ORDER BY attempt") == [
        (1, "interrupted", True), (2, "settled", False),
    ]  # fmt: skip
    assert await talk.column("SELECT role FROM messages ORDER BY timestamp") == ["user", "assistant"]
    assert await talk.rows("SELECT state, attempts, outcome FROM turns") == [("closed", 2, "answered")]


async def test_the_final_edit_of_an_answer_that_was_taken_up_is_made_once_more(begin: Begin) -> None:
    """An edit of the dead holder may come after it. It is made when the gateway ends, if not before."""
    async with begin() as talk:
        await talk.ask("hello")
        await orphan(talk.database, "open")
        await talk.settled()
        before = len(edits(talk))
    assert edits(talk)[before:] == ["echo: hello"]
    assert talk.answers() == ["echo: hello"]


async def test_where_nobody_died_the_final_edit_is_made_once(begin: Begin) -> None:
    async with begin() as talk:
        await talk.ask("hello")
    assert edits(talk).count("echo: hello") == 1


def edits(talk: Talk) -> list[str]:
    return [call.params["text"] for call in talk.telegram.calls if call.method == "editMessageText"]


async def test_an_edit_that_was_under_way_is_done_again(talk: Talk) -> None:
    await talk.ask("hello")
    await talk.database.execute("UPDATE outbox SET state = 'sending' WHERE op = 'edit'")
    await orphan(talk.database, "composed", end="answered")
    await talk.settled()
    assert talk.answers() == ["echo: hello"]
    assert await talk.outcomes() == ["answered"]
    assert len(talk.model.calls) == 1


async def test_a_send_that_was_under_way_is_confessed_and_not_repeated(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("hello")
        await talk.database.execute("UPDATE outbox SET state = 'sending', receipt = NULL")
        await orphan(talk.database, "composed", end="answered")
        await talk.settled()
        assert talk.answers() == ["echo: hello", UNSURE]
        assert await talk.outcomes() == ["uncertain"]
        assert len(talk.model.calls) == 1


async def test_a_turn_that_is_taken_up_stays_what_it_was(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("/help")
        await talk.database.execute("UPDATE outbox SET state = 'sending', receipt = NULL")
        await talk.database.execute("UPDATE turns SET error = 'noted'")
        await orphan(talk.database, "composed", end="answered")
        await talk.settled()
        assert await talk.rows("SELECT kind, error, outcome FROM turns") == [
            ("command", "noted", "uncertain")
        ]


async def test_parts_that_were_not_begun_are_sent(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.model.answer = lambda _: "\n\n".join(f"paragraph {number} " + "x" * 3000 for number in range(3))
        await talk.ask("hello")
        await talk.database.execute("UPDATE outbox SET state = 'pending', receipt = NULL WHERE part > 1")
        await orphan(talk.database, "composed", end="answered")
        await talk.settled()
        assert [answer[:11] for answer in talk.answers()] == [f"paragraph {n}" for n in (0, 1, 2, 1, 2)]
        assert await talk.outcomes() == ["answered"]


async def test_what_fails_again_and_again_gets_an_apology(talk: Talk) -> None:
    await talk.ask("hello")
    await orphan(talk.database, "open", attempts=3)
    await talk.settled()
    assert talk.answers() == [ParleyError.public]
    assert await talk.outcomes() == ["apologised"]
    assert len(talk.model.calls) == 1
    assert await talk.column("SELECT state FROM model_calls") == ["interrupted"]


async def test_a_message_that_kills_its_worker_before_it_begins_gets_an_apology(talk: Talk) -> None:
    await talk.ask("hello")
    await talk.database.execute(
        "UPDATE inbox SET state = 'waiting', turn_id = NULL, outcome = NULL, attempts = 2"
    )
    await talk.database.execute(f"{EXPIRE}, wake_at = now()")
    await talk.settled()
    assert talk.answers() == ["echo: hello", ParleyError.public]
    assert await talk.outcomes() == ["apologised"]


async def test_a_stop_that_came_while_nobody_worked_stops_the_answer_that_is_taken_up(talk: Talk) -> None:
    await talk.ask("hello")
    await orphan(talk.database, "open", lease="1 hour")
    talk.say("/stop")
    await talk.accepted()
    await talk.database.execute(EXPIRE)
    await talk.settled()
    assert talk.answers() == ["Stopped before there was anything to show."]
    assert await talk.outcomes() == ["answered", "answered"]


async def test_the_holder_of_an_old_lease_writes_nothing_more(talk: Talk) -> None:
    talk.model.latency = 1.0
    talk.say("hello")

    async def is_begun() -> bool:
        return bool(await talk.rows("SELECT 1 FROM outbox WHERE receipt IS NOT NULL"))

    await talk.world.gateway.turns.settled(is_begun)
    await talk.database.execute(
        "UPDATE conversations SET lease_token = lease_token + 1, lease_owner = $1, lease_until = now()",
        f"other-{uuid4()}",
    )
    await talk.settled()
    assert talk.answers() == ["echo: hello"]
    assert await talk.column("SELECT count(*) FROM messages") == [2]
    assert await talk.outcomes() == ["answered"]


@pytest.mark.parametrize(("drain", "latency"), [("20", 0.5), ("0.2", 60)])
async def test_a_stopping_gateway_ends_its_turns_or_hands_them_on(
    begin: Begin, drain: str, latency: float, database_url: str
) -> None:
    async with begin(PARLEY_TURNS__DRAIN_SECONDS=drain) as talk:
        talk.model.latency = latency
        talk.say("hello")
        await talk.telegram.next_answer("ann")
        telegram = talk.telegram
    database = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        (row,) = await database.fetch(
            "SELECT i.state, c.lease_owner, c.wake_at IS NOT NULL AS waits FROM inbox i"
            " JOIN conversations c ON c.id = i.conversation_id"
        )
    finally:
        await database.close()
    shown = [seen.text for seen in telegram.seen("ann") if seen.by_bot]
    if latency < 1:
        assert tuple(row) == ("done", None, False)
        assert shown == ["echo: hello"]
    else:
        assert tuple(row) == ("running", None, True)
        assert shown == ["…"]


async def test_what_was_handed_on_is_finished_by_the_next_in_the_same_message(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    async with TelegramSimulator() as telegram, ModelSimulator(latency=60) as model:
        around = environment_for(telegram, model, database_url, redis_url)
        settings = settings_for(tmp_path, {**around, "PARLEY_TURNS__DRAIN_SECONDS": "0.1"})
        async with running_gateway(settings):
            telegram.say("ann", "ann", "hello")
            placeholder = await telegram.next_answer("ann")
            await model.wait_for(lambda calls: len(calls) == 1)  # it is asked beside the placeholder
        assert placeholder.text == "…"
        model.latency = 0.0
        async with running_gateway(settings):
            await telegram.wait_for(lambda _: placeholder.text == "echo: hello")
        assert [seen.text for seen in telegram.seen("ann") if seen.by_bot] == ["echo: hello"]
        assert [call.outcome for call in model.calls] == ["cancelled", "done"]
