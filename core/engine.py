"""The turn, from what waits to what was delivered, in ten steps.

    1 receive   the channel's folder translates the platform's event          bots/<channel>
    2 accept    first commit; the platform is acknowledged after it           core/inbox.py
    3 hold      the lowest waiting message, with what merges into it          _hold
    4 admit     one wait on Redis: limits, session, context                   _admit
    5 choose    the model and its instructions, or a command                  _choose
    6 prompt    what fits of the talk                                         _prompt
    7 begin     second commit: turn, ledger row, placeholder; then the model  _begin
    8 compose   third commit: transcript, settled ledger, the parts to send   _compose
    9 deliver   one part after another, each receipt before the next          _deliver
   10 close     fourth commit: done, and the lease goes on or is given back   _close

This is the one place that catches: an error becomes a line to the person, a status in the ledger and
one line in the log.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

import structlog
from uuid_utils.compat import uuid7

from core.choose import Choice, choose
from core.commands import Desk, Reply, Request, parse
from core.delivery import Delivered, Delivery
from core.errors import ChannelError, LeaseLost, ParleyError, StoreUnavailable
from core.gate import Refusal
from core.generation import Composition, Generation, Question
from core.house import House
from core.messages import Spoken
from core.observe import Step
from core.ports import CanReact, Glance, Remembrance
from core.prompt import TooLong
from core.rows import Closing, Mark, Part, Work, Writing
from core.turn import Turn, merge

log = structlog.get_logger(__name__)

SLOW_DOWN = "⏳"


class Engine:
    """Does turns. One public verb: `take`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._generation = Generation(house)

    async def take(self, work: Work, stopped: asyncio.Event) -> Work | None:
        """Do one turn of the work; gives what comes next under the same lease, or None when the lease was
        given back. Raises `LeaseLost` and `StoreUnavailable`: then the turn belongs to the next holder."""
        turn = self._hold(await self._await_burst(work), stopped)
        if turn is None:
            return await self._look_again(work)
        ids = {"conversation": work.line.conversation_id, "turn": turn.id, "message": turn.asked.inbox_id}
        with (
            structlog.contextvars.bound_contextvars(channel=work.line.place.channel, **ids),
            self._house.metrics.turns_running.track_inprogress(),
        ):
            return await self._carry(turn)

    async def _await_burst(self, work: Work) -> Work:
        """Where a first wait for bursts is set: what comes meanwhile is merged like what waited already."""
        seconds = self._house.rules.burst_seconds
        plain = work.unfinished is None and work.waiting and work.waiting[0].kind == "message"
        if not seconds or not plain:
            return work
        await asyncio.sleep(seconds)
        return await self._look_again(work) or work

    async def _look_again(self, work: Work) -> Work | None:
        """What waits now; None where nothing does, and then the lease has been given back."""
        return await self._house.journal.write(Writing(lease=work.lease, closing=Closing(turn_id=None)))

    async def _carry(self, turn: Turn) -> Work | None:
        """From here on nothing is caught: once composed, what is owed is owed, by us or the next holder."""
        unfinished = turn.work.unfinished
        if unfinished is not None and unfinished.state == "composed":
            delivered = await self._deliver(turn, turn.parts, resumed=True)
            return await self._close(turn, delivered, None)
        composition = await self._work_out(turn)
        parts = await self._compose(turn, composition)
        delivered = await self._deliver(turn, parts)
        return await self._close(turn, delivered, composition.remembrance)

    async def _work_out(self, turn: Turn) -> Composition:
        try:
            if turn.attempts > self._house.rules.attempts:
                return self._apology(turn, ParleyError("it failed again and again"))
            glance = await self._admit(turn)
            if isinstance(glance, Refusal):
                return await self._refusal(turn, glance)
            return await self._respond(turn, glance)
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("turn failed")
            return self._apology(turn, error)

    def _hold(self, work: Work, stopped: asyncio.Event) -> Turn | None:
        """An unfinished turn goes on; else what waits first begins one. Of an unfinished answer nobody
        heard a `/stop` that came meanwhile: it is heard now."""
        house, unfinished = self._house, work.unfinished
        rules = house.rules
        taken = unfinished.taken if unfinished else merge(work.waiting, rules.merge_max, rules.merge_chars)
        if not taken:
            return None
        if unfinished and any(one.kind == "stop" for one in work.waiting):
            stopped.set()
        return Turn(
            id=unfinished.id if unfinished else uuid7(),
            work=work,
            taken=taken,
            attempts=1 + max(unfinished.attempts if unfinished else 0, *(one.attempts for one in taken)),
            channel=house.channel(work.line.place.account_id),
            stopped=stopped,
            deadline_at=house.clock.now() + timedelta(seconds=house.rules.turn_seconds),
            kind=unfinished.kind if unfinished else "answer",
            end=(unfinished.end if unfinished else None) or "answered",
            error=unfinished.error if unfinished else "",
            parts=unfinished.parts if unfinished else (),
            open_call=unfinished.open_call if unfinished else None,
            successor_id=uuid7() if self._starts_anew(taken[0].message.text, taken[0].kind) else None,
        )

    def _starts_anew(self, text: str, kind: str) -> bool:
        typed = parse(text) if kind == "command" else None
        command = self._house.commands.get(typed.name) if typed else None
        return command is not None and command.starts_anew

    async def _admit(self, turn: Turn) -> Glance | Refusal:
        """A turn that is taken up again was admitted before."""
        line, asked = turn.line, turn.asked
        with self._house.step(turn, Step.ADMIT):
            glance = await self._house.state.glance(
                line.place, asked.message.sender.id, asked.user_id, line.conversation_id, line.last_message_id
            )
            if turn.work.unfinished is not None:
                return glance
            refusal = await self._house.gate.admit(turn.taken, glance)
            return refusal or glance

    async def _respond(self, turn: Turn, glance: Glance) -> Composition:
        choice = await self._choose(turn)
        reply = await self._command(turn, choice)
        if reply is not None and reply.ask is None:
            turn.kind = "command"
            return Composition(text=reply.text)
        question = await self._question(turn, glance, reply)
        outcome = await self._generation.generate(turn, choice, question)
        if not isinstance(outcome, TooLong):
            return outcome
        text = f"That message is too long: about {outcome.tokens:,} tokens; I take {outcome.limit:,} at most."
        return await self._refusal(turn, Refusal(reason="too_long", text=text))

    async def _question(self, turn: Turn, glance: Glance, reply: Reply | None) -> Question:
        known, rebuilt = glance.context, None
        if known is None:
            most = self._house.rules.context_messages
            known = rebuilt = tuple(await self._house.records.context(turn.line.conversation_id, most))
        return Question(
            said=turn.said((reply.ask or "") if reply else ""),
            context=_before_last_question(known) if reply is not None and reply.again else known,
            rebuilt=rebuilt,
        )

    async def _choose(self, turn: Turn) -> Choice:
        with self._house.step(turn, Step.CHOOSE):
            house, line = self._house, turn.line
            flags = await house.state.flags(line.place.channel)
            choice = choose(house.defaults, house.configs(), line, turn.asked, flags)
        turn.config_version = choice.config_version
        return choice

    async def _command(self, turn: Turn, choice: Choice) -> Reply | None:
        if turn.asked.kind == "message":
            return None
        typed = parse(turn.asked.message.text)
        command = self._house.commands.get(typed.name) if typed else None
        if typed is None or command is None:
            name = typed.name if typed else ""
            return Reply(text=f"I don't know the command `/{name}`. `/help` lists those I know.")
        desk = Desk(
            records=self._house.records,
            clock=self._house.clock,
            model=choice.models[0],
            offered=self._house.offered,
            is_scripted=choice.models[0] == "scripted",
            commands=self._house.commands,
        )
        return await command.run(
            Request(line=turn.line, asked=turn.asked, argument=typed.argument, desk=desk)
        )

    async def _compose(self, turn: Turn, composition: Composition) -> tuple[Part, ...]:
        with self._house.step(turn, Step.COMPOSE):
            parts = turn.compose(composition.text) if composition.text is not None else ()
            await self._house.journal.write(
                Writing(
                    lease=turn.lease,
                    turn=turn.row("composed"),
                    takes=turn.taken,
                    settlement=composition.settlement,
                    messages=composition.messages,
                    marks=turn.unseen(),
                    parts=parts,
                )
            )
            return parts

    async def _deliver(self, turn: Turn, parts: Sequence[Part], *, resumed: bool = False) -> Delivered:
        async def write(marks: Sequence[Mark], new: Sequence[Part]) -> None:
            row = turn.row("composed") if new else None
            await self._house.journal.write(
                Writing(lease=turn.lease, turn=row, marks=tuple(marks), parts=tuple(new))
            )

        house = self._house
        delivery = Delivery(
            turn.channel, turn.outbound(), write, house.clock, house.metrics, rests_until=turn.rests_until
        )
        with house.step(turn, Step.DELIVER):
            return await delivery.deliver(parts, resumed=resumed)

    async def _close(self, turn: Turn, delivered: Delivered, remembrance: Remembrance | None) -> Work | None:
        """The truth first; what Redis is told beside it, it may also miss."""
        house, end = self._house, delivered.end or turn.end
        if delivered.park is not None:
            return await self._park(turn, delivered, delivered.park)
        closing = Writing(lease=turn.lease, marks=delivered.marks, closing=turn.closing(end))
        with house.step(turn, Step.CLOSE):
            remembering = asyncio.create_task(house.state.remember(remembrance)) if remembrance else None
            following = await house.journal.write(closing)
            if remembering is not None:
                await remembering
        house.metrics.turns_ended.labels(channel=turn.line.place.channel, end=end).inc()
        tell = log.warning if end in ("undeliverable", "uncertain") else log.info
        why = next((mark.error for mark in delivered.marks if mark.error), turn.error)
        tell("turn ended", end=end, kind=turn.kind, attempts=turn.attempts, **({"why": why} if why else {}))
        return following

    async def _park(self, turn: Turn, delivered: Delivered, seconds: float) -> Work | None:
        """The platform wants us to wait for longer than a holder should: whoever is free then goes on."""
        log.warning("delivery parked", seconds=seconds, error=delivered.marks[-1].error)
        closing = Closing(turn_id=None, keep=False, wake_in=seconds)
        return await self._house.journal.write(
            Writing(lease=turn.lease, marks=delivered.marks, closing=closing)
        )

    async def _refusal(self, turn: Turn, refusal: Refusal) -> Composition:
        """What was said within the minute covers this one too; a small sign is all it gets."""
        turn.kind, turn.end, turn.error = "refusal", "refused", refusal.reason
        self._house.metrics.rate_limited.labels(kind=refusal.reason).inc()
        if refusal.text is None and isinstance(turn.channel, CanReact):
            with contextlib.suppress(ChannelError):
                await turn.channel.react(turn.line.place, turn.asked.message.message_id, SLOW_DOWN)
        return Composition(text=refusal.text)

    def _apology(self, turn: Turn, error: Exception) -> Composition:
        turn.kind, turn.end, turn.error = "apology", "apologised", f"{type(error).__name__}: {error}"
        left = turn.open_call
        return Composition(
            text=error.public if isinstance(error, ParleyError) else ParleyError.public,
            settlement=self._house.ledger.abandon(left, self._house.clock.now()) if left else None,
        )


def _before_last_question(context: Sequence[Spoken]) -> tuple[Spoken, ...]:
    """The context as it was before the question that is asked again, which may be several messages."""
    end = len(context)
    while end and context[end - 1].role != "user":
        end -= 1
    while end and context[end - 1].role == "user":
        end -= 1
    return tuple(context[:end])
