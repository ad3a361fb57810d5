"""What belongs to `parley chat` alone: whose talk it is, on which streams, and the words above the prompt.

The talk itself is the console channel's, and wiring it to a gateway the composition root's.
"""

import contextlib
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bots.console.pipe import Pipe
from bots.console.streams import Streams

if TYPE_CHECKING:
    from rich.text import Text


def os_user() -> str:
    """The name of the account this process runs under; its number where the system has no name for it."""
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    with contextlib.suppress(ImportError, KeyError, OSError):
        return getpass.getuser()
    return f"uid-{os.getuid()}"


def open_streams(history: Path) -> Streams:
    """A terminal where a person sits at both ends, else pipes. `history` is used by a terminal only."""
    if on_terminal():
        from bots.console.terminal import Terminal

        return Terminal(history)
    return Pipe(*(_descriptor(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)))


def on_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def greet(*, version: str, model: str) -> None:
    """Print what this is and how to get on; nothing where the output is not a terminal."""
    if on_terminal():
        from rich.console import Console

        Console(highlight=False).print(banner(version=version, model=model))


def banner(*, version: str, model: str) -> "Text":
    """The words above the first prompt."""
    from rich.text import Text

    lines = Text.assemble(("Parley", "bold cyan"), f" {version} · model {model}\n")
    if model == "scripted":
        lines.append(
            "This is a script, not a language model. Set OPENAI_API_KEY or OPENAI_BASE_URL for a real one.\n",
            "yellow",
        )
    lines.append("/help lists the commands · Ctrl-C stops an answer · Ctrl-D leaves\n", "bright_black")
    return lines


def _descriptor(stream: TextIO | None) -> int:
    return os.open(os.devnull, os.O_RDWR) if stream is None else stream.fileno()
