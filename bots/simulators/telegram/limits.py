"""Telegram's flood control as published: a message a second in a chat, 20 a minute in a group, 30 a second.

core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this. The platform lets short bursts
through; this one does not, so whoever passes here is slow enough there.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from math import ceil

from bots.simulators.telegram.params import ApiError, too_many_requests

GLOBAL = (30, 1.0)
PER_CHAT = (1, 1.0)
PER_GROUP = (20, 60.0)


class FloodControl:
    """The sends and edits of one bot within the windows, by chat and in all."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sent: dict[int | None, deque[float]] = defaultdict(deque)

    def check(self, chat_id: int) -> ApiError | None:
        """Count a send to this chat, or return the refusal when it comes too early."""
        now = self._now()
        waits = [self._wait(None, GLOBAL, now), self._wait(chat_id, PER_CHAT, now)]
        if chat_id < 0:
            waits.append(self._wait(chat_id, PER_GROUP, now))
        if (wait := max(waits)) > 0:
            return too_many_requests(max(1, ceil(wait)))
        self._sent[None].append(now)
        self._sent[chat_id].append(now)
        return None

    def _wait(self, key: int | None, limit: tuple[int, float], now: float) -> float:
        count, window = limit
        sent = self._sent[key]
        while sent and sent[0] <= now - PER_GROUP[1]:
            sent.popleft()
        inside = [at for at in sent if at > now - window]
        return inside[-count] + window - now if len(inside) >= count else 0.0
