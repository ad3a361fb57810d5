"""Accepting, claiming and delivering in any order, by two gateways on a real Postgres, beside an oracle.

After every step all rows are compared with what the oracle says. `PARLEY_TEST_STATEFUL=300x60` sets how many
runs of how many steps; the short form always takes the same ones.
"""

import asyncio
import itertools
import os
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from uuid_utils.compat import uuid7

from core.errors import LeaseLost, Overtaken
from core.rows import Arrival, Closing, Mark, Work, Writing
from tests.faults.oracle import Oracle
from tests.faults.sides import OWNERS, Ground, Hand, Result
from tests.integration.store.ground import part_of, turn_of

SHORT = "40x30"
FULL = os.environ.get("PARLEY_TEST_STATEFUL", "")
OLD = timedelta(hours=1)
CUT_OFF = timedelta(minutes=30)
CHATS, ENDS = ("a", "b"), ("answered", "apologised", "uncertain")
KINDS = ("message", "message", "message", "stop")

RUN_OUT = "UPDATE conversations SET lease_until = clock_timestamp() - interval '1 second' WHERE id = :id"
TIME_PASSES = """
    UPDATE conversations SET wake_at = clock_timestamp()
     WHERE account_id = :account AND wake_at > clock_timestamp()"""
RAISE = (
    "INSERT INTO fences (id, raised_at, reason) VALUES (:id, clock_timestamp(), 'a test') RETURNING raised_at"
)
LIFT = "UPDATE fences SET lifted_at = clock_timestamp(), lifted_as = :how WHERE lifted_at IS NULL"


