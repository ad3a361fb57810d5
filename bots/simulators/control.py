"""The `/_sim/*` routes that every platform simulator has: say something, change or delete it, read what was
seen, ask for a fault.

A platform gives an object with five members; the shapes of the calls are the same for all of them, so that
one test or one checker can drive any channel.
"""

from collections.abc import Callable
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


class Rewording(BaseModel):
    """A user's change of an own message, as `/_sim/edit` takes it; `/_sim/delete` without a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    chat: str = Field(min_length=1)
    id: str = Field(min_length=1)
    text: str = ""


class Platform(Protocol):
    """What a simulator of a platform must offer to be driven from outside; five members, no base class."""

    def put(self, saying: Saying) -> int | str:
        """Let the user say it; returns the message's id. Raises Refusal."""

    def edit(self, chat: str, message_id: str, text: str) -> None:
        """Let a user change an own message. Raises KeyError or Refusal."""

    def delete(self, chat: str, message_id: str) -> None:
        """Let a user delete an own message. Raises KeyError or Refusal."""

    def seen(self, chat: str | None = None) -> list[Seen]:
        """Return what readers see, oldest first."""

    @property
    def faults(self) -> FaultQueue:
        """The faults to come."""


def control_routes(platform: Platform) -> list[web.RouteDef]:
    """Return `POST /_sim/say`, `edit`, `delete` and `fault`, and `GET /_sim/seen`, for a platform."""

    async def say(request: web.Request) -> web.Response:
        try:
            saying = Saying.model_validate(await read_json(request))
            return json_response({"id": platform.put(saying)})
        except ValidationError as error:
            return refused(refusal_of(error))
        except Refusal as refusal:
            return refused(refusal)

    async def edit(request: web.Request) -> web.Response:
        return await reword(request, lambda asked: platform.edit(asked.chat, asked.id, asked.text))

    async def delete(request: web.Request) -> web.Response:
        return await reword(request, lambda asked: platform.delete(asked.chat, asked.id))

    async def seen(request: web.Request) -> web.Response:
        messages = platform.seen(request.query.get("chat"))
        return json_response({"messages": [message.as_json() for message in messages]})

    return [
        web.post("/_sim/say", say),
        web.post("/_sim/edit", edit),
        web.post("/_sim/delete", delete),
        web.get("/_sim/seen", seen),
        fault_route(platform.faults),
    ]


async def reword(request: web.Request, do: Callable[[Rewording], None]) -> web.Response:
    """Answer `{"id": ...}` once it is done, 400 where there is no such message."""
    try:
        asked = Rewording.model_validate(await read_json(request))
        do(asked)
    except ValidationError as error:
        return refused(refusal_of(error))
    except KeyError as error:
        return refused(Refusal(f"chat, id: {error.args[0]}; allowed: a message that stands"))
    except Refusal as refusal:
        return refused(refusal)
    return json_response({"id": asked.id})


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
