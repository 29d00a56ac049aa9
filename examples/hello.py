"""The smallest application: `make run`, then open http://127.0.0.1:8000."""

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Greets whoever asks, by the path that was asked for."""
    if scope["type"] != "http":
        # Tells the server that neither lifespan nor WebSocket is spoken here.
        raise NotImplementedError(scope["type"])

    name = scope["path"].strip("/") or "world"
    body = f"Hello, {name}!\n".encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
