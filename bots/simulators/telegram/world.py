"""Telegram's chats, users, topics and messages as the simulator keeps them, and their JSON forms.

Names that a test gives become ids that are the same in every run. Who may do what is for the methods to
decide; here things only are.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from bots.simulators.clock import TurnableClock
from bots.simulators.control import ChatType, Saying
from bots.simulators.ledger import BOT, Ledger, Seen, Version
from bots.simulators.refusal import Refusal
from bots.simulators.telegram.entities import Formatted

SUPERGROUPS_BELOW = -1_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a bot (core.telegram.org/bots/api#user)."""

    id: int
    name: str
    is_bot: bool = False

    def as_json(self) -> dict[str, Any]:
        body = {"id": self.id, "is_bot": self.is_bot, "first_name": self.name}
        if not self.name.lstrip("-").isdigit():
            body["username"] = self.name
        return body if self.is_bot else {**body, "language_code": "en"}


@dataclass(slots=True, kw_only=True)
class Chat:
    """A conversation; message ids count up from 1 in each (core.telegram.org/bots/api#chat)."""

    id: int
    name: str
    type: ChatType
    topics: dict[int, str] = field(default_factory=dict)
    messages: dict[int, "Message"] = field(default_factory=dict)
    members: dict[int, User] = field(default_factory=dict)
    last_id: int = 0

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"id": self.id, "type": self.type}
        if self.type == "private":
            return {**body, "first_name": self.name}
        return {**body, "title": self.name, **({"is_forum": True} if self.topics else {})}


@dataclass(slots=True, kw_only=True)
class Message:
    """A message in its chat, its text in the ledger's entry (core.telegram.org/bots/api#message)."""

    id: int
    chat: Chat
    sender: User
    seen: Seen
    thread: int | None
    reply_to: int | None
    markup: Any = None

    @property
    def in_topic(self) -> bool:
        return self.thread is not None and self.thread in self.chat.topics

    def as_json(self, *, with_reply: bool = True) -> dict[str, Any]:
        first, last = self.seen.versions[0], self.seen.versions[-1]
        body: dict[str, Any] = {
            "message_id": self.id,
            "from": self.sender.as_json(),
            "chat": self.chat.as_json(),
            "date": int(first.at),
            "text": last.text,
        }
        if last.entities:
            body["entities"] = list(last.entities)
        if last is not first:
            body["edit_date"] = int(last.at)
        if self.thread is not None:
            body["message_thread_id"] = self.thread
        if self.in_topic:
            body["is_topic_message"] = True
        if self.markup is not None:
            body["reply_markup"] = self.markup
        if with_reply and (reply := self._reply_json()) is not None:
            body["reply_to_message"] = reply
        return body

    def _reply_json(self) -> dict[str, Any] | None:
        if self.reply_to is not None and (target := self.chat.messages.get(self.reply_to)):
            return target.as_json(with_reply=False)
        if not self.in_topic or self.thread is None:
            return None
        # In a topic the platform shows a message that answers nothing as an answer to the topic's creation.
        return {
            "message_id": self.thread,
            "from": User(id=777000, name="Telegram").as_json(),
            "chat": self.chat.as_json(),
            "date": int(self.seen.versions[0].at),
            "message_thread_id": self.thread,
            "is_topic_message": True,
            "forum_topic_created": {"name": self.chat.topics[self.thread], "icon_color": 7322096},
        }


