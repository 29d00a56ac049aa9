"""Applications whose traces are looked at."""

import asyncio
import os
import time

from apps.asgi import answer, body, query, read_body, start
from apps.routes import Receive, Routes, Scope, Send

app = Routes()


@app.route("/")
async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"ok")


@app.route("/sleep")
async def sleep(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.02)
    await answer(send, b"slept")


@app.route("/upload")
async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, str(len(await read_body(receive))).encode())


@app.route("/stream")
async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    for _ in range(20):
        await send(body(b"x" * 65_536, more=True))
        await asyncio.sleep(0)
    await send(body(b""))


@app.route("/raise")
async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("on purpose")


@app.route("/exit")
async def leave(scope: Scope, receive: Receive, send: Send) -> None:
    """Ends the process as a crash does."""
    os._exit(70)


@app.route("/block")
async def block(scope: Scope, receive: Receive, send: Send) -> None:
    blocked_here(query(scope)["until"])
    await answer(send, b"free")


def blocked_here(path: str) -> None:
    """Keeps the loop until there is such a file."""
    while not os.path.exists(path):
        time.sleep(0.005)


@app.route("/wait")
async def wait(scope: Scope, receive: Receive, send: Send) -> None:
    await waits_here(query(scope)["until"])
    await answer(send, b"done")


async def waits_here(path: str) -> None:
    """Waits, without keeping anybody, until there is such a file."""
    while not os.path.exists(path):
        await asyncio.sleep(0.005)


@app.route("/echo")
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
