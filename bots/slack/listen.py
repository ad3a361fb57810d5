"""What Slack brings, by socket or webhook, handed to Bolt, whose listeners here do one thing: accept.

Bolt runs them before it responds, so its 200 says "committed", and anything else says "bring it again". Its
own check of signatures is off, since a payload comes here only from our socket or checked by `webhook.py`;
so are its calls to Slack on the way. https://docs.slack.dev/tools/bolt-python
"""

import logging
import re
from collections.abc import Container, Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.ids import Me
from bots.slack.translate import translate_command, translate_event
from core.errors import StoreUnavailable
from core.messages import Account, InboundMessage
from core.ports import Accept

log = logging.getLogger(__name__)

ANY = re.compile("")
COME_AGAIN = 503


class Listener:
    """One account's ear. `known` are the commands that count without the bot's name before them."""

    def __init__(self, me: Me, account: Account, accept: Accept, known: Container[str]) -> None:
        self._me, self._account, self._accept, self._known = me, account, accept, known
        self._bolt = self._build()

    async def hear(self, payload: Mapping[str, Any]) -> BoltResponse:
        """The response to one payload: status 200 only when it is committed or not for us."""
        # To Bolt every payload comes by socket: it would misread forms that have the word "payload" in them.
        try:
            return await self._bolt.async_dispatch(AsyncBoltRequest(body=dict(payload), mode="socket_mode"))
        except Exception as error:
            log.error("a Slack payload cannot be read: %s", type(error).__name__)
            return BoltResponse(status=400)

    def _build(self) -> AsyncApp:
        me = self._me

        async def authorize() -> AuthorizeResult:
            """Who we are was asked when the channel connected; nothing is asked for each payload."""
            return AuthorizeResult(
                enterprise_id=None, team_id=me.team, bot_user_id=me.user, bot_id=me.bot or None
            )

        bolt = AsyncApp(
            name="parley",
            logger=_quiet(),
            client=AsyncWebClient(retry_handlers=[]),
            authorize=authorize,
            process_before_response=True,
            request_verification_enabled=False,
            ignoring_self_events_enabled=False,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        bolt.event(ANY)(self._on_event)
        bolt.command(ANY)(self._on_command)
        for interaction in (bolt.action, bolt.shortcut, bolt.view, bolt.options):
            interaction(ANY)(self._on_interaction)
        bolt.error(self._on_error)
        return bolt

    async def _on_event(self, body: dict[str, Any]) -> None:
        await self._take(translate_event(body, self._me, self._account, self._known))

    async def _on_command(self, body: dict[str, Any], ack: AsyncAck) -> None:
        await self._take(translate_command(body, self._account, self._known))
        await ack()

    async def _on_interaction(self, ack: AsyncAck) -> None:
        """We show no buttons yet; whoever finds one is not told of an error."""
        await ack()

    async def _take(self, message: InboundMessage | None) -> None:
        if message is not None:
            await self._accept([message])

    async def _on_error(self, error: Exception) -> BoltResponse:
        if isinstance(error, StoreUnavailable):
            log.warning("a Slack message waits unacknowledged: %s", error)
        else:
            log.error("a Slack payload could not be taken: %s", type(error).__name__)
        return BoltResponse(status=COME_AGAIN, headers={"Retry-After": "1"})


def _quiet() -> logging.Logger:
    """Bolt logs bodies with what people wrote; only what breaks is worth a line."""
    logger = logging.getLogger("slack_bolt")
    logger.setLevel(logging.ERROR)
    return logger
