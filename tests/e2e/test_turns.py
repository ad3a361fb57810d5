"""Dead letters as an operator meets them: listed, shown, asked again."""

import json
from collections.abc import Mapping

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from tests.e2e.conftest import Start
from tests.e2e.programs import SECONDS, finished


async def test_a_dead_letter_is_listed_shown_and_asked_again(
    environment: Mapping[str, str], gateway: Start, telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    async with gateway(environment) as program:
        model.fault("unauthorized", times=10)
        telegram.say("ann", "ann", "what is it?")
        await program.logged("turn ended", end="apologised")
        model.faults.clear()

        listed = await finished("turns", "list", "--json", environment=environment)
        (letter,) = json.loads(listed.printed)["turns"]
        assert (letter["channel"], letter["end"]) == ("telegram", "apologised")
        assert letter["error"]

        shown = await finished("turns", "show", letter["id"], environment=environment)
        assert "outcome apologised" in shown.printed
        assert "what is it?" not in shown.printed

        replayed = await finished("turns", "replay", letter["id"], environment=environment)
        assert (await replayed.ended(), replayed.printed) == (0, "Asked again: one message.\n")
        await telegram.wait_for(
            lambda seen: any(one.by_bot and "what is it?" in one.text for one in seen), timeout=SECONDS
        )

    refused = await finished("turns", "replay", "ffff", environment=environment)
    assert await refused.ended() == 1
    assert "there is no turn 'ffff'" in refused.log
