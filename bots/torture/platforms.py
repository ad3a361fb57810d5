"""The platforms of a trial, a simulator each, and how people speak and see on Telegram and on Slack."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import inf

from bots.catalog import factories
from bots.simulators.ledger import Seen
from bots.simulators.server import CUT
from bots.simulators.slack import SlackSimulator
from bots.simulators.slack.dispatch import Attempt
from bots.simulators.telegram import TelegramSimulator
from bots.torture.evidence import Said, Shown
from bots.torture.on_discord import Discord
from bots.torture.plan import Speech
from bots.torture.speaking import BOT, EDIT_SECONDS, ENDLESS, Platform, said_by, shown_by, to_bot
from core.errors import ParleyError

__all__ = [
    "KNOWN",
    "SEND",
    "Discord",
    "Slack",
    "Telegram",
    "UnknownChannel",
    "available",
    "choose",
    "secrets_of",
]

SEND = "sendMessage"
SLACK_RETRIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""The real ones are nearly at once, after a minute and after five."""


class UnknownChannel(ParleyError):
    """A channel that cannot be put to the torture; the text has those that can."""


class Telegram:
    """One poller at a time; updates come in order."""

    TOKEN = "4242:simulated-token-for-torture"

    def __init__(self) -> None:
        self.simulator = TelegramSimulator(token=self.TOKEN, username=BOT)
        self._front = ""

    def stand_behind(self, url: str) -> None:
        self._front = url

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "TELEGRAM_API_URL": self._front or self.simulator.url,
            "TELEGRAM_TOKEN": self.TOKEN,
            "PARLEY_TELEGRAM__POLL_SECONDS": "5",
            "PARLEY_TELEGRAM__EDIT_PRIVATE_SECONDS": EDIT_SECONDS,
            "PARLEY_TELEGRAM__EDIT_GROUP_SECONDS": EDIT_SECONDS,
        }

    def listeners(self) -> int:
        """Updates wait for whoever comes."""
        return ENDLESS

    def redeliver(self, percent: float, seed: int) -> None:
        self.simulator.fault("duplicate", times=ENDLESS, percent=percent, seed=seed)

    def say(self, speech: Speech) -> Said:
        self.simulator.say(speech.chat, speech.user, to_bot(speech, speech.text), thread=speech.thread)
        seen = self.simulator.world.ledger.last
        return said_by(speech, seen, thread=self._thread(seen))

    def edit(self, speech: Speech, said: Said) -> None:
        self.simulator.edit(speech.chat, said.message_id, to_bot(speech, speech.new_text))

    def delete(self, speech: Speech, said: Said) -> None:
        self.simulator.delete(speech.chat, said.message_id)

    def heard(self, said: Said) -> Said:
        return said

    def shown(self) -> list[Shown]:
        mine = (seen for seen in self.simulator.seen() if seen.by_bot)
        return [shown_by("telegram", seen, thread=self._thread(seen)) for seen in mine]

    def unanswered(self) -> int:
        """Sends that were done and whose answer was dropped."""
        calls = (call for call in self.simulator.calls if call.method == SEND)
        return sum(call.done and call.status == CUT for call in calls)

    async def delivered(self) -> None:
        """Who polls has it all by the time that it is answered."""

    def _thread(self, seen: Seen) -> str:
        """Outside of topics, threads are chains of answers, and no places."""
        chat, thread = self.simulator.world.find(seen.chat), seen.extra["thread"]
        return str(thread) if chat is not None and thread in chat.topics else ""


class Slack:
    """Each event goes to one of the sockets, and comes again until it is acknowledged. No order is promised:
    only what was acknowledged before the next one set out is bound to be accepted before it."""

    def __init__(self) -> None:
        self.simulator = SlackSimulator(
            token="xoxb-simulated", app_token="xapp-simulated", name=BOT, retry_delays=SLACK_RETRIES
        )

        self._tries: dict[tuple[str, str | None], list[Attempt]] = {}
        self._indexed = 0

    def stand_behind(self, url: str) -> None:
        self.simulator.front = url

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "SLACK_API_URL": f"{self.simulator.front or self.simulator.url}/api",
            "SLACK_BOT_TOKEN": "xoxb-simulated",
            "SLACK_APP_TOKEN": "xapp-simulated",
        }

    def listeners(self) -> int:
        return len(self.simulator.sockets)

    def redeliver(self, percent: float, seed: int) -> None:
        self.simulator.fault("duplicate", times=ENDLESS, percent=percent, seed=seed)

    def say(self, speech: Speech) -> Said:
        ts = self.simulator.say(
            speech.chat, speech.user, speech.text, thread=speech.thread, mention=not speech.direct
        )
        seen = self.simulator.message(speech.chat, ts).seen
        # What is asked in a channel outside of a thread begins one.
        return said_by(speech, seen, thread=seen.extra["thread"] or ("" if speech.direct else ts))

    def edit(self, speech: Speech, said: Said) -> None:
        self.simulator.edit(speech.chat, said.message_id, speech.new_text)

    def delete(self, speech: Speech, said: Said) -> None:
        self.simulator.delete(speech.chat, said.message_id)

    def heard(self, said: Said) -> Said:
        tries = self._tries_of(said)
        begun = min((attempt.at for attempt in tries), default=inf)
        taken = min((attempt.ended_at for attempt in tries if attempt.reason is None), default=inf)
        return replace(said, begun=begun, taken=taken)

    def _tries_of(self, said: Said) -> list[Attempt]:
        """Looked up in an index of all attempts, which grows with them."""
        for attempt in self.simulator.attempts[self._indexed :]:
            event = attempt.delivery.payload.get("event", {})
            self._tries.setdefault((attempt.delivery.channel.id, event.get("ts")), []).append(attempt)
        self._indexed = len(self.simulator.attempts)
        return self._tries.get((said.chat, said.message_id), [])

    def shown(self) -> list[Shown]:
        mine = (seen for seen in self.simulator.seen() if seen.by_bot)
        return [shown_by("slack", seen, thread=seen.extra["thread"] or "") for seen in mine]

    async def delivered(self) -> None:
        await self.simulator.delivered()


KNOWN: Mapping[str, Callable[[], Telegram | Discord | Slack]] = {
    "telegram": Telegram,
    "discord": Discord,
    "slack": Slack,
}


def available() -> tuple[str, ...]:
    """The channels that have a simulator and are in the catalogue."""
    return tuple(name for name in KNOWN if name in factories())


def choose(names: str) -> tuple[str, ...]:
    """The channels of a list such as `telegram,slack`, all for none. Raises `UnknownChannel`."""
    wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    allowed = available()
    for name in wanted:
        if name not in allowed:
            raise UnknownChannel(f"--channels: {name!r} given; allowed: {', '.join(allowed)}")
    return wanted or allowed


def secrets_of(platforms: Iterable[Platform]) -> dict[str, str]:
    """What a gateway was given to speak there, and must keep to itself."""
    given = (item for platform in platforms for item in platform.environment.items())
    return {name: value for name, value in given if name.endswith("TOKEN")}
