"""What Telegram does to an answer on its way, and what the person ends up with."""

from core.delivery import UNSURE
from tests.integration.turn.conftest import Begin
from tests.integration.turn.talk import Talk

PLAIN = {"PARLEY_TELEGRAM__STREAM": "false"}


def sends(talk: Talk, method: str = "sendMessage") -> list[str]:
    return [call.params["text"] for call in talk.telegram.calls if call.method == method]


async def test_a_short_wait_is_waited(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.telegram.fault("too_many_requests", method="sendMessage", seconds=1)
        assert await talk.ask("hello") == ["echo: hello"]
        assert len(sends(talk)) == 2


async def test_a_long_wait_parks_the_conversation_and_others_go_on(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.telegram.fault("too_many_requests", method="sendMessage", chat="ann", seconds=300)
        talk.say("hello")
        await talk.telegram.wait_for(lambda _: [one for one in talk.telegram.calls if one.status == 429])
        talk.say("bob is not held up", user="bob")
        await talk.hear("bob is not held up", chat="bob")
        talk.say("and after that")
        await talk.accepted()
        parked = "SELECT wake_at > now() + interval '4 minutes', lease_owner FROM conversations"

        async def is_parked() -> bool:
            return await talk.rows(f"{parked} WHERE wake_at > now()") == [(True, None)]

        await talk.world.gateway.turns.settled(is_parked)
        assert talk.answers() == []
        await talk.database.execute("UPDATE conversations SET wake_at = now() WHERE wake_at > now()")
        await talk.settled()
        assert talk.answers() == ["echo: hello", "echo: and after that"]
        assert talk.asked() == ["hello", "echo: hello", "and after that"]
        assert await talk.outcomes() == ["answered"] * 3


async def test_a_lost_response_is_confessed_once_and_again_shows_the_answer(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.telegram.fault("accept_then_drop", method="sendMessage")
        assert await talk.ask("hello") == ["echo: hello", UNSURE]
        assert await talk.outcomes() == ["uncertain"]
        assert sends(talk) == ["echo: hello", UNSURE]
        assert await talk.ask("/again") == ["echo: hello"]
        assert await talk.rows("SELECT op, state FROM outbox ORDER BY created_at LIMIT 2") == [
            ("send", "uncertain"), ("notice", "sent"),
        ]  # fmt: skip


async def test_while_streaming_a_lost_response_costs_at_most_a_placeholder(talk: Talk) -> None:
    talk.telegram.fault("accept_then_drop", method="sendMessage")
    talk.model.tokens_per_second = 20
    await talk.ask("one two three")
    assert talk.answers() == ["…", "echo: one two three"]
    assert await talk.outcomes() == ["answered"]


async def test_while_streaming_a_lost_edit_is_simply_repeated(talk: Talk) -> None:
    talk.telegram.fault("accept_then_drop", method="editMessageText", times=2)
    assert await talk.ask("hello") == ["echo: hello"]
    assert await talk.outcomes() == ["answered"]


async def test_previews_that_are_refused_cost_only_themselves(talk: Talk) -> None:
    talk.model.tokens_per_second = 20
    talk.telegram.fault("too_many_requests", method="sendMessage", seconds=1)
    assert await talk.ask("one two three") == ["echo: one two three"]
    talk.telegram.fault("too_many_requests", method="editMessageText", seconds=1)
    assert await talk.ask("four five six") == ["echo: four five six"]
    assert await talk.outcomes() == ["answered"] * 2


async def test_who_blocked_the_bot_gets_nothing_and_costs_no_repeats(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.telegram.fault("forbidden", method="sendMessage", chat="ann", times=100)
        assert await talk.ask("hello") == []
        assert sends(talk) == ["echo: hello"]
        assert await talk.outcomes() == ["undeliverable"]
        assert await talk.ask("hello", user="bob") == ["echo: hello"]


async def test_a_server_error_leaves_telegram_unsure_and_so_are_we(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.telegram.fault("server_error", method="sendMessage")
        assert await talk.ask("hello") == [UNSURE]
        assert await talk.ask("/again") == ["echo: hello"]


async def test_the_rest_of_a_long_answer_is_not_sent_after_a_part_in_doubt(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        talk.model.answer = lambda _: "\n\n".join(f"paragraph {number} " + "x" * 3000 for number in range(3))
        talk.telegram.fault("accept_then_drop", method="sendMessage")
        answers = await talk.ask("hello")
        assert [answer[:11] for answer in answers] == ["paragraph 0", UNSURE[:11]]
        shown = await talk.ask("/again")
        assert [answer[:11] for answer in shown] == [f"paragraph {number}" for number in range(3)]


async def test_an_answer_whose_placeholder_was_deleted_is_sent_instead(talk: Talk) -> None:
    talk.model.latency = 0.3
    talk.say("hello")
    placeholder = await talk.telegram.next_answer("ann")
    talk.telegram.world.ledger.delete(placeholder, talk.telegram.clock.now())
    chat = talk.telegram.world.find("ann")
    assert chat is not None
    del chat.messages[int(placeholder.id)]
    await talk.settled()
    assert talk.answers() == ["echo: hello"]
    assert await talk.outcomes() == ["answered"]