class Store(RuleBasedStateMachine):
    """The store and its oracle, step by step."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self._ground = ground
        self._sides = ground.sides()
        self._one = self._sides["one"]
        self._oracle = Oracle()
        self._hands: list[Hand] = []
        self._keys = (f"k{number}" for number in itertools.count(1))
        self._doubt: datetime | None = None
        self._raised: datetime | None = None

    @rule(
        chat=st.sampled_from(CHATS),
        by=st.sampled_from(OWNERS),
        owns=st.booleans(),
        kind=st.sampled_from(KINDS),
        is_old=st.booleans(),
        repeated=st.booleans(),
    )
    def accept(self, chat: str, by: str, owns: bool, kind: str, is_old: bool, repeated: bool) -> None:
        """A new message. Its acceptance is repeated where nobody knew what came of it."""
        arrival = self._arrival(by, chat, next(self._keys), owns=owns, kind=kind, is_old=is_old)
        takes = self._expect(arrival)
        accepted = self._do(self._sides[by].journal.accept(arrival))
        assert (accepted.fresh, accepted.inbox_id) == (True, arrival.inbox_id)
        assert (accepted.work is not None) == takes
        if accepted.work is not None:
            self._given(by, accepted.work)
        if repeated:
            again = self._do(self._sides[by].journal.accept(arrival))
            holder = self._oracle.talks[accepted.conversation_id].owner
            assert (again.fresh, again.inbox_id) == (True, arrival.inbox_id)
            # Who holds it is told so again (the same work is started once), but not while a fence stands.
            assert (again.work is not None) == (owns and holder == by and not self._oracle.fenced)

    @rule(chat=st.sampled_from(CHATS), by=st.sampled_from(OWNERS), owns=st.booleans(), many=st.integers(2, 4))
    def accept_at_once(self, chat: str, by: str, owns: bool, many: int) -> None:
        """Several new messages of one chat in one batch: the first takes the lease for all."""
        arrivals = [self._arrival(by, chat, next(self._keys), owns=owns) for _ in range(many)]
        takes = [self._expect(arrival) for arrival in arrivals]
        journal = self._sides[by].journal
        accepted = self._do(_all(journal.accept(arrival) for arrival in arrivals))
        assert [one.work is not None for one in accepted] == takes
        if accepted[0].work is not None:
            self._hands.append(Hand(owner=by, work=accepted[0].work))

    @precondition(lambda self: self._oracle.messages)
    @rule(data=st.data(), by=st.sampled_from(OWNERS), owns=st.booleans())
    def redeliver(self, data: st.DataObject, by: str, owns: bool) -> None:
        """The platform brings again what it brought before."""
        known = data.draw(st.sampled_from(list(self._oracle.messages.values())))
        chat = self._oracle.talks[known.talk].chat
        accepted = self._do(self._sides[by].journal.accept(self._arrival(by, chat, known.key, owns=owns)))
        assert (accepted.fresh, accepted.work) == (False, None)

    @rule(
        data=st.data(),
        by=st.sampled_from(OWNERS),
        change=st.sampled_from(("edited", "deleted")),
        text=st.sampled_from(("hello", "hi")),
    )
    def change(self, data: st.DataObject, by: str, change: Any, text: str) -> None:
        """An edit or a deletion of a message, or of one that nobody knows."""
        self._change(data.draw(st.sampled_from([*self._oracle.messages, "unknown"])), by, change, text)

    def _change(self, key: str, by: str, change: Any, text: str) -> None:
        known = self._oracle.messages.get(key)
        chat = self._oracle.talks[known.talk].chat if known else "a"
        arrival = self._arrival(by, chat, key, text=text)
        arrival = replace(arrival, message=replace(arrival.message, change=change))
        accepted = self._do(self._sides[by].journal.accept(arrival))
        assert accepted.changed == self._oracle.change(key, change, text)
        assert (accepted.fresh, accepted.work) == (False, None)

    @rule(by=st.sampled_from(OWNERS), most=st.sampled_from((1, 100)))
    def claim(self, by: str, most: int) -> None:
        free = {talk.id: talk for talk in self._oracle.claimable()}
        claimed = self._do(self._sides[by].claim(most))
        assert len(claimed) == min(most, len(free))
        for work in sorted(claimed, key=lambda work: work.line.place.chat):
            self._oracle.claim(free.pop(work.lease.conversation_id), by)
            self._given(by, work)

    @rule(by=st.sampled_from(OWNERS))
    def heartbeat(self, by: str) -> None:
        """Of what it holds, or believes to hold."""
        held = {hand.work.lease: hand for hand in self._hands if hand.owner == by}
        lost = self._do(self._sides[by].leases.renew(by, list(held)))
        expected = {hand.talk for hand in held.values() if self._oracle.is_lost(hand.talk, hand.token, by)}
        assert lost == expected
        for hand in held.values():
            talk = self._oracle.talks[hand.talk]
            if (talk.token, talk.owner) == (hand.token, by):
                talk.expired = False

    @precondition(lambda self: any(talk.owner for talk in self._oracle.talks.values()))
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """A lease runs out; its holder is frozen and does not know."""
        talk = data.draw(st.sampled_from([talk for talk in self._oracle.talks.values() if talk.owner]))
        self._do(self._one.rows(RUN_OUT, id=talk.id))
        talk.expired = True

    @precondition(lambda self: self._freezable())
    @rule(data=st.data())
    def take_over(self, data: st.DataObject) -> None:
        """A holder is frozen for longer than its lease, in the middle of a turn; the other one takes it up,
        and then the former wakes and goes on."""
        hand = data.draw(st.sampled_from(self._freezable()))
        talk = self._oracle.talks[hand.talk]
        if talk.owner == hand.owner:
            self._do(self._one.rows(RUN_OUT, id=talk.id))
            talk.expired = True
            self.claim("two" if hand.owner == "one" else "one", 100)
        self._compose(hand, "answered", 1)

    @rule(by=st.sampled_from(OWNERS), forgets=st.booleans())
    def crash(self, by: str, forgets: bool) -> None:
        """An instance is known to be dead: its leases end. Where it was only believed to be, it goes on."""
        self._do(self._sides[by].leases.end([by]))
        for talk in self._oracle.talks.values():
            talk.expired = talk.expired or talk.owner == by
        if forgets:
            self._hands = [hand for hand in self._hands if hand.owner != by]

    @precondition(lambda self: self._beginnable())
    @rule(data=st.data(), many=st.integers(1, 3), with_preview=st.booleans())
    def begin(self, data: st.DataObject, many: int, with_preview: bool) -> None:
        self._begin(data.draw(st.sampled_from(self._beginnable())), many, with_preview=with_preview)

    @precondition(lambda self: self._beginnable())
    @rule(data=st.data(), change=st.sampled_from(("edited", "deleted")))
    def overtake(self, data: st.DataObject, change: str) -> None:
        """A question changes after it was handed out and before its turn begins."""
        hand = data.draw(st.sampled_from(self._beginnable()))
        self._change(hand.work.waiting[0].message.dedupe_key, hand.owner, change, "changed")
        self._begin(hand, 2, with_preview=False)

    def _begin(self, hand: Hand, many: int, *, with_preview: bool) -> None:
        hand.turn, hand.taken = turn_of(hand.work), hand.work.waiting[:many]
        hand.parts = (part_of(hand.turn, 1, "…", op="preview", state="sending"),) if with_preview else ()
        self._write(hand, self._writing(hand), "open", None)

    @precondition(lambda self: self._composable())
    @rule(data=st.data(), end=st.sampled_from(ENDS), many=st.integers(1, 2))
    def compose(self, data: st.DataObject, end: Any, many: int) -> None:
        self._compose(data.draw(st.sampled_from(self._composable())), end, many)

    def _compose(self, hand: Hand, end: Any, many: int) -> None:
        assert hand.turn is not None
        hand.turn = replace(hand.turn, state="composed", end=end)
        parts = tuple(part_of(hand.turn, 1 + number, "an answer") for number in range(many))
        hand.parts += parts
        self._write(hand, replace(self._writing(hand), parts=parts), "composed", end)

    @precondition(lambda self: self._with_parts())
    @rule(data=st.data(), state=st.sampled_from(("sending", "sent", "uncertain", "dead")))
    def mark(self, data: st.DataObject, state: Any) -> None:
        """What came of a send: sent, ambiguous, or certainly not."""
        hand = data.draw(st.sampled_from(self._with_parts()))
        part = data.draw(st.sampled_from(hand.parts))
        mark = Mark(part_id=part.id, state=state, receipt="7" if state == "sent" else None)
        is_live = self._oracle.is_live(hand.talk, hand.token)
        heard, _ = self._heard(hand, Writing(lease=hand.work.lease, marks=(mark,)))
        assert heard == ("made" if is_live else "lost")
        if is_live:
            self._oracle.parts[part.id] = state

    @precondition(lambda self: self._closable())
    @rule(
        data=st.data(),
        end=st.sampled_from(ENDS),
        keep=st.booleans(),
        anew=st.booleans(),
        covers=st.tuples(st.booleans(), st.booleans()),
        repeated=st.booleans(),
    )
    def close(
        self, data: st.DataObject, end: Any, keep: bool, anew: bool, covers: tuple[bool, bool], repeated: bool
    ) -> None:
        """The end of a turn, told again where nobody knew what came of it; `anew` is a /new."""
        hand = data.draw(st.sampled_from(self._closable()))
        assert hand.turn is not None
        stops, old = covers
        successor = uuid7() if anew else None
        closing = Closing(
            turn_id=hand.turn.id,
            end=end,
            keep=keep,
            successor_id=successor,
            covers_stops=stops,
            covers_before=datetime.now(UTC) - CUT_OFF if old else None,
        )
        ruled = {"keep": keep, "successor": successor, "covers_stops": stops, "covers_old": old}
        self._hands.remove(hand)
        self._end(hand, closing, end, **ruled)
        talk = self._oracle.talks[hand.talk]
        if repeated and not talk.owner:
            self._end(hand, closing, end, **ruled)

    @precondition(lambda self: self._idle())
    @rule(data=st.data(), keep=st.booleans())
    def let_go(self, data: st.DataObject, keep: bool) -> None:
        """Look for more, or hand the conversation back."""
        hand = data.draw(st.sampled_from(self._idle()))
        self._hands.remove(hand)
        self._end(hand, Closing(turn_id=None, keep=keep), "", keep=keep)

    @precondition(lambda self: self._hands)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        """The platform wants us to wait for long."""
        hand = data.draw(st.sampled_from(self._hands))
        self._hands.remove(hand)
        self._end(hand, Closing(turn_id=None, keep=False, wake_in=3600.0), "", keep=False, parks=True)

    @precondition(lambda self: any(talk.wake == "later" for talk in self._oracle.talks.values()))
    @rule()
    def time_passes(self) -> None:
        self._do(self._one.rows(TIME_PASSES, account=self._one.account.id))
        for talk in self._oracle.talks.values():
            talk.wake = talk.wake and "now"

    @precondition(lambda self: not self._oracle.fenced)
    @rule()
    def raise_fence(self) -> None:
        self._raised = self._do(self._one.one(RAISE, id=uuid7()))
        self._oracle.fenced = True

    @precondition(lambda self: self._oracle.fenced)
    @rule(how=st.sampled_from(("uncertain", "resume")))
    def lift_fence(self, how: str) -> None:
        self._do(self._one.rows(LIFT, how=how))
        self._oracle.fenced = False
        self._doubt = self._raised if how == "uncertain" else self._doubt

    @invariant()
    def the_rows_are_what_the_oracle_says(self) -> None:
        talks, messages, turns, parts = self._ground.rows(self._one.account.id)
        oracle = self._oracle
        assert talks == sorted(
            (t.id, t.chat, t.active, t.owner, t.token, t.expired if t.owner else None, t.wake, t.next_seq)
            for t in oracle.talks.values()
        )
        assert messages == sorted(
            (m.key, m.talk, m.seq, m.kind, m.text, m.state, m.outcome, m.turn, m.revision, m.attempts)
            for m in oracle.messages.values()
        )
        assert turns == sorted((id, t.talk, t.state, t.outcome) for id, t in oracle.turns.items())
        assert parts == sorted(oracle.parts.items())

    @invariant()
    def nothing_waits_forgotten(self) -> None:
        """What the oracle itself must never say: then the rules would be wrong, not only their doing."""
        for talk in self._oracle.talks.values():
            if self._oracle.of(talk.id, "waiting", "running"):
                assert talk.wake, "something waits, and nobody would ever look"
                assert talk.active or talk.owner or self._oracle.of(talk.id, "running")

    def _do(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self._ground.do(doing)

    def _arrival(
        self,
        by: str,
        chat: str,
        key: str,
        *,
        owns: bool = True,
        kind: Any = "message",
        is_old: bool = False,
        text: str = "hello",
    ) -> Arrival:
        arrival = self._sides[by].arrival(chat, text, key=key, kind=kind, owns=owns)
        sent_at = arrival.message.sent_at - OLD if is_old else arrival.message.sent_at
        return replace(arrival, message=replace(arrival.message, sent_at=sent_at))

    def _expect(self, arrival: Arrival) -> bool:
        message = arrival.message
        return self._oracle.accept(
            arrival.conversation_id,
            message.place.chat,
            message.dedupe_key,
            owner=arrival.owner or "",
            kind=arrival.kind,
            text=message.text,
            is_old=message.sent_at < datetime.now(UTC) - CUT_OFF,
        )

    def _given(self, by: str, work: Work) -> None:
        """What is handed out is what waits, in its order, under the newest token."""
        talk = self._oracle.talks[work.lease.conversation_id]
        assert (talk.owner, talk.token) == (by, work.lease.token)
        assert [one.message.dedupe_key for one in work.waiting] == self._oracle.waiting(talk.id)
        assert work.line.doubt_before == self._doubt
        for one in work.waiting:
            message = self._oracle.messages[one.message.dedupe_key]
            assert (one.message.text, one.revision, one.seq) == (message.text, message.revision, message.seq)
            assert (one.accepted_at - one.asked_at > CUT_OFF) == message.is_old
        left = work.unfinished
        hand = Hand(owner=by, work=work)
        if left is not None:
            assert left.id == self._oracle.unfinished(talk.id)
            assert left.state == self._oracle.turns[left.id].state
            hand.turn = turn_of(work, turn_id=left.id, state=left.state, end=left.end)
            hand.taken, hand.parts = left.taken, left.parts
            assert [key for key, _ in hand.takes()] == [
                one.key for one in self._oracle.of(talk.id, "running") if one.turn == left.id
            ]
        self._hands.append(hand)

    def _freezable(self) -> list[Hand]:
        return [hand for hand in self._composable() if not self._oracle.fenced]

    def _beginnable(self) -> list[Hand]:
        return [hand for hand in self._hands if hand.turn is None and hand.work.waiting]

    def _composable(self) -> list[Hand]:
        return [hand for hand in self._hands if hand.turn is not None and hand.turn.state == "open"]

    def _with_parts(self) -> list[Hand]:
        return [hand for hand in self._hands if hand.parts]

    def _closable(self) -> list[Hand]:
        return [hand for hand in self._hands if hand.turn is not None and hand.turn.state == "composed"]

    def _idle(self) -> list[Hand]:
        return [hand for hand in self._hands if hand.turn is None]

    def _writing(self, hand: Hand) -> Writing:
        return Writing(lease=hand.work.lease, turn=hand.turn, takes=hand.taken, parts=hand.parts)

    def _write(self, hand: Hand, writing: Writing, state: str, end: str | None) -> None:
        """Whoever is not heard begins no further: of a lost lease nothing is left, and who was overtaken
        looks again."""
        assert hand.turn is not None
        answer = self._oracle.take(hand.talk, hand.token, hand.turn.id, hand.takes(), state, end)
        heard, _ = self._heard(hand, writing)
        assert heard == answer
        if answer == "made":
            for part in writing.parts:
                self._oracle.parts.setdefault(part.id, part.state)
        elif answer == "overtaken":
            hand.turn, hand.taken, hand.parts = None, (), ()

    def _heard(self, hand: Hand, writing: Writing) -> tuple[str, Work | None]:
        try:
            return "made", self._do(self._sides[hand.owner].journal.write(writing))
        except LeaseLost:
            return "lost", None
        except Overtaken:
            return "overtaken", None

    def _end(self, hand: Hand, closing: Closing, end: str, **ruled: Any) -> None:
        answer = self._oracle.close(hand.talk, hand.token, closing.turn_id, end, **ruled)
        heard, following = self._heard(hand, Writing(lease=hand.work.lease, closing=closing))
        if isinstance(answer, list):
            assert heard == "made"
            assert following is not None
            self._given(hand.owner, following)
        else:
            assert (heard, following) == (answer, None)


async def _all(doings: Iterator[Coroutine[Any, Any, Result]]) -> list[Result]:
    return list(await asyncio.gather(*doings))


@pytest.fixture
def ground(database_url: str) -> Iterator[Ground]:
    ground = Ground(database_url)
    yield ground
    ground.close()


WRONG = {
    "the token is not looked at": ("parley_commit_v1", "c.lease_token = l.token AND", ""),
    "work is handed out in spite of a fence": ("parley_claim_v1", "f.lifted_at IS NULL", "false"),
    "an edit overtakes nothing": ("parley_commit_v1", "overtaken IS NOT NULL", "false"),
    "what is let go is forgotten": (
        "parley_close_v1",
        "WHEN x.waits THEN clock_timestamp()",
        "WHEN false THEN now()",
    ),
}


def play(ground: Ground, size: str, *, seeded: bool, phases: Sequence[Phase]) -> None:
    runs, steps = map(int, size.split("x"))
    run_state_machine_as_test(
        lambda: Store(ground),  # type: ignore[arg-type]
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            derandomize=seeded,
            phases=phases,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(3600 if FULL else 240)
def test_the_store_does_what_its_oracle_says(ground: Ground) -> None:
    """To find the shortest way to a failure takes long; the full form does it."""
    phases = [Phase.generate, Phase.shrink] if FULL else [Phase.generate]
    play(ground, FULL or SHORT, seeded=not FULL, phases=phases)


@pytest.mark.parametrize("fault", WRONG)
def test_a_store_that_is_wrong_is_told_from_its_oracle(ground: Ground, fault: str) -> None:
    function, right, wrong = WRONG[fault]
    ground.put(function, right, wrong)
    with pytest.raises(AssertionError):
        play(ground, "100x30", seeded=True, phases=[Phase.generate])
