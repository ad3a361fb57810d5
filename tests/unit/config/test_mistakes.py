"""A wrong setting is one clear line: its name as written, where it stood, what is allowed, no secret."""

import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.settings import SettingsError, load


def mistakes(cwd: Path, **variables: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(environ=variables, cwd=cwd)
    return caught.value.lines


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PARLEY_WEB__PORT", "abc", "'abc' is not allowed; allowed: a whole number from 0 to 65535"),
        ("PARLEY_WEB__PORT", "65536", "'65536' is not allowed; allowed: a whole number from 0 to 65535"),
        ("PARLEY_TURNS__POLL_SECONDS", "nan", "'nan' is not allowed; allowed: a number above 0 to 86400"),
        ("PARLEY_TURNS__LEASE_SECONDS", "0", "'0' is not allowed; allowed: a number from 1 to 3600"),
        ("PARLEY_TELEGRAM__STREAM", "perhaps", "'perhaps' is not allowed; allowed: true or false"),
        ("PARLEY_ACCESS", "closed", "'closed' is not allowed; allowed: one of open, allowlist"),
        ("PARLEY_LOG__LEVEL", "loud", "'loud' is not allowed; allowed: one of debug, info, warning, error"),
        (
            "OPENAI_BASE_URL",
            "h/v1",
            "'h/v1' is not allowed; allowed: a URL that starts with https:// or http://",
        ),
        (
            "PARLEY_ALLOW",
            "ann",
            "'ann' is not allowed; allowed: channel:user pairs with commas between, "
            "such as telegram:123,discord:456",
        ),
        (
            "PARLEY_MODEL",
            "m" * 201,
            "'" + "m" * 56 + "... is not allowed; allowed: text of 1 to 200 characters",
        ),
    ],
)
def test_a_wrong_value(tmp_path: Path, name: str, value: str, line: str) -> None:
    assert mistakes(tmp_path, **{name: value}) == (f"{name} (environment): {line}",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root:hush@h/d"),
        ("REDIS_URL", "hush"),
        ("REDIS_URL", "redis://:hu sh@h"),
        ("TELEGRAM_TOKEN", "1:hush hush"),
        ("SLACK_SIGNING_SECRET", "hush\nhush"),
        ("OPENAI_BASE_URL", "ftp://me:hush@h"),
    ],
)
def test_a_secret_is_never_shown(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={name: value}, cwd=tmp_path)
    (line,) = caught.value.lines
    assert line.startswith(f"{name} (environment): ")
    assert "is not allowed; allowed: " in line
    everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "hush" not in everything
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("PARLEY_WEB__PROT", "PARLEY_WEB__PORT"),
        ("PARLEY_TURNS_LEASE_SECONDS", "PARLEY_TURNS__LEASE_SECONDS"),
        ("PARLEY_TELEGRAM__TOKEN", "TELEGRAM_TOKEN"),
        ("PARLEY_MODEL__NAME", "PARLEY_MODEL"),
        ("PARLEY_HOMES", "PARLEY_HOME"),
    ],
)
def test_an_unknown_variable_names_the_nearest(tmp_path: Path, name: str, nearest: str) -> None:
    line = f"{name} (environment): there is no such setting; did you mean {nearest}?"
    assert mistakes(tmp_path, **{name: "1"}) == (line,)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    links: Mapping[str, str] = {
        "PARLEY_SERVICE_HOST": "10.0.0.1",
        "PARLEY_SERVICE_PORT": "8080",
        "PARLEY_SERVICE_PORT_HTTP": "8080",
        "PARLEY_PORT": "tcp://10.0.0.1:8080",
        "PARLEY_PORT_8080_TCP_ADDR": "10.0.0.1",
        "SOMEBODY_ELSES": "1",
    }
    assert load(environ=links, cwd=tmp_path).web.port is None
    assert mistakes(tmp_path, PARLEY_PORT="9000")[0].startswith("PARLEY_PORT (environment): there is no such")


def test_files_are_read_as_strictly(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PARLEY_WEB__PROT=1\nPARLEY_WEB__PORT=x\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "local.toml").write_text(
        'colour = "red"\n[telegram]\ntokn = "x"\n[log]\nlevel = 3\n'
    )
    assert mistakes(tmp_path) == (
        "PARLEY_WEB__PROT (.env): there is no such setting; did you mean PARLEY_WEB__PORT?",
        "colour (config/local.toml): there is no such setting",
        "telegram.tokn (config/local.toml): there is no such setting; did you mean telegram.token?",
        "PARLEY_WEB__PORT (.env): 'x' is not allowed; allowed: a whole number from 0 to 65535",
        "log.level (config/local.toml): 3 is not allowed; allowed: one of debug, info, warning, error",
    )


@pytest.mark.parametrize("text", ["web = 3\n", "[web.port]\nx = 1\n", "[[web]]\nport = 1\n"])
def test_a_table_in_the_wrong_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "local.toml").write_text(text)
    (line,) = mistakes(tmp_path)
    assert line.startswith("web")
    assert "(config/local.toml): " in line


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "local.toml").write_text("[web\n")
    (line,) = mistakes(tmp_path)
    assert line.startswith("config/local.toml: cannot be read as TOML: ")
    assert "line 1" in line


def test_an_unknown_flag(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"web.prot": None}, environ={}, cwd=tmp_path)
    assert caught.value.lines == (
        "web.prot (the command line): there is no such setting; did you mean web.port?",
    )


def test_secret_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "large").write_text("a" * 65_537)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert mistakes(
        tmp_path,
        TELEGRAM_TOKEN_FILE=str(tmp_path / "absent"),
        DISCORD_TOKEN_FILE=str(tmp_path / "empty"),
        SLACK_BOT_TOKEN_FILE=str(tmp_path / "large"),
        SLACK_APP_TOKEN_FILE=str(tmp_path / "binary"),
    ) == (
        f"TELEGRAM_TOKEN_FILE (environment): cannot read '{tmp_path}/absent': No such file or directory",
        f"DISCORD_TOKEN_FILE (environment): '{tmp_path}/empty' is empty or too large; "
        "allowed: 1 to 65536 bytes of text",
        f"SLACK_BOT_TOKEN_FILE (environment): '{tmp_path}/large' is empty or too large; "
        "allowed: 1 to 65536 bytes of text",
        f"SLACK_APP_TOKEN_FILE (environment): cannot read '{tmp_path}/binary': it is not UTF-8 text",
    )


def test_a_secret_told_twice_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("1:b")
    (line,) = mistakes(tmp_path, TELEGRAM_TOKEN="1:a", TELEGRAM_TOKEN_FILE=str(tmp_path / "token"))
    assert line == "TELEGRAM_TOKEN_FILE (environment): TELEGRAM_TOKEN says it already; keep one of them"
