"""The console over real descriptors: pipes, files, /dev/null; long, broken, unfinished lines; no reader."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bots.console.channel import ConsoleChannel
from bots.console.pipe import Pipe
from tests.unit.console.echo import ACCOUNT, Echo

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The reading and the writing end of a pipe, closed afterwards where the test did not. A thread that
    still reads ends with the writing end, before its number can be given to the next pipe."""
    read, write = os.pipe()
    yield read, write
    for end in (write, read):
        with contextlib.suppress(OSError):
            os.close(end)
        for thread in threading.enumerate():
            if thread.name == "console":
                thread.join(timeout=10)


async def talk(given: bytes | None, *, stdin: int | None = None) -> tuple[int, bytes, bytes]:
    """Run the console as a program; its exit status and what it printed."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.console.talk", "/nowhere/history"),
        stdin=asyncio.subprocess.PIPE if stdin is None else stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    out, err = await program.communicate(given)
    return program.returncode or 0, out, err


async def lines_of(data: bytes, tmp_path: Path) -> list[str]:
    path = tmp_path / "lines"
    path.write_bytes(data)
    with path.open("rb") as file:
        pipe = Pipe(stdin=file.fileno())
        found = []
        while (line := await pipe.read()) is not None:
            found.append(line)
        assert await pipe.read() is None
    return found


async def test_a_program_answers_each_line_and_ends_well() -> None:
    status, out, err = await talk("hello\n\n   \nGrüße\r\nno newline".encode())
    assert (status, err) == (0, b"")
    assert out.decode() == "you said: hello\n\nyou said: Grüße\n\nyou said: no newline\n"


async def test_a_file_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"from a file\n")
    with (tmp_path / "lines").open() as file:
        assert await talk(None, stdin=file.fileno()) == (0, b"you said: from a file\n", b"")


async def test_dev_null_is_an_empty_input() -> None:
    assert await talk(None, stdin=asyncio.subprocess.DEVNULL) == (0, b"", b"")


async def test_closed_streams_are_as_good_as_empty_ones() -> None:
    program = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m tests.integration.console.talk /nowhere/history <&- >&-", cwd=ROOT
    )
    assert await program.wait() == 0


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n\r\n \n", []),
        (b"a\xffb\n", ["a\N{REPLACEMENT CHARACTER}b"]),
        (b"a\0b\n", ["a\N{REPLACEMENT CHARACTER}b"]),
        ("é".encode() * 70_000, ["é" * 70_000]),
        (b"x" * (1 << 20) + b"\nafter\n", ["x" * (1 << 20), "after"]),
        (b"x" * ((16 << 20) + 5) + b"\nafter", ["x" * (16 << 20), "after"]),
    ],
    ids=["empty", "blank", "invalid", "nul", "characters over chunks", "a megabyte", "beyond the bound"],
)
async def test_lines(data: bytes, lines: list[str], tmp_path: Path) -> None:
    found = await lines_of(data, tmp_path)
    assert [len(line) for line in found] == [len(line) for line in lines]
    assert found == lines


async def test_reading_lets_the_loop_go_on(ends: tuple[int, int]) -> None:
    read, write = ends
    line = asyncio.create_task(Pipe(stdin=read).read())
    await asyncio.sleep(0)  # the read has begun, and this test still runs
    os.write(write, b"late")
    assert not line.done()
    os.write(write, b"r\n")
    assert await line == "later"


async def test_a_read_that_is_cancelled_lets_go(ends: tuple[int, int]) -> None:
    line = asyncio.create_task(Pipe(stdin=ends[0]).read())
    await asyncio.sleep(0)
    line.cancel()
    with pytest.raises(asyncio.CancelledError):
        await line
    os.write(ends[1], b"let the thread end\n")


async def test_descriptors_that_do_not_block_are_waited_for(ends: tuple[int, int]) -> None:
    read, write = ends
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    text = "y" * 300_000  # more than a pipe holds
    said = asyncio.create_task(Pipe(stdout=write).say(text))
    assert await Pipe(stdin=read).read() == text
    await said


async def test_a_slow_reader_does_not_hold_up_the_loop(ends: tuple[int, int]) -> None:
    read, write = ends
    pipe = Pipe(stdout=write)
    first, second = asyncio.create_task(pipe.say("a" * 200_000)), asyncio.create_task(pipe.say("b"))
    await asyncio.sleep(0)  # nobody reads yet, and this test still runs
    assert not first.done()
    reader = Pipe(stdin=read)
    assert [await reader.read(), await reader.read()] == ["a" * 200_000, "b"]
    await asyncio.gather(first, second)


async def test_answers_command_no_terminal(ends: tuple[int, int]) -> None:
    read, write = ends
    await Pipe(stdout=write).say("\x1b]0;mine\x07")
    assert os.read(read, 100).decode() == "␛]0;mine␇\n"


async def test_notes_go_to_standard_error_and_may_be_lost(ends: tuple[int, int]) -> None:
    read, write = ends
    pipe = Pipe(stderr=write)
    await pipe.note("a moment")
    assert os.read(read, 100) == b"a moment\n"
    os.close(read)
    await pipe.note("nobody")


async def test_when_the_reader_goes_the_run_ends(ends: tuple[int, int]) -> None:
    read, write = ends
    inbound, line = os.pipe()  # stays open: no end of input
    channel = ConsoleChannel("ada", Pipe(stdin=inbound, stdout=write))
    echo = Echo(channel)
    channel.attach(echo.settled)
    os.close(read)
    os.write(line, b"hello\nnever answered\n")
    async with echo.at_work():
        await channel.run(ACCOUNT, echo.accept)
    assert len(echo.failures) == 1
    assert echo.receipts == []
    os.close(line)
    os.close(inbound)


async def test_a_program_whose_reader_went_ends_quietly() -> None:
    shell = f"yes hello | {sys.executable} -m tests.integration.console.talk /nowhere/history | head -n 1"
    program = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"set -o pipefail; {shell}; echo ${{PIPESTATUS[1]}}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert await program.communicate() == (b"you said: hello\n0\n", b"")
