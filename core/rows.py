"""What is written down of a turn: the rows of the four commits, and what they give back.

A turn hands the journal one `Arrival` (first commit) and then `Writing`s under its lease: begin,
compose, close, and the small marks between parts. Every id is made before the write, so that a
write whose outcome is unknown can be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from core.messages import InboundMessage, Place, Role, Usage

Kind = Literal["message", "command", "stop"]
End = Literal["answered", "apologised", "refused", "withdrawn", "undeliverable", "uncertain", "stale"]
Op = Literal["preview", "send", "edit", "notice"]
PartState = Literal["pending", "sending", "sent", "uncertain", "dead"]
CallState = Literal["settled", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message to accept. The ids are candidates: an existing user or conversation keeps its own.

    `owner` is the instance that would run the turn at once, or None where it should only be stored. Of a
    change (`message.change`) only the dedupe key and the new text count.
    """

    inbox_id: UUID
    user_id: UUID
    conversation_id: UUID
    tenant_id: UUID
    kind: Kind
    message: InboundMessage
    owner: str | None
    lease_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on a conversation, until the database's clock says otherwise."""

    conversation_id: UUID
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What Postgres says of a conversation when its work is handed out. What was asked before `doubt_before`
    may have been answered by a gateway whose memory a restored backup does not have."""

    conversation_id: UUID
    tenant_id: UUID
    place: Place
    model_override: str | None = None
    last_message_id: UUID | None = None
    doubt_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An accepted message that nobody has answered yet. `asked_at` is when the person sent it, as far as the
    platform's clock can be believed; `revision` counts its edits."""

    inbox_id: UUID
    seq: int
    kind: Kind
    user_id: UUID
    message: InboundMessage
    accepted_at: datetime
    asked_at: datetime
    attempts: int = 0
    revision: int = 0
    preferred_model: str | None = None
    blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An outbox row: one send or edit that must happen (or, for a preview, may)."""

    id: UUID
    turn_id: UUID
    part: int
    op: Op
    body: str
    state: PartState = "pending"
    receipt: str | None = None
    reply_to: str = ""
    attempts: int = 0
    first_sent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A model call that an earlier holder reserved and did not settle."""

    id: UUID
    model: str
    reserved_prompt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTurn:
    """A turn that an earlier holder began and did not close. `calls` counts its ledger rows."""

    id: UUID
    state: Literal["open", "composed"]
    attempts: int
    taken: tuple[Waiting, ...]
    parts: tuple[Part, ...]
    kind: Literal["answer", "command", "refusal", "apology"] = "answer"
    end: End | None = None
    error: str = ""
    calls: int = 0
    open_call: OpenCall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A conversation handed to this instance: the lease, and what is to be done under it."""

    lease: Lease
    line: Line
    waiting: tuple[Waiting, ...]
    unfinished: OpenTurn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The outcome of an arrival; `work` is set when this instance now holds the conversation. `changed`: a
    change found its message in time."""

    fresh: bool
    inbox_id: UUID
    conversation_id: UUID
    work: Work | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """The turn as it begins or as it is composed; written again, it is the same turn."""

    id: UUID
    conversation_id: UUID
    tenant_id: UUID
    kind: Literal["answer", "command", "refusal", "apology"]
    state: Literal["open", "composed"]
    attempts: int
    deadline_at: datetime
    config_version: int = 0
    end: End | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A ledger row as reserved, before the model is called."""

    id: UUID
    tenant_id: UUID
    account_id: UUID
    conversation_id: UUID
    user_id: UUID
    turn_id: UUID
    channel: str
    attempt: int
    model: str
    reserved_prompt: int
    reserved_completion: int
    started_at: datetime
    reserved_micro: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a reserved ledger row ended. `cost_micro` None means the price is unknown, never zero."""

    call_id: UUID
    state: CallState
    usage: Usage
    model: str
    cost_micro: int | None
    price_source: str | None
    duration_ms: int
    first_token_ms: int | None = None
    finish_reason: str = ""
    error: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A line of the transcript."""

    id: UUID
    conversation_id: UUID
    tenant_id: UUID
    turn_id: UUID
    role: Role
    content: str
    timestamp: datetime
    user_id: UUID | None = None
    model: str | None = None
    tokens: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A change of an outbox row after, or just before, an attempt to send it."""

    part_id: UUID
    state: PartState
    receipt: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The end of a turn, or of the lease alone where `turn_id` is None.

    `keep` asks for the next waiting messages under the same lease. `wake_in` (seconds) parks the
    conversation: the lease is released and the unfinished turn may be taken up after that time.
    `successor_id` ends the conversation and begins a new one in the same place with this id.
    `covers_before` gives the same end to all that waits here and was asked before that time.
    """

    turn_id: UUID | None
    end: End | None = None
    keep: bool = True
    wake_in: float | None = None
    successor_id: UUID | None = None
    covers_stops: bool = False
    covers_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Rows of one turn that become true together, or not at all when the lease is lost, or when one of those
    it `takes` is not any more what was handed out."""

    lease: Lease
    turn: TurnRow | None = None
    takes: tuple[Waiting, ...] = ()
    settlement: Settlement | None = None
    call: CallRow | None = None
    messages: tuple[MessageRow, ...] = ()
    parts: tuple[Part, ...] = ()
    marks: tuple[Mark, ...] = ()
    closing: Closing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """What admins have set for a channel, an account of it, or one chat; narrower scopes win."""

    channel: str
    scope: Literal["channel", "account", "chat"]
    account_id: UUID | None
    chat: str | None
    default_model: str | None
    settings: Mapping[str, Any]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUsage:
    """A sum over the ledger, for one person's `/usage`. `cost_micro` counts priced calls only."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_micro: int
    unpriced_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnswer:
    """The newest answered turn of a conversation: what was asked and what was said."""

    turn_id: UUID
    question: str
    answer: str
    end: str
