"""What a trial will do, all of it drawn from one seed: who says what and when, and when a process dies.

Pure: the same plan gives the same speeches and strikes. How the processes interleave is the machine's.
"""

from dataclasses import dataclass
from random import Random

STRIKE_EVERY = 1.5
"""Seconds of talk for each kill, so that every kill finds work in flight."""
GROUP_SHARE = 4
"""Every so many-th user talks in a group's topic, the others in private."""
GROUP_SIZE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One message: its unique number, whose it is, where, and how many seconds after the start."""

    number: int
    user: str
    chat: str
    thread: str | None
    at: float

    @property
    def direct(self) -> bool:
        return self.chat == self.user


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A kill at a moment (seconds after the start); `draw` in [0, 1) picks among those that run then."""

    at: float
    draw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size of a trial. `redeliver` is the percentage of updates that the platform delivers twice,
    `lease` the seconds that a silent instance keeps a conversation."""

    messages: int = 200
    users: int = 50
    instances: int = 2
    kills: int = 0
    redeliver: float = 0.0
    seed: int = 1
    lease: float = 2.0

    @property
    def seconds(self) -> float:
        """How long the crowd talks; 0 says everything at once."""
        return self.kills * STRIKE_EVERY

    def speeches(self) -> list[Speech]:
        """Every message in the order said. Each user says about as many as any other."""
        random = Random(f"{self.seed} speeches")
        speakers = [number % self.users for number in range(self.messages)]
        random.shuffle(speakers)
        moments = sorted(random.uniform(0, self.seconds) for _ in speakers)
        places = [_place(user) for user in range(self.users)]
        return [
            Speech(number=number, user=f"user{user}", chat=places[user][0], thread=places[user][1], at=at)
            for number, (user, at) in enumerate(zip(speakers, moments, strict=True), start=1)
        ]

    def strikes(self) -> list[Strike]:
        """One kill at a random moment of each equal share of the time."""
        random = Random(f"{self.seed} strikes")
        return [
            Strike(at=(share + random.random()) * STRIKE_EVERY, draw=random.random())
            for share in range(self.kills)
        ]


def _place(user: int) -> tuple[str, str | None]:
    """In private; or in a group of a few users, whose topics are conversations of their own."""
    if user % GROUP_SHARE != GROUP_SHARE - 1:
        return f"user{user}", None
    order = user // GROUP_SHARE
    return f"group{order // (2 * GROUP_SIZE)}", f"topic{order // GROUP_SIZE % 2}"
