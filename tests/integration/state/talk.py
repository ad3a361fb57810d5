"""People and messages for tests of the state: small makers of what a turn hands over."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from core.messages import Place, Spoken
from core.ports import Glance, Remembrance, State
from core.state.redis_state import Terms

PATIENT = Terms(patience=10.0, probe_seconds=0.02)
"""For tests that are not about slowness: a busy machine must not look like a slow Redis."""

HASTY = Terms(patience=0.1, probe_seconds=0.02, timeout=1.0)


def said(text: str, *, author: str = "") -> Spoken:
    return Spoken(id=uuid4(), role="user", content=text, author=author)


@dataclass(kw_only=True)
class Person:
    """Somebody in a conversation, with the last message that Postgres would name."""

    channel: str = "telegram"
    sender_id: str = "42"
    user_id: UUID = field(default_factory=uuid4)
    conversation_id: UUID = field(default_factory=uuid4)
    last: UUID | None = None

    @property
    def place(self) -> Place:
        return Place(account_id=UUID(int=1), channel=self.channel, chat="7")

    async def glance(self, state: State) -> Glance:
        return await state.glance(self.place, self.sender_id, self.user_id, self.conversation_id, self.last)

    async def turn(self, state: State, *added: Spoken, context: tuple[Spoken, ...] | None = None) -> None:
        """Remember these messages, which Postgres then knows as the last."""
        await state.remember(
            Remembrance(
                place=self.place,
                conversation_id=self.conversation_id,
                user_id=self.user_id,
                sender_id=self.sender_id,
                model="scripted",
                added=added,
                context=context,
            )
        )
        self.last = added[-1].id
