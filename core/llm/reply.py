"""One answer as it grows: reads the payloads of an OpenAI-compatible server and remembers how it ended.

Works on a stream's chunks and on a whole completion alike, and reads only what an answer needs: text, finish
reason, usage, names. Reasoning and tool calls pass by unread. The form is
https://platform.openai.com/docs/api-reference/chat, and what compatible servers make of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from core.errors import ModelRefused, ModelUnavailable
from core.llm.refusals import in_stream
from core.messages import Finish, Usage

DONE = b"[DONE]"


class Reply:
    """Takes payloads one after another. `done`: the server said that nothing follows. `request_id`: from the
    response's header, where it had one."""

    __slots__ = ("_id", "_model", "_parts", "_reason", "_usage", "done", "request_id")

    def __init__(self) -> None:
        self.done = False
        self.request_id = ""
        self._parts: list[str] = []
        self._reason = ""
        self._usage: Usage | None = None
        self._model = ""
        self._id = ""

    @property
    def begun(self) -> bool:
        """Has any text come?"""
        return bool(self._parts)

    @property
    def ended(self) -> bool:
        """Did the model come to an end? Only its usage may be missing then."""
        return self.done or bool(self._reason)

    def take(self, payload: bytes) -> str:
        """The text that this payload adds, often none. Raises `ModelError` for an error object or
        nonsense."""
        if payload.strip() == DONE:
            self.done = True
            return ""
        chunk = _parse(payload)
        if chunk.get("error"):
            raise in_stream(chunk["error"])
        self._model = chunk.get("model") or self._model
        self._id = chunk.get("id") or self._id
        self._usage = usage_of(chunk.get("usage")) or self._usage
        text = self._read_choice(chunk.get("choices"))
        if text:
            self._parts.append(text)
        return text

    def finish(self, estimate: Callable[[str], Usage]) -> Finish:
        """The end of the answer. Raises `ModelError` with code "empty" where no text came."""
        text = "".join(self._parts)
        if not text.strip():
            raise _empty(self._reason)
        return Finish(
            usage=self._usage or estimate(text),
            reason=self._reason or "stop",
            model=self._model,
            request_id=self.request_id or self._id,
        )

    def _read_choice(self, choices: Any) -> str:
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        choice = choices[0]
        message = choice.get("message")
        self._reason = choice.get("finish_reason") or self._reason or ("stop" if message else "")
        part = choice.get("delta") or message or {}
        return _text(part.get("content")) or _text(part.get("refusal"))


def usage_of(raw: Any) -> Usage | None:
    """The vendor's count, or None where it says nothing. Some vendors leave reasoning out of the completion
    and only in the total: it is billed as completion, so it is put back."""
    if not isinstance(raw, dict):
        return None
    prompt, completion = _number(raw, "prompt_tokens"), _number(raw, "completion_tokens")
    completion = max(completion, _number(raw, "total_tokens") - prompt)
    if prompt + completion == 0:
        return None
    cached = _number(raw.get("prompt_tokens_details"), "cached_tokens") or _number(
        raw, "prompt_cache_hit_tokens"
    )
    reasoning = _number(raw.get("completion_tokens_details"), "reasoning_tokens")
    return Usage(
        prompt=prompt,
        completion=completion,
        cached=min(cached, prompt),
        reasoning=min(reasoning, completion),
    )


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise ModelUnavailable("the model server sent what is not JSON", code="bad_reply") from None
    if not isinstance(chunk, dict):
        raise ModelUnavailable("the model server sent JSON that is not an object", code="bad_reply")
    return chunk


def _text(content: Any) -> str:
    """The visible text: a string, or a list of parts of which only those of type "text" are said aloud."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            _text(part.get("text"))
            for part in content
            if isinstance(part, dict) and part.get("type") == "text"
        )
    return ""


def _number(raw: Mapping[str, Any] | None, name: str) -> int:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if isinstance(value, int) and value > 0 else 0


def _empty(reason: str) -> ModelRefused | ModelUnavailable:
    if reason == "content_filter":
        return ModelRefused("the vendor's filter held the answer back", code="content_filter")
    if reason == "length":
        return ModelRefused("the token limit was used up before any text came", code="empty")
    return ModelUnavailable("the model ended without any text", code="empty")
