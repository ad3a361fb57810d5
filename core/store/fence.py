"""The fence round a database that may be a restored backup: while it stands, no work is handed out.

A database tells where it lives and counts its own seconds, its beats. Whoever remembers a higher beat than
it has, or another home, is a witness that something is missing. Here are the rule and the rows; who
remembers, how often it is looked at and what is said is left to `bots/fence.py`; that nothing is claimed
while a fence stands is said in `migrations/sql`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from core.store.database import Transaction, own, transaction
from core.store.tables import fences, identity, inbox

Lift = Literal["uncertain", "resume"]

NEAR = 10
"""Beats by which a witness may be behind, when it was told of all but the last ones."""
LEAP = 1_000
"""Beats by which a database that was fenced goes on above all its witnesses: none of them doubts it again."""

RIGHTS = text("""
    SELECT has_function_privilege('pg_control_system()', 'execute') AS system,
           has_function_privilege('pg_stat_file(text)', 'execute') AS files,
           has_function_privilege('pg_walfile_name(pg_lsn)', 'execute')
             AND has_function_privilege('pg_current_wal_lsn()', 'execute') AS timeline""")
SYSTEM = "(SELECT system_identifier::text FROM pg_control_system())"
FILES = "(SELECT extract(epoch FROM change)::bigint::text FROM pg_stat_file('PG_VERSION'))"
TIMELINE = "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"
"""https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CONTROLDATA,
https://www.postgresql.org/docs/current/functions-admin.html"""
# A beat must not be lost where a crash may lose the last commits: it would look like a restore.
DURABLE = text("""
    SELECT set_config('synchronous_commit', 'on', true)
     WHERE current_setting('synchronous_commit') = 'off'""")
# What was claimed before anybody knew must not be answered either.
ALL_LOSE = text("""
    UPDATE conversations SET lease_token = lease_token + 1, lease_until = clock_timestamp()
     WHERE id IN (SELECT id FROM conversations WHERE lease_owner IS NOT NULL ORDER BY id FOR UPDATE)""")
