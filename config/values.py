"""The kinds of value a setting may have, and how a field of the tree is declared.

Each kind checks itself and, when it refuses, says what *is* allowed; the refused value never stands in that
sentence, so that a secret cannot leak through it. Which settings exist is `config.settings`' matter.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema
from pydantic_core import PydanticUndefined

LOCAL = ("unix", "postgresql", "postgres", "postgresql+asyncpg")


def setting(
    description: str, *, default: Any = PydanticUndefined, env: str | None = None, **bounds: Any
) -> Any:
    """A field with its description. Without `default`, `config/default.toml` must hold its value.

    `env` is the name people know it by; without one it is `PARLEY_<GROUP>__<NAME>`."""
    extra: dict[str, Any] | None = {"env": env} if env else None
    return Field(default=default, description=description, json_schema_extra=extra, **bounds)


def secret(description: str, *, env: str | None = None) -> Any:
    """A field that is unset by default, never shown, and may be read from a file: `<NAME>_FILE`."""
    extra: dict[str, Any] = {"secret": True} | ({"env": env} if env else {})
    return Field(default=None, description=description, json_schema_extra=extra)


def _one_word(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError("one word, without spaces or line breaks inside")
    return value


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    """Whether scheme and place are there; a store's place may be several hosts, or a socket without one."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    has_place = bool(parts.netloc) or (parts.scheme in LOCAL and bool(parts.path))
    return parts.scheme in schemes and has_place and not any(c.isspace() for c in text)


def _url(*schemes: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not _is_url(value, schemes):
            raise ValueError("a URL that starts with " + " or ".join(f"{scheme}://" for scheme in schemes))
        return value.rstrip("/")

    return check


def _secret_url(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    check = _url(*schemes)

    def inner(value: SecretStr) -> SecretStr:
        check(value.get_secret_value())
        return value

    return inner


def _split(value: object) -> object:
    """`a, b` as people write it in the environment; a TOML list passes as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    parts = _split(value)
    sentence = "channel:user pairs with commas between, such as telegram:123,discord:456"
    if not isinstance(parts, list | tuple):
        raise ValueError(sentence)
    pairs = [part.partition(":") if isinstance(part, str) else ("", "", "") for part in parts]
    if not all(channel.strip() and user.strip() for channel, _, user in pairs):
        raise ValueError(sentence)
    return tuple((channel.strip().lower(), user.strip()) for channel, _, user in pairs)


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Secret = Annotated[SecretStr, AfterValidator(_one_word)]
PostgresURL = Annotated[
    SecretStr, AfterValidator(_secret_url("postgresql", "postgres", "postgresql+asyncpg"))
]
RedisURL = Annotated[
    SecretStr,
    AfterValidator(
        _secret_url(
            "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"
        )
    ),
]
HttpURL = Annotated[str, AfterValidator(_url("https", "http"))]
SocketURL = Annotated[str, AfterValidator(_url("wss", "ws"))]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Pairs = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_pairs),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": "^[^:]+:.+$"}}),
]
Word = Annotated[str, Field(min_length=1, max_length=200)]
Lower = BeforeValidator(_lower)
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
WholeSeconds = Annotated[int, Field(ge=1, le=31 * 86_400)]
Folder = Annotated[Path, AfterValidator(Path.expanduser)]
