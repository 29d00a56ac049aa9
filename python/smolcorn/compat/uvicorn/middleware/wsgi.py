"""`uvicorn.middleware.wsgi`: runs a WSGI application under ASGI, a thread for each
request. Request bodies above a mebibyte go through a file."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import sys
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

from smolcorn.types import Receive, Scope, Send

SPOOLED_BYTES_MAX = 1024 * 1024
"""A request body of more bytes is kept in a file."""


class WSGIMiddleware:
    """Serves `app(environ, start_response)`."""

    def __init__(self, app: Callable[..., Iterable[bytes]], workers: int = 10) -> None:
        self.app = app
        self.executor = concurrent.futures.ThreadPoolExecutor(max_workers=workers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "WSGI knows only HTTP."
        with tempfile.SpooledTemporaryFile(SPOOLED_BYTES_MAX) as body:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body.write(message.get("body", b""))
                if not message.get("more_body"):
                    break
            body.seek(0)
            loop = asyncio.get_running_loop()
            answer = _Answer(loop, send)
            environ = build_environ(scope, body)
            await loop.run_in_executor(self.executor, answer.run, self.app, environ)


class _Answer:
    """What one call of the application answers, sent from its thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop = loop
        self._send = send
        self._head: dict[str, Any] | None = None
        self._is_started = False

    def run(self, app: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> None:
        """In a thread: calls the application, and sends what it gives."""
        chunks = app(environ, self.start_response)
        try:
            for chunk in chunks:
                if chunk:
                    self.write(chunk)
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()
        self._message({"type": "http.response.body", "body": b"", "more_body": False})

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,
    ) -> Callable[[bytes], None]:
        """The one of WSGI (PEP 3333)."""
        if exc_info is not None and self._is_started:
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self._head is not None:
            raise AssertionError("start_response() was called before.")
        self._head = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers
            ],
        }
        return self.write

    def write(self, chunk: bytes) -> None:
        """Sends a piece of the body, and waits until it is on its way."""
        self._message({"type": "http.response.body", "body": chunk, "more_body": True})

    def _message(self, message: dict[str, Any]) -> None:
        if self._head is None:
            raise AssertionError("start_response() was not called.")
        if not self._is_started:
            self._is_started = True
            self._wait(self._head)
        self._wait(message)

    def _wait(self, message: dict[str, Any]) -> None:
        async def sent() -> None:
            await self._send(message)

        asyncio.run_coroutine_threadsafe(sent(), self._loop).result()


def build_environ(scope: Scope, body: Any) -> dict[str, Any]:
    """The environ of WSGI (PEP 3333) for an HTTP scope."""
    root = scope.get("root_path", "")
    path = scope["path"]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _wsgi_text(root),
        "PATH_INFO": _wsgi_text(path.removeprefix(root)),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr if sys.stderr is not None else io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    server = scope.get("server") or ("localhost", 80)
    environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1] or 0)
    if client := scope.get("client"):
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        value = raw_value.decode("latin-1")
        if name not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            name = f"HTTP_{name}"
        separator = "; " if name == "HTTP_COOKIE" else ","
        before = environ.get(name)
        environ[name] = value if before is None else f"{before}{separator}{value}"
    return environ


def _wsgi_text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
