"""The console with the small engine as a program of its own, for tests that need real streams and a real end.

`python -m tests.integration.console.talk HISTORY` talks as `parley chat` would.
"""

import asyncio
import sys
from pathlib import Path

from bots.cli.chat import greet, open_streams
from bots.console.channel import ConsoleChannel
from tests.unit.console.echo import ACCOUNT, Echo


async def talk(history: Path) -> None:
    channel = ConsoleChannel("ada", open_streams(history))
    echo = Echo(channel)
    channel.attach(echo.settled)
    greet(version="0.1.0", model="scripted")
    async with echo.at_work():
        await channel.run(ACCOUNT, echo.accept)


if __name__ == "__main__":
    asyncio.run(talk(Path(sys.argv[1])))
