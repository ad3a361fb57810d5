"""`parley channels ...`: what an operator needs to connect a platform."""

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
