"""Who may press our buttons: only our own pages.

A browser tells of every request where it comes from, in `Sec-Fetch-Site` (w3.org/TR/fetch-metadata) and for
writing requests in `Origin`; a request that tells neither, or something else, is refused with 403. Plain
ASGI: streams pass through untouched.
"""

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

READING = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """Lets reading requests pass, and writing ones that our own pages made."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING or is_own(scope):
            await self.app(scope, receive, send)
            return
        body = {"detail": "Refused: the request does not come from a page of this server."}
        await JSONResponse(body, status_code=403)(scope, receive, send)


def is_own(scope: Scope) -> bool:
    """The newer header decides where a browser sends it; else the older one must name this very server."""
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return headers.get("origin") == f"{scope['scheme']}://{headers.get('host', '')}"
