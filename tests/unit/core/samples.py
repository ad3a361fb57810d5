"""Plain values of a talk for tests of single rooms, and a clock that is turned by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from core.messages import InboundMessage, Place, Sender, Spoken
from core.rows import Kind, Line, Part, Waiting

ACCOUNT, TENANT, ANN, BOB = (UUID(int=number) for number in range(1, 5))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DIRECT = Place(account_id=ACCOUNT, channel="telegram", chat="77")
GROUP = Place(account_id=ACCOUNT, channel="telegram", chat="-77", direct=False)


class HandClock:
    """Time goes on only when it is told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def turn(self, seconds: float) -> None:
        self._seconds += seconds


class Words:
    """Counts words: easy to follow in a test."""

    def count(self, text: str) -> int:
        return len(text.split())


def line(place: Place = DIRECT, **more: Any) -> Line:
    return Line(conversation_id=uuid4(), tenant_id=TENANT, place=place, **more)


def inbound(
    text: str, *, place: Place = DIRECT, name: str = "ann", sent_at: datetime = NOON
) -> InboundMessage:
    number = uuid4().hex
    return InboundMessage(
        place=place,
        sender=Sender(id=name, name=name),
        text=text,
        dedupe_key=number,
        message_id=number,
        sent_at=sent_at,
    )


def waiting(
    text: str, kind: Kind = "message", *, user: UUID = ANN, name: str = "ann", **more: Any
) -> Waiting:
    return Waiting(
        inbox_id=uuid4(),
        seq=1,
        kind=kind,
        user_id=user,
        message=inbound(text, name=name),
        **{"accepted_at": NOON, "asked_at": NOON, **more},
    )


def part(number: int, text: str, **more: Any) -> Part:
    return Part(**{"id": uuid4(), "turn_id": UUID(int=9), "part": number, "op": "send", "body": text, **more})


def said(role: str, content: str, author: str = "") -> Spoken:
    return Spoken(id=uuid4(), role=role, content=content, author=author)  # type: ignore[arg-type]


def texts(messages: tuple[Mapping[str, str], ...]) -> list[str]:
    return [message["content"] for message in messages]
