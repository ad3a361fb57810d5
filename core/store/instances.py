"""Which gateways share this database: each says every few seconds that it is there and what it does.

Only to be looked at, and to share out what is one gateway's part: who works on what is decided by leases.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.store.database import transaction

TELLING = timedelta(seconds=1)
"""An answer that took longer tells nothing of the clocks."""
FORGOTTEN_SECONDS = 60
"""So long a silent instance is still shown: it may be frozen, or on its way back."""

REPORT = text("""
    INSERT INTO instances (name, host, pid, role, version, revision, draining, holds, receives,
                           started_at, seen_at)
    VALUES (:name, :host, :pid, :role, :version, :revision, :draining, :holds, :receives,
            :started_at, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET draining = excluded.draining, holds = excluded.holds,
           receives = excluded.receives, seen_at = excluded.seen_at""")
FORGET_SILENT = text("""
    DELETE FROM instances WHERE name IN (
      SELECT name FROM instances WHERE seen_at < clock_timestamp() - make_interval(secs => :seconds)
         FOR UPDATE SKIP LOCKED)""")
LOOK = text("""
    SELECT clock_timestamp() AS now, count(*) AS working FROM instances
     WHERE role IN ('all', 'worker') AND seen_at > clock_timestamp() - make_interval(secs => 10)""")
FORGET = text("DELETE FROM instances WHERE name = ANY(CAST(:names AS text[]))")
SEEN = text("""
    SELECT name, host, pid, role, version, revision, started_at, draining, holds, receives,
           extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent_seconds
      FROM instances ORDER BY started_at, name""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One gateway process. `revision` is of the schema it was written for, `holds` how many conversations it
    works on, `receives` the channels it gets messages from."""

    name: str
    host: str
    pid: int
    role: str
    version: str
    revision: str
    started_at: datetime
    draining: bool = False
    holds: int = 0
    receives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An instance, and how long it has said nothing."""

    instance: Instance
    silent_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an instance hears when it reports: how many run turns, itself included, and by how much this
    machine's clock is ahead of the database's; None where the answer took too long to tell."""

    working: int
    skew_seconds: float | None


class PostgresInstances:
    """The table of instances."""

    def __init__(self, engine: AsyncEngine, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`now` is this machine's clock."""
        self._engine = engine
        self._now = now

    async def report(self, instance: Instance) -> Surroundings:
        """Say that it is there, and forget who has been silent for long."""
        async with transaction(self._engine) as connection:
            await connection.execute(REPORT, asdict(instance) | {"receives": list(instance.receives)})
            await connection.execute(FORGET_SILENT, {"seconds": FORGOTTEN_SECONDS})
            asked = self._now()
            row = (await connection.execute(LOOK)).one()
            took = self._now() - asked
        skew = (asked + took / 2 - row.now).total_seconds()
        return Surroundings(working=row.working, skew_seconds=skew if took < TELLING else None)

    async def forget(self, names: Sequence[str]) -> None:
        """Those that ended, or are known to be dead."""
        async with transaction(self._engine) as connection:
            await connection.execute(FORGET, {"names": list(names)})

    async def seen(self) -> list[Seen]:
        """All, the oldest first."""
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(SEEN)).all()
        return [Seen(instance=_instance(row), silent_seconds=max(0.0, row.silent_seconds)) for row in rows]


def _instance(row: Row[Any]) -> Instance:
    return Instance(
        name=row.name,
        host=row.host,
        pid=row.pid,
        role=row.role,
        version=row.version,
        revision=row.revision,
        started_at=row.started_at,
        draining=row.draining,
        holds=row.holds,
        receives=tuple(row.receives),
    )
