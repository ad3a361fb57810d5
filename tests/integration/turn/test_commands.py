"""Every command, typed on Telegram as people type them."""

from redis.asyncio import Redis

from tests.integration.turn.conftest import Begin
from tests.integration.turn.talk import Talk

OFFERED = {"PARLEY_MODEL__OFFERED": "gpt-5-mini,other-model"}


async def test_start_greets_by_name_and_says_who_can_read(talk: Talk) -> None:
    (reply,) = await talk.ask("/start")
    for words in ("Hello ann", "bot", "gpt-5-mini", "operator can read"):
        assert words in reply
    assert talk.model.calls == []


async def test_help_lists_every_command(talk: Talk) -> None:
    (reply,) = await talk.ask("/help")
    for name in ["start", "help", "ask", "new", "model", "usage", "history", "stop", "retry", "again"]:
        assert f"/{name}" in reply
    assert await talk.ask("!help") == [reply]


async def test_ask_is_as_if_it_was_said(talk: Talk) -> None:
    assert await talk.ask("/ask what is this?") == ["echo: what is this?"]
    assert await talk.ask("!ask and that?") == ["echo: and that?"]
    assert talk.asked() == ["what is this?", "echo: what is this?", "and that?"]
    (reply,) = await talk.ask("/ask")
    assert "what to ask" in reply


async def test_an_unknown_slash_is_told_and_an_exclamation_is_only_talk(talk: Talk) -> None:
    (reply,) = await talk.ask("/foo bar")
    assert "/foo" in reply
    assert "/help" in reply
    assert await talk.ask("!wow nice") == ["echo: !wow nice"]
    assert await talk.column("SELECT kind FROM inbox ORDER BY seq") == ["command", "message"]


async def test_new_begins_without_the_talk_before(talk: Talk) -> None:
    await talk.ask("remember me")
    (reply,) = await talk.ask("/new")
    assert "new conversation" in reply
    await talk.ask("who am I?")
    assert talk.asked() == ["who am I?"]
    assert await talk.column("SELECT is_active FROM conversations ORDER BY started_at") == [False, True]


async def test_new_takes_along_what_waits(talk: Talk) -> None:
    talk.model.latency = 0.3
    talk.say("before")
    await talk.model.wait_for(lambda calls: calls)
    talk.say("/new")
    talk.say("after")
    await talk.settled()
    assert talk.answers()[-1] == "echo: after"
    assert talk.asked() == ["after"]
    assert await talk.outcomes() == ["answered"] * 3


async def test_model_tells_chooses_and_goes_back(begin: Begin) -> None:
    async with begin(**OFFERED) as talk:
        (told,) = await talk.ask("/model")
        assert "gpt-5-mini" in told
        assert "other-model" in told
        (chosen,) = await talk.ask("/model other-model")
        assert "other-model" in chosen
        await talk.ask("hello")
        (refused,) = await talk.ask("/model no-such-model")
        assert "no-such-model" in refused
        await talk.ask("still there?")
        await talk.ask("/model default")
        await talk.ask("and now?")
        used = ["other-model", "other-model", "gpt-5-mini"]
        assert [request["model"] for request in talk.model.requests] == used
        assert await talk.column("SELECT model FROM model_calls ORDER BY started_at") == used
        models = await talk.column(
            "SELECT model_used FROM messages WHERE role = 'assistant' ORDER BY timestamp"
        )
        assert models == used


async def test_usage_tells_tokens_as_the_vendor_billed_them(talk: Talk) -> None:
    await talk.ask("one two three")
    await talk.ask("four five")
    (reply,) = await talk.ask("/usage")
    bill = talk.model.bill.as_json()["totals"]
    assert f"2 model calls; {bill['prompt_tokens']} tokens in, {bill['completion_tokens']} out" in reply


async def test_usage_says_where_a_price_is_not_known(begin: Begin) -> None:
    async with begin(PARLEY_MODEL="unheard-of") as talk:
        await talk.ask("hello")
        (reply,) = await talk.ask("/usage")
        assert "1 of them at an unknown price" in reply


async def test_history_shows_who_said_what(talk: Talk) -> None:
    (empty,) = await talk.ask("/history")
    assert "Nothing" in empty
    await talk.ask("hello")
    (reply,) = await talk.ask("/history")
    assert reply.index("You: hello") < reply.index("I: echo: hello")


async def test_stop_without_an_answer_says_so(talk: Talk) -> None:
    assert await talk.ask("/stop") == ["There is no answer to stop."]


async def test_again_shows_the_last_answer(talk: Talk) -> None:
    (empty,) = await talk.ask("/again")
    assert "no answer" in empty
    await talk.ask("hello")
    await talk.ask("/help")
    assert await talk.ask("/again") == ["echo: hello"]
    assert len(talk.model.calls) == 1


async def test_retry_asks_the_last_question_as_it_was_asked(talk: Talk) -> None:
    (empty,) = await talk.ask("/retry")
    assert "no question" in empty
    await talk.ask("first")
    await talk.ask("second")
    assert await talk.ask("/retry") == ["echo: second"]
    assert talk.asked() == ["first", "echo: first", "second"]


async def test_retry_asks_again_what_only_got_an_apology(talk: Talk) -> None:
    await talk.ask("first")
    talk.model.fault("unauthorized")
    (apology,) = await talk.ask("second")
    assert "could not get an answer" in apology
    assert await talk.ask("/again") == ["echo: first"]
    assert await talk.ask("/retry") == ["echo: second"]
    assert talk.asked() == ["first", "echo: first", "second"]


async def test_retry_asks_all_of_a_merged_question(talk: Talk) -> None:
    talk.model.latency = 0.3
    talk.say("first")
    await talk.model.wait_for(lambda calls: calls)
    talk.say("half")
    talk.say("other half")
    await talk.settled()
    await talk.ask("/retry")
    assert talk.asked() == ["first", "echo: first", "half\nother half"]


async def test_retry_after_redis_forgot_leaves_no_hole_in_the_talk(talk: Talk, redis_url: str) -> None:
    """A list that is older than Postgres must not pass for the talk because of what is put on top."""
    await talk.ask("first")
    async with Redis.from_url(redis_url) as redis:
        (key,) = await redis.keys("context:conv:*")
        old = await redis.lrange(key, 0, -1)
        await talk.ask("second")
        await redis.delete(key)
        await redis.rpush(key, *old)
    await talk.ask("/retry")
    await talk.ask("third")
    assert [text for text in talk.asked() if not text.startswith("echo")] == [
        "first",
        "second",
        "second",
        "third",
    ]
