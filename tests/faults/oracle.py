"""What the store must hold after each step, said in plain Python: conversations, messages, turns and parts.

It knows no SQL and no batches; each method is one thing that a gateway does, and gives what the gateway must
hear. Time stands still but for what is said to have passed: a lease runs out, a parked conversation wakes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

Wake = Literal["", "now", "later"]
Answer = Literal["made", "lost", "overtaken"]


@dataclass(slots=True, kw_only=True)
class Talk:
    """A conversation."""

    id: UUID
    chat: str
    active: bool = True
    owner: str = ""
    token: int = 0
    expired: bool = False
    wake: Wake = ""
    next_seq: int = 0


@dataclass(slots=True, kw_only=True)
class Message:
    key: str
    talk: UUID
    seq: int
    kind: str
    text: str
    is_old: bool
    state: str = "waiting"
    outcome: str | None = None
    turn: UUID | None = None
    revision: int = 0
    attempts: int = 0


@dataclass(slots=True, kw_only=True)
class Turning:
    talk: UUID
    state: str = "open"
    outcome: str | None = None
    closed_under: int = 0


@dataclass(slots=True, kw_only=True)
class Oracle:
    talks: dict[UUID, Talk] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    turns: dict[UUID, Turning] = field(default_factory=dict)
    parts: dict[UUID, str] = field(default_factory=dict)
    fenced: bool = False

    def talk_in(self, chat: str) -> Talk | None:
        return next((talk for talk in self.talks.values() if talk.chat == chat and talk.active), None)

    def of(self, talk: UUID, *states: str) -> list[Message]:
        """The messages of a conversation in these states, in their order."""
        mine = [one for one in self.messages.values() if one.talk == talk and one.state in states]
        return sorted(mine, key=lambda one: one.seq)

    def waiting(self, talk: UUID) -> list[str]:
        """The keys of what waits as it is handed out: what stops comes first."""
        mine = self.of(talk, "waiting")
        return [one.key for one in sorted(mine, key=lambda one: (one.kind != "stop", one.seq))]

    def accept(
        self, talk_id: UUID, chat: str, key: str, *, owner: str, kind: str, text: str, is_old: bool
    ) -> bool:
        """A new message; does its acceptance take the lease?"""
        talk = self.talk_in(chat)
        if talk is None:
            talk = self.talks[talk_id] = Talk(id=talk_id, chat=chat)
        takes = bool(owner) and not talk.owner and not talk.wake and not self.fenced
        self.messages[key] = Message(
            key=key, talk=talk.id, seq=talk.next_seq, kind=kind, text=text, is_old=is_old
        )
        talk.next_seq += 1
        talk.wake = talk.wake or "now"
        if takes:
            self._hand_to(talk, owner)
        return takes

    def change(self, key: str, change: str, text: str) -> bool:
        """An edit or a deletion; did it find its message in time?"""
        message = self.messages.get(key)
        if message is None:
            return False
        if message.state != "waiting":
            return change == "deleted" and message.outcome == "withdrawn" and message.turn is None
        if change == "deleted":
            message.state, message.outcome = "done", "withdrawn"
        elif message.text != text:
            message.text, message.kind, message.revision = text, "message", message.revision + 1
        return True

    def claimable(self) -> list[Talk]:
        free = [
            talk for talk in self.talks.values() if talk.wake == "now" and (not talk.owner or talk.expired)
        ]
        return [] if self.fenced else free

    def claim(self, talk: Talk, owner: str) -> None:
        """A lease that ran out counts as an attempt of what its holder had in hand."""
        if talk.owner and (held := self.of(talk.id, "waiting", "running")):
            first = min(held, key=lambda one: (one.state != "running", one.kind != "stop", one.seq))
            first.attempts += 1
        self._hand_to(talk, owner)

    def unfinished(self, talk: UUID) -> UUID | None:
        mine = [id for id, turn in self.turns.items() if turn.talk == talk and turn.state != "closed"]
        assert len(mine) < 2
        return mine[0] if mine else None

    def is_live(self, talk: UUID, token: int) -> bool:
        """May whoever has this token write?"""
        return self.talks[talk].token == token and bool(self.talks[talk].owner)

    def is_lost(self, talk: UUID, token: int, owner: str) -> bool:
        """Is a holder told that somebody else has it? Not of what was merely let go."""
        held = self.talks[talk]
        return held.token != token or held.owner not in ("", owner)

    def take(
        self,
        talk: UUID,
        token: int,
        turn: UUID,
        takes: Sequence[tuple[str, int]],
        state: str,
        end: str | None,
    ) -> Answer:
        """Begin a turn, or compose it: `takes` are keys with the revisions that were handed out."""
        if not self.is_live(talk, token):
            return "lost"
        for key, revision in takes:
            message = self.messages[key]
            if message.turn != turn and (message.state, message.revision) != ("waiting", revision):
                return "overtaken"
        known = self.turns.setdefault(turn, Turning(talk=talk))
        known.state, known.outcome = state, end
        for key, _ in takes:
            message = self.messages[key]
            if message.state == "waiting":
                message.state, message.turn = "running", turn
        return "made"

    def close(
        self,
        talk_id: UUID,
        token: int,
        turn: UUID | None,
        end: str,
        *,
        keep: bool,
        parks: bool = False,
        successor: UUID | None = None,
        covers_stops: bool = False,
        covers_old: bool = False,
    ) -> Answer | list[str]:
        """The end of a turn, or of the lease alone; the keys of what waits where the lease goes on."""
        if not self.is_live(talk_id, token):
            is_repeat = turn is not None and self.turns[turn].closed_under == token
            return "made" if is_repeat else "lost"
        if turn is not None:
            self._end(talk_id, token, turn, end, covers_stops=covers_stops, covers_old=covers_old)
        talk = self.talks[talk_id]
        if successor is not None:
            self._succeed(talk, successor)
        waits = bool(self.of(talk_id, "waiting", "running"))
        if keep and waits and not self.fenced:
            return self.waiting(talk_id)
        talk.owner, talk.expired = "", False
        talk.wake = "later" if parks else "now" if waits else ""
        return "made"

    def _end(
        self, talk: UUID, token: int, turn: UUID, end: str, *, covers_stops: bool, covers_old: bool
    ) -> None:
        for message in self.of(talk, "waiting", "running"):
            is_old = message.state == "waiting" and message.is_old and covers_old
            if message.turn == turn or is_old:
                outcome = end
            elif covers_stops and message.kind == "stop":
                outcome = "answered"
            else:
                continue
            message.state, message.outcome, message.turn = "done", outcome, turn
        ended = self.turns[turn]
        if ended.state != "closed":
            ended.state, ended.outcome, ended.closed_under = "closed", end, token

    def _succeed(self, talk: Talk, successor: UUID) -> None:
        """What waits goes on in a new conversation of the same place."""
        talk.active = False
        left = self.of(talk.id, "waiting")
        self.talks[successor] = Talk(
            id=successor, chat=talk.chat, next_seq=talk.next_seq, wake="now" if left else ""
        )
        for message in left:
            message.talk = successor

    def _hand_to(self, talk: Talk, owner: str) -> None:
        talk.owner, talk.token, talk.expired = owner, talk.token + 1, False
