"""The names of discord.py that this folder uses, imported without a warning that is not ours.

The library's voice part, which nobody here uses, imports a module that is deprecated before Python 3.13.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    from discord import Client, Intents
    from discord.errors import (
        ConnectionClosed,
        DiscordException,
        DiscordServerError,
        HTTPException,
        LoginFailure,
        RateLimited,
    )
    from discord.gateway import DiscordWebSocket, ReconnectWebSocket
    from discord.http import HTTPClient, Ratelimit, Route
    from discord.utils import MISSING

__all__ = [
    "MISSING",
    "Client",
    "ConnectionClosed",
    "DiscordException",
    "DiscordServerError",
    "DiscordWebSocket",
    "HTTPClient",
    "HTTPException",
    "Intents",
    "LoginFailure",
    "RateLimited",
    "Ratelimit",
    "ReconnectWebSocket",
    "Route",
]
