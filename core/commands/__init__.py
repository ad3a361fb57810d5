"""Chat commands: one file per group, and here the table of them, in the order `/help` shows.

A new command is one entry here; menus of the channels follow by themselves.
"""

from collections.abc import Mapping

from core.commands import about, talk
from core.commands.command import Command, Desk, Reply, Request, Typed, parse
from core.messages import CommandOffer
from core.rows import Kind

__all__ = ["Command", "Desk", "Reply", "Request", "Typed", "commands", "kind_of", "parse"]


def commands() -> Mapping[str, Command]:
    """Every command by its name."""
    table = (
        ("start", "", "who I am and who can read what you write", about.start),
        ("help", "", "this list", about.help_),
        ("ask", "question", "ask me something, also where I only answer when spoken to", talk.ask),
        ("new", "", "begin a new conversation", talk.new),
        ("model", "name", "see or choose the model of this conversation", talk.model),
        ("usage", "", "how many tokens you used and what they cost", about.usage),
        ("history", "", "what was said last", about.history),
        ("stop", "", "stop the answer that is being written", talk.stop),
        ("retry", "", "answer my last question again", talk.retry),
        ("again", "", "show the last answer again", talk.again),
    )
    return {
        name: Command(
            offer=CommandOffer(name=name, argument=argument, summary=summary),
            run=run,
            starts_anew=run is talk.new,
        )
        for name, argument, summary, run in table
    }


def kind_of(text: str, known: Mapping[str, Command]) -> Kind:
    """How a text is to be taken. `/unknown` is a command too (it gets told so); `!unknown` is talk."""
    typed = parse(text)
    if typed is None or not (typed.sure or typed.name in known):
        return "message"
    return "stop" if typed.name == "stop" else "command"
