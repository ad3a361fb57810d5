"""The model that is always there: deterministic, offline, and plain about not being a language model.

It answers where neither a key nor an address is set, so that everything else can be seen working. It
repeats what was said, counts it, and works out a small sum.
"""

import asyncio
import operator
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from decimal import Decimal, DecimalException

from core.messages import Delta, Finish, Usage
from core.ports import ModelRequest, Tokens

NAME = "scripted"
INTRODUCTION = (
    "I am the scripted stand-in, not a language model: I only repeat, count and add up. "
    "Set `OPENAI_API_KEY` or `OPENAI_BASE_URL` and a real model answers here.\n\n"
)
QUOTED = 1000
"""Characters of a message that are repeated."""

NUMBER = r"-?\d{1,15}(?:\.\d{1,9})?"
# One operation that stands alone: parts of dates, versions, phone numbers and longer sums are none.
SUM = re.compile(
    rf"(?<![\w.+*/-])(?<![-+*/]\s)({NUMBER})\s*([-+*/])\s*({NUMBER})(?!\s*[-+*/]?\s*\.?\d)(?![\w])"
)
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


class ScriptedModel:
    """The port `ModelProvider` without a vendor. `word_seconds` is the pause after each word, so that a
    person sees the answer stream; 0 gives it as fast as it is read."""

    def __init__(self, *, tokens: Tokens, word_seconds: float = 0.0) -> None:
        self._tokens = tokens
        self._word_seconds = word_seconds

    async def answer(self, request: ModelRequest) -> AsyncGenerator[Delta | Finish, None]:
        """See `ModelProvider`. The same request always gets the same answer."""
        said = ""
        reason = "stop"
        for piece in _pieces(compose(request.messages), stream=request.stream):
            if said and self._tokens.count(said + piece) > request.max_tokens:
                reason = "length"
                break
            said += piece
            yield Delta(text=piece)
            if self._word_seconds:
                await asyncio.sleep(self._word_seconds)
        yield Finish(usage=self._usage(request, said), reason=reason, model=NAME)

    async def close(self) -> None:
        """Nothing is held open."""

    def _usage(self, request: ModelRequest, said: str) -> Usage:
        prompt = sum(self._tokens.count(message["content"]) for message in request.messages)
        return Usage(prompt=prompt, completion=self._tokens.count(said))


def compose(messages: Sequence[Mapping[str, str]]) -> str:
    """The whole answer to a conversation, CommonMark."""
    spoken = [message["content"] for message in messages if message["role"] == "user"]
    first = not any(message["role"] == "assistant" for message in messages)
    text = spoken[-1].strip() if spoken else ""
    return (INTRODUCTION if first else "") + (_sum(text) or _echo(text, len(spoken)))


def _sum(text: str) -> str:
    found = SUM.search(text)
    if not found:
        return ""
    left, sign, right = found.groups()
    try:
        result = OPERATIONS[sign](Decimal(left), Decimal(right))
    except DecimalException:
        return f"{left} {sign} {right} has no answer."
    return f"{left} {sign} {right} = {result.normalize():f}"


def _echo(text: str, messages: int) -> str:
    if not text:
        return "You said nothing that I can repeat."
    shown = text if len(text) <= QUOTED else text[:QUOTED] + "…"
    quote = "\n".join(f"> {line}" for line in shown.splitlines())
    words = _counted(len(text.split()), "word")
    return f"You said:\n\n{quote}\n\nThat is {words}, and I can see {_counted(messages, 'message')} of yours."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _pieces(text: str, *, stream: bool) -> list[str]:
    return re.findall(r"\S+\s*", text) if stream else [text]
