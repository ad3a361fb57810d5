"""`parley torture`: prove the promise by load and kills, on servers and simulators of its own."""

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

from bots.torture.plan import Plan
from bots.torture.trial import endure


async def torture(plan: Plan, *, as_json: bool, home: Path | None = None) -> int:
    """Run the plan and print what came of it; 0 only if the promise held."""
    running = asyncio.current_task()
    assert running is not None
    # SIGTERM ends in order too: nothing that was started stays behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    # A client that is killed in the middle of a request is what we are here for, not the server's error.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    report = await endure(plan, _say, home)
    print(json.dumps(report.as_json()) if as_json else report.as_table())
    return 0 if report.held else 1


def _say(line: str) -> None:
    """Progress is for people who watch; results alone go to standard output."""
    print(line, file=sys.stderr, flush=True)
