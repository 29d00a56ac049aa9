"""What the plain ASGI applications here are made of: routes, each with a handler."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[Any]]


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
            return await no_such_route(send)
        return await handler(scope, receive, send)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Says yes to everything."""
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def no_such_route(send: Send) -> None:
    headers = [(b"content-length", b"13")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"no such route"})


class Gates:
    """Gates that requests wait at, by name, until another request opens them."""

    def __init__(self) -> None:
        self._gates: dict[str, asyncio.Event] = {}

    def __call__(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())
