"""`parley turns`: what became of questions, first of those that got no good answer; and asking one again."""

import json
import re
import sys
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from core.rows import End

if TYPE_CHECKING:
    from rich.table import Table

    from core.store.letters import Enclosed, Letter

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="For programs instead of people.")]
TurnId = Annotated[str, typer.Argument(metavar="ID", help="A turn's id, or its first digits.")]
ENDS = get_args(End)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
TEXTS = ("text", "body")


@app.command("list")
def list_turns(
    end: Annotated[
        list[str] | None, typer.Option(help=f"With this end; may be given again. {', '.join(ENDS)}.")
    ] = None,
    unfinished: Annotated[bool, typer.Option("--open", help="Those that have no end yet.")] = False,
    channel: Annotated[str | None, typer.Option(help="Of one channel only.")] = None,
    since: Annotated[str | None, typer.Option(help="Begun so long ago at most: 90m, 24h, 7d.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List turns. Without --end and --open: the dead letters, which are apologies for an error and what was
    undeliverable, uncertain or stale."""
    for one in end or ():
        if one not in ENDS:
            raise typer.BadParameter(f"{one!r} is no end: allowed are {', '.join(ENDS)}")
    after = datetime.now(UTC) - span(since) if since else None
    wanted = {"ends": end or (), "unfinished": unfinished, "channel": channel, "since": after, "limit": limit}
    _run(_list(wanted, as_json=as_json))


@app.command()
def show(
    turn: TurnId,
    text: Annotated[bool, typer.Option("--text", help="With what people and the bot said.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one turn: its messages, what was sent for it, and the calls of models."""
    _run(_show(turn, text=text, as_json=as_json))


@app.command()
def replay(turn: TurnId) -> None:
    """Ask a turn's question again, as if it were said now. A running gateway answers it."""
    _run(_replay(turn))


def span(words: str) -> timedelta:
    """90m, 24h or 7d. Raises `typer.BadParameter`."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", words)
    if found is None:
        raise typer.BadParameter(f"{words!r} is no span of time: allowed are such as 45s, 90m, 24h, 7d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _run(verb: Coroutine[Any, Any, int]) -> None:
    from bots.cli.loop import run_verb

    sys.exit(run_verb(verb))


async def _list(wanted: Mapping[str, Any], *, as_json: bool) -> int:
    from bots.cli.database import open_database
    from core.store.letters import PostgresLetters

    async with open_database() as engine:
        letters = await PostgresLetters(engine).dead(**wanted)
    if as_json:
        print(json.dumps({"turns": [_plain(asdict(letter)) for letter in letters]}, indent=2))
    elif letters:
        from rich.console import Console

        Console().print(_table(letters))
    else:
        asked = wanted["ends"] or wanted["unfinished"]
        print("No turn is like that." if asked else "No dead letters: every question had a good end.")
    return 0


async def _show(prefix: str, *, text: bool, as_json: bool) -> int:
    from bots.cli.database import open_database
    from core.store.letters import PostgresLetters

    async with open_database() as engine:
        letters = PostgresLetters(engine)
        letter = await letters.find(prefix)
        enclosed = await letters.open(letter.id)
    found = as_dict(letter, enclosed, text=text)
    print(json.dumps(found, indent=2, ensure_ascii=False) if as_json else in_words(found))
    return 0


async def _replay(prefix: str) -> int:
    from prometheus_client import CollectorRegistry

    from bots.cli.database import open_database
    from core.observe import Metrics
    from core.store.journal import open_journal
    from core.store.letters import PostgresLetters

    async with open_database() as engine, open_journal(engine, Metrics(CollectorRegistry())) as journal:
        replay = await PostgresLetters(engine).replay(prefix, journal)
    count = "one message" if replay.messages == 1 else f"{replay.messages} messages"
    print(f"Asked again: {count}." if replay.fresh else "It is being asked again already.")
    return 0


def as_dict(letter: "Letter", enclosed: "Enclosed", *, text: bool) -> dict[str, Any]:
    """The turn's columns, and its "messages", "parts" and "calls"; what was said only with `text`."""
    lists = {
        name: [
            _plain({column: value for column, value in row.items() if text or column not in TEXTS})
            for row in rows
        ]
        for name, rows in asdict(enclosed).items()
    }
    return _plain(asdict(letter)) | lists


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it: ids as text, times as ISO 8601."""
    return {
        name: value.isoformat(timespec="milliseconds")
        if isinstance(value, datetime)
        else value
        if isinstance(value, int | str | None)
        else str(value)
        for name, value in row.items()
    }


def in_words(found: Mapping[str, Any]) -> str:
    lines = [_line(found)]
    for name in ("messages", "parts", "calls"):
        rows: Sequence[Mapping[str, Any]] = found[name]
        lines += ["", f"{name}:", *(f"  {_line(row)}" for row in rows)] if rows else ["", f"{name}: none"]
    return "\n".join(lines)


def _line(row: Mapping[str, Any]) -> str:
    """What is known, a word and its value; `repr` keeps a text with line breaks on its line."""
    return "  ".join(
        f"{name} {value!r}" if name in (*TEXTS, "error") else f"{name} {value}"
        for name, value in row.items()
        if value not in (None, "") and not isinstance(value, list)
    )


def _table(letters: "Sequence[Letter]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True, min_width=36)  # however narrow the terminal: it is what one copies
    for name in ("begun (UTC)", "channel", "chat", "end", "attempts"):
        table.add_column(name, overflow="fold")
    table.add_column("error", overflow="fold", ratio=1)
    for letter in letters:
        begun = f"{letter.started_at:%Y-%m-%d %H:%M:%S}"
        cells = str(letter.id), begun, letter.channel, letter.chat, letter.end or letter.state
        table.add_row(*map(Text, cells), Text(str(letter.attempts)), Text(letter.error))
    return table
