"""Which instance runs a job that must run once in the cluster: implements `JobLeases`.

All times are the database's. A holder that falls silent loses its job when its time is over, and whoever is
known to be dead loses it at once.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.store.database import transaction

TAKE = text("""
    INSERT INTO jobs AS j (name, holder, held_until)
    VALUES (:name, :holder, clock_timestamp() + make_interval(secs => :hold))
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
     WHERE (j.holder IS NULL OR j.held_until < clock_timestamp())
       AND (j.last_run IS NULL OR j.last_run + make_interval(secs => :every) <= clock_timestamp())
    RETURNING true""")
WAIT = text("""
    SELECT extract(epoch FROM greatest(held_until, last_run + make_interval(secs => :every))
                            - clock_timestamp())
      FROM jobs WHERE name = :name""")
KEEP = text("""
    UPDATE jobs SET held_until = clock_timestamp() + make_interval(secs => :hold)
     WHERE name = :name AND holder = :holder RETURNING true""")
RELEASE = text("""
    UPDATE jobs SET holder = NULL, held_until = NULL,
                    last_run = CASE WHEN :done THEN clock_timestamp() ELSE last_run END
     WHERE name = :name AND holder = :holder""")
END = text("""
    UPDATE jobs SET holder = NULL, held_until = NULL
     WHERE name IN (SELECT name FROM jobs WHERE holder = ANY(CAST(:holders AS text[]))
                     ORDER BY name FOR UPDATE)""")

LEAST_WAIT = 0.01


class PostgresJobs:
    """The right to run a job, lent for some seconds at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, name: str, holder: str, *, hold: float, every: float) -> float | None:
        """None where the job is due and now the holder's for `hold` seconds; else the seconds after which it
        may be: the other's time is over then, or `every` seconds have gone since the job ended."""
        async with transaction(self._engine) as connection:
            values = {"name": name, "every": every}
            taken = await connection.execute(TAKE, {**values, "holder": holder, "hold": hold})
            if taken.one_or_none() is not None:
                return None
            wait = (await connection.execute(WAIT, values)).scalar_one_or_none()
        return max(float(wait or 0.0), LEAST_WAIT)

    async def keep(self, name: str, holder: str, *, hold: float) -> bool:
        """Prolong; False where another has it."""
        async with transaction(self._engine) as connection:
            kept = await connection.execute(KEEP, {"name": name, "holder": holder, "hold": hold})
            return kept.one_or_none() is not None

    async def release(self, name: str, holder: str, *, done: bool) -> None:
        """Give it back, where it is the holder's: `done` until it is due again, else to whoever comes."""
        async with transaction(self._engine) as connection:
            await connection.execute(RELEASE, {"name": name, "holder": holder, "done": done})

    async def end(self, holders: Sequence[str]) -> None:
        """Take from instances that are known to be dead what they held."""
        async with transaction(self._engine) as connection:
            await connection.execute(END, {"holders": list(holders)})
