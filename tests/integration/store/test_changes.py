"""Questions that their authors edit or delete: in time, too late, and at the very moment they are begun."""

import asyncio
from dataclasses import replace

import pytest
from uuid_utils.compat import uuid7

from core.errors import Overtaken
from core.rows import Closing, Work, Writing
from tests.integration.store.ground import (
    Instance,
    begin,
    call_of,
    open_instance,
    part_of,
    said_of,
    settle,
    turn_of,
    whole_turn,
)
from tests.integration.store.proxy import Loss, running_proxy
from tests.integration.store.test_accept import order
from tests.integration.store.test_faults import blocked, locked
from tests.integration.store.test_fencing import everything

STATES = "SELECT state, outcome, revision, payload->>'text' FROM inbox ORDER BY seq"


def said(work: Work | None) -> list[str]:
    assert work is not None
    return [waiting.message.text for waiting in work.waiting]


async def look_again(one: Instance, work: Work) -> Work | None:
    return await one.journal.write(Writing(lease=work.lease, closing=Closing(turn_id=None)))


async def test_an_edit_in_time_changes_the_question(one: Instance) -> None:
    accepted = await one.accept("chat", "first words", key="key", owns=False)
    changed = await one.edit("key", "better words")
    assert changed.changed
    assert not changed.fresh
    assert changed.work is None
    assert (changed.inbox_id, changed.conversation_id) == (accepted.inbox_id, accepted.conversation_id)
    (work,) = await one.claim()
    assert said(work) == ["better words"]
    assert work.waiting[0].revision == 1
    await one.answer(work)
    assert await one.rows(STATES) == [("done", "answered", 1, "better words")]


async def test_an_edit_may_make_a_question_of_a_command(one: Instance) -> None:
    await one.accept("chat", "/helo", key="key", kind="command", owns=False)
    await one.edit("key", "hello", kind="message")
    assert await one.one("SELECT kind FROM inbox") == "message"


async def test_an_edit_that_changes_no_word_is_no_revision(one: Instance) -> None:
    """Platforms tell of edits when they have looked up a link, and of all edits more than once."""
    work = await one.work("chat", "words", key="key")
    assert (await one.edit("key", "words")).changed
    await one.edit("key", "other words")
    await one.edit("key", "other words")
    assert await one.rows(STATES) == [("waiting", None, 1, "other words")]
    with pytest.raises(Overtaken):
        await one.journal.write(begin(work, turn_of(work)))


async def test_a_deletion_in_time_withdraws_the_question_and_its_neighbours_stay(one: Instance) -> None:
    work = await one.work("chat", "1", key="1")
    await one.accept("chat", "2", key="2")
    assert (await one.delete("1")).changed
    assert (await one.delete("1")).changed  # told again
    with pytest.raises(Overtaken):
        await one.journal.write(begin(work, turn_of(work)))
    following = await look_again(one, work)
    assert said(following) == ["2"]
    assert following is not None
    assert await one.answer(following) is None
    assert await one.rows("SELECT state, outcome FROM inbox ORDER BY seq") == [
        ("done", "withdrawn"),
        ("done", "answered"),
    ]


async def test_an_idle_conversation_whose_only_question_was_deleted_goes_to_sleep(
    one: Instance, two: Instance
) -> None:
    await one.accept("chat", key="key", owns=False)
    await one.delete("key")
    (work,) = await two.claim()
    assert work.waiting == ()
    assert await look_again(two, work) is None
    assert await one.one("SELECT wake_at IS NULL AND lease_owner IS NULL FROM conversations")
    assert await two.claim() == []


@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_a_change_of_what_was_begun_or_answered_is_too_late(one: Instance, change: str) -> None:
    work = await one.work("chat", "words", key="key")
    for writing in whole_turn(work, turn_of(work)):
        await one.journal.write(writing)
        before = await everything(one)
        late = await one.accept("chat", "late", key="key", change=change)
        assert (late.changed, late.fresh, late.work) == (False, False, None)
        assert late.inbox_id == work.waiting[0].inbox_id
        assert await everything(one) == before


