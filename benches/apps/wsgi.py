"""Plain WSGI applications."""

from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

HELLO = b"Hello, you"
HEADERS = [
    ("content-type", "text/plain; charset=utf-8"),
    ("content-length", str(len(HELLO))),
]


def answer_10b(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(HEADERS))
    return [HELLO]


def read_body(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Reads the body to its end, then answers with ten bytes."""
    while environ["wsgi.input"].read(64 * 1024):
        pass
    return answer_10b(environ, start_response)
