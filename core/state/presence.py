"""Who was active on a channel within the last five minutes.

A member of one set cannot expire alone, so there is a set for each minute, all of one channel in one
slot, and a reading unites those that may hold somebody of the window: exact to one minute.
"""

from core.state import keys
from core.state.commands import Command, Reply, write


def mark(channel: str, member: str, at: float, seconds: int) -> Command:
    """`member` is active at this moment (seconds of the epoch)."""
    return write(keys.active(channel, int(at // 60)), seconds + 60, "SADD", member)


def read(channel: str, at: float, seconds: int) -> Command:
    """Everybody active within so many seconds before this moment."""
    minutes = range(int((at - seconds) // 60), int(at // 60) + 1)
    return ("SUNION", *[keys.active(channel, minute) for minute in minutes])


def parse(reply: Reply) -> frozenset[str]:
    """The members as text."""
    return frozenset(one if isinstance(one, str) else one.decode() for one in reply)
