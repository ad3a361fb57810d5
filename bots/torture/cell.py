"""The cells of the kill matrix: which points can be reached in which way, and what it takes to get there.

A way is a channel with the settings that change how an answer goes out. Each cell is proved by a kill on a
`stage`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from bots.simulators.model import ModelSimulator
from bots.torture.crowd import Answerer
from bots.torture.platforms import Discord, Slack, Telegram
from bots.torture.victim import End
from core.points import POINTS, Point

INGRESS: Final[tuple[Point, ...]] = ("I1", "I2", "I3", "I4")
TURN: Final[tuple[Point, ...]] = ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8")
SENDS: Final[tuple[Point, ...]] = ("D1", "D2", "D3", "D4", "D7", "D8")
EDITS: Final[tuple[Point, ...]] = ("D5", "D6")
ONCE: Final[frozenset[Point]] = frozenset({"D4", "D7", "I4", "I5", "B5"})
"""Reached too seldom to wait for a later time."""
LATEST = 2
"""The kill comes at one of the first so many times that its point is reached."""
MOMENT_MS: Final[Mapping[str, int]] = {"I2": 4, "D2": 40}
"""What is on its way is killed up to so many milliseconds later."""
SLOW_SECONDS = 0.6
REST_SECONDS = 2.0
ENDLESS = 1_000_000

Platform = Telegram | Discord | Slack


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`send` and `edit` are the platform's methods by which an answer goes out, `longest` the letters of a
    message; `called`: what is asked in the act is asked by the platform's own command."""

    name: str
    channel: str
    send: str
    edit: str
    longest: int
    called: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.name


TELEGRAM = Way(name="telegram", channel="telegram", send="sendMessage", edit="editMessageText", longest=4096)
TELEGRAM_WHOLE = Way(
    name="telegram, not streaming", channel="telegram", send="sendMessage", edit="editMessageText",
    longest=4096, environment={"PARLEY_TELEGRAM__STREAM": "false"},
)  # fmt: skip
DISCORD = Way(name="discord", channel="discord", send="create_message", edit="edit_message", longest=2000)
DISCORD_CALLED = Way(
    name="discord, by command", channel="discord", send="create_message", edit="edit_message", longest=2000,
    called=True,
)  # fmt: skip
SLACK = Way(name="slack", channel="slack", send="chat.postMessage", edit="chat.update", longest=4000)
SCHEMA = Way(name="schema", channel="", send="", edit="", longest=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A kill point, reached in a way."""

    point: Point
    way: Way

    def __str__(self) -> str:
        return f"{self.point} {self.way}"

    def end(self, random: Random) -> End:
        """When the victim dies."""
        count = 1 if self.point in ONCE else random.randint(1, LATEST)
        return End(point=self.point, count=count, after_ms=random.randint(0, MOMENT_MS.get(self.point, 0)))


def _cells() -> tuple[Cell, ...]:
    talked = (*INGRESS, *TURN, *SENDS, *EDITS)
    points: Mapping[Way, Sequence[Point]] = {
        TELEGRAM: talked,
        TELEGRAM_WHOLE: SENDS,
        DISCORD: (*talked, "I5"),
        DISCORD_CALLED: ("I1", "I2", "I3"),
        SLACK: talked,
        SCHEMA: ("B5",),
    }
    return tuple(Cell(point=point, way=way) for way, here in points.items() for point in sorted(here))


CELLS: Final = _cells()
assert {cell.point for cell in CELLS} == set(POINTS)


def trouble(cell: Cell, platform: Platform, model: ModelSimulator, answerer: Answerer) -> None:
    """What must go wrong, or be long, so that the point is reached in the act."""
    fault, way = platform.simulator.fault, cell.way
    match cell.point:
        case "D2":  # taken, and not yet said so: the kill comes in between
            for method in (way.send, way.edit):
                fault("slow", method=method, seconds=SLOW_SECONDS, times=ENDLESS)
        case "D3" | "D4":
            model.answer = lambda messages: lengthened(answerer(messages), way.longest)
        case "D7":
            for method in (way.send, way.edit):
                fault("too_many_requests", method=method, seconds=REST_SECONDS, times=ENDLESS)
        case "I5":  # a session without a past: what is said meanwhile is in the history only
            fault("lost_session")


def lengthened(answer: str, longest: int) -> str:
    """The same answer with two paragraphs more, each of which fills a message."""
    head, _, end = answer.rpartition(" End of ")
    return f"{head}\n\n{'b' * (longest - 20)}\n\n{'c' * (longest - 60)} End of {end}"
