"""Slack's workspace as the simulator keeps it: people, conversations and messages, and their JSON forms.

Names that a test gives become ids that are the same in every run. Who may do what is for the methods to
decide; here things only are.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from bots.simulators.clock import TurnableClock
from bots.simulators.ledger import BOT, Ledger, Seen, Version
from bots.simulators.slack.shown import Shown

ChannelType = Literal["im", "channel", "group"]
PREFIXES = {"im": "D", "channel": "C", "group": "C"}
STATUS_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or the app's bot user (docs.slack.dev/reference/objects/user-object)."""

    id: str
    name: str
    is_bot: bool = False

    def as_json(self, team_id: str) -> dict[str, Any]:
        profile = {"display_name": self.name, "real_name": self.name, "team": team_id}
        return {
            "id": self.id, "team_id": team_id, "name": self.name, "real_name": self.name, "deleted": False,
            "is_bot": self.is_bot, "is_app_user": False, "tz": "Etc/UTC", "tz_offset": 0, "profile": profile,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The app and the workspace it is installed in."""

    bot: User
    bot_id: str = "B0SIMULATED"
    id: str = "A0SIMULATED"
    team_id: str = "T0SIMULATED"
    team: str = "Simulated"
    domain: str = "simulated"
    verification_token: str = field(default="simulated", repr=False)


@dataclass(slots=True, kw_only=True)
class Channel:
    """A conversation, its messages by `ts` (docs.slack.dev/reference/objects/conversation-object)."""

    id: str
    name: str
    type: ChannelType
    user: User | None = None
    is_member: bool = True
    is_archived: bool = False
    created: int = 0
    messages: dict[str, "Message"] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as commands carry it."""
        return "directmessage" if self.type == "im" else self.name

    def message(self, ts: str) -> "Message | None":
        """Return a message that still stands."""
        found = self.messages.get(ts)
        return found if found is not None and found.seen.deleted_at is None else None

    def replies(self, root: str) -> list["Message"]:
        return [each for each in self.messages.values() if each.is_reply_to(root) and self.message(each.ts)]

    def as_json(self) -> dict[str, Any]:
        body = {
            "id": self.id, "created": self.created, "is_archived": self.is_archived,
            "is_im": self.type == "im", "is_org_shared": False,
        }  # fmt: skip
        if self.user is not None:
            return {**body, "user": self.user.id, "is_user_deleted": False, "priority": 0}
        return {
            **body, "name": self.name, "name_normalized": self.name, "is_channel": True, "is_group": False,
            "is_mpim": False, "is_private": self.type == "group", "is_member": self.is_member,
            "is_general": False, "is_shared": False, "is_ext_shared": False,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Message:
    """A message (docs.slack.dev/reference/events/message); what is seen of it is the ledger's entry.

    `stream` is None unless a stream grows it: "" before its first content, then "text" or "chunks".
    """

    ts: str
    channel: Channel
    sender: User
    text: str
    seen: Seen
    blocks: list[dict[str, Any]] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: dict[str, Any] | None = None
    client_msg_id: str | None = None
    stream: str | None = None
    edited_at: str | None = None

    @property
    def by_bot(self) -> bool:
        return self.sender.is_bot

    def is_reply_to(self, root: str) -> bool:
        return self.thread_ts == root and self.ts != root

    def as_json(self, app: App, *, with_metadata: bool = False) -> dict[str, Any]:
        body: dict[str, Any] = {"type": "message", "user": self.sender.id, "ts": self.ts, "text": self.text}
        body["team"] = app.team_id
        if self.client_msg_id is not None:
            body["client_msg_id"] = self.client_msg_id
        if self.by_bot:
            body |= bot_fields(app, self.sender)
        if self.blocks:
            body["blocks"] = self.blocks
        if self.edited_at is not None:
            body["edited"] = {"user": self.sender.id, "ts": self.edited_at}
        if self.broadcast:
            body["subtype"] = "thread_broadcast"
        if self.stream is not None:
            body["streaming_state"] = "in_progress"
        if with_metadata and self.metadata is not None:
            body["metadata"] = self.metadata
        return body | self._thread_json()

    def _thread_json(self) -> dict[str, Any]:
        if self.thread_ts is not None and self.thread_ts != self.ts:
            parent = self.channel.messages.get(self.thread_ts)
            known = {} if parent is None else {"parent_user_id": parent.sender.id}
            return {"thread_ts": self.thread_ts, **known}
        replies = self.channel.replies(self.ts)
        if not replies:
            return {}
        users = list(dict.fromkeys(reply.sender.id for reply in replies))
        return {
            "thread_ts": self.ts, "reply_count": len(replies), "reply_users": users,
            "reply_users_count": len(users), "latest_reply": replies[-1].ts,
        }  # fmt: skip


def bot_fields(app: App, sender: User) -> dict[str, Any]:
    """Return what marks a message as an app's: this one's, or another's."""
    bot_id, app_id = app.bot_id, app.id
    if sender.id != app.bot.id:
        bot_id, app_id = stable_id("B", sender.name), stable_id("A", sender.name)
    profile = {"id": bot_id, "app_id": app_id, "name": sender.name, "deleted": False, "team_id": app.team_id}
    return {"bot_id": bot_id, "app_id": app_id, "bot_profile": profile}


class World:
    """All conversations and people by id and by name, with the ledger and the clock that they share."""

    def __init__(self, clock: TurnableClock, app: App) -> None:
        self.clock = clock
        self.app = app
        self.ledger = Ledger()
        self._channels: dict[str, Channel] = {}
        self._users: dict[str, User] = {app.bot.id: app.bot}
        self._last_ts = 0

    def next_ts(self) -> str:
        """Return a `ts` larger than every one before it."""
        self._last_ts = max(int(self.clock.now() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def find(self, chat: str) -> Channel | None:
        """Return the conversation with this id or name (with or without `#`), or the DM of this user's id."""
        name = chat.removeprefix("#")
        for channel in self._channels.values():
            if chat == channel.id or name == channel.name or (channel.user and chat == channel.user.id):
                return channel
        return None

    def open(self, name: str, kind: ChannelType, user: User | None = None) -> Channel:
        """Return the conversation with this name, made now if it is new."""
        if (known := self.find(name)) is not None:
            return known
        channel_id = name if is_id(name, "CDG") else stable_id(PREFIXES[kind], f"{kind}:{name}")
        channel = Channel(
            id=channel_id, name=name, type=kind, user=user, created=int(self.clock.now()),
        )  # fmt: skip
        self._channels[channel_id] = channel
        return channel

    def user(self, user_id: str) -> User | None:
        return self._users.get(user_id)

    def person(self, name: str, user_id: str | None = None) -> User:
        """Return the person with this name or id, known from now on."""
        given = user_id or (name if is_id(name, "UW") else stable_id("U", name))
        return self._users.setdefault(given, User(id=given, name=name))

    def bot(self, name: str) -> User:
        """Return another app's bot user with this name, known from now on."""
        bot = User(id=stable_id("U", f"bot:{name}"), name=name, is_bot=True)
        return self._users.setdefault(bot.id, bot)

    def name_of(self, some_id: str) -> str:
        """Return what a mention of this id is shown as."""
        if (user := self._users.get(some_id)) is not None:
            return user.name
        channel = self._channels.get(some_id)
        return some_id if channel is None else channel.name

    def add(
        self,
        channel: Channel,
        sender: User,
        text: str,
        shown: Shown,
        *,
        thread_ts: str | None = None,
        author: str | None = None,
        rings: bool = True,
        extra: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Message:
        """Put a message into a conversation and before everybody's eyes (or one person's: `ephemeral_to`)."""
        ts = self.next_ts()
        seen = Seen(
            id=ts,
            chat=channel.name,
            author=author or (BOT if sender.id == self.app.bot.id else sender.name),
            versions=[self.version(shown)],
            extra={
                "chat_id": channel.id, "author_id": sender.id, "thread": thread_ts, "reactions": [],
                "pings": shown.pings if rings else [], "unfurls": [], "streaming": False, **(extra or {}),
            },
        )  # fmt: skip
        message = Message(
            ts=ts, channel=channel, sender=sender, text=text, seen=seen, thread_ts=thread_ts, **fields
        )
        channel.messages[ts] = message
        self.ledger.add(seen)
        return message

    def change(self, message: Message, shown: Shown) -> None:
        """Show a message's new text; what is the same to the eye is no new version."""
        version, last = self.version(shown), message.seen.versions[-1]
        if (version.text, version.entities) != (last.text, last.entities):
            self.ledger.edit(message.seen, version)

    def version(self, shown: Shown) -> Version:
        return Version(text=shown.text, at=self.clock.now(), entities=shown.entities)

    def status(self, channel: Channel, thread_ts: str) -> str:
        """Return the status under a thread; it goes by itself after two minutes, or with the next message."""
        text, at = channel.statuses.get(thread_ts, ("", 0.0))
        return text if self.clock.now() - at < STATUS_SECONDS else ""


def is_id(text: str, prefixes: str) -> bool:
    return len(text) > 8 and text[0] in prefixes and text.isalnum() and text == text.upper()


def stable_id(prefix: str, name: str) -> str:
    return prefix + sha256(name.encode()).hexdigest().upper()[:10]
