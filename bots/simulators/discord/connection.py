"""One socket to the gateway, from HELLO to its close: docs.discord.com/developers/events/gateway#connections.

Reading obeys what the client sends; telling, beside it, hands the session's events out in order and lets
faults strike between them. Close codes: docs.discord.com/developers/topics/opcodes-and-status-codes#gateway.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from bots.simulators.discord.gateway import Gateway
from bots.simulators.discord.limits import forget
from bots.simulators.discord.session import Session
from bots.simulators.discord.strikes import INTERRUPTING
from bots.simulators.discord.transport import Transport
from bots.simulators.faults import Fault
from bots.simulators.server import reset

HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, ACK = 7, 8, 9, 10, 11
NAMES = {IDENTIFY: "IDENTIFY", RESUME: "RESUME", REQUEST_MEMBERS: "REQUEST_GUILD_MEMBERS"}
# docs.discord.com/developers/events/gateway#rate-limiting
MOST_SENT, SENT_WINDOW = 120, 60.0
FORGETTING_CODES = (1000, 1001)


class Closed(Exception):
    """The gateway ends the connection with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a connection needs of the simulator around it."""

    gateway: Gateway
    heartbeat_seconds: float
    admits: Callable[[str], bool]
    note: Callable[[str, dict[str, Any]], None]
    pause: Callable[[float], Awaitable[bool]]


class Connection:
    """Serves one client until it or the gateway ends it."""

    def __init__(self, door: Door, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.gateway = door.gateway
        self.session: Session | None = None
        self._door = door
        self._request = request
        self._socket = socket
        self._transport = Transport(socket, request.query.get("compress"))
        self._telling: asyncio.Task[None] | None = None
        self._position = self._caught_up = 0
        self._left_with: int | None = None
        self._sent: deque[float] = deque()
        self._frozen = False

    async def serve(self) -> None:
        """Speak with the client until the socket is closed."""
        try:
            self._check_query()
            interval = self._door.heartbeat_seconds
            await self._transport.send(HELLO, {"heartbeat_interval": int(interval * 1000), "_trace": []})
            while (payload := await self._read(2 * interval)) is not None:
                await self._obey(payload)
        except Closed as closed:
            await self._socket.close(code=closed.code, message=closed.reason.encode())
        finally:
            await self._leave()

    async def close(self, code: int) -> None:
        await self._socket.close(code=code)

    def _check_query(self) -> None:
        if self._request.query.get("v", "10") != "10":
            raise Closed(4012, "Invalid API version.")
        if self._request.query.get("encoding", "json") != "json":
            raise Closed(4002, "Error while decoding payload.")

    async def _read(self, patience: float) -> dict[str, Any] | None:
        """Return the next payload, or None at the end; a client that sends no heartbeats is cut off."""
        try:
            message = await self._socket.receive(timeout=patience)
        except TimeoutError:
            raise Closed(4009, "Session timed out.") from None
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._left_with = message.data if message.type is WSMsgType.CLOSE else None
            return None
        try:
            payload = orjson.loads(message.data)
        except orjson.JSONDecodeError:
            payload = None
        if not isinstance(payload, dict):
            raise Closed(4002, "Error while decoding payload.")
        return payload

    async def _obey(self, payload: dict[str, Any]) -> None:
        if self._frozen:
            return
        self._count()
        op, data = payload.get("op"), payload.get("d")
        if op == HEARTBEAT:
            if self.gateway.faults.take(["no_acks"]) is None:
                await self._transport.send(ACK)
            return
        if op not in (IDENTIFY, RESUME, PRESENCE, VOICE, REQUEST_MEMBERS):
            raise Closed(4001, "Unknown opcode.")
        if not isinstance(data, dict):
            raise Closed(4002, "Error while decoding payload.")
        if op in (IDENTIFY, RESUME):
            if self.session is not None:
                raise Closed(4005, "Already authenticated.")
            self._admit(NAMES[op], data)
            await (self._identify(data) if op == IDENTIFY else self._resume(data))
        elif self.session is None:
            raise Closed(4003, "Not authenticated.")
        elif op == REQUEST_MEMBERS:
            self._list_members(self.session, data)

    def _count(self) -> None:
        now = self.gateway.clock.now()
        forget(self._sent, now - SENT_WINDOW)
        self._sent.append(now)
        if len(self._sent) > MOST_SENT:
            raise Closed(4008, "You are being rate limited.")

    def _admit(self, name: str, data: dict[str, Any]) -> None:
        self._door.note(name, {key: value for key, value in data.items() if key != "token"})
        struck = self.gateway.faults.take(["unauthorized"], method=name)
        token = str(data.get("token") or "").removeprefix("Bot ")
        if struck is not None or not self._door.admits(token):
            raise Closed(4004, "Authentication failed.")

    async def _identify(self, data: dict[str, Any]) -> None:
        intents = data.get("intents")
        if not isinstance(intents, int):
            raise Closed(4013, "Invalid intent(s).")
        if (code := self.gateway.refusal(intents)) is not None:
            raise Closed(code, "Disallowed intent(s)." if code == 4014 else "Invalid intent(s).")
        session = self.gateway.begin(intents, read_shard(data.get("shard")))
        if session is None:
            await self._transport.send(INVALID_SESSION, False)
            return
        self._attach(session, 0)

    async def _resume(self, data: dict[str, Any]) -> None:
        session = self.gateway.find(str(data.get("session_id")))
        if session is not None and self.gateway.faults.take(["refuse_resume"], method="RESUME"):
            self.gateway.forget(session)
            session = None
        if session is None:
            await self._transport.send(INVALID_SESSION, False)
            return
        sequence = data.get("seq")
        if not isinstance(sequence, int) or not 0 <= sequence <= session.sequence:
            raise Closed(4007, "Invalid seq.")
        session.add("RESUMED", {"_trace": []})
        self._attach(session, sequence)

    def _attach(self, session: Session, position: int) -> None:
        """Tell this client the session's events from a position on; a former connection loses it."""
        self.session, self._position, self._caught_up = session, position, session.sequence
        session.connection, session.left_at = self, None
        session.wake()
        self._telling = asyncio.create_task(self._tell(session))
        self.gateway.world.ledger.announce()

    async def _tell(self, session: Session) -> None:
        """Hand out events in order until the connection ends or is struck."""
        while session.connection is self:
            news = session.news
            if self._position >= self._caught_up and (fault := self.gateway.faults.take_untied(INTERRUPTING)):
                return await self._interrupt(fault, session)
            if self._position < session.sequence:
                if await self._tell_next(session):
                    return
            else:
                await news.wait()

    async def _tell_next(self, session: Session) -> bool:
        """Tell one event; returns True when a fault struck instead, and the event stays to be repeated."""
        dispatch, faults = session.dispatches[self._position], self.gateway.faults
        if tied := faults.take(INTERRUPTING, method=dispatch.name, chats=dispatch.chats):
            await self._interrupt(tied.fault, session)
            return True
        if late := faults.take(["delay"], method=dispatch.name, chats=dispatch.chats):
            await self._door.pause(late.fault.seconds)
        self._position += 1
        await self._transport.send_payload(dispatch.as_json())
        if not dispatch.repeated and (
            twice := faults.take(["duplicate"], method=dispatch.name, chats=dispatch.chats)
        ):
            for _ in range(twice.fault.copies):
                session.add(dispatch.name, dispatch.data, repeated=True)
        return False

    async def _interrupt(self, fault: Fault, session: Session) -> None:
        if fault.kind == "drop":
            reset(self._request)
        elif fault.kind == "freeze":
            self._frozen = True
        elif fault.kind == "reconnect":
            await self._transport.send(RECONNECT)
        else:
            if fault.kind == "lost_session":
                self.gateway.forget(session)
            await self._transport.send(INVALID_SESSION, fault.kind == "invalid_session")

    def _list_members(self, session: Session, data: dict[str, Any]) -> None:
        """docs.discord.com/developers/events/gateway-events#request-guild-members"""
        guild = self.gateway.world.guilds.get(int(data.get("guild_id") or 0))
        if guild is None:
            return
        start, wanted = str(data.get("query") or "").lower(), data.get("user_ids")
        ids = (
            None
            if wanted is None
            else {str(each) for each in ([wanted] if isinstance(wanted, str) else wanted)}
        )
        members = [
            {"user": user.as_json(), **user.as_member()}
            for user in guild.members.values()
            if (str(user.id) in ids if ids is not None else user.name.lower().startswith(start))
        ]
        answer = {"guild_id": str(guild.id), "members": members, "chunk_index": 0, "chunk_count": 1}
        session.add("GUILD_MEMBERS_CHUNK", answer | ({"nonce": data["nonce"]} if data.get("nonce") else {}))

    async def _leave(self) -> None:
        """Keep the session for a RESUME, unless the client closed as one that will not come back."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
        if self.session is not None and self.session.connection is self:
            self.session.connection, self.session.left_at = None, self.gateway.clock.now()
            if self._left_with in FORGETTING_CODES:
                self.gateway.forget(self.session)
        self.gateway.world.ledger.announce()


def read_shard(given: Any) -> tuple[int, int]:
    """Return shard and count; raises Closed 4010."""
    if given is None:
        return 0, 1
    if isinstance(given, list) and len(given) == 2 and all(isinstance(each, int) for each in given):
        number, count = given
        if 0 <= number < count:
            return number, count
    raise Closed(4010, "Invalid shard.")
