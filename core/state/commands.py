"""Redis commands as plain tuples, and the scripts that make one step of two.

A counter or hash that is written by one command and given its time to live by the next can be left
without one when the connection breaks in between; it would then stay for ever. The scripts are short
and go out whole with EVAL, so a restarted server needs no loading. Nothing here talks to a server.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import hiredis

Command = tuple[str | bytes | int, ...]
Reply = Any

_COUNT = """local n = redis.call('INCR', KEYS[1])
local left = redis.call('TTL', KEYS[1])
if left < 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) left = ARGV[1] end
return {n, tonumber(left)}"""

_FIRST = """if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0"""

_WRITE = """redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
return redis.call('EXPIRE', KEYS[1], ARGV[1])"""

_RAISE = """local n = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[1]))
if n > 0 then redis.call('SET', KEYS[1], string.format('%d', n)) end
return n"""


def pack(commands: Iterable[Command]) -> bytes:
    """Commands as bytes of the protocol. Raises TypeError or ValueError for what has no such form."""
    return b"".join([hiredis.pack_command(one) for one in commands])  # type: ignore[arg-type]


def count(key: str, seconds: int) -> Command:
    """Add one to a counter that lives for so many seconds. Reply: the count and the seconds left."""
    return ("EVAL", _COUNT, 1, key, seconds)


def be_first(key: str, whose: str, seconds: int) -> Command:
    """Take a mark that lives for so many seconds. Reply: 1 where it is now, or was already, theirs."""
    return ("EVAL", _FIRST, 1, key, whose, seconds)


def write(key: str, seconds: int, verb: str, *args: str | bytes) -> Command:
    """Do one write on `key` and let it live for so many seconds from now."""
    return ("EVAL", _WRITE, 1, key, seconds, verb, *args)


def keep_highest(key: str, number: int) -> Command:
    """Raise a number that is never lowered, and never made of 0. Reply: the number."""
    return ("EVAL", _RAISE, 1, key, number)


def as_text(reply: Reply) -> dict[str, str]:
    """A hash as text, whether it came flat (RESP2) or as a map (RESP3, or redis-py's cluster client)."""
    pairs = reply.items() if isinstance(reply, Mapping) else zip(reply[::2], reply[1::2], strict=True)
    return {_text(name): _text(value) for name, value in pairs}


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
