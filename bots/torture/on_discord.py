"""The simulated Discord of a trial: people who speak, call commands, edit and delete, and what they see."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from bots.discord.commands import NOT_STORED
from bots.simulators.discord import DiscordSimulator
from bots.simulators.discord.desk import Interaction
from bots.simulators.ledger import Seen
from bots.torture.evidence import Said, Shown
from bots.torture.plan import Speech
from bots.torture.speaking import BOT, EDIT_SECONDS, ENDLESS, said_by, shown_by, to_bot


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
        """Without what says for itself that it stands for no answer."""
        mine = [seen for seen in self.simulator.seen() if seen.by_bot and seen.text != NOT_STORED]
        mine.sort(key=_appeared)
        return [shown_by("discord", seen, chat=self._chat(seen)) for seen in mine]

    async def delivered(self) -> None:
        """Whoever listens is told at once."""

    def _chat(self, seen: Seen) -> str:
        """A thread is a chat of its own."""
        return str(seen.extra["thread"] or seen.extra["chat_id"])


def _appeared(seen: Seen) -> float:
    """When an answer took the place of the word that one comes, or of the word that none may come."""
    answers = [version for version in seen.versions if version.text not in ("", NOT_STORED)]
    return (answers or seen.versions)[0].at


def is_promise(seen: Seen) -> bool:
    """Did it begin as the word that an answer to a command comes? Nothing else begins without a text."""
    return not seen.versions[0].text
