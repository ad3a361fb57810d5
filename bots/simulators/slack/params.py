"""What a Web API call carries (a form, JSON or the query, and a token) and how it is refused.

docs.slack.dev/apis/web-api/#basics: refusals are `{"ok": false, "error": <code>}` with status 200; only rate
limits and the platform's own failures have another status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class SlackError(Exception):
    """A refusal with its code; `fields` stand beside it in the body."""

    def __init__(
        self, code: str, *, status: int = 200, retry_after: int | None = None, **fields: Any
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.fields = fields

    def as_json(self) -> dict[str, Any]:
        return {"ok": False, "error": self.code, **self.fields}


def rate_limited(seconds: int) -> SlackError:
    """Return what comes of too many calls (docs.slack.dev/apis/web-api/rate-limits)."""
    return SlackError("ratelimited", status=429, retry_after=seconds)


def invalid(*messages: str, code: str = "invalid_arguments") -> SlackError:
    return SlackError(code, response_metadata={"messages": [f"[ERROR] {message}" for message in messages]})


@dataclass(frozen=True, slots=True)
class Params:
    """The arguments of one call, read by kind; a value of the wrong kind is refused."""

    values: Mapping[str, Any]
    token: str = ""
    warnings: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return "" if value is None else str(value)

    def required(self, name: str) -> str:
        if not (value := self.text(name)):
            raise invalid(f"missing required field: {name}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.text(name).lower()
        return default if not value else value in ("true", "1")

    def integer(self, name: str, default: int) -> int:
        value = self.text(name)
        try:
            return int(value) if value else default
        except ValueError:
            raise invalid(f"{name} must be an integer", code="invalid_limit") from None

    def json(self, name: str, refusal: str) -> Any:
        """Return a nested value; in a form it is JSON inside a string. Raises SlackError(refusal)."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value) if value else None
        except orjson.JSONDecodeError:
            raise SlackError(refusal) from None

    def objects(self, name: str, refusal: str) -> list[dict[str, Any]]:
        value = self.json(name, refusal)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise SlackError(refusal)
        return value


async def read_params(request: web.Request) -> Params:
    """Read the arguments wherever they stand, and the token from the header or from among them."""
    values: dict[str, Any] = dict(request.query)
    warnings: tuple[str, ...] = ()
    if request.content_type == "application/json" and request.can_read_body:
        values |= read_object(await request.read())
        # docs.slack.dev/apis/web-api/#responses: a client that names no charset is told so.
        warnings = () if request.charset else ("missing_charset",)
    elif request.content_type in FORMS:
        values |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    elif request.can_read_body:
        raise SlackError("invalid_post_type")
    given = values.pop("token", "")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return Params(values, token.strip() if scheme.lower() == "bearer" else str(given), warnings)


def read_object(body: bytes) -> dict[str, Any]:
    try:
        values = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise SlackError("invalid_json") from None
    if not isinstance(values, dict):
        raise SlackError("json_not_object")
    return values
