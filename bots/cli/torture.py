"""`parley torture`: prove the promise by load and kills, on servers and simulators of its own."""

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

from bots.torture.cells import cells
from bots.torture.plan import Plan
from bots.torture.soak import Soaking
from bots.torture.soak import soak as for_long
from bots.torture.trial import endure


async def torture(plan: Plan, *, as_json: bool, home: Path | None = None) -> int:
    """Run the plan and print what came of it; 0 only if the promise held."""
    _prepare()
    report = await endure(plan, _say, home)
    print(json.dumps(report.as_json()) if as_json else report.as_table())
    return 0 if report.held else 1


async def kill_everywhere(kills: int, seed: int, *, as_json: bool, home: Path | None = None) -> int:
    """Kill each cell of the matrix so often and print a line for each; 0 only if every one held."""
    _prepare()
    matrix = await cells(kills, seed, _say, home=home)
    print(json.dumps(matrix.as_json()) if as_json else matrix.as_table())
    return 0 if matrix.held else 1


async def soak(soaking: Soaking, *, as_json: bool, home: Path | None = None) -> int:
    """Soak, and print what was measured; 0 only if nothing grows."""
    _prepare()
    soaked = await for_long(soaking, _say, home)
    print(json.dumps(soaked.as_json()) if as_json else soaked.as_table())
    return 0 if soaked.held else 1


def _prepare() -> None:
    running = asyncio.current_task()
    assert running is not None
    # SIGTERM ends in order too: nothing that was started stays behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    # A client that is killed in the middle of a request is what we are here for, not the server's error.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def _say(line: str) -> None:
    """Progress is for people who watch; results alone go to standard output."""
    print(line, file=sys.stderr, flush=True)
