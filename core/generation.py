"""From a question to what will be said: the prompt, the ledger's reservation, the model, the preview.

The second commit of a turn is here. What comes out is a `Composition`, which the engine makes true with
the third.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from uuid import UUID

from uuid_utils.compat import uuid7

from core.answer import Answer
from core.choose import Choice
from core.house import House
from core.messages import Prompt, Spoken
from core.observe import Step
from core.placeholder import Placeholder
from core.points import reach
from core.ports import Remembrance
from core.preview import Preview
from core.prompt import TooLong, build
from core.rows import CallRow, Mark, MessageRow, OpenCall, Part, Settlement, Writing
from core.turn import Turn

CUT = "\n\n*(cut off: the answer reached its longest length)*"
BROKEN = "\n\n*(cut off: the model stopped in the middle)*"
STOPPED = "\n\n*(stopped)*"
NOTHING_YET = "Stopped before there was anything to show."


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What a turn will say, and what becomes true with it. `text` None says nothing: what was said within
    the minute covers it."""

    text: str | None
    settlement: Settlement | None = None
    messages: tuple[MessageRow, ...] = ()
    remembrance: Remembrance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: the texts of the person, and the talk before them, oldest first. `rebuilt` is the
    whole talk where it had to come from Postgres, so that Redis is told all of it."""

    said: tuple[Spoken, ...]
    context: tuple[Spoken, ...]
    rebuilt: tuple[Spoken, ...] | None


class Generation:
    """Asks the model for one turn and shows the answer as it grows."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lanes: defaultdict[UUID, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def generate(self, turn: Turn, choice: Choice, question: Question) -> Composition | TooLong:
        """Raises `StoreError`; a model that fails is an apology, not an error."""
        house = self._house
        with house.step(turn, Step.PROMPT):
            budget = house.rules.context_tokens
            prompt = build(choice.system_prompt, question.context, question.said, budget, house.tokens)
        if isinstance(prompt, TooLong):
            return prompt
        with house.step(turn, Step.BEGIN):
            lane = self._lanes[turn.line.place.account_id]
            answer = await _Asking(house, turn, choice, prompt, lane).ask()
        return self._conclude(turn, question, prompt, answer)

    def _conclude(self, turn: Turn, question: Question, prompt: Prompt, answer: Answer) -> Composition:
        """What the person will read of what the model gave, and what is remembered of it."""
        text = _final_text(answer)
        turn.covers_stops = answer.stopped
        turn.error = str(answer.error) if answer.error else ""
        if answer.error is not None and not text:
            turn.kind, turn.end, text = "apology", "apologised", answer.error.public
        reply = Spoken(id=uuid7(), role="assistant", content=text) if answer.text else None
        usage = answer.settlement.usage
        return Composition(
            text=text,
            settlement=answer.settlement,
            messages=turn.transcript(
                question.said,
                reply,
                self._house.clock.now(),
                model=answer.model,
                tokens=(usage.prompt, usage.completion),
                left_out=prompt.left_out,
            ),
            remembrance=_remembrance(turn, question, reply, answer.model),
        )


class _Asking:
    """One turn's way to its model: what is reserved, and the preview that runs beside the model. Both begin
    when the second commit is durable."""

    def __init__(self, house: House, turn: Turn, choice: Choice, prompt: Prompt, lane: asyncio.Lock) -> None:
        self._house = house
        self._turn = turn
        self._choice = choice
        self._prompt = prompt
        self._lane = lane
        self._streams = choice.streams and turn.channel.traits.streaming != "none"
        self._placeholder = turn.begin_placeholder() if choice.streams else None
        self._preview: Preview | None = None
        if self._placeholder is not None:
            turn.parts = (*turn.parts, self._placeholder)

    async def ask(self) -> Answer:
        house, turn, left = self._house, self._turn, self._turn.open_call
        answer: Answer | None = None
        try:
            answer = await house.answering.ask(
                self._choice.models,
                self._prompt,
                answer_tokens=self._choice.answer_tokens,
                seconds=house.rules.turn_seconds,
                stream=self._streams,
                reserve=self._reserve,
                show=self._show,
                stopped=turn.stopped,
                owed=house.ledger.abandon(left, house.clock.now()) if left else None,
            )
        finally:
            await self._close_preview(whole=answer is not None)
        return answer

    async def _reserve(self, model: str, number: int, owed: Settlement | None) -> CallRow:
        house, turn, unfinished = self._house, self._turn, self._turn.work.unfinished
        call = house.ledger.reserve(
            call_id=uuid7(),
            turn_id=turn.id,
            line=turn.line,
            asked=turn.asked,
            model=model,
            attempt=number + 1 + (unfinished.calls if unfinished else 0),
            prompt_tokens=self._prompt.tokens,
            answer_tokens=self._choice.answer_tokens,
            now=house.clock.now(),
        )
        begins = self._preview is None
        await house.journal.write(
            Writing(
                lease=turn.lease,
                turn=turn.row("open"),
                takes=turn.taken,
                settlement=owed,
                call=call,
                parts=(self._placeholder,) if self._placeholder and begins else (),
            )
        )
        reach("T3")
        turn.open_call = OpenCall(id=call.id, model=call.model, reserved_prompt=call.reserved_prompt)
        self._preview = self._preview or self._open_preview()
        return call

    def _show(self, text: str) -> None:
        if self._preview is not None and self._streams:
            self._preview.show(text)

    def _open_preview(self) -> Preview:
        house, turn = self._house, self._turn

        async def record(part: Part, receipt: str) -> None:
            mark = Mark(part_id=part.id, state="sent", receipt=receipt)
            await house.journal.write(Writing(lease=turn.lease, marks=(mark,)))

        part, placeholder = turn.placeholder, None
        if part is not None and part.receipt is None:
            key = f"{turn.id.hex}.1.preview"
            placeholder = Placeholder(
                turn.channel,
                replace(turn.outbound(), text=part.body, key=key, reply_to=part.reply_to),
                part,
                record=record,
                prove=lambda: house.prove(turn.lease),
                lane=self._lane,
                clock=house.clock,
            )
        preview = Preview(
            turn.channel,
            turn.line.place,
            placeholder,
            part.receipt if part else None,
            house.metrics,
            sure=lambda: house.sure(turn.lease),
        )
        preview.open()
        return preview

    async def _close_preview(self, *, whole: bool) -> None:
        """On the way out of a failure the first error counts, not that of the preview."""
        preview, turn = self._preview, self._turn
        if preview is None:
            return
        try:
            receipt = await preview.close()
            turn.rests_until = preview.rests_until
            turn.late_edits |= preview.late_edits
        except Exception:
            if whole:
                raise
            return
        turn.parts = tuple(
            replace(part, receipt=receipt) if part.op == "preview" else part for part in turn.parts
        )


def _remembrance(turn: Turn, question: Question, reply: Spoken | None, model: str) -> Remembrance:
    added = (*question.said, reply) if reply else question.said
    return Remembrance(
        place=turn.line.place,
        conversation_id=turn.line.conversation_id,
        user_id=turn.asked.user_id,
        sender_id=turn.asked.message.sender.id,
        model=model,
        added=added,
        context=None if question.rebuilt is None else (*question.rebuilt, *added),
    )


def _final_text(answer: Answer) -> str:
    text = answer.text.strip()
    if answer.stopped:
        return text + STOPPED if text else NOTHING_YET
    if answer.error is not None:
        return text + BROKEN if text else ""
    return text + CUT if answer.cut else text
