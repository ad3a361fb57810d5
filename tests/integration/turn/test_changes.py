"""A question that its author edits or deletes before anybody has begun to answer it.

The moment between being handed out and being begun is held open by a lock on the transcript, which the engine
reads in between when Redis knows nothing of the talk.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from prometheus_client import CollectorRegistry
from uuid_utils.compat import uuid7

from core.messages import InboundMessage, Place, Sender
from core.observe import Metrics
from core.rows import Accepted, Arrival
from core.store.database import open_engine
from core.store.journal import open_journal
from tests.integration.turn.talk import Talk


@asynccontextmanager
async def handed_out(talk: Talk, database_url: str) -> AsyncIterator[None]:
    """In here the first message of a talk is in the engine's hands, and nothing of its turn is written."""
    plain = database_url.replace("+asyncpg", "")
    locking, looking = await asyncpg.connect(plain), await asyncpg.connect(plain)
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'messages'::regclass"

    async def is_held() -> bool:
        return bool(await looking.fetchval(blocked))

    try:
        async with locking.transaction():
            await locking.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            talk.say("hello")
            await talk.world.gateway.turns.settled(is_held)
            yield
    finally:
        await locking.close()
        await looking.close()


async def delete(talk: Talk, database_url: str, text: str) -> Accepted:
    """What a channel hands in when the author of a message deletes it; Telegram tells no bot of that."""
    query = "SELECT account_id, dedupe_key, tenant_id FROM inbox WHERE payload->>'text' = $1"
    ((account, key, tenant),) = await talk.rows(query, text)
    message = InboundMessage(
        place=Place(account_id=UUID(str(account)), channel="telegram", chat="0"),
        sender=Sender(id="0", name="ann"),
        text="",
        dedupe_key=key,
        message_id="0",
        sent_at=datetime.now(UTC),
        change="deleted",
    )
    arrival = Arrival(
        inbox_id=uuid7(),
        user_id=uuid7(),
        conversation_id=uuid7(),
        tenant_id=UUID(str(tenant)),
        kind="message",
        message=message,
        owner=None,
        lease_seconds=1,
    )
    engine = open_engine(database_url)
    try:
        async with open_journal(engine, Metrics(CollectorRegistry())) as journal:
            accepted = await journal.accept(arrival)
            assert await journal.accept(replace(arrival, inbox_id=uuid7())) == accepted, "told twice"
            return accepted
    finally:
        await engine.dispose()


def placed(talk: Talk) -> int:
    return len([call for call in talk.telegram.calls if call.method == "sendMessage"])


async def test_an_edit_of_what_waits_is_what_gets_answered(talk: Talk) -> None:
    async with talk.fenced():
        question = talk.say("helo")
        await talk.accepted()
        talk.telegram.edit("ann", question, "hello")
        await talk.heard("messages_changed_total", channel="telegram", change="edited", in_time="yes")
    await talk.settled()
    assert talk.answers() == ["echo: hello"]
    assert talk.asked() == ["hello"]


async def test_an_edit_of_what_was_answered_changes_nothing(talk: Talk) -> None:
    question = talk.say("hello")
    await talk.settled()
    talk.telegram.edit("ann", question, "something else")
    await talk.heard("messages_changed_total", channel="telegram", change="edited", in_time="no")
    assert talk.answers() == ["echo: hello"]
    assert len(talk.model.calls) == 1


async def test_an_edit_of_what_was_handed_out_is_answered_in_its_new_form(
    talk: Talk, database_url: str
) -> None:
    async with handed_out(talk, database_url):
        talk.telegram.edit("ann", talk.telegram.seen("ann")[0].id, "good bye")
        await talk.heard("messages_changed_total", channel="telegram", change="edited", in_time="yes")
    await talk.settled()
    assert talk.answers() == ["echo: good bye"]
    assert [request["messages"][-1]["content"] for request in talk.model.requests] == ["good bye"]
    assert placed(talk) == 1
    assert await talk.outcomes() == ["answered"]
    assert await talk.column("SELECT content FROM messages WHERE role = 'user'") == ["good bye"]


async def test_talk_that_becomes_a_command_is_one_and_the_other_way_round(talk: Talk) -> None:
    async with talk.fenced():
        first, second = talk.say("/usag"), talk.say("hstory")
        await talk.accepted()
        talk.telegram.edit("ann", first, "how much did I use?")
        talk.telegram.edit("ann", second, "/history")
        await talk.heard("messages_changed_total", 2, channel="telegram", change="edited", in_time="yes")
    await talk.settled()
    told, history = talk.answers()
    assert told == "echo: how much did I use?"
    assert history.startswith("What was said last")


async def test_what_was_withdrawn_while_it_waited_is_never_answered(talk: Talk, database_url: str) -> None:
    async with talk.fenced():
        talk.say("first")
        talk.say("second")
        await talk.accepted()
        assert (await delete(talk, database_url, "second")).changed
    await talk.settled()
    assert talk.answers() == ["echo: first"]
    assert talk.asked() == ["first"]
    assert await talk.outcomes() == ["answered", "withdrawn"]


async def test_what_was_withdrawn_when_handed_out_shows_nothing_and_asks_no_model(
    talk: Talk, database_url: str
) -> None:
    async with handed_out(talk, database_url):
        assert (await delete(talk, database_url, "hello")).changed
    await talk.settled()
    assert await talk.outcomes() == ["withdrawn"]
    assert await talk.ask("and now?") == ["echo: and now?"]
    assert len(talk.model.calls) == placed(talk) == 1
    assert await talk.column("SELECT count(*) FROM turns") == [1]


async def test_what_was_answered_cannot_be_withdrawn(talk: Talk, database_url: str) -> None:
    await talk.ask("hello")
    assert not (await delete(talk, database_url, "hello")).changed
    assert await talk.outcomes() == ["answered"]
