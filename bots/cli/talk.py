"""`parley chat`: the terminal as the only channel."""

import asyncio
import logging
import signal
import sys

from bots.app import open_gateway, released
from bots.cli.chat import greet, open_streams, os_user
from bots.console.channel import ConsoleChannel
from bots.console.order import in_order
from bots.stores import addresses
from config import logs
from config.groups import Log
from config.settings import Settings, load


async def talk() -> int:
    """Until the end of the input, or until the person leaves."""
    settings = load().without_accounts(keep_model=True)
    logs.set_up(_quiet(settings), settings.secrets())
    home = settings.home.expanduser()
    async with (
        addresses(settings, lambda line: print(line, file=sys.stderr)) as where,
        open_gateway(settings, where) as gateway,
    ):
        streams = open_streams(home / "history")
        channel = ConsoleChannel(os_user(), streams, order=lambda: in_order(home / "talk.lock"))
        channel.attach(gateway.settled)
        greet(version=released(), model=settings.default_model)
        talking = asyncio.create_task(gateway.channels.run(channel), name="console")
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, talking.cancel)
        try:
            await talking
        except asyncio.CancelledError:
            logging.getLogger(__name__).debug("ended by a signal")
    return 0


def _quiet(settings: Settings) -> Log:
    """A person at the terminal wants answers, not news, unless they asked for it."""
    origin = settings.origin("log.level")
    if origin is not None and not origin.is_default:
        return settings.log
    return settings.log.model_copy(update={"level": "warning"})
