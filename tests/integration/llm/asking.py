"""Asking a provider and keeping what it gave, for the tests of this folder."""

from dataclasses import dataclass, field

from core.errors import ModelError
from core.messages import Delta, Finish
from core.ports import ModelProvider, ModelRequest


def request(*, stream: bool = True, text: str = "hello") -> ModelRequest:
    return ModelRequest(
        model="gpt-5-mini", messages=({"role": "user", "content": text},), max_tokens=100, stream=stream
    )


@dataclass(slots=True)
class Outcome:
    """All that a call gave: the text, and either its finish or its error."""

    texts: list[str] = field(default_factory=list)
    finish: Finish | None = None
    error: ModelError | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)


async def ask(model: ModelProvider, what: ModelRequest | None = None) -> Outcome:
    outcome = Outcome()
    try:
        async for piece in model.answer(what or request()):
            assert outcome.finish is None, "something came after the finish"
            if isinstance(piece, Delta):
                outcome.texts.append(piece.text)
            else:
                outcome.finish = piece
    except ModelError as error:
        outcome.error = error
    return outcome
