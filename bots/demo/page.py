"""The demo's page over HTTP: three static files, a stream of what happens, and a door to speak.

The page holds no secret and asks nobody else: its policy allows its own files and nothing more. Only its own
origin may speak, and only under a loopback name, so that no other page in the browser can. What is streamed
is the show's business.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.middleware.trustedhost import TrustedHostMiddleware

from bots.demo.feed import TooManyPages
from bots.demo.show import Show
from bots.simulators.refusal import Refusal
from bots.web.guard import SafeHeaders
from bots.web.origin import SameOrigin

STATIC = Path(__file__).parent / "static"
FILES = {"demo.html": "text/html", "demo.css": "text/css", "demo.js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]


class Spoken(BaseModel):
    """What the newcomer typed, and in which app."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


def create_page(show: Show) -> FastAPI:
    """The app, ready to be served on loopback."""
    app = FastAPI(title="Parley demo", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(SameOrigin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False)
    app.add_middleware(SafeHeaders)
    _add_files(app, {name: (STATIC / name).read_bytes() for name in FILES})
    _add_stream(app, show)

    @app.post("/say", status_code=202)
    async def say(spoken: Spoken) -> dict[str, str]:
        """400 where the platform itself would refuse it, 404 for no such app."""
        try:
            return {"id": show.speak(spoken.channel, spoken.text)}
        except KeyError:
            raise HTTPException(
                404, f"no app {spoken.channel!r}; allowed: {', '.join(show.channels)}"
            ) from None
        except Refusal as refusal:
            raise HTTPException(400, str(refusal)) from None

    return app


def _add_files(app: FastAPI, files: Mapping[str, bytes]) -> None:
    @app.get("/")
    async def page() -> Response:
        return _file(files, "demo.html")

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "no such file")
        return _file(files, name)

    @app.get("/favicon.ico")
    async def icon() -> Response:
        return Response(status_code=204)


def _file(files: Mapping[str, bytes], name: str) -> Response:
    return Response(files[name], media_type=FILES[name], headers={"Content-Security-Policy": POLICY})


def _add_stream(app: FastAPI, show: Show) -> None:
    @app.get("/events")
    async def events() -> Response:
        """Server-sent events: all that is known, then what happens, until the demo stops."""
        try:
            stream = show.listen()
        except TooManyPages:
            detail = {"detail": "Too many pages are open: close one."}
            return JSONResponse(detail, status_code=503, headers={"Retry-After": "5"})
        return StreamingResponse(stream, media_type="text/event-stream")
