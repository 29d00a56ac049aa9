"""A server inside a program: it starts, answers itself, and stops.

python examples/embedded.py
"""

import asyncio
import urllib.request
from typing import Any

import smolcorn
from smolcorn.types import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says hello to the path."""
    assert scope["type"] == "http"
    body = f"Hello, {scope['path'][1:]}!".encode()
    headers: list[Any] = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def fetch(url: str) -> bytes:
    """Gets a page."""
    with urllib.request.urlopen(url) as answer:
        body: bytes = answer.read()
        return body


async def program() -> None:
    """Serves on any free port while it fetches a page."""
    config = smolcorn.Config(app, port=0, lifespan="off", limit_head_size=8192)
    async with smolcorn.Server(config) as server:
        url: str = server.urls[0]
        print((await asyncio.to_thread(fetch, f"{url}/you")).decode())


if __name__ == "__main__":
    asyncio.run(program())
