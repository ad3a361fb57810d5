"""Accounts are registered once, and one instance at a time receives for each."""

import asyncio

from uuid_utils.compat import uuid7

from core.messages import Identity
from core.store.accounts import PostgresAccounts
from tests.integration.store.ground import Instance


async def test_an_account_is_registered_once_by_whoever_comes(one: Instance, two: Instance) -> None:
    sides = [PostgresAccounts(one.engine), PostgresAccounts(two.engine)] * 4
    identities = [Identity(name="42", handle=f"bot-{n}") for n in range(8)]
    found = await asyncio.gather(
        *(side.register("telegram", identity) for side, identity in zip(sides, identities, strict=True))
    )
    assert len({account.id for account in found}) == 1
    other = await sides[0].register("discord", identities[0])
    assert other.id != found[0].id
    assert await one.one("SELECT count(*) FROM accounts WHERE name = '42'") == 2
    await sides[0].register("telegram", Identity(name="42", handle="renamed"))
    query = "SELECT handle FROM accounts WHERE name = '42' AND channel = 'telegram'"
    assert await one.one(query) == "renamed"


async def test_one_instance_receives_and_the_other_stands_by(one: Instance, two: Instance) -> None:
    account_id = one.account.id
    first, second = PostgresAccounts(one.engine), PostgresAccounts(two.engine)
    assert await first.receiver(account_id) is None
    taken = await asyncio.gather(
        first.hold_receiver(account_id, "one", 60), second.hold_receiver(account_id, "two", 60)
    )
    assert sorted(taken) == [False, True]
    holder, other = ("one", "two") if taken[0] else ("two", "one")
    assert await second.receiver(account_id) == holder
    assert await first.hold_receiver(account_id, holder, 60)
    assert not await first.hold_receiver(account_id, other, 60)
    await first.release_receiver(account_id, other)
    assert await first.receiver(account_id) == holder
    await first.release_receiver(account_id, holder)
    assert await second.hold_receiver(account_id, other, 60)


async def test_a_receiver_that_died_is_followed_when_its_time_is_over(one: Instance, two: Instance) -> None:
    account_id = one.account.id
    first, second = PostgresAccounts(one.engine), PostgresAccounts(two.engine)
    assert await first.hold_receiver(account_id, "one", 60)
    await one.rows("UPDATE accounts SET receiver_until = clock_timestamp() - interval '1 second'")
    assert await first.receiver(account_id) is None
    assert await second.hold_receiver(account_id, "two", 60)
    assert not await first.hold_receiver(account_id, "one", 60)
    await first.release_receiver(account_id, "one")
    assert await first.receiver(account_id) == "two"


async def test_the_receivers_of_dead_instances_are_ended(one: Instance, two: Instance) -> None:
    first = PostgresAccounts(one.engine)
    assert await first.hold_receiver(one.account.id, "one", 60)
    await two.leases.end(["one"])
    assert await first.receiver(one.account.id) is None


async def test_cursors_are_kept_and_merged(one: Instance, two: Instance) -> None:
    mine = PostgresAccounts(one.engine).cursors(one.account.id)
    other = PostgresAccounts(two.engine).cursors(one.account.id)
    assert await mine.read() == {}
    await mine.move({"7": "100", "8": "5:direct"})
    await other.move({"7": "101", "'; --": '"x"'})
    assert await mine.read() == {"7": "101", "8": "5:direct", "'; --": '"x"'}
    unknown = PostgresAccounts(one.engine).cursors(uuid7())
    await unknown.move({"1": "2"})
    assert await unknown.read() == {}
