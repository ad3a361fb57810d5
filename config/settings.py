"""Every setting that needs a restart, as one frozen tree; `load` reads it.

Precedence: flag > environment > `.env` > `config/local.toml` > `config/default.toml`. The defaults stand in
`default.toml` and nowhere else. What may be set is `config.groups`' matter, how the places are read
`config.sources`', how a mistake is worded `config.mistakes`', how settings are shown `config.listing`'s.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.entries import Entry, entries
from config.groups import (
    Access,
    Context,
    Database,
    Discord,
    Limits,
    Log,
    Model,
    OpenAI,
    Presence,
    Redis,
    Session,
    Slack,
    Telegram,
    Turns,
    Web,
)
from config.mistakes import Origin, SettingsError, in_words
from config.sources import Layer, layers
from config.values import Folder, Lower, setting

__all__ = ["Settings", "SettingsError", "load"]

SCRIPTED = "scripted"


class Settings(BaseSettings):
    """The whole tree. `home` and every group are always there; secrets are `SecretStr`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Folder = setting(
        "Where the private servers keep their data; unset: the user's data folder.", env="PARLEY_HOME"
    )
    role: Annotated[Literal["all", "ingress", "worker", "web"], Lower] = setting(
        "What this process does: receive (ingress), answer (worker), serve its pages (web), or all.",
        env="PARLEY_ROLE",
    )
    database: Database
    redis: Redis
    openai: OpenAI
    model: Model
    turns: Turns
    limits: Limits
    context: Context
    session: Session
    presence: Presence
    telegram: Telegram
    discord: Discord
    slack: Slack
    web: Web
    access: Access
    log: Log

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only `load` reads the environment; `Settings(...)` takes what it is given."""
        return (init_settings,)

    def origin(self, path: str) -> Origin | None:
        """Where the value of `path` ("web.port") came from; None when nobody set it."""
        return self._origins.get(path)

    @property
    def default_model(self) -> str:
        """The model of who chose none: `scripted` when nobody named one and no API is known."""
        origin = self.origin("model.name")
        named = origin is not None and not origin.is_default
        return self.model.name if named or self.openai.api_key or self.openai.base_url else SCRIPTED

    @property
    def offered_models(self) -> tuple[str, ...]:
        """What /model offers, each once, the default first when nothing was listed."""
        return tuple(dict.fromkeys(self.model.offered or (self.default_model, *self.model.fallbacks)))

    def secrets(self) -> tuple[str, ...]:
        """The plain secret values, for the log's redaction and nothing else."""
        values = (value_at(self, entry.path) for entry in self.entries())
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    def without_accounts(self, *, keep_model: bool = False) -> Self:
        """The same settings: access open, no platform's token and, unless kept, no model's key or address.

        `chat`, `demo`, `torture` and tests run on these, so that they never touch a real account."""
        gone: dict[str, Any] = {
            "telegram": self.telegram.model_copy(update={"token": None}),
            "discord": self.discord.model_copy(update={"token": None}),
            "slack": self.slack.model_copy(
                update={"bot_token": None, "app_token": None, "signing_secret": None}
            ),
            "access": self.access.model_copy(update={"mode": "open"}),
        }
        if not keep_model:
            gone["openai"] = OpenAI()
        return self.model_copy(update=gone)

    @classmethod
    def entries(cls) -> tuple[Entry, ...]:
        return entries(cls)


def value_at(settings: Settings, path: str) -> Any:
    """The value at a dotted path; AttributeError when there is no such setting."""
    value: Any = settings
    for part in path.split("."):
        value = getattr(value, part)
    return value


def load(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
) -> Settings:
    """Read every place and return the settings, or raise `SettingsError` with one line per mistake.

    `flags` maps paths ("web.port") to values, None where the flag was not given. `.env` and
    `config/local.toml` are taken from the working directory, else from the folder that holds `config/`; when
    `cwd` is given, from there alone.
    """
    known = Settings.entries()
    found = layers(Settings, known, flags=flags or {}, environ=environ, cwd=cwd)
    origins = _origins(found)
    lines = [line for layer in found for line in layer.mistakes]
    try:
        built: dict[str, Any] = {"_build_sources": (found, {})}
        settings = Settings(**built)
    except ValidationError as error:
        lines += in_words(error, known, origins)
    if lines:
        # Outside the handler, so that pydantic's error, which knows the values, is not its context.
        raise SettingsError(lines)
    settings._origins = origins
    return settings


def _origins(found: tuple[Layer, ...]) -> dict[str, Origin]:
    return {path: origin for layer in reversed(found) for path, origin in layer.origins.items()}
