"""The platforms of a trial: a simulator each, how people speak there, and what they see.

Each gives its ids as the channel's own folder makes them, so that what was said, what was accepted and what
is shown can be laid side by side.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Protocol

from bots.catalog import factories
from bots.simulators.discord import DiscordSimulator
from bots.simulators.ledger import Seen
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from bots.torture.evidence import Said, Shown
from bots.torture.plan import Speech
from core.errors import ParleyError

BOT = "parley_bot"
ENDLESS = 1_000_000
EDIT_SECONDS = "0.2"
SLACK_RETRIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The real ones are nearly at once, after a minute and after five."""


class UnknownChannel(ParleyError):
    """A channel that cannot be put to the torture; the text has those that can."""


class Platform(Protocol):
    """What a trial wants of one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What an operator would set to reach it."""
        ...

    def listeners(self) -> int:
        """How many instances would hear what is said now."""
        ...

    def redeliver(self, percent: float, seed: int) -> None:
        """From now on tell so many of all events twice."""
        ...

    def say(self, speech: Speech) -> Said: ...

    def heard(self, said: Said) -> Said:
        """The same, with when it was brought to the gateway, as far as the platform keeps no order itself."""
        ...

    def shown(self) -> list[Shown]:
        """What the bot shows now, in the order it appeared."""
        ...

    async def delivered(self) -> None:
        """Return when nothing that was said is still on its way."""
        ...


class Telegram:
    """One poller at a time; updates come in order."""

    TOKEN = "4242:simulated-token-for-torture"

    def __init__(self) -> None:
        self.simulator = TelegramSimulator(token=self.TOKEN, username=BOT)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "TELEGRAM_API_URL": self.simulator.url,
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
        text = speech.text if speech.direct else f"@{BOT} {speech.text}"
        self.simulator.say(speech.chat, speech.user, text, thread=speech.thread)
        seen = self.simulator.seen(speech.chat)[-1]
        return said_by(speech, seen, thread=self._thread(seen))

    def heard(self, said: Said) -> Said:
        return said

    def shown(self) -> list[Shown]:
        mine = (seen for seen in self.simulator.seen() if seen.by_bot)
        return [shown_by("telegram", seen, thread=self._thread(seen)) for seen in mine]

    async def delivered(self) -> None:
        """Who polls has it all by the time that it is answered."""

    def _thread(self, seen: Seen) -> str:
        """Outside of topics, threads are chains of answers, and no places."""
        chat, thread = self.simulator.world.find(seen.chat), seen.extra["thread"]
        return str(thread) if chat is not None and thread in chat.topics else ""


class Discord:
    """Every instance hears everything, as long as it listens; what nobody hears is in the history."""

    TOKEN = "simulated.token.for-torture"

    def __init__(self) -> None:
        self.simulator = DiscordSimulator(token=self.TOKEN, username=BOT)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "DISCORD_API_URL": self.simulator.api_url,
            "DISCORD_GATEWAY_URL": self.simulator.gateway_url,
            "DISCORD_TOKEN": self.TOKEN,
            "PARLEY_DISCORD__EDIT_DIRECT_SECONDS": EDIT_SECONDS,
            "PARLEY_DISCORD__EDIT_SERVER_SECONDS": EDIT_SECONDS,
        }

    def listeners(self) -> int:
        return self.simulator.connected

    def redeliver(self, percent: float, seed: int) -> None:
        self.simulator.fault("duplicate", method="MESSAGE_CREATE", times=ENDLESS, percent=percent, seed=seed)

    def say(self, speech: Speech) -> Said:
        text = speech.text if speech.direct else f"@{BOT} {speech.text}"
        self.simulator.say(speech.chat, speech.user, text, thread=speech.thread)
        return said_by(speech, seen := self.simulator.seen(speech.chat)[-1], chat=self._chat(seen))

    def heard(self, said: Said) -> Said:
        return said

    def shown(self) -> list[Shown]:
        mine = (seen for seen in self.simulator.seen() if seen.by_bot)
        return [shown_by("discord", seen, chat=self._chat(seen)) for seen in mine]

    async def delivered(self) -> None:
        """Whoever listens is told at once."""

    def _chat(self, seen: Seen) -> str:
        """A thread is a chat of its own."""
        return str(seen.extra["thread"] or seen.extra["chat_id"])


class Slack:
    """Each event goes to one of the sockets, and comes again until it is acknowledged. No order is promised:
    only what was acknowledged before the next one set out is bound to be accepted before it."""

    def __init__(self) -> None:
        self.simulator = SlackSimulator(
            token="xoxb-simulated", app_token="xapp-simulated", name=BOT, retry_delays=SLACK_RETRIES
        )

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "SLACK_API_URL": self.simulator.api_url,
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

    def heard(self, said: Said) -> Said:
        tries = [
            attempt
            for attempt in self.simulator.attempts
            if attempt.delivery.channel.id == said.chat
            and attempt.delivery.payload.get("event", {}).get("ts") == said.message_id
        ]
        begun = min((attempt.at for attempt in tries), default=inf)
        taken = min((attempt.ended_at for attempt in tries if attempt.reason is None), default=inf)
        return replace(said, begun=begun, taken=taken)

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


def said_by(speech: Speech, seen: Seen, *, chat: str | None = None, thread: str = "") -> Said:
    return Said(
        number=speech.number,
        channel=speech.channel,
        user=str(seen.extra["author_id"]),
        chat=chat or str(seen.extra["chat_id"]),
        thread=thread,
        message_id=str(seen.id),
        begun=speech.number,
        taken=speech.number,
    )


def shown_by(channel: str, seen: Seen, *, chat: str | None = None, thread: str = "") -> Shown:
    quoted: Any = seen.extra.get("reply_to")
    return Shown(
        channel=channel,
        chat=chat or str(seen.extra["chat_id"]),
        thread=thread,
        id=str(seen.id),
        text=seen.text,
        reply_to=str(quoted) if quoted else None,
    )
