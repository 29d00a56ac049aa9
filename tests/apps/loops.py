"""Event loops that a user may bring, and an application that says on which it runs."""

import asyncio
import threading
from typing import Any

from apps.asgi import answer, read_body
from apps.routes import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the loop's class."""
    assert scope["type"] == "http"
    await read_body(receive)
    loop = type(asyncio.get_running_loop())
    await asyncio.sleep(0.001)
    await answer(send, f"{loop.__module__}.{loop.__name__}".encode())


async def thread(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the name of the thread that it runs in."""
    assert scope["type"] == "http"
    main = threading.current_thread() is threading.main_thread()
    await answer(send, b"main" if main else b"other")


class OwnLoop(asyncio.SelectorEventLoop):
    """A loop that differs by its name only."""


class BlindLoop(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors for others, as Windows' proactor loop."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError

    def remove_reader(self, fd: Any) -> bool:
        raise NotImplementedError

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError

    def remove_writer(self, fd: Any) -> bool:
        raise NotImplementedError


def make_loop() -> asyncio.AbstractEventLoop:
    return OwnLoop()


not_callable = 5
