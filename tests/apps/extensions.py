"""Answers that use the extensions of ASGI."""

import os
from typing import Any

from apps.asgi import answer, body, query, read_body, report, start
from apps.routes import Message, Receive, Routes, Scope, Send

app = Routes()


def path_send(path: str) -> Message:
    return {"type": "http.response.pathsend", "path": path}


@app.route("/file")
async def file(scope: Scope, receive: Receive, send: Send) -> None:
    """A file, as a framework sends it."""
    path = query(scope)["path"]
    size = os.path.getsize(path)
    await send(start(200, (b"content-length", b"%d" % size)))
    await send(path_send(path))


@app.route("/file-with-length")
async def file_with_length(scope: Scope, receive: Receive, send: Send) -> None:
    """A file whose announced length may be wrong."""
    parameters = query(scope)
    await send(start(200, (b"content-length", parameters["length"].encode())))
    await refusable(scope, send, path_send(parameters["path"]))


@app.route("/file-without-length")
async def file_without_length(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(path_send(query(scope)["path"]))


@app.route("/missing-file")
async def missing_file(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what the error says, before anything else is said."""
    path = query(scope)["path"]
    await send(start(200))
    try:
        await send(path_send(path))
    except FileNotFoundError as error:
        text = f"{error.errno} {error.filename} {error}"
        await send(body(text.encode()))


@app.route("/bad-path")
async def bad_path(scope: Scope, receive: Receive, send: Send) -> None:
    """What stands for a path is none."""
    paths: dict[str, Any] = {"none": None, "number": 5, "nul": "/a\0b"}
    await send(start(200))
    await refusable(
        scope,
        send,
        {"type": "http.response.pathsend", "path": paths[query(scope)["kind"]]},
    )


@app.route("/body-after-file")
async def body_after_file(scope: Scope, receive: Receive, send: Send) -> None:
    await file(scope, receive, send)
    await refusable(scope, send, body(b"more"))


@app.route("/file-before-start")
async def file_before_start(scope: Scope, receive: Receive, send: Send) -> None:
    await refusable(scope, send, path_send(query(scope)["path"]))


async def refusable(scope: Scope, send: Send, message: Message) -> None:
    """Sends what may be refused, and reports the error's class."""
    try:
        await send(message)
    except Exception as error:
        report(scope, type(error).__name__)
        raise
    report(scope, None)


@app.route("/hint")
async def hint(scope: Scope, receive: Receive, send: Send) -> None:
    """Hints between the start and the body."""
    await send(start(200, (b"content-length", b"2")))
    await send(
        {
            "type": "http.response.early_hint",
            "links": [b"</a.css>; rel=preload", b"</b.js>"],
        }
    )
    await send({"type": "http.response.early_hint", "links": [b"</c.js>"]})
    await send(body(b"ok"))


@app.route("/hint-first")
async def hint_first(scope: Scope, receive: Receive, send: Send) -> None:
    """Hints before it knows its answer, which is when hints are of most use."""
    await send({"type": "http.response.early_hint", "links": [b"</a.css>"]})
    await answer(send, await read_body(receive))


@app.route("/bad-hint")
async def bad_hint(scope: Scope, receive: Receive, send: Send) -> None:
    """A hint that would end its header line."""
    await send(start(200, (b"content-length", b"2")))
    await refusable(
        scope,
        send,
        {"type": "http.response.early_hint", "links": [b"</a>\r\nset-cookie: b"]},
    )


TRAILERS: list[tuple[bytes, bytes]] = [(b"x-sum", b"abc"), (b"x-Other", b"")]


@app.route("/trailers")
async def trailers(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, (b"trailer", b"x-sum, x-other"), trailers=True))
    await send(body(b"one", more=True))
    await send(body(b"two"))
    await send({"type": "http.response.trailers", "headers": TRAILERS})


@app.route("/trailers-in-parts")
async def trailers_in_parts(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, trailers=True))
    await send(body(b"body"))
    for at, trailer in enumerate(TRAILERS):
        more = at < len(TRAILERS) - 1
        await send(
            {
                "type": "http.response.trailers",
                "headers": [trailer],
                "more_trailers": more,
            }
        )


@app.route("/trailers-with-length")
async def trailers_with_length(scope: Scope, receive: Receive, send: Send) -> None:
    """Known length leaves no room for trailers."""
    await send(start(200, (b"content-length", b"4"), trailers=True))
    await send(body(b"body"))
    await send({"type": "http.response.trailers", "headers": TRAILERS})


@app.route("/bad-trailers")
async def bad_trailers(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, trailers=True))
    await send(body(b"body"))
    await refusable(
        scope,
        send,
        {"type": "http.response.trailers", "headers": [(b"x", b"a\r\nb: c")]},
    )


@app.route("/trailers-of-the-framing")
async def trailers_of_the_framing(scope: Scope, receive: Receive, send: Send) -> None:
    """Says in trailers what only heads may say."""
    await send(start(200, trailers=True))
    await send(body(b"body"))
    lines = [
        (b"Content-Length", b"9"),
        (b"transfer-encoding", b"gzip"),
        (b"connection", b"close"),
        (b"host", b"other"),
        (b"trailer", b"x"),
        (b"upgrade", b"x"),
    ]
    await send(
        {"type": "http.response.trailers", "headers": [*lines, (b"x-sum", b"abc")]}
    )


@app.route("/no-trailers")
async def no_trailers(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends them though they were not announced."""
    await send(start(200))
    await send(body(b"body"))
    await refusable(
        scope, send, {"type": "http.response.trailers", "headers": TRAILERS}
    )


@app.route("/debug")
async def debug(scope: Scope, receive: Receive, send: Send) -> None:
    """Debug messages are for test clients; a server takes them and does nothing."""
    await send(
        {"type": "http.response.debug", "info": {"template": "a.html", "context": {}}}
    )
    await answer(send, await read_body(receive))
