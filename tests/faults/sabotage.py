"""A small trial whose gateway may have one part built wrongly, as a bug would build it.

Everything else is real: the stores, the Telegram client against the simulator, the engine. What came of it is
gathered and judged as a torture's is. A wrong part is an adapter that does something else, or a function of
the database with one piece of its text replaced.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.app import open_gateway
from bots.simulators.model import ModelSimulator
from bots.simulators.telegram.simulator import RecordedCall
from bots.simulators.telegram.updates import FIRST_ID
from bots.stores import Addresses
from bots.telegram.adapter import TelegramChannel
from bots.torture.checker import Verdict, check
from bots.torture.crowd import Answerer, Crowd
from bots.torture.evidence import Evidence, gather
from bots.torture.plan import Speech
from bots.torture.platforms import Telegram
from bots.torture.proxy import Proxy
from core.store.database import open_engine
from tests.world import settings_for

DONE = (
    "SELECT count(*) FILTER (WHERE state = 'done'), count(*), (SELECT count(*) FROM model_calls) FROM inbox"
)
AGING = """
    CREATE FUNCTION aged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      NEW.accepted_at := NEW.accepted_at - interval '{age}';
      NEW.sent_at := NEW.accepted_at;
      RETURN NEW;
    END $$"""
ASKED = "SELECT EXISTS (SELECT FROM model_calls)"
ROBBED = "UPDATE conversations SET lease_until = now() - interval '1 second', wake_at = now()"
AGED = "CREATE TRIGGER aged BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION aged()"

ALONE = {"PARLEY_TURNS__CONCURRENCY": "1", "PARLEY_TURNS__LEASE_SECONDS": "600"}
"""No lease runs out by itself, and who works on a conversation takes no other."""

Build = Callable[..., TelegramChannel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """What is wrong with the gateways of a trial. `pieces` are (function, right text, wrong text); `age` is
    how old every message is when it is accepted; `adapter` builds the channel; `thinks` is the model's time;
    `says` how many of the messages are said."""

    pieces: Sequence[tuple[str, str, str]] = ()
    age: str = ""
    environment: Mapping[str, str] | None = None
    adapter: Build = TelegramChannel
    stream: bool = True
    patience: float = 20.0
    """Seconds without any progress after which nothing more is expected: some are never done."""
    dies: bool = False
    """The first gateway dies as soon as it has acknowledged everything."""
    robbed: bool = False
    """The first gateway hears nothing of its model until another, which took its lease, has answered."""


NOTHING = Sabotage()


def speeches() -> list[Speech]:
    """Ann says three in private, Ben two, and both one in a group."""
    said = [("ann", "ann")] * 3 + [("ben", "ben")] * 2 + [("ann", "group"), ("ben", "group")]
    return [
        Speech(number=number, channel="telegram", user=user, chat=chat, thread=None, at=0.0)
        for number, (user, chat) in enumerate(said, start=1)
    ]


class Prompt(Answerer):
    """Thinks for a moment, and speaks fast."""

    def __call__(self, messages: Sequence[dict[str, Any]]) -> str:
        said = super().__call__(messages)
        self._model.latency, self._model.tokens_per_second = 0.05, 400.0
        return said


def _confirmed(calls: Sequence[RecordedCall]) -> int:
    """The first update that is not confirmed yet."""
    return max(
        (int(call.params.get("offset", 0)) for call in calls if call.method == "getUpdates"), default=0
    )


class Stage:
    """The servers and neighbours of one small trial."""

    def __init__(self, folder: Path, database_url: str, redis_url: str, model: ModelSimulator) -> None:
        self.folder = folder
        self.platform = Telegram()
        self.where = Addresses(database_url=database_url, redis_url=redis_url, is_embedded=False)
        self.model = model
        self.engine: AsyncEngine = open_engine(database_url)
        self.log = folder / "log"

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Whatever is logged goes to the file, as an operator would have it."""
        handler = logging.FileHandler(self.log)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
            handler.close()

    async def build(self, sabotage: Sabotage) -> None:
        """Put the wrong pieces into the database. A piece that is not there would prove nothing."""
        async with self.engine.begin() as connection:
            for function, right, wrong in sabotage.pieces:
                found = await connection.scalar(
                    text("SELECT pg_get_functiondef(to_regproc(:f))"), {"f": function}
                )
                assert right in found, f"{function} has no {right!r}"
                await connection.exec_driver_sql(found.replace(right, wrong))
            if sabotage.age:
                await connection.exec_driver_sql(AGING.format(age=sabotage.age))
                await connection.exec_driver_sql(AGED)

    @asynccontextmanager
    async def gateway(self, sabotage: Sabotage, model_url: str = "") -> AsyncIterator[None]:
        """One gateway that receives, in this process; leaving, it finishes what it does."""
        simulator = self.platform.simulator
        settings = settings_for(
            self.folder,
            {
                **self.platform.environment,
                "OPENAI_BASE_URL": f"{model_url or self.model.url}/v1",
                "PARLEY_MODEL": "simulated",
                "PARLEY_TURNS__MERGE_MAX": "1",
                **(sabotage.environment or {}),
            },
        )
        adapter = sabotage.adapter(
            self.platform.TOKEN,
            simulator.url,
            poll_seconds=1,
            stream=sabotage.stream,
            edit_seconds=(0.05, 0.05),
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(adapter.close)
            gateway = await stack.enter_async_context(open_gateway(settings, self.where))
            running = asyncio.create_task(gateway.channels.run(adapter))
            try:
                yield
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    @asynccontextmanager
    async def robbed(self, sabotage: Sabotage) -> AsyncIterator[None]:
        """A gateway that asks its model and hears nothing until another has taken its lease and, when this
        is left, answered. Neither holds more than one conversation, so it is the other that takes it."""
        async with Proxy("127.0.0.1", urlsplit(self.model.url).port or 0) as line:
            deaf = asyncio.create_task(line.toxic("timeout", 3600, Random(1)))
            async with self.gateway(sabotage, f"http://127.0.0.1:{line.port}"):
                await self.asked()
                async with self.engine.begin() as connection:
                    await connection.exec_driver_sql(ROBBED)
                async with self.gateway(sabotage):
                    yield
                deaf.cancel()

    async def asked(self) -> None:
        """Return when a model was asked; rows tell nobody."""
        while True:
            async with self.engine.connect() as connection:
                if await connection.scalar(text(ASKED)):
                    return
            await asyncio.sleep(0.02)

    async def quiet(self, messages: int, patience: float) -> None:
        """Return when all is done, or nothing moves any more."""
        loop = asyncio.get_running_loop()
        before, moved = None, loop.time()
        while loop.time() - moved < patience:
            async with self.engine.connect() as connection:
                now = (await connection.execute(text(DONE))).one()
            if now[0] >= messages:
                return
            if now != before:
                before, moved = now, loop.time()
            await asyncio.sleep(0.02)


async def small_trial(
    folder: Path, database_url: str, redis_url: str, sabotage: Sabotage = NOTHING
) -> tuple[Verdict, Evidence]:
    """Say the seven messages to the wrong gateways, and judge what came of it."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ModelSimulator())
        stage = Stage(folder, database_url, redis_url, model)
        stack.push_async_callback(stage.engine.dispose)
        stack.enter_context(stage.logging())
        simulator = await stack.enter_async_context(stage.platform.simulator)
        model.answer = answerer = Prompt(model, seed=1)
        await stage.build(sabotage)
        crowd, said = Crowd({"telegram": stage.platform}), speeches()
        await crowd.speak(said)
        if sabotage.dies:
            async with stage.gateway(sabotage):
                await simulator.wait_for(lambda _: _confirmed(simulator.calls) >= FIRST_ID + len(said))
            sabotage = replace(sabotage, adapter=TelegramChannel)
        async with (stage.robbed if sabotage.robbed else stage.gateway)(sabotage):
            await stage.quiet(len(said), sabotage.patience)
        evidence = await gather(
            stage.engine,
            crowd.said,
            stage.platform.shown(),
            answerer.prompts,
            model.calls,
            kills=0,
            exits=(0,),
            secrets={"TELEGRAM_TOKEN": stage.platform.TOKEN},
            redis_url=redis_url,
            logs=[stage.log],
        )
    return check(evidence), evidence
