"""What kills its holder, or meets a fault of ours, is tried three times; then it ends."""

import pytest

from core.delivery import UNSURE
from core.errors import ParleyError
from core.observe import Step
from core.turn import Turn
from tests.integration.turn.conftest import Begin
from tests.integration.turn.orphans import EXPIRE, orphan
from tests.integration.turn.talk import Talk

PLAIN = {"PARLEY_TELEGRAM__STREAM": "false"}


def given_up(talk: Talk) -> float:
    return talk.counted("turns_given_up_total", channel="telegram")


@pytest.mark.parametrize("deaths", [1, 2])
async def test_what_outlived_fewer_than_three_holders_is_delivered(begin: Begin, deaths: int) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("hello")
        await orphan(talk.database, "composed", end="answered", part="pending", deaths=deaths)
        await talk.settled()
        assert talk.answers() == ["echo: hello"] * 2
        assert await talk.outcomes() == ["answered"]
        assert given_up(talk) == 0


@pytest.mark.parametrize("op", ["send", "edit"])
async def test_an_answer_that_killed_three_holders_is_confessed_and_kept(begin: Begin, op: str) -> None:
    async with begin(**(PLAIN if op == "send" else {})) as talk:
        await talk.ask("hello")
        await talk.database.execute("UPDATE outbox SET state = 'sending' WHERE op = $1", op)
        await orphan(talk.database, "composed", end="answered", deaths=3)
        talk.say("the next one")
        await talk.settled()
        assert talk.answers() == ["echo: hello", UNSURE, "echo: the next one"]
        assert await talk.outcomes() == ["uncertain", "answered"]
        assert given_up(talk) == 1


async def test_what_was_begun_often_and_composed_at_last_has_its_own_three(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("hello")
        await orphan(talk.database, "composed", attempts=3, end="answered", part="pending", deaths=4)
        await talk.settled()
        assert talk.answers() == ["echo: hello"] * 2
        assert await talk.outcomes() == ["answered"]


async def test_a_line_about_it_that_kills_too_is_the_last(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("hello")
        await talk.database.execute("UPDATE outbox SET state = 'sending', op = 'notice', receipt = NULL")
        await orphan(talk.database, "composed", end="answered", deaths=4)
        talk.say("the next one")
        await talk.settled()
        assert talk.answers() == ["echo: hello", "echo: the next one"]
        assert await talk.outcomes() == ["uncertain", "answered"]
        assert await talk.column("SELECT state FROM outbox ORDER BY created_at LIMIT 1") == ["uncertain"]


async def test_an_apology_that_kills_too_is_not_made_again(talk: Talk) -> None:
    await talk.ask("hello")
    await orphan(talk.database, "open", attempts=6)
    talk.say("the next one")
    await talk.settled()
    assert talk.answers() == ["echo: hello", "echo: the next one"]
    assert await talk.outcomes() == ["undeliverable", "answered"]
    assert await talk.rows("SELECT error FROM turns WHERE outcome = 'undeliverable'") == [
        ("ParleyError: it failed again and again",)
    ]
    assert given_up(talk) == 1


async def test_an_apology_has_its_own_three_chances(talk: Talk) -> None:
    await talk.ask("hello")
    await orphan(talk.database, "open", attempts=5)
    await talk.settled()
    assert await talk.outcomes() == ["apologised"]


async def test_the_reply_of_a_command_in_doubt_is_shown_again(begin: Begin) -> None:
    async with begin(**PLAIN) as talk:
        await talk.ask("hello")
        talk.telegram.fault("accept_then_drop", method="sendMessage")
        told, unsure = await talk.ask("/model")
        assert unsure == UNSURE
        assert await talk.ask("/again") == [told]
        assert await talk.ask("/again") == ["echo: hello"]


class Fault:
    """A fault of ours in one step of every turn whose question says so."""

    def __init__(self, step: str, times: int = 1000) -> None:
        self._step = step
        self.left = times

    def __call__(self, turn: Turn, step: str, seconds: float) -> None:
        if step == self._step and self.left and "poison" in turn.asked.message.text:
            self.left -= 1
            raise RuntimeError(f"a fault in {step}")


@pytest.mark.parametrize("step", [Step.ADMIT, Step.CHOOSE, Step.PROMPT, Step.BEGIN])
async def test_a_fault_before_anything_is_composed_is_an_apology_at_once(begin: Begin, step: str) -> None:
    async with begin(Fault(step)) as talk:
        talk.say("poison")
        await talk.settled()
        talk.say("the next one")
        await talk.settled()
        assert talk.answers() == [ParleyError.public, "echo: the next one"]
        assert await talk.outcomes() == ["apologised", "answered"]
        assert await talk.column("SELECT count(*) FROM model_calls WHERE state = 'reserved'") == [0]


@pytest.mark.parametrize("step", [Step.COMPOSE, Step.DELIVER, Step.CLOSE])
async def test_a_fault_after_that_ends_too_and_the_next_goes_on(begin: Begin, step: str) -> None:
    async with begin(Fault(step)) as talk:
        talk.say("poison")
        ended = "SELECT count(*) FROM inbox WHERE state = 'done'"

        async def is_ended() -> bool:
            if not talk.counted("leases_held"):  # its holder has let it lie
                await talk.database.execute(f"{EXPIRE} WHERE lease_owner IS NOT NULL")
            return int(await talk.database.fetchval(ended)) == 1

        await talk.world.gateway.turns.settled(is_ended)
        talk.say("the next one")
        await talk.settled()
        assert [text for text in talk.answers() if text != UNSURE] == ["echo: poison", "echo: the next one"]
        assert await talk.outcomes() == ["uncertain" if step == Step.DELIVER else "answered", "answered"]
        assert await talk.column("SELECT count(*) FROM outbox WHERE state IN ('sending', 'pending')") == [0]
