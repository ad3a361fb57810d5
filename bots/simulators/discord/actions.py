"""What people do: say, call a command, change, delete, type; the gateway tells the bot of it.

They use Discord's own client, so names they type become mentions and `/name` becomes a command.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bots.simulators.control import Saying
from bots.simulators.discord.calls import House
from bots.simulators.discord.desk import Interaction
from bots.simulators.discord.events import (
    Event,
    channel_created,
    interaction_created,
    message_created,
    message_deleted,
    message_updated,
    messages_deleted,
    thread_created,
    typing_started,
)
from bots.simulators.discord.mentions import pings_of
from bots.simulators.discord.messages import DEFAULT, LONGEST_TEXT, REPLY, Draft, Message
from bots.simulators.discord.people import Channel, User
from bots.simulators.discord.snowflakes import is_id
from bots.simulators.refusal import Refusal

# docs.discord.com/developers/interactions/application-commands, "Application Command Option Type"
STRING, INTEGER, BOOLEAN, NUMBER = 3, 4, 5, 10
TYPES: dict[int, type | tuple[type, ...]] = {
    STRING: str,
    INTEGER: int,
    BOOLEAN: bool,
    NUMBER: (int, float),
}


class Actions:
    """Does what users ask for in this house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._world = house.world

    def say(self, saying: Saying, *, by_bot: bool = False) -> str:
        """Say it, or call the command it names; returns the id. Raises Refusal."""
        if saying.bot not in (None, str(self._world.bot.id)):
            raise Refusal(f"bot: {saying.bot!r} given; allowed: {self._world.bot.id}")
        user, channel = self._enter(saying, by_bot)
        if not by_bot and (called := self._typed_command(saying.text, channel)) is not None:
            return str(self._call(user, channel, *called).id)
        content = self._world.typed(saying.text).strip()
        if not 1 <= len(content) <= LONGEST_TEXT:
            raise Refusal(f"text: {len(content)} characters; allowed: 1 to {LONGEST_TEXT}")
        reply = None if saying.reply_to is None else self._message(channel, saying.reply_to)
        message = self._world.add_message(
            channel, user, Draft(content=content), type=REPLY if reply else DEFAULT, reference=reply
        )
        self._tell(channel, message_created(message, self._world.bot))
        return str(message.id)

    def slash(self, saying: Saying, name: str, options: Mapping[str, Any]) -> Interaction:
        """Call a command by name; raises Refusal when nobody registered it or an option does not fit."""
        user, channel = self._enter(saying, by_bot=False)
        command = self._command(name, channel)
        if command is None:
            listed = sorted(each["name"] for each in self._house.commands.listed(0))
            raise Refusal(f"name: {name!r} is no command here; allowed: {', '.join(listed) or 'none yet'}")
        return self._call(user, channel, command, read_options(command, options))

    def edit(self, channel: Channel, message_id: str, text: str) -> None:
        message = self._message(channel, message_id)
        content = self._world.typed(text).strip()
        message.mentions = self._world.known_users(pings_of(content, Draft().allowed))
        self._world.ledger.edit(message.seen, self._world.version(content))
        self._tell(message.channel, message_updated(message, self._world.bot))

    def unfurl(self, channel: Channel, message_id: str) -> None:
        """Add a link's preview, as the platform does some time after a message."""
        message = self._message(channel, message_id)
        message.embeds = [{"type": "link", "url": "https://example.org", "title": "a preview"}]
        self._tell(message.channel, message_updated(message, self._world.bot))

    def delete(self, channel: Channel, message_id: str) -> None:
        message = self._message(channel, message_id)
        self._world.ledger.delete(message.seen, self._world.clock.now())
        self._tell(message.channel, message_deleted(message))

    def purge(self, channel: Channel, message_ids: Sequence[str]) -> None:
        """Let a moderator delete several at once."""
        messages = [self._message(channel, each) for each in message_ids]
        for message in messages:
            self._world.ledger.delete(message.seen, self._world.clock.now())
        self._tell(channel, messages_deleted(channel, [message.id for message in messages]))

    def type(self, channel: Channel, name: str) -> None:
        now = self._world.clock.now()
        self._tell(channel, typing_started(channel, self._world.user(name), now))

    def _enter(self, saying: Saying, by_bot: bool) -> tuple[User, Channel]:
        """Return who speaks and where, the place made if it is new; raises Refusal."""
        world, gateway = self._world, self._house.gateway
        user = world.user(saying.user, saying.user_id, is_bot=by_bot)
        guilds, channels = set(world.guilds), set(world.channels)
        channel = world.place_of(saying, user)
        if channel.guild is not None and channel.guild.id not in guilds:
            gateway.join(channel.guild)
        elif channel.guild is not None and channel.id not in channels:
            gateway.publish(channel_created(channel))
        return user, channel if saying.thread is None else self._thread(channel, saying.thread, user)

    def _thread(self, channel: Channel, name: str, user: User) -> Channel:
        """Return the channel's thread with this name or id; a message's id or a new name begins one."""
        if channel.guild is None or channel.parent is not None:
            raise Refusal(f"thread: {name!r} given; allowed: in a server's channel")
        for known in channel.guild.channels.values():
            if known.parent is channel and name in (known.name, str(known.id)):
                return known
        starter = channel.messages.get(int(name)) if is_id(name) else None
        thread = self._world.open_thread(channel, starter.content[:100] if starter else name, user, starter)
        self._tell(thread, thread_created(thread))
        return thread

    def _typed_command(
        self, text: str, channel: Channel
    ) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Return the registered command that a text calls; what follows goes to its first text option."""
        if not text.startswith("/"):
            return None
        name, _, rest = text[1:].partition(" ")
        if (command := self._command(name, channel)) is None:
            return None
        first = next((each for each in command["options"] if each["type"] == STRING), None)
        given = {first["name"]: rest.strip()} if first and rest.strip() else {}
        return command, read_options(command, given)

    def _command(self, name: str, channel: Channel) -> dict[str, Any] | None:
        return self._house.commands.find(name, channel.guild.id if channel.guild else 0)

    def _call(
        self, user: User, channel: Channel, command: dict[str, Any], options: list[dict[str, Any]]
    ) -> Interaction:
        interaction = Interaction(
            id=self._world.snowflakes.next(), user=user, channel=channel, command=command,
            options=options, at=self._world.clock.now(),
        )  # fmt: skip
        self._house.desk.open(interaction)
        self._house.gateway.publish(interaction_created(channel, interaction.as_json(self._world.bot)))
        return interaction

    def _message(self, channel: Channel, message_id: str) -> Message:
        """Return a message of a channel or one of its threads; raises Refusal."""
        found = self._world.messages.get(int(message_id)) if is_id(message_id) else None
        if found is None or found.channel not in (channel, *threads_of(channel)):
            raise Refusal(f"no message {message_id!r} in {channel.name!r}")
        return found

    def _tell(self, channel: Channel, event: Event) -> None:
        """Let the bot know, unless it may not see the place."""
        if not channel.root.shut:
            self._house.gateway.publish(event)


def threads_of(channel: Channel) -> list[Channel]:
    if channel.guild is None:
        return []
    return [each for each in channel.guild.channels.values() if each.parent is channel]


def read_options(command: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the options as an interaction carries them; the user's client allows only what fits."""
    known = {option["name"]: option for option in command["options"]}
    for name in set(given) - set(known):
        raise Refusal(f"options: {name!r} given; allowed: {', '.join(known) or 'none'}")
    for name, option in known.items():
        if option.get("required") and name not in given:
            raise Refusal(f"options: {name!r} is missing; it is required")
        if name in given and not isinstance(given[name], TYPES.get(option["type"], object)):
            raise Refusal(f"options.{name}: {given[name]!r} does not fit type {option['type']}")
    return [{"name": name, "type": known[name]["type"], "value": value} for name, value in given.items()]
