"""Mounts the doors that platforms post to.

A body that is too long is ended before it is all here. All else is the channel's: it gets the raw body and
the headers as they came.
"""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, Request, Response

from bots.webhook import Webhook


def add_webhooks(app: FastAPI, doors: Sequence[Webhook]) -> None:
    for door in doors:
        app.add_api_route(door.path, _route(door), methods=["POST"], response_model=None)


def _route(door: Webhook) -> Callable[[Request], Awaitable[Response]]:
    async def receive(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > door.most_bytes:
                return Response(status_code=413)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        answer = await door.handle(headers, bytes(body))
        return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))

    return receive
