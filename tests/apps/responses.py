"""Answers of every form, right and wrong."""

import asyncio
from typing import Any

from apps.asgi import answer, body, query, read_body, report, start
from apps.routes import Message, Receive, Routes, Scope, Send

app = Routes()

OK = (b"content-length", b"2")


@app.route("/plain")
async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-type", b"text/plain"), OK))
    await send(body(b"ok"))


@app.route("/calls")
async def calls(scope: Scope, receive: Receive, send: Send) -> None:
    """Calls of `send` that are dropped, kept, and awaited in another order than they were made."""
    dropped: Any = send(start(500))
    del dropped
    second: Any = send(body(b"ok"))
    never: Any = send(body(b"never"))
    await send(start(200, OK))
    await second
    report(scope, second is not never)
    kept = [second, never, send(body())]
    for call in (second, kept[2]):
        try:
            await call
        except RuntimeError as error:
            report(scope, str(error))


@app.route("/minimal")
async def minimal(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


@app.route("/stream")
async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    for piece in (b"one", b"", b"two", b"three"):
        await send(body(piece, more=True))
        # Lets the pieces go out one by one.
        await asyncio.sleep(0)
    await send(body())


@app.route("/large-stream")
async def large_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Ten megabytes in pieces."""
    await send(start(200))
    for _ in range(100):
        await send(body(bytes(100_000), more=True))
    await send(body())


@app.route("/stream-with-length")
async def stream_with_length(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-length", b"6")))
    await send(body(b"one", more=True))
    await send(body(b"two"))


@app.route("/own-chunked")
async def own_chunked(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, (b"transfer-encoding", b"chunked")))
    await send(body(b"data"))


@app.route("/close")
async def close(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, OK, (b"connection", b"close")))
    await send(body(b"ok"))


@app.route("/status")
async def status(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(int(query(scope)["code"]), (b"x-kept", b"yes")))
    await send(body(query(scope).get("body", "").encode()))


@app.route("/odd-status")
async def odd_status(scope: Scope, receive: Receive, send: Send) -> None:
    values: dict[str, Any] = {"text": "200", "none": None, "float": 200.5}
    await send(
        {
            "type": "http.response.start",
            "status": values[query(scope)["kind"]],
            "headers": [],
        }
    )
    await send(body(b"never"))


@app.route("/body-type")
async def body_type(scope: Scope, receive: Receive, send: Send) -> None:
    data = b"\x00binary\xff"
    kinds: dict[str, Any] = {
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "memoryview-slice": memoryview(b"--" + data + b"--")[2:-2],
    }
    await send(start(200, (b"content-length", b"8")))
    await send(body(kinds[query(scope)["kind"]]))


@app.route("/loose-types")
async def loose_types(scope: Scope, receive: Receive, send: Send) -> None:
    """No body, and a header of buffers."""
    header: Any = (bytearray(b"x-loose"), bytearray(b"yes"))
    await send(start(200, (b"content-length", b"0"), header))
    await send({"type": "http.response.body", "body": None})


@app.route("/empty-pieces")
async def empty_pieces(scope: Scope, receive: Receive, send: Send) -> None:
    """Many pieces with nothing in them around one that has something."""
    await send(start(200))
    for piece in [b""] * 1000 + [b"one"] + [b""] * 1000:
        await send(body(piece, more=True))
    await send(body(b""))


@app.route("/bytearray-changed-later")
async def bytearray_changed_later(scope: Scope, receive: Receive, send: Send) -> None:
    """The application owns its buffer, and may use it again once `send` has returned."""
    await send(start(200, (b"content-length", b"200000")))
    buffer = bytearray(b"a" * 100_000)
    await send(body(buffer, more=True))
    buffer[:] = b"b" * 100_000
    await send(body(buffer))


@app.route("/large")
async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, bytes(range(256)) * (int(query(scope)["size"]) // 256))


@app.route("/headers")
async def headers(scope: Scope, receive: Receive, send: Send) -> None:
    """Headers in their order, with duplicates, upper case, odd but legal values."""
    await send(
        start(
            200,
            OK,
            (b"set-cookie", b"a=1"),
            (b"X-Upper", b"Kept Case"),
            (b"set-cookie", b"b=2"),
            (b"x-latin", b"caf\xe9"),
            (b"x-tab", b"a\tb"),
            (b"x-empty", b""),
        )
    )
    await send(body(b"ok"))


@app.route("/header-kinds")
async def header_kinds(scope: Scope, receive: Receive, send: Send) -> None:
    """Headers in other iterables than a list of tuples."""
    kinds: dict[str, Any] = {
        "lists": [[b"content-length", b"2"], [b"x-kind", b"lists"]],
        "tuple": ((b"content-length", b"2"), (b"x-kind", b"tuple")),
        "generator": (
            pair for pair in [(b"content-length", b"2"), (b"x-kind", b"generator")]
        ),
        "dict-items": {b"content-length": b"2", b"x-kind": b"dict-items"}.items(),
    }
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": kinds[query(scope)["kind"]],
        }
    )
    await send(body(b"ok"))


@app.route("/own-defaults")
async def own_defaults(scope: Scope, receive: Receive, send: Send) -> None:
    await send(
        start(
            200, OK, (b"Server", b"mine"), (b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT")
        )
    )
    await send(body(b"ok"))


BAD_HEADERS: dict[str, Any] = {
    "name-space": (b"x y", b"v"),
    "name-colon": (b"x:y", b"v"),
    "name-newline": (b"x\r\ny", b"v"),
    "name-empty": (b"", b"v"),
    "name-latin": (b"x\xe9", b"v"),
    "value-newline": (b"x", b"a\r\nset-cookie: b"),
    "value-lf": (b"x", b"a\nb"),
    "value-cr": (b"x", b"a\rb"),
    "value-nul": (b"x", b"a\x00b"),
    "value-control": (b"x", b"a\x01b"),
    "value-delete": (b"x", b"a\x7fb"),
    "name-str": ("x", b"v"),
    "value-str": (b"x", "v"),
    "value-int": (b"x", 5),
    "not-a-pair": (b"x",),
    "length-word": (b"content-length", b"many"),
    "length-negative": (b"content-length", b"-1"),
    "length-plus": (b"content-length", b"+1"),
    "length-empty": (b"content-length", b""),
}


@app.route("/bad-header")
async def bad_header(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await send(start(200, BAD_HEADERS[query(scope)["kind"]]))
        await send(body(b"k"))
    except Exception as error:
        report(scope, [type(error).__name__, str(error)])
        raise
    report(scope, None)


SCRIPTS: dict[str, list[Message]] = {
    "too-long-at-once": [start(200, OK), body(b"okk")],
    "too-long-later": [
        start(200, (b"content-length", b"5")),
        body(b"abc", more=True),
        body(b"def"),
    ],
    "too-short-at-once": [start(200, (b"content-length", b"5")), body(b"abc")],
    "too-short-later": [
        start(200, (b"content-length", b"5")),
        body(b"abc", more=True),
        body(),
    ],
    "body-first": [body(b"ok")],
    "unknown-first": [{"type": "http.nonsense"}],
    "start-twice": [start(200, OK), start(200, OK)],
    "unknown-second": [
        start(200, OK),
        {"type": "http.response.push", "path": "/", "headers": []},
    ],
    "body-after-end": [start(200, OK), body(b"ok"), body(b"more")],
    "start-after-end": [start(200, OK), body(b"ok"), start(200, OK)],
    "body-str": [start(200, OK), body("ok")],
    "websocket": [{"type": "websocket.accept"}],
}


@app.route("/script")
async def script(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends messages until one is refused, and reports why."""
    try:
        for message in SCRIPTS[query(scope)["name"]]:
            await send(message)
    except Exception as error:
        report(scope, [type(error).__name__, str(error)])
        raise
    report(scope, None)


@app.route("/not-a-message")
async def not_a_message(scope: Scope, receive: Receive, send: Send) -> None:
    values: dict[str, Any] = {
        "none": None,
        "text": "http.response.start",
        "no-type": {},
        "odd-type": {"type": 5},
    }
    await send(values[query(scope)["kind"]])


@app.route("/recovers")
async def recovers(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a wrong start, and answers rightly after the error."""
    try:
        await send(start(200, (b"x y", b"v")))
        await send(body(b"never"))
    except RuntimeError:
        await answer(send, b"recovered", status=418)


FAILURES: dict[str, Any] = {
    "exception": ValueError("a failure"),
    "cancelled": asyncio.CancelledError(),
    "system-exit": SystemExit(9),
    "base": BaseException("base"),
    "os-error": OSError("not about the client"),
}


@app.route("/fails")
async def fails(scope: Scope, receive: Receive, send: Send) -> Any:
    parameters = query(scope)
    await read_body(receive)
    when = parameters["when"]
    if when == "after-start":
        await send(start(200))
    elif when == "after-piece":
        await send(start(200))
        await send(body(b"piece", more=True))
    elif when == "after-end":
        await send(start(200, OK))
        await send(body(b"ok"))
    elif when == "after-await":
        await asyncio.sleep(0)
    how = parameters["how"]
    if how == "return":
        return None
    if how == "return-value":
        return 5
    raise FAILURES[how]
