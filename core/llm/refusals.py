"""Translates what a model server says no with, an HTTP status or an error object, into the house's errors.

Codes are the house's own short words: bad_key, forbidden, unknown_model, context_length, content_filter,
quota, refused; rate_limit, timeout, overloaded. The vendor's words go, shortened, to the operator and never
to a chat. The statuses are https://platform.openai.com/docs/guides/error-codes.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from core.errors import ModelError, ModelRefused, ModelUnavailable

SHOWN = 200
"""Characters of the vendor's words that the operator sees."""

TOO_LONG = re.compile(r"context.?(length|window|size)|prompt.{0,20}too long|too many (input )?tokens", re.I)
FILTERED = re.compile(r"content.?(filter|policy)|content management policy", re.I)
REFUSED = {401: "bad_key", 402: "quota", 403: "forbidden", 404: "unknown_model", 413: "context_length"}
UNAVAILABLE = {408: "timeout", 409: "overloaded", 425: "overloaded", 429: "rate_limit", 504: "timeout"}
IN_STREAM = (
    ("rate_limit", 429),
    ("quota", 429),
    ("authentication", 401),
    ("permission", 403),
    ("not_found", 404),
    ("context_length", 400),
    ("content_filter", 400),
    ("invalid", 400),
)


def of_status(status: int, error: object, headers: Mapping[str, str]) -> ModelError:
    """The error for an HTTP answer of 3xx to 5xx; `error` is its body, decoded where it was JSON."""
    words = spoken(error)
    reason = f"HTTP {status} from the model server: {_shown(error, words)}"
    if status in UNAVAILABLE or status >= 500:
        code = "quota" if "insufficient_quota" in words else UNAVAILABLE.get(status, "overloaded")
        return ModelUnavailable(reason, code=code, retry_after=retry_after(headers))
    return ModelRefused(reason, code=REFUSED.get(status) or _bad_request(words))


def read_body(body: bytes) -> object:
    """The error in the body of a refusal: a JSON object where it is one, else its text."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace").strip()
    return told.get("error", told) if isinstance(told, dict) else told


def in_stream(error: object) -> ModelError:
    """The error for an error object that came inside a stream or in place of a completion, with status
    200."""
    return of_status(_status_of(error), error, {})


def spoken(error: object) -> str:
    """All that the server said, as one text to search in."""
    return error if isinstance(error, str) else orjson.dumps(error, default=str).decode()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date); None where unsaid.
    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        return _seconds(headers.get("retry-after"))
    except ValueError:
        return None


def _seconds(value: str | None) -> float | None:
    if not value:
        return None
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
        return float(value)
    moment = parsedate_to_datetime(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _status_of(error: object) -> int:
    """The status that this error object would have come with."""
    fields: Mapping[str, Any] = error if isinstance(error, dict) else {}
    for name in ("code", "status", "status_code"):
        text = str(fields.get(name, ""))
        if re.fullmatch(r"[45]\d\d", text):
            return int(text)
    kind = f"{fields.get('type')} {fields.get('code')}".lower()
    return next((status for word, status in IN_STREAM if word in kind), 500)


def _bad_request(words: str) -> str:
    if TOO_LONG.search(words):
        return "context_length"
    return "content_filter" if FILTERED.search(words) else "refused"


def _shown(error: object, words: str) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    text = " ".join((message if isinstance(message, str) else words).split())
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
