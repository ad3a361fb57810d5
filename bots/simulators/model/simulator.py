"""An OpenAI-compatible chat completions API that answers at once, or as slowly and badly as asked.

Follows platform.openai.com/docs/api-reference/chat/create and .../models/list. It keeps its own bill, apart
from what it tells its clients. `<url>/v1` is what OPENAI_BASE_URL takes; the paths work without `/v1` too.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import orjson
from aiohttp import web
from pydantic import ValidationError

from bots.simulators.changes import Changes
from bots.simulators.clock import TurnableClock
from bots.simulators.control import fault_route, read_json, refused
from bots.simulators.faults import Fault, FaultQueue
from bots.simulators.model.answers import Answer, AskedAnswer, count_prompt, echo, tokens_of
from bots.simulators.model.bill import Bill, ModelCall
from bots.simulators.model.shapes import ModelError
from bots.simulators.model.strikes import (
    BEFORE,
    DURING,
    FAULTS,
    SHAPING,
    context_exceeded,
    strike,
    wrong_key,
)
from bots.simulators.model.talk import Pace, Talk
from bots.simulators.refusal import Refusal, refusal_of
from bots.simulators.server import CUT, LoopbackServer, json_response

KEPT_REQUESTS = 1000


class ModelSimulator:
    """The model API; `async with ModelSimulator() as sim` serves it at `sim.url`.

    `answer` makes the text from the messages, `latency` is the seconds before the first token,
    `tokens_per_second` the pace (None: everything at once), `usage` whether it is told when asked or never.
    `api_key` and `context_tokens` switch on 401 for other keys and 400 for longer prompts.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        answer: Answer = echo,
        latency: float = 0.0,
        tokens_per_second: float | None = None,
        usage: Literal["asked", "never"] = "asked",
        api_key: str | None = None,
        context_tokens: int | None = None,
        models: Sequence[str] = ("simulated",),
    ) -> None:
        self.answer = answer
        self.latency = latency
        self.tokens_per_second = tokens_per_second
        self.usage = usage
        self.context_tokens = context_tokens
        self.models = tuple(models)
        self.clock = TurnableClock()
        self.faults = FaultQueue(FAULTS)
        self.bill = Bill()
        self.requests: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)
        self.unknown_paths: list[str] = []
        self._api_key = api_key
        self._changes = Changes()
        # A vendor stops generating, and charging, when its client goes away.
        self._server = LoopbackServer(port=port, notice_disconnect=True)
        self._server.add_routes(
            [
                *(web.post(f"{root}/chat/completions", self._complete) for root in ("", "/v1")),
                *(web.get(f"{root}/models", self._list_models) for root in ("", "/v1")),
                web.post("/_sim/answer", self._set_answer),
                web.get("/_sim/bill", self._show_bill),
                fault_route(self.faults),
                web.route("*", "/{path:.*}", self._unknown),
            ]
        )

    @property
    def url(self) -> str:
        """What stands before `/v1`."""
        return self._server.url

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        """End every stream and free the port."""
        await self._server.stop()

    @property
    def calls(self) -> list[ModelCall]:
        return self.bill.calls

    def fault(self, kind: str, **fields: Any) -> Fault:
        """Queue a fault (the kinds are in `strikes`, the fields in `faults.Fault`); raises Refusal."""
        return self.faults.add({"kind": kind, **fields})

    async def wait_for(self, predicate: Callable[[list[ModelCall]], Any], timeout: float = 10) -> Any:
        """Return the first true value of `predicate(calls)`, tried as calls come in, send and end."""
        return await self._changes.wait_until(
            lambda: predicate(self.calls), timeout, lambda: f"the last calls: {self.calls[-5:]}"
        )

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        call = self.bill.open(ModelCall(id=f"chatcmpl-{len(self.calls) + 1}", model="", streamed=False))
        try:
            response = await self._reply(request, call)
        except ModelError as error:
            response = error.response()
        except asyncio.CancelledError:
            call.outcome, call.status = "cancelled", CUT
            raise
        except ConnectionError:
            call.outcome, call.status = "cancelled", CUT
            return web.Response(status=CUT)
        finally:
            self._changes.announce()
        if call.outcome == "running":
            call.outcome, call.status = "refused", response.status
            call.prompt_tokens = call.completion_tokens = 0
            self._changes.announce()
        return response

    async def _reply(self, request: web.Request, call: ModelCall) -> web.StreamResponse:
        self._check_key(request)
        body = await read_request(request)
        self.requests.append(body)
        call.model, call.streamed = body["model"], bool(body.get("stream"))
        call.prompt_tokens = count_prompt(body["messages"])
        self._changes.announce()
        if (pending := self.faults.take(BEFORE)) is not None:
            return strike(pending.fault, request)
        if self.context_tokens is not None and call.prompt_tokens > self.context_tokens:
            raise context_exceeded(self.context_tokens, call.prompt_tokens)
        shaping = self.faults.take(SHAPING)
        shaped = shaping.fault.kind if shaping else ""
        tokens = [] if shaped == "empty" else tokens_of(self.answer(body["messages"]))
        longest = body.get("max_completion_tokens") or body.get("max_tokens") or len(tokens)
        finish = "stop" if longest >= len(tokens) else "length"
        during = self.faults.take(DURING)
        talk = Talk(
            self._pace(), request, call, tokens[:longest], finish,
            during.fault if during else None, int(self.clock.now()),
        )  # fmt: skip
        told = self.usage == "asked" and shaped != "no_usage"
        if not call.streamed:
            return await talk.say_whole(usage=told)
        options = body.get("stream_options") or {}
        return await talk.stream(usage=told and bool(options.get("include_usage")))

    def _pace(self) -> Pace:
        gap = 1 / self.tokens_per_second if self.tokens_per_second else 0.0
        return Pace(latency=self.latency, gap=gap, pause=self._pause, announce=self._changes.announce)

    async def _pause(self, seconds: float) -> bool:
        return seconds <= 0 or await self._server.pause(seconds)

    def _check_key(self, request: web.Request) -> None:
        if self._api_key is not None and request.headers.get("Authorization") != f"Bearer {self._api_key}":
            raise wrong_key()

    async def _list_models(self, request: web.Request) -> web.Response:
        """platform.openai.com/docs/api-reference/models/list"""
        listed = [
            {"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "simulator"}
            for model in self.models
        ]
        return json_response({"object": "list", "data": listed})

    async def _set_answer(self, request: web.Request) -> web.Response:
        try:
            asked = AskedAnswer.model_validate(await read_json(request))
        except ValidationError as error:
            return refused(refusal_of(error))
        except Refusal as refusal:
            return refused(refusal)
        self.answer = asked.answer()
        for name in ("latency", "tokens_per_second", "usage"):
            if (value := getattr(asked, name)) is not None:
                setattr(self, name, value)
        return json_response({"answer": asked.model_dump()})

    async def _show_bill(self, request: web.Request) -> web.Response:
        return json_response(self.bill.as_json())

    async def _unknown(self, request: web.Request) -> web.Response:
        self.unknown_paths.append(request.path)
        words = f"Unknown request URL: {request.method} {request.path}."
        return ModelError(404, words, code="unknown_url").response()


async def read_request(request: web.Request) -> dict[str, Any]:
    """Return a request that has a model and messages; raises ModelError 400."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise ModelError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        raise ModelError(400, "you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        words = "Missing required parameter: 'messages'." if messages is None else "Invalid 'messages'."
        raise ModelError(400, words, param="messages", code="missing_required_parameter")
    return body
