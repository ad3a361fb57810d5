"""Slash commands: the menu, and the first answer, which must come within three seconds.

Stored comes before acknowledged, so an answer may be ready before the acknowledgement is: Discord takes the
first one, from whatever process, and tells all others that it has one. Here that is as good as their own.
https://docs.discord.com/developers/interactions/application-commands
https://docs.discord.com/developers/interactions/receiving-and-responding
"""

import logging
import re
from collections.abc import Sequence
from typing import Any

from bots.discord.ids import Interaction
from bots.discord.wire import Line
from core.errors import Ambiguous, ChannelError, Rejected
from core.messages import CommandOffer, Identity

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9_-]{1,32}")
MOST = 100
LONGEST_SUMMARY = 100
CHAT_INPUT, TEXT_OPTION = 1, 3
INSTALLED_IN_SERVER = 0
IN_SERVER, IN_DIRECT = 0, 1
MESSAGE, DEFERRED = 4, 5
ONLY_ASKER = 1 << 6
ACKNOWLEDGED = "40060"
AT_ONCE = {"stop": "Stopping."}
"""Answered by what it does to another answer: it must not leave a "thinking" behind."""
NOT_STORED = "I cannot reach my memory just now. If no answer comes here within a minute, please ask again."
"""True whether it is stored after all or not: a commit that has begun is not called back."""


async def offer_commands(line: Line, me: Identity, offers: Sequence[CommandOffer]) -> None:
    """Put these in the place of all commands, everywhere. What Discord cannot show is left out."""
    for offer in offers:
        if not NAME.fullmatch(offer.name):
            log.warning("command %r is not in Discord's menu: allowed are a-z, 0-9, _ and -", offer.name)
    shown = [offer for offer in offers if NAME.fullmatch(offer.name)][:MOST]
    path = "/applications/{application}/commands"
    await line.call(
        "PUT", path, [_command(offer) for offer in shown], application=await _application(line, me)
    )


async def acknowledge(line: Line, interaction: Interaction, name: str = "") -> bool:
    """Say that an answer comes. False when Discord will take none any more: then a message must do."""
    if name in AT_ONCE:
        return await _respond(line, interaction, _to_asker(AT_ONCE[name]))
    return await _respond(line, interaction, {"type": DEFERRED})


async def turn_away(line: Line, interaction: Interaction) -> None:
    """Tell who asked that it may not be stored. Where it is after all, the answer takes this one's place."""
    await _respond(line, interaction, _to_asker(NOT_STORED))


async def _respond(line: Line, interaction: Interaction, body: dict[str, Any]) -> bool:
    path = "/interactions/{webhook_id}/{webhook_token}/callback"
    try:
        await line.call("POST", path, body, webhook_id=interaction.id, webhook_token=interaction.token)
    except Ambiguous:
        return True  # the answer finds out
    except ChannelError as error:
        if ACKNOWLEDGED in str(error):  # told twice, or another process was faster
            return True
        log.warning("a command could not be acknowledged: %s", error)
        return False
    return True


def _to_asker(text: str) -> dict[str, Any]:
    return {"type": MESSAGE, "data": {"content": text, "flags": ONLY_ASKER}}


async def _application(line: Line, me: Identity) -> str:
    """The application's id, which is the bot's too but for the oldest ones."""
    try:
        return str((await line.call("GET", "/applications/@me"))["id"])
    except (Rejected, KeyError, TypeError):
        return me.name


def _command(offer: CommandOffer) -> dict[str, Any]:
    option = {"type": TEXT_OPTION, "name": offer.argument, "description": offer.argument, "required": False}
    return {
        "type": CHAT_INPUT,
        "name": offer.name,
        "description": (offer.summary or offer.name)[:LONGEST_SUMMARY],
        "options": [option] if NAME.fullmatch(offer.argument) else [],
        "integration_types": [INSTALLED_IN_SERVER],
        "contexts": [IN_SERVER, IN_DIRECT],
    }
