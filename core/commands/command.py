"""What a chat command is, and how one is found in what a person typed.

A command is typed as `/name` or `!name`; a channel's native command arrives in the same form.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from core.messages import CommandOffer
from core.ports import Clock, Records
from core.rows import Lease, Line, Waiting

TYPED = re.compile(r"\s*([/!])([A-Za-z][A-Za-z0-9_]*)(?:@\w+)?(?:\s+(.*))?\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command as it was typed. `sure` is false for `!word`, which may be plain exclamation."""

    name: str
    argument: str
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command may use to do its work."""

    records: Records
    clock: Clock
    model: str
    offered: tuple[str, ...]
    is_scripted: bool
    commands: "Mapping[str, Command]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One use of a command. What it writes, it writes under the `lease`."""

    lease: Lease
    line: Line
    asked: Waiting
    argument: str
    desk: Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a command answers. `ask` goes to the model as if it had been said, `again` telling that it
    replaces the last question."""

    text: str = ""
    ask: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its entry in menus, and what it does. One that `starts_anew` ends the conversation when
    its reply is delivered, and begins a new one."""

    offer: CommandOffer
    run: Callable[[Request], Awaitable[Reply]]
    starts_anew: bool = False


def parse(text: str) -> Typed | None:
    """The command in a text, known or not; None for anything else."""
    found = TYPED.match(text)
    if found is None:
        return None
    sign, name, argument = found.groups()
    return Typed(name=name.lower(), argument=(argument or "").strip(), sure=sign == "/")


def month_start(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
