"""The gateway: one session after another, resumed where that works.

Of discord.py stay heartbeats, compression and the handshake. Events are handed on as they came, one awaited
after another: who cannot keep up is not read from, and no cache of the world is built.
https://docs.discord.com/developers/events/gateway
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from bots.backoff import backoff
from bots.discord.library import ConnectionClosed, DiscordWebSocket, ReconnectWebSocket
from bots.discord.wire import Line
from core.errors import ChannelError, NotSent, Rejected, Unauthorized

log = logging.getLogger(__name__)

Heard = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Takes an event's name and data; nothing more is read before it returns."""

OPENING_SECONDS = 60.0
CLOSING_SECONDS = 2.0
FAREWELL, UNTIL_LATER = 1000, 4000
"""With the first a session is over: after this process nobody could go on with it. With the second Discord
keeps it for a RESUME. https://docs.discord.com/developers/events/gateway#disconnecting"""
NO_CONTENT_INTENT = (
    "Discord does not give this application the message content intent: switch it on at"
    " https://discord.com/developers/applications under Bot, Privileged Gateway Intents, or unset"
    " PARLEY_DISCORD__MESSAGE_CONTENT. Until then only direct messages, mentions and commands are read"
)
AUTHENTICATION_FAILED, DISALLOWED_INTENTS = 4004, 4014


class Socket(DiscordWebSocket):
    """The library's gateway socket, which hands on every event as it came."""

    heard: Heard

    async def received_message(self, msg: Any, /) -> None:
        text = self._decompressor.decompress(msg) if isinstance(msg, bytes) else msg
        if text is None:  # the rest of it is still to come
            return
        payload = orjson.loads(text)
        if payload.get("op") != self.DISPATCH:
            await super().received_message(text)
            return
        if self._keep_alive is not None:
            self._keep_alive.tick()
        name, data = str(payload.get("t")), payload.get("d") or {}
        if name == "READY":
            self.session_id = data.get("session_id")
            self.gateway = URL(data.get("resume_gateway_url") or str(self.gateway))
        await self.heard(name, data)
        # Moved only now: what could not be handed on is told again by a RESUME.
        self.sequence = payload.get("s") or self.sequence


@dataclass(slots=True, kw_only=True)
class Session:
    """What a RESUME needs; `told` when this connection has begun or gone on with one."""

    id: str | None = None
    sequence: int | None = None
    gateway: URL | None = None
    told: bool = False

    @property
    def can_resume(self) -> bool:
        return self.id is not None and self.sequence is not None

    def keep(self, socket: Socket) -> None:
        self.id, self.sequence, self.gateway = socket.session_id, socket.sequence, socket.gateway


class Gateway:
    """Where events come from, for one bot."""

    def __init__(self, line: Line, heard: Heard) -> None:
        self._line = line
        self._heard = heard
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._limit: asyncio.Timeout | None = None

    def hang_up(self) -> None:
        """Close the connection until `call_again`, so that the session can be gone on with then: what was not
        handed on is told again, or else is in the histories."""
        if self._wanted.is_set():
            log.warning("Discord's gateway is left until what it told can be stored")
        self._wanted.clear()
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def call_again(self) -> None:
        """The reason for hanging up is over; nothing where there was none."""
        self._wanted.set()

    async def listen(self) -> None:
        """Hand on events until cancelled, resuming the session where that works. Raises `Unauthorized`,
        `Rejected`, or `NotSent` when the gateway is away."""
        session, failures, initial = Session(), 0, True
        while True:
            await self._wanted.wait()
            try:
                await self._converse(session, initial=initial)
            except ReconnectWebSocket as error:
                if not error.resume:
                    session = Session(told=session.told)
                reason = "the connection has ended"
            except ConnectionClosed as error:
                reason = self._refused(error)
            except (OSError, aiohttp.ClientError, TimeoutError, ChannelError) as error:
                if isinstance(error, Unauthorized | Rejected):
                    raise
                reason = type(error).__name__
            if not self._wanted.is_set():
                reason, session.told = "the store is away", True
            failures, initial = (0 if session.told else failures + 1), False
            session.told = False
            if failures >= self._line.pace.tries:
                raise NotSent(f"Discord's gateway is away: {reason}")
            seconds = backoff(failures, self._line.pace.error) if failures else 0.0
            log.info("Discord's gateway is called again in %.1f s: %s", seconds, reason)
            await asyncio.sleep(seconds)

    async def _converse(self, session: Session, *, initial: bool) -> None:
        """One connection, from HELLO to its end, which is always an exception."""
        socket: Socket | None = None
        code = UNTIL_LATER

        async def note(name: str, data: dict[str, Any]) -> None:
            session.told = session.told or name in ("READY", "RESUMED")
            await self._heard(name, data)

        try:
            async with asyncio.timeout(OPENING_SECONDS):
                socket = await Socket.from_client(
                    self._line,
                    gateway=session.gateway or await self._gateway(),
                    initial=initial,
                    session=session.id,
                    sequence=session.sequence,
                    resume=session.can_resume,
                )
            socket.heard = note
            async with asyncio.timeout(None if self._wanted.is_set() else 0.0) as self._limit:
                while True:
                    await socket.poll_event()
        except asyncio.CancelledError:
            code = FAREWELL
            raise
        finally:
            self._limit = None
            if socket is not None:
                session.keep(socket)
                with suppress(Exception):
                    async with asyncio.timeout(CLOSING_SECONDS):
                        await socket.close(code=code)

    async def _gateway(self) -> URL:
        """https://docs.discord.com/developers/events/gateway#get-gateway-bot"""
        return URL(self._line.gateway_url or (await self._line.call("GET", "/gateway/bot"))["url"])

    def _refused(self, closed: ConnectionClosed) -> str:
        """https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes"""
        if closed.code == AUTHENTICATION_FAILED:
            raise Unauthorized("gateway: 4004: Discord does not know this token") from closed
        intents = self._line.intents_wanted
        if closed.code == DISALLOWED_INTENTS and intents.message_content:
            log.warning(NO_CONTENT_INTENT)
            intents.message_content = False
        elif closed.code != 1000:
            raise Rejected(f"gateway: closed with {closed.code}: {closed.reason}") from closed
        return f"closed with {closed.code}"
