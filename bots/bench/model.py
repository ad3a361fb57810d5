"""The model of the bench: a simulated vendor without latency in a process of its own, so that its work is
not counted as ours, or one in this process for turns that are measured without a call.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bots.bench.talk import ANSWER
from core.messages import Delta, Finish, Usage
from core.ports import ModelRequest


class InstantModel:
    """The port `ModelProvider`, without anything behind it."""

    async def answer(self, request: ModelRequest) -> AsyncIterator[Delta | Finish]:
        yield Delta(text=ANSWER)
        yield Finish(usage=Usage(prompt=600, completion=40), model=request.model)


@asynccontextmanager
async def model_server() -> AsyncIterator[str]:
    """The base URL (with `/v1`) of a model that says `ANSWER` at once."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", "simulate", "model", "--port", "0"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        base_url = line.partition("OPENAI_BASE_URL=")[2].strip()
        await _teach(base_url.removesuffix("/v1"))
        yield base_url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _teach(url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/_sim/answer", json={"text": ANSWER}) as response,
    ):
        response.raise_for_status()
