"""Applications that look at the log, or change how it is written."""

import logging
from typing import Any

from apps.asgi import answer, body, query, report_as, start
from apps.routes import Receive, Routes, Scope, Send

ACCESS = logging.getLogger("uvicorn.access")


class Plain(Routes):
    """Answers any path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.lifespan(scope, receive, send)
        handler = self.handlers.get(scope["path"])
        if handler:
            await handler(scope, receive, send)
        else:
            await answer(send, b"ok")


app = Plain()


@app.route("/status")
async def status(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(int(query(scope)["code"]), (b"content-length", b"0")))
    await send(body())


class Collect(logging.Handler):
    """Reports each record with its arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.args, tuple)
        types = [type(value).__name__ for value in record.args]
        report_as(
            "record",
            [record.name, record.levelno, record.msg, list(record.args), types],
        )


class WithoutHealth(logging.Filter):
    """Drops the lines about /health, as many applications do."""

    def filter(self, record: logging.LogRecord) -> bool:
        arguments: Any = record.args
        return not str(arguments[2]).startswith("/health")


@app.route("/add-filter")
async def add_filter(scope: Scope, receive: Receive, send: Send) -> None:
    """Adds the filter while the server runs."""
    await answer(send, b"ok")
    ACCESS.addFilter(FILTER)


@app.route("/remove-filter")
async def remove_filter(scope: Scope, receive: Receive, send: Send) -> None:
    ACCESS.removeFilter(FILTER)
    await answer(send, b"ok")


@app.route("/set-format")
async def set_format(scope: Scope, receive: Receive, send: Send) -> None:
    """Gives the handler that is there an ordinary formatter."""
    await answer(send, b"ok")
    for handler in ACCESS.handlers:
        handler.setFormatter(logging.Formatter("access %(levelname)s %(message)s"))


@app.route("/raise-level")
async def raise_level(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"ok")
    ACCESS.setLevel(logging.WARNING)


FILTER = WithoutHealth()


class Filtered(Plain):
    """Adds the filter as its lifespan starts."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        ACCESS.addFilter(FILTER)
        await super().lifespan(scope, receive, send)


class Collected(Plain):
    """Adds a handler of its own as its lifespan starts."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        ACCESS.addHandler(Collect())
        await super().lifespan(scope, receive, send)


filtered = Filtered()
collected = Collected()
