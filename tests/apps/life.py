"""Applications with lifespans of every kind. MODE in the environment says which way `app` goes."""

import asyncio
import contextvars
import os
import signal
import threading
from typing import Any

from apps.asgi import answer, report_as
from apps.routes import Receive, Routes, Scope, Send

MODE = os.environ.get("MODE", "")


class Life(Routes):
    """Does in its lifespan what MODE says, and reports what it sees."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        report_as("scope", {**scope, "state": type(scope["state"]).__name__})
        if MODE == "raises-at-once":
            raise RuntimeError("no lifespan here")
        if MODE == "asserts-type":
            assert scope["type"] == "http"
        if MODE == "returns-at-once":
            return
        message = await receive()
        report_as("event", message)
        if MODE == "raises-in-startup":
            raise RuntimeError("a bug in start-up")
        if MODE == "returns-in-startup":
            return
        if MODE == "startup-failed":
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            return
        if MODE == "startup-failed-silently":
            await send({"type": "lifespan.startup.failed"})
            return
        if MODE == "startup-failed-and-raises":
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            raise RuntimeError("as frameworks do")
        if MODE == "wrong-order":
            await self.report_error(send, {"type": "lifespan.shutdown.complete"})
        await send({"type": "lifespan.startup.complete"})
        if MODE == "startup-twice":
            await self.report_error(send, {"type": "lifespan.startup.complete"})
        if MODE == "dies-later":
            await SERVED.wait()
            raise RuntimeError("died while serving")
        message = await receive()
        report_as("event", message)
        if MODE == "shutdown-failed":
            await send(
                {"type": "lifespan.shutdown.failed", "message": "lost something"}
            )
            return
        if MODE == "raises-in-shutdown":
            raise RuntimeError("a bug in shutdown")
        await send({"type": "lifespan.shutdown.complete"})
        report_as("event", "done")

    async def report_error(self, send: Send, message: Any) -> None:
        try:
            await send(message)
        except AssertionError as error:
            report_as("error", [type(error).__name__, str(error)])


app = Life()

SERVED = asyncio.Event()
"""A request has been answered."""

WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD", default="clean")


class SetsContext(Routes):
    """Sets a context variable in its lifespan, which no request must see."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        WORD.set("from the lifespan")
        await super().lifespan(scope, receive, send)


context = SetsContext()


@context.route("/")
async def show_context(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, WORD.get().encode())


@app.route("/")
async def root(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, repr(scope["state"]).encode())
    SERVED.set()


class SlowStart(Routes):
    """Does not get ready by itself; reports what ends its waiting."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        report_as("event", "starting")
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            report_as("event", type(error).__name__)
            raise


slow_start = SlowStart()


class SlowStop(Routes):
    """Does not end by itself."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        report_as("event", "stopping")
        await asyncio.Event().wait()


slow_stop = SlowStop()


class SignalsElsewhere(Routes):
    """Has signals delivered to another thread than the main one.

    They interrupt no wait of the main thread then, just as one that comes a moment before the
    wait begins.
    """

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        await super().lifespan(scope, receive, send)


signals_elsewhere = SignalsElsewhere()
