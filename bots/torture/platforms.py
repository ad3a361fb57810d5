"""The platforms of a trial: a simulator each, how people speak there, and what they see.

Each gives its ids as the channel's own folder makes them, so that what was said, what was accepted and what
is shown can be laid side by side.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Protocol

from bots.catalog import factories
from bots.discord.commands import NOT_STORED
from bots.simulators.discord import DiscordSimulator
from bots.simulators.discord.desk import Interaction
from bots.simulators.ledger import Seen
from bots.simulators.server import CUT
from bots.simulators.slack import SlackSimulator
from bots.simulators.slack.dispatch import Attempt
from bots.simulators.telegram import TelegramSimulator
from bots.torture.evidence import THINKING, Said, Shown
from bots.torture.plan import Speech
from core.errors import ParleyError

BOT = "parley_bot"
SEND = "sendMessage"
ENDLESS = 1_000_000
EDIT_SECONDS = "0.2"
SLACK_RETRIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""The real ones are nearly at once, after a minute and after five."""


class UnknownChannel(ParleyError):
    """A channel that cannot be put to the torture; the text has those that can."""


class Platform(Protocol):
    """What a trial wants of one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What an operator would set to reach it."""
        ...

    def stand_behind(self, url: str) -> None:
        """Let instances come by this address from now on: a proxy's."""
        ...

    def listeners(self) -> int:
        """How many instances would hear what is said now."""
        ...

    def redeliver(self, percent: float, seed: int) -> None:
        """From now on tell so many of all events twice."""
        ...

    def say(self, speech: Speech) -> Said: ...

    def edit(self, speech: Speech, said: Said) -> None:
        """Let its author give it its new text."""
        ...

    def delete(self, speech: Speech, said: Said) -> None:
        """Let its author delete it."""
        ...

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


class Discord:
    """Every instance hears everything, as long as it listens; what nobody hears is in the history, but for
    commands: those count as taken when the platform was told that an answer comes."""

    TOKEN = "simulated.token.for-torture"

    def __init__(self) -> None:
        # A long trial starts more gateways than a bot may in a day.
        self.simulator = DiscordSimulator(token=self.TOKEN, username=BOT, starts_a_day=ENDLESS)
        self._front = ""
        self._called: dict[int, Interaction] = {}

    def stand_behind(self, url: str) -> None:
        self._front = url
        # Sessions are told where to resume.
        self.simulator.gateway.url = f"ws{url.removeprefix('http')}"

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "DISCORD_API_URL": self.simulator.api_url.replace(
                self.simulator.url, self._front or self.simulator.url
            ),
            "DISCORD_GATEWAY_URL": self.simulator.gateway.url,
            "DISCORD_TOKEN": self.TOKEN,
            "PARLEY_DISCORD__EDIT_DIRECT_SECONDS": EDIT_SECONDS,
            "PARLEY_DISCORD__EDIT_SERVER_SECONDS": EDIT_SECONDS,
        }

    def listeners(self) -> int:
        return self.simulator.connected

    def redeliver(self, percent: float, seed: int) -> None:
        self.simulator.fault("duplicate", method="MESSAGE_CREATE", times=ENDLESS, percent=percent, seed=seed)

    def say(self, speech: Speech) -> Said:
        if speech.called:
            return self._call(speech)
        self.simulator.say(speech.chat, speech.user, to_bot(speech, speech.text), thread=speech.thread)
        return said_by(speech, seen := self.simulator.world.ledger.last, chat=self._chat(seen))

    def edit(self, speech: Speech, said: Said) -> None:
        self.simulator.edit(speech.chat, said.message_id, to_bot(speech, speech.new_text))

    def delete(self, speech: Speech, said: Said) -> None:
        self.simulator.delete(speech.chat, said.message_id)

    def _call(self, speech: Speech) -> Said:
        asked = {"question": speech.text}
        called = self.simulator.slash(speech.chat, speech.user, "ask", asked, thread=speech.thread)
        self._called[speech.number] = called
        return Said(
            number=speech.number,
            channel="discord",
            user=str(called.user.id),
            chat=str(called.channel.id),
            thread="",
            message_id=str(called.id),
            begun=speech.number,
            taken=speech.number,
        )

    def heard(self, said: Said) -> Said:
        """Who was only told that it may not be stored was promised nothing."""
        called = self._called.get(said.number)
        if called is None or (called.original and is_promise(called.original.seen)):
            return said
        return replace(said, taken=inf)

    def shown(self) -> list[Shown]:
        """Without what says for itself that it stands for no answer. What was promised appears when
        something takes the promise's place."""
        mine = [seen for seen in self.simulator.seen() if seen.by_bot and seen.text != NOT_STORED]
        mine.sort(key=lambda seen: seen.versions[min(is_promise(seen), seen.edits)].at)
        return [shown_by("discord", seen, chat=self._chat(seen)) for seen in mine]

    async def delivered(self) -> None:
        """Whoever listens is told at once."""

    def _chat(self, seen: Seen) -> str:
        """A thread is a chat of its own."""
        return str(seen.extra["thread"] or seen.extra["chat_id"])


def is_promise(seen: Seen) -> bool:
    """Did it begin as the word that an answer to a command comes? Nothing else begins without a text."""
    return not seen.versions[0].text


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


def to_bot(speech: Speech, text: str) -> str:
    """As it is typed where the bot has to be named."""
    return text if speech.direct else f"@{BOT} {text}"


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
        text=THINKING if seen.extra.get("loading") else seen.text,
        reply_to=str(quoted) if quoted else None,
    )
