"""The table of all settings, drawn from the tree's fields: path, name in the environment, secret or not.

Whatever reads, shows or documents settings goes by this table: a new field is known everywhere at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One setting: `path` is "web.port", `environment` "PARLEY_WEB__PORT", `form` its JSON Schema."""

    path: str
    environment: str
    secret: bool
    description: str
    form: dict[str, Any]


def entries(tree: type[BaseModel]) -> tuple[Entry, ...]:
    """Every setting of the tree, in the order it is written in."""
    return tuple(_walk(tree))


def _walk(tree: type[BaseModel]) -> Iterator[Entry]:
    schema = tree.model_json_schema()
    for name, field in tree.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            forms = schema["$defs"][group.__name__]["properties"]
            for leaf, inner in group.model_fields.items():
                yield _entry(inner, f"{name}.{leaf}", f"PARLEY_{name}__{leaf}".upper(), forms[leaf])
        else:
            yield _entry(field, name, f"PARLEY_{name}".upper(), schema["properties"][name])


def _entry(field: FieldInfo, path: str, usual: str, form: dict[str, Any]) -> Entry:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return Entry(
        path=path,
        environment=str(extra.get("env", usual)),
        secret=bool(extra.get("secret", False)),
        description=field.description or "",
        form=form,
    )
