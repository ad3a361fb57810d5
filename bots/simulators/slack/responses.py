"""What comes back for a command or a press: with the acknowledgement, or later at its `response_url`.

docs.slack.dev/interactivity/handling-user-interaction#message_responses: five answers within half an hour,
seen by the asker alone unless they say `in_channel`.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

from aiohttp import web

from bots.simulators.server import json_response
from bots.simulators.slack.calls import Echo
from bots.simulators.slack.contents import read_content
from bots.simulators.slack.events import Events
from bots.simulators.slack.params import Params, SlackError, read_object
from bots.simulators.slack.shown import Shown
from bots.simulators.slack.world import Channel, Message, User, World

MOST_USES = 5
LIFETIME = 1800.0


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    """An address for one user's action, and the message it stands for."""

    channel: Channel
    user: User
    made_at: float
    uses: int = 0
    original: Message | None = None


class Responses:
    """The addresses given out so far."""

    def __init__(self, world: World, events: Events, echo: Echo) -> None:
        self._world = world
        self._events = events
        self._echo = echo
        self._urls: dict[str, ResponseUrl] = {}
        self._numbers = count(1)

    def new(self, channel: Channel, user: User, original: Message | None = None) -> str:
        """Return a new address's path."""
        path = f"/responses/{self._world.app.team_id}/{next(self._numbers)}/simulated"
        self._urls[path] = ResponseUrl(
            channel=channel, user=user, made_at=self._world.clock.now(), original=original
        )
        return path

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a POST to an address."""
        known = self._urls.get(request.path)
        if known is None or self._world.clock.now() - known.made_at > LIFETIME:
            return json_response({"ok": False, "error": "expired_url"}, status=404)
        if known.uses >= MOST_USES:
            return json_response({"ok": False, "error": "used_url"}, status=404)
        known.uses += 1
        try:
            self._write(known, read_object(await request.read()))
        except SlackError as error:
            return json_response(error.as_json(), status=500 if error.code == "no_text" else 400)
        return web.Response(text="ok")

    def acknowledge(self, path: str, command: str, reply: Any) -> None:
        """Show what came with an acknowledgement: text, or a message as an address takes it."""
        try:
            self._write(self._urls[path], reply if isinstance(reply, dict) else {"text": str(reply)})
        except SlackError:
            self.fail(path, command, "invalid_command_response")

    def fail(self, path: str, command: str, code: str) -> None:
        """Show the user what the platform itself says when the app did not answer in time."""
        known, text = self._urls[path], f"{command} failed with the error “{code}”"
        bot = self._world.app.bot
        extra = {"ephemeral_to": known.user.name}
        self._world.add(known.channel, bot, text, Shown(text), author="slackbot", extra=extra)

    def _write(self, known: ResponseUrl, body: dict[str, Any]) -> None:
        if body.get("delete_original"):
            if known.original is not None:
                self._world.ledger.delete(known.original.seen, self._world.clock.now())
            return
        params = Params(body)
        content = read_content(params, self._world.name_of)
        if known.original is not None and params.flag("replace_original"):
            known.original.text, known.original.blocks = content.text, content.blocks
            self._world.change(known.original, content.shown)
            return
        visible = body.get("response_type") == "in_channel"
        message = self._world.add(
            known.channel,
            self._world.app.bot,
            content.text,
            content.shown,
            thread_ts=params.text("thread_ts") or None,
            blocks=content.blocks,
            extra={} if visible else {"ephemeral_to": known.user.name},
        )
        known.original = known.original or message
        if visible:
            self._echo(self._events.message(message))
