"""The first commit: each message once, in order, whoever else writes at the same moment."""

import asyncio
import random

import pytest

from core.errors import RowRefused
from core.rows import Closing, TurnRow, Writing
from tests.integration.store.ground import Instance, begin, open_instance, part_of, turn_of


async def order(one: Instance, chat: str) -> list[str]:
    """What was said in a chat, by sequence number."""
    rows = await one.rows(
        "SELECT i.payload->>'text' FROM inbox i JOIN conversations c ON c.id = i.conversation_id"
        " WHERE c.chat = :chat ORDER BY i.seq",
        chat=chat,
    )
    return [row[0] for row in rows]


@pytest.mark.parametrize("seed", range(6))
async def test_the_sequence_is_the_order_of_acceptance(database_url: str, seed: int) -> None:
    """Whatever the size of a batch."""
    chance = random.Random(seed)
    chats = [chance.choice("abcd") for _ in range(chance.randint(1, 120))]
    async with open_instance(database_url, most=chance.randint(1, 16)) as one:
        async with asyncio.TaskGroup() as group:
            for n, chat in enumerate(chats):
                group.create_task(one.accept(chat, str(n)))
                if chance.random() < 0.2:
                    await asyncio.sleep(0)
        for chat in set(chats):
            assert await order(one, chat) == [str(n) for n, other in enumerate(chats) if other == chat]


async def test_two_messages_of_a_new_conversation_in_one_batch_are_two_rows_under_one_lease(
    one: Instance,
) -> None:
    await one.accept("warm-up")
    first, second = await asyncio.gather(one.accept("new", "1"), one.accept("new", "2"))
    assert (first.fresh, second.fresh) == (True, True)
    assert first.conversation_id == second.conversation_id
    assert second.work is None
    assert first.work is not None
    assert [waiting.message.text for waiting in first.work.waiting] == ["1", "2"]
    assert [waiting.seq for waiting in first.work.waiting] == [0, 1]
    assert await one.one("SELECT next_seq FROM conversations WHERE chat = 'new'") == 2


async def test_a_message_delivered_twice_is_accepted_once(one: Instance) -> None:
    first = await one.accept(key="the same")
    again = await one.accept(key="the same")
    assert (first.fresh, again.fresh) == (True, False)
    assert again.work is None
    assert (again.inbox_id, again.conversation_id) == (first.inbox_id, first.conversation_id)


async def test_a_message_delivered_twice_in_one_batch_is_accepted_once(one: Instance) -> None:
    found = await asyncio.gather(*(one.accept(key="the same") for _ in range(3)))
    assert [accepted.fresh for accepted in found] == [True, False, False]
    assert len({accepted.inbox_id for accepted in found}) == 1
    assert await one.one("SELECT count(*) FROM inbox") == 1


async def test_one_key_in_two_chats_is_one_message(one: Instance) -> None:
    found = await asyncio.gather(one.accept("left", key="the same"), one.accept("right", key="the same"))
    assert [accepted.fresh for accepted in found] == [True, False]
    assert found[1].inbox_id == found[0].inbox_id


async def test_births_of_the_same_user_and_conversation_by_two_writers(one: Instance, two: Instance) -> None:
    """One user, one conversation, one lease; nothing lost and nobody is told that it was there already."""
    for example in range(40):
        chat = f"born-{example}"
        sides = [one, two] * 3
        arrivals = [(side, side.arrival(chat, sender=f"ann-{example}")) for side in sides]
        found = await asyncio.gather(*(side.journal.accept(arrival) for side, arrival in arrivals))
        assert all(accepted.fresh for accepted in found)
        assert [accepted.inbox_id for accepted in found] == [arrival.inbox_id for _, arrival in arrivals]
        assert len({accepted.conversation_id for accepted in found}) == 1
        assert sum(accepted.work is not None for accepted in found) == 1
    assert await one.one("SELECT count(*) FROM users") == 40
    assert await one.one("SELECT count(*) FROM conversations") == 40
    assert await one.one("SELECT count(*) FROM inbox") == 240
    said = "(SELECT count(*) FROM inbox WHERE conversation_id = c.id)"
    gaps = f"SELECT count(*) FROM conversations c WHERE next_seq <> {said}"
    assert await one.one(gaps) == 0


async def test_one_message_by_two_writers_is_fresh_for_one(one: Instance, two: Instance) -> None:
    for example in range(40):
        found = await asyncio.gather(
            *(side.accept(f"chat-{example}", key=f"key-{example}") for side in (one, two))
        )
        assert sorted(accepted.fresh for accepted in found) == [False, True]
        assert found[0].inbox_id == found[1].inbox_id
    assert await one.one("SELECT count(*) FROM inbox") == 40


