"""`parley simulate NAME`: one simulator alone until it is interrupted, and the settings to use.

For trying the gateway by hand or from another process. It keeps nothing: what was said and seen is gone
when it ends.
"""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from bots.simulators.discord import DiscordSimulator
from bots.simulators.model import ModelSimulator
from bots.simulators.slack import SIGNING_SECRET, SlackSimulator
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


async def simulate_discord(port: int) -> None:
    """Serve Discord's REST API and gateway on a loopback port (0: any free one) until SIGINT or SIGTERM.

    Exits with one line when the port is taken.
    """
    sim = DiscordSimulator(port=port)
    settings = (
        "DISCORD_API_URL={url}/api/v10",
        "DISCORD_GATEWAY_URL={socket_url}",
        "DISCORD_TOKEN=simulated",
        "PARLEY_ACCESS=open",
    )
    hint = """curl -d '{{"chat": "ann", "user": "ann", "text": "hello"}}' {url}/_sim/say"""
    await run_alone(sim, port, settings, (hint, "curl {url}/_sim/seen"))


async def simulate_slack(port: int, request_url: str = "") -> None:
    """Serve a Slack on a loopback port (0: any free one) until SIGINT or SIGTERM.

    Payloads travel by Socket Mode, or are posted to `request_url`; exits with one line when the port is
    taken.
    """
    sim = SlackSimulator(port=port, request_url=request_url)
    way = f"SLACK_SIGNING_SECRET={SIGNING_SECRET}" if request_url else "SLACK_APP_TOKEN=xapp-1-simulated"
    settings = ("SLACK_API_URL={url}/api", "SLACK_BOT_TOKEN=xoxb-simulated", way, "PARLEY_ACCESS=open")
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
        # Whoever read a line may send the signal at once.
        with signalled() as signal_came:
            for line in (*settings, "", *hints):
                print(line.format(url=sim.url, socket_url=sim.url.replace("http", "ws", 1)), flush=True)
            await signal_came.wait()
    finally:
        await sim.stop()


@contextmanager
def signalled() -> Iterator[asyncio.Event]:
    """Give an event that SIGINT or SIGTERM sets."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    for number in SIGNALS:
        loop.add_signal_handler(number, came.set)
    try:
        yield came
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
