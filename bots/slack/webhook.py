"""Slack's posts to us: events, commands and interactions at one path, believed only when signed.

The signature is checked over the raw body before anything of it is read; whatever is wrong with it, even
what nobody thought of, is a 401. Once it is genuine it goes where the socket's payloads go.
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import asyncio
import hmac
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from time import time
from typing import Any
from urllib.parse import parse_qsl

import orjson

from bots.slack.listen import COME_AGAIN, Listener
from bots.webhook import Answer, Headers

PATH = "/webhooks/slack"
WINDOW_SECONDS = 300
MOST_BYTES = 1_000_000
PATIENCE = 2.5
"""Seconds to commit in; after three Slack no longer listens."""
TIMESTAMP = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


class Webhook:
    """The door at `path`. `listener` gives who hears now, None while the channel is not connected."""

    path = PATH
    most_bytes = MOST_BYTES

    def __init__(
        self,
        signing_secret: str,
        listener: Callable[[], Listener | None],
        now: Callable[[], float] = time,
        patience: float = PATIENCE,
    ) -> None:
        self._secret = signing_secret.encode()
        self._listener = listener
        self._now = now
        self._patience = patience

    async def handle(self, headers: Headers, body: bytes) -> Answer:
        """401 for what is not Slack's, 503 for what could not be committed: Slack brings that again."""
        if len(body) > MOST_BYTES:
            return Answer(status=413)
        if not is_genuine(self._secret, headers, body, self._now()):
            return Answer(status=401)
        try:
            payload = read(body)
        except ValueError:
            return Answer(status=400)
        if payload.get("type") == "url_verification":
            told = orjson.dumps({"challenge": payload.get("challenge", "")})
            return Answer(status=200, headers={"Content-Type": "application/json"}, body=told)
        if "ssl_check" in payload:
            return Answer(status=200)
        listener = self._listener()
        if listener is None:
            return Answer(status=COME_AGAIN, headers={"Retry-After": "5"})
        try:
            async with asyncio.timeout(self._patience):
                response = await listener.hear(payload)
        except TimeoutError:  # it may still be stored; then what comes again is known by its key
            return Answer(status=COME_AGAIN, headers={"Retry-After": "5"})
        if response.status in (400, 404):  # Slack's, but nothing we know: it should not come again
            return Answer(status=200)
        return Answer(
            status=response.status,
            headers=response.first_headers(),
            body=response.body.encode() if response.body else b"",
        )


def is_genuine(secret: bytes, headers: Headers, body: bytes, now: float) -> bool:
    """Signed by who knows the secret, within the window. Never raises."""
    try:
        timestamp, signature = (
            _only(headers, f"x-slack-{name}") for name in ("request-timestamp", "signature")
        )
        if not TIMESTAMP.fullmatch(timestamp) or not SIGNATURE.fullmatch(signature):
            return False
        digest = hmac.new(secret, f"v0:{timestamp}:".encode() + body, sha256).hexdigest()
        return hmac.compare_digest(f"v0={digest}", signature) and abs(now - int(timestamp)) <= WINDOW_SECONDS
    except Exception:  # whatever a forger thinks of
        return False


def read(body: bytes) -> Mapping[str, Any]:
    """The payload: JSON for events, a form for commands, JSON in a form's field for interactions. Raises
    ValueError. Told apart by the body itself, which is signed; the content type is not."""
    if body.lstrip()[:1] == b"{":
        payload = orjson.loads(body)
    else:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        payload = orjson.loads(form["payload"]) if set(form) == {"payload"} else form
    if not isinstance(payload, dict):
        raise ValueError("not an object")
    return payload


def _only(headers: Headers, name: str) -> str:
    """The value of a header that is there once; "" else, for two could mean two things."""
    found = [value for each, value in headers if each.lower() == name]
    return found[0] if len(found) == 1 else ""
