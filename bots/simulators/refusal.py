"""How a simulator's own control calls say no: the field, what was wrong with it, what is allowed.

The refusals of the simulated platforms are apart from this: each has the real platform's form.
"""

from pydantic import ValidationError


class Refusal(ValueError):
    """A control call that cannot be done as asked; answered with 400 and this text."""


def refusal_of(error: ValidationError) -> Refusal:
    """Put a validation error into one line: field, reason, and the value that was given."""
    lines = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"]) or "body"
        lines.append(f"{where}: {problem['msg']} (given: {problem['input']!r:.80})")
    return Refusal("; ".join(lines))
