"""A call of a Web API method, and what every method needs: its channel, its message, its scope.

docs.slack.dev/reference/methods. The methods are in `methods`, `messages`, `histories` and `streams`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bots.simulators.slack.events import Delivery, Events
from bots.simulators.slack.params import Params, SlackError
from bots.simulators.slack.world import App, Channel, Message, World


class Echo(Protocol):
    """Sends the app an event, if it listens to such."""

    def __call__(self, delivery: Delivery) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call and what it may touch."""

    world: World
    events: Events
    params: Params
    echo: Echo
    socket_url: Callable[[], str]

    @property
    def app(self) -> App:
        return self.world.app


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method by its documented name: its scope, its calls a minute, and the kind of token it takes."""

    run: Callable[[Call], dict[str, Any]]
    scope: str | None = None
    tier: int | None = None
    token: str = field(default="xoxb", repr=False)


def channel_of(call: Call, name: str = "channel") -> Channel:
    """Return the conversation that the call names: by id, by name, or a DM by its user's id."""
    given = call.params.required(name)
    channel = call.world.find(given)
    if channel is None and (user := call.world.user(given)) is not None and not user.is_bot:
        channel = call.world.open(user.name, "im", user)
    if channel is None:
        raise SlackError("channel_not_found")
    return channel


def writable_channel_of(call: Call) -> Channel:
    channel = channel_of(call)
    if channel.is_archived:
        raise SlackError("is_archived")
    if not channel.is_member:
        raise SlackError("not_in_channel")
    return channel


def own_message_of(call: Call, channel: Channel, refusal: str) -> Message:
    """Return the bot's message that `ts` names; raises SlackError(refusal) for somebody else's."""
    message = channel.message(call.params.required("ts"))
    if message is None or message.seen.extra.get("ephemeral_to"):
        raise SlackError("message_not_found")
    if message.sender.id != call.app.bot.id:
        raise SlackError(refusal)
    return message
