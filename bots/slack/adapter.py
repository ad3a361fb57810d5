"""Slack as a channel of the house: one install of an app in one workspace, by Socket Mode, webhook or both.

It only joins the parts: `receive` and `webhook` bring payloads to `listen`, `translate` makes messages of
them, `markup` and `send` take answers out.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from bots.slack import send
from bots.slack.ids import Me
from bots.slack.listen import Listener
from bots.slack.markup import MAX_TEXT, split
from bots.slack.receive import Patience, Receiver
from bots.slack.webhook import Webhook
from bots.slack.wire import Line
from core.errors import ChannelError, NotSent, Unauthorized
from core.messages import Account, CommandOffer, Identity, OutboundMessage, Place, Traits
from core.ports import Accept

NO_TOKEN = "SLACK_BOT_TOKEN is not set: the bot's token, xoxb-..., without which nothing can be answered"
NO_DOOR = (
    "nothing brings Slack's messages: set SLACK_APP_TOKEN (xapp-..., for Socket Mode) or SLACK_SIGNING_SECRET"
    " (for posts to /webhooks/slack)"
)


class SlackChannel:
    """A `ChannelAdapter` that can edit, read back, show that it thinks, react, and be posted to."""

    def __init__(
        self,
        bot_token: str,
        app_token: str = "",
        signing_secret: str = "",
        api_url: str = "https://slack.com/api",
        *,
        stream: bool = True,
        edit_seconds: tuple[float, float] = (1.5, 3.0),
        answer_seconds: float = 20.0,
        looks: Sequence[float] = (0.0, 2.0),
        patience: Patience | None = None,
    ) -> None:
        """`api_url` is what stands before `/<method>`. With an `app_token` it opens Socket Mode, with a
        `signing_secret` it may be posted to. `edit_seconds` are the least times between two edits in a direct
        message and in a channel; `looks` the seconds before each look for a message whose answer was lost."""
        self._has_token, self._has_door = bool(bot_token), bool(app_token or signing_secret)
        self._line = Line(bot_token, api_url, answer_seconds=answer_seconds)
        self._app_token = app_token
        self._looks = tuple(looks)
        self._patience = patience or Patience()
        self._me: Me | None = None
        self._known: frozenset[str] = frozenset()
        self._listener: Listener | None = None
        self._thinking: set[tuple[str, str]] = set()
        self._webhook = Webhook(signing_secret, lambda: self._listener) if signing_secret else None
        self._traits = Traits(
            max_text=MAX_TEXT,
            streaming="edit" if stream else "none",
            after_ambiguous="read_back",
            edit_seconds=edit_seconds,
            typing_seconds=60.0,  # a status stands for two minutes
            placeholder=send.PLACEHOLDER,
        )

    @property
    def name(self) -> str:
        return "slack"

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def webhook(self) -> Webhook | None:
        return self._webhook

    async def connect(self) -> Identity:
        """One `auth.test`. Whoever only sends needs no door."""
        if not self._has_token:
            raise Unauthorized(NO_TOKEN)
        self._line.open_clients()
        try:
            self._me = await self._line.who_am_i()
        except Unauthorized:
            raise
        except ChannelError as error:
            raise NotSent(str(error), retry_after=error.retry_after) from error
        return self._me.identity

    async def run(self, account: Account, accept: Accept) -> None:
        if not self._has_door:
            raise Unauthorized(NO_DOOR)
        if self._me is None:
            await self.connect()
        assert self._me is not None
        listener = self._listener = Listener(self._me, account, accept, self._known)
        try:
            if self._app_token:
                await Receiver(self._line, self._app_token, listener, self._patience).run()
            await asyncio.Event().wait()  # the webhook brings everything
        finally:
            self._listener = None

    async def close(self) -> None:
        """Close the connections. `connect` opens them again."""
        await self._line.close_clients()

    def split(self, text: str) -> tuple[str, ...]:
        return split(text)

    async def send(self, message: OutboundMessage) -> str:
        return await send.send(self._line, message)

    async def edit(self, place: Place, receipt: str, text: str) -> None:
        await send.edit(self._line, place, receipt, text)
        await self._stop_thinking(place)

    async def read_back(self, message: OutboundMessage) -> str | None:
        """Look, and look again: what was posted may show late. Raises where it cannot look at last."""
        me = self._me or await self._line.who_am_i()
        for number, pause in enumerate(self._looks, start=1):
            await asyncio.sleep(pause)
            try:
                found = await send.find(self._line, me, message)
            except NotSent as error:
                if number == len(self._looks):
                    raise
                await asyncio.sleep(error.retry_after or 0.0)
                continue
            if found is not None:
                return found
        return None

    async def show_typing(self, place: Place) -> None:
        """Slack shows it under a thread only."""
        if place.thread:
            self._thinking.add((place.chat, place.thread))
            await send.set_status(self._line, place, send.THINKING)

    async def _stop_thinking(self, place: Place) -> None:
        """A new message ends the status by itself, an edit does not."""
        if (place.chat, place.thread) in self._thinking:
            self._thinking.discard((place.chat, place.thread))
            with suppress(ChannelError):
                await send.set_status(self._line, place, "")

    async def react(self, place: Place, message_id: str, sign: str) -> None:
        await send.react(self._line, place, message_id, sign)

    async def offer_commands(self, offers: Sequence[CommandOffer]) -> None:
        """The menu is the manifest's; the names tell which words are commands."""
        self._known = frozenset(offer.name for offer in offers)
