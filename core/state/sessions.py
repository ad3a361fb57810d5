"""Who talks, in which conversation, with which model: a hash that an hour without activity removes.

The hash carries the version of its shape; one of another version counts as missing, so instances of
two releases may run side by side.
"""

from collections.abc import Mapping
from datetime import datetime

from core.ports import Remembrance
from core.state import keys
from core.state.commands import Command, Reply, as_text, write

VERSION = "1"


def parse(reply: Reply) -> Mapping[str, str] | None:
    """The session, or None where there is none of our version."""
    session = as_text(reply) if reply else {}
    return session if session.get("version") == VERSION else None


def save(what: Remembrance, at: datetime, seconds: int) -> Command:
    """Write the session of this turn and let it live for so many seconds."""
    fields = {
        "user_id": str(what.user_id),
        "conversation_id": str(what.conversation_id),
        "model": what.model,
        "last_activity": at.isoformat(timespec="seconds"),
        "version": VERSION,
    }
    key = keys.session(what.place.channel, what.user_id, what.sender_id)
    return write(key, seconds, "HSET", *[part for pair in fields.items() for part in pair])


def touch(key: str, seconds: int) -> Command:
    """Activity without a change: live on."""
    return ("EXPIRE", key, seconds)
