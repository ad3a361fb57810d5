"""The console on a terminal: keys and screen in process, and a whole program on a real pseudo-terminal."""

import asyncio
import io
import os
import pty
import re
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from bots.console.channel import ConsoleChannel
from bots.console.terminal import Terminal
from core.messages import OutboundMessage, Place
from tests.unit.console.echo import ACCOUNT, Echo

ROOT = Path(__file__).parents[3]
PLACE = Place(account_id=ACCOUNT.id, channel="console", chat="ada")
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")


class Shown(io.StringIO):
    """What was printed so far, and a way to wait for more."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def write(self, text: str) -> int:
        self._more.set()
        return super().write(text)

    @property
    def text(self) -> str:
        """Without the sequences that move the cursor and colour the words."""
        return _SEQUENCE.sub("", self.getvalue())

    async def has(self, text: str) -> None:
        while text not in self.text:
            self._more.clear()
            await self._more.wait()


class Screen:
    """A terminal in process: what is typed goes into `keys`, what was shown is in `text`."""

    def __init__(self, keys: PipeInput, history: Path) -> None:
        self.keys = keys
        self.shown = Shown()
        size = Size(rows=24, columns=80)
        target = Vt100_Output(self.shown, lambda: size, term="xterm", enable_cpr=False)
        self.terminal = Terminal(history, source=keys, target=target)

    @property
    def text(self) -> str:
        return self.shown.text


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    with create_pipe_input() as keys:
        yield Screen(keys, tmp_path / "home" / "history")


async def test_an_answer_grows_and_is_printed_once(screen: Screen) -> None:
    for text in ("The", "The quick", "The quick fox"):
        await screen.terminal.grow(text)
        assert screen.text == f"parley › {text}"
    await screen.terminal.say("The quick fox.\nEnd.")
    assert screen.text == "parley › The quick fox.\nEnd.\n\n"


async def test_an_answer_that_goes_on_otherwise_starts_anew(screen: Screen) -> None:
    await screen.terminal.grow("First")
    await screen.terminal.grow("Second try")
    await screen.terminal.say("Another end")
    assert screen.text == "parley › First\nparley › Second try\nparley › Another end\n\n"


async def test_an_answer_in_pieces_goes_on_where_it_was_cut(screen: Screen) -> None:
    await screen.terminal.grow("one\ntwo")
    await screen.terminal.say("one\n")
    await screen.terminal.say("two\nthree")
    assert screen.text == "parley › one\ntwo\nthree\n\n"


async def test_each_answer_has_its_own_start(screen: Screen) -> None:
    await screen.terminal.say("one")
    await screen.terminal.say("one")
    assert screen.text == "parley › one\n\nparley › one\n\n"


async def test_an_answer_commands_no_terminal(screen: Screen) -> None:
    await screen.terminal.grow("\x1b]0;ti")
    await screen.terminal.say("\x1b]0;title\x07\x9b2J\rhidden")
    assert "parley › ␛]0;title␇�2Jhidden" in screen.text
    assert not [sign for sign in ("\x1b]", "\x07", "\x9b") if sign in screen.shown.getvalue()]


async def test_a_line_is_read_and_remembered_for_its_owner_only(screen: Screen, tmp_path: Path) -> None:
    history = tmp_path / "home" / "history"
    screen.keys.send_text("\r  \rhello\r")
    assert await screen.terminal.read() == "hello"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with create_pipe_input() as keys:
        again = Screen(keys, history)
        line = asyncio.create_task(again.terminal.read())
        await again.shown.has("you › ")
        keys.send_text("\x1b[A\r")
        assert await line == "hello"


async def test_a_home_that_takes_no_file_does_not_stop_the_talk(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with create_pipe_input() as keys:
        screen = Screen(keys, tmp_path / "file" / "history")
        keys.send_text("hello\r")
        assert await screen.terminal.read() == "hello"


async def test_the_second_ctrl_c_leaves_and_so_does_ctrl_d(screen: Screen) -> None:
    screen.keys.send_text("\x03hello\r")
    assert await screen.terminal.read() == "hello"
    assert "Ctrl-C again, or Ctrl-D, leaves." in screen.text
    screen.keys.send_text("\x03\x03")
    assert await screen.terminal.read() is None
    screen.keys.send_text("\x04")
    assert await screen.terminal.read() is None


async def test_keys_typed_during_an_answer_stand_in_the_next_prompt(screen: Screen) -> None:
    asked = asyncio.create_task(screen.terminal.stop_asked())
    screen.keys.send_text("nex\x03t\r")
    await asked
    assert "next" not in screen.text
    assert await screen.terminal.read() == "next"


async def test_a_late_answer_appears_above_the_prompt(screen: Screen) -> None:
    line = asyncio.create_task(screen.terminal.read())
    screen.keys.send_text("half")
    await screen.shown.has("half")
    await screen.terminal.grow("dropped")
    await screen.terminal.say("late")
    screen.keys.send_text(" a line\r")
    assert await line == "half a line"
    assert "parley › late\n\nyou › half" in screen.text
    assert "dropped" not in screen.text


async def test_a_talk(screen: Screen) -> None:
    channel = ConsoleChannel("ada", screen.terminal)
    echo = Echo(channel)
    channel.attach(echo.settled)
    screen.keys.send_text("slow tale\r")
    async with echo.at_work():
        run = asyncio.create_task(channel.run(ACCOUNT, echo.accept))
        await echo.streaming.wait()
        screen.keys.send_text("typed ahead\r\x03")
        await screen.shown.has("you said: typed ahead")
        screen.keys.send_text("\x04")
        await run
    assert [message.text for message in echo.accepted] == ["slow tale", "/stop", "typed ahead"]
    assert screen.text.count("you said: slow tale") == 1
    assert "parley › you said: slow tale\n\n(stopped)\n\n" in screen.text


async def test_a_talk_that_is_cancelled_at_the_prompt_ends(screen: Screen) -> None:
    channel = ConsoleChannel("ada", screen.terminal)
    echo = Echo(channel)
    channel.attach(echo.settled)
    run = asyncio.create_task(channel.run(ACCOUNT, echo.accept))
    await screen.shown.has("you › ")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await channel.send(OutboundMessage(place=PLACE, text="bye", key="bye"))
    assert screen.text.endswith("parley › bye\n\n")


async def test_a_program_on_a_pseudo_terminal(tmp_path: Path) -> None:
    async with on_terminal(tmp_path / "history") as (master, shown, program):
        await shown.has("you › ")
        assert "Parley 0.1.0 · model scripted" in shown.text
        assert "not a language model" in shown.text
        os.write(master, b"slow \xffone\r")
        await shown.has("you said: slow")
        os.write(master, b"\x03")
        await shown.has("(stopped)")
        os.write(master, b"quick\r")
        await shown.has("you said: quick\n\nyou › ")
        os.write(master, b"\x03")
        await shown.has("Ctrl-C again")
        os.write(master, b"\x03")
        assert await program.wait() == 0


@asynccontextmanager
async def on_terminal(history: Path) -> AsyncIterator[tuple[int, Shown, asyncio.subprocess.Process]]:
    """The talk as a program: the terminal's other end, what stands on it, the process."""
    master, slave = pty.openpty()
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.console.talk", str(history)),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        start_new_session=True,
    )
    os.close(slave)
    shown = Shown()
    loop = asyncio.get_running_loop()

    def collect() -> None:
        try:
            shown.write(os.read(master, 65_536).decode("utf-8", "replace"))
        except OSError:  # the program let go of the terminal
            loop.remove_reader(master)

    loop.add_reader(master, collect)
    try:
        yield master, shown, program
    finally:
        loop.remove_reader(master)
        os.close(master)
        if program.returncode is None:
            program.kill()
        await program.wait()
