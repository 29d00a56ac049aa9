"""WebSocket applications of every kind, one for each path."""

import asyncio
from typing import Any

from apps.asgi import answer, query, report
from apps.routes import Gates, Message, Receive, Routes, Scope, Send


class Sockets(Routes):
    """Routes for WebSockets; HTTP requests open gates."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] == "http":
            gate(query(scope)["gate"]).set()
            return await answer(send, b"open")
        return await super().__call__(scope, receive, send)


app = Sockets()
gate = Gates()


def closing(code: Any = None, reason: Any = None) -> Message:
    message: Message = {"type": "websocket.close"}
    if code is not None:
        message["code"] = code
    if reason is not None:
        message["reason"] = reason
    return message


async def accept(receive: Receive, send: Send, **more: Any) -> None:
    message = await receive()
    assert message == {"type": "websocket.connect"}, message
    await send({"type": "websocket.accept", **more})


async def say(send: Send, text: str) -> None:
    await send({"type": "websocket.send", "text": text})


async def error_of(call: Any) -> list[str]:
    """Which exception awaiting `call` raises, with its bases."""
    try:
        await call
    except Exception as error:
        names = [kind.__name__ for kind in type(error).__mro__]
        return [type(error).__name__, str(error), str("OSError" in names)]
    return []


async def overfill(scope: Scope, send: Send, message: Message) -> None:
    """Sends until a send has to wait, and reports how far it came; then until one raises."""
    sent = 0

    async def send_on() -> None:
        nonlocal sent
        while True:
            await send(message)
            sent += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(send_on())
    seen = -1
    while seen != sent:
        seen = sent
        await asyncio.sleep(0.2)
    report(scope, seen)
    await asyncio.wait([task])
    report(scope, type(task.exception()).__name__)


@app.route("/echo")
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            if "ticket" in query(scope):
                report(scope, message)
            return
        await send({**message, "type": "websocket.send"})


@app.route("/scope")
async def show_scope(scope: Scope, receive: Receive, send: Send) -> None:
    shown = {
        key: repr(value) if key != "state" else type(value).__name__
        for key, value in scope.items()
    }
    report(scope, shown)
    await accept(receive, send)
    await receive()


@app.route("/raw")
async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    """Reports the messages as they are."""
    await accept(receive, send)
    while True:
        message = await receive()
        report(scope, {key: repr(value) for key, value in message.items()})
        if message["type"] == "websocket.disconnect":
            return


@app.route("/accept")
async def accept_with(scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts with a subprotocol and headers."""
    headers = [(b"X-One", b"1"), (b"x-one", b"2"), (b"Sec-WebSocket-Accept", b"no")]
    await accept(
        receive, send, subprotocol=query(scope).get("protocol"), headers=headers
    )
    await receive()


