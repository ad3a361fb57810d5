"""The last messages of a conversation, as a Redis list with the newest first.

A list is only ever whole: it is written whole after a miss, and a turn adds to it only where it still
exists. It counts only when its newest message is the one that Postgres names as the last, so that
nothing old or lost is ever taken for the context; the rest is rebuilt from Postgres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from core.messages import Spoken
from core.state import keys
from core.state.commands import Command, Reply, write


@dataclass(frozen=True, slots=True)
class ContextList:
    """The commands for one conversation's list of at most `most` entries, that lives for `seconds`."""

    conversation_id: UUID
    most: int
    seconds: int

    @property
    def key(self) -> str:
        return keys.context(self.conversation_id)

    def read(self) -> Command:
        """All that is there."""
        return ("LRANGE", self.key, 0, self.most - 1)

    def add(self, added: Sequence[Spoken]) -> list[Command]:
        """Put messages, oldest first, on top of a list that exists."""
        if not added:
            return []
        entries = map(_entry, added)
        return [
            ("LPUSHX", self.key, *entries),
            ("LTRIM", self.key, 0, self.most - 1),
            ("EXPIRE", self.key, self.seconds),
        ]

    def rewrite(self, context: Sequence[Spoken], added: Sequence[Spoken]) -> list[Command]:
        """Replace the list by a rebuilt context and what was added since, whether or not the context
        already has it; both oldest first."""
        whole = {one.id: one for one in (*context, *added)}
        newest_first = [_entry(one) for one in list(whole.values())[: -self.most - 1 : -1]]
        fill = [write(self.key, self.seconds, "RPUSH", *newest_first)] if newest_first else []
        return [("DEL", self.key), *fill]


def parse(entries: Reply, last_message_id: UUID | None) -> tuple[Spoken, ...] | None:
    """The context, oldest first; None when it is not there, not up to date or not readable."""
    if not entries or last_message_id is None:
        return None
    try:
        if orjson.loads(entries[0])["id"] != last_message_id.hex:
            return None
        return tuple([_spoken(one) for one in orjson.loads(b"[%b]" % b",".join(reversed(entries)))])
    except (ValueError, KeyError, TypeError):
        return None


def _entry(spoken: Spoken) -> bytes:
    entry = {"id": spoken.id.hex, "role": spoken.role, "content": spoken.content}
    return orjson.dumps(entry | {"author": spoken.author} if spoken.author else entry)


def _spoken(entry: dict[str, Any]) -> Spoken:
    return Spoken(
        id=UUID(int=int(entry["id"], 16)),  # half the time of UUID(text), twenty times a turn
        role=entry["role"],
        content=entry["content"],
        author=entry.get("author", ""),
    )
