"""What a killed process of this machine held is free at once: nobody waits for its leases to run out."""

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bots.instance import name_instance
from bots.upkeep import end_dead
from core.messages import Identity
from core.store.instances import Instance
from tests.world import open_world

LONG = 600.0


async def gone_process() -> int:
    """The number of a process that has been here and is not any more."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-ISc", "")
    await process.wait()
    return process.pid


async def test_the_dead_of_this_machine_hold_nothing(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    here = name_instance()
    dead = f"{here.rpartition('/')[0]}/{await gone_process()}-1"
    elsewhere = "other-host/other-machine/1-1"
    async with open_world(tmp_path, database_url, redis_url) as world:
        stores = world.gateway.stores
        account = await stores.accounts.register("console", Identity(name="bot", handle="bot"))
        other = await stores.accounts.register("console", Identity(name="other", handle="other"))
        row = Instance(
            name=dead,
            host="here",
            pid=1,
            role="ingress",
            version="1",
            revision="0002",
            started_at=datetime.now(UTC),
        )
        await stores.instances.report(replace(row, name=elsewhere))
        assert await stores.accounts.hold_receiver(other.id, elsewhere, LONG)
        assert await stores.jobs.take("theirs", elsewhere, hold=LONG, every=LONG) is None

        await stores.instances.report(row)
        assert await stores.accounts.hold_receiver(account.id, dead, LONG)
        assert await stores.jobs.take("its", dead, hold=LONG, every=LONG) is None
        await end_dead(stores)
        assert await stores.accounts.hold_receiver(account.id, here, LONG)
        assert await stores.jobs.take("its", here, hold=LONG, every=LONG) is None

        assert not await stores.accounts.hold_receiver(other.id, here, LONG), "of it nothing is known"
        assert await stores.jobs.take("theirs", here, hold=LONG, every=LONG) is not None
        names = {seen.instance.name for seen in await stores.instances.seen()}
        assert dead not in names
        assert elsewhere in names
