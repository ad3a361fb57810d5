"""From a message to its answer: one, whole, in its place, with the right talk before it."""

import pytest
from redis.asyncio import Redis

from tests.integration.turn.conftest import Begin
from tests.integration.turn.talk import Talk

LONG = "\n".join(f"value_{number} = {'x' * 40} + {number}" for number in range(170))


async def test_a_streamed_answer_is_one_message_that_begins_without_answer_text(talk: Talk) -> None:
    words = "eins zwei drei vier fünf sechs sieben acht neun zehn"
    talk.model.answer = lambda _: words
    talk.model.tokens_per_second = 30
    talk.say("hello")
    seen = await talk.hear("zehn")
    await talk.settled()
    assert talk.answers() == [words]
    states = [version.text for version in seen.versions]
    assert states[0] == "…"
    assert len(states) > 3
    assert all(words.startswith(state) for state in states[1:])


async def test_the_placeholders_receipt_is_committed_before_answer_text_is_edited_in(talk: Talk) -> None:
    talk.model.tokens_per_second = 30
    talk.model.answer = lambda _: "one two three four five six"
    for number in range(5):
        await talk.ask(f"question {number}")
    committed = await talk.rows(
        "SELECT receipt, extract(epoch FROM updated_at)::float8 FROM outbox WHERE op = 'preview'"
    )
    for receipt, at in committed:
        edits = [
            call.at
            for call in talk.telegram.calls
            if call.method == "editMessageText" and str(call.params["message_id"]) == receipt
        ]
        assert edits
        assert at < min(edits)
    assert len(committed) == 5


async def test_every_part_is_recorded_with_its_receipt(talk: Talk) -> None:
    await talk.ask("hello")
    parts = await talk.rows("SELECT part, op, state, receipt FROM outbox ORDER BY created_at, op DESC")
    (answer,) = [seen for seen in talk.telegram.seen("ann") if seen.by_bot]
    assert parts == [(1, "preview", "sent", str(answer.id)), (1, "edit", "sent", str(answer.id))]


async def test_a_long_answer_comes_whole_and_in_order(talk: Talk) -> None:
    talk.model.answer = lambda _: f"Here it is.\n\n```python\n{LONG}\n```\n\nThat was it."
    answers = await talk.ask("write code")
    assert len(answers) > 2
    assert all(len(answer.encode("utf-16-le")) <= 2 * 4096 for answer in answers)
    said = "\n".join(answers).split("\n")
    assert [row for row in said if row.startswith("value_")] == LONG.split("\n")
    assert said[0] == "Here it is."
    assert said[-1] == "That was it."
    assert await talk.column("SELECT DISTINCT state FROM outbox") == ["sent"]


async def test_what_waits_of_one_author_is_answered_together(talk: Talk) -> None:
    talk.model.latency = 0.3
    talk.say("first")
    await talk.model.wait_for(lambda calls: calls)
    for text in ("second", "third", "fourth"):
        talk.say(text)
    await talk.settled()
    assert talk.answers() == ["echo: first", "echo: fourth"]
    assert talk.asked() == ["first", "echo: first", "second", "third", "fourth"]
    assert await talk.outcomes() == ["answered"] * 4
    assert len(await talk.rows("SELECT 1 FROM turns")) == 2


async def test_commands_are_never_merged_and_keep_their_place(talk: Talk) -> None:
    talk.model.latency = 0.3
    talk.say("first")
    await talk.model.wait_for(lambda calls: calls)
    for text in ("second", "/ask third", "/ask fourth", "fifth"):
        talk.say(text)
    await talk.settled()
    assert talk.answers() == [f"echo: {text}" for text in ("first", "second", "third", "fourth", "fifth")]


async def test_a_conversation_keeps_its_order_and_others_do_not_wait_for_it(talk: Talk) -> None:
    talk.model.latency = 0.2
    for number in range(4):
        for user in ("ann", "bob", "eve"):
            talk.say(f"/ask {user} {number}", user=user)
    await talk.settled()
    for user in ("ann", "bob", "eve"):
        assert talk.answers(user) == [f"echo: {user} {number}" for number in range(4)]


async def test_two_authors_in_a_group_are_told_apart_and_quoted(talk: Talk) -> None:
    group = {"chat": "team", "chat_type": "supergroup"}
    talk.model.latency = 0.2
    first = talk.say("@parley_bot I am first", user="ann", **group)
    await talk.model.wait_for(lambda calls: calls)
    second = talk.say("@parley_bot I am second", user="bob", **group)
    talk.say("@parley_bot me too", user="bob", **group)
    talk.telegram.say("team", "eve", "not for the bot")
    await talk.settled()
    assert talk.asked() == ["[ann] I am first", "echo: [ann] I am first", "[bob] I am second", "[bob] me too"]
    replies = [seen.extra.get("reply_to") for seen in talk.telegram.seen("team") if seen.by_bot]
    assert [str(reply) for reply in replies] == [str(first), str(second)]


@pytest.mark.parametrize("loss", ["none", "flushed", "flushed between every two"])
async def test_the_talk_before_is_shown_whether_redis_remembers_or_not(
    talk: Talk, redis_url: str, loss: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        for number in range(3):
            if loss == "flushed between every two" or (loss == "flushed" and number == 2):
                await redis.flushall()
            await talk.ask(f"question {number}")
    assert talk.asked() == ["question 0", "echo: question 0", "question 1", "echo: question 1", "question 2"]


async def test_no_more_than_the_last_twenty_messages_are_shown(talk: Talk, redis_url: str) -> None:
    for number in range(12):
        await talk.ask(f"question {number}")
    cached = talk.asked()
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    await talk.ask("one more")
    rebuilt = talk.asked()
    assert cached == [f"{sign}question {number}" for number in range(1, 11) for sign in ("", "echo: ")] + [
        "question 11"
    ]
    assert rebuilt[:-1] == [*cached[2:], "echo: question 11"]


async def test_answers_go_on_without_redis(begin: Begin) -> None:
    async with begin(REDIS_URL="redis://127.0.0.1:1/0") as talk:
        assert await talk.ask("first") == ["echo: first"]
        assert await talk.ask("second") == ["echo: second"]
        assert talk.asked() == ["first", "echo: first", "second"]
