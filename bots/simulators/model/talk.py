"""One answer on its way out: whole or in chunks, at its pace, with at most one fault on the way.

platform.openai.com/docs/api-reference/chat-streaming. How many tokens were generated and sent is written to
the bill as it happens, so that a stream that breaks off leaves true figures.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from bots.simulators.faults import Fault
from bots.simulators.model.bill import ModelCall
from bots.simulators.model.shapes import DONE, EVENT_STREAM, ChunkShape, ModelError, reply_body
from bots.simulators.server import CUT, reset


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds before the first token and per token; `pause` waits and tells whether the server lives."""

    latency: float
    gap: float
    pause: Callable[[float], Awaitable[bool]]
    announce: Callable[[], None]

    @property
    def at_once(self) -> bool:
        return not self.latency and not self.gap


class Talk:
    """One answer on its way out."""

    def __init__(
        self,
        pace: Pace,
        request: web.Request,
        call: ModelCall,
        tokens: list[str],
        finish: str,
        fault: Fault | None,
        created: int,
    ) -> None:
        self._pace = pace
        self._request = request
        self._call = call
        self._tokens = tokens
        self._finish = finish
        self._fault = fault
        self._created = created

    @property
    def _kind(self) -> str | None:
        return self._fault.kind if self._fault else None

    async def say_whole(self, *, usage: bool) -> web.Response:
        """Answer in one piece, after the time that generating takes."""
        pace, call = self._pace, self._call
        stalled = self._fault.seconds if self._fault and self._kind == "stall" else 0.0
        if not await pace.pause(pace.latency + len(self._tokens) * pace.gap + stalled):
            return self._cut()
        call.completion_tokens = len(self._tokens)
        if self._kind in ("accept_then_drop", "cut", "cut_byte"):
            return self._cut()
        if self._kind == "error_in_stream":
            raise server_failed()
        self._sent(len(self._tokens))
        text = "".join(self._tokens)
        body = reply_body(call, self._created, text, self._finish, usage=usage)
        return web.Response(body=body, content_type="application/json")

    async def stream(self, *, usage: bool) -> web.StreamResponse:
        """Answer in chunks: at once when nothing asks for time, else one token after another."""
        shape = ChunkShape(self._call, self._created, usage=usage)
        if self._fault is None and self._pace.at_once:
            self._call.completion_tokens = len(self._tokens)
            self._sent(len(self._tokens))
            whole = [shape.role(), *map(shape.content, self._tokens), self._end(shape, usage)]
            return web.Response(body=b"".join(whole), headers=EVENT_STREAM)
        if self._kind == "accept_then_drop":
            self._call.completion_tokens = len(self._tokens)
            return self._cut()
        if not await self._pace.pause(self._pace.latency):
            return self._cut()
        response = web.StreamResponse(headers=EVENT_STREAM)
        await response.prepare(self._request)
        if self._fault is not None and self._kind == "cut_byte":
            return await self._break_off(response, shape, self._fault.after)
        await response.write(shape.role())
        if await self._write_tokens(response, shape):
            await response.write(self._end(shape, usage))
            self._sent(len(self._tokens))
        return response

    async def _write_tokens(self, response: web.StreamResponse, shape: ChunkShape) -> bool:
        """Write token by token; return False where a fault ended it."""
        pace, call = self._pace, self._call
        strikes_at = min(self._fault.after, len(self._tokens)) if self._fault else -1
        for number in range(len(self._tokens) + 1):
            if number == strikes_at and not await self._strike(response):
                return False
            if number == len(self._tokens):
                return True
            if number and not await pace.pause(pace.gap):
                self._cut()
                return False
            await response.write(shape.content(self._tokens[number]))
            call.completion_tokens = call.sent_tokens = number + 1
            pace.announce()
        return True

    async def _break_off(
        self, response: web.StreamResponse, shape: ChunkShape, bytes: int
    ) -> web.StreamResponse:
        """All was generated, and only its first bytes go out."""
        self._call.completion_tokens = len(self._tokens)
        whole = b"".join([shape.role(), *map(shape.content, self._tokens), shape.finish(self._finish)])
        await response.write(whole[:bytes])
        self._call.outcome = "cut"
        if self._request.transport is not None:
            self._request.transport.close()
        return response

    async def _strike(self, response: web.StreamResponse) -> bool:
        """Do what the fault says in mid-stream; return whether the stream goes on."""
        if self._fault and self._kind == "stall" and await self._pace.pause(self._fault.seconds):
            return True
        if self._kind == "error_in_stream":
            await response.write(b"data: " + orjson.dumps(server_failed().body) + b"\n\n")
        self._call.outcome = "cut"
        if self._request.transport is not None and self._kind != "error_in_stream":
            # What was written goes out first; the missing last chunk tells the client that this was no end.
            self._request.transport.close()
        return False

    def _end(self, shape: ChunkShape, usage: bool) -> bytes:
        return shape.finish(self._finish) + (shape.usage() if usage else b"") + DONE

    def _sent(self, count: int) -> None:
        self._call.sent_tokens, self._call.outcome = count, "done"

    def _cut(self) -> web.Response:
        self._call.outcome, self._call.status = "cut", CUT
        return reset(self._request)


def server_failed() -> ModelError:
    words = "The server had an error while processing your request. Sorry about that!"
    return ModelError(500, words, kind="server_error")