async def test_a_bad_row_fails_alone(one: Instance) -> None:
    """A kind that the schema refuses, among good arrivals of the same batch."""
    bad = one.arrival("bad", kind="song")  # type: ignore[arg-type]
    await one.accept("warm-up")
    found = await asyncio.gather(
        *(one.accept(f"good-{n}") for n in range(7)),
        one.journal.accept(bad),
        *(one.accept(f"good-{n}") for n in range(7, 20)),
        return_exceptions=True,
    )
    assert [type(one) for one in found if isinstance(one, BaseException)] == [RowRefused]
    assert "ck_inbox_kind" in str(found[7])
    assert await one.one("SELECT count(*) FROM inbox WHERE dedupe_key <> 'bad'") == 21
    assert await one.one("SELECT count(*) FROM conversations WHERE chat = 'bad'") == 0


async def test_a_bad_turn_fails_alone(one: Instance) -> None:
    held = [await one.work(f"chat-{n}") for n in range(8)]
    turns = [turn_of(work) for work in held]
    writings = [Writing(lease=work.lease, turn=turn) for work, turn in zip(held, turns, strict=True)]
    sung = turn_of(held[3], state="sung")
    writings[3] = Writing(lease=held[3].lease, turn=sung, parts=(part_of(sung),))
    found = await asyncio.gather(*(one.journal.write(each) for each in writings), return_exceptions=True)
    assert [type(each) for each in found] == [RowRefused if n == 3 else type(None) for n in range(8)]
    assert await one.one("SELECT count(*) FROM turns") == 7
    assert await one.one("SELECT count(*) FROM outbox") == 0


async def test_the_connection_is_kept_for_the_neighbours_of_a_bad_row(one: Instance) -> None:
    await one.accept("warm-up")
    mine = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE application_name = 'parley'"
    before = await one.one(mine)
    with pytest.raises(RowRefused):
        await one.accept("bad", kind="song")
    await one.accept("good")
    assert await one.one(mine) == before


async def test_a_key_too_long_for_its_index_is_refused(one: Instance) -> None:
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    found = await asyncio.gather(one.accept(key=noise), one.accept("other"), return_exceptions=True)
    assert [type(each).__name__ for each in found] == ["RowRefused", "Accepted"]


MENDED = {
    "a\0b": "a\ufffdb",
    "a\ud83db": "a\ufffdb",
    "\udc00": "\ufffd",
    "\ud83d\ude00": "😀",
    "\0\ud800": "\ufffd\ufffd",
    "typed \\u0000 by hand": "typed \\u0000 by hand",
    "😀 \u2028 \x7f \x01": "😀 \u2028 \x7f \x01",
}


async def test_text_that_no_database_holds_is_mended(one: Instance) -> None:
    for number, (said, kept) in enumerate(MENDED.items()):
        work = await one.work(f"chat-{number}", said, sender=said)
        message = work.waiting[0].message
        assert (message.text, message.sender.id, message.sender.name) == (kept, kept, kept.title())


async def test_what_is_no_json_is_refused_before_it_meets_others(one: Instance) -> None:
    work = await one.work()
    turn = turn_of(work, config_version=2**70)
    with pytest.raises(RowRefused, match="JSON"):
        await one.journal.write(Writing(lease=work.lease, turn=turn))


async def test_a_message_without_a_key_is_refused(one: Instance) -> None:
    arrival = one.arrival()
    object.__setattr__(arrival.message, "dedupe_key", "")
    with pytest.raises(RowRefused, match="dedupe key"):
        await one.journal.accept(arrival)


async def test_two_writes_under_one_lease_are_done_one_after_the_other(one: Instance) -> None:
    """Even when the caller of the first has stopped waiting, and both would have met in one batch."""
    work = await one.work()
    turn = turn_of(work)
    left = asyncio.create_task(one.journal.write(begin(work, turn)))
    await asyncio.sleep(0)
    left.cancel()
    composed: TurnRow = turn_of(work, state="composed", turn_id=turn.id)
    ended = Writing(lease=work.lease, closing=Closing(turn_id=turn.id, end="answered"))
    await asyncio.gather(
        one.journal.write(Writing(lease=work.lease, turn=composed)), one.journal.write(ended)
    )
    assert await one.one("SELECT state FROM turns") == "closed"
    assert await one.one("SELECT lease_owner IS NULL FROM conversations")


async def test_a_stranger_account_is_refused(one: Instance) -> None:
    arrival = one.arrival()
    object.__setattr__(arrival.message.place, "account_id", arrival.inbox_id)
    with pytest.raises(RowRefused, match="fk_users_account_id_accounts"):
        await one.journal.accept(arrival)
