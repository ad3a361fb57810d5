"""The names under which the gateway can be watched: metrics, spans and log fields.

One `Metrics` is built over one registry by whoever wires the process, and handed to those who count;
nothing here is global. Labels are only words of a bounded set (a channel, a kind, an end), never an id
of a person, chat or message: those belong on log lines. Times are seconds, money is micro-units.
"""

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

TURN_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
COMMIT_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Every metric of the gateway, named `parley_...` in `registry`.

    Raises `ValueError` (from prometheus_client) when a registry gets a second one.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._count_messages(registry)
        self._count_sends(registry)
        self._count_turns(registry)
        self._count_ends(registry)
        self._count_leases(registry)
        self._count_models(registry)
        self._count_commits(registry)
        self._count_surroundings(registry)

    def _count_messages(self, registry: CollectorRegistry) -> None:
        self.messages_accepted = Counter(
            "parley_messages_accepted",
            "Messages handed in by channels and committed; fresh is no for a repeat of the platform.",
            ("channel", "fresh"),
            registry=registry,
        )
        self.messages_changed = Counter(
            "parley_messages_changed",
            "Edits and deletions told by channels; in_time is no for those that came after the answer began.",
            ("channel", "change", "in_time"),
            registry=registry,
        )
        self.messages_fetched = Counter(
            "parley_messages_fetched",
            "Messages found in a platform's history after a gap in what it told.",
            ("channel",),
            registry=registry,
        )
        self.message_wait_seconds = Histogram(
            "parley_message_wait_seconds",
            "From acceptance to the beginning of the turn.",
            buckets=TURN_BUCKETS,
            registry=registry,
        )

    def _count_sends(self, registry: CollectorRegistry) -> None:
        self.sends = Counter(
            "parley_sends",
            "Calls that put something on a platform, by operation and by how certain the result is.",
            ("channel", "op", "result"),
            registry=registry,
        )
        self.previews_dropped = Counter(
            "parley_previews_dropped",
            "Streaming previews that were left out because the platform's pace did not allow them.",
            ("channel",),
            registry=registry,
        )
        self.rate_limited = Counter(
            "parley_rate_limited",
            "Requests refused by a rate limit, by kind of limit.",
            ("kind",),
            registry=registry,
        )

    def _count_turns(self, registry: CollectorRegistry) -> None:
        self.turns_running = Gauge(
            "parley_turns_running", "Turns this instance works on now.", registry=registry
        )
        self.turns_resumed = Counter(
            "parley_turns_resumed",
            "Turns that an earlier holder began and this instance goes on with.",
            ("channel",),
            registry=registry,
        )
        self.turns_parked = Counter(
            "parley_turns_parked",
            "Turns put aside because the platform wants us to wait.",
            ("channel",),
            registry=registry,
        )
        self.turn_messages = Histogram(
            "parley_turn_messages",
            "Messages that one turn answers.",
            buckets=(1, 2, 3, 5, 8, 13, 20),
            registry=registry,
        )
        self.turn_seconds = Histogram(
            "parley_turn_seconds",
            "Time spent in each step of a turn.",
            ("step",),
            buckets=TURN_BUCKETS,
            registry=registry,
        )

    def _count_ends(self, registry: CollectorRegistry) -> None:
        self.turns_ended = Counter(
            "parley_turns_ended", "Turns that ended, by their end.", ("channel", "end"), registry=registry
        )
        self.turns_given_up = Counter(
            "parley_turns_given_up",
            "Turns that failed as often as they may, and got an apology.",
            ("channel",),
            registry=registry,
        )
        self.turns_overdue = Counter(
            "parley_turns_overdue",
            "Turns too old to be answered: late got one apology, stale was closed, doubted was asked before a"
            " backup was restored.",
            ("channel", "why"),
            registry=registry,
        )

    def _count_leases(self, registry: CollectorRegistry) -> None:
        self.leases_held = Gauge(
            "parley_leases_held", "Conversations this instance holds now.", registry=registry
        )
        self.leases_lost = Counter(
            "parley_leases_lost", "Conversations taken over by another instance.", registry=registry
        )

    def _count_models(self, registry: CollectorRegistry) -> None:
        self.model_calls = Counter(
            "parley_model_calls",
            "Attempts at a model, by how they ended.",
            ("model", "state"),
            registry=registry,
        )
        self.model_tokens = Counter(
            "parley_model_tokens", "Tokens used, by kind.", ("model", "kind"), registry=registry
        )
        self.model_cost_micro = Counter(
            "parley_model_cost_micro",
            "Known cost of model calls in millionths of the price's currency.",
            ("model",),
            registry=registry,
        )
        self.model_seconds = Histogram(
            "parley_model_seconds",
            "Time of one attempt at a model, from request to its end.",
            ("model",),
            buckets=TURN_BUCKETS,
            registry=registry,
        )

    def _count_commits(self, registry: CollectorRegistry) -> None:
        self.commit_rows = Histogram(
            "parley_commit_rows",
            "Writes that shared one group commit.",
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "parley_commit_seconds",
            "Time of one group commit.",
            buckets=COMMIT_BUCKETS,
            registry=registry,
        )
        self.commit_queue = Gauge(
            "parley_commit_queue",
            "Writes that are not durable yet: they wait, or are in the commit under way.",
            registry=registry,
        )
        self.commit_retries = Counter(
            "parley_commit_retries", "Group commits tried again, by reason.", ("reason",), registry=registry
        )
        self.db_pool = Gauge(
            "parley_db_pool", "Connections of the database pool, by state.", ("state",), registry=registry
        )

    def _count_surroundings(self, registry: CollectorRegistry) -> None:
        self.cache_degraded = Gauge(
            "parley_cache_degraded", "1 while turns go on without Redis.", registry=registry
        )
        self.channel_up = Gauge(
            "parley_channel_up", "1 while a channel receives.", ("channel", "account"), registry=registry
        )
        self.fenced = Gauge(
            "parley_fenced",
            "1 while nothing is answered because the database may be a restored backup.",
            registry=registry,
        )
        self.clock_skew_seconds = Gauge(
            "parley_clock_skew_seconds",
            "This machine's clock less the database's.",
            registry=registry,
        )
        self.disk_free_bytes = Gauge(
            "parley_disk_free_bytes",
            "Room left where the private servers keep their data.",
            registry=registry,
        )
        self.tasks = Gauge(
            "parley_tasks", "Tasks of the event loop that asks, as it asks.", registry=registry
        )
        self.tasks.set_function(_count_tasks)
        self.info = Gauge(
            "parley_info", "1; the labels say what runs here.", ("version", "role"), registry=registry
        )
        self.channel_restarts = Counter(
            "parley_channel_restarts", "Times a channel was started again.", ("channel",), registry=registry
        )


def _count_tasks() -> float:
    """Nobody who asks from outside a loop has any."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0.0


class Field:
    """Keys of a log line; the same word means the same thing everywhere."""

    CHANNEL: Final = "channel"
    ACCOUNT: Final = "account"
    CHAT: Final = "chat"
    CONVERSATION: Final = "conversation"
    MESSAGE: Final = "message"
    TURN: Final = "turn"
    CALL: Final = "call"
    MODEL: Final = "model"
    INSTANCE: Final = "instance"
    STEP: Final = "step"
    REASON: Final = "reason"


class Step:
    """The ten steps of a turn: the label of `turn_seconds` and the names of its spans."""

    RECEIVE: Final = "receive"
    ACCEPT: Final = "accept"
    HOLD: Final = "hold"
    ADMIT: Final = "admit"
    CHOOSE: Final = "choose"
    PROMPT: Final = "prompt"
    BEGIN: Final = "begin"
    COMPOSE: Final = "compose"
    DELIVER: Final = "deliver"
    CLOSE: Final = "close"
