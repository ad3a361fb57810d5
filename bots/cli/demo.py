"""`parley demo`: the page to play with, or with `--check` the proof that all three platforms are answered."""

import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any

from bots.app import released
from bots.demo.stage import open_stage, private
from config import logs
from config.groups import Log
from config.settings import Settings, load

WORD_SECONDS = 0.05
"""A pause after each word, so that one sees the answer stream."""
USUAL_PORT = 8088
INTERRUPTED = 130


async def demonstrate(port: int | None) -> int:
    """Serve the page until SIGTERM or Ctrl-C, which end it at any moment with 0."""
    await _until_signalled(_serve(_prepare(), port))
    return 0


async def prove(*, as_json: bool, seconds: float) -> int:
    """Ask and count; 0 only when each of the three answered exactly once."""
    from bots.demo import check

    begun = time.monotonic()
    outcomes = await _until_signalled(_ask(_prepare(), seconds))
    if outcomes is None:
        return INTERRUPTED
    took = time.monotonic() - begun
    print(json.dumps(check.as_json(outcomes, took)) if as_json else check.as_table(outcomes))
    return 0 if check.verdict(outcomes) else 1


async def _serve(settings: Settings, port: int | None) -> None:
    from bots.demo.page import create_page
    from bots.demo.show import Show
    from bots.web.server import serve

    show = Show(released())
    async with (
        open_stage(settings, word_seconds=WORD_SECONDS, watch=show.watch, say=_say) as stage,
        serve(create_page(show), host="127.0.0.1", port=port, usual=USUAL_PORT) as address,
        show.running(stage),
    ):
        for channel, why in stage.missing().items():
            _say(f"{channel} is not there: {why}")
        print(f"Open {address.url} in a browser; Ctrl-C stops.", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            _say("Stopping ...")


async def _ask(settings: Settings, seconds: float) -> Any:
    from bots.demo import check

    async with open_stage(settings, say=_say) as stage:
        return await check.check(stage, seconds)


async def _until_signalled(doing: Coroutine[Any, Any, Any]) -> Any:
    """Its result; None where SIGTERM or Ctrl-C ended it, in order: nothing that was started stays behind."""
    task = asyncio.create_task(doing, name="demo")
    for number in (signal.SIGTERM, signal.SIGINT):
        # Once is enough: a second one must not disturb the clearing up.
        asyncio.get_running_loop().add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    try:
        return await task
    except asyncio.CancelledError:
        return None


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


def _say(line: str) -> None:
    """Progress is for people who watch; results alone go to standard output."""
    print(line, file=sys.stderr, flush=True)
