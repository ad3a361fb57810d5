"""`parley channels ...`: what an operator needs to connect a platform."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

CONFIG = Path(__file__).parents[2] / "config"
MANIFESTS = {"slack": CONFIG / "slack-manifest.yaml"}

Channel = Annotated[str, typer.Argument(help="The platform's name.")]


@app.callback()
def connect() -> None:
    """Connect a platform."""


@app.command()
def manifest(name: Channel) -> None:
    """Print the app to create at the platform: scopes, events and commands, ready to paste."""
    if name not in MANIFESTS:
        raise typer.BadParameter(f"{name!r} has no manifest: allowed is {', '.join(MANIFESTS)}")
    print(MANIFESTS[name].read_text(), end="")


@app.command()
def invite(
    name: Channel,
    application: Annotated[
        str | None, typer.Option(help="The application's id; else it is asked for with DISCORD_TOKEN.")
    ] = None,
) -> None:
    """Print the link by which a bot gets into a server, with what it asks for and why."""
    if name != "discord":
        raise typer.BadParameter(f"{name!r} is not entered by a link: allowed is discord")
    from bots.cli import connecting
    from bots.cli.loop import run_verb

    sys.exit(run_verb(connecting.invite(application)))


@app.command()
def check(name: Annotated[str | None, typer.Argument(help="One platform; all without.")] = None) -> None:
    """Call each platform: is the token good, and what is not switched on there."""
    from bots.cli import connecting
    from bots.cli.loop import run_verb

    sys.exit(run_verb(connecting.check(name)))
