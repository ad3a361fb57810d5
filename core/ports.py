"""The sockets of the house: all that the author of a channel, a model vendor or a store must read.

Protocols, not base classes: whatever has these members fits. A channel must have the six members of
`ChannelAdapter` and may have any of the small `Can...` ones; the contract suites in `tests/contract`
say the rest.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

from core.messages import (
    Account,
    CommandOffer,
    Cost,
    Delta,
    Finish,
    Identity,
    InboundMessage,
    OutboundMessage,
    Place,
    Spoken,
    Traits,
    Usage,
)
from core.rows import Accepted, Arrival, CallUsage, ChannelConfig, LastAnswer, Lease, Work, Writing

Accept = Callable[[Sequence[InboundMessage]], Awaitable[None]]
"""Returns when every message is committed; only then may the platform be acknowledged. Raises
`StoreUnavailable` when they could not be stored: the channel must not acknowledge and should let the
platform deliver again. Calling it twice with the same messages is harmless."""


class ChannelAdapter(Protocol):
    """A messaging platform, for one account. All methods may be called from any task."""

    @property
    def name(self) -> str:
        """The channel's name, such as "telegram"."""
        ...

    @property
    def traits(self) -> Traits:
        """What this channel can do; constant."""
        ...

    async def connect(self) -> Identity:
        """Check the credentials and learn who we are. Called before anything else, and again after a
        failure. Raises `Unauthorized` (final until the token changes) or `NotSent` (try again later)."""
        ...

    async def run(self, account: Account, accept: Accept) -> None:
        """Receive until cancelled, handing in every message meant for the bot through `accept`. Raises
        `ChannelError` when the connection is beyond repair; it will be run again."""
        ...

    async def send(self, message: OutboundMessage) -> str:
        """Send one message; the receipt is the platform's id for it. Never repeats by itself a send
        that may have gone out. Raises a `ChannelError` that says what is certain."""
        ...

    def split(self, text: str) -> tuple[str, ...]:
        """Cut CommonMark into pieces that each fit one message, fences and emphasis whole. Pure.
        At least one piece; nothing of the text is lost."""
        ...


@runtime_checkable
class CanEdit(Protocol):
    """The channel can replace the text of a message it sent. An edit may be repeated safely."""

    async def edit(self, place: Place, receipt: str, text: str) -> None: ...


@runtime_checkable
class CanDraft(Protocol):
    """The channel can show the answer as it grows, leaving no message behind. Droppable."""

    async def draft(self, place: Place, text: str) -> None: ...


@runtime_checkable
class CanShowTyping(Protocol):
    """The channel can show that an answer is being written, for some seconds. Droppable."""

    async def show_typing(self, place: Place) -> None: ...


@runtime_checkable
class CanReact(Protocol):
    """The channel can put a small sign on a person's message. Droppable."""

    async def react(self, place: Place, message_id: str, sign: str) -> None: ...


@runtime_checkable
class CanOfferCommands(Protocol):
    """The channel has a menu of commands. Called after `connect`; failing must not stop the start."""

    async def offer_commands(self, offers: Sequence[CommandOffer]) -> None: ...


@runtime_checkable
class CanReadBack(Protocol):
    """The channel can look whether a message with this key is already there; None when it is not."""

    async def read_back(self, message: OutboundMessage) -> str | None: ...


class Cursors(Protocol):
    """How far an account's chats were read, durably: by chat, an opaque string of the channel's."""

    async def read(self) -> Mapping[str, str]: ...
    async def move(self, moves: Mapping[str, str]) -> None: ...


@runtime_checkable
class CanCatchUp(Protocol):
    """The channel fetches what was said while nobody listened. Called before each `run`."""

    def remember_with(self, cursors: Cursors) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call: messages as OpenAI's chat form has them ({"role", "content"}), oldest first."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    max_tokens: int
    stream: bool = True


class ModelProvider(Protocol):
    """A vendor of models."""

    def answer(self, request: ModelRequest) -> AsyncIterator[Delta | Finish]:
        """Yield deltas as they come and end with exactly one `Finish`. Closing the iterator early ends
        the call at the vendor. Raises `ModelError`; keeps the timeouts it was built with."""
        ...


class Tokens(Protocol):
    """Counts tokens before a call, on the safe side; what the vendor reports afterwards wins."""

    def count(self, text: str) -> int: ...


class Prices(Protocol):
    """Knows what a call costs at the price of a moment; None when that is not known."""

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost | None: ...


