"""`parley config ...`: what is set and where it came from, the schema of the settings, the example `.env`.

Reading and hiding are `config`'s matter; this file only prints.
"""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from config.listing import Row

app = typer.Typer(help="Show the settings and where each came from.", no_args_is_help=True)


@app.command("show")
def show_settings(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print every setting, secrets hidden, with the place that decided it."""
    from config.listing import show
    from config.settings import SettingsError, load

    try:
        rows = show(load())
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps({"settings": [row._asdict() for row in rows]}, indent=2, ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(_table(rows))


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of config/local.toml."""
    from config.listing import schema

    print(json.dumps(schema(), indent=2, ensure_ascii=False))


@app.command("example")
def print_example() -> None:
    """Print .env.example as it should be: every setting, its meaning, its default."""
    from config.listing import example

    print(example(), end="")


def _table(rows: "list[Row]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold", ratio=1)
    table.add_column("from", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # text, since a value's brackets are no markup
    return table
