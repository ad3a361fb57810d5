"""What a turn will say: a command's reply, or what a model answers. Steps 5 to 7 of a turn.

It decides between the two and gathers what they need; how a model is asked is `core/generation.py`.
"""

from collections.abc import Sequence

from core.choose import Choice, choose
from core.commands import Desk, Reply, Request, parse
from core.gate import Refusal
from core.generation import Composition, Generation, Question
from core.house import House
from core.messages import Spoken
from core.observe import Step
from core.ports import Glance
from core.prompt import TooLong
from core.turn import Turn


class Response:
    """Finds what to say to the messages of a turn."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._generation = Generation(house)

    async def find(self, turn: Turn, glance: Glance) -> Composition | Refusal:
        """Raises whatever a store or a command raises; a model that fails is an apology."""
        choice = await self._choose(turn)
        reply = await self._command(turn, choice)
        if reply is not None and reply.ask is None:
            turn.kind = "command"
            return Composition(text=reply.text)
        question = await self._question(turn, glance, reply)
        outcome = await self._generation.generate(turn, choice, question)
        if not isinstance(outcome, TooLong):
            return outcome
        text = f"That message is too long: about {outcome.tokens:,} tokens; I take {outcome.limit:,} at most."
        return Refusal(reason="too_long", text=text)

    async def _choose(self, turn: Turn) -> Choice:
        with self._house.step(turn, Step.CHOOSE):
            house, line = self._house, turn.line
            flags = await house.state.flags(line.place.channel)
            choice = choose(house.defaults, house.configs(), line, turn.asked, flags)
        turn.config_version = choice.config_version
        return choice

    async def _command(self, turn: Turn, choice: Choice) -> Reply | None:
        """None for plain talk, which a command that was edited may be by now."""
        typed = None if turn.asked.kind == "message" else parse(turn.asked.message.text)
        if typed is None:
            return None
        command = self._house.commands.get(typed.name)
        if command is None:
            return Reply(text=f"I don't know the command `/{typed.name}`. `/help` lists those I know.")
        desk = Desk(
            records=self._house.records,
            clock=self._house.clock,
            model=choice.models[0],
            offered=self._house.offered,
            is_scripted=choice.models[0] == "scripted",
            commands=self._house.commands,
        )
        return await command.run(
            Request(lease=turn.lease, line=turn.line, asked=turn.asked, argument=typed.argument, desk=desk)
        )

    async def _question(self, turn: Turn, glance: Glance, reply: Reply | None) -> Question:
        known, rebuilt = glance.context, None
        if known is None:
            most = self._house.rules.context_messages
            known = rebuilt = tuple(await self._house.records.context(turn.line.conversation_id, most))
        return Question(
            said=turn.said((reply.ask or "") if reply else ""),
            context=_before_last_question(known) if reply is not None and reply.again else known,
            rebuilt=rebuilt,
        )


def _before_last_question(context: Sequence[Spoken]) -> tuple[Spoken, ...]:
    """The context as it was before the question that is asked again, which may be several messages."""
    end = len(context)
    while end and context[end - 1].role != "user":
        end -= 1
    while end and context[end - 1].role == "user":
        end -= 1
    return tuple(context[:end])
