"""The parts of an answer, sent one after another, each receipt committed before the next part goes.

Every part is written down as `sending` before its first attempt. What came of an attempt is one of:
sent; not sent (repeat); rejected (never in this form); ambiguous (it may have gone out). Only what
certainly did not go out is repeated blindly. An edit may always be repeated: twice the same edit is
one edit. What an ambiguous send allows is the channel's trait: repeat under the same key, look, or
stop and say so. A line that says so is an honest guess and no answer: where it may have gone out itself and
nobody can tell, it is not said twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog
from uuid_utils.compat import uuid7

from core.errors import Ambiguous, ChannelError, NotSent, Rejected, Unauthorized
from core.messages import OutboundMessage
from core.observe import Metrics
from core.points import reach
from core.ports import CanEdit, CanReadBack, ChannelAdapter, Clock
from core.rows import End, Mark, Part, PartState

log = structlog.get_logger(__name__)

Write = Callable[[Sequence[Mark], Sequence[Part]], Awaitable[None]]
"""Commits marks and new parts of the turn, under its lease."""

UNSURE = "My last reply may not have reached you. Send /again to get it."
PAUSES = (0.3, 1.0, 3.0)
"""Seconds between the attempts that a holder makes itself."""
PATIENCE = 10.0
"""Longer waits than this (seconds) park the conversation instead of holding it."""


async def unchallenged() -> None:
    """Nobody else can speak here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How it went. `end` is None where the turn's own end stands; `park` asks to try again after so many
    seconds. `marks` are for the commit that closes or parks the turn."""

    marks: tuple[Mark, ...] = ()
    end: End | None = None
    park: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What is known of a part after all attempts: `state` as the row will say it, "sending" where the
    message to edit is gone and a send must take the place of the edit."""

    state: PartState
    receipt: str | None = None
    error: str = ""
    wait: float = 0.0
    certain: bool = True


