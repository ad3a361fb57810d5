"""SIGTERM: nothing new is taken, what runs is finished or handed back, and the exit code is 0."""

from signal import SIGTERM

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from tests.e2e.programs import SECONDS, gateway
from tests.e2e.test_telegram_kills import answers


async def test_a_running_turn_is_finished(
    environment: dict[str, str], telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    model.fault("stall", seconds=1, after=1)
    async with gateway(environment) as program:
        telegram.say("ann", "ann", "first")
        await model.wait_for(lambda calls: calls and calls[0].sent_tokens == 1, timeout=SECONDS)
        program.process.send_signal(SIGTERM)
        await program.logged("stopping")
        telegram.say("ann", "ann", "said too late")
        assert await program.ended() == 0
    assert answers(telegram, "ann") == ["echo: first"]
    assert [event["end"] for event in program.events if event["event"] == "turn ended"] == ["answered"]
    assert program.events[-1]["event"] == "stopped"


async def test_a_turn_that_takes_too_long_is_handed_back_and_answered_by_another(
    environment: dict[str, str], telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    around = {
        **environment,
        "PARLEY_TURNS__DRAIN_SECONDS": "1",
        "PARLEY_TURNS__LEASE_SECONDS": "600",  # nobody waits for this to run out
    }
    model.fault("stall", seconds=60, after=1)
    async with gateway(around) as one, gateway(around) as other:
        await one.until(lambda: "channel up" in one.log or "channel standby" in one.log)
        await other.until(lambda: "channel up" in other.log or "channel standby" in other.log)
        telegram.say("ann", "ann", "first")
        await model.wait_for(lambda calls: calls and calls[0].sent_tokens == 1, timeout=SECONDS)
        poller = one if "channel up" in one.log else other
        poller.send_signal(SIGTERM)
        assert await poller.ended() == 0
        await poller.logged("conversation handed back")
        stander = other if poller is one else one
        await stander.logged("turn ended", end="answered")
        telegram.say("ann", "ann", "second")
        await telegram.wait_for(lambda seen: seen[-1].text == "echo: second", timeout=SECONDS)
    assert answers(telegram, "ann") == ["echo: first", "echo: second"]
    assert "another poller" not in one.log + other.log
