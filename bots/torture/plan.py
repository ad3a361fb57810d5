"""What a trial will do, all of it drawn from one seed: who says what and when, and when a process dies.

Pure: the same plan gives the same speeches and strikes. How the processes interleave is the machine's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from random import Random
from typing import Literal

STRIKE_EVERY = 1.5
"""Seconds of talk for each kill, so that every kill finds work in flight."""
GROUP_SHARE = 4
"""Every so many-th user of a channel talks in a group, the others in private."""
GROUP_SIZE = 3
A_SECOND = 8.0
"""Messages in a run that lasts for a given time: what two cores carry beside all the faults."""
USERS = 90
A_MINUTE_EACH = 15.0
"""Messages that one user says at most, on average: far below what a gateway allows, for chance heaps them up
and an outage brings many at once."""
CHANNELS = ("telegram", "discord", "slack")
HEARD_ONCE = "discord"
"""Where a chat that nobody knows is told of once, and to whoever listens then: no list of direct messages
and no history of an unknown channel can be asked for."""
CALLED = "discord"
"""Where some of what is asked in a run of all faults is a command that the platform itself knows: it is told
once, no history has it, and it must be acknowledged in time."""
CALLED_SHARE = 0.15
CHANGED_SHARE = 0.08
CHANGED_WITHIN = 1.5
"""Seconds in which somebody thinks better of what was said: the answer is begun about then, or not yet."""
Change = Literal["edited", "deleted"]
CHANGES: Mapping[str, tuple[Change, ...]] = {
    "telegram": ("edited",),
    "discord": ("edited", "deleted"),
    "slack": ("edited", "deleted"),
}
"""Telegram tells no bot that somebody deleted a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One message: its unique number, whose it is, where, and how many seconds after the start. `called`: it
    is asked by the platform's own command. `changed_after` says when what is then done to it comes."""

    number: int
    channel: str
    user: str
    chat: str
    thread: str | None
    at: float
    called: bool = False
    change: Change | None = None
    changed_after: float = 0.0

    @property
    def direct(self) -> bool:
        return self.chat == self.user

    @property
    def text(self) -> str:
        return f"m{self.number} is what I ask"

    @property
    def new_text(self) -> str:
        """What an edit makes of it."""
        return f"{self.text} now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A kill at a moment (seconds after the start); `draw` in [0, 1) picks among those that run then."""

    at: float
    draw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size of a trial. `redeliver` is the percentage of events that the platforms deliver twice, `lease`
    the seconds that a silent instance keeps a conversation. With `minutes` it lasts so long, and all kinds
    of faults strike."""

    channels: tuple[str, ...] = CHANNELS

    messages: int = 200
    users: int = 50
    instances: int = 2
    kills: int = 0
    redeliver: float = 0.0
    seed: int = 1
    lease: float = 2.0
    minutes: float = 0.0

    @property
    def seconds(self) -> float:
        """How long the crowd talks; 0 says everything at once."""
        return self.minutes * 60 or self.kills * STRIKE_EVERY

    def speeches(self) -> list[Speech]:
        """Every message in the order said. Each user says about as many as any other."""
        random = Random(f"{self.seed} speeches")
        speakers = [number % self.users for number in range(self.messages)]
        random.shuffle(speakers)
        moments = sorted(random.uniform(0, self.seconds) for _ in speakers)
        return [
            self._speech(number, user, at)
            for number, (user, at) in enumerate(zip(speakers, moments, strict=True), start=1)
        ]

    def acts(self) -> tuple[list[Speech], list[Speech]]:
        """What is said before the first kill, and what is said meanwhile."""
        known: set[tuple[str, str, str | None]] = set()
        acts: tuple[list[Speech], list[Speech]] = ([], [])
        for speech in self.speeches():
            place = (speech.channel, speech.chat, speech.thread)
            is_new = self.seconds > 0 and speech.channel == HEARD_ONCE and place not in known
            known.add(place)
            acts[0 if is_new else 1].append(speech)
        return acts[0], [self._turned(speech) for speech in acts[1]] if self.minutes else acts[1]

    def _turned(self, speech: Speech) -> Speech:
        """The same, or a command, or one that is edited or deleted soon after it was said."""
        random = Random(f"{self.seed} {speech.number}")
        draw, after = random.random(), random.uniform(0, CHANGED_WITHIN)
        if speech.channel == CALLED and draw < CALLED_SHARE:
            return replace(speech, called=True)
        # On Slack a mention begins a thread: with it the place of the answer would be gone.
        if draw > 1 - CHANGED_SHARE and (speech.direct or speech.channel != "slack"):
            return replace(speech, change=random.choice(CHANGES[speech.channel]), changed_after=after)
        return speech

    def _speech(self, number: int, user: int, at: float) -> Speech:
        """The users go round the channels."""
        order, channel = divmod(user, len(self.channels))
        chat, thread = _place(user, order)
        return Speech(
            number=number, channel=self.channels[channel], user=f"user{user}", chat=chat, thread=thread, at=at
        )

    def strikes(self) -> list[Strike]:
        """One kill at a random moment of each equal share of the time."""
        random = Random(f"{self.seed} strikes")
        return [
            Strike(at=(share + random.random()) * STRIKE_EVERY, draw=random.random())
            for share in range(self.kills)
        ]


def storming(minutes: float, rate: float = A_SECOND) -> dict[str, int]:
    """The usual size of a run that lasts so long, with so many messages a second."""
    return {
        "messages": max(1, round(minutes * 60 * rate)),
        "users": max(USERS, ceil(rate * 60 / A_MINUTE_EACH)),
        "instances": 3,
    }


def _place(user: int, order: int) -> tuple[str, str | None]:
    """In private; or in a group of a few users, or in a thread of it, which is a conversation of its own.
    `order` is the user's among those of the channel."""
    if order % GROUP_SHARE != GROUP_SHARE - 1:
        return f"user{user}", None
    group, half = divmod(order // GROUP_SHARE // GROUP_SIZE, 2)
    return f"group{group}", "topic" if half == 0 else None
