"""The only place that makes and reads Discord's ids as the house keeps them: opaque strings.

A chat is a channel's or a thread's id, a message its id: https://docs.discord.com/developers/reference#snowflakes.
What was asked by a command has no message; it is named by its interaction, with all that is needed to answer
it, and so is the answer's receipt: `<interaction>:<application>:<token>`, with `<answer>:` before it.
"""

from base64 import b32encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from core.errors import Rejected
from core.messages import Place

EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
TIME_SHIFT = 22
OLDEST_MS = 86_400_000
"""Ids from before the first day tell no time: a server that counts from one made them."""
NONCE_LENGTH = 24
DIRECT = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """The right to answer one command: for 15 minutes, whoever has the token."""

    id: str
    application: str
    token: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.id}:{self.application}:{self.token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a channel was read: its newest message that is dealt with, and whether it is a direct one."""

    message: int
    direct: bool

    def __str__(self) -> str:
        return f"{self.message}:{DIRECT}" if self.direct else str(self.message)


def chat_of(place: Place) -> str:
    return number("chat", place.chat)


def interaction_of(message_id: str) -> Interaction | None:
    """The command behind a message id; None where it is an ordinary message."""
    if message_id.count(":") < 2:
        return None
    id, application, token = message_id.split(":", 2)
    return Interaction(id=id, application=application, token=token)


def receipt_of(message: str, interaction: Interaction | None = None) -> str:
    return message if interaction is None else f"{message}:{interaction}"


def read_receipt(receipt: str) -> tuple[str, Interaction | None]:
    """The message's id, and the command that it answers."""
    message, _, rest = receipt.partition(":")
    return number("message", message), interaction_of(rest)


def read_cursor(cursor: str) -> Cursor | None:
    """None for what nobody can read, as a later version may have written it."""
    message, _, kind = cursor.partition(":")
    return Cursor(message=int(message), direct=kind == DIRECT) if message.isdecimal() else None


def dedupe_key(kind: str, id: str) -> str:
    """The same for every delivery: `m:` and a message's id, `i:` and an interaction's."""
    return f"{kind}:{id}"


def nonce_of(key: str) -> str:
    """The nonce of a send: the same key is the same nonce. At most 25 characters are allowed:
    https://docs.discord.com/developers/resources/message#create-message"""
    return b32encode(sha256(key.encode()).digest()).decode()[:NONCE_LENGTH]


def made_at(id: int) -> datetime | None:
    """When an id was made, where it tells."""
    milliseconds = id >> TIME_SHIFT
    if milliseconds < OLDEST_MS:
        return None
    return datetime.fromtimestamp(EPOCH.timestamp() + milliseconds / 1000, UTC)


def lowest_id(at: datetime) -> int:
    """No message of that moment or later has a lower id."""
    return max(0, int((at - EPOCH).total_seconds() * 1000)) << TIME_SHIFT


def number(what: str, given: str) -> str:
    if not given.isdecimal():
        raise Rejected(f"Discord {what} {given[:40]!r}: allowed is a whole number")
    return given
