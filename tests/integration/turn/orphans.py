"""Turns that a dead holder left behind, made by hand of one that was finished.

The turn is put back to the point in question, and the lease looks as that of a killed process does.
"""

import asyncpg

LEFT = "UPDATE conversations SET lease_until = now() + $1::text::interval, lease_owner = 'gone'"
EXPIRE = "UPDATE conversations SET lease_until = now() - interval '1 second', lease_owner = 'gone'"


async def orphan(
    database: asyncpg.Connection,
    state: str,
    *,
    attempts: int = 1,
    end: str | None = None,
    part: str | None = None,
    deaths: int | None = None,
    lease: str = "-1 second",
) -> str:
    """Make of the one finished turn one that a dead holder left behind; its id. `part` is what became of what
    it had to send. Its holder was the `attempts`-th: the claim counts that one as dead too; `deaths` is how
    many died of it, where that is another number, and `lease` how much longer the last one's lasts.

    A gateway runs beside this: only the last statement leaves it something to take up."""
    turn_id = await database.fetchval(
        "UPDATE turns SET state = $1, attempts = $2, outcome = $3, ended_at = NULL RETURNING id",
        state, attempts, end,
    )  # fmt: skip
    await database.execute(
        "UPDATE inbox SET state = 'running', done_at = NULL, outcome = NULL, attempts = $2"
        " WHERE turn_id = $1",
        turn_id, (deaths or attempts) - 1,
    )  # fmt: skip
    if state == "open":
        await database.execute("DELETE FROM messages")
        await database.execute("DELETE FROM outbox WHERE op <> 'preview'")
        await database.execute("UPDATE conversations SET last_message_id = NULL")
        await database.execute(
            "UPDATE model_calls SET state = 'reserved', prompt_tokens = 0, completion_tokens = 0"
        )
    if part is not None:
        await database.execute("UPDATE outbox SET state = $1, receipt = NULL WHERE op = 'send'", part)
    await database.execute(f"{LEFT}, wake_at = now()", lease)
    return str(turn_id)
