"""May this message be worked on now? A refusal is a value with a text for the person.

Asked once a turn, after one wait on the fast side. What is refused is said once a minute; after that
the refused message is covered by what was said, with a small sign where the channel can give one. It is said
to one message, which may ask again: who held it may have died before anything was said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.ports import Glance, State
from core.rows import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why not. `text` is None when another message heard it within this minute."""

    reason: str
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The rules. `allowed` decides by channel and the platform's id of the person."""

    state: State
    allowed: Callable[[str, str], bool]
    message_chars: int

    async def admit(self, taken: Sequence[Waiting], glance: Glance) -> Refusal | None:
        """None when the messages may go on to a model or a command."""
        first = taken[0]
        sender, channel = first.message.sender, first.message.place.channel
        if first.blocked or not self.allowed(channel, sender.id):
            text = f"I may not answer you: the operator has not let you in. You are `{channel}:{sender.id}`."
            return await self._refuse(first, "not_allowed", text)
        if glance.over_limit is not None:
            text = f"That is too fast for me. Please wait {glance.over_limit} s and write again."
            return await self._refuse(first, "too_fast", text)
        if not any(waiting.message.text.strip() for waiting in taken):
            return Refusal(reason="no_text", text="I see no text there, and I can only read text so far.")
        length = max(len(waiting.message.text) for waiting in taken)
        if length > self.message_chars:
            text = (
                f"That message is too long: {length:,} characters, and I take {self.message_chars:,} at most."
            )
            return Refusal(reason="too_long", text=text)
        return None

    async def _refuse(self, waiting: Waiting, reason: str, text: str) -> Refusal:
        is_first = await self.state.first_this_minute(f"{reason}:{waiting.user_id}", waiting.inbox_id)
        return Refusal(reason=reason, text=text if is_first else None)
