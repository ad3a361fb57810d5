"""The bytes of replies, stream chunks and errors.

platform.openai.com/docs/api-reference/chat/object and .../chat-streaming; errors as in
platform.openai.com/docs/guides/error-codes. Chunks are put together from prepared halves, since a
benchmark must not measure this side's JSON.
"""

from typing import Any

import orjson
from aiohttp import web

from bots.simulators.model.bill import ModelCall
from bots.simulators.server import json_response

DONE = b"data: [DONE]\n\n"
EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}


class ModelError(Exception):
    """A refusal in the API's form: `{"error": {"message", "type", "param", "code"}}`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        self.retry_after = retry_after

    def response(self) -> web.Response:
        headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after:g}"}
        return json_response(self.body, status=self.status, headers=headers)


def reply_body(call: ModelCall, created: int, text: str, finish: str, *, usage: bool) -> bytes:
    """Return a whole `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    body: dict[str, Any] = {
        "id": call.id,
        "object": "chat.completion",
        "created": created,
        "model": call.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
    }
    if usage:
        body["usage"] = call.as_usage()
    return orjson.dumps(body)


class ChunkShape:
    """The events of one streamed reply: the role, a piece of content, the finish, the usage."""

    def __init__(self, call: ModelCall, created: int, *, usage: bool) -> None:
        """With `usage` (`stream_options.include_usage`) every chunk has the field, null until the last."""
        self._call = call
        head = {"id": call.id, "object": "chat.completion.chunk", "created": created, "model": call.model}
        self._head = b"data: " + orjson.dumps(head)[:-1]
        null = b',"usage":null' if usage else b""
        self._begin = self._head + b',"choices":[{"index":0,"delta":{"content":'
        self._end = b'},"logprobs":null,"finish_reason":null}]' + null + b"}\n\n"
        self._finish = self._head + b',"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":%s}]'
        self._tail = null + b"}\n\n"

    def role(self) -> bytes:
        return (
            self._head
            + b',"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},'
            + b'"logprobs":null,"finish_reason":null}]'
            + self._tail
        )

    def content(self, piece: str) -> bytes:
        return self._begin + orjson.dumps(piece) + self._end

    def finish(self, reason: str) -> bytes:
        return self._finish % orjson.dumps(reason) + self._tail

    def usage(self) -> bytes:
        return self._head + b',"choices":[],"usage":' + orjson.dumps(self._call.as_usage()) + b"}\n\n"
