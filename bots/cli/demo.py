"""`parley demo`: the page to play with, or with `--check` the proof that all three platforms are answered."""

import asyncio
import json
import logging
import signal
import sys
import time

from bots.app import released
from bots.demo.stage import open_stage, private
from config import logs
from config.groups import Log
from config.settings import Settings, load

WORD_SECONDS = 0.05
"""A pause after each word, so that one sees the answer stream."""
USUAL_PORT = 8088


async def demonstrate(port: int | None) -> int:
    """Serve the page until SIGTERM or Ctrl-C; 0 then."""
    from bots.demo.page import create_page
    from bots.demo.show import Show
    from bots.web.server import serve

    settings = _prepare()
    asked_to_stop = _listen_for_signals()
    show = Show(released())
    async with (
        open_stage(settings, word_seconds=WORD_SECONDS, watch=show.watch, say=_say) as stage,
        serve(create_page(show), host="127.0.0.1", port=port, usual=USUAL_PORT) as address,
        show.running(stage),
    ):
        for channel, why in stage.missing().items():
            _say(f"{channel} is not there: {why}")
        print(f"Open {address.url} in a browser; Ctrl-C stops.", flush=True)
        await asked_to_stop.wait()
        _say("Stopping ...")
    return 0


async def prove(*, as_json: bool, seconds: float) -> int:
    """Ask and count; 0 only when each of the three answered exactly once."""
    from bots.demo import check

    begun = time.monotonic()
    settings = _prepare()
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    async with open_stage(settings, say=_say) as stage:
        outcomes = await check.check(stage, seconds)
    took = time.monotonic() - begun
    print(json.dumps(check.as_json(outcomes, took)) if as_json else check.as_table(outcomes))
    return 0 if check.verdict(outcomes) else 1


def _prepare() -> Settings:
    settings = private(load())
    logs.set_up(_quiet(settings), settings.secrets())
    # Its heartbeat thread notes a beat after sending it; from this near the echo may come before the note,
    # and then it warns of a lag that is none.
    logging.getLogger("discord.gateway").setLevel(logging.ERROR)
    return settings


def _quiet(settings: Settings) -> Log:
    """Who tries the demo wants to see it, not its log, unless they asked for that."""
    origin = settings.origin("log.level")
    if origin is not None and not origin.is_default:
        return settings.log
    return settings.log.model_copy(update={"level": "warning"})


def _listen_for_signals() -> asyncio.Event:
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    return asked_to_stop


def _say(line: str) -> None:
    """Progress is for people who watch; results alone go to standard output."""
    print(line, file=sys.stderr, flush=True)
