"""Socket Mode: a websocket that brings envelopes, each acknowledged once what is in it is committed.

Our own loop, since the SDK's keeps envelopes in a queue without end, knocks for ever with an address that
lets in once, and tells nobody of a wrong token. An envelope is answered on the socket it came by, or not at
all: then Slack brings it again. Before Slack closes a socket it says so: a new one is opened beside it.
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp
import orjson
from aiohttp import WSMsgType
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bots.backoff import backoff
from bots.proxy import proxy_for
from bots.slack.errors import translate_error
from bots.slack.listen import COME_AGAIN, Listener
from bots.slack.wire import Line
from core.errors import ChannelError, Rejected, Unauthorized, Undeliverable
from core.points import reach

log = logging.getLogger(__name__)

MOST_UNDER_WAY = 100
STEADY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: to wait after an error, from and to; to shake hands; without any sign until a socket counts as
    dead; and for which a socket that Slack said farewell to is still listened to."""

    error: tuple[float, float] = (0.5, 30.0)
    handshake: float = 10.0
    silence: float = 60.0
    farewell: float = 30.0


class Receiver:
    """One run of Socket Mode, for one account."""

    def __init__(self, line: Line, app_token: str, listener: Listener, patience: Patience) -> None:
        self._line, self._app_token, self._listener = line, app_token, listener
        self._patience = patience
        self._room = asyncio.Semaphore(MOST_UNDER_WAY)
        self._failures = 0

    async def run(self) -> None:
        """Until cancelled. Raises `Unauthorized` when Slack will not have us."""
        attended: set[asyncio.Task[None]] = set()
        try:
            while True:
                socket = await self._open()
                if socket is not None:
                    parting = asyncio.Event()
                    task = asyncio.create_task(self._attend(socket, parting), name="slack socket")
                    attended.add(task)
                    task.add_done_callback(attended.discard)
                    await parting.wait()
                if self._failures:
                    await asyncio.sleep(backoff(self._failures, self._patience.error))
        finally:
            for task in list(attended):
                task.cancel()
            await asyncio.gather(*attended, return_exceptions=True)

    async def _open(self) -> aiohttp.ClientWebSocketResponse | None:
        """A new socket; None, and one failure more, when that did not work."""
        try:
            url = await self._line.socket_url(self._app_token)
            async with asyncio.timeout(self._patience.handshake):
                return await self._line.session.ws_connect(
                    url,
                    heartbeat=self._patience.silence / 1.5,  # with half of it more to wait for the pong
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    max_msg_size=0,
                    proxy=proxy_for(url),
                )
        except (Unauthorized, Rejected, Undeliverable) as error:
            raise Unauthorized(f"{error}; is SLACK_APP_TOKEN right and Socket Mode on?") from error
        except Exception as error:
            await self._note(error)
            return None

    async def _note(self, error: Exception) -> None:
        self._failures += 1
        failed = error if isinstance(error, ChannelError) else translate_error("socket", error)
        log.warning("Slack opens no socket, try %d failed: %s", self._failures, failed)
        if failed.retry_after:
            await asyncio.sleep(failed.retry_after)

    async def _attend(self, socket: aiohttp.ClientWebSocketResponse, parting: asyncio.Event) -> None:
        """Take envelopes until the socket ends, then answer those under way. `parting` is set when a new
        socket is wanted."""
        opened_at = monotonic()
        try:
            async with socket, asyncio.TaskGroup() as under_way:
                try:
                    await self._listen(socket, parting, under_way)
                finally:
                    steady = parting.is_set() or monotonic() - opened_at >= STEADY_SECONDS
                    self._failures = 0 if steady else self._failures + 1
                    parting.set()
        except* Exception as errors:
            log.error("a Slack socket broke: %s", [type(error).__name__ for error in errors.exceptions])

    async def _listen(
        self, socket: aiohttp.ClientWebSocketResponse, parting: asyncio.Event, under_way: asyncio.TaskGroup
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                async for frame in socket:
                    message = read(frame.data) if frame.type is WSMsgType.TEXT else {}
                    if message.get("type") == "disconnect":
                        log.info("Slack ends a socket: %s", message.get("reason"))
                        parting.set()
                        limit.reschedule(asyncio.get_running_loop().time() + self._patience.farewell)
                    elif (request := SocketModeRequest.from_dict(message)) is not None:
                        await self._room.acquire()
                        under_way.create_task(self._take(socket, request), name="slack envelope")

    async def _take(self, socket: aiohttp.ClientWebSocketResponse, request: SocketModeRequest) -> None:
        """Acknowledge what was committed, and nothing else."""
        try:
            response = await self._listener.hear(request.payload)
            if response.status != COME_AGAIN:
                acknowledged = SocketModeResponse(envelope_id=request.envelope_id)
                await socket.send_str(orjson.dumps(acknowledged.to_dict()).decode())
                reach("I4")
        except ConnectionError as error:
            log.info("a Slack envelope is committed, its socket gone: %s", type(error).__name__)
        except Exception as error:  # one envelope that nobody can read must not end the others
            log.error("a Slack envelope cannot be taken: %s", type(error).__name__)
        finally:
            self._room.release()


def read(frame: str) -> dict[str, Any]:
    """The object in a frame; an empty one when it is none."""
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}
