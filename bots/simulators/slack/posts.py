"""Payloads posted to the app's request URL, signed with its signing secret.

docs.slack.dev/apis/events-api/using-http-request-urls and /authentication/verifying-requests-from-slack.
Redirects are not followed here (the platform follows two).
"""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from bots.simulators.faults import FaultQueue
from bots.simulators.slack.alarm import AlarmClock
from bots.simulators.slack.events import Delivery
from bots.simulators.slack.outcome import ACKNOWLEDGE_SECONDS, Outcome

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the request URL answered."""

    status: int
    body: bytes = field(repr=False)
    content_type: str
    no_retry: bool = False


def signed(body: bytes, secret: str, at: float) -> dict[str, str]:
    """Return the two headers that prove who posts; `at` is the hour that is claimed."""
    timestamp = str(int(at))
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


def encoded(delivery: Delivery) -> tuple[bytes, str]:
    """Return body and content type: events are JSON, commands a form, interactions JSON inside a form."""
    match delivery.kind:
        case "events_api":
            return orjson.dumps(delivery.payload), JSON
        case "slash_commands":
            return urlencode(delivery.payload).encode(), FORM
        case _:
            return urlencode({"payload": orjson.dumps(delivery.payload).decode()}).encode(), FORM


class Poster:
    """Posts to one address, each attempt over for good after three seconds of the clock."""

    def __init__(self, secret: str, clock: AlarmClock, faults: FaultQueue) -> None:
        self.secret = secret
        self.url = ""
        self._clock = clock
        self._faults = faults
        self._http: aiohttp.ClientSession | None = None

    async def attempt(self, delivery: Delivery, number: int, reason: str) -> Outcome:
        body, content_type = encoded(delivery)
        headers = {"Content-Type": content_type}
        if number:
            headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        try:
            answer = await self._clock.within(ACKNOWLEDGE_SECONDS, self.post(body, headers))
        except TimeoutError:
            return Outcome(reason="http_timeout")
        except aiohttp.ClientError:
            return Outcome(reason="connection_failed")
        if not 200 <= answer.status < 300:
            return Outcome(reason="http_error", final=answer.no_retry)
        if self._faults.take({"lose_ack"}, method=delivery.event_type, chats=delivery.chats):
            return Outcome(reason="http_timeout")
        return Outcome(reply=read_reply(answer))

    async def post(
        self, body: bytes, headers: dict[str, str], *, secret: str | None = None, at: float | None = None
    ) -> Answer:
        """Post a body signed with this or the app's own secret, now or at another hour."""
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        headers = signed(body, secret or self.secret, self._clock.now() if at is None else at) | headers
        agent = {"User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}
        async with self._http.post(
            self.url, data=body, headers=agent | headers, allow_redirects=False
        ) as answer:
            return Answer(
                status=answer.status,
                body=await answer.read(),
                content_type=answer.content_type,
                no_retry=answer.headers.get("X-Slack-No-Retry") == "1",
            )

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()


def read_reply(answer: Answer) -> Any:
    """Return what a command's acknowledgement says: a JSON object, or plain text."""
    text = answer.body.decode("utf-8", "replace").strip()
    if answer.content_type != JSON or not text:
        return text or None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
