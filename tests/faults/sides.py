"""What the stateful test stands on: two gateways' sides of one store, an eye that sees every row, and what a
side believes of the work that it was given.
"""

import asyncio
import itertools
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from core.messages import Identity
from core.rows import Part, TurnRow, Waiting, Work
from core.store.accounts import PostgresAccounts
from core.store.database import own
from tests.integration.store.ground import Instance, open_instance

OWNERS = ("one", "two")
ROWS = """
    SELECT ARRAY(
             SELECT (c.id, c.chat, c.is_active, coalesce(c.lease_owner, ''), c.lease_token,
                     c.lease_until < clock_timestamp(),
                     CASE WHEN c.wake_at IS NULL THEN '' WHEN c.wake_at <= clock_timestamp() THEN 'now'
                          ELSE 'later' END, c.next_seq)
               FROM conversations c WHERE c.account_id = a.id),
           ARRAY(
             SELECT (i.dedupe_key, i.conversation_id, i.seq, i.kind, i.payload->>'text', i.state, i.outcome,
                     i.turn_id, i.revision, i.attempts)
               FROM inbox i WHERE i.account_id = a.id),
           ARRAY(
             SELECT (t.id, t.conversation_id, t.state, t.outcome)
               FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE c.account_id = a.id),
           ARRAY(
             SELECT (o.id, o.state)
               FROM outbox o JOIN conversations c ON c.id = o.conversation_id WHERE c.account_id = a.id)
      FROM accounts a WHERE a.id = $1"""

Result = TypeVar("Result")


class Ground:
    """Two instances over one database, on a loop of their own. Every run has an account of its own, so that
    nothing needs to be swept away between runs but fences, which are everybody's."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._numbers = itertools.count(1)
        self._sides = {
            name: self.do(self._stack.enter_async_context(open_instance(url, name))) for name in OWNERS
        }
        self._eye = self.do(asyncpg.connect(url.replace("+asyncpg", "")))

    def do(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(doing)

    def sides(self) -> dict[str, Instance]:
        identity = Identity(name=f"bot{next(self._numbers)}", handle="bot")
        one = self._sides["one"]
        self.do(one.rows("DELETE FROM fences"))
        account = self.do(PostgresAccounts(one.engine).register("console", identity))
        return {name: replace(side, account=account) for name, side in self._sides.items()}

    def rows(self, account: UUID) -> list[list[tuple[Any, ...]]]:
        """All that there is of conversations, messages, turns and parts."""
        (row,) = self.do(self._eye.fetch(ROWS, account))
        return [sorted(tuple(map(_plain, each)) for each in rows) for rows in row]

    def put(self, function: str, right: str, wrong: str) -> None:
        """Replace a piece of a function of the database."""
        found = self.do(self._eye.fetchval("SELECT pg_get_functiondef(to_regproc($1))", function))
        assert right in found
        self.do(self._eye.execute(found.replace(right, wrong)))

    def close(self) -> None:
        self.do(self._eye.close())
        self.do(self._stack.aclose())
        self._loop.close()


@dataclass(eq=False, slots=True, kw_only=True)
class Hand:
    """Work that an instance was given, and how far it believes to be with it; it may be wrong."""

    owner: str
    work: Work
    turn: TurnRow | None = None
    taken: tuple[Waiting, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def talk(self) -> UUID:
        return self.work.lease.conversation_id

    @property
    def token(self) -> int:
        return self.work.lease.token

    def takes(self) -> list[tuple[str, int]]:
        return [(one.message.dedupe_key, one.revision) for one in self.taken]


def _plain(value: Any) -> Any:
    """The driver's ids are of a type of its own."""
    return own(value) if isinstance(value, UUID) else value
