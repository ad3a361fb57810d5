"""How gateway payloads go over the socket: JSON as text, or one compressed stream for the whole connection.

docs.discord.com/developers/events/gateway#transport-compression
"""

import asyncio
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import orjson
from aiohttp import web

Compress = Callable[[bytes], bytes]


class Transport:
    """Sends payloads in order; the compressed stream must see them as they go out."""

    def __init__(self, socket: web.WebSocketResponse, compression: str | None) -> None:
        self.socket = socket
        self._compress = compressor(compression)
        self._order = asyncio.Lock()

    async def send(self, op: int, data: Any = None) -> None:
        await self.send_payload({"op": op, "d": data, "s": None, "t": None})

    async def send_payload(self, payload: dict[str, Any]) -> None:
        """Send; a client that is gone is no error here, reading tells."""
        body = orjson.dumps(payload)
        async with self._order:
            if self.socket.closed:
                return
            try:
                if self._compress is None:
                    await self.socket.send_str(body.decode())
                else:
                    await self.socket.send_bytes(self._compress(body))
            except ConnectionError:
                pass


def compressor(name: str | None) -> Compress | None:
    """Return what compresses the next piece of a stream, or None for plain text.

    `zstd-stream` needs Python 3.14; before it clients get plain text, which all of them read too.
    """
    if name == "zlib-stream":
        stream = zlib.compressobj()
        return lambda body: stream.compress(body) + stream.flush(zlib.Z_SYNC_FLUSH)
    if name == "zstd-stream":
        try:
            zstd = import_module("compression.zstd")
        except ImportError:
            return None
        context = zstd.ZstdCompressor()
        return lambda body: bytes(context.compress(body, mode=context.FLUSH_BLOCK))
    return None
