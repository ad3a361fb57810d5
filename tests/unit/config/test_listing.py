"""What people are shown of the settings: the listing, the schema, `.env.example`, the files of data."""

import json
import re
import tomllib
from datetime import date
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from typer.testing import CliRunner

from bots.cli.config import app
from config.listing import example, schema, show
from config.settings import Settings, load
from config.sources import HERE

EXAMPLE = HERE.parent / ".env.example"


def test_secrets_are_hidden_and_hosts_stay(tmp_path: Path) -> None:
    settings = load(
        environ={
            "DATABASE_URL": "postgresql://ann:hush/a@db.example:5432/parley?password=hush",
            "REDIS_URL": "redis://:hush@cache.example/0",
            "DATABASE_REPLICA_URL": "postgresql://replica.example/parley",
            "OPENAI_BASE_URL": "http://me:hush@model.example/v1",
            "TELEGRAM_TOKEN": "1:hush",
        },
        cwd=tmp_path,
    )
    rows = {row.name: row for row in show(settings)}
    assert rows["database.url"].value == "postgresql://***@db.example:5432/parley?***"
    assert rows["redis.url"].value == "redis://***@cache.example/0"
    assert rows["database.replica_url"].value == "postgresql://replica.example/parley"
    assert rows["openai.base_url"].value == "http://***@model.example/v1"
    assert rows["telegram.token"].value == "***"
    assert rows["telegram.token"].origin == "TELEGRAM_TOKEN (environment)"
    assert (rows["web.port"].value, rows["web.port"].origin) == ("", "unset")
    assert rows["web.host"].origin == "config/default.toml"
    assert "hush" not in repr(rows)
    assert list(rows) == [entry.path for entry in Settings.entries()]


def test_the_schema_knows_every_setting_with_its_default() -> None:
    form = schema()
    read = tomllib.loads((HERE / "default.toml").read_text())
    for entry in Settings.entries():
        group, _, leaf = entry.path.rpartition(".")
        owner = form["$defs"][form["properties"][group]["$ref"].split("/")[-1]] if group else form
        assert owner["properties"][leaf]["description"]
        assert owner["properties"][leaf].get("default") == (read.get(group, {}) if group else read).get(leaf)
        assert (f"{leaf}_file" in owner["properties"]) == entry.secret
        assert "required" not in owner


def test_the_example_has_every_variable_and_nothing_else() -> None:
    names = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(entry.environment for entry in Settings.entries())
    assert EXAMPLE.read_text(encoding="utf-8") == example(), (
        "write it anew: parley config example > .env.example"
    )


def test_the_example_as_it_is_changes_nothing_and_its_defaults_are_the_defaults(tmp_path: Path) -> None:
    untouched = load(environ={"HOME": "/h"}, cwd=tmp_path).model_dump()
    text = EXAMPLE.read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert load(environ={"HOME": "/h"}, cwd=tmp_path).model_dump() == untouched
    spoken = re.sub(r"^# (?=[A-Z][A-Z0-9_]*=)", "", text, flags=re.MULTILINE)
    assert dotenv_values(stream=StringIO(spoken))["PARLEY_MODEL"] == untouched["model"]["name"]
    (tmp_path / ".env").write_text(spoken, encoding="utf-8")
    assert load(environ={"HOME": "/h"}, cwd=tmp_path).model_dump() == untouched


def test_every_default_stands_in_the_file_and_every_setting_is_described() -> None:
    read = tomllib.loads((HERE / "default.toml").read_text())
    tables = {name: value for name, value in read.items() if isinstance(value, dict)}
    written = {f"{group}.{name}" for group, table in tables.items() for name in table}
    written |= read.keys() - tables.keys()
    optional = {e.path for e in Settings.entries() if {"type": "null"} in e.form.get("anyOf", [])}
    everything = {entry.path for entry in Settings.entries()}
    assert written == everything - optional - {"home"}
    assert all(entry.description.endswith(".") for entry in Settings.entries())


def test_the_prices_are_dated_whole_micro_units() -> None:
    read = tomllib.loads((HERE / "prices.toml").read_text())
    assert read["currency"] == "usd"
    for row in read["price"]:
        assert set(row) == {"model", "since", "input", "cached_input", "output"}
        assert type(row["since"]) is date
        assert all(type(row[kind]) is int and row[kind] >= 0 for kind in ("input", "cached_input", "output"))
    keys = [(row["model"], row["since"]) for row in read["price"]]
    assert len(keys) == len(set(keys))
    assert ("scripted", 0, 0) in [(row["model"], row["input"], row["output"]) for row in read["price"]]


def test_the_command_prints_them() -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["show", "--json"], env={"TELEGRAM_TOKEN": "1:hush"})
    assert shown.exit_code == 0
    rows = {row["name"]: row for row in json.loads(shown.stdout)["settings"]}
    assert rows["telegram.token"] == {
        "name": "telegram.token",
        "value": "***",
        "origin": "TELEGRAM_TOKEN (environment)",
    }
    table = runner.invoke(app, ["show"], env={"TELEGRAM_TOKEN": "1:hush", "COLUMNS": "100"})
    assert "database.idle_in_transaction_timeout_seconds" in table.stdout
    assert "hush" not in table.output
    assert json.loads(runner.invoke(app, ["schema"]).stdout)["properties"].keys() >= {"web", "home"}
    assert runner.invoke(app, ["example"]).stdout == example()


def test_the_command_tells_mistakes_on_standard_error() -> None:
    failed = CliRunner().invoke(app, ["show"], env={"PARLEY_WEB__PORT": "x"})
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert failed.stderr.startswith("PARLEY_WEB__PORT (environment): 'x' is not allowed")
