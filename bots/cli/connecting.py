"""`parley channels invite discord` and `parley channels check`: what a platform wants of an operator."""

import sys

from bots.catalog import factories
from config.settings import load


async def check(name: str | None) -> int:
    """Prints what each platform says; 1 where one that has credentials does not let us in."""
    from bots.inspection import inspect

    settings, known = load(), factories()
    if name is not None and name not in known:
        print(f"parley: channel {name!r}: allowed is {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    found = [await inspect(settings, each) for each in ([name] if name else sorted(known))]
    for inspection in found:
        print("\n".join(inspection.lines))
    failed = any(inspection.state == "failed" for inspection in found)
    return 1 if failed or (name is not None and found[0].state == "unset") else 0


async def invite(application: str | None) -> int:
    """Prints the link; the application's id is asked for where it is not given."""
    from bots.discord.invite import WHY, invite_url

    if application is None:
        application = await _application()
    if application is None:
        print("parley: set DISCORD_TOKEN, or give the application's id with --application", file=sys.stderr)
        return 2
    print(f"{invite_url(application)}\n\n{WHY}")
    return 0


async def _application() -> str | None:
    from bots.discord.wire import Line, Pace

    given = load().discord
    if given.token is None:
        return None
    line = Line(given.token.get_secret_value(), given.api_url, None, message_content=False, pace=Pace())
    try:
        user = await line.log_in()
        try:
            return str((await line.call("GET", "/applications/@me"))["id"])
        except Exception:  # the bot's id is the application's, but for the oldest ones
            return str(user["id"])
    finally:
        await line.close()
