from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from smolcorn import trace
from smolcorn.interfaces import load_application

from .conftest import Lines
from .fake_core import settings

BODY = {"type": "http.request", "body": b"12345", "more_body": False}


async def app(scope: Any, receive: Any, send: Any) -> int:
    await receive()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    )
    await send({"type": "http.response.body", "body": b"hi"})
    await send({"type": "websocket.send", "text": "four", "bytes": None})
    if "fail" in scope:
        raise LookupError
    return 7


async def receive() -> Any:
    return BODY


async def send(message: Any) -> None: ...


@pytest.fixture
def traced(logs: Lines) -> Lines:
    logging.addLevelName(5, "TRACE")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(5)
    return logs


def test_messages_are_logged_without_payload(traced: Lines) -> None:
    application = load_application(settings(f"{__name__}:app"))
    assert isinstance(application.call, trace.MessageLoggerMiddleware)
    scope = {"type": "http", "client": ("1.2.3.4", 5), "headers": [(b"a", b"b")]}

    async def main() -> None:
        assert await application.call(scope, receive, send) == 7
        with pytest.raises(LookupError):
            await application.call({"fail": True}, receive, send)

    asyncio.run(main())
    one = "TRACE 1.2.3.4:5 - ASGI [1]"
    two = "TRACE ASGI [2]"
    messages = [
        "Receive {'type': 'http.request', 'body': '<5 bytes>', 'more_body': False}",
        "Send {'type': 'http.response.start', 'status': 200, 'headers': '<...>'}",
        "Send {'type': 'http.response.body', 'body': '<2 bytes>'}",
        "Send {'type': 'websocket.send', 'text': '<4 chars>', 'bytes': None}",
    ]
    assert traced.lines == [
        f"{one} Started scope={{'type': 'http', 'client': ('1.2.3.4', 5), "
        "'headers': '<...>'}",
        *(f"{one} {text}" for text in messages),
        f"{one} Completed",
        f"{two} Started scope={{'fail': True}}",
        *(f"{two} {text}" for text in messages),
        f"{two} Raised exception",
    ]
    assert {record.name for record in traced.records} == {"uvicorn.asgi"}


def test_above_trace_nothing_is_in_between(logs: Lines) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.DEBUG)
    assert load_application(settings(f"{__name__}:app")).call is app
