"""How a wrong setting is told: one line with its name as written, where it stood, and what is allowed.

A secret's value never stands in such a line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.entries import Entry
from config.redaction import redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value came from: `name` as it was written there, `where` as people call the place."""

    name: str
    where: str
    is_default: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.where})"


class SettingsError(Exception):
    """The settings cannot be used; `lines` has one sentence per mistake."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def in_words(error: ValidationError, known: tuple[Entry, ...], origins: Mapping[str, Origin]) -> list[str]:
    """One line for each setting that was refused."""
    by_path = {entry.path: entry for entry in known}
    told: dict[str, str] = {}
    for details in error.errors():
        path = _path_of(details, by_path)
        told.setdefault(path, _line(details, path, by_path.get(path), origins.get(path)))
    return list(told.values())


def unknown(origin: Origin, names: Iterable[str]) -> str:
    """The line for a name nobody knows, with the nearest that somebody does."""
    near = get_close_matches(origin.name, list(names), n=1, cutoff=0.5)
    return f"{origin}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _path_of(details: ErrorDetails, by_path: Mapping[str, Entry]) -> str:
    """The setting an error speaks of: pydantic's location may go on into lists and unions."""
    parts = [str(part) for part in details["loc"]]
    candidates = (".".join(parts[:length]) for length in (2, 1))
    return next((path for path in candidates if path in by_path), ".".join(parts))


def _line(details: ErrorDetails, path: str, entry: Entry | None, origin: Origin | None) -> str:
    if entry is None or origin is None:
        return f"{path} (config/default.toml): the value is missing; every default must stand there"
    shown = "this value" if entry.secret else _short(details["input"])
    return f"{origin}: {shown} is not allowed; allowed: {_allowed(details, entry.form)}"


def _short(value: object) -> str:
    text = redactor()(repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _allowed(details: ErrorDetails, form: Mapping[str, Any]) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    return allowed(form)


def allowed(form: Mapping[str, Any]) -> str:
    """A JSON Schema of one value, in words."""
    branches = [branch for branch in form.get("anyOf", [form]) if branch.get("type") != "null"]
    form = branches[0]
    if "enum" in form:
        return "one of " + ", ".join(map(str, form["enum"]))
    if form.get("type") in ("integer", "number"):
        return ("a whole number" if form["type"] == "integer" else "a number") + _bounds(form)
    lengths = (
        f" of {form.get('minLength', 0)} to {form['maxLength']} characters" if "maxLength" in form else ""
    )
    kinds = {"boolean": "true or false", "array": "names with commas between", "string": f"text{lengths}"}
    return kinds.get(str(form.get("type")), "a value of another kind")


def _bounds(form: Mapping[str, Any]) -> str:
    low = f" above {form['exclusiveMinimum']:g}" if "exclusiveMinimum" in form else ""
    low = f" from {form['minimum']}" if "minimum" in form else low
    return low + (f" to {form['maximum']}" if "maximum" in form else "")