BEAT = """
    INSERT INTO identity AS i (deployment, beat) VALUES (:deployment, 1)
    ON CONFLICT (id) DO UPDATE SET beat = i.beat + 1, beaten_at = clock_timestamp()
    RETURNING i.deployment, i.fingerprint, i.timeline, i.beat, {parts},
              (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a database lives: which cluster, which database in it, since when its files are there, and how
    often a standby was promoted to it. "" and None are what we may not know."""

    system: str = ""
    database: str = ""
    files: str = ""
    timeline: int | None = None

    def __str__(self) -> str:
        return f"{self.system}/{self.database}/{self.files}"

    @classmethod
    def parse(cls, fingerprint: str, timeline: int | None) -> "Home":
        system, _, rest = fingerprint.partition("/")
        database, _, files = rest.partition("/")
        return cls(system=system, database=database, files=files, timeline=timeline)

    def over(self, was: "Home") -> "Home":
        """What is known now, and what was known where it is not."""
        return Home(
            system=self.system or was.system,
            database=self.database or was.database,
            files=self.files or was.files,
            timeline=was.timeline if self.timeline is None else self.timeline,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """One that stands."""

    raised_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a beat found: the number, whose it is, the newest fence that stands, and the reason where this
    very beat raised one."""

    deployment: UUID
    number: int
    fence: Fence | None
    doubt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Whom lifting concerns: what was asked before the fence and has no end, and what came since."""

    fence: Fence | None
    conversations: int = 0
    messages: int = 0
    since: int = 0


def is_moved(was: Home, now: Home) -> bool:
    """Is it another database now: made from a dump, or a copy within the same server?"""
    return _differ(was.system, now.system) or _differ(was.database, now.database)


def doubt(was: Home, now: Home, beat: int, remembered: int | None) -> str | None:
    """Why a gateway that starts must not trust this database, or None. `remembered` is the highest beat that
    a witness knew before this one; None without a witness.

    A promoted standby has files of its own, and somewhere files change hands at every start: there a witness
    who remembers about the last beat says that nothing was lost.
    """
    if is_moved(was, now):
        return f"the database was copied or restored from a dump: it was {was}, it is {now}"
    if lost := is_behind(beat, remembered):
        return lost
    if remembered is not None and remembered >= beat - NEAR:
        return None
    if was.timeline is not None and now.timeline is not None and was.timeline != now.timeline:
        return f"the server went from timeline {was.timeline} to {now.timeline}, and nobody saw what was lost"
    if _differ(was.files, now.files):
        return "the files of the database were copied or restored, and nobody saw what was lost"
    return None


def is_behind(beat: int, remembered: int | None) -> str | None:
    """A beat that was remembered is missing."""
    if remembered is None or remembered < beat:
        return None
    return f"the database is at beat {beat}, but was at {remembered} before: its last seconds are missing"


def _differ(was: str, now: str) -> bool:
    return bool(was and now and was != now)


class PostgresFence:
    """The rows `identity` and `fences` of one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._parts = ""

    async def deployment(self) -> UUID | None:
        """The name under which witnesses know this database; None where nobody has used it yet."""
        async with transaction(self._engine) as connection:
            self._parts = _parts((await connection.execute(RIGHTS)).one())
            found = await connection.scalar(select(identity.c.deployment))
            return None if found is None else own(found)

    async def beat(self, remembered: int | None, *, starts: bool = False) -> Beat:
        """Count one second, and raise a fence where something is missing. What is `remembered` must have been
        so before this is called. A gateway that `starts` looks at the database's home too; one that runs
        has seen every beat, and goes along with a home that changes. One at a time: the row is locked."""
        async with transaction(self._engine) as connection:
            await connection.execute(DURABLE)
            counted = text(BEAT.format(parts=self._parts))
            row = (await connection.execute(counted, {"deployment": uuid7()})).one()
            was = Home.parse(row.fingerprint, row.timeline)
            seen = Home(system=row.system, database=row.database, files=row.files, timeline=row.now_timeline)
            now = seen.over(was)
            reason = doubt(was, now, row.beat, remembered) if starts else is_behind(row.beat, remembered)
            number, deployment = row.beat, own(row.deployment)
            if reason is not None:
                await connection.execute(_raised(reason))
                await connection.execute(ALL_LOSE)
                number = max(number, remembered or 0) + LEAP
                # A copy and its origin may share a Redis: neither is a witness of the other.
                deployment = uuid7() if is_moved(was, now) else deployment
            if reason is not None or was != now:
                changed = {"fingerprint": str(now), "timeline": now.timeline}
                await connection.execute(
                    update(identity).values(beat=number, deployment=deployment, **changed)
                )
            return Beat(deployment=deployment, number=number, fence=await _standing(connection), doubt=reason)

    async def put_up(self, reason: str) -> None:
        """Because an operator knows more than any witness."""
        async with transaction(self._engine) as connection:
            await connection.execute(_raised(reason))

    async def standing(self) -> Fence | None:
        async with transaction(self._engine) as connection:
            return await _standing(connection)

    async def concern(self) -> Concern:
        async with transaction(self._engine) as connection:
            return await _concern(connection, await _standing(connection))

    async def lift(self, lift: Lift) -> Concern:
        """Every fence that stands; says whom it concerned. Everybody is woken."""
        async with transaction(self._engine) as connection:
            concern = await _concern(connection, await _standing(connection))
            await connection.execute(
                update(fences)
                .where(fences.c.lifted_at.is_(None))
                .values(lifted_at=func.clock_timestamp(), lifted_as=lift)
            )
            await connection.execute(select(func.pg_notify("parley_wake", "")))
            return concern


def _parts(rights: Any) -> str:
    """What we may ask of the home: a refusal each second would fill the server's log."""
    return ", ".join(
        f"{query if allowed else nothing} AS {name}"
        for name, query, allowed, nothing in (
            ("system", SYSTEM, rights.system, "''"),
            ("files", FILES, rights.files, "''"),
            ("now_timeline", TIMELINE, rights.timeline, "NULL::int"),
        )
    )


def _raised(reason: str) -> Any:
    return insert(fences).values(id=uuid7(), raised_at=func.clock_timestamp(), reason=reason)


async def _standing(connection: Transaction) -> Fence | None:
    newest = (
        select(fences.c.raised_at, fences.c.reason)
        .where(fences.c.lifted_at.is_(None))
        .order_by(fences.c.raised_at.desc())
        .limit(1)
    )
    row = (await connection.execute(newest)).one_or_none()
    return None if row is None else Fence(raised_at=row.raised_at, reason=row.reason)


async def _concern(connection: Transaction, fence: Fence | None) -> Concern:
    if fence is None:
        return Concern(fence=None)
    before = func.parley_asked_at_v1(inbox.c.sent_at, inbox.c.accepted_at) < fence.raised_at
    row = (
        await connection.execute(
            select(
                func.count(inbox.c.conversation_id.distinct()).filter(before).label("conversations"),
                func.count().filter(before).label("messages"),
                func.count().filter(~before).label("since"),
            ).where(inbox.c.state != "done")
        )
    ).one()
    return Concern(fence=fence, conversations=row.conversations, messages=row.messages, since=row.since)
