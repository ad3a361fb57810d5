"""One REST request as the endpoints see it: where it goes, what it asks for, and what the house holds.

docs.discord.com/developers/reference. Bodies are JSON, or multipart with the JSON in `payload_json`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.multipart import BodyPartReader

from bots.simulators.discord.commands import CommandBook
from bots.simulators.discord.desk import Desk
from bots.simulators.discord.errors import ApiError, missing_access, not_a_snowflake, unknown
from bots.simulators.discord.gateway import Gateway
from bots.simulators.discord.intents import MESSAGE_CONTENT
from bots.simulators.discord.messages import Message
from bots.simulators.discord.people import Channel
from bots.simulators.discord.snowflakes import is_id
from bots.simulators.discord.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """All that endpoints work on."""

    world: World
    gateway: Gateway
    commands: CommandBook
    desk: Desk
    nonce_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request: `path` holds the route's variables, `body` the JSON, `listed` a body that is a list."""

    house: House
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    listed: list[Any] | None = None

    @property
    def world(self) -> World:
        return self.house.world

    @property
    def sees_content(self) -> bool:
        """Whether REST shows texts: the application's setting decides, not what a session asked for."""
        return bool(self.house.gateway.allowed & MESSAGE_CONTENT)

    def id(self, name: str) -> int:
        """Return a variable of the path that is an id; raises ApiError."""
        if not is_id(value := self.path[name]):
            raise not_a_snowflake(f"{name}_id", value)
        return int(value)

    def channel(self) -> Channel:
        """Return the channel of the path; raises ApiError 10003 or 50001."""
        channel = self.world.channels.get(self.id("channel"))
        if channel is None:
            raise unknown("Channel", 10003)
        if channel.guild is not None and channel.root.shut:
            raise missing_access()
        return channel

    def message(self) -> Message:
        """Return the message of the path; raises ApiError 10008."""
        message = self.channel().messages.get(self.id("message"))
        if message is None or message.seen.deleted_at is not None:
            raise unknown("Message", 10008)
        return message

    def shown(self, message: Message) -> dict[str, Any]:
        return message.as_json(self.world.bot, content=self.sees_content)

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("true", "1")


Endpoint = Callable[[Call], Awaitable[Any]]


async def read_body(request: web.Request) -> Any:
    """Return the JSON of a request, `{}` without one; raises ApiError."""
    if request.content_type.startswith("multipart/"):
        return await read_multipart(request)
    return parse(await request.read())


def parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None


async def read_multipart(request: web.Request) -> dict[str, Any]:
    """Read the form of a message with files (docs.discord.com/developers/reference#uploading-files)."""
    body: dict[str, Any] = {}
    files: list[dict[str, Any]] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        content = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            parsed = parse(content)
            body |= parsed if isinstance(parsed, dict) else {}
        elif part.filename:
            files.append(
                {
                    "id": str(len(files)),
                    "filename": part.filename,
                    "size": len(content),
                    "url": "",
                    "proxy_url": "",
                }
            )
    return {**body, "attachments": files} if files else body
