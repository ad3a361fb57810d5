"""`parley instances`: which gateways share the database that is set, or the private one."""

from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.cli.database import open_database
from core.store.instances import PostgresInstances, Seen

COLUMNS = {
    "name": "name",
    "role": "role",
    "version": "version",
    "host": "host",
    "pid": "pid",
    "started": "started (UTC)",
    "seen": "seen, s ago",
    "draining": "draining",
    "conversations": "conversations",
    "receives": "receives for",
}


async def show(*, as_json: bool) -> int:
    async with open_database() as engine:
        rows = [row_of(seen) for seen in await PostgresInstances(engine).seen()]
    if as_json:
        print(orjson.dumps({"instances": rows}, option=orjson.OPT_INDENT_2).decode())
    elif rows:
        Console().print(_table(rows))
    else:
        print("No gateway runs on this database.")
    return 0


def row_of(seen: Seen) -> dict[str, Any]:
    """{"name", "role", "version", "host", "pid", "started": ISO 8601, "seen": seconds ago, "draining",
    "conversations": how many it works on, "receives": channels}."""
    one = seen.instance
    return {
        "name": one.name,
        "role": one.role,
        "version": one.version,
        "host": one.host,
        "pid": one.pid,
        "started": one.started_at.isoformat(timespec="seconds"),
        "seen": round(seen.silent_seconds, 1),
        "draining": one.draining,
        "conversations": one.holds,
        "receives": list(one.receives),
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in COLUMNS.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_in_words(row[key])) for key in COLUMNS))
    return table


def _in_words(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value) or "-"
    return str(value)
