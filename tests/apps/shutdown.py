"""Requests that are under way when the server is told to stop."""

import asyncio

from apps.asgi import answer, body, query, read_body, report_as, start
from apps.routes import Receive, Routes, Scope, Send

app = Routes()


@app.route("/plain")
async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"ok")


@app.route("/waits-for-body")
async def waits_for_body(scope: Scope, receive: Receive, send: Send) -> None:
    """Is under way until the test sends the rest of the body."""
    ticket = query(scope)["ticket"]
    report_as(ticket, "started")
    data = await read_body(receive)
    await answer(send, data)


@app.route("/stream")
async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """An endless stream that ends well when it is told of the disconnect, as server-sent events do."""
    ticket = query(scope)["ticket"]
    await read_body(receive)
    await send(start())
    await send(body(b"event", more=True))
    report_as(ticket, "started")
    message = await receive()
    report_as(ticket, message)
    await send(body(b"bye"))
    report_as(ticket, "ended")


@app.route("/stubborn")
async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
    """Ends only when it is cancelled."""
    ticket = query(scope)["ticket"]
    report_as(ticket, "started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        report_as(ticket, ["CancelledError", *error.args])
        raise


@app.route("/background")
async def background(scope: Scope, receive: Receive, send: Send) -> None:
    """Goes on after its answer until it is cancelled."""
    ticket = query(scope)["ticket"]
    await answer(send, b"ok")
    report_as(ticket, "answered")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        report_as(ticket, "cancelled")
        raise
