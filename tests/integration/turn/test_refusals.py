"""Who is too fast, too long or a stranger hears it once, and every message is still accounted for."""

import asyncio

import pytest

from core.observe import Step
from core.turn import Turn
from tests.integration.turn.conftest import Begin
from tests.integration.turn.orphans import EXPIRE
from tests.integration.turn.talk import Talk


def reactions(talk: Talk) -> int:
    return len([call for call in talk.telegram.calls if call.method == "setMessageReaction"])


async def test_who_is_too_fast_hears_it_once_a_minute(begin: Begin) -> None:
    async with begin(PARLEY_LIMITS__USER_PER_MINUTE="3") as talk:
        for number in range(6):
            await talk.ask(f"/ask {number}")
        await talk.ask("hello", user="bob")
        told = talk.answers()
        assert told[:3] == [f"echo: {number}" for number in range(3)]
        (refusal,) = told[3:]
        assert "too fast" in refusal
        assert "Please wait" in refusal
        assert talk.answers("bob") == ["echo: hello"]
        assert await talk.outcomes() == ["answered"] * 3 + ["refused"] * 3 + ["answered"]
        assert reactions(talk) == 2
        assert len(talk.model.calls) == 4


class Death:
    """Comes to the holder of one message when it has been admitted or refused, and nothing been said yet."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.came = asyncio.Event()

    def __call__(self, turn: Turn, step: str, seconds: float) -> None:
        if step == Step.ADMIT and turn.asked.message.text == self._text and not self.came.is_set():
            self.came.set()
            raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("rule", "value", "before", "words"),
    [
        ("PARLEY_LIMITS__USER_PER_MINUTE", "1", ["hello"], "too fast"),
        ("PARLEY_ACCESS", "allowlist", [], "let you in"),
    ],
)
async def test_a_refusal_whose_holder_died_is_said_by_the_next(
    begin: Begin, rule: str, value: str, before: list[str], words: str
) -> None:
    death = Death("please")
    async with begin(death, **{rule: value}) as talk:
        for text in before:
            await talk.ask(text)
        talk.say("please")
        await death.came.wait()
        assert len(talk.answers()) == len(before)
        await talk.database.execute(EXPIRE)
        await talk.settled()
        (refusal,) = talk.answers()[len(before) :]
        assert words in refusal
        assert await talk.ask("and now?") == []
        assert await talk.outcomes() == ["answered"] * len(before) + ["refused"] * 2


async def test_the_limit_is_sixty_where_nobody_set_another(talk: Talk) -> None:
    assert talk.world.gateway.settings.limits.user_per_minute == 60


async def test_a_new_that_was_refused_begins_nothing(begin: Begin) -> None:
    async with begin(PARLEY_LIMITS__USER_PER_MINUTE="1") as talk:
        await talk.ask("remember me")
        await talk.ask("/new")
        assert await talk.outcomes() == ["answered", "refused"]
        assert await talk.column("SELECT is_active FROM conversations") == [True]


async def test_a_message_that_is_too_long_is_refused_with_the_limit(begin: Begin) -> None:
    async with begin(PARLEY_LIMITS__MESSAGE_CHARS="100") as talk:
        (refusal,) = await talk.ask("x" * 101)
        assert "101 characters" in refusal
        assert "100 at most" in refusal
        assert await talk.ask("x" * 100) == [f"echo: {'x' * 100}"]
        assert await talk.outcomes() == ["refused", "answered"]


async def test_a_message_beyond_the_token_budget_is_refused_with_the_limit(begin: Begin) -> None:
    async with begin(PARLEY_MODEL__CONTEXT_TOKENS="256") as talk:
        (refusal,) = await talk.ask("много слов " * 150)
        assert "too long" in refusal
        assert "256" in refusal
        assert talk.model.calls == []
        assert await talk.ask("short") == ["echo: short"]
        assert talk.asked() == ["short"]


async def test_many_messages_that_each_fit_are_answered_although_not_together(begin: Begin) -> None:
    async with begin(PARLEY_MODEL__CONTEXT_TOKENS="500") as talk:
        talk.model.latency = 0.2
        talk.say("first")
        await talk.model.wait_for(lambda calls: calls)
        for number in range(6):
            talk.say(f"{number} " + "слово " * 20)
        await talk.settled()
        assert set(await talk.outcomes()) == {"answered"}
        assert len(talk.model.calls) > 2


async def test_only_who_is_on_the_list_is_answered(begin: Begin) -> None:
    async with begin(PARLEY_ACCESS="allowlist", PARLEY_ALLOW="telegram:1111") as talk:
        assert await talk.ask("hello", user="ann", user_id=1111) == ["echo: hello"]
        (refusal,) = await talk.ask("hello", user="eve", user_id=2222)
        assert "operator has not let you in" in refusal
        assert await talk.ask("please", user="eve", user_id=2222) == []
        assert await talk.outcomes() == ["answered", "refused", "refused"]
        assert len(talk.model.calls) == 1


async def test_who_was_blocked_is_answered_no_more(talk: Talk) -> None:
    await talk.ask("hello")
    await talk.database.execute("UPDATE users SET is_blocked = true")
    (refusal,) = await talk.ask("hello again")
    assert "may not answer" in refusal
    assert len(talk.model.calls) == 1
