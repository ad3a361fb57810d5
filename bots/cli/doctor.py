"""`parley doctor`: how every part is and what to do about it, for people or as JSON.

Asks the probes it is given and renders the report; which probes there are is wired elsewhere.
"""

import io
from collections.abc import Mapping

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bots.health import Check, Probe, Report, State, examine

COLOURS: Mapping[State, str] = {"ok": "green", "off": "dim", "degraded": "yellow", "failed": "bold red"}
SUMMARY: Mapping[State, str] = {
    "ok": "All is well.",
    "off": "All is well.",
    "degraded": "It works, but not at its best.",
    "failed": "Something is broken.",
}


async def doctor(probes: Mapping[str, Probe], *, as_json: bool = False, width: int = 100) -> tuple[str, int]:
    """Examine everything; gives what to print and the exit code."""
    report = await examine(probes)
    return render(report, as_json=as_json, width=width), exit_code(report)


def exit_code(report: Report) -> int:
    """1 when anything failed, else 0: a degraded gateway answers."""
    return int(report.state == "failed")


def render(report: Report, *, as_json: bool = False, width: int = 100, colour: bool = False) -> str:
    """A table with the mend under each fault, or `Report.as_dict` as JSON; without a last line break."""
    if as_json:
        return orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2).decode()
    return _as_table(report, width, colour)


def _as_table(report: Report, width: int, colour: bool) -> str:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in report.checks:
        table.add_row(Text(check.name), Text(check.state, COLOURS[check.state]), _words(check))
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(table)
    console.print(Text(f"\n{SUMMARY[report.state]}"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _words(check: Check) -> Text:
    # `Text`, not markup: a detail may hold brackets
    return Text(f"{check.detail}\n→ {check.mend}" if check.mend else check.detail)
