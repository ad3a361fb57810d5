"""One turn as it goes, and the rows that say so. Pure: it decides nothing and waits for nothing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from core.messages import OutboundMessage, Spoken
from core.overdue import Overdue
from core.ports import CanEdit, ChannelAdapter
from core.rows import (
    Closing,
    End,
    Lease,
    Line,
    Mark,
    MessageRow,
    Op,
    OpenCall,
    OpenTurn,
    Part,
    TurnRow,
    Waiting,
    Work,
)

Kind = Literal["answer", "command", "refusal", "apology"]


@dataclass(slots=True, kw_only=True)
class Turn:
    """What is known of a turn: whose work, which messages, and how it will end if its parts arrive.

    `end` and `kind` change as it goes: a refusal and an apology are ends too. `open_call` is reserved in the
    ledger and not settled yet, by us or by an earlier holder. `attempts` counts its holders: us, and those
    that died with it in hand; `deliveries` those since it was composed. Who handed it back did not die.
    With `late_edits` an edit of the preview may be carried out yet, after all that we do.
    """

    id: UUID
    work: Work
    taken: tuple[Waiting, ...]
    attempts: int
    deliveries: int = 1
    channel: ChannelAdapter
    stopped: asyncio.Event
    deadline_at: datetime
    kind: Kind = "answer"
    end: End = "answered"
    error: str = ""
    config_version: int = 0
    parts: tuple[Part, ...] = ()
    successor_id: UUID | None = None
    open_call: OpenCall | None = None
    covers_stops: bool = False
    rests_until: float = 0.0
    late_edits: bool = False
    overdue: Overdue | None = None

    @property
    def is_composed(self) -> bool:
        """Did an earlier holder write down what is to be said?"""
        return self.work.unfinished is not None and self.work.unfinished.state == "composed"

    def go_on(self, unfinished: OpenTurn) -> None:
        """Take over what an earlier holder began. Of what was composed only the deaths since then count, and
        that it is merely late does not keep it from being delivered."""
        self.kind, self.error = unfinished.kind, unfinished.error
        self.end = unfinished.end or "answered"
        self.parts, self.open_call = unfinished.parts, unfinished.open_call
        self.late_edits = self.placeholder is not None
        if unfinished.state == "open":
            return
        deaths = max(one.attempts for one in self.taken) - (unfinished.attempts - 1)
        self.attempts, self.deliveries = unfinished.attempts, 1 + max(0, deaths)
        if self.overdue is not None and self.overdue.why == "late" and self.kind != "apology":
            self.overdue = None

    @property
    def is_notice(self) -> bool:
        """Was the person told already that we are unsure?"""
        return any(part.op == "notice" for part in self.parts)

    @property
    def lease(self) -> Lease:
        return self.work.lease

    @property
    def line(self) -> Line:
        return self.work.line

    @property
    def asked(self) -> Waiting:
        return self.taken[0]

    @property
    def placeholder(self) -> Part | None:
        """The message that shows the answer as it grows, where one was begun."""
        return next((part for part in self.parts if part.op == "preview"), None)

    def row(self, state: Literal["open", "composed"]) -> TurnRow:
        return TurnRow(
            id=self.id,
            conversation_id=self.line.conversation_id,
            tenant_id=self.line.tenant_id,
            kind=self.kind,
            state=state,
            attempts=self.attempts,
            deadline_at=self.deadline_at,
            config_version=self.config_version,
            end=self.end if state == "composed" else None,
            error=self.error,
        )

    def closing(self, end: End) -> Closing:
        """A command that was refused, or failed, began nothing anew."""
        return Closing(
            turn_id=self.id,
            end=end,
            successor_id=self.successor_id if self.end == "answered" else None,
            covers_stops=self.covers_stops,
            covers_before=self.overdue.before if self.overdue else None,
        )

    def outbound(self) -> OutboundMessage:
        """What all sends of this turn share."""
        message = self.asked.message
        return OutboundMessage(
            place=self.line.place, text="", key="", asked_at=self.asked.asked_at, extra=message.extra
        )

    def begin_placeholder(self) -> Part | None:
        """The placeholder to write down and send, where the channel streams by edits and has none yet."""
        traits = self.channel.traits
        if traits.streaming != "edit" or not isinstance(self.channel, CanEdit) or self.placeholder:
            return None
        return self._part(1, "preview", traits.placeholder, state="sending")

    def unseen(self) -> tuple[Mark, ...]:
        """A placeholder without a receipt may stand there or not; nobody waits for it any more."""
        part = self.placeholder
        if part is None or part.receipt is not None:
            return ()
        return (Mark(part_id=part.id, state="uncertain", error="its receipt never came"),)

    def cut(self, text: str | None) -> tuple[Part, ...]:
        """The parts that are owed: the first takes the place of the placeholder, where there is one. A line
        that we are unsure is a message of its own: what stands in the placeholder may be an answer by now."""
        if text is None:
            return ()
        if self.end == "uncertain":
            return (self._part(1, "notice", text, state="sending"),)
        shown = self.placeholder.receipt if self.placeholder else None
        pieces = self.channel.split(text)
        first = self._part(1, "edit" if shown else "send", pieces[0], state="sending", receipt=shown)
        rest = (self._part(number, "send", piece) for number, piece in enumerate(pieces[1:], start=2))
        return (first, *rest)

    def _part(self, number: int, op: Op, body: str, **more: Any) -> Part:
        reply_to = self.asked.message.message_id if number == 1 else ""
        return Part(id=uuid7(), turn_id=self.id, part=number, op=op, body=body, reply_to=reply_to, **more)

    def said(self, text: str) -> tuple[Spoken, ...]:
        """What the person said, as the model sees it; in groups with the author's name. `text` stands for
        what a command asked to be asked; else each message speaks for itself."""
        author = "" if self.line.place.direct else self.asked.message.sender.name
        if text:
            return (Spoken(id=self.asked.inbox_id, role="user", content=text, author=author),)
        return tuple(
            Spoken(id=waiting.inbox_id, role="user", content=waiting.message.text, author=author)
            for waiting in self.taken
        )

    def transcript(
        self,
        said: Sequence[Spoken],
        answer: Spoken | None,
        now: datetime,
        *,
        model: str | None = None,
        tokens: tuple[int, int] = (0, 0),
        left_out: int = 0,
    ) -> tuple[MessageRow, ...]:
        """Rows in the order of the talk, a microsecond apart: an answer stands behind its question, whatever
        was accepted in between. `tokens` are of the prompt and of the answer."""
        rows = []
        for index, spoken in enumerate((*said, answer) if answer else said):
            mine = spoken is answer
            metadata: dict[str, Any] = {"author": spoken.author} if spoken.author else {}
            if mine:
                metadata = {"prompt_tokens": tokens[0], "left_out": left_out}
            rows.append(
                MessageRow(
                    id=spoken.id,
                    conversation_id=self.line.conversation_id,
                    tenant_id=self.line.tenant_id,
                    turn_id=self.id,
                    user_id=None if mine else self.asked.user_id,
                    role=spoken.role,
                    content=spoken.content,
                    timestamp=now + timedelta(microseconds=index),
                    model=model if mine else None,
                    tokens=tokens[1] if mine else None,
                    metadata=metadata,
                )
            )
        return tuple(rows)


def merge(
    waiting: Sequence[Waiting],
    most: int,
    chars: int,
    is_overdue: Callable[[Waiting], object] = lambda waiting: False,
) -> tuple[Waiting, ...]:
    """The messages of the next turn: the first that waits, with the plain ones of the same author that
    follow it directly, as long as they have `chars` characters together at most. Commands stand alone, and
    so do a message without text and one that is overdue."""
    taken = list(waiting[:1])
    if not taken or not _is_plain(taken[0]) or is_overdue(taken[0]):
        return tuple(taken)
    room = chars - len(taken[0].message.text)
    for one in waiting[1:most]:
        room -= len(one.message.text)
        if not _is_plain(one) or one.user_id != taken[0].user_id or room < 0 or is_overdue(one):
            break
        taken.append(one)
    return tuple(taken)


def _is_plain(waiting: Waiting) -> bool:
    return waiting.kind == "message" and bool(waiting.message.text.strip())
