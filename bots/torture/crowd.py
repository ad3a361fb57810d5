"""The people and the model of a trial: who speaks, and what the answers name.

Every message carries a number of its own, and the model's answer names the numbers of all messages that it
answers, at its beginning and at its end: an answer that is whole, half, doubled or in the wrong place
can be told by its text alone.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from random import Random
from typing import Any

from bots.simulators.model import ModelSimulator
from bots.simulators.model.answers import text_of
from bots.torture.evidence import Said
from bots.torture.plan import Speech
from bots.torture.remains import NUMBER
from bots.torture.speaking import Platform

WHOLE = re.compile(r"Answer to (m\d+(?:, m\d+)*)\. .* End of \1\.", re.DOTALL)
BEGINNING = "Answer"
LONGEST_LATENCY = 0.6
TOKENS_PER_SECOND = 60.0
FILLER = (5, 30)


class Crowd:
    """Says the speeches of a plan. `said` grows as they are spoken."""

    def __init__(self, platforms: Mapping[str, Platform]) -> None:
        self._platforms = platforms
        self._said: list[Said] = []
        self._deleted: set[int] = set()

    @property
    def spoken(self) -> int:
        """How many were said so far."""
        return len(self._said)

    @property
    def said(self) -> list[Said]:
        """In the order said. What was deleted need not be accepted any more."""
        heard = (self._platforms[said.channel].heard(said) for said in self._said)
        return [
            replace(said, withdrawn=True, taken=inf) if said.number in self._deleted else said
            for said in heard
        ]

    async def speak(self, speeches: Sequence[Speech], *, at_once: bool = False) -> None:
        """All of these, each at its moment, and then whatever becomes of it."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.TaskGroup() as changes:
            for speech in speeches:
                if not at_once and (wait := start + speech.at - loop.time()) > 0:
                    await asyncio.sleep(wait)
                said = self._platforms[speech.channel].say(speech)
                self._said.append(said)
                if speech.change is not None:
                    changes.create_task(self._change(speech, said))

    async def _change(self, speech: Speech, said: Said) -> None:
        await asyncio.sleep(speech.changed_after)
        platform = self._platforms[speech.channel]
        if speech.change == "edited":
            platform.edit(speech, said)
        else:
            platform.delete(speech, said)
            self._deleted.add(speech.number)


class Answerer:
    """What the model says. `prompts` keeps which numbers each prompt showed it, old and new."""

    def __init__(self, model: ModelSimulator, seed: int) -> None:
        self.prompts: list[frozenset[int]] = []
        self._model = model
        self._seed = seed
        model.tokens_per_second = TOKENS_PER_SECOND

    def __call__(self, messages: Sequence[dict[str, Any]]) -> str:
        """Name the questions, and think as long over them as the seed wants."""
        numbers = asked(messages)
        users = [text_of(message) for message in messages if message.get("role") == "user"]
        self.prompts.append(frozenset(int(number) for text in users for number in NUMBER.findall(text)))
        random = Random(f"{self._seed} {numbers}")
        self._model.latency = random.uniform(0, LONGEST_LATENCY)  # it is read after its answer is made
        return answer(numbers, random.randint(*FILLER))


def asked(messages: Sequence[dict[str, Any]]) -> list[int]:
    """The numbers of what the user said last: several messages, where several were merged into a turn."""
    last: list[str] = []
    for message in reversed(messages):
        if message.get("role") != "user":
            break
        last.insert(0, text_of(message))
    return [int(number) for text in last for number in NUMBER.findall(text)]


def answer(numbers: Sequence[int], words: int) -> str:
    named = ", ".join(f"m{number}" for number in numbers)
    return f"Answer to {named}. {' '.join(['word'] * words)}. End of {named}."


def numbers_of(text: str) -> tuple[int, ...] | None:
    """The questions that a whole answer answers; None for any other text."""
    whole = WHOLE.fullmatch(text.strip())
    return tuple(int(number) for number in NUMBER.findall(whole[1])) if whole else None
