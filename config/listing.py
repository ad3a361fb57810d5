"""Settings as a reader sees them: what counts now and where it came from, the schema, the example `.env`.

Secrets are hidden in each; of a URL that holds one, the host stays readable.
"""

import json
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import SecretStr

from config.mistakes import Origin
from config.redaction import HIDDEN, hide_user
from config.settings import Settings, value_at
from config.sources import HERE

EXAMPLE_HEAD = """\
# Every setting that the environment or a `.env` file can hold; copy this file to `.env` and fill in what you
# need. An empty value counts as unset; a line that is commented out shows the default. For each secret,
# `<NAME>_FILE` may name a file to read it from instead, as in TELEGRAM_TOKEN_FILE=/run/secrets/telegram.
# Order: flag > environment > .env > config/local.toml > config/default.toml.
"""


class Row(NamedTuple):
    """One setting: its path, its value as text fit to be shown ("" when unset), and where that came from."""

    name: str
    value: str
    origin: str


def show(settings: Settings) -> list[Row]:
    """All settings, secrets hidden, each with the place that decided it."""
    rows = []
    for entry in Settings.entries():
        value = value_at(settings, entry.path)
        rows.append(Row(entry.path, shown(value), _place(settings.origin(entry.path), entry.path)))
    return rows


def _place(origin: Origin | None, path: str) -> str:
    if origin is None:
        return "unset"
    return origin.where if origin.name == path else str(origin)


def shown(value: Any) -> str:
    """A value as the environment would hold it, without what nobody may read."""
    if isinstance(value, SecretStr):
        plain = value.get_secret_value()
        return hide_user(plain) if "://" in plain else HIDDEN
    text = _written(value)
    return hide_user(text) if "://" in text and " " not in text else text


def schema() -> dict[str, Any]:
    """The JSON Schema of `config/local.toml`, with each setting's default and its name in the environment."""
    whole = Settings.model_json_schema()
    defaults = _defaults()
    for entry in Settings.entries():
        group, _, leaf = entry.path.rpartition(".")
        owner = whole["$defs"][_definition(whole, group)] if group else whole
        form = owner["properties"][leaf]
        form.pop("secret", None)
        form["env"] = entry.environment
        if entry.path in defaults:
            form["default"] = defaults[entry.path]
        if entry.secret:
            file = {"type": "string", "description": f"A file that holds {leaf} instead."}
            owner["properties"][f"{leaf}_file"] = file
        owner.pop("required", None)  # the defaults fill what a file leaves out
    whole.pop("required", None)
    return whole


def example() -> str:
    """The text of `.env.example`."""
    return EXAMPLE_HEAD + "".join(_example_lines())


def _example_lines() -> Iterator[str]:
    defaults = _defaults()
    group = ""
    for entry in Settings.entries():
        if entry.path.rpartition(".")[0] != group:
            group = entry.path.rpartition(".")[0]
            yield f"\n# --- {group} ---\n"
        yield f"\n# {entry.description}\n"
        if entry.path in defaults:
            yield f"# {entry.environment}={_quoted(_written(defaults[entry.path]))}\n"
        else:
            yield f"{entry.environment}=\n"


def _defaults() -> dict[str, Any]:
    read = tomllib.loads((HERE / "default.toml").read_text(encoding="utf-8"))
    tables = {name: value for name, value in read.items() if isinstance(value, dict)}
    grouped = {f"{group}.{name}": value for group, table in tables.items() for name, value in table.items()}
    return {name: value for name, value in read.items() if name not in tables} | grouped


def _definition(whole: dict[str, Any], group: str) -> str:
    return str(whole["properties"][group]["$ref"]).rpartition("/")[2]


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(":".join(item) if isinstance(item, tuple) else str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if " " in text else text
