"""Things that can be loaded as an application, and some that cannot."""

import functools
import os
from typing import Any

from apps.asgi import answer
from apps.routes import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await answer(send, b"function")


def plain_callable(scope: Scope, receive: Receive, send: Send) -> Any:
    """Not a coroutine function, but it returns a coroutine."""
    return app(scope, receive, send)


async def with_greeting(
    greeting: bytes, scope: Scope, receive: Receive, send: Send
) -> None:
    assert scope["type"] == "http"
    await answer(send, greeting)


partial = functools.partial(with_greeting, b"partial")


def decorate(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


@decorate
async def decorated(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await answer(send, b"decorated")


class CallableObject:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await answer(send, b"object")

    async def method(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await answer(send, b"method")


instance = CallableObject()


class Awaitable:
    """An ASGI3 application that is a class: its instances are awaited."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.send = scope, send

    def __await__(self) -> Any:
        assert self.scope["type"] == "http"
        return answer(self.send, b"awaitable class").__await__()


class Double:
    """An ASGI2 application."""

    def __init__(self, scope: Scope) -> None:
        assert scope["type"] == "http"
        self.scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None:
        await answer(send, f"asgi {self.scope['asgi']['version']}".encode())


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"wsgi"]


class Namespace:
    inner = instance


def make() -> Any:
    return app


def make_failing() -> Any:
    return len(5)  # type: ignore[arg-type]


def make_raising() -> Any:
    raise LookupError("the factory has failed")


async def environment(scope: Scope, receive: Receive, send: Send) -> None:
    """The value of the variable TEST_VALUE."""
    assert scope["type"] == "http"
    await answer(send, os.environ.get("TEST_VALUE", "unset").encode())
