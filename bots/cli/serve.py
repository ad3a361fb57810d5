"""`parley run`: every channel that has credentials, and the web server beside them."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence

import structlog

from bots.app import Gateway, addresses, open_gateway, released
from bots.catalog import build_channels
from bots.health import examine
from bots.probes import ChannelState
from bots.web.app import create_app
from bots.web.server import serve
from config import logs
from config.settings import Settings, load
from core.ports import ChannelAdapter

log = structlog.get_logger(__name__)

CHOOSE_ACCESS = (
    "PARLEY_ACCESS is not set: choose `open` (everybody may talk to the bot, at your cost) or"
    " `allowlist` with PARLEY_ALLOW=telegram:123"
)
NOTHING_TO_START = "no channel has credentials: set TELEGRAM_TOKEN, or try `parley chat`"


async def serve_channels() -> int:
    """Until SIGTERM or SIGINT; then running turns end or are handed back, and the exit code is 0."""
    settings = load()
    logs.set_up(settings.log, settings.secrets())
    adapters = build_channels(settings)
    if not adapters:
        log.error(NOTHING_TO_START)
        return 2
    async with (
        addresses(settings, lambda line: log.info(line)) as where,
        open_gateway(settings, where) as gateway,
    ):
        app = create_app(
            lambda: examine(gateway.probes(ask_model=False)),
            gateway.registry,
            released(),
            limit=lambda kind, name: gateway.state.hit(kind, name, _limit(settings, kind)),
        )
        async with serve(app, host=settings.web.host, port=settings.web.port) as address:
            log.info("parley runs", version=released(), instance=gateway.instance, web=address.url)
            if settings.access.mode is None:
                for adapter in adapters:
                    gateway.channels.tell(
                        adapter.name, ChannelState(state="down", why=CHOOSE_ACCESS, mend="Set PARLEY_ACCESS.")
                    )
                adapters = []
            await _until_signalled(gateway, adapters)
            log.info("stopping")
        await _close(adapters)
    log.info("stopped")
    return 0


def _limit(settings: Settings, kind: str) -> int:
    return settings.limits.address_per_minute if kind == "ip" else settings.limits.endpoint_per_minute


async def _until_signalled(gateway: Gateway, adapters: Sequence[ChannelAdapter]) -> None:
    """Run until a signal; receiving ends with it, so nothing more is accepted."""
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    tasks = [asyncio.create_task(gateway.channels.run(adapter), name=adapter.name) for adapter in adapters]
    await asked_to_stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close(adapters: Sequence[ChannelAdapter]) -> None:
    for adapter in adapters:
        with contextlib.suppress(Exception):
            close = getattr(adapter, "close", None)
            if close is not None:
                await close()
