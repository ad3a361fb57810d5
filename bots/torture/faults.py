"""What may happen to a gateway: each fault a small value that says its kind and how to inflict it.

Whoever inflicts one waits until it is over, and leaves behind only what the gateway itself has to mend. When
and how often each strikes is the storm's.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from redis.exceptions import RedisError

from bots.torture.instances import NotStarted
from bots.torture.scene import Scene
from bots.torture.toxics import Dose


class Fault(Protocol):
    """One thing that goes wrong."""

    @property
    def kind(self) -> str:
        """What it is counted as."""
        ...

    async def inflict(self, scene: Scene) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """SIGKILL an instance and start it again at once; `draw` in [0, 1) picks among those that run then."""

    draw: float
    kind: str = field(default="kill", init=False)

    async def inflict(self, scene: Scene) -> None:
        async with scene.victim(self.draw) as victim:
            pid = victim.pid
            await victim.kill()
            if pid is not None:
                scene.recovery.begin(pid)
            await victim.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """SIGSTOP an instance for longer than its lease; what it held is in other hands when it wakes."""

    draw: float
    seconds: float
    kind: str = field(default="freeze", init=False)

    async def inflict(self, scene: Scene) -> None:
        async with scene.victim(self.draw) as victim:
            if (pid := victim.pid) is not None:
                async with scene.frozen.watch(pid):
                    await victim.freeze(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """SIGTERM one instance after another, each started again and ready before the next."""

    kind: str = field(default="deploy", init=False)

    async def inflict(self, scene: Scene) -> None:
        for instance in scene.instances:
            async with instance.alone:
                await instance.renew()
                with contextlib.suppress(NotStarted):  # whoever looks after it starts it again
                    await instance.until_ready()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPostgres:
    """Postgres ends as `immediate` ends it, is away for `seconds` and recovers from its log."""

    seconds: float
    kind: str = field(default="postgres", init=False)

    async def inflict(self, scene: Scene) -> None:
        await scene.stores.postgres.kill()
        await asyncio.sleep(self.seconds)
        await scene.stores.postgres.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRedis:
    """Valkey is killed and is away for `seconds`."""

    seconds: float
    kind: str = field(default="redis kill", init=False)

    async def inflict(self, scene: Scene) -> None:
        await scene.stores.valkey.kill()
        await asyncio.sleep(self.seconds)
        await scene.stores.valkey.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class WipeRedis:
    """Everything in it is gone."""

    kind: str = field(default="redis flush", init=False)

    async def inflict(self, scene: Scene) -> None:
        await scene.stores.tell_valkey("FLUSHALL")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRedis:
    """It refuses every write for `seconds`, as a replica does whose primary is lost."""

    seconds: float
    kind: str = field(default="redis read-only", init=False)

    async def inflict(self, scene: Scene) -> None:
        await scene.stores.tell_valkey("REPLICAOF", "127.0.0.1", 1)
        await asyncio.sleep(self.seconds)
        await scene.stores.tell_valkey("REPLICAOF", "NO", "ONE")


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRedis:
    """It answers nobody for `seconds`."""

    seconds: float
    kind: str = field(default="redis pause", init=False)

    async def inflict(self, scene: Scene) -> None:
        await scene.stores.tell_valkey("CLIENT", "PAUSE", round(self.seconds * 1000), "ALL")
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehave:
    """A platform or the model does something that its simulator knows under the name `what`."""

    where: str
    what: str
    fields: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return f"{self.where} misbehaves"

    async def inflict(self, scene: Scene) -> None:
        scene.misbehave(self.where, self.what, self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """The network between the instances and one of the others makes all connections sick."""

    dose: Dose

    @property
    def kind(self) -> str:
        return f"network {self.dose.kind}"

    async def inflict(self, scene: Scene) -> None:
        await scene.links[self.dose.link].toxic(self.dose.kind, self.dose.seconds, Random(self.dose.seed))


async def mended(scene: Scene) -> None:
    """Whatever a fault that was broken off has left is put right; what it did stays done."""
    if not scene.stores.postgres.up:
        await scene.stores.postgres.start()
    if not scene.stores.valkey.up:
        await scene.stores.valkey.start()
    with contextlib.suppress(RedisError, OSError):
        await scene.stores.tell_valkey("REPLICAOF", "NO", "ONE")
    scene.behave()
    await scene.tend()
