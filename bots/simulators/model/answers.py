"""What the simulated model says, and how its tokens are counted: a token is a word with the blanks before it.

By default it repeats the last user message, so an answer can be told from every other answer. It is no
language model and follows no instruction in a message.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Messages = Sequence[dict[str, Any]]
Answer = Callable[[Messages], str]
TOKEN = re.compile(r"\s*\S+|\s+\Z")


class AskedAnswer(BaseModel):
    """What to say from now on and how fast, as `POST /_sim/answer` takes it; at most one way of saying it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | None = None
    words: int | None = Field(default=None, ge=0, le=1_000_000)
    bytes: int | None = Field(default=None, ge=0, le=10_000_000)
    code_lines: int | None = Field(default=None, ge=1, le=100_000)
    latency: float | None = Field(default=None, ge=0, description="seconds before the first token")
    tokens_per_second: float | None = Field(default=None, gt=0)
    usage: Literal["asked", "never"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "AskedAnswer":
        given = [name for name in ("text", "words", "bytes", "code_lines") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} given; allowed: one of text, words, bytes, code_lines")
        return self

    def answer(self) -> Answer:
        """Return the answer asked for; the echo when none was."""
        said = self.text
        if self.words is not None:
            said = " ".join(f"word{number}" for number in range(1, self.words + 1))
        elif self.bytes is not None:
            said = ("lorem ipsum " * (self.bytes // 12 + 1))[: self.bytes]
        elif self.code_lines is not None:
            lines = "\n".join(f"value_{number} = {number}" for number in range(1, self.code_lines + 1))
            said = f"```python\n{lines}\n```"
        if said is None:
            return echo
        return lambda _: said


def echo(messages: Messages) -> str:
    """Return `echo: ` and the last user message."""
    last = next((text_of(message) for message in reversed(messages) if message.get("role") == "user"), "")
    return f"echo: {last}"


def text_of(message: dict[str, Any]) -> str:
    """Return a message's text, whether its content is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def tokens_of(text: str) -> list[str]:
    """Split into tokens that give the text again when joined."""
    return TOKEN.findall(text)


def count_prompt(messages: Messages) -> int:
    """Return the tokens of all messages; each costs one more for its role."""
    return sum(len(text_of(message).split()) + 1 for message in messages)
