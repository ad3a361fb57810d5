"""`parley simulate telegram|model`: one simulator alone until it is interrupted, and the settings to use.

For trying the gateway by hand or from another process. It keeps nothing: what was said and seen is gone
when it ends.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Protocol

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Simulator(Protocol):
    """What can be run alone."""

    @property
    def url(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def simulate_telegram(port: int) -> None:
    """Serve a Telegram Bot API on a loopback port (0: any free one) until SIGINT or SIGTERM.

    Exits with one line when the port is taken.
    """
    sim = TelegramSimulator(port=port)
    settings = ("TELEGRAM_API_URL={url}", "TELEGRAM_TOKEN=100001:simulated", "PARLEY_ACCESS=open")
    hint = """curl -d '{{"chat": "ann", "user": "ann", "text": "hello"}}' {url}/_sim/say"""
    await run_alone(sim, port, settings, (hint, "curl {url}/_sim/seen"))


async def simulate_model(port: int) -> None:
    """Serve an OpenAI-compatible API on a loopback port (0: any free one) until SIGINT or SIGTERM.

    Exits with one line when the port is taken.
    """
    sim = ModelSimulator(port=port)
    settings = ("OPENAI_BASE_URL={url}/v1", "OPENAI_API_KEY=simulated", "PARLEY_MODEL=simulated")
    hint = """curl -d '{{"words": 200, "tokens_per_second": 20}}' {url}/_sim/answer"""
    await run_alone(sim, port, settings, (hint, "curl {url}/_sim/bill"))


async def run_alone(sim: Simulator, port: int, settings: Sequence[str], hints: Sequence[str]) -> None:
    """Start, print the settings and what may be asked, wait for a signal, stop."""
    try:
        await sim.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SystemExit(f"port {port}: {reason}; allowed: a free port, or 0 for any") from None
    try:
        for line in (*settings, "", *hints):
            print(line.format(url=sim.url), flush=True)
        await until_signalled()
    finally:
        await sim.stop()


async def until_signalled() -> None:
    """Return at the first SIGINT or SIGTERM."""
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()
    for number in SIGNALS:
        loop.add_signal_handler(number, signalled.set)
    try:
        await signalled.wait()
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
