"""What waited too long: one line for all of it, after a day not even that, and after a restore no guess."""

from core.delivery import UNSURE
from core.overdue import TEXTS
from tests.integration.turn.conftest import Begin
from tests.integration.turn.orphans import orphan
from tests.integration.turn.talk import Talk

LATE, DOUBTED = TEXTS["late"], TEXTS["doubted"]
DAY = 24 * 60.0
PLAIN = {"PARLEY_TELEGRAM__STREAM": "false"}


async def test_a_backlog_gets_one_apology_however_much_waits(talk: Talk) -> None:
    async with talk.fenced():
        for number in range(60):  # more than one turn is handed
            talk.say(f"question {number}")
        for text in ("/help", "/stop", "/new"):
            talk.say(text)
        talk.say("and I", user="bob")
        await talk.age(16)
    await talk.settled()
    assert talk.answers() == talk.answers("bob") == [LATE]
    assert set(await talk.outcomes()) == {"apologised"}
    assert talk.model.calls == []
    assert await talk.column("SELECT is_active FROM conversations") == [True, True]
    assert talk.counted("turns_overdue_total", channel="telegram", why="late") == 2


async def test_what_came_lately_is_answered_beside_an_apology_for_the_rest(talk: Talk) -> None:
    async with talk.fenced():
        for text in ("long ago", "less long ago", "just now"):
            talk.say(text)
        await talk.age(25 * 60, "seq = 0")
        await talk.age(20, "seq = 1")
    await talk.settled()
    assert talk.answers() == [LATE, "echo: just now"]
    assert await talk.outcomes() == ["stale", "apologised", "answered"]
    assert talk.asked() == ["just now"]


async def test_what_is_a_day_old_is_closed_without_a_word_and_reported(talk: Talk) -> None:
    async with talk.fenced():
        for number in range(3):
            talk.say(f"question {number}")
        await talk.age(DAY + 1)
    await talk.settled()
    assert talk.telegram.seen("ann")[3:] == []
    assert await talk.outcomes() == ["stale"] * 3
    assert talk.counted("turns_overdue_total", channel="telegram", why="stale") == 1
    assert talk.counted("turns_ended_total", channel="telegram", end="stale") == 1
    assert await talk.ask("hello") == ["echo: hello"]


async def test_a_stranger_is_refused_and_hears_nothing_of_an_absence(begin: Begin) -> None:
    async with begin(PARLEY_ACCESS="allowlist", PARLEY_ALLOW="telegram:1") as talk:
        async with talk.fenced():
            talk.say("hello", user="eve")
            await talk.age(16)
        await talk.settled()
        (refusal,) = talk.answers("eve")
        assert "not let you in" in refusal
        assert await talk.outcomes() == ["refused"]


async def test_after_a_restore_nothing_is_answered_blindly_and_one_line_says_so(talk: Talk) -> None:
    async with talk.fenced(lifted_as="uncertain"):
        for number in range(3):
            talk.say(f"question {number}")
        await talk.age(2)
    await talk.settled()
    assert talk.answers() == [DOUBTED]
    assert await talk.outcomes() == ["uncertain"] * 3
    assert talk.model.calls == []
    assert await talk.rows("SELECT op, state FROM outbox") == [("notice", "sent")]
    (again,) = await talk.ask("/again")
    assert "No answer to your last message is stored" in again
    assert await talk.ask("hello") == ["echo: hello"]
    assert await talk.ask("/again") == ["echo: hello"]


async def test_an_answer_that_was_begun_too_long_ago_becomes_the_apology(talk: Talk) -> None:
    await talk.ask("hello")
    async with talk.fenced():
        await orphan(talk.database, "open")
        await talk.age(16)
    await talk.settled()
    assert talk.answers() == [LATE]
    assert await talk.rows("SELECT outcome, kind FROM turns") == [("apologised", "apology")]
    assert await talk.column("SELECT state FROM model_calls") == ["interrupted"]
    assert len(talk.model.calls) == 1


async def test_an_answer_that_was_begun_yesterday_is_closed_as_it_stands(talk: Talk) -> None:
    await talk.ask("hello")
    async with talk.fenced():
        await orphan(talk.database, "open")
        await talk.database.execute("UPDATE outbox SET state = 'sending', receipt = NULL")
        await talk.age(DAY + 1)
    await talk.settled()
    assert talk.answers() == ["echo: hello"]
    assert await talk.outcomes() == ["stale"]
    assert await talk.column("SELECT state FROM outbox") == ["uncertain"]


async def test_an_answer_that_is_ready_is_delivered_late(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("hello")
        async with talk.fenced():
            talk.say("and this waits behind it")
            await orphan(talk.database, "composed", end="answered", part="pending")
            await talk.age(16)
        await talk.settled()
        assert talk.answers() == ["echo: hello", "echo: hello", LATE]
        assert await talk.outcomes() == ["answered", "apologised"]


async def test_an_apology_that_had_to_wait_still_speaks_for_all(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.telegram.fault("too_many_requests", method="sendMessage", chat="ann", seconds=300)
        async with talk.fenced():
            talk.say("first")
            talk.say("/help")
            await talk.age(16)
        parked = "SELECT wake_at > now() + interval '4 minutes' FROM conversations"

        async def is_parked() -> bool:
            return await talk.column(parked) == [True]

        await talk.world.gateway.turns.settled(is_parked)
        assert talk.counted("turns_parked_total", channel="telegram") == 1
        await talk.database.execute("UPDATE conversations SET wake_at = now()")
        await talk.settled()
        assert talk.answers() == [LATE]
        assert await talk.outcomes() == ["apologised"] * 2


async def test_an_answer_of_yesterday_is_not_sent(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.model.answer = lambda _: "\n\n".join(f"paragraph {number} " + "x" * 3000 for number in range(3))
        await talk.ask("hello")
        async with talk.fenced():
            await orphan(talk.database, "composed", end="answered")
            await talk.database.execute("UPDATE outbox SET state = 'pending' WHERE part > 1")
            await talk.age(DAY + 1)
        await talk.settled()
        assert len(talk.answers()) == 3
        assert await talk.outcomes() == ["stale"]
        assert await talk.column("SELECT state FROM outbox ORDER BY part") == ["sent", "dead", "dead"]


async def test_an_answer_from_before_a_restore_is_confessed_and_kept_for_again(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("hello")
        async with talk.fenced(lifted_as="uncertain"):
            talk.say("and this waited behind it")
            await orphan(talk.database, "composed", end="answered", part="pending")
            await talk.age(2)
        await talk.settled()
        assert talk.answers() == ["echo: hello", UNSURE]
        assert await talk.outcomes() == ["uncertain"] * 2
        assert await talk.rows("SELECT op, state FROM outbox ORDER BY created_at") == [
            ("send", "uncertain"), ("notice", "sent"),
        ]  # fmt: skip
        assert await talk.ask("/again") == ["echo: hello"]