@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_a_change_of_what_nobody_knows_makes_nothing(one: Instance, change: str) -> None:
    before = await everything(one)
    found = await one.accept("chat", "what?", key="never seen", change=change)
    assert (found.changed, found.fresh, found.work) == (False, False, None)
    assert await everything(one) == before
    assert await one.one("SELECT count(*) FROM users") == 0


async def test_a_change_takes_no_lease_and_wakes_nobody(one: Instance) -> None:
    """Not even where the conversation is free."""
    accepted = await one.accept("chat", key="key", owns=False)
    row = "SELECT wake_at, lease_owner, lease_token, next_seq FROM conversations"
    before = await one.rows(row)
    assert (await one.edit("key", "other")).work is None
    assert await one.rows(row) == before
    assert accepted.work is None


async def test_a_question_and_its_changes_in_one_batch(one: Instance) -> None:
    """The arrival, two edits and another's deletion: the last edit counts, and a deletion before any edit."""
    await one.accept("warm-up", key="warm-up")
    found = await asyncio.gather(
        one.accept("chat", "1", key="1", owns=False),
        one.edit("1", "2"),
        one.edit("1", "3"),
        one.accept("chat", "gone", key="2", owns=False),
        one.delete("2"),
        one.edit("2", "not gone"),
        one.edit("3", "nobody knows"),
    )
    assert [each.fresh for each in found] == [True, False, False, True, False, False, False]
    assert [each.changed for each in found] == [False, True, True, False, True, True, False]
    assert await order(one, "chat") == ["3", "gone"]
    rows = await one.rows(STATES.replace("FROM inbox", "FROM inbox WHERE dedupe_key IN ('1', '2')"))
    assert rows == [("waiting", None, 1, "3"), ("done", "withdrawn", 0, "gone")]


async def test_a_change_follows_its_message_to_a_successor(one: Instance) -> None:
    work = await one.work("chat", "/new", kind="command")
    await one.accept("chat", "after", key="after")
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    successor = uuid7()
    _, changed = await asyncio.gather(
        one.close(work.lease, turn, successor_id=successor), one.edit("after", "afterwards")
    )
    assert (changed.changed, changed.conversation_id) == (True, successor)
    (claimed,) = await one.claim()
    assert said(claimed) == ["afterwards"]


async def test_a_write_that_was_overtaken_is_not_made_at_all(one: Instance) -> None:
    """Every set of rows that a write can have, and two more questions that did not change."""
    work = await one.work("chat", "1", key="1")
    await one.accept("chat", "2")
    (work,) = [each for each in [await look_again(one, work)] if each]
    turn = turn_of(work)
    call, part = call_of(work, turn), part_of(turn, state="sending")
    await one.edit("1", "other")
    before = await everything(one)
    whole = begin(work, turn, call=call, parts=(part,))
    closing = Closing(turn_id=turn.id, end="answered")
    messages = (said_of(work, turn, "user", "1"),)
    for writing in (
        whole,
        replace(whole, messages=messages, closing=closing),
        Writing(lease=work.lease, turn=turn, takes=work.waiting[:1], settlement=settle(call)),
    ):
        with pytest.raises(Overtaken):
            await one.journal.write(writing)
        assert await everything(one) == before
    following = await look_again(one, work)
    assert said(following) == ["other", "2"]
    assert following is not None
    assert await one.answer(following) is None


async def test_who_is_overtaken_does_not_hinder_neighbours_in_the_same_batch(one: Instance) -> None:
    held = [await one.work(f"chat-{n}", key=f"{n}") for n in range(6)]
    await one.delete("3")
    found = await asyncio.gather(
        *(one.journal.write(begin(work, turn_of(work))) for work in held), return_exceptions=True
    )
    assert [type(each) for each in found] == [Overtaken if n == 3 else type(None) for n in range(6)]
    assert await one.one("SELECT count(*) FROM turns") == 5


