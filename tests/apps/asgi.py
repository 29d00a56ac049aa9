"""The messages of the plain ASGI applications here, and what they tell the test."""

import json
import os
from typing import Any
from urllib.parse import parse_qs

from apps.routes import Message, Receive, Scope, Send

_REPORTS = int(os.environ.get("TEST_REPORTS_FD", "2"))


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
