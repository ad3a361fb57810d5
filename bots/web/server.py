"""Serves an ASGI app inside our own event loop: an address, and an end that does not hang.

Signals, logging and the choice of the loop stay with the gateway; uvicorn gets a socket that listens
already and only speaks HTTP.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from core.errors import ParleyError

USUAL_PORT = 8080
PORTS_TRIED = 20


class CannotListen(ParleyError):
    """The address cannot be had; the text says which, why and what to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the app is served."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@asynccontextmanager
async def serve(
    app: ASGIApp, *, host: str, port: int | None = None, grace: int = 2, usual: int = USUAL_PORT
) -> AsyncIterator[Address]:
    """Serve while entered; gives the real address.

    A given port is had or refused with `CannotListen` (0: any free one); None takes `usual` or the
    next free one. At the end requests have `grace` seconds to finish, then they are cancelled: an
    event stream never ends by itself.
    """
    listener = listen(host, port, usual=usual)
    server = _Server(_config(app, grace))
    with listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="web server")
        try:
            await server.wait_started(serving)
            yield Address(host=host, port=listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving
            await asyncio.gather(*server.server_state.tasks, return_exceptions=True)


def listen(host: str, port: int | None, *, usual: int = USUAL_PORT) -> socket.socket:
    """A listening socket. Raises `CannotListen`."""
    ports = [port] if port is not None else range(usual, min(usual + PORTS_TRIED, 65_536))
    for candidate in ports:
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CannotListen(_why(error, host, candidate)) from None
    if port is not None:
        raise CannotListen(f"port {port} on {host} is taken: stop who has it, or set PARLEY_WEB__PORT")
    raise CannotListen(f"ports {ports[0]} to {ports[-1]} on {host} are all taken: set PARLEY_WEB__PORT")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Resolved first: an unknown name then has an error of its own kind.
    address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    listener = socket.create_server(address, family=family, backlog=512)
    listener.setblocking(False)
    return listener


def _why(error: OSError, host: str, port: int) -> str:
    if isinstance(error, PermissionError):
        return f"port {port} needs more rights than this user has: set PARLEY_WEB__PORT to 1024 or above"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: set PARLEY_WEB__HOST"
    return f"cannot listen on port {port} of {host}: {os.strerror(error.errno or 0)}"


def _config(app: ASGIApp, grace: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",  # what the app needs is opened and closed by who made it
        ws="none",
        log_config=None,
        log_level="warning",  # who serves tells where; that uvicorn began and ended is no news
        access_log=False,
        server_header=False,
        # The address whose requests are counted is the peer's, not what a header claims.
        proxy_headers=False,
        timeout_graceful_shutdown=grace,
    )


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers, telling when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._accepting = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._accepting.set()

    async def wait_started(self, serving: asyncio.Task[None]) -> None:
        """Return when connections are accepted; raise what ended `serving` when they never are."""
        accepting = asyncio.create_task(self._accepting.wait())
        try:
            await asyncio.wait([serving, accepting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            accepting.cancel()
        if serving.done():
            serving.result()
