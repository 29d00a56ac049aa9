"""Servers inside the test's own process, an application for them, and clients."""

import asyncio
import urllib.request
from typing import Any

import smolcorn
from harness.deadline import DEADLINE_SECONDS


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its path, and knows the lifespan protocol."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = scope["path"].encode()
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    """Fails at start-up."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


def server(application: Any = app, **options: Any) -> smolcorn.Server:
    """One that has not started, for a free port; it leaves logging alone."""
    settings = {"port": 0, "log_config": None, **options}
    return smolcorn.Server(smolcorn.Config(application, **settings))


def get(url: str, **options: Any) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS, **options) as answer:
        body: bytes = answer.read()
        return body


async def fetch(url: str, **options: Any) -> bytes:
    """The same while the loop goes on."""
    return await asyncio.to_thread(get, url, **options)
