"""A chat: `make run APP=examples.chat:app`, then open http://127.0.0.1:8000 in two windows.

What one says, all hear. There is one room, and nothing is kept.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PAGE = Path(__file__).with_name("chat.html").read_bytes()
NAME_CHARS_MAX = 30
SAID_CHARS_MAX = 500
WAITING_MAX = 100
"""Messages that may wait for one guest; one who is slower than that leaves."""


class Guest:
    """Somebody in the room: a queue of what is to be said to them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: asyncio.Queue[str] = asyncio.Queue(WAITING_MAX)
        self.too_slow = asyncio.Event()

    def tell(self, text: str) -> None:
        """Never waits: one slow guest must not keep the others from hearing."""
        try:
            self.waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.too_slow.set()


room: set[Guest] = set()


def tell_all(kind: str, name: str, text: str = "") -> None:
    """Says something to everybody."""
    present = sorted(guest.name for guest in room)
    said = json.dumps({"kind": kind, "name": name, "text": text, "present": present})
    for guest in room:
        guest.tell(said)


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serves the page over HTTP, and the chat over WebSockets."""
    if scope["type"] == "http":
        await serve_page(scope, send)
    elif scope["type"] == "websocket":
        await serve_chat(receive, send)
    else:
        raise NotImplementedError(scope["type"])


async def serve_page(scope: dict[str, Any], send: Send) -> None:
    """Answers with the page, and with 404 for any other path."""
    found = scope["path"] == "/"
    body = PAGE if found else b"Not found\n"
    kind = b"text/html" if found else b"text/plain"
    await send(
        {
            "type": "http.response.start",
            "status": 200 if found else 404,
            "headers": [
                (b"content-type", kind + b"; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def serve_chat(receive: Receive, send: Send) -> None:
    """Lets a guest in; the first message is the name, the others are what the guest says."""
    await receive()
    await send({"type": "websocket.accept"})
    name = await next_text(receive)
    if name is None or not name.strip():
        await send({"type": "websocket.close", "code": 1008, "reason": "no name"})
        return
    guest = Guest(name.strip()[:NAME_CHARS_MAX])
    room.add(guest)
    tell_all("joined", guest.name)
    tasks = [
        asyncio.create_task(listen(guest, receive)),
        asyncio.create_task(speak(guest, send)),
        asyncio.create_task(guest.too_slow.wait()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        room.discard(guest)
        tell_all("left", guest.name)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def listen(guest: Guest, receive: Receive) -> None:
    """Passes on what the guest says."""
    while (text := await next_text(receive)) is not None:
        if text.strip():
            tell_all("said", guest.name, text[:SAID_CHARS_MAX])


async def speak(guest: Guest, send: Send) -> None:
    """Tells the guest what the others say."""
    while True:
        text = await guest.waiting.get()
        await send({"type": "websocket.send", "text": text})


async def next_text(receive: Receive) -> str | None:
    """The next text message; None when the connection has ended."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        if (text := message.get("text")) is not None:
            return str(text)
