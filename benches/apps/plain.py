"""Plain ASGI applications: the least that a server can have to do around."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

HELLO = b"Hello, you"


def answer(body: bytes) -> Application:
    """An application that answers every request with this body and reads nothing."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served here")
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


answer_10b = answer(HELLO)
answer_10kb = answer(b"x" * 10 * 1024)


async def read_body(scope: Message, receive: Receive, send: Send) -> None:
    """Reads the body to its end, then answers with ten bytes."""
    if scope["type"] == "http":
        while (await receive()).get("more_body", False):
            pass
    await answer_10b(scope, receive, send)
