"""The payloads an app receives: events in their wrapper, slash commands, presses of buttons.

docs.slack.dev/apis/events-api/#event-type-structure, /interactivity/implementing-slash-commands and
/reference/interaction-payloads/block_actions-payload. How they travel is left to `sockets` and `posts`.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from bots.simulators.slack.world import App, Channel, Message, User, World

Kind = Literal["events_api", "slash_commands", "interactive"]


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A payload to deliver; only events are tried again, and commands are answered for a user who waits."""

    kind: Kind
    payload: dict[str, Any]
    channel: Channel
    user: User | None = None

    @property
    def chats(self) -> set[str]:
        return {self.channel.name, self.channel.id}

    @property
    def event_type(self) -> str:
        match self.kind:
            case "events_api":
                return str(self.payload["event"]["type"])
            case "slash_commands":
                return str(self.payload["command"])
            case _:
                return str(self.payload["type"])


class Events:
    """Makes payloads with ids that no other payload has."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = count(1)

    def wrap(self, channel: Channel, event: dict[str, Any]) -> Delivery:
        app, number = self.world.app, next(self._numbers)
        event_type = str(event["type"])
        payload = {
            "token": app.verification_token, "team_id": app.team_id, "context_team_id": app.team_id,
            "context_enterprise_id": None, "api_app_id": app.id, "event": event, "type": "event_callback",
            "event_id": f"Ev0SIM{number:08d}", "event_time": int(self.world.clock.now()),
            "authorizations": [
                {
                    "enterprise_id": None, "team_id": app.team_id, "user_id": app.bot.id, "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False, "event_context": f"4-{event_type}-{number}",
        }  # fmt: skip
        return Delivery("events_api", payload, channel)

    def message(self, message: Message) -> Delivery:
        """docs.slack.dev/reference/events/message"""
        return self.wrap(message.channel, message_event(self.world.app, message))

    def mention(self, message: Message) -> Delivery:
        """docs.slack.dev/reference/events/app_mention: beside the message event of the same post."""
        event = message_event(self.world.app, message) | {"type": "app_mention"}
        del event["channel_type"]
        return self.wrap(message.channel, event)

    def changed(self, message: Message, before: dict[str, Any], **more: Any) -> Delivery:
        """docs.slack.dev/reference/events/message/message_changed"""
        event = self._hidden(message.channel, "message_changed", before)
        return self.wrap(message.channel, event | {"message": message.as_json(self.world.app) | more})

    def buried(self, message: Message, before: dict[str, Any]) -> Delivery:
        """What stays of a deleted message with a thread; seen of the platform, not in its documentation."""
        event = self._hidden(message.channel, "message_changed", before)
        tombstone = {
            "type": "message", "subtype": "tombstone", "text": "This message was deleted.",
            "user": "USLACKBOT", "hidden": True, "ts": message.ts, "thread_ts": message.ts,
        }  # fmt: skip
        return self.wrap(message.channel, event | {"message": tombstone})

    def deleted(self, message: Message, before: dict[str, Any]) -> Delivery:
        """docs.slack.dev/reference/events/message/message_deleted"""
        event = self._hidden(message.channel, "message_deleted", before)
        return self.wrap(message.channel, event | {"deleted_ts": message.ts})

    def assistant_thread(self, message: Message, user: User) -> Delivery:
        """docs.slack.dev/reference/events/assistant_thread_started"""
        thread = {
            "user_id": user.id, "context": {}, "channel_id": message.channel.id, "thread_ts": message.ts,
        }  # fmt: skip
        event = {"type": "assistant_thread_started", "assistant_thread": thread, "event_ts": message.ts}
        return self.wrap(message.channel, event)

    def command(self, channel: Channel, user: User, command: str, text: str, response_url: str) -> Delivery:
        """docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling"""
        app = self.world.app
        payload = {
            "token": app.verification_token, "team_id": app.team_id, "team_domain": app.domain,
            "channel_id": channel.id, "channel_name": channel.title, "user_id": user.id,
            "user_name": user.name, "command": command, "text": text, "api_app_id": app.id,
            "is_enterprise_install": "false", "response_url": response_url, "trigger_id": self._trigger(),
        }  # fmt: skip
        return Delivery("slash_commands", payload, channel, user)

    def press(self, message: Message, user: User, action: dict[str, Any], response_url: str) -> Delivery:
        """docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
        app, channel = self.world.app, message.channel
        payload = {
            "type": "block_actions", "team": {"id": app.team_id, "domain": app.domain},
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": app.team_id},
            "api_app_id": app.id, "token": app.verification_token,
            "container": {
                "type": "message", "message_ts": message.ts, "channel_id": channel.id, "is_ephemeral": False,
            },
            "trigger_id": self._trigger(), "channel": {"id": channel.id, "name": channel.title},
            "message": message.as_json(app), "response_url": response_url,
            "actions": [{**action, "action_ts": self.world.next_ts()}],
        }  # fmt: skip
        return Delivery("interactive", payload, channel, user)

    def _trigger(self) -> str:
        return f"{next(self._numbers)}.{int(self.world.clock.now())}.0simulated"

    def _hidden(self, channel: Channel, subtype: str, before: dict[str, Any]) -> dict[str, Any]:
        ts = self.world.next_ts()
        return {
            "type": "message", "subtype": subtype, "hidden": True, "channel": channel.id, "ts": ts,
            "event_ts": ts, "channel_type": channel.type, "previous_message": before,
        }  # fmt: skip


def message_event(app: App, message: Message) -> dict[str, Any]:
    body = message.as_json(app)
    # The counters of a thread stand in histories, not in events.
    for name in ("reply_count", "reply_users", "reply_users_count", "latest_reply"):
        body.pop(name, None)
    where = {"channel": message.channel.id, "channel_type": message.channel.type, "event_ts": message.ts}
    return {**body, **where}
