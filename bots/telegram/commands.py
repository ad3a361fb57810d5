"""The bot's menu of commands: https://core.telegram.org/bots/api#setmycommands"""

import logging
import re
from collections.abc import Sequence

from telegram import BotCommand

from bots.telegram.errors import translated
from bots.telegram.wire import Line
from core.messages import CommandOffer

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9_]{1,32}")
MOST = 100
LONGEST_SUMMARY = 256


async def offer_commands(line: Line, offers: Sequence[CommandOffer]) -> None:
    """Set the menu that people see after a slash. What Telegram cannot show there is left out."""
    for offer in offers:
        if not NAME.fullmatch(offer.name):
            log.warning(
                "command %r is not in Telegram's menu: allowed are a-z, 0-9 and _, up to 32", offer.name
            )
    shown = [offer for offer in offers if NAME.fullmatch(offer.name)][:MOST]
    with translated("setMyCommands"):
        await line.set_my_commands([BotCommand(offer.name, _summary(offer)) for offer in shown])


def _summary(offer: CommandOffer) -> str:
    return (offer.summary or offer.name)[:LONGEST_SUMMARY]
