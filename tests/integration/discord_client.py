"""The unmodified discord.py, pointed at a simulator, and a bare client for what the library hides.

The library keeps its addresses on two classes; they are put back afterwards.
"""

import asyncio
import warnings
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import orjson
import yarl

from bots.simulators.discord import DiscordSimulator

with warnings.catch_warnings():
    # The library's voice part imports a module that is deprecated before Python 3.13.
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    import discord
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

__all__ = [
    "ALL_INTENTS",
    "TOKEN",
    "Listener",
    "Rest",
    "Socket",
    "all_intents",
    "connected",
    "discord",
    "listening",
]

TOKEN = "a.simulated.token"
ALL_INTENTS = (1 << 16) - 1


class Listener(discord.Client):
    """Keeps what happened, by the name of the event, to be awaited one after another."""

    def __init__(self, intents: discord.Intents, **options: Any) -> None:
        # The library waits this long for further servers before it says that it is ready.
        super().__init__(intents=intents, guild_ready_timeout=0.05, max_ratelimit_timeout=30.0, **options)
        self._happened: defaultdict[str, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self._happened[event].put_nowait(args[0] if args else None)
        super().dispatch(event, *args, **kwargs)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Begin anew at once; by default the library waits 5 seconds before all but the first time."""

    async def next(self, event: str) -> Any:
        async with asyncio.timeout(10):
            return await self._happened[event].get()

    async def next_by_user(self) -> discord.Message:
        """Return the next message that is not the bot's own."""
        while True:
            message: discord.Message = await self.next("message")
            if message.author != self.user:
                return message


def all_intents() -> discord.Intents:
    return discord.Intents(ALL_INTENTS)


@asynccontextmanager
async def pointed_at(sim: DiscordSimulator) -> AsyncIterator[None]:
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = sim.api_url, yarl.URL(sim.gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before


@asynccontextmanager
async def listening(
    sim: DiscordSimulator, intents: discord.Intents | None = None, **options: Any
) -> AsyncIterator[Listener]:
    """Start a client, wait until it is ready, and close it afterwards."""
    async with pointed_at(sim):
        client = Listener(intents or all_intents(), **options)
        running = asyncio.create_task(client.start(TOKEN))
        try:
            await ready_or_refused(client, running)
            yield client
        finally:
            await client.close()
            with suppress(discord.DiscordException):
                await running


async def ready_or_refused(client: Listener, running: asyncio.Task[None]) -> None:
    """Wait until the client is ready; raises what it ended with instead."""
    ready = asyncio.create_task(client.next("ready"))
    await asyncio.wait({ready, running}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        ready.cancel()
        running.result()


class Rest:
    """Calls the REST API as any client may."""

    def __init__(self, sim: DiscordSimulator, http: aiohttp.ClientSession) -> None:
        self.sim = sim
        self.http = http

    async def call(
        self, verb: str, path: str, body: Any = None, *, token: str = TOKEN, **query: str | int
    ) -> tuple[int, Any, dict[str, str]]:
        """Return status, body and headers."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Authorization": f"Bot {token}", "Content-Type": "application/json"}
        async with self.http.request(
            verb, f"{self.sim.api_url}{path}", data=data, headers=headers, params=query
        ) as answer:
            raw = await answer.read()
            told = {str(name): value for name, value in answer.headers.items()}
            is_json = answer.content_type == "application/json"
            return answer.status, orjson.loads(raw) if is_json and raw else raw.decode(), told


class Socket:
    """Speaks with the gateway payload by payload."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, op: int, data: Any) -> None:
        await self.socket.send_str(orjson.dumps({"op": op, "d": data}).decode())

    async def next(self) -> dict[str, Any]:
        message = await self.socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        payload: dict[str, Any] = orjson.loads(message.data)
        return payload

    async def close_code(self) -> int | None:
        """Read to the end; return the code it was closed with."""
        while not self.socket.closed:
            await self.socket.receive(timeout=10)
        return self.socket.close_code

    async def identify(self, intents: int = ALL_INTENTS, token: str = TOKEN, **fields: Any) -> dict[str, Any]:
        """Identify and return READY."""
        await self.send(2, {"token": token, "intents": intents, "properties": {}, **fields})
        payload = await self.next()
        assert payload["t"] == "READY", payload
        data: dict[str, Any] = payload["d"]
        return data


@asynccontextmanager
async def connected(http: aiohttp.ClientSession, sim: DiscordSimulator) -> AsyncIterator[Socket]:
    """Open the gateway and read its HELLO."""
    async with http.ws_connect(sim.gateway_url, params={"v": "10", "encoding": "json"}) as raw:
        socket = Socket(raw)
        hello = await socket.next()
        assert hello["op"] == 10
        yield socket
