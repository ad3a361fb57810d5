"""What the engine works with, put together by the composition root: rooms, sockets and numbers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from core.afterwards import Afterwards
from core.answer import Answering
from core.choose import Defaults
from core.commands import Command
from core.gate import Gate
from core.ledger import Ledger
from core.observe import Metrics
from core.ports import ChannelAdapter, Clock, Journal, Records, State, Tokens
from core.rows import ChannelConfig, Lease
from core.turn import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The numbers of a turn. Times in seconds, lengths in tokens."""

    context_messages: int = 20
    context_tokens: int = 16_000
    turn_seconds: float = 120.0
    attempts: int = 3
    late_seconds: float = 900.0
    stale_seconds: float = 86_400.0
    merge_max: int = 20
    burst_seconds: float = 0.0

    @property
    def merge_chars(self) -> int:
        """What is merged must fit a prompt as each message alone would; a character is a token at most."""
        return self.context_tokens // 2


Watch = Callable[[Turn, str, float], None]
"""Told of every step of a turn: its name and how many seconds it took."""


class Timing:
    """One step being timed, for the metrics and for whoever watches."""

    __slots__ = ("_began", "_house", "_name", "_turn")

    def __init__(self, house: "House", turn: Turn, name: str) -> None:
        self._house, self._turn, self._name = house, turn, name
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._house.clock.monotonic()

    def __exit__(self, *failure: object) -> None:
        seconds = self._house.clock.monotonic() - self._began
        self._house.metrics.turn_seconds.labels(self._name).observe(seconds)
        self._house.watch(self._turn, self._name, seconds)


def look_away(turn: Turn, step: str, seconds: float) -> None:
    """Nobody watches."""


async def unchallenged(lease: Lease) -> None:
    """Nobody else can hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the engine works with; put together by the composition root."""

    journal: Journal
    records: Records
    state: State
    gate: Gate
    answering: Answering
    ledger: Ledger
    tokens: Tokens
    commands: Mapping[str, Command]
    channel: Callable[[UUID], ChannelAdapter]
    configs: Callable[[], Sequence[ChannelConfig]]
    defaults: Defaults
    offered: tuple[str, ...]
    clock: Clock
    metrics: Metrics
    rules: Rules = field(default_factory=Rules)
    watch: Watch = look_away
    afterwards: Afterwards = field(default_factory=Afterwards)
    sure: Callable[[Lease], bool] = lambda lease: True
    """Is a lease still ours? Asked before what may as well be left out: edits of a growing answer."""
    prove: Callable[[Lease], Awaitable[None]] = unchallenged
    """Raises `LeaseLost` where it is not, and makes sure where nobody knows; it comes before each send."""

    def step(self, turn: Turn, name: str) -> Timing:
        """Times a step of a turn: `with house.step(turn, Step.ADMIT): ...`."""
        return Timing(self, turn, name)
