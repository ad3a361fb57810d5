"""`parley demo --check`: one message to each platform, and was each answered exactly once?

Every platform is asked a sum of its own, so that no answer can be taken for another's. An answer counts when
a reader sees it, and when the inbox has nothing left, so that a second one cannot come.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bots.demo.stage import Stage
from bots.simulators.ledger import Seen

SUMS = {"telegram": (19, 23), "discord": (31, 7), "slack": (13, 17)}
WIDTHS = (9, 22, 9, 6, 13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one question. `answers` are the visible messages of the bot that answer it, `others`
    those that do not; `milliseconds` from Enter to the last change of the answer."""

    channel: str
    asked: str
    answers: int = 0
    others: int = 0
    edits: int = 0
    milliseconds: float | None = None
    why: str = ""

    @property
    def held(self) -> bool:
        return self.answers == 1 and self.others == 0 and not self.why


def verdict(outcomes: Sequence[Outcome], wanted: Sequence[str] = tuple(SUMS)) -> bool:
    """True only when every wanted platform was asked and answered exactly once."""
    asked = [outcome.channel for outcome in outcomes]
    return sorted(asked) == sorted(wanted) and all(outcome.held for outcome in outcomes)


async def check(stage: Stage, seconds: float = 20.0) -> list[Outcome]:
    """Ask on every platform at once; waits for each answer `seconds` at most."""
    there = [channel for channel in SUMS if channel in stage.platforms]
    outcomes = await asyncio.gather(*(_ask(stage, channel, seconds) for channel in there))
    absent = [channel for channel in SUMS if channel not in stage.platforms]
    return [*outcomes, *(Outcome(channel=name, asked="", why="there is no such channel") for name in absent)]


async def _ask(stage: Stage, channel: str, seconds: float) -> Outcome:
    left, right = SUMS[channel]
    asked, expected = f"What is {left} * {right}?", f"{left} * {right} = {left * right}"
    if (why := stage.missing().get(channel)) is not None:
        return Outcome(channel=channel, asked=asked, why=why)
    platform = stage.platforms[channel]
    stage.speak(channel, asked)
    why = ""
    try:
        async with asyncio.timeout(seconds):
            await platform.wait_for(lambda seen: _answers(seen, expected), seconds + 1)
            await stage.settled()
    except TimeoutError:
        why = f"no answer within {seconds:g} s"
    return judge(channel, asked, platform.seen(), expected, stage.asked_at[channel], why)


def judge(
    channel: str, asked: str, seen: Sequence[Seen], expected: str, asked_at: float, why: str = ""
) -> Outcome:
    """What a reader sees in the end, counted, of all that came after the question (epoch seconds)."""
    said = [each for each in seen if each.by_bot and each.versions[0].at >= asked_at]
    answers = _answers(said, expected)
    last = answers[-1].versions[-1].at if answers else None
    return Outcome(
        channel=channel,
        asked=asked,
        answers=len(answers),
        others=len(said) - len(answers),
        edits=sum(each.edits for each in answers),
        milliseconds=None if last is None else round((last - asked_at) * 1000, 1),
        why=why,
    )


def _answers(seen: Sequence[Seen], expected: str) -> list[Seen]:
    return [each for each in seen if each.by_bot and expected in each.text]


def as_json(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """For programs; `seconds` from the start of the verb."""
    return {
        "ok": verdict(outcomes),
        "seconds": round(seconds, 2),
        "channels": [asdict(outcome) for outcome in outcomes],
    }


def as_table(outcomes: Sequence[Outcome]) -> str:
    """For people: channel, asked, answered, edits, milliseconds."""
    lines = [("channel", "asked", "answered", "edits", "milliseconds"), *map(_row, outcomes)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, WIDTHS, strict=True)).rstrip()
        for line in lines
    )


def _row(outcome: Outcome) -> tuple[str, str, str, str, str]:
    answered = {0: "no", 1: "once"}.get(outcome.answers, f"{outcome.answers} times")
    if outcome.others:
        answered += f", and {outcome.others} more"
    took = f"{outcome.milliseconds:.0f}" if outcome.milliseconds is not None else outcome.why
    return outcome.channel, outcome.asked, answered, str(outcome.edits), took