class Delivery:
    """Sends the parts of one turn."""

    def __init__(
        self,
        adapter: ChannelAdapter,
        shape: OutboundMessage,
        write: Write,
        clock: Clock,
        metrics: Metrics,
        *,
        pauses: Sequence[float] = PAUSES,
        rests_until: float = 0.0,
        prove: Callable[[], Awaitable[None]] = unchallenged,
    ) -> None:
        """`shape` is what all sends of the turn share: place and time; text, key and reply are a part's.
        `prove` comes before each attempt, and raises `LeaseLost` where somebody else may speak by now."""
        self._adapter = adapter
        self._shape = shape
        self._write = write
        self._clock = clock
        self._metrics = metrics
        self._pauses = pauses
        self._rests_until = rests_until
        self._prove = prove

    async def deliver(self, parts: Sequence[Part], *, resumed: bool = False) -> Delivered:
        """Send what is not sent. Of a resumed turn, a part in `sending` may have gone out already; of a
        fresh one it was only just written down."""
        owed = deque(_unsent(parts))
        doubtful = {part.id for part in owed if resumed and part.state == "sending"}
        uncertain = any(part.op == "notice" for part in parts)
        sent: tuple[Mark, ...] = ()
        while owed:
            part = owed.popleft()
            if part.state == "pending":
                await self._write((*sent, Mark(part_id=part.id, state="sending")), ())
                if part.part == 3:
                    reach("D4")
            reach("D1")
            outcome = await self._settle(part, doubtful=part.id in doubtful)
            mark = _mark(part, outcome)
            match outcome.state:
                case "sent":
                    sent = (mark,)
                case "sending":
                    owed.appendleft(await self._send_instead(part, outcome.error))
                case "pending":
                    return Delivered(marks=(mark,), park=outcome.wait)
                case "dead":
                    return Delivered(marks=(mark, *_dead(owed)), end="undeliverable")
                case "uncertain" if part.op == "notice":
                    return Delivered(marks=(mark,), end="uncertain")
                case "uncertain":
                    owed = deque([await self._confess(mark, part, owed)])
                    uncertain, sent = True, ()
        return Delivered(marks=sent, end="uncertain" if uncertain else None)

    async def confess(self, parts: Sequence[Part], why: str) -> Delivered:
        """Send nothing more of an answer of which nobody knows how much arrived: one line says so. Where that
        line was tried already, it goes on as any part in doubt does."""
        unsent = _unsent(parts)
        if not unsent:
            return self.drop(parts, "uncertain", why)
        if any(part.op == "notice" for part in parts):
            return await self.deliver(parts, resumed=True)
        marks = [Mark(part_id=part.id, state="uncertain", error=why) for part in unsent]
        notice = _notice(unsent[0], 1 + max(part.part for part in parts))
        await self._write(marks, (notice,))
        return await self.deliver((notice,))

    def drop(self, parts: Sequence[Part], end: Literal["uncertain", "stale"], why: str) -> Delivered:
        """Say nothing more at all. What was sent whole ended as it was meant to."""
        state: PartState = "uncertain" if end == "uncertain" else "dead"
        marks = tuple(Mark(part_id=part.id, state=state, error=why) for part in _unsent(parts))
        return Delivered(marks=marks, end=end if marks else None)

    async def _settle(self, part: Part, *, doubtful: bool) -> _Outcome:
        """Try until something is known, or until waiting is no longer for us."""
        part = replace(part, first_sent_at=part.first_sent_at or self._clock.now())
        if (doubtful or self._is_forgotten(part)) and (known := await self._look_back(part)) is not None:
            return _postponed(known)
        rest = self._rests_until - asyncio.get_running_loop().time()
        if rest > 0 and not doubtful:
            told = _Outcome(state="pending", error="the platform asked us to wait", wait=rest)
            if rest > PATIENCE:
                return _postponed(told)
            await self._pause(part, told, rest)
        for pause in (*self._pauses, None):
            outcome = await self._attempt(part)
            if outcome.state == "uncertain":
                outcome = await self._look_back(part) or replace(outcome, state="pending", certain=False)
            if outcome.state != "pending" or pause is None or outcome.wait > PATIENCE:
                break
            await self._pause(part, outcome, max(pause, outcome.wait))
        return _postponed(outcome)

    async def _pause(self, part: Part, outcome: _Outcome, seconds: float) -> None:
        """Wait between two attempts. What is known not to have gone out is written down as such meanwhile:
        whoever goes on after us must not take it for lost."""
        certain = outcome.certain and part.op != "edit"
        if certain:
            await self._write((Mark(part_id=part.id, state="pending", error=outcome.error),), ())
        if outcome.wait:
            reach("D7")
        await asyncio.sleep(seconds)
        if certain:
            await self._write((Mark(part_id=part.id, state="sending"),), ())

    async def _look_back(self, part: Part) -> _Outcome | None:
        """What may be done about a part that may have gone out. None: try it (again)."""
        after = self._adapter.traits.after_ambiguous
        if part.op == "edit" or (after == "repeat" and not self._is_forgotten(part)):
            return None
        if after != "stop" and isinstance(self._adapter, CanReadBack):
            try:
                receipt = await self._adapter.read_back(self._message(part))
            except (NotSent, Ambiguous) as error:
                # Whoever comes later sees by the part's age that it must look; elsewhere nobody would.
                later = after == "repeat"
                wait = max(2 * PATIENCE, error.retry_after or 0.0)
                return _Outcome(state="pending" if later else "uncertain", error=str(error), wait=wait)
            except ChannelError as error:
                return _Outcome(state="uncertain", error=str(error))
            return _Outcome(state="sent", receipt=receipt) if receipt is not None else None
        return _Outcome(state="uncertain", error="it may have gone out; nobody can tell")

    def _is_forgotten(self, part: Part) -> bool:
        return self._adapter.traits.forgets(part.first_sent_at, self._clock.now())

    async def _attempt(self, part: Part) -> _Outcome:
        await self._prove()
        outcome = await self._call(part)
        labels = {"channel": self._shape.place.channel, "op": part.op, "result": outcome.state}
        self._metrics.sends.labels(**labels).inc()
        return outcome

    async def _call(self, part: Part) -> _Outcome:
        reach("D2")
        try:
            if part.op == "edit" and part.receipt is not None and isinstance(self._adapter, CanEdit):
                await self._adapter.edit(self._shape.place, part.receipt, part.body)
                reach("D6")
                return _Outcome(state="sent")
            receipt = await self._adapter.send(self._message(part))
            reach("D3")
            return _Outcome(state="sent", receipt=receipt)
        except Rejected as error:
            # Of a refused edit nothing can be seen: a message of its own may still be taken.
            return _Outcome(state="sending" if part.op == "edit" else "dead", error=str(error))
        except (NotSent, Unauthorized) as error:
            wait = error.retry_after or (60.0 if isinstance(error, Unauthorized) else 0.0)
            return _Outcome(state="pending", error=str(error), wait=wait)
        except Ambiguous as error:
            return _Outcome(state="uncertain", error=str(error), wait=error.retry_after or 0.0)
        except ChannelError as error:
            return _Outcome(state="dead", error=str(error))
        except Exception as error:  # a channel that breaks its promise leaves us unsure
            log.exception("channel broke", op=part.op)
            return _Outcome(state="uncertain", error=f"{type(error).__name__}: {error}")

    def _message(self, part: Part) -> OutboundMessage:
        key = f"{part.turn_id.hex}.{part.part}.{part.op}"
        return replace(self._shape, text=part.body, key=key, reply_to=part.reply_to)

    async def _send_instead(self, part: Part, error: str) -> Part:
        """The edit was refused, its message being gone or the edit too much: a send takes its place."""
        send = replace(part, id=uuid7(), op="send", state="sending", receipt=None)
        await self._write((Mark(part_id=part.id, state="dead", error=error),), (send,))
        return send

    async def _confess(self, mark: Mark, part: Part, rest: Sequence[Part]) -> Part:
        """The answer may or may not be there: nothing is repeated, one line says so."""
        notice = _notice(part, part.part + len(rest) + 1)
        await self._write((mark, *_dead(rest)), (notice,))
        return notice


def _dead(parts: Sequence[Part]) -> tuple[Mark, ...]:
    return tuple(
        Mark(part_id=part.id, state="dead", error="an earlier part did not arrive") for part in parts
    )


def _unsent(parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if part.op != "preview" and part.state in ("pending", "sending")]


def _notice(part: Part, number: int) -> Part:
    return replace(
        part,
        id=uuid7(),
        part=number,
        op="notice",
        body=UNSURE,
        state="sending",
        receipt=None,
        first_sent_at=None,
    )


def _mark(part: Part, outcome: _Outcome) -> Mark:
    if outcome.state in ("uncertain", "dead"):
        log.warning("not delivered for certain", op=part.op, state=outcome.state, why=outcome.error)
    return Mark(part_id=part.id, state=outcome.state, receipt=outcome.receipt, error=outcome.error)


def _postponed(outcome: _Outcome) -> _Outcome:
    """What may be tried again waits for long enough that it is not a holder's to wait."""
    return replace(outcome, wait=max(outcome.wait, PATIENCE)) if outcome.state == "pending" else outcome
