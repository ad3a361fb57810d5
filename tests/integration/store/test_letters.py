"""Dead letters: which turns they are, what belongs to one, and asking one again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from core.rows import Closing, End, Mark, Work, Writing
from core.store.letters import NoSuchTurn, PostgresLetters
from tests.integration.store.ground import Instance, begin, call_of, part_of, settle, turn_of


@pytest.fixture
def letters(one: Instance) -> PostgresLetters:
    return PostgresLetters(one.engine)


async def ended(
    one: Instance, end: End, *, error: str = "", chat: str = "chat", work: Work | None = None
) -> UUID:
    """A whole turn with this end; its id."""
    work = work or await one.work(chat, f"ends {end}")
    turn = turn_of(work, state="composed", end=end, error=error)
    await one.journal.write(begin(work, turn))
    await one.journal.write(Writing(lease=work.lease, closing=Closing(turn_id=turn.id, end=end)))
    return turn.id


async def test_only_what_ended_badly_is_a_dead_letter(one: Instance, letters: PostgresLetters) -> None:
    assert await letters.dead() == []
    ids = {
        end: await ended(one, end)
        for end in ("answered", "apologised", "refused", "withdrawn", "undeliverable", "uncertain", "stale")
    }
    failed = await ended(one, "apologised", error="the model was away")
    work = await one.work("other")
    unfinished = turn_of(work)
    await one.journal.write(begin(work, unfinished))
    assert [(letter.id, letter.end) for letter in await letters.dead()] == [
        (failed, "apologised"),
        (ids["stale"], "stale"),
        (ids["uncertain"], "uncertain"),
        (ids["undeliverable"], "undeliverable"),
    ]
    assert (await letters.dead(limit=1))[0].error == "the model was away"
    assert [one.id for one in await letters.dead(ends=["refused"])] == [ids["refused"]]
    (waits,) = await letters.dead(unfinished=True)
    assert (waits.id, waits.state, waits.end, waits.ended_at) == (unfinished.id, "open", None, None)
    assert {one.id for one in await letters.dead(unfinished=True, ends=["refused"])} == {
        unfinished.id,
        ids["refused"],
    }
    assert await letters.dead(channel="telegram") == []
    assert len(await letters.dead(channel="console")) == 4
    assert await letters.dead(since=datetime.now(UTC) + timedelta(minutes=1)) == []
    assert len(await letters.dead(since=datetime.now(UTC) - timedelta(minutes=1))) == 4


async def test_a_turn_is_found_by_the_beginning_of_its_id(one: Instance, letters: PostgresLetters) -> None:
    first, second = uuid7(), uuid7()
    for turn_id in (first, second):
        work = await one.work()
        turn = turn_of(work, turn_id=turn_id)
        await one.journal.write(begin(work, turn))
        await one.close(work.lease, turn)
    for words in (str(first), first.hex, str(first).upper(), str(first)[:-1]):
        assert (await letters.find(words)).id == first
    with pytest.raises(NoSuchTurn, match="several turns"):
        await letters.find(str(first)[:6])
    with pytest.raises(NoSuchTurn, match="no turn"):
        await letters.find(str(uuid7()))
    for words in ("", "-", "xyz", "0" * 33, "'; DROP TABLE turns"):
        with pytest.raises(NoSuchTurn, match="not the beginning of an id"):
            await letters.find(words)


async def test_a_turn_is_opened(one: Instance, letters: PostgresLetters) -> None:
    work = await one.work("chat", "a question")
    turn = turn_of(work)
    call, part = call_of(work, turn), part_of(turn, state="sending")
    await one.journal.write(begin(work, turn, call=call, parts=(part,)))
    mark = Mark(part_id=part.id, state="dead", error="they closed the door")
    closing = Closing(turn_id=turn.id, end="undeliverable")
    settlement = settle(call, error="slow")
    await one.journal.write(Writing(lease=work.lease, settlement=settlement, marks=(mark,), closing=closing))
    found = await letters.open(turn.id)
    (message,), (sent,), (called,) = found.messages, found.parts, found.calls
    assert (message["text"], message["state"], message["outcome"]) == ("a question", "done", "undeliverable")
    assert (sent["body"], sent["state"], sent["error"]) == ("an answer", "dead", "they closed the door")
    assert (called["model"], called["prompt_tokens"], called["error"]) == ("scripted", 10, "slow")
    nothing = await letters.open(uuid7())
    assert (nothing.messages, nothing.parts, nothing.calls) == ((), (), ())


async def test_a_question_is_asked_again_as_it_was(one: Instance, letters: PostgresLetters) -> None:
    """In the same place, by the same person, as one that is said now; every message of the turn."""
    work = await one.work("chat", "first")
    await one.accept("chat", "second")
    following = await one.close(work.lease)
    assert following is not None
    assert len(following.waiting) == 2
    turn_id = await ended(one, "uncertain", work=following)
    replay = await letters.replay(str(turn_id), one.journal)
    assert (replay.messages, replay.fresh) == (2, True)
    (again,) = await one.claim()
    assert again.line.place == work.line.place
    assert [waiting.message.text for waiting in again.waiting] == ["first", "second"]
    assert [waiting.message.dedupe_key for waiting in again.waiting] == [
        f"replay:{turn_id}:0",
        f"replay:{turn_id}:0.1",
    ]
    for waiting in again.waiting:
        assert waiting.user_id == following.waiting[0].user_id
        assert waiting.message.sender == following.waiting[0].message.sender
        assert waiting.asked_at == waiting.accepted_at  # by the database's clock, whatever ours says
    await one.answer(again)
    (first, _) = (await letters.open((await letters.dead(ends=["answered"]))[0].id)).messages
    assert first["sent_at"] is None


async def test_asking_twice_at_once_is_asking_once(
    one: Instance, two: Instance, letters: PostgresLetters
) -> None:
    turn_id = await ended(one, "stale")
    replays = await asyncio.gather(
        *(letters.replay(str(turn_id), instance.journal) for instance in (one, two, one))
    )
    assert sum(replay.fresh for replay in replays) == 1
    assert not (await letters.replay(str(turn_id), one.journal)).fresh
    (work,) = await one.claim()
    assert len(work.waiting) == 1
    await one.answer(work)
    assert (await letters.replay(str(turn_id), one.journal)).fresh
    (again,) = await one.claim()
    assert [waiting.message.dedupe_key for waiting in again.waiting] == [f"replay:{turn_id}:1"]


CLEARED: dict[str, Callable[[str], str]] = {
    "deleted": lambda turn: f"DELETE FROM inbox WHERE turn_id = '{turn}'",
    "emptied": lambda turn: f"UPDATE inbox SET payload = NULL WHERE turn_id = '{turn}'",
    "a stop": lambda turn: f"UPDATE inbox SET kind = 'stop' WHERE turn_id = '{turn}'",
}


@pytest.mark.parametrize("how", CLEARED)
async def test_what_is_cleared_cannot_be_asked_again(
    one: Instance, letters: PostgresLetters, how: str
) -> None:
    turn_id = await ended(one, "stale")
    await one.rows(CLEARED[how](str(turn_id)))
    with pytest.raises(NoSuchTurn, match="cleared"):
        await letters.replay(str(turn_id), one.journal)


async def test_an_open_turn_is_not_asked_again(one: Instance, letters: PostgresLetters) -> None:
    work = await one.work()
    turn: Any = turn_of(work)
    await one.journal.write(begin(work, turn))
    with pytest.raises(NoSuchTurn, match="has not ended yet"):
        await letters.replay(str(turn.id), one.journal)
    with pytest.raises(NoSuchTurn, match="there is no turn"):
        await letters.replay(str(uuid7()), one.journal)


async def test_a_talk_that_began_anew_hears_it_in_its_new_conversation(
    one: Instance, letters: PostgresLetters
) -> None:
    work = await one.work()
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    successor = uuid7()
    await one.close(work.lease, turn, successor_id=successor, keep=False)
    await letters.replay(str(turn.id), one.journal)
    (again,) = await one.claim()
    assert again.line.conversation_id == successor