@pytest.mark.parametrize("change", ["edited", "deleted"])
@pytest.mark.parametrize("first", ["begin", "change"])
async def test_a_change_at_the_moment_of_the_begin(
    one: Instance, two: Instance, first: str, change: str
) -> None:
    """Both wait for the conversation; whoever came first has it, and the other finds what became of it."""
    work = await one.work("chat", "words", key="key")
    await two.accept("warm-up")
    turn = turn_of(work)
    both = [one.journal.write(begin(work, turn)), two.accept("chat", "new", key="key", change=change)]
    tasks: dict[str, asyncio.Task[object]] = {}
    async with locked(one, "chat"):
        names = ["begin", "change"]
        for many, name in enumerate(names if first == "begin" else reversed(names), 1):
            tasks[name] = asyncio.create_task(both[names.index(name)])
            await blocked(one, many)
    begun, changed = await asyncio.gather(tasks["begin"], tasks["change"], return_exceptions=True)
    assert (begun is None) == (first == "begin")
    assert (getattr(changed, "changed", None) is True) == (first == "change")
    (row,) = await one.rows(STATES.replace("FROM inbox", "FROM inbox WHERE dedupe_key = 'key'"))
    if first == "begin":
        assert row == ("running", None, 0, "words")
        assert await one.close(work.lease, turn) is None
    else:
        assert isinstance(begun, Overtaken)
        assert row == (
            ("waiting", None, 1, "new") if change == "edited" else ("done", "withdrawn", 0, "words")
        )
        assert await one.one("SELECT count(*) FROM turns") == 0


async def test_changes_and_begins_of_two_gateways_agree_on_one_order(one: Instance, two: Instance) -> None:
    for n in range(40):
        work = await one.work(f"chat-{n}", "words", key=f"{n}")
        begun, changed = await asyncio.gather(
            one.journal.write(begin(work, turn_of(work))),
            two.edit(f"{n}", "new") if n % 2 else two.delete(f"{n}"),
            return_exceptions=True,
        )
        assert not isinstance(changed, BaseException)
        assert isinstance(begun, Overtaken) == changed.changed


@pytest.mark.parametrize("loss", ["request", "answer"])
@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_a_change_whose_outcome_is_unknown_is_repeated(
    database_url: str, loss: Loss, change: str
) -> None:
    async with running_proxy(database_url) as (proxy, url), open_instance(url) as one:
        await one.accept("chat", "words", key="key", owns=False)
        proxy.lose(loss)
        assert (await one.accept("chat", "new", key="key", change=change)).changed
        assert proxy.lost == 1
        edited = ("waiting", None, 1, "new")
        assert await one.rows(STATES) == [edited if change == "edited" else ("done", "withdrawn", 0, "words")]


async def test_a_begin_is_repeated_though_an_edit_came_in_between(one: Instance) -> None:
    """The rows are this turn's already: the repeat of a begin is not overtaken, and the edit was too late."""
    work = await one.work("chat", "words", key="key")
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    assert not (await one.edit("key", "new")).changed
    assert await one.journal.write(begin(work, turn)) is None
    assert await one.rows(STATES) == [("running", None, 0, "words")]
    await one.accept("chat", "more")
    assert said(await one.close(work.lease, turn)) == ["more"]
    assert await one.journal.write(begin(work, turn)) is None  # done by this very turn


async def test_another_turn_does_not_take_what_a_turn_has(one: Instance) -> None:
    work = await one.work()
    await one.journal.write(begin(work, turn_of(work)))
    with pytest.raises(Overtaken):
        await one.journal.write(begin(work, turn_of(work)))
    assert await one.one("SELECT count(*) FROM turns") == 1
