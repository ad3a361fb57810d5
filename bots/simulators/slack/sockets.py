"""Socket Mode: payloads over websockets that the app opened, each acknowledged by its envelope id.

docs.slack.dev/apis/events-api/using-socket-mode. Up to ten connections; each envelope goes to one of them,
in turn. What the page leaves open (which connection, what a lost one means for its envelopes) is simple
here: round robin, and an envelope whose connection is lost counts as not acknowledged at once.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import WSMsgType, web

from bots.simulators.faults import FaultQueue
from bots.simulators.server import reset
from bots.simulators.slack.alarm import AlarmClock
from bots.simulators.slack.events import Delivery
from bots.simulators.slack.outcome import ACKNOWLEDGE_SECONDS, Outcome

MOST_CONNECTIONS = 10
HOST = "applink-simulated"
CONNECTION_SECONDS = 3600
PING_SECONDS = 20.0
LOST: Any = object()


@dataclass(slots=True, eq=False)
class Connection:
    """One websocket and the envelopes on it that wait for their acknowledgement."""

    request: web.Request
    socket: web.WebSocketResponse
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)

    async def send(self, envelope: str, acknowledged: asyncio.Future[Any]) -> Any:
        await self.socket.send_str(envelope)
        return await acknowledged

    def acknowledge(self, envelope_id: str, payload: Any) -> None:
        future = self.waiting.pop(envelope_id, None)
        if future is not None and not future.done():
            future.set_result(payload)

    def lose(self) -> None:
        for envelope_id in list(self.waiting):
            self.acknowledge(envelope_id, LOST)


class Sockets:
    """The open connections of the app."""

    def __init__(self, app_id: str, clock: AlarmClock, faults: FaultQueue) -> None:
        self.received: list[dict[str, Any]] = []
        self.opened = asyncio.Event()
        self._app_id = app_id
        self._clock = clock
        self._faults = faults
        self._tickets: set[str] = set()
        self._numbers = count(1)
        self._connections: deque[Connection] = deque()

    def __len__(self) -> int:
        return len(self._connections)

    def ticket(self) -> str:
        """Return the query of a new address; it opens one connection, once."""
        ticket = f"{uuid4()}-{next(self._numbers)}"
        self._tickets.add(ticket)
        return f"ticket={ticket}&app_id={self._app_id}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /link/`: hello, then acknowledgements until the connection ends."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401)
        self._tickets.discard(ticket)
        if (pending := self._faults.take({"refuse_socket"})) is not None:
            return web.Response(status=pending.fault.status)
        socket = web.WebSocketResponse(heartbeat=PING_SECONDS)
        await socket.prepare(request)
        if len(self) >= MOST_CONNECTIONS:
            await socket.send_str(self._bye("too_many_websockets"))
            await socket.close()
            return socket
        connection = Connection(request, socket)
        self._connections.append(connection)
        try:
            await socket.send_str(self._hello())
            self.opened.set()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._read(connection, message.data)
        except ConnectionError:
            pass
        finally:
            self._forget(connection)
        return socket

    async def attempt(self, delivery: Delivery, number: int, reason: str) -> Outcome:
        """Send an envelope to one connection and wait three seconds of the clock for its acknowledgement."""
        if self._faults.take({"drop_socket"}, method=delivery.event_type, chats=delivery.chats) is not None:
            self.drop()
        if self._faults.take({"freeze_socket"}, method=delivery.event_type, chats=delivery.chats) is not None:
            self.freeze()
        if not self._connections:
            return Outcome(reason="timeout", nobody=True)
        connection = self._connections[0]
        self._connections.rotate(-1)
        envelope_id = str(uuid4())
        envelope = {
            "envelope_id": envelope_id, "payload": delivery.payload, "type": delivery.kind,
            "accepts_response_payload": delivery.kind != "events_api",
        }  # fmt: skip
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": number, "retry_reason": reason}
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = future
        try:
            exchange = connection.send(orjson.dumps(envelope).decode(), future)
            reply = await self._clock.within(ACKNOWLEDGE_SECONDS, exchange)
        except (TimeoutError, ConnectionError):
            return Outcome(reason="timeout")
        finally:
            connection.waiting.pop(envelope_id, None)
        lost = reply is LOST or self._faults.take(
            {"lose_ack"}, method=delivery.event_type, chats=delivery.chats
        )
        return Outcome(reason="timeout") if lost else Outcome(reply=reply)

    async def disconnect(self, reason: str) -> None:
        """Tell every connection to go (`warning`, `refresh_requested`, `link_disabled`); all but a warned
        one get nothing more and are closed."""
        connections = list(self._connections)
        if reason != "warning":
            for connection in connections:
                self._forget(connection)
        for connection in connections:
            await connection.socket.send_str(self._bye(reason))
        if reason != "warning":
            await asyncio.gather(*(connection.socket.close() for connection in connections))

    def drop(self) -> None:
        """Cut every connection without a word."""
        for connection in list(self._connections):
            self._forget(connection)
            reset(connection.request)

    def freeze(self) -> None:
        """Leave every connection open, read nothing more from it and bring nothing more by it."""
        for connection in list(self._connections):
            self._forget(connection)
            if connection.request.transport is not None:
                connection.request.transport.pause_reading()

    async def close(self) -> None:
        for connection in list(self._connections):
            self._forget(connection)
            await connection.socket.close()

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
        connection.lose()
        if not self._connections:
            self.opened.clear()

    def _read(self, connection: Connection, data: str) -> None:
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        if isinstance(message, dict):
            self.received.append(message)
            connection.acknowledge(str(message.get("envelope_id")), message.get("payload"))

    def _hello(self) -> str:
        debug = {"host": HOST, "build_number": 1, "approximate_connection_time": CONNECTION_SECONDS}
        hello = {"type": "hello", "num_connections": len(self), "debug_info": debug}
        return orjson.dumps({**hello, "connection_info": {"app_id": self._app_id}}).decode()

    def _bye(self, reason: str) -> str:
        return orjson.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": HOST}}).decode()
