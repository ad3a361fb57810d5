"""Conversation > user > chat > account > channel > default, and the version that was in force."""

from typing import Any
from uuid import UUID

import pytest

from core.choose import Choice, Defaults, choose
from core.rows import ChannelConfig
from tests.unit.core.samples import ACCOUNT, line, waiting

DEFAULTS = Defaults(models=("standard", "spare"), system_prompt="default prompt", answer_tokens=100)


def config(scope: Any, model: str | None = None, version: int = 1, **more: Any) -> ChannelConfig:
    account_id = None if scope == "channel" else more.pop("account_id", ACCOUNT)
    chat = more.pop("chat", "77") if scope == "chat" else None
    channel = more.pop("channel", "telegram")
    return ChannelConfig(
        channel=channel, scope=scope, account_id=account_id, chat=chat, default_model=model, settings=more,
        version=version,
    )  # fmt: skip


ALL = [config("chat", "of chat", 3), config("account", "of account", 9), config("channel", "of channel", 2)]


def chosen(
    configs: list[ChannelConfig], *, override: str | None = None, preferred: str | None = None
) -> Choice:
    return choose(DEFAULTS, configs, line(model_override=override), waiting("hi", preferred_model=preferred))


@pytest.mark.parametrize(
    ("configs", "override", "preferred", "expected"),
    [
        (ALL, "of conversation", "of user", "of conversation"),
        (ALL, None, "of user", "of user"),
        (ALL, None, None, "of chat"),
        (ALL[1:], None, None, "of account"),
        (ALL[2:], None, None, "of channel"),
        ([], None, None, "standard"),
        ([config("chat"), *ALL[1:]], None, None, "of account"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_narrowest_wins(
    configs: list[ChannelConfig], override: str | None, preferred: str | None, expected: str, turned: bool
) -> None:
    rows = configs[::-1] if turned else configs
    models = chosen(rows, override=override, preferred=preferred).models
    assert models[0] == expected
    assert [name for name in models if name != expected] == [
        name for name in DEFAULTS.models if name != expected
    ]


def test_the_default_behind_itself_is_not_asked_twice() -> None:
    assert chosen([], override="spare").models == ("spare", "standard")


def test_prompt_and_length_come_from_the_narrowest_that_says_so() -> None:
    rows = [config("channel", system_prompt="wide", answer_tokens=7), config("chat", system_prompt="narrow")]
    for order in (rows, rows[::-1]):
        choice = chosen(order)
        assert (choice.system_prompt, choice.answer_tokens) == ("narrow", 7)


def test_other_chats_accounts_and_channels_do_not_count() -> None:
    others = [
        config("chat", "x", chat="78", version=50),
        config("chat", "x", account_id=UUID(int=99), version=50),
        config("account", "x", account_id=UUID(int=99), version=50),
        config("channel", "x", channel="slack", version=50),
    ]
    assert chosen(others) == Choice(
        models=DEFAULTS.models, system_prompt="default prompt", answer_tokens=100, config_version=0
    )


def test_the_newest_version_in_force_is_stamped() -> None:
    assert chosen(ALL).config_version == 9
