"""The only place that makes and reads Slack's ids as the house keeps them: opaque strings.

A chat is a conversation's id (`C...`, `G...`, `D...`), a thread the `ts` of its first message, a receipt the
`ts` inside its chat. https://docs.slack.dev/messaging/retrieving-messages
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from core.errors import TargetGone
from core.messages import UNTOLD, Identity, Place

TS = re.compile(r"\d{1,12}\.\d{1,6}")
BY_RESPONSE = "response:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The bot as one workspace knows it: its user is mentioned, its `bot` stands under its messages."""

    team: str
    user: str
    bot: str
    handle: str

    @property
    def identity(self) -> Identity:
        """An install is a workspace's: the same app elsewhere is another account."""
        return Identity(name=f"{self.team}:{self.user}", handle=self.handle or self.user)


def is_direct(chat: str) -> bool:
    return chat.startswith("D")


def is_ts(text: str) -> bool:
    return TS.fullmatch(text) is not None


def ts_of(place: Place, receipt: str) -> str:
    """What came by a command's response address has no `ts`, and cannot be changed."""
    if not is_ts(receipt):
        raise TargetGone(f"message {receipt!r} in {place.chat}: allowed is a ts such as 1700000000.000100")
    return receipt


def response_receipt(key: str) -> str:
    return BY_RESPONSE + key


def time_of(ts: str) -> datetime:
    """When Slack says it was."""
    return datetime.fromtimestamp(float(ts), UTC) if is_ts(ts) else UNTOLD


def message_key(chat: str, ts: str) -> str:
    """The same for each delivery of a post, and for each of the two events that a mention is."""
    return f"m:{chat}:{ts}"


def command_key(payload: Mapping[str, Any]) -> str:
    """A command is no message; its trigger is new for every use."""
    return f"c:{payload.get('trigger_id') or payload.get('response_url') or uuid4().hex}"
