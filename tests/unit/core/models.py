"""A model whose attempts are written down beforehand, and a turn's side of asking it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from prometheus_client import CollectorRegistry

from core.answer import Answer, Answering
from core.ledger import Ledger
from core.messages import Cost, Delta, Finish, Prompt, Usage
from core.observe import Metrics
from core.ports import ModelRequest
from core.rows import CallRow, Settlement
from tests.unit.core.samples import NOON, HandClock, Words, line, waiting

WHOLE = Finish(usage=Usage(prompt=11, completion=3))
FOREVER = object()
Step = str | Finish | Exception | object


class ScriptedModel:
    """Each call plays the next script: texts, a finish, an error to raise, or FOREVER."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self._scripts = list(scripts)
        self.requests: list[ModelRequest] = []
        self.silent, self.ended = asyncio.Event(), asyncio.Event()
        self.closed = 0

    async def answer(self, request: ModelRequest) -> AsyncIterator[Delta | Finish]:
        self.requests.append(request)
        try:
            for step in self._scripts.pop(0):
                if isinstance(step, Exception):
                    raise step
                if step is FOREVER:
                    self.silent.set()
                    await asyncio.Event().wait()
                yield Delta(text=step) if isinstance(step, str) else step  # type: ignore[misc]
        finally:
            self.closed += 1
            self.ended.set()

    @property
    def asked(self) -> list[str]:
        return [request.model for request in self.requests]


class OneEach:
    def cost(self, model: str, usage: Usage, at: object) -> Cost | None:
        return Cost(micro=usage.prompt + usage.completion, source="test")


@dataclass(slots=True)
class Asker:
    """Asks as a turn does, and keeps what was reserved, settled between attempts, and shown."""

    model: ScriptedModel
    clock: HandClock = field(default_factory=HandClock)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    reserved: list[CallRow] = field(default_factory=list)
    owed: list[Settlement | None] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    async def ask(self, *models: str, seconds: float = 100, **more: Any) -> Answer:
        ledger = Ledger(prices=OneEach())
        answering = Answering(
            model=self.model, ledger=ledger, tokens=Words(), clock=self.clock,
            metrics=Metrics(CollectorRegistry()),
        )  # fmt: skip

        async def reserve(name: str, number: int, owed: Settlement | None) -> CallRow:
            self.owed.append(owed)
            self.reserved.append(
                ledger.reserve(
                    call_id=uuid4(),
                    turn_id=uuid4(),
                    line=line(),
                    asked=waiting("hi"),
                    model=name,
                    attempt=number + 1,
                    prompt_tokens=11,
                    answer_tokens=50,
                    now=NOON,
                )
            )
            return self.reserved[-1]

        prompt = Prompt(messages=({"role": "user", "content": "hi"},), tokens=11)
        return await answering.ask(
            models, prompt, answer_tokens=50, seconds=seconds, stream=True, reserve=reserve,
            show=self.shown.append, stopped=self.stopped, **more,
        )  # fmt: skip
