"""What `receive` gives, told to the test."""

import asyncio

from apps.asgi import answer, body, query, read_body, report, report_as, start
from apps.routes import Gates, Receive, Routes, Scope, Send

app = Routes()
gate = Gates()


@app.route("/open")
async def open_gate(scope: Scope, receive: Receive, send: Send) -> None:
    gate(query(scope)["gate"]).set()
    await answer(send, b"open")


@app.route("/messages")
async def messages(scope: Scope, receive: Receive, send: Send) -> None:
    """Reports each message up to the end of the body, then answers."""
    more = True
    while more:
        message = await receive()
        report(
            scope,
            [
                message["type"],
                message["body"].decode(),
                message["more_body"],
                type(message).__name__,
            ],
        )
        more = message["more_body"]
    await answer(send, b"done")


@app.route("/echo")
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, await read_body(receive))


@app.route("/unread")
async def unread(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"unread")


@app.route("/half-read")
async def half_read(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    await answer(send, b"%d" % bool(message["body"]))


@app.route("/first-part-then-gate")
async def first_part_then_gate(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes one message, waits until the gate opens, and takes the next one."""
    first = await receive()
    report(scope, first["body"].decode())
    await gate(query(scope)["gate"]).wait()
    second = await receive()
    await answer(send, second["body"] + b" %d" % second["more_body"])


@app.route("/after-body")
async def after_body(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits for what comes after the body, while it answers."""
    await read_body(receive)
    after = asyncio.ensure_future(receive())
    for _ in range(10):
        await asyncio.sleep(0)
    report(scope, after.done())
    await send(start(200, (b"content-length", b"4")))
    await send(body(b"do", more=True))
    for _ in range(10):
        await asyncio.sleep(0)
    report(scope, after.done())
    await send(body(b"ne"))
    report(scope, (await after)["type"])


@app.route("/after-answer")
async def after_answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Receives for the first time when all is said."""
    await answer(send, b"done")
    for _ in range(3):
        report(scope, await receive())


@app.route("/until-disconnect")
async def until_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads until the client goes away, then asks again and again."""
    ticket = query(scope)["ticket"]
    report_as(ticket, "started")
    while (await receive())["type"] != "http.disconnect":
        pass
    for _ in range(3):
        report_as(ticket, await receive())


@app.route("/never-looks")
async def never_looks(scope: Scope, receive: Receive, send: Send) -> None:
    """Receives on and on, whatever it gets."""
    while (await receive())["type"] != "http.disconnect":
        report(scope, "started")
    report(scope, "ended")
    while not gate(query(scope)["gate"]).is_set():
        await receive()
    report(scope, "stopped")


@app.route("/answer-first")
async def answer_first(scope: Scope, receive: Receive, send: Send) -> None:
    """Starts its answer, and reads the body only then."""
    await send(start(200))
    await send(body(b"before ", more=True))
    await send(body(await read_body(receive)))


@app.route("/sizes")
async def sizes(scope: Scope, receive: Receive, send: Send) -> None:
    """The sum of the body, read in whatever pieces come."""
    total = 0
    more = True
    while more:
        message = await receive()
        total += len(message["body"])
        more = message["more_body"]
    await answer(send, b"%d" % total)
