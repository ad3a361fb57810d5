"""Getting an answer out of a model: one attempt after another, until one is whole or none is left.

Every attempt is reserved in the ledger before the model is called and settled by the next commit. A
vendor that is away or slow gives way to the next model of the chain; one that refuses is not asked
again. Text that came before a break is kept for the case that nothing better follows.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from core.errors import ModelError, ModelRefused, ModelUnavailable
from core.ledger import Ledger
from core.messages import Delta, Finish, Prompt, Usage
from core.observe import Metrics
from core.points import reach
from core.ports import Clock, ModelProvider, ModelRequest, Tokens
from core.rows import CallRow, Settlement

log = structlog.get_logger(__name__)

Reserve = Callable[[str, int, Settlement | None], Awaitable[CallRow]]
"""Commits the ledger row of attempt n with a model, and the settlement of the attempt before."""

Show = Callable[[str], None]
ATTEMPTS = 3
"""Calls in a turn at most, or one for each model where the chain is longer."""
PAUSE = 0.5
"""Seconds before a model that failed is asked again, where its vendor names none."""
LONGEST_WAIT = 20.0
"""A vendor that asks us to stay away for longer (seconds) is not asked again in this turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of all attempts: `text` may be part of an answer when there is an `error` or when it was
    `stopped`. `settlement` is of the last attempt and still to be committed."""

    text: str
    settlement: Settlement
    model: str
    error: ModelError | None = None
    stopped: bool = False
    cut: bool = False


@dataclass(slots=True)
class _Heard:
    """What one attempt has given so far."""

    text: str = ""
    first_at: datetime | None = None
    finish: Finish | None = None
    error: ModelError | None = None


class _Chain:
    """The models in the order in which they are asked next. One that failed goes to the end and rests;
    one that refused, or wants to rest for too long, is not asked again."""

    def __init__(self, models: Sequence[str]) -> None:
        self._line = deque(models)
        self._rested = dict.fromkeys(models, 0.0)
        self._left = max(ATTEMPTS, len(models))

    @property
    def name(self) -> str:
        return self._line[0]

    def after(self, error: ModelError, now: float) -> float | None:
        """The first one failed so: seconds until the next may be asked, None when nobody is left."""
        self._left -= 1
        name, rest = self._line.popleft(), PAUSE if error.retry_after is None else error.retry_after
        if not isinstance(error, ModelRefused) and rest <= LONGEST_WAIT:
            self._line.append(name)
            self._rested[name] = now + rest
        if not self._line or not self._left:
            return None
        return max(0.0, self._rested[self.name] - now)


class Answering:
    """Asks the models of a chain for one turn."""

    def __init__(
        self, *, model: ModelProvider, ledger: Ledger, tokens: Tokens, clock: Clock, metrics: Metrics
    ) -> None:
        self._model = model
        self._ledger = ledger
        self._tokens = tokens
        self._clock = clock
        self._metrics = metrics

    async def ask(
        self,
        models: Sequence[str],
        prompt: Prompt,
        *,
        answer_tokens: int,
        seconds: float,
        stream: bool,
        reserve: Reserve,
        show: Show,
        stopped: asyncio.Event,
        owed: Settlement | None = None,
    ) -> Answer:
        """`seconds` are for all attempts together. `owed` is the settlement of an earlier holder's call."""
        deadline = self._clock.monotonic() + seconds
        chain, best, number = _Chain(models), "", 0
        while True:
            name = chain.name
            call = await reserve(name, number, owed)
            request = ModelRequest(
                model=name, messages=prompt.messages, max_tokens=answer_tokens, stream=stream
            )
            reach("T4")
            heard = await self._listen(request, deadline, show, stopped)
            answer = self._settle(call, heard, prompt, stopped=stopped.is_set())
            if answer.error is None and not answer.stopped:
                return answer
            best, number = max(best, answer.text, key=len), number + 1
            if answer.stopped or answer.error is None:
                return replace(answer, text=best)
            log.warning("model failed", model=name, error=str(answer.error), attempt=number)
            wait = chain.after(answer.error, self._clock.monotonic())
            if wait is None or self._clock.monotonic() + wait >= deadline:
                return replace(answer, text=best)
            if await _rested(wait, stopped):
                return replace(answer, text=best, stopped=True)
            owed = answer.settlement

    async def _listen(
        self, request: ModelRequest, deadline: float, show: Show, stopped: asyncio.Event
    ) -> _Heard:
        """One call, ended by its own end, by the deadline, or by the person."""
        heard = _Heard()
        left = deadline - self._clock.monotonic()
        try:
            async with asyncio.timeout(left) as limit:
                with _ended_by(stopped, limit):
                    await self._read(self._model.answer(request), heard, show)
        except TimeoutError:
            if not stopped.is_set():
                heard.error = ModelUnavailable("the time for this turn was up", code="deadline")
        except ModelError as error:
            heard.error = error
        except Exception as error:  # a provider that breaks its promise is one that is away
            log.exception("model provider broke", model=request.model)
            heard.error = ModelUnavailable(f"{type(error).__name__}: {error}", code="broken")
        return heard

    async def _read(self, pieces: AsyncIterator[Delta | Finish], heard: _Heard, show: Show) -> None:
        async with aclosing(pieces) as stream:  # type: ignore[type-var]
            async for piece in stream:
                if isinstance(piece, Finish):
                    heard.finish = piece
                else:
                    heard.first_at = heard.first_at or self._clock.now()
                    heard.text += piece.text
                    show(heard.text)
                    if heard.text == piece.text:
                        reach("T5")
        reach("T6")

    def _settle(self, call: CallRow, heard: _Heard, prompt: Prompt, *, stopped: bool) -> Answer:
        finish, error = heard.finish, heard.error
        whole = finish is not None and error is None
        if finish is not None:
            usage = finish.usage
        elif heard.text or stopped:
            completion = self._tokens.count(heard.text)
            usage = Usage(prompt=prompt.tokens, completion=completion, estimated=True)
        else:
            usage = Usage(estimated=True)
        if whole and not heard.text.strip():
            error = _said_nothing(finish)
        first = heard.first_at
        settlement = self._ledger.settle(
            call,
            state="settled" if whole else "interrupted" if heard.text or stopped else "failed",
            usage=usage,
            now=self._clock.now(),
            first_token_ms=round((first - call.started_at).total_seconds() * 1000) if first else None,
            finish=finish,
            error=f"{type(error).__name__}: {error}" if error else "",
        )
        self._count(call.model, settlement)
        return Answer(
            text=heard.text,
            settlement=settlement,
            model=settlement.model,
            error=error,
            stopped=stopped and not whole,
            cut=whole and finish is not None and finish.reason == "length",
        )

    def _count(self, model: str, settlement: Settlement) -> None:
        metrics, usage = self._metrics, settlement.usage
        metrics.model_calls.labels(model=model, state=settlement.state).inc()
        metrics.model_seconds.labels(model=model).observe(settlement.duration_ms / 1000)
        for kind, tokens in (
            ("prompt", usage.prompt),
            ("cached", usage.cached),
            ("completion", usage.completion),
        ):
            metrics.model_tokens.labels(model=model, kind=kind).inc(tokens)
        if settlement.cost_micro:
            metrics.model_cost_micro.labels(model=model).inc(settlement.cost_micro)


def _said_nothing(finish: Finish | None) -> ModelError:
    """An empty answer is none. One that ended by itself may come out otherwise the next time."""
    reason = finish.reason if finish else ""
    words = f"the model's answer was empty (it ended by {reason!r})"
    return (ModelUnavailable if reason == "stop" else ModelRefused)(words, code="empty")


async def _rested(seconds: float, stopped: asyncio.Event) -> bool:
    """Wait, or until the person stops it: was it that?"""
    # Not by `wait_for`: before Python 3.12 it forgets a cancellation that comes with the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
    return stopped.is_set()


@contextmanager
def _ended_by(stopped: asyncio.Event, limit: asyncio.Timeout) -> Iterator[None]:
    """In this block a stop is the end of the time: one task that waits costs less than asking in another."""
    watching = asyncio.create_task(_end_at(stopped, limit), name="stop")
    try:
        yield
    finally:
        watching.cancel()


async def _end_at(stopped: asyncio.Event, limit: asyncio.Timeout) -> None:
    await stopped.wait()
    limit.reschedule(asyncio.get_running_loop().time())
