"""A WSGI application made of handlers, one for each path."""

import array
import contextvars
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from apps.asgi import report_as

Environ = dict[str, Any]
Handler = Callable[[Environ, Any], Any]

HANDLERS: dict[str, Handler] = {}
GATES: dict[str, threading.Event] = {}
WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD", default="clean")
SET_BEFORE: contextvars.ContextVar[str] = contextvars.ContextVar("SET_BEFORE")
SET_BEFORE.set("by the module")


def route(path: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS[path] = handler
        return handler

    return register


def app(environ: Environ, start_response: Any) -> Any:
    handler = HANDLERS.get(environ["PATH_INFO"])
    if handler is None:
        start_response("404 Not Found", [])
        return [b"no such route"]
    return handler(environ, start_response)


def query(environ: Environ) -> dict[str, str]:
    found = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    return {name: values[-1] for name, values in found.items()}


def report(environ: Environ, value: Any) -> None:
    report_as(query(environ)["ticket"], value)


def gate(environ: Environ) -> threading.Event:
    return GATES.setdefault(query(environ)["ticket"], threading.Event())


class Closing:
    """An iterable that says when it was closed."""

    def __init__(self, environ: Environ, pieces: Iterable[bytes]) -> None:
        self.environ = environ
        self.pieces = iter(pieces)

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        report(self.environ, "closed")


# --- Simple answers ---------------------------------------------------------------------------


@route("/")
def hello(environ: Environ, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


@route("/environ")
def show(environ: Environ, start_response: Any) -> Any:
    assert type(environ) is dict
    shown = {
        key: value
        for key, value in environ.items()
        if isinstance(value, str | int | tuple)
    }
    report(environ, shown)
    start_response("200 OK", [])
    return []


@route("/as-told")
def as_told(environ: Environ, start_response: Any) -> Any:
    """Answers with what the query says."""
    told = query(environ)
    headers = [
        (name, value)
        for name, _, value in (
            line.partition(":") for line in told.get("headers", "").split("|") if line
        )
    ]
    start_response(told.get("status", "200 OK"), headers)
    pieces = [piece.encode() for piece in told.get("body", "").split("|")]
    kind = told.get("kind", "list")
    if kind == "list":
        return pieces
    if kind == "empty":
        return []
    if kind == "tuple":
        return tuple(pieces)
    return (piece for piece in pieces)


@route("/bad")
def bad(environ: Environ, start_response: Any) -> Any:
    """Says what start_response makes of a mistake."""
    mistakes: dict[str, tuple[Any, Any]] = {
        "bytes-status": (b"200 OK", []),
        "int-status": (200, []),
        "text-status": ("OK", []),
        "informational": ("101 Switching Protocols", []),
        "line-in-status": ("200 OK\r\nx: y", []),
        "tuple-headers": ("200 OK", (("a", "b"),)),
        "list-header": ("200 OK", [["a", "b"]]),
        "one-item": ("200 OK", [("a",)]),
        "bytes-name": ("200 OK", [(b"a", "b")]),
        "bytes-value": ("200 OK", [("a", b"b")]),
        "int-value": ("200 OK", [("a", 1)]),
        "line-in-value": ("200 OK", [("a", "b\r\nc: d")]),
        "blank-in-name": ("200 OK", [("a b", "c")]),
        "not-latin": ("200 OK", [("a", "\u20ac")]),
        "length": ("200 OK", [("content-length", "many")]),
    }
    try:
        start_response(*mistakes[query(environ)["mistake"]])
    except Exception as error:
        start_response("200 OK", [])
        return [f"{type(error).__name__}: {error}".encode()]
    return [b"accepted"]


@route("/context")
def context(environ: Environ, start_response: Any) -> Any:
    before = WORD.get()
    WORD.set("dirty")
    start_response("200 OK", [])
    return [f"{before} {SET_BEFORE.get('nothing')}".encode()]


@route("/thread")
def thread(environ: Environ, start_response: Any) -> Any:
    current = threading.current_thread()
    start_response("200 OK", [])
    return [f"{current.name} {current.daemon}".encode()]


# --- Bodies of requests -----------------------------------------------------------------------


@route("/echo")
def echo(environ: Environ, start_response: Any) -> Any:
    data = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [data]


@route("/ways-to-read")
def ways_to_read(environ: Environ, start_response: Any) -> Any:
    body = environ["wsgi.input"]
    seen: list[Any] = [
        body.read(3),
        body.read(0),
        body.readline(),
        body.readline(2),
        body.readline(None),
        body.readlines(1),
        next(body),
        *body,
        body.read(),
        body.read(5),
        body.readline(),
        body.readlines(),
    ]
    start_response("200 OK", [])
    return [repr(seen).encode()]


@route("/count")
def count(environ: Environ, start_response: Any) -> Any:
    total = 0
    while piece := environ["wsgi.input"].read(65_536):
        total += len(piece)
    start_response("200 OK", [])
    return [b"%d" % total]


@route("/read-wrongly")
def read_wrongly(environ: Environ, start_response: Any) -> Any:
    try:
        environ["wsgi.input"].read("many")
    except TypeError as error:
        start_response("200 OK", [])
        return [str(error).encode()]


@route("/buffered")
def buffered(environ: Environ, start_response: Any) -> Any:
    """Reads by what Python puts around a file."""
    body = environ["wsgi.input"]
    kind = query(environ)["kind"]
    if kind == "into":
        room = bytearray(5)
        seen: list[Any] = [body.readinto(bytearray()), body.readinto(room), bytes(room)]
        # The items of this one have two bytes each.
        wide = array.array("H", [0, 0, 0])
        seen += [body.readinto(wide), wide.tobytes(), body.readinto(room), bytes(room)]
        seen += [body.readinto(room)]
    elif kind == "refused":
        seen = []
        for wrong in (b"fixed", "text", memoryview(bytearray(6))[::2]):
            try:
                body.readinto(wrong)
            except (TypeError, BufferError) as error:
                seen.append(type(error).__name__)
        seen.append(body.read())
    elif kind == "text":
        with io.TextIOWrapper(io.BufferedReader(body), "ascii") as lines:
            seen = [lines.readline(), *lines]
    else:
        assert not (body.closed or body.seekable() or body.writable())
        reader = io.BufferedReader(body, 4)
        seen = [reader.peek(1)[:1], reader.read(3), reader.readline(), reader.read()]
        reader.close()
    start_response("200 OK", [])
    return [repr(seen).encode()]


@route("/one-piece")
def one_piece(environ: Environ, start_response: Any) -> Any:
    """Says what is there as soon as something is."""
    room = bytearray(100)
    length = environ["wsgi.input"].readinto(room)
    report(environ, room[:length].decode())
    length = environ["wsgi.input"].readinto(room)
    start_response("200 OK", [])
    return [bytes(room[:length])]


@route("/reads-from-one-that-leaves")
def reads_from_one_that_leaves(environ: Environ, start_response: Any) -> Any:
    report(environ, environ["wsgi.input"].read(4).decode())
    try:
        environ["wsgi.input"].read()
    except OSError as error:
        report(environ, type(error).__name__)
        raise


@route("/does-more-for-one-that-leaves")
def does_more_for_one_that_leaves(environ: Environ, start_response: Any) -> Any:
    """Goes on when reading fails because the client has left."""
    told = query(environ)
    report(environ, environ["wsgi.input"].read(4).decode())
    try:
        environ["wsgi.input"].read()
    except OSError:
        report(environ, "left")
    if told["then"] == "write":
        start_response("200 OK", [])(b"first")
    if told["then"] == "fail":
        raise LookupError("mine")
    return []


# --- Streams ----------------------------------------------------------------------------------


@route("/gated")
def gated(environ: Environ, start_response: Any) -> Any:
    """Says "first", and the rest when it is let."""
    opened = gate(environ)
    start_response("200 OK", [])

    def pieces() -> Iterator[bytes]:
        yield b""
        yield b"first"
        report(environ, "waiting")
        opened.wait(20)
        yield b"second"

    return Closing(environ, pieces())


@route("/waits")
def waits(environ: Environ, start_response: Any) -> Any:
    opened = gate(environ)
    report(environ, "waiting")
    opened.wait(20)
    start_response("200 OK", [])
    return [b"waited"]


@route("/loops")
def loops(environ: Environ, start_response: Any) -> Any:
    """Never ends, and never stays where it is."""
    report(environ, "waiting")
    while True:
        time.sleep(0.0001)


@route("/open")
def open_gate(environ: Environ, start_response: Any) -> Any:
    environ["wsgi.input"].read()
    gate(environ).set()
    start_response("200 OK", [])
    return [b"open"]


@route("/download")
def download(environ: Environ, start_response: Any) -> Any:
    """Sends many pieces, and says how many went out before it had to wait."""
    told = query(environ)
    size = int(told.get("size", 65_536))
    chunks = int(told["chunks"])
    piece = bytes(size)
    start_response("200 OK", [("Content-Length", str(size * chunks))])

    def pieces() -> Iterator[bytes]:
        slow = False
        for number in range(chunks):
            begun = time.monotonic()
            yield piece
            if not slow and time.monotonic() - begun > 0.3 and "ticket" in told:
                slow = True
                report(environ, number * size)

    return pieces()


@route("/endless")
def endless(environ: Environ, start_response: Any) -> Any:
    start_response("200 OK", [])

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            report(environ, "left")

    return Closing(environ, pieces())


@route("/write")
def write(environ: Environ, start_response: Any) -> Any:
    write = start_response("200 OK", [("x-a", "1")])
    write(b"one ")
    write(b"")
    write(b"two ")
    return [b"three"]


@route("/write-and-wait")
def write_and_wait(environ: Environ, start_response: Any) -> Any:
    opened = gate(environ)
    write = start_response("200 OK", [])
    write(b"first")
    opened.wait(20)
    write(b"second")
    return []


# --- Errors -----------------------------------------------------------------------------------


@route("/error")
def error(environ: Environ, start_response: Any) -> Any:
    kind = query(environ)["kind"]
    if kind == "at-once":
        raise LookupError("mine")
    if kind == "exit":
        sys.exit(7)
    if kind == "nothing":
        return None
    if kind == "silent":
        return [b"body"]
    if kind == "silent-generator":
        return (piece for piece in [b"body"])
    start_response("200 OK", [("content-length", "10")] * kind.endswith("length"))
    if kind == "after-start":
        raise LookupError("mine")
    if kind == "text":
        return ["text"]
    if kind == "bytes":
        return b"text"
    if kind == "twice":
        start_response("200 OK", [])
    if kind == "short-length":
        return Closing(environ, [b"12345"])
    if kind == "long-length":
        return Closing(environ, [b"12345", b"1234567890"])
    if kind == "long-list-length":
        return [b"12345678901"]
    if kind == "short-list-length":
        return [b"123"]

    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise LookupError("mine")

    return Closing(environ, pieces())


@route("/exc-info")
def with_exc_info(environ: Environ, start_response: Any) -> Any:
    """Changes its mind; `late`: when it cannot any more; `named`: by keywords."""
    told = query(environ)
    named = "named" in told
    first: tuple[str, list[tuple[str, str]]] = ("200 OK", [("x-a", "1")])
    if named:
        write = start_response(response_headers=first[1], status=first[0])
    else:
        write = start_response(*first)
    if "late" in told:
        write(b"first")
    try:
        raise LookupError("mine")
    except LookupError:
        headers = [("x-b", "2")]
        if not named:
            start_response("503 Busy", headers, sys.exc_info())
        elif "late" in told:
            start_response("503 Busy", headers, exc_info=sys.exc_info())
        else:
            start_response(
                exc_info=sys.exc_info(), status="503 Busy", response_headers=headers
            )
    return [b"sorry"]


@route("/close-raises")
def close_raises(environ: Environ, start_response: Any) -> Any:
    class Raises:
        def __iter__(self) -> Iterator[bytes]:
            yield b"fine"

        def close(self) -> None:
            raise LookupError("mine")

    start_response("200 OK", [])
    return Raises()


# --- Files ------------------------------------------------------------------------------------


@route("/file")
def file(environ: Environ, start_response: Any) -> Any:
    told = query(environ)
    kind = told.get("kind", "real")
    real = open(os.environ["TEST_FILE"], "rb")  # noqa: SIM115
    if kind == "moved":
        real.seek(10)
    opened: Any = io.BytesIO(real.read()) if kind == "memory" else real
    if kind == "no-close":

        class Reads:
            read = real.read

        opened = Reads()
    headers = [("content-length", told["length"])] if "length" in told else []
    start_response("200 OK", headers)
    wrapped = environ["wsgi.file_wrapper"](opened, 1000)
    if kind == "walked":
        return (block for block in wrapped)
    if "ticket" in told:
        closed = opened.close

        class Tells:
            fileno, tell, read = opened.fileno, opened.tell, opened.read

            def close(self) -> None:
                closed()
                report(environ, "closed")

        return environ["wsgi.file_wrapper"](Tells())
    return wrapped
