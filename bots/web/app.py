"""The web app of an instance: is it alive, is it ready, how is it doing, which version is it.

`create_app` gets everything it shows as callables and knows no store. Who listens where is left to
`bots.web.server`. The doors here are open to whoever reaches the address, so nothing secret is said.
"""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from bots.health import Report, Shared
from bots.web.guard import Limit, Limits, SafeHeaders
from bots.web.webhooks import add_webhooks
from bots.webhook import Webhook

WATCHED = ("/healthz", "/readyz", "/metrics")
"""Never limited: who watches must get an answer just when there is too much of everything."""


def create_app(
    report: Callable[[], Awaitable[Report]],
    registry: CollectorRegistry,
    version: str,
    *,
    limit: Limit | None = None,
    webhooks: Sequence[Webhook] = (),
) -> FastAPI:
    """The app, ready to be served.

    `report` is asked at most once a second, however many ask. `limit(kind, name)` counts one request
    and gives the seconds to wait when there were too many; None for no limits. A platform posts to its
    webhook from few addresses and as often as people talk: there the signature guards, not the limit.
    """
    # The documentation pages load their scripts from a foreign host; they come with pages of our own.
    app = FastAPI(title="Parley", version=version, docs_url=None, redoc_url=None, openapi_url=None)
    if limit is not None:
        app.add_middleware(Limits, limit=limit, free=(*WATCHED, *(door.path for door in webhooks)))
    app.add_middleware(SafeHeaders)
    _add_health(app, Shared(report))
    _add_metrics(app, registry)
    add_webhooks(app, webhooks)

    @app.get("/version")
    async def tell_version() -> dict[str, str]:
        return {"name": "parley", "version": version}

    return app


def _add_health(app: FastAPI, report: Callable[[], Awaitable[Report]]) -> None:
    @app.get("/healthz")
    async def is_alive() -> dict[str, str]:
        """200 as long as the process answers; asks nobody else, or a sick database would restart us."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def is_ready() -> JSONResponse:
        """200 when messages can be accepted, else 503; a degraded cache or a dead channel is no reason."""
        seen = await report()
        return JSONResponse(seen.as_dict(), status_code=200 if seen.ready else 503)


def _add_metrics(app: FastAPI, registry: CollectorRegistry) -> None:
    @app.get("/metrics")
    async def show_metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
