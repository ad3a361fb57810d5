"""The turn, from what waits to what was delivered, in ten steps.

    1 receive   the channel's folder translates the platform's event          bots/<channel>
    2 accept    first commit; the platform is acknowledged after it           core/inbox.py
    3 hold      the lowest waiting message, with what merges into it          _hold
    4 admit     one wait on Redis: limits, session, context                   _admit
    5 choose    the model and its instructions, or a command                  core/response.py
    6 prompt    what fits of the talk                                         core/generation.py
    7 begin     second commit: turn, ledger row, placeholder; then the model  core/generation.py
    8 compose   third commit: transcript, settled ledger, the parts to send   _compose
    9 deliver   one part after another, each receipt before the next          _deliver
   10 close     fourth commit: done, and the lease goes on or is given back   _close

This is the one place that catches: an error becomes a line to the person, a status in the ledger and
one line in the log. Every accepted message comes to one of seven ends here, but for `withdrawn`, which the
store gives to what its author deleted before anybody began to answer.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog
from uuid_utils.compat import uuid7

from core.commands import parse
from core.delivery import Delivered, Delivery
from core.errors import LeaseLost, Overtaken, StoreUnavailable
from core.excuse import Excuses
from core.gate import Refusal
from core.generation import Composition
from core.house import House
from core.observe import Step
from core.overdue import Overdue, overdue
from core.points import reach
from core.ports import CanEdit, Glance, Remembrance
from core.response import Response
from core.rows import Closing, Mark, Part, Waiting, Work, Writing
from core.turn import Turn, merge

log = structlog.get_logger(__name__)

GIVEN_UP = "given up: no holder lived to deliver it"
PASSING = (LeaseLost, StoreUnavailable, Overtaken)
"""What is no failure of a turn: another holder goes on with it, or we look again."""


class Engine:
    """Does turns. One public verb: `take`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._response = Response(house)
        self._excuses = Excuses(house)

    async def take(self, work: Work, stopped: asyncio.Event) -> Work | None:
        """Do one turn of the work; gives what comes next under the same lease, or None when the lease was
        given back. Raises `LeaseLost` and `StoreUnavailable`: then the turn belongs to the next holder."""
        burst = await self._await_burst(work)
        if burst is None:
            return None
        turn = self._hold(burst, stopped)
        if turn is None:
            return await self._look_again(work)
        reach("T1")
        self._count(turn)
        ids = {"conversation": work.line.conversation_id, "turn": turn.id, "message": turn.asked.inbox_id}
        with (
            structlog.contextvars.bound_contextvars(channel=work.line.place.channel, **ids),
            self._house.metrics.turns_running.track_inprogress(),
        ):
            try:
                return await self._carry(turn)
            except Overtaken:
                log.info("question changed")
                return await self._look_again(work)

    async def _await_burst(self, work: Work) -> Work | None:
        """Where a first wait for bursts is set: what comes meanwhile is merged like what waited already."""
        seconds = self._house.rules.burst_seconds
        plain = work.unfinished is None and work.waiting and work.waiting[0].kind == "message"
        if not seconds or not plain:
            return work
        await asyncio.sleep(seconds)
        return await self._look_again(work)

    async def _look_again(self, work: Work) -> Work | None:
        """What waits now; None where nothing does, and then the lease has been given back."""
        return await self._house.journal.write(Writing(lease=work.lease, closing=Closing(turn_id=None)))

    async def _carry(self, turn: Turn) -> Work | None:
        """Once composed, what is owed is owed, by us or the next holder: from then on nothing is caught."""
        if turn.is_composed:
            return await self._close(turn, await self._deliver(turn, turn.parts), None)
        composition, parts = await self._say(turn)
        return await self._close(turn, await self._deliver(turn, parts), composition.remembrance)

    async def _say(self, turn: Turn) -> tuple[Composition, tuple[Part, ...]]:
        """Whatever goes wrong until it is known what will be said is what will be said."""
        try:
            composition = await self._work_out(turn)
            parts = turn.cut(composition.text)
        except PASSING:
            raise
        except Exception as error:
            log.exception("turn failed")
            composition = self._excuses.apology(turn, error)
            parts = turn.cut(composition.text)
        await self._compose(turn, composition, parts)
        return composition, parts

    async def _work_out(self, turn: Turn) -> Composition:
        if turn.overdue is not None:
            return self._excuses.too_old(turn, turn.overdue)
        if turn.attempts > self._house.rules.attempts:
            return self._excuses.given_up(turn)
        glance = await self._admit(turn)
        reach("T2")
        outcome = glance if isinstance(glance, Refusal) else await self._response.find(turn, glance)
        return await self._excuses.refusal(turn, outcome) if isinstance(outcome, Refusal) else outcome

    def _hold(self, work: Work, stopped: asyncio.Event) -> Turn | None:
        """An unfinished turn goes on; else what waits first begins one. Of an unfinished answer nobody
        heard a `/stop` that came meanwhile: it is heard now."""
        house, unfinished, rules = self._house, work.unfinished, self._house.rules
        taken = (
            unfinished.taken
            if unfinished
            else merge(work.waiting, rules.merge_max, rules.merge_chars, lambda one: self._overdue(work, one))
        )
        if not taken:
            return None
        if unfinished and any(one.kind == "stop" for one in work.waiting):
            stopped.set()
        turn = Turn(
            id=unfinished.id if unfinished else uuid7(),
            work=work,
            taken=taken,
            attempts=1 + max(one.attempts for one in taken),
            channel=house.channel(work.line.place.account_id),
            stopped=stopped,
            deadline_at=house.clock.now() + timedelta(seconds=rules.turn_seconds),
            successor_id=uuid7() if self._starts_anew(taken[0].message.text, taken[0].kind) else None,
            overdue=self._overdue(work, taken[0]),
        )
        if unfinished is not None:
            turn.go_on(unfinished)
        return turn

    def _overdue(self, work: Work, asked: Waiting) -> Overdue | None:
        """Who may not talk to the bot is refused as ever, and hears nothing of its absence."""
        house, message = self._house, asked.message
        due = overdue(
            asked,
            work.line,
            house.clock.now(),
            late_seconds=house.rules.late_seconds,
            stale_seconds=house.rules.stale_seconds,
        )
        is_let_in = not asked.blocked and house.gate.allowed(message.place.channel, message.sender.id)
        return due if due is None or due.text is None or is_let_in else None

    def _count(self, turn: Turn) -> None:
        metrics, channel = self._house.metrics, turn.line.place.channel
        if turn.work.unfinished is not None:
            metrics.turns_resumed.labels(channel=channel).inc()
            return
        waited = self._house.clock.now() - turn.asked.accepted_at
        metrics.message_wait_seconds.observe(max(0.0, waited.total_seconds()))
        metrics.turn_messages.observe(len(turn.taken))

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

    async def _compose(self, turn: Turn, composition: Composition, parts: tuple[Part, ...]) -> None:
        with self._house.step(turn, Step.COMPOSE):
            reach("T7")
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
            reach("T8")

    async def _deliver(self, turn: Turn, parts: Sequence[Part]) -> Delivered:
        async def write(marks: Sequence[Mark], new: Sequence[Part]) -> None:
            row = turn.row("composed") if new else None
            await self._house.journal.write(
                Writing(lease=turn.lease, turn=row, marks=tuple(marks), parts=tuple(new))
            )

        house = self._house
        delivery = Delivery(
            turn.channel,
            turn.outbound(),
            write,
            house.clock,
            house.metrics,
            rests_until=turn.rests_until,
            prove=lambda: house.prove(turn.lease),
        )
        if turn.deliveries > 2 * house.rules.attempts:  # even a word about it was too much
            return delivery.drop(parts, "uncertain", GIVEN_UP)
        with house.step(turn, Step.DELIVER):
            delivered = await (self._finish(turn, delivery) if turn.is_composed else delivery.deliver(parts))
        if turn.late_edits and delivered.park is None and delivered.end is None:
            self._edit_again(turn, parts)
        return delivered

    def _edit_again(self, turn: Turn, parts: Sequence[Part]) -> None:
        for part in parts:
            if part.op == "edit" and part.receipt is not None and isinstance(turn.channel, CanEdit):
                self._house.afterwards.edit(turn.channel, turn.line.place, part.receipt, part.body)

    async def _finish(self, turn: Turn, delivery: Delivery) -> Delivered:
        """What an earlier holder composed is delivered, but for what is too old, and for what killed holder
        after holder."""
        due, parts = turn.overdue, turn.parts
        if due is not None and due.why == "stale":
            return delivery.drop(parts, "stale", due.why)
        if due is not None and due.why == "doubted" and not turn.is_notice:
            return await delivery.confess(parts, due.why)
        if turn.deliveries > self._house.rules.attempts:
            self._house.metrics.turns_given_up.labels(channel=turn.line.place.channel).inc()
            return await delivery.confess(parts, GIVEN_UP)
        return await delivery.deliver(parts, resumed=True)

    async def _close(self, turn: Turn, delivered: Delivered, remembrance: Remembrance | None) -> Work | None:
        """The truth first; what Redis is told beside it, it may also miss."""
        house, end = self._house, delivered.end or turn.end
        if delivered.park is not None:
            return await self._park(turn, delivered, delivered.park)
        reach("D8")
        closing = Writing(lease=turn.lease, marks=delivered.marks, closing=turn.closing(end))
        with house.step(turn, Step.CLOSE):
            remembering = asyncio.create_task(house.state.remember(remembrance)) if remembrance else None
            following = await house.journal.write(closing)
            if remembering is not None:
                await remembering
        if turn.overdue is not None:
            self._report(turn, turn.overdue)
        house.metrics.turns_ended.labels(channel=turn.line.place.channel, end=end).inc()
        tell = log.warning if end in ("undeliverable", "uncertain") else log.info
        why = next((mark.error for mark in delivered.marks if mark.error), turn.error)
        tell("turn ended", end=end, kind=turn.kind, attempts=turn.attempts, **({"why": why} if why else {}))
        return following

    def _report(self, turn: Turn, due: Overdue) -> None:
        """For the operator: how many were too old, of those we know, and since when they waited."""
        work = turn.work
        asked = {one.inbox_id: one.asked_at for one in (*turn.taken, *work.waiting)}
        old = [at for at in asked.values() if at < due.before]
        self._house.metrics.turns_overdue.labels(channel=work.line.place.channel, why=due.why).inc()
        told = {"why": due.why, "messages": len(old), "oldest": min(old).isoformat()}
        log.warning("messages too old to be answered", **told)

    async def _park(self, turn: Turn, delivered: Delivered, seconds: float) -> Work | None:
        """The platform wants us to wait for longer than a holder should: whoever is free then goes on."""
        self._house.metrics.turns_parked.labels(channel=turn.line.place.channel).inc()
        log.warning("delivery parked", seconds=seconds, error=delivered.marks[-1].error)
        closing = Closing(turn_id=None, keep=False, wake_in=seconds)
        return await self._house.journal.write(
            Writing(lease=turn.lease, marks=delivered.marks, closing=closing)
        )
