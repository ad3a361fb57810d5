"""Probes that ask over HTTP, against real servers: a model's API and a gateway in another place."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from bots.health import Check, Probe, Report
from bots.neighbours import model, running
from bots.web.app import create_app
from bots.web.server import Address, serve

KEY = "sk-hunter2"


class ModelAPI:
    """Answers GET /v1/models as told and remembers what it was asked."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        self.asked: list[tuple[str, str | None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["path"], headers.get("authorization")))
        about = [(b"content-type", b"application/json"), (b"location", b"/elsewhere")]
        await send({"type": "http.response.start", "status": self.status, "headers": about})
        await send({"type": "http.response.body", "body": json.dumps(self.body).encode()})


@asynccontextmanager
async def served(api: ModelAPI) -> AsyncIterator[Address]:
    async with serve(api, host="127.0.0.1", port=0) as address:
        yield address


async def only(probe: Probe) -> Check:
    (check,) = await probe()
    return check


MODELS = {"object": "list", "data": [{"id": "m-1", "object": "model"}, {"id": "m-2", "object": "model"}]}


@pytest.mark.parametrize(
    ("status", "body", "state", "words", "mend"),
    [
        (200, MODELS, "ok", "answers", ""),
        (200, {"data": [{"id": "other"}]}, "degraded", "does not list this model", "PARLEY_MODEL"),
        (200, ["surprise"], "ok", "without a list of models", ""),
        (404, {}, "ok", "without a list of models (404)", ""),
        (307, {}, "degraded", "sends us elsewhere (307)", "OPENAI_BASE_URL"),
        (401, {"error": KEY}, "failed", "refuses the key (401)", "OPENAI_API_KEY"),
        (503, {}, "degraded", "overloaded or broken (503)", "FALLBACKS"),
    ],
)
async def test_the_models_api_is_judged_by_its_answer(
    status: int, body: Any, state: str, words: str, mend: str
) -> None:
    api = ModelAPI(status, body)
    async with served(api) as address:
        check = await only(model("m-1", f"{address.url}/v1", KEY))
    assert (check.name, check.state) == ("model", state)
    assert words in check.detail
    assert mend in check.mend
    assert KEY not in str(check)
    assert api.asked == [("/v1/models", f"Bearer {KEY}")]


async def test_a_model_that_is_away_names_the_setting() -> None:
    check = await only(model("m-1", "http://127.0.0.1:1/v1", KEY))
    assert check.state == "failed"
    assert "127.0.0.1:1" in check.detail
    assert "OPENAI_BASE_URL" in check.mend


async def test_a_key_alone_means_the_vendors_own_address() -> None:
    check = await only(model("m-1", None, KEY, ask=False))
    assert (check.state, check.detail) == ("ok", "m-1 at api.openai.com, not asked")


async def test_channels_and_pool_are_as_the_running_gateway_sees_them() -> None:
    telegram = Check(name="channel telegram", state="failed", detail="the token is refused", mend="Set it.")

    async def report() -> Report:
        return Report(checks=(Check(name="database", state="ok"), telegram))

    app = create_app(report, CollectorRegistry(), "1")
    async with serve(app, host="127.0.0.1", port=0) as address:
        gateway, database, *channels = await running(address.url)()
    assert (gateway.name, gateway.state) == ("gateway", "ok")
    assert (database.name, database.state) == ("its database", "ok")
    assert channels == [telegram]


async def test_no_running_gateway_is_no_fault() -> None:
    check = await only(running("http://127.0.0.1:1"))
    assert (check.name, check.state) == ("gateway", "off")
    assert "parley run" in check.mend


async def test_somebody_elses_server_is_not_taken_for_a_gateway() -> None:
    async with served(ModelAPI(200, {"checks": [{"name": "database"}]})) as address:
        check = await only(running(address.url))
    assert "no gateway" in check.detail
    assert check.state == "off"
