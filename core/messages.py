"""The words of the house: what comes in, what goes out, and what passes between the rooms.

Everything here is a plain value. Nothing here knows a platform, a database or a vendor; the texts
are CommonMark, times are aware UTC, and ids of platforms are opaque strings that only the channel
that made them may read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

Role = Literal["system", "user", "assistant", "tool"]
Change = Literal["edited", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One bot identity on one channel, as stored. `name` is the platform's own id of the bot."""

    id: UUID
    tenant_id: UUID
    channel: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the platform says we are: its id of the bot, and the name people mention."""

    name: str
    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where on a platform: a chat and, where there are threads, a thread of it."""

    account_id: UUID
    channel: str
    chat: str
    thread: str = ""
    direct: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who wrote: the platform's id of the person, the name they show, their language where known."""

    id: str
    name: str
    language: str = ""


UNTOLD: Final = datetime.fromtimestamp(0, UTC)
"""When something was sent that nobody dates: too long ago to be believed, so that its acceptance counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """One message that is meant for the bot, mention taken off.

    `dedupe_key` is the same for every delivery of the same message, whatever event brought it.
    `message_id` is the platform's id, to answer under. `extra` is the channel's own note to itself.
    `sent_at` is by the platform's clock, `UNTOLD` where it says nothing, and never by this machine's.
    `change` tells of an earlier message with the same dedupe key that its author edited (`text` is the new
    one) or deleted; it counts as long as nobody has begun to answer, and is no message of its own.
    A native command arrives as its typed form, `/name arguments`.
    """

    place: Place
    sender: Sender
    text: str
    dedupe_key: str
    message_id: str
    sent_at: datetime
    extra: Mapping[str, str] = field(default_factory=dict)
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """One piece of an answer, small enough for one message of its channel.

    `text` is CommonMark. `key` names this send for ever: the same key is the same message.
    `asked_at` is when the question was sent, from where a read-back may look.
    """

    place: Place
    text: str
    key: str
    reply_to: str = ""
    asked_at: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a channel can do, as data.

    `streaming`: "edit" shows a placeholder and edits it; "draft" shows droppable drafts that leave
    no message behind; "none" sends the final only. `after_ambiguous` says what may be done when a
    send may or may not have gone out: "repeat" (the platform knows the key), "read_back" (we can
    look), "stop" (neither). `key_seconds` is how long the platform knows a key, None for ever; later a
    channel that repeats must look first. `edit_seconds` are the least times between two edits in a direct
    chat and in a group.
    """

    max_text: int
    streaming: Literal["none", "edit", "draft"] = "none"
    after_ambiguous: Literal["repeat", "read_back", "stop"] = "stop"
    key_seconds: float | None = None
    edit_seconds: tuple[float, float] = (1.5, 4.0)
    typing_seconds: float = 4.5
    single_receiver: bool = False
    placeholder: str = "…"

    def forgets(self, used_at: datetime | None, now: datetime) -> bool:
        """Is a key that was first used then so old that the platform no longer knows it?"""
        if self.key_seconds is None or used_at is None:
            return False
        return now - used_at > timedelta(seconds=self.key_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOffer:
    """A chat command as a channel may show it in its menu."""

    name: str
    summary: str
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One message of a conversation as the model will see it; `author` is set in groups."""

    id: UUID
    role: Role
    content: str
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is asked of a model, oldest first, and how many earlier messages did not fit."""

    messages: tuple[Mapping[str, str], ...]
    tokens: int
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one model call. `cached` is part of `prompt`, `reasoning` part of `completion`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of the answer as it streams."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The end of a model's answer. `reason` is the vendor's word, such as "stop" or "length"."""

    usage: Usage
    reason: str = "stop"
    model: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call cost in integer micro-units of the currency, and where the price is from."""

    micro: int
    source: str
