"""The little that the plain ASGI applications here have in common."""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[Any]]

_REPORTS = int(os.environ.get("TEST_REPORTS_FD", "2"))


class Routes:
    """An application made of handlers, one for each path. It has a lifespan that does nothing."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def route(self, path: str) -> Callable[[Handler], Handler]:
        """Makes the decorated function answer requests for `path`."""

        def register(handler: Handler) -> Handler:
            self.handlers[path] = handler
            return handler

        return register

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] == "lifespan":
            return await self.lifespan(scope, receive, send)
        handler = self.handlers.get(scope["path"])
        if handler is None:
            return await answer(send, b"no such route", status=404)
        return await handler(scope, receive, send)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Says yes to everything."""
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> Message:
    """The message that begins a response."""
    return {
        "type": "http.response.start",
        "status": status,
        "headers": list(headers),
        **more,
    }


def body(data: Any = b"", more: bool = False) -> Message:
    """A message with a piece of the response's body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


async def answer(send: Send, data: bytes, status: int = 200) -> None:
    """Sends a whole response of known length."""
    length = str(len(data)).encode()
    await send(start(status, (b"content-length", length)))
    await send(body(data))


async def read_body(receive: Receive) -> bytes:
    """Reads the whole request body; an OSError when the client goes away before its end."""
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError("the client went away")
        data += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(data)


def query(scope: Scope) -> dict[str, str]:
    """The parameters of the query string; of each the last."""
    return {
        name: values[-1]
        for name, values in parse_qs(
            scope["query_string"].decode(), keep_blank_values=True
        ).items()
    }


def report(scope: Scope, value: Any) -> None:
    """Tells the test something about this request, under the ticket in its query string."""
    report_as(query(scope)["ticket"], value)


def report_as(ticket: str, value: Any) -> None:
    """Tells the test something under `ticket`."""
    os.write(_REPORTS, (json.dumps([ticket, value]) + "\n").encode())
