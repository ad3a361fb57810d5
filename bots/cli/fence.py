"""`parley fence`: is the database one that may be a restored backup, and go on all the same."""

import json
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from core.store.fence import Concern, PostgresFence

app = typer.Typer(no_args_is_help=True)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs instead of people.")] = False,
) -> None:
    """Say whether a fence stands, why, and whom it concerns. The exit code is 1 while one stands, else 0."""
    _run(_status(as_json=as_json))


@app.command()
def lift(
    resume: Annotated[
        bool,
        typer.Option("--resume", help="You know that nothing is missing: go on as if nothing had been."),
    ] = False,
) -> None:
    """Answer again. Each conversation in which something was asked before the fence and has no end gets one
    notice that it may have been answered; what was asked since is answered. Nothing is asked of you."""
    _run(_lift(resume=resume))


@app.command("raise")
def put_up(
    reason: Annotated[str, typer.Option(help="Why; `status` shows it.")] = "raised by an operator",
) -> None:
    """Stop answering, such as after a restore that no gateway can notice. Messages are still accepted."""
    _run(_put_up(reason))


def _run(verb: Coroutine[Any, Any, int]) -> None:
    from bots.cli.loop import run_verb

    sys.exit(run_verb(verb))


@asynccontextmanager
async def _fence() -> "AsyncIterator[PostgresFence]":
    from bots.cli.database import open_database
    from core.store.fence import PostgresFence

    async with open_database() as engine:
        yield PostgresFence(engine)


async def _status(*, as_json: bool) -> int:
    async with _fence() as fence:
        concern = await fence.concern()
    print(json.dumps(as_dict(concern), indent=2) if as_json else in_words(concern))
    return int(concern.fence is not None)


async def _lift(*, resume: bool) -> int:
    async with _fence() as fence:
        concern = await fence.lift("resume" if resume else "uncertain")
    if concern.fence is None:
        print("No fence stands; there is nothing to lift.")
        return 0
    print(f"Lifted. {_outcome(concern, resume=resume)}")
    return 0


async def _put_up(reason: str) -> int:
    async with _fence() as fence:
        await fence.put_up(reason)
    print("Raised: messages are accepted, but nothing is answered until `parley fence lift`.")
    return 0


def as_dict(concern: "Concern") -> dict[str, Any]:
    """{"fenced", "raised_at": ISO 8601 or null, "reason": or null, "before": {"conversations", "messages"},
    "since": {"messages"}}: what waits that was asked before the fence, and since."""
    fence = concern.fence
    return {
        "fenced": fence is not None,
        "raised_at": fence.raised_at.isoformat(timespec="seconds") if fence else None,
        "reason": fence.reason if fence else None,
        "before": {"conversations": concern.conversations, "messages": concern.messages},
        "since": {"messages": concern.since},
    }


def in_words(concern: "Concern") -> str:
    if concern.fence is None:
        return "No fence stands: messages are answered."
    return "\n".join(
        (
            f"Fenced since {concern.fence.raised_at:%Y-%m-%d %H:%M:%S} UTC: {concern.fence.reason}.",
            "Messages are accepted, but nothing is answered.",
            f"`parley fence lift`: {_outcome(concern, resume=False)}",
            f"`parley fence lift --resume`: {_outcome(concern, resume=True)}",
        )
    )


def _outcome(concern: "Concern", *, resume: bool) -> str:
    before = f"{_count(concern.messages, 'message')} in {_count(concern.conversations, 'conversation')}"
    since = f"{_count(concern.since, 'message')} asked since {_are(concern.since)} answered."
    if resume:
        return f"{before} asked before {_are(concern.messages)} answered as if nothing had been; {since}"
    return (
        f"{before} asked before may have been answered: each conversation gets one notice and no answer;"
        f" {since}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
