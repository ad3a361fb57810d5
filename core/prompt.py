"""What the model is shown: instructions, as much of the talk as fits, and the question. Pure.

The oldest messages are left out first, and how many were is said. In a group every message of a
person carries its author's name, written by us: neither a name nor a text can pretend to be a message
of somebody else.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.messages import Prompt, Spoken
from core.ports import Tokens

PER_MESSAGE = 4
"""Tokens that the chat form itself takes for each message, on the safe side."""
NO_BRACKETS = str.maketrans("[]", "()")
FORGED = re.compile(r"(?<=[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])\[(?=[^\]\n\r]*\][ \t]*\S)")
"""What looks like our sign of an author at the start of a further line of a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLong:
    """The question alone does not fit: its tokens, and how many there may be."""

    tokens: int
    limit: int


def build(
    system: str, context: Sequence[Spoken], question: Sequence[Spoken], budget: int, tokens: Tokens
) -> Prompt | TooLong:
    """`budget` is in tokens, for all messages together; `context` is oldest first."""
    fixed = [{"role": "system", "content": system}] if system else []
    asked = [_say(spoken) for spoken in question]
    used = sum(_cost(message, tokens) for message in (*fixed, *asked))
    if used > budget:
        return TooLong(tokens=used, limit=budget)
    kept: list[Mapping[str, str]] = []
    for spoken in reversed(context):
        message = _say(spoken)
        used += _cost(message, tokens)
        if used > budget:
            used -= _cost(message, tokens)
            break
        kept.append(message)
    return Prompt(messages=(*fixed, *reversed(kept), *asked), tokens=used, left_out=len(context) - len(kept))


def _say(spoken: Spoken) -> Mapping[str, str]:
    if not spoken.author:
        return {"role": spoken.role, "content": spoken.content}
    name = " ".join(spoken.author.translate(NO_BRACKETS).split())[:64]
    return {"role": spoken.role, "content": f"[{name}] {FORGED.sub(_escape, spoken.content)}"}


def _escape(forged: re.Match[str]) -> str:
    return f"\\{forged[0]}"


def _cost(message: Mapping[str, str], tokens: Tokens) -> int:
    return tokens.count(message["content"]) + PER_MESSAGE
