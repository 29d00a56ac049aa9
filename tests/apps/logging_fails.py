"""Applications whose logging raises, for requests that are logged as errors and for others."""

import logging
import sys
from typing import Any

from apps.asgi import answer, report_as
from apps.routes import Receive, Routes, Scope, Send


class Raising(logging.Filter):
    """Raises for each record that says something of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "uvicorn.access" or "Exception in" in record.getMessage():
            raise ValueError("a filter that raises")
        return True


def install() -> None:
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(Raising())
    sys.unraisablehook = lambda told: report_as("told", str(told.exc_value))


class App(Routes):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        install()
        await super().lifespan(scope, receive, send)


app = App()


@app.route("/good")
async def good(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"ok")


@app.route("/bad")
async def bad(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("an application that raises")


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/install":
        install()
    if environ["PATH_INFO"] == "/bad":
        raise RuntimeError("an application that raises")
    start_response("200 OK", [("content-length", "2")])
    return [b"ok"]
