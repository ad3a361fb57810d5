"""The `/_sim/*` routes that every platform simulator has: say something, read what was seen, ask for a fault.

A platform gives an object with three methods; the shapes of the calls are the same for all of them, so that
one test or one checker can drive any channel.
"""

from typing import Any, Literal, Protocol

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bots.simulators.faults import FaultQueue
from bots.simulators.ledger import Seen
from bots.simulators.refusal import Refusal, refusal_of
from bots.simulators.server import json_response

ChatType = Literal["private", "group", "supergroup"]


class Saying(BaseModel):
    """A user's message, as `POST /_sim/say` takes it; a chat named like the user is a private one."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    chat: str = Field(min_length=1)
    user: str = Field(min_length=1)
    text: str = Field(min_length=1)
    thread: str | None = None
    reply_to: str | None = None
    chat_type: ChatType | None = None
    user_id: str | None = None
    bot: str | None = Field(default=None, description="the id of the bot it is for; all, when not given")


class Platform(Protocol):
    """What a simulator of a platform must offer to be driven from outside; three members, no base class."""

    def put(self, saying: Saying) -> int | str:
        """Let the user say it; returns the message's id. Raises Refusal."""

    def seen(self, chat: str | None = None) -> list[Seen]:
        """Return what readers see, oldest first."""

    @property
    def faults(self) -> FaultQueue:
        """The faults to come."""


def control_routes(platform: Platform) -> list[web.RouteDef]:
    """Return `POST /_sim/say`, `GET /_sim/seen` and `POST /_sim/fault` for a platform."""

    async def say(request: web.Request) -> web.Response:
        try:
            saying = Saying.model_validate(await read_json(request))
            return json_response({"id": platform.put(saying)})
        except ValidationError as error:
            return refused(refusal_of(error))
        except Refusal as refusal:
            return refused(refusal)

    async def seen(request: web.Request) -> web.Response:
        messages = platform.seen(request.query.get("chat"))
        return json_response({"messages": [message.as_json() for message in messages]})

    return [
        web.post("/_sim/say", say),
        web.get("/_sim/seen", seen),
        fault_route(platform.faults),
    ]


def fault_route(faults: FaultQueue) -> web.RouteDef:
    """Return `POST /_sim/fault`, which answers with the fault as it was understood."""

    async def fault(request: web.Request) -> web.Response:
        try:
            asked = faults.add(await read_json(request))
        except Refusal as refusal:
            return refused(refusal)
        return json_response({"fault": asked.model_dump()})

    return web.post("/_sim/fault", fault)


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the body as an object; raises Refusal for anything else."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise Refusal(f"body: not JSON ({error}); allowed: a JSON object") from None
    if not isinstance(body, dict):
        raise Refusal(f"body: {type(body).__name__} given; allowed: a JSON object")
    return body


def refused(refusal: Refusal) -> web.Response:
    return json_response({"error": str(refusal)}, status=400)
