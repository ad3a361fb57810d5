"""Bot identities as stored, how far each was read, and which instance receives for one that allows a single
receiver.

Telegram, for one, serves one poller per token; the others stand by and take over when the lease of
the first has run out by the database's clock.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from core.messages import Account, Identity
from core.store.database import own, transaction
from core.store.tables import DEFAULT_TENANT, accounts


class PostgresAccounts:
    """Registers accounts of the default tenant and lends the right to receive."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def register(self, channel: str, identity: Identity) -> Account:
        """The stored account of this identity, made where it is new."""
        values = {
            "id": uuid7(),
            "tenant_id": UUID(DEFAULT_TENANT),
            "channel": channel,
            "name": identity.name,
            "handle": identity.handle,
        }
        statement = (
            insert(accounts)
            .values(values)
            .on_conflict_do_update(
                index_elements=[accounts.c.channel, accounts.c.name], set_={"handle": identity.handle}
            )
            .returning(accounts.c.id, accounts.c.tenant_id)
        )
        async with transaction(self._engine) as connection:
            row = (await connection.execute(statement)).one()
        return Account(id=own(row.id), tenant_id=own(row.tenant_id), channel=channel, name=identity.name)

    async def hold_receiver(self, account_id: UUID, instance: str, seconds: float) -> bool:
        """Take or prolong the right to receive; False while another instance has it."""
        clock = func.clock_timestamp()
        statement = (
            update(accounts)
            .where(accounts.c.id == account_id)
            .where(
                or_(
                    accounts.c.receiver.is_(None),
                    accounts.c.receiver == instance,
                    accounts.c.receiver_until < clock,
                )
            )
            .values(receiver=instance, receiver_until=clock + func.make_interval(0, 0, 0, 0, 0, 0, seconds))
            .returning(accounts.c.id)
        )
        async with transaction(self._engine) as connection:
            return (await connection.execute(statement)).one_or_none() is not None

    async def release_receiver(self, account_id: UUID, instance: str) -> None:
        async with transaction(self._engine) as connection:
            await connection.execute(
                update(accounts)
                .where(accounts.c.id == account_id, accounts.c.receiver == instance)
                .values(receiver=None, receiver_until=None)
            )

    def cursors(self, account_id: UUID) -> "PostgresCursors":
        """How far its chats were read."""
        return PostgresCursors(self._engine, account_id)

    async def receiver(self, account_id: UUID) -> str | None:
        """Who receives now."""
        query = select(accounts.c.receiver).where(
            accounts.c.id == account_id, accounts.c.receiver_until > func.clock_timestamp()
        )
        async with transaction(self._engine) as connection:
            return (await connection.execute(query)).scalar_one_or_none()


class PostgresCursors:
    """How far the chats of one account were read. Several instances may move them; the last one wins."""

    def __init__(self, engine: AsyncEngine, account_id: UUID) -> None:
        self._engine = engine
        self._account_id = account_id

    async def read(self) -> Mapping[str, str]:
        query = select(accounts.c.cursor).where(accounts.c.id == self._account_id)
        async with transaction(self._engine) as connection:
            return dict((await connection.execute(query)).scalar_one_or_none() or {})

    async def move(self, moves: Mapping[str, str]) -> None:
        """Set these, keep the others."""
        merged = accounts.c.cursor.op("||")(cast(dict(moves), JSONB))
        async with transaction(self._engine) as connection:
            await connection.execute(
                update(accounts).where(accounts.c.id == self._account_id).values(cursor=merged)
            )
