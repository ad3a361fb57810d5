"""`parley torture` as an operator runs it: all platforms, two gateway processes, a kill, and nothing left.

How long recovery took is judged by the command itself, on a machine that has nothing else to do.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROC = Path("/proc")
SHARES = {"telegram": 7, "discord": 7, "slack": 6}


@asynccontextmanager
async def torturing(home: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", "torture", "--json", "--home", str(home), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def processes_in(home: Path) -> list[str]:
    """The commands of all processes that work inside a folder (proc(5), `cwd`)."""
    found = []
    for process in PROC.iterdir():
        try:
            if process.name.isdigit() and home in (process / "cwd").readlink().parents:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended while we looked
    return found


async def test_nothing_is_lost_or_answered_twice_when_an_instance_is_killed(tmp_path: Path) -> None:
    arguments = ("--messages", "20", "--users", "6", "--kills", "1", "--redeliver", "30", "--seed", "26")
    async with torturing(tmp_path, *arguments) as process:
        printed, said = await process.communicate()
    assert printed, said.decode()
    told = json.loads(printed)
    figures = {name: told[name] for name in ("accepted", "lost", "duplicates", "swaps", "kills", "findings")}
    assert figures == {"accepted": 20, "lost": 0, "duplicates": 0, "swaps": 0, "kills": 1, "findings": []}
    assert told["answered"] + told["uncertain"] == 20
    assert {name: share["accepted"] for name, share in told["channels"].items()} == SHARES
    assert all(share["lost"] == share["duplicates"] == 0 for share in told["channels"].values())
    assert told["held"] == (process.returncode == 0)


async def test_a_channel_that_there_is_not_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    async with torturing(tmp_path, "--channels", "telegram,irc") as process:
        _, said = await process.communicate()
    assert process.returncode == 2
    assert "'irc' given; allowed: telegram, discord, slack" in " ".join(
        said.decode().replace("│", " ").split()
    )


@pytest.mark.skipif(not PROC.is_dir(), reason="needs /proc to see the processes of a folder")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_whoever_ends_it_ends_all_that_it_started(tmp_path: Path, how: signal.Signals) -> None:
    async with torturing(tmp_path) as process:
        assert process.stderr is not None
        while b"are ready" not in (line := await process.stderr.readline()):
            assert line, "it ended before its instances were ready"
        assert any("bots run" in command for command in processes_in(tmp_path))
        os.kill(process.pid, how)
        await process.wait()
        async with asyncio.timeout(30):
            while processes_in(tmp_path):  # noqa: ASYNC110 - nobody tells when they are gone
                await asyncio.sleep(0.05)
