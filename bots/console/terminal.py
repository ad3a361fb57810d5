"""The console on a terminal: a prompt with history, colours, and answers that grow while they come.

Markdown is shown as it is written: a text that is printed on as it grows cannot be laid out again. While
an answer is on its way the keys are read here, so that nothing is echoed into it: Ctrl-C interrupts, and
what else is typed stands in the next prompt.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Literal

from prompt_toolkit import PromptSession
from prompt_toolkit.application import in_terminal
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style

from bots.console.text import printable, typed

_STYLE = Style.from_dict({"you": "bold ansigreen", "bot": "bold ansicyan", "note": "ansibrightblack"})
_YOU: StyleAndTextTuples = [("class:you", "you › ")]
_BOT = ("class:bot", "parley › ")


class Terminal:
    """`Streams` over a terminal. `history` is a file that only its owner may read, made when missing."""

    def __init__(self, history: Path, *, source: Input | None = None, target: Output | None = None) -> None:
        self._prompt: PromptSession[str] = PromptSession(
            history=_History(history), style=_STYLE, input=source, output=target
        )
        self._shown: str | None = None  # what stands of an answer that is still growing

    @property
    def streaming(self) -> Literal["draft"]:
        return "draft"

    async def read(self) -> str | None:
        leaving = False
        with self._prompt.input.raw_mode():  # also between two prompts: no Ctrl-C becomes a signal there
            while True:
                try:
                    text = typed(await self._prompt.prompt_async(_YOU))
                except EOFError:
                    return None
                except KeyboardInterrupt:
                    if leaving:
                        return None
                    leaving = True
                    await self.note("Ctrl-C again, or Ctrl-D, leaves.")
                    continue
                if text.strip():
                    return text
                leaving = False

    async def say(self, text: str) -> None:
        text = printable(text)
        async with in_terminal():
            shown, self._shown = self._shown, None
            if shown is not None and len(shown) > len(text) and shown.startswith(text):
                self._shown = shown[len(text) :]  # the growing text was cut; the rest comes next
            else:
                self._print_on(shown, text, end="\n\n")

    async def grow(self, text: str) -> None:
        text = printable(text)
        if text and not self._prompt.app.is_running:
            self._print_on(self._shown, text)
            self._shown = text

    async def note(self, text: str) -> None:
        async with in_terminal():
            start = "" if self._shown is None else "\n"
            self._shown = None
            self._print([("class:note", f"{start}{printable(text)}\n")])

    async def stop_asked(self) -> None:
        asked = asyncio.Event()
        async with self._keys(asked):
            await asked.wait()

    def _print_on(self, shown: str | None, text: str, end: str = "") -> None:
        """Print what is missing; a text that goes on otherwise than what stands there starts anew below."""
        if shown is not None and text.startswith(shown):
            self._print([("", text[len(shown) :] + end)])
            return
        self._print([("", "" if shown is None else "\n"), _BOT, ("", text + end)])

    def _print(self, fragments: StyleAndTextTuples) -> None:
        print_formatted_text(self._prompt.output, fragments, _STYLE)

    @contextlib.asynccontextmanager
    async def _keys(self, asked: asyncio.Event) -> AsyncIterator[None]:
        source = self._prompt.input
        kept: list[KeyPress] = []

        def sort(keys: Iterable[KeyPress]) -> None:
            for key in keys:
                asked.set() if key.key == Keys.ControlC else kept.append(key)

        with source.raw_mode(), source.attach(lambda: sort(source.read_keys())):
            try:
                yield
            finally:
                sort(source.flush_keys())
                store_typeahead(source, kept)


class _History(FileHistory):
    """What was typed, in a file for its owner's eyes. A disk that refuses never stops the talk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    def load_history_strings(self) -> Iterable[str]:
        with contextlib.suppress(OSError):
            yield from super().load_history_strings()

    def append_string(self, string: str) -> None:
        if string.strip():
            super().append_string(string)

    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):
            super().store_string(string)
