"""`parley run`: every channel that has credentials, as far as the role goes, and the web server."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

import structlog
from fastapi import FastAPI

from bots.app import Gateway, open_gateway, released
from bots.catalog import build_channels
from bots.health import examine
from bots.heap import settle
from bots.probes import ChannelState
from bots.roles import ROLES
from bots.stores import addresses
from bots.web.app import create_app
from bots.web.server import serve
from bots.webhook import webhooks_of
from config import logs
from config.settings import Settings, load
from core.ports import ChannelAdapter

log = structlog.get_logger(__name__)

CHOOSE_ACCESS = (
    "PARLEY_ACCESS is not set: choose `open` (everybody may talk to the bot, at your cost) or"
    " `allowlist` with PARLEY_ALLOW=telegram:123"
)
NOTHING_TO_START = (
    "no channel has credentials: set TELEGRAM_TOKEN, DISCORD_TOKEN or SLACK_BOT_TOKEN, or try `parley chat`;"
    " only the role web needs none"
)


@runtime_checkable
class CanClose(Protocol):
    """A channel with connections of its own."""

    async def close(self) -> None: ...


async def serve_channels(port: int | None = None, role: str | None = None) -> int:
    """Until SIGTERM or SIGINT; then running turns end or are handed back, and the exit code is 0. `port` and
    `role` go before the settings of that name."""
    settings = load(flags={"web.port": port, "role": role})
    connects = ROLES[settings.role].connects
    adapters = build_channels(settings) if connects else []
    if connects and not adapters:
        print(f"parley: {NOTHING_TO_START}", file=sys.stderr)
        return 2
    logs.set_up(settings.log, settings.secrets())
    async with (
        addresses(settings, lambda line: log.info(line)) as where,
        _closing(adapters),  # outside of the gateway: its last turns still speak through them
        open_gateway(settings, where, on_warm=settle) as gateway,
        serve(
            _web_app(settings, gateway, adapters), host=settings.web.host, port=settings.web.port
        ) as address,
    ):
        asked_to_stop = _listen_for_signals()
        log.info(
            "parley runs",
            version=released(),
            role=gateway.role.name,
            instance=gateway.instance,
            web=address.url,
        )
        if settings.access.mode is None:
            _keep_closed(gateway, adapters)
            adapters = []
        await _run_until(asked_to_stop, gateway, adapters)
        log.info("stopping")
        asyncio.get_running_loop().call_later(settings.turns.drain_seconds - 0.5, _leave)
        await gateway.drain()  # the web server still tells how it is
    log.info("stopped")
    return 0


def _leave() -> None:
    """A store or a platform that hangs must not keep us: what is left is written down, and belongs to the
    next holder when its lease has run out."""
    log.warning("stopped without waiting any longer")
    os._exit(0)


def _web_app(settings: Settings, gateway: Gateway, adapters: Sequence[ChannelAdapter]) -> FastAPI:
    """Not ready before every channel has made its first attempt."""
    for adapter in adapters:
        gateway.channels.tell(adapter.name, ChannelState(state="starting"))
    return create_app(
        lambda: examine(gateway.probes(ask_model=False)),
        gateway.registry,
        released(),
        limit=lambda kind, name: gateway.state.hit(kind, name, _limit(settings, kind)),
        webhooks=webhooks_of(adapters) if gateway.role.receives else (),
    )


def _keep_closed(gateway: Gateway, adapters: Sequence[ChannelAdapter]) -> None:
    closed = ChannelState(state="down", why=CHOOSE_ACCESS, mend="Set PARLEY_ACCESS.")
    for adapter in adapters:
        gateway.channels.tell(adapter.name, closed)


def _limit(settings: Settings, kind: str) -> int:
    return settings.limits.address_per_minute if kind == "ip" else settings.limits.endpoint_per_minute


def _listen_for_signals() -> asyncio.Event:
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    return asked_to_stop


async def _run_until(
    asked_to_stop: asyncio.Event, gateway: Gateway, adapters: Sequence[ChannelAdapter]
) -> None:
    """Receiving ends with the wish to stop, so nothing more is accepted."""
    tasks = [asyncio.create_task(gateway.channels.run(adapter), name=adapter.name) for adapter in adapters]
    await asked_to_stop.wait()
    gateway.turns.take_no_more()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _closing(adapters: Sequence[ChannelAdapter]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for adapter in adapters:
            if isinstance(adapter, CanClose):
                with contextlib.suppress(Exception):
                    await adapter.close()
