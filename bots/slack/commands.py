"""Commands as Slack has them: it keeps `/` for itself, so one command of ours takes all the others.

`/parley name ...` is the command `/name ...`, `/parley` with any other text asks it; a payload whose own
command is a known name is that command. The menu comes with the app's manifest, not by a call.
https://docs.slack.dev/interactivity/implementing-slash-commands
"""

import re
from collections.abc import Container

TYPED = re.compile(r"([/!])([A-Za-z][A-Za-z0-9_]*)(?!\S)")


def typed_form(command: str, text: str, known: Container[str]) -> str:
    """What a person would have typed elsewhere for this use of a slash command."""
    own, text = command.removeprefix("/").lower(), text.strip()
    if own in known:
        return f"/{own} {text}".rstrip()
    name, _, argument = text.partition(" ")
    name = name.removeprefix("/").removeprefix("!").lower()
    if name in known:
        return f"/{name} {argument.strip()}".rstrip()
    return f"/ask {text}" if text else "/help"


def is_known(text: str, known: Container[str]) -> bool:
    """Is a text that names nobody a command of ours all the same?"""
    found = TYPED.match(text)
    return found is not None and found[2].lower() in known
