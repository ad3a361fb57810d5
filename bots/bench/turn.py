"""The bench of a turn: who runs against whom, and which ratios are wanted of it.

ours       the gateway's own path, whole; without a model, where only durability and Redis are left
the usual  A: redis-py command by command, ORM with three commits, the SDK's `create`
the floor  E: the same rows and Redis traffic by hand, without a model
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from openai import AsyncOpenAI

from bots.bench.floor import open_floor
from bots.bench.machine import describe
from bots.bench.measure import Contender, measure
from bots.bench.model import InstantModel, model_server
from bots.bench.ours import open_ours
from bots.bench.report import Ratio, Report, compare_all
from bots.bench.servers import watch
from bots.bench.talk import ANSWER, CONTEXT, MODEL, QUESTION, SYSTEM, Turn, check
from bots.bench.usual import ask, open_usual
from core.llm.openai_model import OpenAIModel
from core.llm.tokens import ByteTokens
from core.messages import Delta
from core.ports import ModelRequest
from core.store import schema

RATIOS = (
    Ratio("whole turn's CPU, ours / A", "cpu", "ours", "usual", at_most=1 / 6),
    Ratio("durable turns/s without a model, ours / E", "rate", "ours, no model", "floor", at_least=0.3),
    Ratio("whole turn's CPU, streamed, ours / A", "cpu", "ours, stream", "usual, stream"),
    Ratio("whole turns/s, ours / A", "rate", "ours", "usual"),
    Ratio("CPU per turn without a model, ours / E", "cpu", "ours, no model", "floor"),
    Ratio("Postgres' CPU per turn without a model, ours / E", "postgres", "ours, no model", "floor"),
    Ratio("one turn alone without a model, ours / E", "latency", "ours, no model, alone", "floor, alone"),
    Ratio("one whole turn alone, ours / A", "latency", "ours, alone", "usual, alone"),
    Ratio("model call's CPU, ours / SDK create", "cpu", "our call", "SDK create"),
)
"""The first two are what is wanted of this version; the others are for whoever wants to know more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The contenders, ready to run."""

    ours: Turn
    ours_streaming: Turn
    ours_without_model: Turn
    usual: Turn
    usual_streaming: Turn
    floor: Turn
    our_call: Turn
    sdk_create: Turn

    def contenders(self, concurrency: int) -> Iterator[Contender]:
        crowd = {
            "ours": self.ours,
            "usual": self.usual,
            "ours, stream": self.ours_streaming,
            "usual, stream": self.usual_streaming,
            "ours, no model": self.ours_without_model,
            "floor": self.floor,
            "our call": self.our_call,
            "SDK create": self.sdk_create,
        }
        alone = {name: crowd[name] for name in ("ours", "usual", "ours, no model", "floor")}
        for name, turn in crowd.items():
            yield Contender(name=name, turn=turn, concurrency=concurrency)
        for name, turn in alone.items():
            yield Contender(name=f"{name}, alone", turn=turn, concurrency=1)


async def bench_turn(
    database_url: str,
    redis_url: str,
    *,
    rounds: int,
    concurrency: int,
    seconds: float,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Measure on servers of this machine, in databases made for it and removed again; Redis's database 0
    gets keys that expire. `seconds` are for one contender in one round."""
    async with (
        watch(database_url, redis_url) as servers,
        _open_turns(database_url, redis_url, concurrency) as turns,
    ):
        contenders = list(turns.contenders(concurrency))
        samples = await measure(contenders, servers, rounds=rounds, seconds=seconds, say=say)
        about = describe(servers.versions) | {
            "run": f"{rounds} interleaved rounds of {seconds:g} s, {concurrency} lanes, {_loop()}"
        }
    return Report(rows=compare_all(RATIOS, samples), samples=samples, about=about)


@asynccontextmanager
async def _open_turns(database_url: str, redis_url: str, concurrency: int) -> AsyncIterator[Turns]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        base_url = await enter(model_server())
        own, usual, floor = [
            await enter(_database(database_url, name)) for name in ("ours", "usual", "floor")
        ]
        for url in (own, floor):
            await schema.upgrade(url)
        model = OpenAIModel(tokens=ByteTokens(), base_url=base_url)
        stack.push_async_callback(model.close)
        sdk = await enter(AsyncOpenAI(api_key="bench", base_url=base_url))
        yield Turns(
            ours=await enter(open_ours(own, redis_url, model)),
            ours_streaming=await enter(open_ours(own, redis_url, model, streams=True)),
            ours_without_model=await enter(open_ours(own, redis_url, InstantModel())),
            usual=await enter(open_usual(usual, redis_url, base_url, concurrency=concurrency)),
            usual_streaming=await enter(
                open_usual(usual, redis_url, base_url, concurrency=concurrency, streams=True)
            ),
            floor=await enter(open_floor(floor, redis_url, concurrency=concurrency)),
            our_call=_our_call(model),
            sdk_create=_sdk_create(sdk),
        )


@asynccontextmanager
async def _database(url: str, name: str) -> AsyncIterator[str]:
    """An empty database of a contender's own, dropped at the end."""
    head, _, query = url.partition("?")
    own = f"parley_bench_{name}"
    server = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        await server.execute(f"DROP DATABASE IF EXISTS {own} WITH (FORCE)")
        await server.execute(f"CREATE DATABASE {own}")
        yield f"{head.rpartition('/')[0]}/{own}?{query}"
        await server.execute(f"DROP DATABASE {own} WITH (FORCE)")
    finally:
        await server.close()


def _messages() -> tuple[dict[str, str], ...]:
    said: Sequence[tuple[str, str]] = (("user", QUESTION), ("assistant", ANSWER)) * (CONTEXT // 2)
    whole = (("system", SYSTEM), *said, ("user", QUESTION))
    return tuple({"role": role, "content": content} for role, content in whole)


def _our_call(model: OpenAIModel) -> Turn:
    request = ModelRequest(model=MODEL, messages=_messages(), max_tokens=2000, stream=False)

    async def call(lane: int) -> None:
        async with aclosing(model.answer(request)) as pieces:
            check("".join([piece.text async for piece in pieces if isinstance(piece, Delta)]))

    return call


def _sdk_create(sdk: AsyncOpenAI) -> Turn:
    messages = list(_messages())

    async def call(lane: int) -> None:
        check((await ask(sdk, messages, streams=False))[0])

    return call


def _loop() -> str:
    return type(asyncio.get_running_loop()).__module__