class Journal(Protocol):
    """The durable side of a turn: group commit into Postgres."""

    async def accept(self, arrival: Arrival) -> Accepted:
        """First commit. Returns when it is durable. Raises `StoreUnavailable` or `RowRefused`."""
        ...

    async def write(self, writing: Writing) -> Work | None:
        """Any later commit. Raises `LeaseLost` when the token is old. After a closing that keeps the
        lease it gives the next work of the conversation, else None. A caller that is cancelled while
        it waits still commits."""
        ...


class Leases(Protocol):
    """Who works on which conversation, by the database's clock."""

    async def claim(self, owner: str, accounts: Sequence[UUID], most: int) -> list[Work]:
        """Take up to `most` conversations of these accounts that wait and that nobody holds."""
        ...

    async def renew(self, owner: str, held: Sequence[Lease]) -> set[UUID]:
        """Prolong what is still ours; gives the conversations that were lost."""
        ...

    async def give_back(self, owner: str, held: Sequence[Lease]) -> None:
        """Let go of all that the owner has but for `held`: what nobody heard of is no attempt."""


class Accounts(Protocol):
    """Bot identities as stored, and who receives for one that allows a single receiver."""

    async def register(self, channel: str, identity: Identity) -> Account:
        """The stored account of this identity, made where it is new."""
        ...

    async def hold_receiver(self, account_id: UUID, instance: str, seconds: float) -> bool:
        """Take or prolong the right to receive; False while another instance has it."""
        ...

    async def release_receiver(self, account_id: UUID, instance: str) -> None:
        """Give the right back, where it is ours."""
        ...

    def cursors(self, account_id: UUID) -> Cursors: ...


class Records(Protocol):
    """The transcript and a person's preferences, read and changed outside the hot path."""

    async def context(self, conversation_id: UUID, most: int) -> list[Spoken]:
        """The newest messages of a conversation, oldest first."""
        ...

    async def history(self, conversation_id: UUID, most: int) -> list[tuple[datetime, Spoken]]:
        """The newest messages with their times, oldest first."""
        ...

    async def last_answer(self, conversation_id: UUID) -> LastAnswer | None:
        """What `/retry` asks again and `/again` shows again."""
        ...

    async def usage(self, user_id: UUID, since: datetime) -> CallUsage:
        """What one person used since then."""
        ...

    async def configs(self) -> list[ChannelConfig]:
        """All that admins have set for channels."""
        ...

    async def stoppers(self, conversation_id: UUID) -> list[tuple[str, str]]:
        """Whose `/stop` waits in this conversation: channel and the platform's id, nobody blocked."""
        ...

    async def set_model(self, lease: Lease, model: str | None) -> None:
        """Set or clear the model override of a conversation. Raises `LeaseLost` when the token is old."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What Redis (or its stand-in when it is away) says before a turn.

    `over_limit` is whole seconds until the person may go on, None for now. `context` is None on a miss:
    rebuild it from Postgres.
    """

    over_limit: int | None = None
    session: Mapping[str, str] | None = None
    context: tuple[Spoken, ...] | None = None
    degraded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembrance:
    """What Redis is told after a turn, one round: context, session, presence.

    `added` are the new messages, oldest first; `context` is the whole context where it was rebuilt
    (a miss), else None, and then `added` goes on top of what is there.
    """

    place: Place
    conversation_id: UUID
    user_id: UUID
    sender_id: str
    model: str
    added: tuple[Spoken, ...]
    context: tuple[Spoken, ...] | None = None


class State(Protocol):
    """The fast, forgettable side. Nothing here ever raises because Redis is away."""

    async def glance(
        self, place: Place, sender_id: str, user_id: UUID, conversation_id: UUID, last_message_id: UUID | None
    ) -> Glance:
        """One wait: counts the message against the person's limit; gives session and context. A context
        whose newest message is not `last_message_id` is a miss."""
        ...

    async def remember(self, what: Remembrance) -> None:
        """One write after the turn; best effort."""
        ...

    async def forget_context(self, conversation_id: UUID) -> None: ...

    async def hit(self, kind: str, name: str, limit: int) -> int | None:
        """Count one use of `rate:{kind}:{name}:minute`; seconds to wait when over the limit, else None."""
        ...

    async def first_this_minute(self, name: str, whose: UUID) -> bool:
        """True for the first of all who ask with this name within a minute, however often that one asks."""
        ...

    async def flags(self, channel: str) -> Mapping[str, str]:
        """Feature flags in force for a channel, from a local copy that is at most seconds old."""
        ...


class Clock(Protocol):
    """The time, where tests need to turn it. Aware UTC."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