@app.route("/close-first")
async def close_first(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(closing(4000, "ignored"))
    report(scope, [await receive(), await error_of(say(send, "x"))])


@app.route("/deny")
async def deny(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with a response of several pieces, the last one when a gate is opened."""
    await receive()
    await send(
        {
            "type": "websocket.http.response.start",
            "status": 401,
            "headers": [(b"content-type", b"text/plain"), (b"x-why", b"because")],
            # There is no message for them here.
            "trailers": True,
        }
    )
    report(scope, await error_of(send(closing())))
    body = "websocket.http.response.body"
    await send({"type": body, "body": b"not ", "more_body": True})
    await gate(query(scope)["ticket"]).wait()
    await send({"type": body, "body": b"you"})
    report(scope, await error_of(send({"type": body})))


@app.route("/deny-half")
async def deny_half(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    start = {"type": "websocket.http.response.start", "status": 401}
    await send(start)
    if query(scope)["how"] == "raises":
        raise RuntimeError("in the middle of a denial")


@app.route("/deny-large")
async def deny_large(scope: Scope, receive: Receive, send: Send) -> None:
    """Denies with a response that does not end."""
    await receive()
    await send({"type": "websocket.http.response.start", "status": 403})
    body = "websocket.http.response.body"
    await overfill(scope, send, {"type": body, "body": b"x" * 65536, "more_body": True})


@app.route("/before-accept")
async def before_accept(scope: Scope, receive: Receive, send: Send) -> None:
    """Ends before it has accepted."""
    await receive()
    how = query(scope)["how"]
    if how == "raises":
        raise RuntimeError("before it was accepted")
    if how == "wrong":
        report(scope, await error_of(say(send, "too early")))
    if how == "body":
        report(scope, await error_of(send({"type": "websocket.http.response.body"})))
    if how == "wait":
        report(scope, "waiting")
        report(scope, await receive())
        report(scope, await error_of(send({"type": "websocket.accept"})))


@app.route("/after-accept")
async def after_accept(scope: Scope, receive: Receive, send: Send) -> Any:
    """Ends after it has accepted, in one of many ways."""
    await accept(receive, send)
    how = query(scope)["how"]
    if how == "raises":
        raise RuntimeError("after it was accepted")
    if how == "value":
        return 5
    if how == "late":
        await receive()
        raise RuntimeError("when the client had gone")
    if how == "wrong":
        for kind in ("websocket.accept", "websocket.http.response.start", "http.foo"):
            report(scope, await error_of(send({"type": kind, "status": 200})))
    return None


@app.route("/close")
async def close(scope: Scope, receive: Receive, send: Send) -> None:
    """Closes with what the query says, and tells what receive and send do then."""
    await accept(receive, send)
    asked = query(scope)
    code = int(asked["code"]) if "code" in asked else None
    await send(closing(code, asked.get("reason")))
    report(scope, [await receive(), await receive(), await receive()])
    report(scope, await error_of(say(send, "too late")))
    report(scope, await error_of(send(closing())))


@app.route("/bad-close")
async def bad_close(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    report(scope, await error_of(send(closing(1005))))
    await send(closing(None))


@app.route("/gone")
async def gone(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits for the end, and tells what receive and send do then."""
    await accept(receive, send)
    report(scope, await receive())
    report(scope, await receive())
    report(scope, await error_of(say(send, "too late")))
    report(scope, await error_of(send(closing())))
    if "raise" in query(scope):
        await say(send, "nobody hears this, and nobody shall hear of it")


@app.route("/naive")
async def naive(scope: Scope, receive: Receive, send: Send) -> None:
    """A loop that knows nothing of disconnects."""
    await accept(receive, send)
    said = False
    while not gate(query(scope)["ticket"]).is_set():
        message = await receive()
        if message["type"] == "websocket.disconnect" and not said:
            said = True
            report(scope, "disconnected")
    report(scope, "let out")


@app.route("/concurrent")
async def concurrent(scope: Scope, receive: Receive, send: Send) -> None:
    """One that is cancelled loses nothing; then two that receive both hear of the end."""
    await accept(receive, send)
    cancelled = asyncio.create_task(receive())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    report(scope, "cancelled")
    report(scope, await receive())
    both = await asyncio.gather(receive(), receive())
    report(scope, [message["type"] for message in both])


@app.route("/slow")
async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes nothing until its gate is opened, then counts."""
    await accept(receive, send)
    report(scope, "waiting")
    await gate(query(scope)["ticket"]).wait()
    count = size = 0
    while (message := await receive())["type"] == "websocket.receive":
        count += 1
        size += len(message.get("bytes") or message.get("text") or "")
        if "stop" in query(scope) and count == int(query(scope)["stop"]):
            break
    report(scope, [count, size])


@app.route("/late")
async def late(scope: Scope, receive: Receive, send: Send) -> None:
    """Says something until that raises, and only then hears what it was told; answers all of it."""
    await accept(receive, send)
    report(scope, "open")
    await gate(query(scope)["ticket"]).wait()
    while not (error := await error_of(say(send, "anybody?"))):
        await asyncio.sleep(0)
    texts = []
    while (message := await receive())["type"] == "websocket.receive":
        texts.append(message["text"])
        assert await error_of(say(send, "answer")) == error
    report(scope, [error[0], texts, message])


@app.route("/flood")
async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    size = int(query(scope).get("size", 65536))
    await overfill(scope, send, {"type": "websocket.send", "bytes": b"x" * size})


@app.route("/flood-of-nothing")
async def flood_of_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Empty messages, with no pause of its own, until a send waits; reports how many."""
    await accept(receive, send)
    sent = 0

    async def send_on() -> None:
        nonlocal sent
        while True:
            await send({"type": "websocket.send", "text": ""})
            sent += 1

    task = asyncio.create_task(send_on())
    await asyncio.sleep(0)
    report(scope, sent)
    task.cancel()


@app.route("/endless")
async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends until it raises."""
    await accept(receive, send)
    while True:
        await send({"type": "websocket.send", "bytes": b"x" * 65536})


@app.route("/no")
async def no(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(closing())


@app.route("/kinds")
async def kinds(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends all kinds of data."""
    await accept(receive, send)
    kind = "websocket.send"
    await send({"type": kind, "text": "both", "bytes": None})
    await send({"type": kind, "text": None, "bytes": b"bytes"})
    await send({"type": kind, "text": "text loses", "bytes": b"bytes win"})
    await send({"type": kind})
    await send({"type": kind, "text": None, "bytes": None})
    await send({"type": kind, "bytes": bytearray(b"array")})
    await send({"type": kind, "bytes": memoryview(b"view")})
    await send({"type": kind, "text": ""})
    await send({"type": kind, "text": "grüße " * 10_000})
    for wrong in ({"text": b"bytes"}, {"bytes": "text"}, {"text": "\ud800"}):
        report(scope, (await error_of(send({"type": kind, **wrong})))[0])


@app.route("/state")
async def state(scope: Scope, receive: Receive, send: Send) -> None:
    """Counts in its own copy of the state."""
    await accept(receive, send)
    scope["state"]["count"] = scope["state"].get("count", 0) + 1
    await say(send, str(scope["state"]["count"]))


@app.route("/stay")
async def stay(scope: Scope, receive: Receive, send: Send) -> None:
    """Stays until the end, and reports it; then does what the query says."""
    await accept(receive, send)
    report(scope, "open")
    try:
        report(scope, await receive())
        if "linger" in query(scope):
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        report(scope, "cancelled")
        raise


@app.route("/busy")
async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    """Keeps the event loop busy for the seconds it is told, again and again."""
    import time

    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        time.sleep(float(message["text"]))
        await say(send, "awake")
    report(scope, message)


@app.route("/idle")
async def idle(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    await receive()


CROWD: set[Any] = set()


@app.route("/crowd")
async def crowd(scope: Scope, receive: Receive, send: Send) -> None:
    """What one says, all hear."""
    await accept(receive, send)
    CROWD.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            for other in list(CROWD):
                await say(other, message["text"])
    finally:
        CROWD.discard(send)
