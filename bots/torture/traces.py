"""What a trial leaves in its folder for whoever looks into a finding: which fault struck when, and every
version of every message that people saw. The logs and the data of the instances lie beside it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bots.simulators.ledger import Seen
from bots.torture.faults import Fault

FAULTS = "faults.jsonl"
SEEN = "seen.jsonl"


def now() -> float:
    """Seconds since the epoch, as the simulators tell the time of what was seen."""
    return datetime.now(UTC).timestamp()


def note_fault(folder: Path, fault: Fault, began: float) -> None:
    """Add a line: a fault that is over."""
    told = {**asdict(fault), "kind": fault.kind}  # type: ignore[call-overload]
    _add(folder / FAULTS, [{"from": _clock(began), "to": _clock(now()), "fault": told}])


def note_seen(folder: Path, channel: str, messages: Iterable[Seen]) -> None:
    """Add a line for each message, with all its versions."""
    _add(
        folder / SEEN,
        (
            {
                "channel": channel,
                "chat": seen.chat,
                "id": str(seen.id),
                "by": seen.author,
                "versions": [[_clock(version.at), version.text] for version in seen.versions],
                "deleted": seen.deleted_at is not None,
            }
            for seen in messages
        ),
    )


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _add(path: Path, lines: Iterable[object]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
