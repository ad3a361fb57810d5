"""Who comes first when more waits than can be done: users by what they have already, shared by weight."""

import asyncio
from collections import Counter

from core.rows import Work
from tests.integration.store.ground import Instance
from tests.integration.store.test_fencing import expire


async def flood(one: Instance, sender: str, many: int) -> None:
    """Conversations of one user that wait for anybody."""
    await asyncio.gather(*(one.accept(f"{sender}/{n:04}", sender=sender, owns=False) for n in range(many)))


def chats(works: list[Work]) -> list[str]:
    return [work.line.place.chat for work in works]


def shares(works: list[Work]) -> Counter[str]:
    return Counter(chat.partition("/")[0] for chat in chats(works))


async def weigh(one: Instance, sender: str, weight: float) -> None:
    await one.rows(
        "UPDATE users SET weight = :weight WHERE channel_user_id = :sender", weight=weight, sender=sender
    )


async def test_a_flood_of_one_user_does_not_keep_another_waiting(one: Instance, two: Instance) -> None:
    """A thousand conversations are older than another's only one: it is the second that is claimed."""
    await flood(one, "ann", 1000)
    await flood(one, "bob", 1)
    assert chats(await one.claim(1)) == ["ann/0000"]
    assert chats(await two.claim(1)) == ["bob/0000"]
    assert chats(await one.claim(2)) == ["ann/0001", "ann/0002"]


async def test_one_claim_of_many_is_shared(one: Instance) -> None:
    await flood(one, "ann", 300)
    await flood(one, "bob", 3)
    await flood(one, "cid", 40)
    assert shares(await one.claim(23)) == {"ann": 10, "bob": 3, "cid": 10}


async def test_what_a_user_holds_already_counts(one: Instance, two: Instance) -> None:
    for n in range(4):
        await one.work(f"held/{n}", sender="ann")
    await flood(one, "ann", 20)
    await flood(one, "bob", 20)
    assert shares(await two.claim(4)) == {"bob": 4}
    assert shares(await two.claim(4)) == {"ann": 2, "bob": 2}


async def test_a_lease_that_ran_out_is_not_held(one: Instance, two: Instance) -> None:
    await one.work("ann/old", sender="ann")
    await expire(one)
    await flood(one, "ann", 3)
    await flood(one, "bob", 3)
    assert chats(await two.claim(1)) == ["ann/old"]


async def test_weights_share_out(one: Instance) -> None:
    await flood(one, "ann", 200)
    await flood(one, "bob", 200)
    await weigh(one, "bob", 3)
    assert shares(await one.claim(40)) == {"ann": 10, "bob": 30}
    await weigh(one, "ann", 0.25)
    assert shares(await one.claim(10)) == {"bob": 10}


async def test_many_floods_one_after_another_are_looked_past(one: Instance) -> None:
    """More users than a look takes in at once, each with more than it takes in of one."""
    floods = [f"flood-{n}" for n in range(40)]
    for sender in floods:
        await flood(one, sender, 70)
    await flood(one, "bob", 1)
    assert shares(await one.claim(40)) == dict.fromkeys(floods, 1)
    assert chats(await one.claim(1)) == ["bob/0000"]


async def test_among_equals_the_oldest_comes_first_and_each_once(one: Instance, two: Instance) -> None:
    senders = [f"user-{n:03}" for n in range(150)]
    for sender in senders:
        await one.accept(sender, sender=sender, owns=False)
    firsts = [chat for _ in range(5) for chat in chats(await one.claim(1))]
    assert firsts == senders[:5]
    rest = [chats(works) for works in await asyncio.gather(*(who.claim(40) for who in (one, two) * 2))]
    rest += [chats(await one.claim())]
    assert sorted(chat for found in rest for chat in found) == senders[5:]


async def test_another_account_s_flood_is_no_matter(one: Instance, two: Instance) -> None:
    """Only the accounts that are served here are looked at, however many of others wait."""
    await flood(one, "ann", 200)
    other = await one.one(
        "INSERT INTO accounts (id, tenant_id, channel, name)"
        " SELECT gen_random_uuid(), tenant_id, channel, 'other' FROM accounts RETURNING id"
    )
    await one.rows("UPDATE conversations SET account_id = :other", other=other)
    await flood(one, "bob", 2)
    assert chats(await two.claim(1)) == ["bob/0000"]
