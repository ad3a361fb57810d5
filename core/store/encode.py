"""From values to the row sets of `parley_commit_v1`, and from its JSON back to values.

Rows are encoded when they are handed in, so that a text which no database could hold is mended or
refused before it meets its neighbours in a batch.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from core.errors import RowRefused
from core.messages import InboundMessage, Place, Sender, Usage
from core.rows import (
    Accepted,
    Arrival,
    Lease,
    Line,
    OpenCall,
    OpenTurn,
    Part,
    Settlement,
    Waiting,
    Work,
    Writing,
)

Rows = dict[str, list[bytes]]
SETTLEMENT = tuple(field.name for field in fields(Settlement))


def encode(value: object, **more: Any) -> bytes:
    """A dataclass as a JSON object with `more` members, such that Postgres can hold it: NUL and lone
    surrogates, which it cannot, become U+FFFD. Raises `RowRefused` for what is no JSON at all."""
    return orjson.dumps(more)[:-1] + b"," + _json(value)[1:]


def _json(value: object) -> bytes:
    try:
        encoded = orjson.dumps(value)
        return orjson.dumps(_mend(orjson.loads(encoded))) if b"\\u0000" in encoded else encoded
    except TypeError:  # a lone surrogate, or a fault of ours
        try:
            return orjson.dumps(_mend(value))
        except TypeError as error:
            raise RowRefused(f"this cannot be written as JSON: {error}") from error


def _mend(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _mend(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, str):
        return value.replace("\0", "�").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_mend(key): _mend(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mend(item) for item in value]
    return value


def arrival_rows(n: int, arrival: Arrival) -> Rows:
    """An arrival is one row; what is kept of the message for ever is apart from what places it. A change of
    an earlier message is a row of another set."""
    message = arrival.message
    if not message.dedupe_key:
        raise RowRefused("a message without a dedupe key cannot be accepted once")
    if message.change is not None:
        return {"changes": [_change(n, arrival)]}
    place = message.place
    row = {
        "inbox_id": arrival.inbox_id,
        "user_id": arrival.user_id,
        "conversation_id": arrival.conversation_id,
        "tenant_id": arrival.tenant_id,
        "kind": arrival.kind,
        "owner": arrival.owner,
        "lease_seconds": arrival.lease_seconds,
        "account_id": place.account_id,
        "channel": place.channel,
        "chat": place.chat,
        "thread": place.thread,
        "direct": place.direct,
        "dedupe_key": message.dedupe_key,
        "sender_id": message.sender.id,
        "sender_name": message.sender.name,
        "language": message.sender.language,
        "sent_at": message.sent_at,
        "payload": {
            "text": message.text,
            "message_id": message.message_id,
            "sender": message.sender,
            "extra": dict(message.extra),
        },
    }
    return {"arrivals": [encode(row, n=n)]}


def _change(n: int, arrival: Arrival) -> bytes:
    message = arrival.message
    row = {
        "inbox_id": arrival.inbox_id,
        "conversation_id": arrival.conversation_id,
        "account_id": message.place.account_id,
        "dedupe_key": message.dedupe_key,
        "change": message.change,
        "kind": arrival.kind,
        "text": message.text,
    }
    return encode(row, n=n)


def writing_rows(n: int, writing: Writing) -> Rows:
    """Every row of one write, by the set it belongs to."""
    lease, turn = writing.lease, writing.turn
    rows: Rows = {"leases": [encode(lease, n=n)]}
    if turn is not None:
        rows["turns"] = [encode(turn, n=n, token=lease.token)]
        rows["takes"] = [_take(n, turn.id, waiting) for waiting in writing.takes]
        of_turn = {"conversation_id": turn.conversation_id, "tenant_id": turn.tenant_id}
        rows["parts"] = [encode(part, n=n, **of_turn) for part in writing.parts]
    if writing.settlement is not None:
        rows["settlements"] = [encode(_settlement(writing.settlement), n=n)]
    if writing.call is not None:
        rows["calls"] = [encode(writing.call, n=n)]
    if writing.closing is not None:
        of_lease = {"conversation_id": lease.conversation_id, "token": lease.token}
        rows["closings"] = [encode(writing.closing, n=n, **of_lease)]
    rows["messages"] = [encode(message, n=n) for message in writing.messages]
    rows["marks"] = [encode(mark, n=n) for mark in writing.marks]
    return {name: encoded for name, encoded in rows.items() if encoded}


def _take(n: int, turn_id: UUID, waiting: Waiting) -> bytes:
    return encode({"inbox_id": waiting.inbox_id, "revision": waiting.revision}, n=n, turn_id=turn_id)


def _settlement(settlement: Settlement) -> dict[str, Any]:
    usage = settlement.usage
    return {name: getattr(settlement, name) for name in SETTLEMENT if name != "usage"} | {
        "prompt_tokens": usage.prompt,
        "cached_tokens": usage.cached,
        "completion_tokens": usage.completion,
        "reasoning_tokens": usage.reasoning,
        "estimated": usage.estimated,
    }


def join(writes: list[Rows]) -> str:
    """One batch of many writes: the sets of all, each set a JSON array."""
    sets: Rows = {}
    for rows in writes:
        for name, encoded in rows.items():
            sets.setdefault(name, []).extend(encoded)
    return (
        b"{" + b",".join(b'"%b":[%b]' % (k.encode(), b",".join(v)) for k, v in sets.items()) + b"}"
    ).decode()


def accepted(found: Mapping[str, Any]) -> Accepted:
    return Accepted(
        fresh=found["fresh"],
        inbox_id=UUID(found["inbox_id"]),
        conversation_id=UUID(found["conversation_id"]),
        work=work(found["work"]) if "work" in found else None,
        changed=found.get("changed", False),
    )


def work(found: Mapping[str, Any]) -> Work:
    line = found["line"]
    place = Place(
        account_id=UUID(line["account_id"]),
        channel=line["channel"],
        chat=line["chat"],
        thread=line["thread"],
        direct=line["direct"],
    )
    unfinished = found.get("unfinished")
    return Work(
        lease=Lease(conversation_id=UUID(line["conversation_id"]), token=line["token"]),
        line=Line(
            conversation_id=UUID(line["conversation_id"]),
            tenant_id=UUID(line["tenant_id"]),
            place=place,
            model_override=line["model_override"],
            last_message_id=_uuid(line["last_message_id"]),
            doubt_before=_time(line["doubt_before"]),
        ),
        waiting=tuple(_waiting(row, place) for row in found["waiting"]),
        unfinished=_open_turn(unfinished, place) if unfinished else None,
    )


def _uuid(found: str | None) -> UUID | None:
    return UUID(found) if found else None


def _time(found: str | None) -> datetime | None:
    return datetime.fromisoformat(found) if found else None


def _waiting(row: Mapping[str, Any], place: Place) -> Waiting:
    payload = row["payload"]
    return Waiting(
        inbox_id=UUID(row["inbox_id"]),
        seq=row["seq"],
        kind=row["kind"],
        user_id=UUID(row["user_id"]),
        accepted_at=datetime.fromisoformat(row["accepted_at"]),
        asked_at=datetime.fromisoformat(row["asked_at"]),
        attempts=row["attempts"],
        revision=row["revision"],
        preferred_model=row["preferred_model"],
        blocked=row["blocked"],
        message=InboundMessage(
            place=place,
            sender=Sender(**payload["sender"]),
            text=payload["text"],
            dedupe_key=row["dedupe_key"],
            message_id=payload["message_id"],
            sent_at=datetime.fromisoformat(row["sent_at"]),
            extra=payload["extra"],
        ),
    )


def _open_turn(found: Mapping[str, Any], place: Place) -> OpenTurn:
    call = found["open_call"]
    return OpenTurn(
        id=UUID(found["id"]),
        state=found["state"],
        attempts=found["attempts"],
        kind=found["kind"],
        end=found["end"],
        error=found["error"],
        calls=found["calls"],
        open_call=OpenCall(**call | {"id": UUID(call["id"])}) if call else None,
        taken=tuple(_waiting(row, place) for row in found["taken"] or ()),
        parts=tuple(_part(row) for row in found["parts"]),
    )


def _part(row: Mapping[str, Any]) -> Part:
    return Part(
        id=UUID(row["id"]),
        turn_id=UUID(row["turn_id"]),
        part=row["part"],
        op=row["op"],
        body=row["body"],
        state=row["state"],
        receipt=row["receipt"],
        reply_to=row["reply_to"],
        attempts=row["attempts"],
        first_sent_at=_time(row["first_sent_at"]),
    )


def usage_of(row: Mapping[str, Any]) -> Usage:
    """The tokens of a ledger row."""
    return Usage(
        prompt=row["prompt_tokens"],
        completion=row["completion_tokens"],
        cached=row["cached_tokens"],
        reasoning=row["reasoning_tokens"],
        estimated=row["estimated"],
    )
