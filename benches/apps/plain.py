"""Plain ASGI applications: the least that a server can have to do around."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

HELLO = b"Hello, you"
CHUNKS = 20
CHUNK = b"x" * 100
SLEEP_S = 0.01
#: Whoever starts the server makes this file of 50 KB.
FILE = Path(os.environ.get("BENCH_FILE", os.devnull))
FILE_BYTES = 50 * 1024
READ_BYTES = 64 * 1024


def headers_for(length: int | None) -> Headers:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return headers


def start(headers: Headers) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": headers}


def must_be_http(scope: Message) -> None:
    if scope["type"] != "http":
        raise RuntimeError(f"{scope['type']} is not served here")


def answer(body: bytes) -> Application:
    """An application that answers every request with this body and reads nothing."""
    headers = headers_for(len(body))

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        must_be_http(scope)
        await send(start(headers))
        await send({"type": "http.response.body", "body": body})

    return app


answer_10b = answer(HELLO)
answer_1kb = answer(b"x" * 1024)
answer_10kb = answer(b"x" * 10 * 1024)
answer_100kb = answer(b"x" * 100 * 1024)


async def read_body(scope: Message, receive: Receive, send: Send) -> None:
    """Reads the body to its end, then answers with ten bytes."""
    if scope["type"] == "http":
        while (await receive()).get("more_body", False):
            pass
    await answer_10b(scope, receive, send)


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Sends each piece of the body back as soon as it has come."""
    must_be_http(scope)
    await send(start(headers_for(None)))
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        body = message.get("body", b"")
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def chunks(scope: Message, receive: Receive, send: Send) -> None:
    """Streams an answer of unknown length in 20 pieces of 100 bytes."""
    must_be_http(scope)
    await send(start(headers_for(None)))
    for _ in range(CHUNKS):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def sleep(scope: Message, receive: Receive, send: Send) -> None:
    """Answers after 10 ms, as an application that waits for a database."""
    must_be_http(scope)
    await asyncio.sleep(SLEEP_S)
    await answer_10b(scope, receive, send)


def read_file() -> bytes:
    with FILE.open("rb") as file:
        return file.read(READ_BYTES)


async def file(scope: Message, receive: Receive, send: Send) -> None:
    """Sends a file by pathsend; where the server has none, it reads the file in a thread, as
    frameworks do."""
    must_be_http(scope)
    await send(start(headers_for(FILE_BYTES)))
    if "http.response.pathsend" in scope.get("extensions", {}):
        await send({"type": "http.response.pathsend", "path": str(FILE)})
        return
    content = await asyncio.to_thread(read_file)
    await send({"type": "http.response.body", "body": content})