class World:
    """All chats by id and by name, with the ledger and the clock that they share."""

    def __init__(self, clock: TurnableClock) -> None:
        self.clock = clock
        self.ledger = Ledger()
        self._chats: dict[int, Chat] = {}
        self._by_name: dict[str, Chat] = {}

    def find(self, chat: str) -> Chat | None:
        """Return the chat with this name or id."""
        return self._by_name.get(chat) or (self._chats.get(int(chat)) if is_number(chat) else None)

    def open(self, chat_id: int, name: str | None = None, chat_type: ChatType | None = None) -> Chat:
        """Return the chat with this id, made now if it is new."""
        if (known := self._chats.get(chat_id)) is None:
            kind = chat_type or type_of(chat_id)
            known = Chat(id=chat_id, name=name or str(chat_id), type=kind)
            self._chats[chat_id] = self._by_name[known.name] = known
        return known

    def chat_of(self, saying: Saying, user: User) -> Chat:
        """Return the chat that is spoken in; raises Refusal where name, type and thread do not fit."""
        chat = self.find(saying.chat)
        if chat is None:
            kind = saying.chat_type or guess_type(saying)
            chat = self.open(chat_id_of(saying.chat, kind, user), saying.chat, kind)
        if saying.thread is not None:
            if chat.type != "supergroup":
                raise Refusal(f"thread: chat {saying.chat!r} is a {chat.type}; allowed: in a supergroup")
            chat.topics.setdefault(thread_id(saying.thread), saying.thread)
        if chat.type == "private" and chat.id != user.id:
            raise Refusal(
                f"user: {saying.user!r} given; allowed: in the private chat {chat.name!r} only its user"
            )
        chat.members[user.id] = user
        return chat

    def add_message(
        self,
        chat: Chat,
        sender: User,
        formatted: Formatted,
        *,
        thread: int | None = None,
        reply_to: int | None = None,
        markup: Any = None,
        silent: bool = False,
    ) -> Message:
        """Put a message into a chat and before everybody's eyes."""
        chat.last_id += 1
        seen = Seen(
            id=chat.last_id,
            chat=chat.name,
            author=BOT if sender.is_bot else sender.name,
            versions=[self.version(formatted)],
            extra={
                "chat_id": chat.id, "author_id": sender.id, "thread": thread, "reply_to": reply_to,
                "silent": silent, "reactions": [],
            },
        )  # fmt: skip
        message = Message(
            id=chat.last_id,
            chat=chat,
            sender=sender,
            seen=seen,
            thread=thread,
            reply_to=reply_to,
            markup=markup,
        )
        chat.messages[message.id] = message
        self.ledger.add(seen)
        return message

    def version(self, formatted: Formatted) -> Version:
        entities = tuple(entity.as_json() for entity in formatted.entities)
        return Version(text=formatted.text, at=self.clock.now(), entities=entities)


def user_of(saying: Saying) -> User:
    """Return who speaks; a private chat given by number is its user's. Raises Refusal."""
    named = is_number(saying.user) or not is_number(saying.chat) or type_of(int(saying.chat)) != "private"
    given = saying.user_id or (saying.user if named else saying.chat)
    if is_number(given) and int(given) > 0:
        return User(id=int(given), name=saying.user)
    if is_number(given) or saying.user_id is not None:
        raise Refusal(f"user_id: {given!r} given; allowed: a positive number")
    return User(id=stable_number(saying.user, 100_000_000, 900_000_000), name=saying.user)


def guess_type(saying: Saying) -> ChatType:
    if is_number(saying.chat):
        return type_of(int(saying.chat))
    return "private" if saying.chat == saying.user else "supergroup"


def type_of(chat_id: int) -> ChatType:
    if chat_id > 0:
        return "private"
    return "supergroup" if chat_id < SUPERGROUPS_BELOW else "group"


def chat_id_of(name: str, kind: ChatType, user: User) -> int:
    if is_number(name):
        return int(name)
    if kind == "private":
        return user.id
    number = stable_number(name, 1_000_000, 900_000_000)
    return -number if kind == "group" else SUPERGROUPS_BELOW - number


def thread_id(name: str) -> int:
    return int(name) if is_number(name) else stable_number(name, 2, 1_000_000)


def stable_number(name: str, low: int, count: int) -> int:
    return low + int.from_bytes(sha256(name.encode()).digest()[:8]) % count


def is_number(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit()
