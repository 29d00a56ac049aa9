"""What is logged and decided for every way that an application may take."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from smolcorn.config import LifespanMode
from smolcorn.interfaces import Application
from smolcorn.lifespan import Lifespan

from .conftest import Lines

App = Callable[[Any, Any, Any], Awaitable[None]]

WAITING = "INFO Waiting for application startup."
COMPLETE = "INFO Application startup complete."
FAILED = "ERROR Application startup failed. Exiting."
UNSUPPORTED = "INFO ASGI 'lifespan' protocol appears unsupported."
STOPPING = "INFO Waiting for application shutdown."
STOPPED = "INFO Application shutdown complete."
NOT_STOPPED = "ERROR Application shutdown failed. Exiting."


def raised(name: str) -> str:
    return f"ERROR Exception in 'lifespan' protocol\n<{name}>"


def message(kind: str, **more: str) -> dict[str, str]:
    return {"type": f"lifespan.{kind}", **more}


def lifespan_of(app: App, mode: LifespanMode = "auto") -> Lifespan:
    return Lifespan(Application(app, "asgi3"), mode)


def live(app: App, mode: LifespanMode = "auto") -> Lifespan:
    """Starts the application and, if that went well, shuts it down."""

    async def main() -> Lifespan:
        lifespan = lifespan_of(app, mode)
        await lifespan.startup()
        if not lifespan.startup_failed:
            # Gives a task that dies after its start the time to do so.
            for _ in range(3):
                await asyncio.sleep(0)
            await lifespan.shutdown()
        return lifespan

    return asyncio.run(main())


async def good(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive()) == message("startup")
    scope["state"]["made"] = "at start-up"
    await send(message("startup.complete"))
    assert (await receive()) == message("shutdown")
    await send(message("shutdown.complete"))


async def knows_only_http(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


async def looks_for_a_path(scope: Any, receive: Any, send: Any) -> None:
    print(scope["path"])


async def answers_without_asking(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})


async def answers_as_http(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200})


async def has_a_bug(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise LookupError("no database")


async def exits(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise SystemExit(1)


async def returns_at_once(scope: Any, receive: Any, send: Any) -> None: ...


async def returns_after_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.complete"))


async def says_that_it_failed(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.failed", message="no\ndatabase %s"))
    raise LookupError("no database")


async def fails_without_words(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.failed"))


async def dies_later(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.complete"))
    await asyncio.sleep(0)
    raise LookupError("later")


async def starts_twice(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.complete"))
    await send(message("startup.complete"))


async def cannot_stop(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.complete"))
    await receive()
    await send(message("shutdown.failed", message="still busy"))


async def raises_at_the_end(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.complete"))
    await receive()
    raise LookupError("end")


async def returns_at_the_end(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.complete"))
    await receive()


async def stops_before_it_is_told(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("startup.complete"))
    await send(message("shutdown.complete"))
    await receive()


async def stops_before_it_starts(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(message("shutdown.complete"))


LIVES: list[tuple[App, LifespanMode, list[str]]] = [
    (good, "auto", [WAITING, COMPLETE, STOPPING, STOPPED]),
    (good, "on", [WAITING, COMPLETE, STOPPING, STOPPED]),
    (good, "off", []),
    (has_a_bug, "off", []),
    # It does not know the scope type.
    (knows_only_http, "auto", [WAITING, UNSUPPORTED, COMPLETE]),
    (looks_for_a_path, "auto", [WAITING, UNSUPPORTED, COMPLETE]),
    (answers_without_asking, "auto", [WAITING, UNSUPPORTED, COMPLETE]),
    (answers_as_http, "auto", [WAITING, UNSUPPORTED, COMPLETE]),
    (knows_only_http, "on", [WAITING, raised("AssertionError"), FAILED]),
    (answers_as_http, "on", [WAITING, raised("AssertionError"), FAILED]),
    # It knows it, and has an error of its own.
    (has_a_bug, "auto", [WAITING, raised("LookupError"), FAILED]),
    (has_a_bug, "on", [WAITING, raised("LookupError"), FAILED]),
    (exits, "auto", [WAITING, raised("SystemExit"), FAILED]),
    (stops_before_it_starts, "auto", [WAITING, raised("AssertionError"), FAILED]),
    (says_that_it_failed, "auto", [WAITING, "ERROR no\ndatabase %s", FAILED]),
    (says_that_it_failed, "on", [WAITING, "ERROR no\ndatabase %s", FAILED]),
    (fails_without_words, "auto", [WAITING, FAILED]),
    # It leaves early.
    (returns_at_once, "auto", [WAITING, COMPLETE, STOPPING, STOPPED]),
    (returns_at_once, "on", [WAITING, COMPLETE, STOPPING, STOPPED]),
    (returns_after_start, "auto", [WAITING, COMPLETE, STOPPING, STOPPED]),
    # It dies after it has started.
    (dies_later, "auto", [WAITING, COMPLETE, raised("LookupError")]),
    (dies_later, "on", [WAITING, COMPLETE, raised("LookupError")]),
    (starts_twice, "auto", [WAITING, COMPLETE, raised("AssertionError")]),
    # It has trouble to stop.
    (
        cannot_stop,
        "auto",
        [WAITING, COMPLETE, STOPPING, "ERROR still busy", NOT_STOPPED],
    ),
    (
        raises_at_the_end,
        "auto",
        [WAITING, COMPLETE, STOPPING, raised("LookupError"), NOT_STOPPED],
    ),
    (returns_at_the_end, "auto", [WAITING, COMPLETE, STOPPING, STOPPED]),
    (stops_before_it_is_told, "auto", [WAITING, COMPLETE, STOPPING, STOPPED]),
]


@pytest.mark.parametrize(
    ("app", "mode", "lines"), LIVES, ids=lambda value: getattr(value, "__name__", None)
)
def test_lives(app: App, mode: LifespanMode, lines: list[str], logs: Lines) -> None:
    lifespan = live(app, mode)
    assert logs.lines == lines
    assert lifespan.startup_failed is (lines[-1:] == [FAILED])
    assert lifespan.shutdown_failed is (lines[-1:] == [NOT_STOPPED])


def test_the_reason_for_unsupported_is_told_at_debug_level(logs: Lines) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.DEBUG)
    live(knows_only_http)
    assert "DEBUG The application raised\n<AssertionError>" in logs.lines


@pytest.mark.parametrize(("interface", "version"), [("asgi3", "3.0"), ("asgi2", "2.0")])
def test_the_scope(interface: Any, version: str) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    lifespan = Lifespan(Application(app, interface), "auto")
    asyncio.run(lifespan.startup())
    assert scopes == [
        {
            "type": "lifespan",
            "asgi": {"version": version, "spec_version": "2.0"},
            "state": {},
        }
    ]
    assert scopes[0]["state"] is lifespan.state


def test_the_state_is_kept() -> None:
    assert live(good).state == {"made": "at start-up"}
    assert live(good, "off").state == {}


def test_wrong_transitions_are_told_to_the_application() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for kind in ("lifespan.shutdown.complete", "lifespan.startup", "foo"):
            try:
                await send({"type": kind})
            except AssertionError as error:
                told.append(str(error))

    live(app)
    assert told == [
        "Got invalid state transition on lifespan protocol.",
        "Expected a message of the lifespan protocol, but got 'lifespan.startup'.",
        "Expected a message of the lifespan protocol, but got 'foo'.",
    ]


def test_start_up_is_interrupted(logs: Lines) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # As Starlette does.
            await send(message("startup.failed", message="Traceback ..."))
            raise

    async def main() -> Lifespan:
        lifespan = lifespan_of(app)
        starting = asyncio.create_task(lifespan.startup())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        await lifespan.interrupt()
        await lifespan.shutdown()
        return lifespan

    assert asyncio.run(main()).interrupted
    assert logs.lines == [WAITING]


def test_an_application_that_starts_none_the_less_is_shut_down(logs: Lines) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send(message("startup.complete"))
        await receive()
        await send(message("shutdown.complete"))

    async def main() -> Lifespan:
        lifespan = lifespan_of(app)
        starting = asyncio.create_task(lifespan.startup())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        await lifespan.interrupt()
        await lifespan.shutdown()
        return lifespan

    assert not asyncio.run(main()).interrupted
    assert logs.lines == [WAITING, COMPLETE, STOPPING, STOPPED]


def test_an_error_during_the_interruption_is_logged(logs: Lines) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LookupError("while cleaning up") from None

    async def main() -> None:
        lifespan = lifespan_of(app)
        starting = asyncio.create_task(lifespan.startup())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        await lifespan.interrupt()

    asyncio.run(main())
    assert logs.lines == [WAITING, raised("LookupError")]


def test_an_abandoned_application_is_cancelled_quietly(logs: Lines) -> None:
    cancelled: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(message("startup.complete"))
        try:
            await receive()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def main() -> None:
        lifespan = lifespan_of(app)
        await lifespan.abandon()
        await lifespan.startup()
        await asyncio.sleep(0)
        await lifespan.abandon()

    asyncio.run(main())
    assert cancelled == [True]
    assert logs.lines == [WAITING, COMPLETE]
