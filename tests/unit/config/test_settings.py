"""Where settings come from, who wins, and what the tree makes of them."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from config.settings import Settings, load, value_at
from config.sources import data_folder


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    settings = load(environ={"HOME": "/home/ann"}, cwd=tmp_path)
    assert (settings.database.pool_size, settings.database.max_overflow) == (20, 10)
    assert settings.database.pool_recycle_seconds == 3600
    assert (settings.redis.pool_size, settings.redis.timeout_seconds) == (50, 5)
    assert (settings.turns.lease_seconds, settings.turns.drain_seconds) == (30, 25)
    assert (settings.model.first_token_seconds, settings.model.turn_seconds) == (20, 120)
    assert settings.limits.user_per_minute == 60
    assert (settings.context.messages, settings.context.ttl_seconds) == (20, 7200)
    assert settings.web.host == "127.0.0.1"
    assert settings.access.mode is None
    assert settings.database.url is settings.redis.url is settings.telegram.token is None


def test_each_place_wins_over_the_one_below(tmp_path: Path) -> None:
    def port(flag: int | None, variable: str) -> tuple[int | None, str]:
        settings = load({"web.port": flag}, environ={"PARLEY_WEB__PORT": variable}, cwd=tmp_path)
        return settings.web.port, str(settings.origin("web.port"))

    assert port(None, "") == (None, "None")
    write(tmp_path, "config/local.toml", "[web]\nport = 1001\n")
    assert port(None, "") == (1001, "web.port (config/local.toml)")
    write(tmp_path, ".env", "PARLEY_WEB__PORT=1002\n")
    assert port(None, "") == (1002, "PARLEY_WEB__PORT (.env)")
    assert port(None, "1003") == (1003, "PARLEY_WEB__PORT (environment)")
    assert port(1004, "1003") == (1004, "web.port (the command line)")


def test_places_are_merged_setting_by_setting(tmp_path: Path) -> None:
    write(tmp_path, "config/local.toml", '[log]\nlevel = "debug"\nformat = "json"\n')
    settings = load({"log.level": "ERROR"}, environ={"PARLEY_WEB__HOST": "0.0.0.0"}, cwd=tmp_path)
    assert (settings.log.level, settings.log.format) == ("error", "json")
    assert (settings.web.host, settings.web.port) == ("0.0.0.0", None)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("DATABASE_URL", "database.url", "postgresql://u:p@h:5/d"),
        ("DATABASE_URL", "database.url", "postgresql:///d?host=/run/postgres"),
        ("DATABASE_REPLICA_URL", "database.replica_url", "postgres://h1:5432,h2:5432/d"),
        ("REDIS_URL", "redis.url", "rediss://:p@h:6380/0"),
        ("REDIS_URL", "redis.url", "redis+sentinel://h1:26379,h2:26379/main"),
        ("REDIS_URL", "redis.url", "unix:///run/valkey.sock"),
        ("OPENAI_API_KEY", "openai.api_key", "sk-abc"),
        ("OPENAI_BASE_URL", "openai.base_url", "http://127.0.0.1:1234/v1"),
        ("DISCORD_TOKEN", "discord.token", "a.b.c"),
        ("DISCORD_API_URL", "discord.api_url", "http://127.0.0.1:1/api/v10"),
        ("DISCORD_GATEWAY_URL", "discord.gateway_url", "ws://127.0.0.1:1"),
        ("TELEGRAM_TOKEN", "telegram.token", "1:a"),
        ("TELEGRAM_API_URL", "telegram.api_url", "http://127.0.0.1:1/x"),
        ("SLACK_BOT_TOKEN", "slack.bot_token", "xoxb-1"),
        ("SLACK_APP_TOKEN", "slack.app_token", "xapp-1"),
        ("SLACK_SIGNING_SECRET", "slack.signing_secret", "abc"),
        ("SLACK_API_URL", "slack.api_url", "https://slack-gov.com/api"),
        ("PARLEY_MODEL", "model.name", "gpt-x"),
        ("PARLEY_ACCESS", "access.mode", "allowlist"),
        ("PARLEY_LOG__FORMAT", "log.format", "json"),
    ],
)
def test_names_people_know(tmp_path: Path, name: str, path: str, value: str) -> None:
    read = value_at(load(environ={name: value}, cwd=tmp_path), path)
    assert (read.get_secret_value() if isinstance(read, SecretStr) else read) == value


def test_every_secret_can_be_read_from_a_file(tmp_path: Path) -> None:
    secrets = [entry for entry in Settings.entries() if entry.secret]
    assert len(secrets) == 9
    write(tmp_path, "url", "redis://:pw@h/0\n")
    write(tmp_path, "dsn", "postgresql://u:pw@h/d\n")
    write(tmp_path, "token", "  abc123\n")
    files = {"redis.url": "url", "database.url": "dsn", "database.replica_url": "dsn"}
    variables = {f"{e.environment}_FILE": str(tmp_path / files.get(e.path, "token")) for e in secrets}
    settings = load(environ=variables, cwd=tmp_path)
    for entry in secrets:
        expected = (tmp_path / files.get(entry.path, "token")).read_text().strip()
        assert value_at(settings, entry.path).get_secret_value() == expected
        assert str(settings.origin(entry.path)) == f"{entry.environment}_FILE (environment)"


def test_a_secret_file_may_be_named_in_toml_and_relative(tmp_path: Path) -> None:
    write(tmp_path, "config/local.toml", '[telegram]\ntoken_file = "token"\n')
    write(tmp_path, "token", "1:a\n")
    token = load(environ={}, cwd=tmp_path).telegram.token
    assert token is not None
    assert token.get_secret_value() == "1:a"


def test_exactly_the_secrets_are_secret_strings(tmp_path: Path) -> None:
    for entry in Settings.entries():
        branches = entry.form.get("anyOf", [entry.form])
        assert entry.secret == any(branch.get("writeOnly", False) for branch in branches), entry.path


def test_a_dollar_in_a_password_means_itself(tmp_path: Path) -> None:
    write(tmp_path, ".env", "SLACK_SIGNING_SECRET='a${HOME}b'\n")
    secret = load(environ={"HOME": "/x"}, cwd=tmp_path).slack.signing_secret
    assert secret is not None
    assert secret.get_secret_value() == "a${HOME}b"


def test_without_cwd_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, ".env", "PARLEY_WEB__PORT=1234\n")
    assert load(environ={}).web.port == 1234


@pytest.mark.parametrize(
    ("variables", "model", "offered"),
    [
        ({}, "scripted", ("scripted",)),
        ({"OPENAI_API_KEY": "sk-1"}, "gpt-5-mini", ("gpt-5-mini",)),
        ({"OPENAI_BASE_URL": "http://h/v1"}, "gpt-5-mini", ("gpt-5-mini",)),
        ({"PARLEY_MODEL": "mine"}, "mine", ("mine",)),
        ({"PARLEY_MODEL": "a", "PARLEY_MODEL__FALLBACKS": "b, a,c"}, "a", ("a", "b", "c")),
        ({"PARLEY_MODEL": "a", "PARLEY_MODEL__OFFERED": "x,y"}, "a", ("x", "y")),
    ],
)
def test_the_default_model(
    tmp_path: Path, variables: Mapping[str, str], model: str, offered: tuple[str, ...]
) -> None:
    settings = load(environ=variables, cwd=tmp_path)
    assert (settings.default_model, settings.offered_models) == (model, offered)


def test_the_port_tells_set_from_default(tmp_path: Path) -> None:
    unset, usual = load(environ={}, cwd=tmp_path), load({"web.port": 8080}, environ={}, cwd=tmp_path)
    assert (unset.web.port, unset.web.first_port) == (None, 8080)
    assert (usual.web.port, usual.web.first_port) == (8080, 8080)
    assert load({"web.port": 0}, environ={}, cwd=tmp_path).web.first_port == 0


def test_who_is_allowed(tmp_path: Path) -> None:
    pairs = (("telegram", "123"), ("discord", "456"))
    assert load(environ={"PARLEY_ALLOW": " Telegram:123, discord:456 ,"}, cwd=tmp_path).access.allow == pairs
    write(tmp_path, "config/local.toml", '[access]\nallow = ["telegram:123", "discord:456"]\n')
    assert load(environ={}, cwd=tmp_path).access.allow == pairs


def test_the_data_folder() -> None:
    home = {"HOME": "/home/ann"}
    usual = data_folder(home)
    assert usual.is_relative_to("/home/ann")
    assert usual.name == "parley"
    assert data_folder(home | {"XDG_DATA_HOME": "not/absolute"}) == usual


def test_home_is_told_or_the_users(tmp_path: Path) -> None:
    assert load(environ={"PARLEY_HOME": "/srv/p"}, cwd=tmp_path).home == Path("/srv/p")
    assert load(environ={"HOME": "/home/ann"}, cwd=tmp_path).home == data_folder({"HOME": "/home/ann"})


def test_the_tree_is_frozen_and_hides_its_secrets(tmp_path: Path) -> None:
    settings = load(
        environ={"TELEGRAM_TOKEN": "1:hush", "DATABASE_URL": "postgresql://u:hush@h/d"}, cwd=tmp_path
    )
    with pytest.raises(ValidationError):
        settings.web.port = 1
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert settings.secrets() == ("postgresql://u:hush@h/d", "1:hush")


def test_nothing_but_load_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("WEB", '{"port": 1}')
    with pytest.raises(ValidationError, match="home\n  Field required"):
        Settings()  # type: ignore[call-arg]


def test_without_accounts_no_real_account_can_be_touched(tmp_path: Path) -> None:
    names = ("TELEGRAM_TOKEN", "DISCORD_TOKEN", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")
    variables = dict.fromkeys(names, "abc") | {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://h/v1"}
    settings = load(environ=variables, cwd=tmp_path)
    bare, chat = settings.without_accounts(), settings.without_accounts(keep_model=True)
    assert bare.secrets() == ()
    assert (bare.default_model, bare.openai.base_url, bare.access.mode) == ("scripted", None, "open")
    assert chat.secrets() == ("sk-1",)
    assert (chat.default_model, chat.openai.base_url) == ("gpt-5-mini", "http://h/v1")
    assert len(settings.secrets()) == 6
