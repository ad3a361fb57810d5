"""Single posts to the request URL beside the events: handshakes, checks, and what a forger would send.

docs.slack.dev/reference/events/url_verification, /interactivity/implementing-slash-commands and
/authentication/verifying-requests-from-slack. None of them is tried again.
"""

from urllib.parse import urlencode

import orjson

from bots.simulators.control import Saying
from bots.simulators.slack.events import Events
from bots.simulators.slack.people import People
from bots.simulators.slack.posts import FORM, JSON, Answer, Poster, encoded
from bots.simulators.slack.world import World


class Probes:
    """Posts one thing and returns what was answered; raises aiohttp.ClientError when nobody answers."""

    def __init__(self, world: World, events: Events, people: People, poster: Poster) -> None:
        self._world = world
        self._events = events
        self._people = people
        self._poster = poster

    async def verify(self) -> bool:
        """Shake hands as when a request URL is entered; tell whether the challenge came back."""
        challenge = f"challenge-{self._world.next_ts()}"
        token = self._world.app.verification_token
        body = {"token": token, "challenge": challenge, "type": "url_verification"}
        answer = await self._poster.post(orjson.dumps(body), {"Content-Type": JSON})
        return answer.status == 200 and challenge.encode() in answer.body

    async def check_ssl(self) -> Answer:
        """Ask for a sign of life as the platform does of addresses for commands."""
        body = urlencode({"ssl_check": "1", "token": self._world.app.verification_token})
        return await self._poster.post(body.encode(), {"Content-Type": FORM})

    async def event(
        self,
        chat: str,
        user: str,
        text: str,
        *,
        secret: str | None = None,
        age: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Post a message event that nobody sees: with another secret, signed `age` seconds ago, or with
        headers of one's own in place of the right ones."""
        channel, person = self._people.place(Saying(chat=chat, user=user, text=text))
        ts = self._world.next_ts()
        event = {"type": "message", "user": person.id, "text": text, "ts": ts, "event_ts": ts}
        where = {"channel": channel.id, "channel_type": channel.type}
        body, content_type = encoded(self._events.wrap(channel, event | where))
        given = {"Content-Type": content_type, **(headers or {})}
        return await self._poster.post(body, given, secret=secret, at=self._world.clock.now() - age)
