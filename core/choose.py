"""Which model answers, under which instructions: from the narrowest setting to the widest.

Resolved conversation > user > chat > account > channel > default, and stamped with the version of the
configuration that was in force.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.messages import Place
from core.rows import ChannelConfig, Line, Waiting

WIDTHS = ("channel", "account", "chat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where nobody has set anything else. Models in the order in which they are tried."""

    models: tuple[str, ...]
    system_prompt: str
    answer_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a turn uses from here to its end, whatever is changed meanwhile."""

    models: tuple[str, ...]
    system_prompt: str
    answer_tokens: int
    config_version: int
    streams: bool = True


def choose(
    defaults: Defaults,
    configs: Sequence[ChannelConfig],
    line: Line,
    asked: Waiting,
    flags: Mapping[str, str] | None = None,
) -> Choice:
    """The first model is the chosen one; the default ones stand behind it. Of the channel's feature flags,
    `streaming` set to `off` shows an answer only when it is whole."""
    layers = [config for width in WIDTHS for config in configs if _covers(config, width, line.place)]
    prompt, tokens = defaults.system_prompt, defaults.answer_tokens
    for config in layers:
        prompt = config.settings.get("system_prompt", prompt)
        tokens = config.settings.get("answer_tokens", tokens)
    wanted = (
        line.model_override,
        asked.preferred_model,
        *(config.default_model for config in reversed(layers)),
    )
    return Choice(
        models=_in_order(next((name for name in wanted if name), None), defaults.models),
        system_prompt=prompt,
        answer_tokens=tokens,
        config_version=max((config.version for config in layers), default=0),
        streams=(flags or {}).get("streaming") != "off",
    )


def _covers(config: ChannelConfig, width: str, place: Place) -> bool:
    if config.scope != width or config.channel != place.channel:
        return False
    if width == "channel":
        return True
    return config.account_id == place.account_id and (width == "account" or config.chat == place.chat)


def _in_order(first: str | None, rest: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((first, *rest) if first else rest))
