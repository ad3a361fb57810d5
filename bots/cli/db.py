"""`parley db`: the schema of the database that is set, or of the private one."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="Where to; the newest by default.")] = "head",
) -> None:
    """Bring the schema up to date. Safe to run from several machines at once."""
    _do("upgrade", revision)


@app.command()
def downgrade(revision: Annotated[str, typer.Argument(help="Where to, such as 0001 or base.")]) -> None:
    """Take the schema back. Data that only the newer schema can hold is lost."""
    _do("downgrade", revision)


@app.command()
def current() -> None:
    """Print the revision of the database and the one this version needs."""
    _do("current", "")


def _do(verb: str, revision: str) -> None:
    import sys

    from bots.cli.loop import run_verb

    sys.exit(run_verb(_run(verb, revision)))


async def _run(verb: str, revision: str) -> int:
    from bots.stores import addresses, open_engine_of
    from config.settings import load
    from core.store import schema

    settings = load()
    async with addresses(settings) as where:
        if verb == "upgrade":
            await schema.upgrade(where.database_url, revision)
        elif verb == "downgrade":
            await schema.downgrade(where.database_url, revision)
        async with open_engine_of(settings, where.database_url) as engine:
            print(f"database: {await schema.current(engine) or 'none'}; this version: {schema.head()}")
    return 0
