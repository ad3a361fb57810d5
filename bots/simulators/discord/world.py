"""Discord's servers, channels, users and messages as the simulator keeps them.

Names that a test gives become ids that are the same in every run. Who may do what is for the endpoints to
decide; here things only are.
"""

import re
from typing import Any

from bots.simulators.clock import TurnableClock
from bots.simulators.control import Saying
from bots.simulators.discord.mentions import Pings, pings_of
from bots.simulators.discord.messages import DEFAULT, SILENT, Draft, Message
from bots.simulators.discord.people import DIRECT, TEXT, THREAD, Channel, Guild, User
from bots.simulators.discord.snowflakes import Snowflakes, is_id, stable_id
from bots.simulators.ledger import BOT, Ledger, Seen, Version
from bots.simulators.refusal import Refusal

TYPED_MENTION = re.compile(r"(?<![\w<])@([A-Za-z0-9_.]{2,32})")
DEFAULT_GUILD = "simulated"


class World:
    """All there is, with the ledger, the clock and the one bot, whose application has its id."""

    def __init__(self, clock: TurnableClock, bot_name: str) -> None:
        self.clock = clock
        self.ledger = Ledger()
        self.snowflakes = Snowflakes(clock.now)
        self.bot = User(id=stable_id("bot", bot_name), name=bot_name, is_bot=True)
        self.users: dict[int, User] = {self.bot.id: self.bot}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.messages: dict[int, Message] = {}
        # The bot's latest message by nonce; how long that counts is for the sending endpoint.
        self.nonces: dict[str, Message] = {}
        self.open_guild(DEFAULT_GUILD)

    def find(self, chat: str) -> Channel | None:
        """Return the channel or thread with this id, or the channel with this name."""
        if is_id(chat) and (known := self.channels.get(int(chat))) is not None:
            return known
        named = (each for each in self.channels.values() if each.name == chat and each.parent is None)
        return next(named, None)

    def user(self, name: str, given_id: str | None = None, *, is_bot: bool = False) -> User:
        """Return the person with this name or id, born now if new."""
        number = stable_id("bot" if is_bot else "user", given_id or name)
        return self.users.setdefault(number, User(id=number, name=name, is_bot=is_bot))

    def open_guild(self, name: str) -> Guild:
        number = stable_id("guild", name)
        if (known := self.guilds.get(number)) is None:
            known = self.guilds[number] = Guild(id=number, name=name)
            known.members[self.bot.id] = self.bot
        return known

    def open_channel(self, name: str) -> Channel:
        """Make a text channel; `server/channel` puts it into another server than the first."""
        guild_name, _, _ = name.rpartition("/")
        guild = self.open_guild(guild_name or DEFAULT_GUILD)
        channel = Channel(id=stable_id("channel", name), name=name, type=TEXT, guild=guild)
        guild.channels[channel.id] = self.channels[channel.id] = channel
        return channel

    def open_direct(self, user: User) -> Channel:
        """Return the direct messages between a user and the bot (.../resources/user#create-dm)."""
        number = stable_id("direct", f"user {user.id}")
        if (known := self.channels.get(number)) is None:
            known = Channel(id=number, name=user.name, type=DIRECT, recipient=user)
            self.channels[number] = known
        return known

    def open_thread(self, parent: Channel, name: str, owner: User, starter: Message | None = None) -> Channel:
        """Hang a thread on a channel; one that begins with a message has the message's id."""
        number = starter.id if starter else self.snowflakes.next()
        thread = Channel(
            id=number, name=name, type=THREAD, guild=parent.guild, parent=parent, owner_id=owner.id
        )
        assert parent.guild is not None
        parent.guild.channels[number] = self.channels[number] = thread
        if starter is not None:
            starter.thread = thread
        return thread

    def place_of(self, saying: Saying, user: User) -> Channel:
        """Return the channel spoken in, its thread aside; raises Refusal where chat and user do not fit."""
        channel = self.find(saying.chat)
        if channel is None and is_direct(saying):
            channel = self.open_direct(user)
        if channel is None:
            channel = self.open_channel(saying.chat)
        if channel.recipient is not None and channel.recipient != user:
            allowed = f"in the direct messages {channel.name!r} only their user"
            raise Refusal(f"user: {saying.user!r} given; allowed: {allowed}")
        if channel.guild is not None:
            channel.guild.members[user.id] = user
        return channel

    def typed(self, text: str) -> str:
        """Return what the user's client makes of a typed text: `@name` of a known user is a mention."""
        ids = {user.name.lower(): user.id for user in self.users.values()}

        def mention(match: re.Match[str]) -> str:
            number = ids.get(match.group(1).lower())
            return match.group() if number is None else f"<@{number}>"

        return TYPED_MENTION.sub(mention, text)

    def add_message(
        self,
        channel: Channel,
        author: User,
        draft: Draft,
        *,
        type: int = DEFAULT,
        reference: Message | None = None,
        flags: int = 0,
        interaction: dict[str, Any] | None = None,
    ) -> Message:
        """Put a message into a channel and before everybody's eyes."""
        answered = reference.author.id if reference else None
        pings = pings_of(draft.content, draft.allowed, answered)
        number = self.snowflakes.next()
        message = Message(
            id=number, channel=channel, author=author, type=type, flags=draft.flags | flags,
            reference=reference, reference_id=reference.id if reference else None,
            seen=self._seen(number, channel, author, draft, reference, pings), pings=pings,
            mentions=self.known_users(pings), embeds=draft.embeds, components=draft.components,
            attachments=draft.attachments, interaction=interaction,
        )  # fmt: skip
        message.seen.extra |= {
            "silent": bool(message.flags & SILENT),
            "ephemeral": message.ephemeral,
            "flags": message.flags,
        }
        self.messages[number] = message
        if not message.ephemeral:
            channel.messages[number] = message
        self.ledger.add(message.seen)
        return message

    def _seen(
        self, number: int, channel: Channel, author: User, draft: Draft, reply: Message | None, pings: Pings
    ) -> Seen:
        return Seen(
            id=str(number),
            chat=channel.root.name,
            author=BOT if author == self.bot else author.name,
            versions=[self.version(draft.content)],
            extra={
                "chat_id": str(channel.root.id), "author_id": str(author.id), "embeds": draft.embeds,
                "thread": str(channel.id) if channel.parent else None,
                "reply_to": str(reply.id) if reply else None,
                "pings": self.names_of(pings, author), "reactions": [],
            },
        )  # fmt: skip

    def version(self, text: str) -> Version:
        return Version(text=text, at=self.clock.now())

    def known_users(self, pings: Pings) -> tuple[User, ...]:
        return tuple(self.users[number] for number in pings.users if number in self.users)

    def names_of(self, pings: Pings, author: User) -> list[str]:
        """Return whom a message pings, for people: user names, `everyone`, `here`, and `role <id>`."""
        others = [number for number in pings.users if number != author.id]
        users = [self.users[number].name if number in self.users else str(number) for number in others]
        return [*users, *pings.everybody, *(f"role {role}" for role in pings.roles)]


def is_direct(saying: Saying) -> bool:
    return saying.chat == saying.user if saying.chat_type is None else saying.chat_type == "private"
