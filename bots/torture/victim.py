"""`python -P -m bots.torture.victim run`: the ordinary command line, in a process that kills itself at a
named point of a message's walk.

`PARLEY_KILL_AT=T3:2` ends it with SIGKILL the second time that T3 is reached, `D2:1:12` twelve milliseconds
after the first D2. With `PARLEY_KILL_FROM=USR1` the count begins when that signal comes. Nothing outside of
this folder knows these variables.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from core.points import EVENT, POINTS

KILL_AT = "PARLEY_KILL_AT"
KILL_FROM = "PARLEY_KILL_FROM"
COUNTS = "counts from now on"
KILLED = "killed itself"
"""The event of its last log line, with the point."""
ON_ITS_WAY = frozenset({"I2", "D2"})
A_MOMENT = 5
"""Milliseconds after a point at which something is only just about to go out."""


Hook = Callable[[str, tuple[object, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When to die: the `count`-th time at `point`, so many milliseconds later."""

    point: str
    count: int = 1
    after_ms: int = 0

    def __str__(self) -> str:
        return f"{self.point}:{self.count}:{self.after_ms}"


def read(text: str) -> End:
    """`T3`, `T3:2` or `T3:2:12`. Raises `ValueError` that says what is allowed."""
    point, *numbers = text.split(":")
    if point not in POINTS or len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise ValueError(f"{KILL_AT}: {text!r} given; allowed: POINT[:COUNT[:MILLISECONDS]], {list(POINTS)}")
    count, after = [*map(int, numbers), *(1, A_MOMENT if point in ON_ITS_WAY else 0)[len(numbers) :]]
    return End(point=point, count=count, after_ms=after)


def arm(environment: MutableMapping[str, str]) -> None:
    """Hook into the interpreter, if it is to die at all; the settings do not know the two variables, and
    never see them. A hook cannot be taken off again."""
    text, name = environment.pop(KILL_AT, ""), environment.pop(KILL_FROM, "")
    if not text:
        return
    hook = _hook(read(text))
    if name:
        signal.signal(signal.Signals[f"SIG{name}"], lambda *_: _begin(hook))
    else:
        sys.addaudithook(hook)


def _begin(hook: Hook) -> None:
    sys.addaudithook(hook)
    _tell(COUNTS)


def _hook(end: End) -> Hook:
    left = end.count

    def reached(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event != EVENT or arguments[0] != end.point:
            return
        left -= 1
        if left == 0:
            if end.after_ms:
                threading.Timer(end.after_ms / 1000, _die, (end.point,)).start()
            else:
                _die(end.point)

    return reached


def _die(point: str) -> None:
    _tell(KILLED, point=point)
    os.kill(os.getpid(), signal.SIGKILL)


def _tell(event: str, **fields: str) -> None:
    """One write, so that no other line of the log comes between."""
    os.write(2, json.dumps({"event": event, **fields}).encode() + b"\n")


def main() -> None:
    arm(os.environ)
    from bots.cli import main as run

    run()


if __name__ == "__main__":
    main()
